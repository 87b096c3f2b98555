/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inside_targets.c: between which addresses the echoes of inside.h go. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "ctl/doctor/inside.h"
#include "os/neighbour.h"

static bool bit_of(const struct ip_addr *addr, unsigned at)
{
	return addr->bytes[at / 8] >> (7 - at % 8) & 1;
}

static void set_bit(struct ip_addr *addr, unsigned at, bool on)
{
	uint8_t mask = (uint8_t)(1u << (7 - at % 8));

	addr->bytes[at / 8] =
		(uint8_t)(on ? addr->bytes[at / 8] | mask : addr->bytes[at / 8] & ~mask);
}

struct ip_addr inside_mate(const struct ip_prefix *local)
{
	unsigned bits = addr_size(local->addr.family) * 8;
	struct ip_addr mate = local->addr;

	if (local->len == bits - 1) {
		set_bit(&mate, bits - 1, !bit_of(&mate, bits - 1));
		return mate;
	}
	/* Of four addresses the first and the last are the network's own (IPv6: all but the first
	 * could be hosts). */
	if (local->addr.family == IP_V4 && local->len == 30 &&
	    bit_of(&mate, 30) != bit_of(&mate, 31)) {
		set_bit(&mate, 30, !bit_of(&mate, 30));
		set_bit(&mate, 31, !bit_of(&mate, 31));
		return mate;
	}
	return (struct ip_addr){.family = IP_NONE};
}

struct ip_addr inside_first_host(const struct ip_prefix *prefix, const struct ip_addr *but)
{
	struct ip_addr addr = prefix_network(prefix).addr;
	unsigned bits = addr_size(addr.family) * 8, last = bits / 8 - 1;

	if (prefix->len + 1u >= bits)
		return addr;
	addr.bytes[last] |= 1;
	if (addr_equal(&addr, but))
		addr.bytes[last] = (uint8_t)(addr.bytes[last] + 1);
	return addr;
}

struct ip_addr inside_last_host(const struct ip_prefix *prefix, const struct ip_addr *but)
{
	struct ip_addr addr = prefix->addr;
	unsigned bits = addr_size(addr.family) * 8, last = bits / 8 - 1;

	if (prefix->len + 1u >= bits)
		return addr;
	for (unsigned at = prefix->len; at < bits; at++)
		set_bit(&addr, at, true);
	addr.bytes[last] = (uint8_t)(addr.bytes[last] - 1);
	if (addr_equal(&addr, but) && prefix->len + 2u < bits)
		addr.bytes[last] = (uint8_t)(addr.bytes[last] - 1);
	return addr;
}

static void find_inner(const struct doctor *d, struct inside_family *out)
{
	for (size_t i = 0; i < d->tunnel->address_count; i++) {
		const struct conf_address *address = &d->tunnel->addresses[i];

		if (address->local.addr.family != out->family || out->own.family != IP_NONE)
			continue;
		out->own = address->local.addr;
		out->peer = address->peer.family != IP_NONE ? address->peer
							    : inside_mate(&address->local);
	}
}

/* What several walks need. */
struct search {
	struct doctor *d;
	struct inside_family *out;
	struct ip_prefix lan; /* wanted: our address in here */
};

static bool is_tunnel(const struct doctor *d, uint32_t index)
{
	const struct link_info *link = actual_link_at(d->actual, index);

	return link && actual_is_ours(d->actual, link);
}

/* An address of this host in the network; not where the outer packets go, unless the file names the
 * network. */
static int take_address(void *arg, const struct address_info *address)
{
	struct search *search = arg;
	struct inside_family *out = search->out;
	const struct ip_addr *own = &address->local.addr;
	const struct link_info *link = actual_link_at(search->d->actual, address->index);

	if (out->has_lan || !link || !(link->flags & IFF_UP) || link->flags & IFF_LOOPBACK ||
	    is_tunnel(search->d, address->index) || !doctor_in_same_vrf(search->d, link) ||
	    addr_is_link_local(own) || address->peer.family != IP_NONE ||
	    !prefix_contains(&search->lan, own))
		return 0;
	if (search->lan.len == 0 && search->d->way && address->index == search->d->way->way.oif)
		return 0;
	out->has_lan = true;
	out->lan = prefix_network(&address->local);
	if (search->lan.len > out->lan.len)
		out->lan = search->lan;
	out->lan_own = *own;
	out->lan_index = address->index;
	memcpy(out->lan_name, link->name, sizeof out->lan_name);
	return 0;
}

