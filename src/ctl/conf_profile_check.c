/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the profile of a tunnel refuses. */
#include <string.h>

#include "ctl/conf_profile.h"
#include "ctl/conf_value.h"

#define PREFIXES_MAX 8

/* Where a key is, or else the profile. */
static struct conf_place place_of(const struct conf_tunnel *t, enum conf_tunnel_key key)
{
	return (struct conf_place){t->at.file,
				   t->lines[key] ? t->lines[key] : t->lines[TUNNEL_PROFILE]};
}

static void check_keys(const struct conf_tunnel *t, struct conf_faults *faults)
{
	static const struct {
		enum conf_tunnel_key key;
		const char *name;
	} keys[] = {{TUNNEL_KEY, "key"}, {TUNNEL_IKEY, "ikey"}, {TUNNEL_OKEY, "okey"}};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (t->lines[keys[i].key])
			conf_fault(faults, place_of(t, keys[i].key),
				   "%s takes packets without a key: leave out %s", t->profile->who,
				   keys[i].name);
}

static void check_forbidden(const struct conf_tunnel *t, struct conf_faults *faults)
{
	unsigned forbids = t->profile->forbids;
	const char *who = t->profile->who;

	if (forbids & FORBIDS_KEY)
		check_keys(t, faults);
	if (forbids & FORBIDS_CHECKSUM && t->checksum != CHECKSUM_NO)
		conf_fault(faults, place_of(t, TUNNEL_CHECKSUM),
			   "%s has no setting for GRE checksums: write checksum = no", who);
	if (forbids & FORBIDS_SEQUENCE && t->sequence != SEQUENCE_NO)
		conf_fault(faults, place_of(t, TUNNEL_SEQUENCE),
			   "%s has no setting for sequence numbers: write sequence = no", who);
	if (forbids & FORBIDS_KEEPALIVE && t->keepalive_interval_ms)
		conf_fault(faults, place_of(t, TUNNEL_KEEPALIVE),
			   "%s forbids GRE keepalives: write keepalive = no", who);
	if (forbids & FORBIDS_GRETAP && conf_has_frames(t))
		conf_fault(faults, place_of(t, TUNNEL_MODE),
			   "%s takes IP packets, not Ethernet frames: write mode = gre", who);
	if (t->udp_port)
		conf_fault(faults, place_of(t, TUNNEL_UDP),
			   "%s takes GRE in IP, not in UDP: write udp = no", who);
	if (forbids & FORBIDS_IPV6_OUTSIDE && t->local.family == IP_V6)
		conf_fault(faults, place_of(t, TUNNEL_LOCAL),
			   "%s has GRE over IPv4 only: write IPv4 addresses as local and remote",
			   who);
}

static void check_limits(const struct conf_tunnel *t, struct conf_faults *faults)
{
	const struct conf_profile *p = t->profile;

	if (p->mtu_max && t->mtu > p->mtu_max)
		conf_fault(faults, place_of(t, TUNNEL_MTU),
			   "mtu = %u is more than %s takes: write %u or less", t->mtu, p->who,
			   p->mtu_max);
	if (p->mtu_min && t->mtu && t->mtu < p->mtu_min)
		conf_fault(faults, place_of(t, TUNNEL_MTU),
			   "mtu = %u is less than %s takes: write %u or more", t->mtu, p->who,
			   p->mtu_min);
	if (p->mss_max && !t->mss_auto && t->mss > p->mss_max)
		conf_fault(faults, place_of(t, TUNNEL_MSS),
			   "mss = %u is more than %s takes: write %u or less", t->mss, p->who,
			   p->mss_max);
}

/* True when `addr` lies in one of the prefixes of the text. */
static bool lies_in(const struct ip_addr *addr, const char *prefixes)
{
	char text[CONF_LINE_MAX + 1], *words[PREFIXES_MAX];
	size_t count;

	snprintf(text, sizeof text, "%s", prefixes);
	count = value_split(text, words, PREFIXES_MAX);
	for (size_t i = 0; i < count && i < PREFIXES_MAX; i++) {
		struct ip_prefix prefix;

		if (prefix_parse(words[i], &prefix) && prefix_contains(&prefix, addr))
			return true;
	}
	return false;
}

/* The first host of the network of `len` bits that `addr` is in. */
static struct ip_addr first_host(const struct ip_addr *addr, uint8_t len)
{
	struct ip_prefix network = {*addr, len};

	network = prefix_network(&network);
	network.addr.bytes[addr_size(addr->family) - 1] |= 1;
	return network.addr;
}

/* A network of the length that the provider gives, written as one or by its two ends. */
static bool right_length(const struct profile_inner *inner, const struct conf_address *a)
{
	struct ip_prefix network = {a->local.addr, inner->len};

	if (a->peer.family == IP_NONE)
		return a->local.len == inner->len;
	network = prefix_network(&network);
	return prefix_contains(&network, &a->peer);
}

static void tell_inner(const struct conf_tunnel *t, const struct profile_inner *inner,
		       const struct conf_address *a, struct conf_faults *faults)
{
	const char *who = t->profile->who;
	char text[ADDR_TEXT_SIZE], first_text[ADDR_TEXT_SIZE];
	struct ip_addr first = first_host(&a->local.addr, inner->len);

	addr_format(&a->local.addr, text);
	if (inner->from && !lies_in(&a->local.addr, inner->from))
		conf_fault(faults, a->at,
			   "address %s is not one of those that %s gives: write a /%u from %s",
			   text, who, inner->len, inner->from);
	else if (inner->reserved && lies_in(&a->local.addr, inner->reserved))
		conf_fault(faults, a->at, "address %s is reserved by %s: write one outside %s",
			   text, who, inner->reserved);
	else if (!right_length(inner, a))
		conf_fault(faults, a->at, "the two ends of a tunnel of %s share a /%u: write %s/%u",
			   who, inner->len, text, inner->len);
	else if (inner->first && !addr_equal(&a->local.addr, &first))
		conf_fault(faults, a->at,
			   "%s expects this machine to have the first address: write %s/%u", who,
			   addr_format(&first, first_text), inner->len);
}

static bool is_bare_host(const struct conf_address *a)
{
	return a->peer.family == IP_NONE && a->local.len == addr_size(a->local.addr.family) * 8;
}

/* A bare host address beside the one of the link is some other address that the provider gave. */
static void check_inner(const struct conf_tunnel *t, const struct profile_inner *inner,
			struct conf_faults *faults)
{
	bool linked = false;

	for (size_t i = 0; i < t->address_count; i++)
		linked |= t->addresses[i].local.addr.family == inner->family &&
			  !is_bare_host(&t->addresses[i]);
	for (size_t i = 0; i < t->address_count; i++)
		if (t->addresses[i].local.addr.family == inner->family &&
		    (!linked || !is_bare_host(&t->addresses[i])))
			tell_inner(t, inner, &t->addresses[i], faults);
}

void conf_check_profile(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (!t->profile)
		return;
	check_forbidden(t, faults);
	check_limits(t, faults);
	for (size_t i = 0; i < PROFILE_INNERS; i++)
		if (t->profile->inner[i].family != IP_NONE)
			check_inner(t, &t->profile->inner[i], faults);
}
