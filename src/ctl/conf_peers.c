/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peers of multipoint tunnels: each becomes a tunnel of its own. */
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_parse.h"
#include "ctl/conf_value.h"

const struct conf_tunnel *conf_interface(const struct conf *conf, const struct conf_tunnel *tunnel)
{
	return tunnel->hub ? &conf->tunnels[tunnel->hub - 1] : tunnel;
}

void conf_key_peer(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	struct conf_peer peer = {.at = reader->at}, *array;
	char *words[3];

	if (value_split(value, words, 3) != 3 || strcmp(words[1], "at") != 0) {
		conf_fault(reader->faults, reader->at,
			   "the peer is not understood: write its next hop and its outer address, "
			   "for example peer = 192.168.8.12 at 172.19.1.3, or remote = ADDRESS for "
			   "a tunnel to one peer");
		return;
	}
	if (!conf_parse_addr(reader, words[0], &peer.inner) ||
	    !conf_parse_addr(reader, words[2], &peer.outer))
		return;
	array = conf_grow(reader, tunnel->peers, &tunnel->peer_count, sizeof *array);
	if (!array)
		return;
	tunnel->peers = array;
	array[tunnel->peer_count - 1] = peer;
}

/* Making tunnels of them. */

/* Our address in the network that the next hop is in. */
static struct ip_prefix near_address(const struct conf_tunnel *hub, const struct ip_addr *inner)
{
	for (size_t i = 0; i < hub->address_count; i++)
		if (prefix_contains(&hub->addresses[i].local, inner))
			return hub->addresses[i].local;
	return (struct ip_prefix){.len = 0};
}

/* The tunnel that an earlier line, of the other family, has made for the peer; NULL: none. */
static struct conf_tunnel *find_other_family(struct conf *conf, size_t first,
					     const struct conf_peer *peer)
{
	for (size_t i = first; i < conf->tunnel_count; i++) {
		struct conf_tunnel *t = &conf->tunnels[i];

		if (addr_equal(&t->remote, &peer->outer) &&
		    t->inner[peer->inner.family == IP_V6].peer.family == IP_NONE)
			return t;
	}
	return NULL;
}

/*
 * All that the outer packets are like is as the multipoint tunnel says; what a tunnel owns, and
 * conf_free() frees, stays with that one. A name for the other end is a fault beside peers, told
 * by conf_check(), which runs later.
 */
static struct conf_tunnel peer_tunnel(const struct conf_tunnel *hub, size_t index,
				      const struct conf_peer *peer)
{
	struct conf_tunnel t = *hub;
	char text[ADDR_TEXT_SIZE];

	t.at = peer->at;
	t.lines[TUNNEL_REMOTE] = peer->at.line;
	snprintf(t.name, sizeof t.name, "%.*s/%s", IFNAMSIZ - 1, hub->name,
		 addr_format(&peer->inner, text));
	t.remote = peer->outer;
	t.hub = index + 1;
	t.remote_name = t.on_up = t.on_down = NULL;
	t.backup_of[0] = t.group[0] = '\0';
	t.return_path = false;
	t.addresses = NULL;
	t.routes = NULL;
	t.peers = NULL;
	t.address_count = t.route_count = t.peer_count = 0;
	return t;
}

static void add_peers(struct conf *conf, size_t index)
{
	const struct conf_tunnel *hub = &conf->tunnels[index];
	size_t first = conf->tunnel_count;

	for (size_t i = 0; i < hub->peer_count; i++) {
		const struct conf_peer *peer = &hub->peers[i];
		struct conf_tunnel *t = find_other_family(conf, first, peer);

		if (!t) {
			t = &conf->tunnels[conf->tunnel_count++];
			*t = peer_tunnel(hub, index, peer);
		}
		t->inner[peer->inner.family == IP_V6] = (struct conf_address){
			peer->at, near_address(hub, &peer->inner), peer->inner};
	}
}

void conf_peers_add(struct conf_reader *reader)
{
	struct conf *conf = reader->conf;
	size_t count = conf->tunnel_count, room = count;
	struct conf_tunnel *tunnels;

	for (size_t i = 0; i < count; i++)
		room += conf->tunnels[i].peer_count;
	if (room == count)
		return;
	tunnels = reallocarray(conf->tunnels, room, sizeof *tunnels);
	if (!tunnels) {
		reader->faults->lost = true;
		return;
	}
	conf->tunnels = tunnels;
	reader->tunnel = NULL;
	for (size_t i = 0; i < count; i++)
		add_peers(conf, i);
}

/* What can be refused. */

static void refuse_key(const struct conf_tunnel *t, enum conf_tunnel_key key, bool given,
		       const char *why, struct conf_faults *faults)
{
	if (given)
		conf_fault(faults, conf_key_place(t, key), "%s", why);
}

