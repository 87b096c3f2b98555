/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the lines of the file to the routes that the kernel is to have: lines of one group's members
 * that mean the same place become one route of several hops. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_ways.h"
#include "ctl/return_path.h"
#include "ctl/site.h"

/*
 * The kernel takes no IPv6 route of several hops without gateways. On an interface that asks for no
 * neighbours any link-local address will do; this one ends in "gre".
 */
static const struct ip_addr gateway6 = {
	.family = IP_V6,
	.bytes = {0xfe, 0x80, [13] = 'g', 'r', 'e'},
};

/* One hop of a route to be. */
struct wish {
	struct site_route route;
	struct site_hop hop;
};

static int by_place(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;
	int order = route_compare(&x->route.route, &y->route.route);

	return order ? order
		     : (x->route.order > y->route.order) - (x->route.order < y->route.order);
}

static int by_order(const void *a, const void *b)
{
	const struct site_route *x = *(const struct site_route *const *)a;
	const struct site_route *y = *(const struct site_route *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

static struct wish wish_of(struct site *site, const struct conf_way *way, size_t order)
{
	struct site_tunnel *tunnel = &site->tunnels[way->tunnel - site->conf->tunnels];
	bool v6 = way->route.to.addr.family == IP_V6, grouped = way->tunnel->group[0];
	struct wish wish = {
		.route = {.route = {.to = way->route.to,
				    .table = way->route.table ? way->route.table : tunnel->table,
				    .metric = way->route.metric,
				    .src = way->route.src,
				    .protocol = OS_PROTOCOL,
				    .type = RTN_UNICAST},
			  .at = way->route.at,
			  .order = order},
		.hop = {tunnel, grouped ? way->tunnel->weight : 1},
	};

	wish.route.route.gateway = way->route.via;
	if (grouped && v6)
		wish.route.route.gateway = gateway6;
	tunnel->families |= 1U << (v6 ? SWITCH_FORWARD6 : SWITCH_FORWARD4);
	return wish;
}

/* The table of a tunnel with return-path: its default route, and behind that the end: replies of a
 * tunnel that is lost do not leave elsewhere. Returns how many were put down. */
static size_t wish_returns(const struct site *site, size_t index, size_t order, struct wish *out)
{
	static const uint8_t families[] = {IP_V4, IP_V6};
	const struct site_tunnel *tunnel = &site->tunnels[index];
	size_t count = 0;

	for (int i = 0; i < 2; i++) {
		struct wish way = {
			.route = {.route = {.to = {.addr = {.family = families[i]}},
					    .table = RETURN_TABLE + site->return_numbers[index],
					    .metric = i ? CONF_METRIC6_DEFAULT : 0,
					    .protocol = OS_PROTOCOL,
					    .type = RTN_UNICAST},
				  .at = tunnel->conf->at,
				  .order = order},
			.hop = {tunnel, 1},
		};
		struct wish end = way;

		if (!site_returns(site, index, families[i]))
			continue;
		end.route.route.type = RTN_UNREACHABLE;
		end.route.route.metric = UINT32_MAX;
		end.hop.tunnel = NULL;
		out[count++] = way;
		out[count++] = end;
	}
	return count;
}

/* `wishes` are by place. */
static void join(struct site *site, const struct wish *wishes, size_t count)
{
	struct site_route *route = NULL;

	for (size_t i = 0; i < count; i++) {
		site->hops[i] = wishes[i].hop;
		if (!route || route_compare(&route->route, &wishes[i].route.route) != 0) {
			route = &site->routes[site->route_count++];
			*route = wishes[i].route;
			route->hops = &site->hops[i];
		}
		if (wishes[i].hop.tunnel)
			route->hop_count++;
	}
	for (size_t i = 0; i < site->route_count; i++)
		site->routes_in_order[i] = &site->routes[i];
	qsort(site->routes_in_order, site->route_count, sizeof(*site->routes_in_order), by_order);
}

int site_add_routes(struct site *site)
{
	struct wish *wishes;
	struct conf_way *ways;
	size_t count, room;
	int err = conf_ways(site->conf, &ways, &count);

	if (err)
		return err;
	/* Four for the table of each return path. */
	room = count + 1 + 4 * site->tunnel_count;
	wishes = calloc(room, sizeof(*wishes));
	site->routes = calloc(room, sizeof(*site->routes));
	site->routes_in_order = calloc(room, sizeof(*site->routes_in_order));
	site->hops = calloc(room, sizeof(*site->hops));
	if (!wishes || !site->routes || !site->routes_in_order || !site->hops)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < count; i++)
		wishes[i] = wish_of(site, &ways[i], i);
	for (size_t i = 0; !err && i < site->tunnel_count; i++)
		count += wish_returns(site, i, count, &wishes[count]);
	if (!err) {
		qsort(wishes, count, sizeof(*wishes), by_place);
		join(site, wishes, count);
	}
	free(wishes);
	free(ways);
	return err;
}

static int compare_to_place(const void *place, const void *route)
{
	return route_compare(place, &((const struct site_route *)route)->route);
}

const struct site_route *site_find_route(const struct site *site, const struct route_info *place)
{
	return site->route_count ? bsearch(place, site->routes, site->route_count,
					   sizeof(*site->routes), compare_to_place)
				 : NULL;
}
