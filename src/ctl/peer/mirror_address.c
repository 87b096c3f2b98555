/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of the peer inside the tunnel, and its routes into it. */
#include "ctl/peer/mirror.h"

static unsigned full_length(uint8_t family)
{
	return addr_size(family) * 8;
}

/* Whether the address is taken, inside or outside, or is not one of a host. */
static bool is_taken(const struct conf_tunnel *tunnel, const struct ip_prefix *ours,
		     const struct ip_addr *addr)
{
	struct ip_prefix network = prefix_network(ours);
	bool pair = ours->len + 1u == full_length(ours->addr.family);

	return addr_equal(addr, &ours->addr) || addr_equal(addr, &tunnel->local) ||
	       addr_equal(addr, &tunnel->remote) || (!pair && addr_equal(addr, &network.addr));
}

/* The first host near ours, in the network and among the 256 addresses that end differently; family
 * IP_NONE when all are taken. The file may name another. */
static void guess_other(const struct conf_tunnel *tunnel, const struct ip_prefix *ours,
			struct ip_addr *other)
{
	unsigned bits = full_length(ours->addr.family), last = bits / 8 - 1;
	struct ip_prefix near = *ours;

	if (near.len < bits - 8)
		near.len = (uint8_t)(bits - 8);
	near = prefix_network(&near);
	*other = near.addr;
	for (unsigned i = near.addr.bytes[last]; i < 256; i++) {
		other->bytes[last] = (uint8_t)i;
		if (prefix_contains(&near, other) && !is_taken(tunnel, ours, other))
			return;
	}
	*other = (struct ip_addr){0};
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

static bool other_end(const struct conf *conf, const struct conf_tunnel *tunnel,
		      const struct conf_address *ours, struct ip_addr *other)
{
	unsigned bits = full_length(ours->local.addr.family);

	*other = ours->peer;
	if (ours->peer.family != IP_NONE)
		return true;
	if (named_other(conf, &ours->local, other))
		return true;
	if (ours->local.len == bits)
		return false;
	guess_other(tunnel, &ours->local, other);
	return other->family != IP_NONE &&
	       (ours->local.len + 1u == bits || (bits == 32 && ours->local.len == 30));
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

	/* The peer's way to our outer address is not the tunnel. */
	if (is_ours_inside(t, to) || addr_is_loopback(&to->addr) ||
	    (to->len == full_length(to->addr.family) && addr_equal(&to->addr, &t->remote)))
		return;
	for (size_t i = 0; i < t->route_count; i++)
		if (prefix_equal(&t->routes[i].to, to))
			return;
	route = mirror_grow(mirror, &t->routes, &t->route_count, sizeof *route);
	if (!route)
		return;
	route->to = *to;
	route->table = to->len ? 254 : mirror->view->table;
}

void mirror_address(struct mirror *mirror, const struct conf_address *ours)
{
	char text[PREFIX_TEXT_SIZE], chosen[ADDR_TEXT_SIZE];
	struct conf_tunnel *t = mirror->theirs;
	struct peer_view *view = mirror->view;
	struct conf_address *address;
	struct ip_addr other, *far;
	bool known = other_end(mirror->conf, mirror->tunnel, ours, &other);

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