static void check_keys(const struct conf_tunnel *t, struct conf_faults *faults)
{
	refuse_key(t, TUNNEL_REMOTE, t->lines[TUNNEL_REMOTE],
		   "remote and peer exclude each other: write remote for a tunnel to one peer, or "
		   "peer for each of several",
		   faults);
	refuse_key(t, TUNNEL_MODE, t->mode != MODE_GRE,
		   "a tunnel with several peers carries IP packets: write mode = gre", faults);
	refuse_key(t, TUNNEL_PROFILE, t->profile,
		   "a profile is about one peer: leave it out, or write remote", faults);
	refuse_key(t, TUNNEL_PROBE, t->probe.family != IP_NONE,
		   "a probe has one target, and the tunnel several peers: write probe = keepalive",
		   faults);
	refuse_key(t, TUNNEL_BACKUP_OF, t->backup_of[0],
		   "a tunnel with several peers cannot be a backup: write its routes with a metric",
		   faults);
	refuse_key(t, TUNNEL_GROUP, t->group[0],
		   "a tunnel with several peers cannot be in a group: leave group out", faults);
	refuse_key(t, TUNNEL_RETURN_PATH, t->return_path,
		   "return-path does not know by which peer a flow came: write no", faults);
	refuse_key(t, TUNNEL_LANE, t->lane == LANE_TC || t->lane == LANE_XDP,
		   "a tunnel with several peers is carried by the user lane: write auto or user",
		   faults);
}

static bool has_peer(const struct conf_tunnel *t, const struct ip_addr *inner)
{
	for (size_t i = 0; i < t->peer_count; i++)
		if (addr_equal(&t->peers[i].inner, inner))
			return true;
	return false;
}

static void check_routes(const struct conf_tunnel *t, struct conf_faults *faults)
{
	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];
		char text[ADDR_TEXT_SIZE];

		if (r->via.family == IP_NONE)
			conf_fault(faults, r->at,
				   "the route does not say which peer leads there: write via and "
				   "the address of one, for example via %s",
				   addr_format(&t->peers[0].inner, text));
		else if (r->via.family != r->to.addr.family)
			conf_fault(faults, r->at,
				   "the route and its via are of two families: write two of one "
				   "family");
		else if (!has_peer(t, &r->via))
			conf_fault(faults, r->at,
				   "no peer has the address %s: write a line peer = %s at ITS "
				   "OUTER ADDRESS",
				   addr_format(&r->via, text), text);
	}
}

static void check_inner(const struct conf_tunnel *t, const struct conf_peer *p,
			struct conf_faults *faults)
{
	const char *wrong = conf_not_a_host(&p->inner);
	struct ip_prefix near = near_address(t, &p->inner);
	char text[ADDR_TEXT_SIZE];

	addr_format(&p->inner, text);
	if (wrong)
		conf_fault(faults, p->at, "%s %s: write the peer's address inside the tunnel", text,
			   wrong);
	else if (near.addr.family == IP_NONE)
		conf_fault(faults, p->at,
			   "%s is in no network of the tunnel's addresses: write address = one "
			   "with a prefix length that covers it",
			   text);
	else if (addr_equal(&near.addr, &p->inner))
		conf_fault(faults, p->at, "%s is the tunnel's own address: write the peer's", text);
}

static void check_outer(const struct conf_tunnel *t, const struct conf_peer *p,
			struct conf_faults *faults)
{
	const char *wrong = conf_not_a_host(&p->outer);
	char text[ADDR_TEXT_SIZE];

	addr_format(&p->outer, text);
	if (wrong)
		conf_fault(faults, p->at, "%s %s: write the peer's outer address", text, wrong);
	else if (p->outer.family == IP_V6 && addr_is_link_local(&p->outer) && !t->bind[0])
		conf_fault(faults, p->at,
			   "%s is valid on one link only: write bind = the device of that link",
			   text);
	else if (t->local.family != IP_NONE && t->local.family != p->outer.family)
		conf_fault(faults, p->at,
			   "local is an %s address and the peer's an %s one: write two of one "
			   "family",
			   t->local.family == IP_V4 ? "IPv4" : "IPv6",
			   p->outer.family == IP_V4 ? "IPv4" : "IPv6");
	else if (addr_equal(&t->local, &p->outer))
		conf_fault(faults, p->at,
			   "%s is the tunnel's local: write the peer's outer address", text);
}

static void refuse_vias(const struct conf_tunnel *t, struct conf_faults *faults)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < t->route_count; i++)
		if (t->routes[i].via.family != IP_NONE)
			conf_fault(faults, t->routes[i].at,
				   "a route into a tunnel to one peer has no gateway: leave out "
				   "via %s",
				   addr_format(&t->routes[i].via, text));
}

void conf_check_multipoint(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (!t->peer_count) {
		refuse_vias(t, faults);
		return;
	}
	check_keys(t, faults);
	for (size_t i = 0; i < t->peer_count; i++) {
		check_inner(t, &t->peers[i], faults);
		check_outer(t, &t->peers[i], faults);
	}
	for (size_t i = 0; i < t->address_count; i++)
		if (t->addresses[i].peer.family != IP_NONE)
			conf_fault(faults, t->addresses[i].at,
				   "the tunnel has several peers: write the address with a prefix "
				   "length that covers theirs, and their addresses as peer");
	check_routes(t, faults);
}
