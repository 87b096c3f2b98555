/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel as its other end has it: what goes out there comes in here. */
#include "ctl/peer/mirror.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/overhead.h"

void mirror_note(struct mirror *mirror, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(mirror->notes, format, args);
	va_end(args);
	fputc('\n', mirror->notes);
}

void *mirror_grow(struct mirror *mirror, void *array, size_t *count, size_t size)
{
	void **items = array;
	char *grown = reallocarray(*items, *count + 1, size);

	if (!grown) {
		mirror->lost = true;
		return NULL;
	}
	*items = grown;
	return memset(grown + size * (*count)++, 0, size);
}

static unsigned full_length(uint8_t family)
{
	return addr_size(family) * 8;
}

/* The first host of the network that is not ours; the file may name another. */
static void guess_other(const struct ip_prefix *ours, struct ip_addr *other)
{
	unsigned bits = full_length(ours->addr.family), last = bits / 8 - 1;
	struct ip_prefix network = prefix_network(ours);
	bool pair = ours->len + 1u == bits;

	*other = network.addr;
	if (!pair || addr_equal(other, &ours->addr))
		other->bytes[last] |= 1;
	if (addr_equal(other, &ours->addr))
		other->bytes[last] ^= 3;
}

/* An address of the network that [forward] names, for example in "masquerade = 192.168.8.11 out
 * eth1", is the peer's. */
static bool named_other(const struct conf *conf, const struct ip_prefix *ours,
			struct ip_addr *other)
{
	struct ip_prefix network = prefix_network(ours);

	for (size_t i = 0; i < conf->forward.snat_count; i++) {
		const struct ip_prefix *from = &conf->forward.snats[i].from;

		if (from->len == full_length(from->addr.family) &&
		    prefix_contains(&network, &from->addr) &&
		    !addr_equal(&from->addr, &ours->addr)) {
			*other = from->addr;
			return true;
		}
	}
	return false;
}

bool mirror_other_end(const struct conf *conf, const struct conf_address *ours,
		      struct ip_addr *other)
{
	unsigned bits = full_length(ours->local.addr.family);

	*other = ours->peer;
	if (ours->peer.family != IP_NONE)
		return true;
	if (named_other(conf, &ours->local, other))
		return true;
	if (ours->local.len == bits)
		return false;
	guess_other(&ours->local, other);
	return ours->local.len + 1u == bits || (bits == 32 && ours->local.len == 30);
}

bool mirror_is_inner_peer(const struct conf_tunnel *tunnel, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < tunnel->address_count; i++) {
		const struct conf_address *address = &tunnel->addresses[i];
		struct ip_prefix inner = prefix_network(&address->local);

		if (address->peer.family != IP_NONE)
			inner.addr = address->peer;
		else if (inner.len == full_length(inner.addr.family))
			continue;
		if (prefix->len >= inner.len && prefix_contains(&inner, &prefix->addr) &&
		    !addr_equal(&prefix->addr, &address->local.addr))
			return true;
	}
	return false;
}

static bool is_ours_inside(const struct conf_tunnel *theirs, const struct ip_prefix *to)
{
	for (size_t i = 0; i < theirs->address_count; i++) {
		const struct conf_address *a = &theirs->addresses[i];
		struct ip_prefix network = prefix_network(&a->local);

		if (a->peer.family != IP_NONE)
			network = (struct ip_prefix){a->peer, a->local.len};
		if (to->len >= network.len && prefix_contains(&network, &to->addr))
			return true;
	}
	return false;
}

void mirror_add_route(struct mirror *mirror, const struct ip_prefix *to)
{
	struct conf_tunnel *t = mirror->theirs;
	struct conf_route *route;

	if (is_ours_inside(t, to))
		return;
	for (size_t i = 0; i < t->route_count; i++)
		if (prefix_equal(&t->routes[i].to, to))
			return;
	route = mirror_grow(mirror, &t->routes, &t->route_count, sizeof *route);
	if (!route)
		return;
	route->to = *to;
	route->table = to->len ? 254 : PEER_TABLE;
}

