/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes: what is missing, what is ours and not wanted, and what leads over other links than it
 * should. A route keeps its place (table, prefix, metric) for as long as one of its hops stays:
 * links that leave are taken out of it before they are deleted, links that come are put in when
 * they are up, each time in one stroke, so that the flows of the others lose nothing.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_ways.h"
#include "ctl/plan_make.h"

/* A route of several hops with all its words, in the worst case. */
#define TEXT_SIZE 1200

struct hop {
	const char *name; /* of the link or of the wanted tunnel */
	uint32_t weight;
};

/* On the stack while a step is thought about. It is large, so never copied or cleared as a whole.
 */
struct hops {
	size_t count;
	struct hop list[ROUTE_HOPS_MAX];
};

static void add_hop(struct hops *hops, const char *name, uint32_t weight)
{
	if (hops->count < ROUTE_HOPS_MAX)
		hops->list[hops->count++] = (struct hop){name, weight};
}

static void hops_wanted(const struct site_route *wanted, struct hops *out)
{
	out->count = 0;
	for (size_t i = 0; i < wanted->hop_count; i++)
		add_hop(out, wanted->hops[i].tunnel->params.name, wanted->hops[i].weight);
}

static const struct hop *find_hop(const struct hops *hops, const char *name)
{
	for (size_t i = 0; i < hops->count; i++)
		if (strcmp(hops->list[i].name, name) == 0)
			return &hops->list[i];
	return NULL;
}

/* The weight of a single hop says nothing. */
static bool same_hops(const struct hops *a, const struct hops *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct hop *other = find_hop(b, a->list[i].name);

		if (!other || (a->count > 1 && other->weight != a->list[i].weight))
			return false;
	}
	return true;
}

/* What becomes of the hops of a route that is there. */
struct fates {
	struct hops all, staying;
	bool leaving; /* some are on a link that is, or goes, where the route is not wanted */
	bool lost;    /* some are on a link that is no more */
};

static void judge_hop(const struct planner *planner, uint32_t oif, uint32_t weight,
		      const struct hops *wanted, struct fates *out)
{
	const struct link_info *link = actual_link_at(planner->actual, oif);

	if (!link) {
		out->lost = true;
		return;
	}
	add_hop(&out->all, link->name, weight);
	if (actual_is_ours(planner->actual, link) && !plan_is_doomed(planner, link) &&
	    find_hop(wanted, link->name))
		add_hop(&out->staying, link->name, weight);
	else
		out->leaving = true;
}

static void judge(const struct planner *planner, const struct route_info *route,
		  const struct hops *wanted, struct fates *out)
{
	out->all.count = out->staying.count = 0;
	out->leaving = out->lost = false;
	if (route->oif)
		judge_hop(planner, route->oif, 1, wanted, out);
	for (size_t i = 0; i < route->hop_count; i++)
		judge_hop(planner, route->hops[i].oif, route->hops[i].weight, wanted, out);
}

/* "20.10.1.0/24 over A weight 3 and B metric 5 src 10.10.1.1 table 7" */
static const char *route_text(const struct route_info *route, const struct hops *hops,
			      char buf[TEXT_SIZE])
{
	char prefix[PREFIX_TEXT_SIZE], src[ADDR_TEXT_SIZE];
	bool v6 = route->to.addr.family == IP_V6;
	int used = sprintf(buf, "%s%s", prefix_format(&route->to, prefix),
			   route->type == RTN_UNREACHABLE ? " unreachable" : "");

	for (size_t i = 0; i < hops->count; i++) {
		used += sprintf(buf + used, "%s%s", i ? " and " : " over ", hops->list[i].name);
		if (hops->count > 1 && hops->list[i].weight != 1)
			used += sprintf(buf + used, " weight %u", hops->list[i].weight);
	}
	if (route->gateway.family != IP_NONE && hops->count == 1 &&
	    !addr_is_link_local(&route->gateway))
		used += sprintf(buf + used, " via %s", addr_format(&route->gateway, src));
	if (route->metric && !(v6 && route->metric == CONF_METRIC6_DEFAULT))
		used += sprintf(buf + used, " metric %u", route->metric);
	if (route->src.family != IP_NONE)
		used += sprintf(buf + used, " src %s", addr_format(&route->src, src));
	if (route->table != ROUTE_TABLE_MAIN)
		sprintf(buf + used, " table %u", route->table);
	return buf;
}