/* Whether `lan` has something of ours and `far` is reached by this tunnel. */
static int try_pair(struct search *search, const struct ip_prefix *lan, const struct ip_prefix *far)
{
	const struct conf_tunnel *t = search->d->tunnel;
	struct inside_family *out = search->out;

	if (out->has_lan || lan->addr.family != out->family || far->addr.family != out->family)
		return 0;
	for (size_t i = 0; i < t->route_count; i++) {
		const struct ip_prefix *to = &t->routes[i].to;

		if (!prefix_overlaps(to, far))
			continue;
		search->lan = *lan;
		out->far_prefix = to->len > far->len ? *to : *far;
		return address_each(search->d->nl, take_address, search);
	}
	return 0;
}

static int find_pair(struct search *search)
{
	const struct conf_forward *forward = &search->d->conf->forward;
	struct ip_prefix all = {.addr = {.family = search->out->family}};
	int err = 0;

	for (size_t i = 0; !err && i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];

		err = try_pair(search, &allow->from, &allow->to);
		if (!err && allow->both)
			err = try_pair(search, &allow->to, &allow->from);
	}
	/* A host that somebody names is to be reached from here, whatever the lines say. */
	if (!err && forward->present &&
	    (forward->allow_count == 0 || search->d->host->far.family == all.addr.family))
		err = try_pair(search, &all, &all);
	return err;
}

static int take_neighbour(void *arg, const struct neighbour_info *neighbour)
{
	struct inside_family *out = arg;

	if (neighbour->index == out->lan_index && !neighbour->router &&
	    !addr_is_link_local(&neighbour->addr) && !addr_is_multicast(&neighbour->addr) &&
	    neighbour_is_known(neighbour) && prefix_contains(&out->lan, &neighbour->addr)) {
		out->lan_host = neighbour->addr;
		out->lan_host_known = true;
	}
	return 0;
}

static bool is_our_echo(const struct conntrack_entry *entry)
{
	return (entry->protocol == IPPROTO_ICMP || entry->protocol == IPPROTO_ICMPV6) &&
	       (entry->original.from_port & INSIDE_ID_MASK) == INSIDE_ID;
}

static int take_connection(void *arg, const struct conntrack_entry *entry)
{
	struct inside_family *out = arg;
	const struct ip_addr *to = &entry->original.to;

	if (!prefix_contains(&out->far_prefix, to) || addr_is_multicast(to) || is_our_echo(entry) ||
	    addr_equal(to, &out->peer))
		return 0;
	if (entry->status & CONNTRACK_SEEN_REPLY) {
		out->other = *to;
	} else if (out->how < FAR_UNREPLIED) {
		out->how = FAR_UNREPLIED;
		out->far = *to;
		out->asked = *entry;
	}
	return 0;
}

static void choose_far(struct inside_family *out)
{
	if (out->how < FAR_REPLIED && out->other.family != IP_NONE) {
		out->how = FAR_REPLIED;
		out->far = out->other;
	}
	if (out->how == FAR_NONE) {
		out->how = FAR_GUESS;
		out->far = out->far_prefix.len ? inside_first_host(&out->far_prefix, &out->peer)
					       : out->peer;
	}
	if (addr_equal(&out->other, &out->far))
		out->other.family = IP_NONE;
	out->nobody = inside_last_host(&out->far_prefix, &out->far);
	if (out->far.family == IP_NONE)
		out->how = FAR_NONE;
}

static int find_far(struct doctor *d, struct inside_family *out)
{
	struct nl netfilter;
	int err;

	if (d->host->far.family == out->family) {
		out->how = FAR_GIVEN;
		out->far = d->host->far;
		if (!prefix_contains(&out->far_prefix, &out->far))
			out->far_prefix =
				(struct ip_prefix){out->far, (uint8_t)(addr_size(out->family) * 8)};
	}
	err = conntrack_open(&netfilter);
	if (!err) {
		/* Without connection tracking nobody is known there. */
		(void)conntrack_each(&netfilter, out->family, take_connection, out);
		nl_close(&netfilter);
	}
	choose_far(out);
	return 0;
}

static int find_family(struct doctor *d, uint8_t family, struct inside_family *out)
{
	struct search search = {.d = d, .out = out};
	int err;

	out->family = family;
	find_inner(d, out);
	err = find_pair(&search);
	if (!err && out->has_lan) {
		out->lan_host = inside_last_host(&out->lan, &out->lan_own);
		err = neighbour_each(d->nl, family, take_neighbour, out);
	}
	if (!err && out->far_prefix.addr.family == IP_NONE)
		for (size_t i = 0; i < d->tunnel->route_count; i++)
			if (d->tunnel->routes[i].to.addr.family == family)
				out->far_prefix = d->tunnel->routes[i].to;
	if (!err && (out->far_prefix.addr.family != IP_NONE || d->host->far.family == family))
		err = find_far(d, out);
	return err;
}

int inside_find_targets(struct doctor *d, struct inside *out)
{
	int err = find_family(d, IP_V4, &out->families[0]);

	return err ? err : find_family(d, IP_V6, &out->families[1]);
}