static void mirror_address(struct mirror *mirror, const struct conf_address *ours)
{
	char text[PREFIX_TEXT_SIZE], chosen[ADDR_TEXT_SIZE];
	struct conf_tunnel *t = mirror->theirs;
	struct peer_view *view = mirror->view;
	struct conf_address *address;
	struct ip_addr other, *far;
	bool known = mirror_other_end(mirror->conf, ours, &other);

	if (other.family == IP_NONE) {
		mirror_note(mirror, "the file names no address for the peer beside %s: give it one",
			    addr_format(&ours->local.addr, text));
		mirror_add_route(mirror, &ours->local);
		return;
	}
	if (!known)
		mirror_note(mirror, "the file does not say which address of %s is the peer's: %s",
			    prefix_format(&ours->local, text), addr_format(&other, chosen));
	address = mirror_grow(mirror, &t->addresses, &t->address_count, sizeof *address);
	far = mirror_grow(mirror, &view->far, &view->far_count, sizeof *far);
	if (!address || !far)
		return;
	*far = ours->local.addr;
	address->local = (struct ip_prefix){other, ours->local.len};
	if (ours->peer.family != IP_NONE)
		address->peer = ours->local.addr;
}

/* Sent without being asked for becomes asked for without being sent, and the reverse. */
static enum conf_checksum mirror_checksum(enum conf_checksum ours)
{
	static const enum conf_checksum theirs[] = {
		[CHECKSUM_NO] = CHECKSUM_NO,
		[CHECKSUM_YES] = CHECKSUM_RECEIVE,
		[CHECKSUM_REQUIRE] = CHECKSUM_REQUIRE,
		[CHECKSUM_RECEIVE] = CHECKSUM_YES,
	};
	return theirs[ours];
}

static enum conf_sequence mirror_sequence(enum conf_sequence ours)
{
	static const enum conf_sequence theirs[] = {
		[SEQUENCE_NO] = SEQUENCE_NO,
		[SEQUENCE_YES] = SEQUENCE_YES,
		[SEQUENCE_SEND] = SEQUENCE_RECEIVE,
		[SEQUENCE_RECEIVE] = SEQUENCE_SEND,
	};
	return theirs[ours];
}

/* Our inner address of a family; NULL when there is none. */
static const struct ip_addr *our_inner(const struct peer_view *view, uint8_t family)
{
	for (size_t i = 0; i < view->far_count; i++)
		if (view->far[i].family == family)
			return &view->far[i];
	return NULL;
}

/* What asks, and how: the peer asks as we do. What we do for a peer behind NAT, or for a provider
 * that asks by echo replies, is no business of the peer's. */
static void mirror_probe(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;
	const struct ip_addr *inner = our_inner(mirror->view, ours->probe.family);
	char text[ADDR_TEXT_SIZE];

	t->echo_return = false;
	t->keepalive_nat = false;
	if (ours->keepalive_nat)
		mirror_note(
			mirror,
			"the peer is behind a NAT: its local is the private address that it has "
			"there, not %s",
			addr_format(&t->local, text));
	t->probe = inner ? *inner : (struct ip_addr){0};
	if (ours->probe.family != IP_NONE && !inner)
		mirror_note(mirror, "we have no address inside that the peer could ask by ICMP");
}

/* One tunnel is printed at a time, so what names others is left out. */
static void mirror_ways(struct mirror *mirror)
{
	struct conf_tunnel *t = mirror->theirs;

	if (t->backup_of[0])
		mirror_note(mirror,
			    "here it is a backup of %s: print that one, too, and have the same of "
			    "the two there",
			    t->backup_of);
	if (t->group[0])
		mirror_note(mirror,
			    "here it shares its routes with others of the group %s: print these, "
			    "too, and have the same of them there",
			    t->group);
	memset(t->backup_of, 0, sizeof t->backup_of);
	memset(t->group, 0, sizeof t->group);
	t->weight = 0;
	t->return_path = false;
	t->on_up = NULL;
	t->on_down = NULL;
}