static void fill(struct planner *planner, struct step_route *out, const struct route_info *route,
		 const struct hops *hops)
{
	out->route = *route;
	/* What the kernel shows has the gateways in the hops; of ours they are all the same. */
	if (route->hop_count && hops->count > 1)
		out->route.gateway = route->hops[0].gateway;
	out->route.hops = NULL;
	out->route.hop_count = 0;
	if (!hops->count)
		return;
	out->route.oif = 0;
	out->hops = calloc(hops->count, sizeof(*out->hops));
	if (!out->hops) {
		planner->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < hops->count; i++) {
		snprintf(out->hops[i].name, sizeof(out->hops[i].name), "%s", hops->list[i].name);
		out->hops[i].weight = hops->list[i].weight;
	}
	out->hop_count = hops->count;
}

static struct step *step_of(struct planner *planner, enum step_kind kind, const char *verb,
			    const struct route_info *route, const struct hops *hops)
{
	const char *object = hops->count == 1 ? hops->list[0].name : "";
	char text[TEXT_SIZE];
	struct step *step = plan_step(planner, kind, object, "%s route %s", verb,
				      route_text(route, hops, text));

	if (step)
		fill(planner, &step->route.now, route, hops);
	return step;
}

static void change(struct planner *planner, const struct route_info *old,
		   const struct hops *old_hops, const struct route_info *route,
		   const struct hops *hops)
{
	struct step *step = step_of(planner, STEP_ROUTE_CHANGE, "change", route, hops);

	if (step)
		fill(planner, &step->route.old, old, old_hops);
}

static void plan_route_del(struct planner *planner, const struct route_info *route)
{
	const struct site_route *wanted = site_find_route(planner->site, route);
	struct route_info left = *route;
	struct fates fates;
	struct hops hops;

	if (!wanted && plan_is_pin(planner, route))
		return;
	hops.count = 0;
	if (wanted)
		hops_wanted(wanted, &hops);
	if (wanted && !wanted->hop_count && route->type == wanted->route.type)
		return;
	judge(planner, route, &hops, &fates);
	if (!fates.staying.count) {
		step_of(planner, STEP_ROUTE_DEL, "delete", route, &fates.all);
	} else if (fates.leaving) {
		left.hop_count = 0;
		left.gateway = wanted->route.gateway;
		change(planner, route, &fates.all, &left, &fates.staying);
	}
}

void plan_route_dels(struct planner *planner)
{
	for (size_t i = 0; i < planner->actual->route_count; i++)
		plan_route_del(planner, &planner->actual->routes[i]);
}

/* Whether the kernel takes the route, or hops of it, away with the last address of a link, or with
 * the link, which goes down for a moment. */
static bool goes_meanwhile(const struct planner *planner, const struct site_route *wanted)
{
	for (size_t i = 0; i < wanted->hop_count; i++) {
		const struct wanted *tunnel =
			&planner->wanted[wanted->hops[i].tunnel - planner->site->tunnels];

		if (tunnel->fate == FATE_KEEP &&
		    (plan_restarts(planner, tunnel) || (wanted->route.to.addr.family == IP_V4 &&
							plan_loses_ipv4(planner, tunnel->link))))
			return true;
	}
	return false;
}

/* The route in that place of which a hop stays; NULL: there is none. */
static const struct route_info *find_staying(const struct planner *planner,
					     const struct site_route *wanted,
					     const struct hops *hops, struct fates *fates)
{
	size_t count;
	const struct route_info *routes = actual_routes(planner->actual, &wanted->route, &count);

	for (size_t i = 0; i < count; i++) {
		judge(planner, &routes[i], hops, fates);
		if (fates->staying.count || (!hops->count && routes[i].type == wanted->route.type))
			return &routes[i];
	}
	return NULL;
}

static void plan_route_add(struct planner *planner, const struct site_route *wanted)
{
	bool goes = goes_meanwhile(planner, wanted), same;
	const struct route_info *route;
	struct fates fates;
	struct hops hops;

	hops_wanted(wanted, &hops);
	route = find_staying(planner, wanted, &hops, &fates);
	if (!route || (goes && hops.count == 1)) {
		step_of(planner, STEP_ROUTE_ADD, "add", &wanted->route, &hops);
		return;
	}
	same = !goes && !fates.lost && same_hops(&fates.staying, &hops) &&
	       addr_equal(&route->src, &wanted->route.src) && route->type == wanted->route.type;
	/* Of several hops the one that stays was given its gateway when the others left. */
	if (same && hops.count == 1 && !route->hop_count)
		same = addr_equal(&route->gateway, &wanted->route.gateway);
	if (!same)
		change(planner, route, &fates.staying, &wanted->route, &hops);
}

void plan_route_adds(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->route_count; i++)
		plan_route_add(planner, planner->site->routes_in_order[i]);
}
