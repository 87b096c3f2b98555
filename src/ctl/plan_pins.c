/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pins: host routes that keep the outer packets out of the tunnels where a tunnel carries a route
 * that covers its own peer, the default route above all. They are there before that route is,
 * follow the way beneath, and go after the tunnels. Where there is no way beneath now, the pin says
 * so
 * ("unreachable"), or the packets would go round in the tunnel until there is one.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_ways.h"
#include "ctl/plan_make.h"

static int by_place(const void *a, const void *b)
{
	return route_compare(&((const struct pin *)a)->route, &((const struct pin *)b)->route);
}

int plan_pin(struct planner *planner, const struct conf_tunnel *tunnel,
	     const struct actual_way *way)
{
	bool v6 = tunnel->remote.family == IP_V6;
	struct pin *pins = reallocarray(planner->pins, planner->pin_count + 1, sizeof(*pins));
	struct pin *pin;

	if (!pins)
		return -ENOMEM;
	planner->pins = pins;
	pin = &pins[planner->pin_count++];
	*pin = (struct pin){
		.tunnel = tunnel,
		.route = {.to = {tunnel->remote, v6 ? 128 : 32},
			  .table = ROUTE_TABLE_MAIN,
			  .metric = v6 ? CONF_METRIC6_DEFAULT : 0,
			  .protocol = OS_PROTOCOL,
			  .type = RTN_UNREACHABLE},
	};
	if (way->beneath_error)
		return 0;
	pin->route.type = RTN_UNICAST;
	pin->route.oif = way->beneath.oif;
	pin->route.gateway = way->beneath.gateway;
	pin->route.mtu = way->beneath.route_mtu;
	return 0;
}

void plan_sort_pins(struct planner *planner)
{
	size_t kept = 0;

	if (!planner->pin_count)
		return;
	qsort(planner->pins, planner->pin_count, sizeof(*planner->pins), by_place);
	for (size_t i = 0; i < planner->pin_count; i++)
		if (!kept || by_place(&planner->pins[kept - 1], &planner->pins[i]) != 0)
			planner->pins[kept++] = planner->pins[i];
	planner->pin_count = kept;
}

bool plan_is_pin(const struct planner *planner, const struct route_info *route)
{
	const struct link_info *link = actual_link_at(planner->actual, route->oif);

	return route->table == ROUTE_TABLE_MAIN && !route->hop_count &&
	       route->to.len == addr_size(route->to.addr.family) * 8 &&
	       !(link && actual_is_ours(planner->actual, link));
}

static const char *way_text(const struct planner *planner, const struct route_info *route,
			    char buf[ADDR_TEXT_SIZE + IFNAMSIZ + 20])
{
	const struct link_info *link = actual_link_at(planner->actual, route->oif);
	const char *device = link ? link->name : "?";
	char gateway[ADDR_TEXT_SIZE];

	if (route->type == RTN_UNREACHABLE)
		sprintf(buf, "unreachable");
	else if (route->gateway.family == IP_NONE)
		sprintf(buf, "dev %s", device);
	else
		sprintf(buf, "via %s dev %s", addr_format(&route->gateway, gateway), device);
	return buf;
}

static bool same_way(const struct route_info *a, const struct route_info *b)
{
	return a->type == b->type && a->oif == b->oif && addr_equal(&a->gateway, &b->gateway) &&
	       a->mtu == b->mtu;
}

static void plan_pin_set(struct planner *planner, const struct pin *pin)
{
	char remote[ADDR_TEXT_SIZE], way[ADDR_TEXT_SIZE + IFNAMSIZ + 20];
	size_t count;
	const struct route_info *now = actual_routes(planner->actual, &pin->route, &count);
	struct step *step;

	if (now && same_way(now, &pin->route))
		return;
	step = plan_step(planner, now ? STEP_ROUTE_CHANGE : STEP_ROUTE_ADD, "",
			 "%s the way to %s, the peer of %s: %s", now ? "change" : "pin",
			 addr_format(&pin->tunnel->remote, remote), pin->tunnel->name,
			 way_text(planner, &pin->route, way));
	if (!step)
		return;
	step->route.now.route = pin->route;
	if (now)
		step->route.old.route = *now;
}

void plan_pin_sets(struct planner *planner)
{
	for (size_t i = 0; i < planner->pin_count; i++)
		plan_pin_set(planner, &planner->pins[i]);
}

void plan_pin_dels(struct planner *planner)
{
	for (size_t i = 0; i < planner->actual->route_count; i++) {
		const struct route_info *route = &planner->actual->routes[i];
		char to[ADDR_TEXT_SIZE], way[ADDR_TEXT_SIZE + IFNAMSIZ + 20];
		struct pin key = {.route = *route};
		struct step *step;

		if (!plan_is_pin(planner, route) || site_find_route(planner->site, route) ||
		    (planner->pin_count &&
		     bsearch(&key, planner->pins, planner->pin_count, sizeof(key), by_place)))
			continue;
		step = plan_step(planner, STEP_ROUTE_DEL, "", "unpin the way to %s: %s",
				 addr_format(&route->to.addr, to), way_text(planner, route, way));
		if (step)
			step->route.now.route = *route;
	}
}
