/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tunnel whose outer packets are routed into a tunnel of ours swallows itself. It is known which
 * route leads to each peer without us; here the routes that the site will add are laid over that:
 * in the same table the longer prefix wins, then the lower metric.
 *
 * Where a route covers the peer of the very tunnel that it leads into, it is one for everything,
 * and the ways to all peers under it are pinned. A route that covers only the peer of another
 * tunnel may mean that that peer lives behind the first: which way its packets shall take has to be
 * said.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/plan_make.h"

/* A destination that the site will lead into a tunnel. */
struct capture {
	struct ip_prefix to;
	uint32_t table, metric;
	const struct conf_tunnel *tunnel;
	struct conf_place at;
	bool by_address;
};

struct captures {
	struct capture *items; /* by prefix, then metric */
	size_t count;
	bool lengths[2][129]; /* per family: prefix lengths that occur */
};

static int compare_prefixes(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : a->len - b->len;
}

static int compare_captures(const void *a, const void *b)
{
	const struct capture *x = a, *y = b;
	int order = compare_prefixes(&x->to, &y->to);

	if (order)
		return order;
	return x->metric < y->metric ? -1 : x->metric > y->metric;
}

static void add(struct captures *captures, const struct capture *capture)
{
	captures->items[captures->count++] = *capture;
	captures->lengths[capture->to.addr.family == IP_V6][capture->to.len] = true;
}

/* An address brings the route to its network, or to the peer, with it. */
static struct capture of_address(const struct site_tunnel *tunnel,
				 const struct conf_address *address)
{
	struct ip_prefix to = prefix_network(&address->local);

	if (address->peer.family != IP_NONE)
		to.addr = address->peer;
	return (struct capture){
		.to = to,
		.table = tunnel->table,
		.metric = to.addr.family == IP_V6 ? 256 : 0,
		.tunnel = tunnel->conf,
		.at = address->at,
		.by_address = true,
	};
}

static int collect(const struct site *site, struct captures *out)
{
	size_t room = 1;

	for (size_t i = 0; i < site->route_count; i++)
		room += site->routes[i].hop_count;
	for (size_t i = 0; i < site->tunnel_count; i++)
		room += site->tunnels[i].conf->address_count;
	out->items = calloc(room, sizeof(*out->items));
	if (!out->items)
		return -ENOMEM;
	for (size_t i = 0; i < site->route_count; i++) {
		const struct site_route *route = &site->routes[i];

		for (size_t j = 0; j < route->hop_count; j++)
			add(out, &(struct capture){route->route.to, route->route.table,
						   route->route.metric, route->hops[j].tunnel->conf,
						   route->at, false});
	}
	for (size_t i = 0; i < site->tunnel_count; i++) {
		const struct conf_tunnel *tunnel = site->tunnels[i].conf;

		for (size_t j = 0; j < tunnel->address_count; j++) {
			struct capture capture =
				of_address(&site->tunnels[i], &tunnel->addresses[j]);

			add(out, &capture);
		}
	}
	qsort(out->items, out->count, sizeof(*out->items), compare_captures);
	return 0;
}

/* The first capture of exactly this prefix, which is the one of lowest metric, in `table`. */
static const struct capture *find_exact(const struct captures *captures, const struct ip_prefix *to,
					uint32_t table)
{
	size_t low = 0, high = captures->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_prefixes(&captures->items[middle].to, to) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < captures->count && prefix_equal(&captures->items[low].to, to); low++)
		if (captures->items[low].table == table)
			return &captures->items[low];
	return NULL;
}

static const struct capture *find_longest(const struct captures *captures,
					  const struct ip_addr *remote, uint32_t table)
{
	for (int len = (int)addr_size(remote->family) * 8; len >= 0; len--) {
		struct ip_prefix to = {*remote, (uint8_t)len};
		const struct capture *found;

		if (!captures->lengths[remote->family == IP_V6][len])
			continue;
		to = prefix_network(&to);
		found = find_exact(captures, &to, table);
		if (found)
			return found;
	}
	return NULL;
}

/* The line that keeps the peer reachable: "ip route add 192.0.2.9 via 10.0.0.1 dev eth0". */
static void write_cure(const struct planner *planner, const struct conf_tunnel *tunnel,
		       const struct route_way *way, char *buf, size_t size)
{
	const struct link_info *link = way ? actual_link_at(planner->actual, way->oif) : NULL;
	const struct link_info *vrf = actual_bound_vrf(planner->actual, tunnel);
	char to[ADDR_TEXT_SIZE + IFNAMSIZ + 5], gateway[ADDR_TEXT_SIZE];

	addr_format(&tunnel->remote, to);
	if (vrf)
		sprintf(to + strlen(to), " vrf %s", vrf->name);
	if (!link)
		snprintf(buf, size, "ip route add %s via GATEWAY dev DEVICE", to);
	else if (way->gateway.family == IP_NONE)
		snprintf(buf, size, "ip route add %s dev %s", to, link->name);
	else
		snprintf(buf, size, "ip route add %s via %s dev %s", to,
			 addr_format(&way->gateway, gateway), link->name);
}