static void mirror_tunnel(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;
	char text[ADDR_TEXT_SIZE];

	*t = *ours;
	t->at = (struct conf_place){0};
	memset(t->lines, 0, sizeof t->lines);
	t->profile = NULL; /* its values are filled in */
	t->addresses = NULL;
	t->address_count = 0;
	t->routes = NULL;
	t->route_count = 0;
	/* In effect now; where ours are looked up is no business of theirs. */
	t->local = ours->remote;
	t->remote = ours->local;
	t->remote_name = NULL;
	t->local_device[0] = '\0';
	t->on_up = t->on_down = NULL;
	if (ours->local_device[0])
		mirror_note(mirror,
			    "our address %s is that of %s now and may change: a DNS name for it "
			    "would follow",
			    addr_format(&ours->local, text), ours->local_device);
	t->ikey = ours->okey;
	t->okey = ours->ikey;
	t->checksum = mirror_checksum(ours->checksum);
	t->sequence = mirror_sequence(ours->sequence);
	for (size_t i = 0; i < ours->address_count; i++)
		mirror_address(mirror, &ours->addresses[i]);
	mirror_probe(mirror);
	mirror_ways(mirror);
}

static void see_family(struct peer_view *view, uint8_t family)
{
	view->inside4 |= family == IP_V4;
	view->inside6 |= family == IP_V6;
}

static void set_families(struct peer_view *view)
{
	const struct conf_forward *forward = &view->conf->forward;
	const struct conf_tunnel *t = view->tunnel;

	for (size_t i = 0; i < t->address_count; i++)
		see_family(view, t->addresses[i].local.addr.family);
	for (size_t i = 0; i < t->route_count; i++)
		see_family(view, t->routes[i].to.addr.family);
	for (size_t i = 0; i < forward->allow_count; i++)
		see_family(view, forward->allows[i].from.addr.family);
	for (size_t i = 0; i < forward->snat_count; i++)
		see_family(view, forward->snats[i].from.addr.family);
}

/* As site.c does for ourselves, on a path of PEER_PATH_MTU. */
static void set_numbers(struct peer_view *view)
{
	const struct conf_tunnel *t = view->tunnel;
	uint32_t fits;

	view->csum_send = t->checksum == CHECKSUM_YES || t->checksum == CHECKSUM_REQUIRE;
	view->csum_require = t->checksum == CHECKSUM_REQUIRE || t->checksum == CHECKSUM_RECEIVE;
	view->seq_send = t->sequence == SEQUENCE_YES || t->sequence == SEQUENCE_SEND;
	view->seq_receive = t->sequence == SEQUENCE_YES || t->sequence == SEQUENCE_RECEIVE;
	fits = tunnel_mtu(PEER_PATH_MTU, t->local.family, t->mode == MODE_GRETAP, view->csum_send,
			  t->okey.present, view->seq_send);
	view->mtu = t->mtu ? t->mtu : fits;
	if (fits > view->mtu)
		fits = view->mtu;
	view->mss4 = t->mss_auto ? mss_for_mtu(IP_V4, fits) : t->mss;
	view->mss6 = t->mss_auto ? mss_for_mtu(IP_V6, fits) : t->mss;
	view->forward = view->conf->forward.present && view->conf->forward.enable;
}

static struct conf *empty_conf(void)
{
	struct conf *conf = calloc(1, sizeof *conf);

	if (!conf)
		return NULL;
	conf->tunnels = calloc(1, sizeof *conf->tunnels);
	if (!conf->tunnels) {
		free(conf);
		return NULL;
	}
	conf->tunnel_count = 1;
	return conf;
}

int peer_mirror(const struct conf *conf, const struct conf_tunnel *tunnel, struct peer_view *out)
{
	struct mirror mirror = {.conf = conf, .tunnel = tunnel, .view = out};
	size_t size;

	*out = (struct peer_view){.conf = empty_conf()};
	mirror.notes = open_memstream(&out->notes, &size);
	if (out->conf && mirror.notes) {
		mirror.theirs = out->conf->tunnels;
		out->tunnel = mirror.theirs;
		mirror_tunnel(&mirror);
		mirror_forward(&mirror);
		mirror.theirs->return_path = out->return_path;
		set_families(out);
		set_numbers(out);
	}
	if (mirror.notes && fclose(mirror.notes) == 0 && out->conf && !mirror.lost)
		return 0;
	peer_view_free(out);
	return -ENOMEM;
}

void peer_view_free(struct peer_view *view)
{
	conf_free(view->conf);
	free(view->notes);
	free(view->sources);
	free(view->far);
	free(view->pairs);
	*view = (struct peer_view){0};
}