static void refuse(struct planner *planner, const struct conf_tunnel *tunnel,
		   const struct capture *capture, const struct route_way *outside)
{
	char prefix[PREFIX_TEXT_SIZE], remote[ADDR_TEXT_SIZE], cure[160];

	if (conf_remote_word(tunnel)) {
		plan_set_aside(planner, tunnel,
			       "%s, which %.64s stands for, would be reached through the tunnel %s",
			       addr_format(&tunnel->remote, remote), conf_remote_word(tunnel),
			       capture->tunnel->name);
		return;
	}
	write_cure(planner, tunnel, outside, cure, sizeof(cure));
	plan_refuse(planner, capture->at,
		    "%s over %s would lead the outer packets of %s to %s into a tunnel: first "
		    "give the peer a way of its own (%s)",
		    prefix_format(&capture->to, prefix), capture->tunnel->name, tunnel->name,
		    addr_format(&tunnel->remote, remote), cure);
}

/* A route that somebody else made leads into a tunnel of ours already. */
static bool is_led_astray(const struct planner *planner, const struct actual_way *way)
{
	const struct link_info *link =
		way->error ? NULL : actual_link_at(planner->actual, way->way.oif);

	/* Routes of ours, and those that addresses bring, change with this plan. */
	return link && actual_is_ours(planner->actual, link) && way->way.protocol != OS_PROTOCOL &&
	       way->way.protocol != RTPROT_KERNEL;
}

static void refuse_astray(struct planner *planner, const struct conf_tunnel *tunnel,
			  const struct actual_way *way)
{
	const struct link_info *link = actual_link_at(planner->actual, way->way.oif);
	char prefix[PREFIX_TEXT_SIZE], remote[ADDR_TEXT_SIZE], cure[160];

	if (conf_remote_word(tunnel)) {
		plan_set_aside(planner, tunnel,
			       "the route %s, which gretel did not make, leads to %s, which %.64s "
			       "stands for, through the tunnel %s",
			       prefix_format(&way->way.match, prefix),
			       addr_format(&tunnel->remote, remote), conf_remote_word(tunnel),
			       link->name);
		return;
	}
	write_cure(planner, tunnel, way->beneath_error ? NULL : &way->beneath, cure, sizeof(cure));
	plan_refuse(planner, tunnel->at,
		    "the route %s, which gretel did not make, leads the outer packets of %s to %s "
		    "into the tunnel %s: delete it, or give the peer a way of its own (%s)",
		    prefix_format(&way->way.match, prefix), tunnel->name,
		    addr_format(&tunnel->remote, remote), link->name, cure);
}

/* Where the way of packets to the peer is looked up. */
static uint32_t outer_table(const struct planner *planner, const struct conf_tunnel *tunnel)
{
	const struct link_info *vrf = actual_bound_vrf(planner->actual, tunnel);

	return vrf ? vrf->vrf_table : ROUTE_TABLE_MAIN;
}

/* The route that will take the packets to the peer away from the way beneath; NULL: none will. */
static const struct capture *find_capture(const struct planner *planner,
					  const struct captures *captures,
					  const struct conf_tunnel *tunnel,
					  const struct actual_way *way)
{
	const struct route_way *beneath = &way->beneath;
	/* The table `default` is asked after the main one, so nothing there stands against a route.
	 */
	bool open = way->beneath_error || beneath->table == RT_TABLE_DEFAULT;
	const struct capture *capture = find_longest(
		captures, &tunnel->remote, open ? outer_table(planner, tunnel) : beneath->table);

	if (!capture || open || capture->to.len > beneath->match.len)
		return capture;
	return capture->to.len == beneath->match.len && capture->metric <= beneath->metric ? capture
											   : NULL;
}

static bool covers_a_peer(const struct capture *capture)
{
	for (size_t i = 0; i < capture->tunnel->peer_count; i++)
		if (prefix_contains(&capture->to, &capture->tunnel->peers[i].outer))
			return true;
	return false;
}

static bool can_pin(const struct capture *capture)
{
	if (capture->by_address || capture->table != ROUTE_TABLE_MAIN)
		return false;
	if (capture->tunnel->peer_count)
		return covers_a_peer(capture);
	/* One whose peer is not known yet is not judged. */
	return !conf_has_ends(capture->tunnel) ||
	       prefix_contains(&capture->to, &capture->tunnel->remote);
}

static void check_tunnel(struct planner *planner, const struct captures *captures,
			 const struct conf_tunnel *tunnel, const struct actual_way *way)
{
	const struct capture *capture = find_capture(planner, captures, tunnel, way);

	if (is_led_astray(planner, way))
		refuse_astray(planner, tunnel, way);
	else if (capture && can_pin(capture))
		planner->err = plan_pin(planner, tunnel, way);
	else if (capture)
		refuse(planner, tunnel, capture, way->beneath_error ? NULL : &way->beneath);
}

void plan_check_recursion(struct planner *planner)
{
	const struct site *site = planner->site;
	struct captures captures = {0};

	planner->err = collect(site, &captures);
	for (size_t i = 0; !planner->err && i < site->tunnel_count; i++) {
		const struct conf_tunnel *tunnel = site->tunnels[i].conf;

		/* A tunnel that is bound to a device leaves by that device, whatever the routes;
		 * one that is bound to a VRF by what this VRF's table says. */
		if (i < planner->actual->way_count && conf_has_ends(tunnel) &&
		    (!tunnel->bind[0] || actual_bound_vrf(planner->actual, tunnel)))
			check_tunnel(planner, &captures, tunnel, &planner->actual->ways[i]);
	}
	free(captures.items);
	plan_sort_pins(planner);
}
