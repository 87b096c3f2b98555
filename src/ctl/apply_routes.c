/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps about routes and rules of policy routing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl/apply_steps.h"

static struct nl *nl(struct apply *apply)
{
	return &apply->kernel->route;
}

/* Keeps the kernel's words about a request that failed. */
static int told(struct apply *apply, int err)
{
	if (err)
		memcpy(apply->text, apply->kernel->route.text, sizeof(apply->text));
	return err;
}

/* The route with the indices that its links have now, kept in `hops`. */
static struct route_info resolve(const struct step_route *from,
				 struct route_hop hops[ROUTE_HOPS_MAX])
{
	struct route_info route = from->route;

	if (from->hop_count == 1)
		route.oif = link_index(from->hops[0].name);
	if (from->hop_count < 2)
		return route;
	for (size_t i = 0; i < from->hop_count; i++)
		hops[i] = (struct route_hop){.oif = link_index(from->hops[i].name),
					     .weight = from->hops[i].weight,
					     .gateway = route.gateway};
	route.gateway = (struct ip_addr){0};
	route.hops = hops;
	route.hop_count = from->hop_count;
	return route;
}

static bool leads_over(const struct route_info *route, uint32_t oif)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].oif == oif)
			return true;
	return !route->hop_count && route->oif == oif;
}

/* Says who has the place that a route of ours should take; 0 when it is that very route. */
static int explain_exists(struct apply *apply, const struct route_info *route)
{
	char prefix[PREFIX_TEXT_SIZE], name[IFNAMSIZ] = "";
	struct route_way way;

	if (route_find(nl(apply), &route->to.addr, NULL, 0, &way) == 0 &&
	    prefix_equal(&way.match, &route->to)) {
		if (way.protocol == OS_PROTOCOL && leads_over(route, way.oif))
			return 0;
		if_indextoname(way.oif, name);
	}
	snprintf(apply->text, sizeof(apply->text),
		 "there is a route to %s%s%s already: delete it, or give this one a metric",
		 prefix_format(&route->to, prefix), name[0] ? " over " : "", name);
	return -EEXIST;
}

/* Puts ours back where somebody else's has taken the place since, which nobody could give back once
 * it was overwritten. */
static int add_beside(struct apply *apply, const struct route_info *route)
{
	bool v6 = route->to.addr.family == IP_V6;
	char prefix[PREFIX_TEXT_SIZE];
	int err;

	/* IPv6 would make one route of both, and spread our packets over theirs. */
	if (v6 && (route->hop_count || route->gateway.family != IP_NONE))
		return -EEXIST;
	err = told(apply, route_add_beside(nl(apply), route));
	if (!err && v6)
		log_warn("there is somebody else's route to %s of the same metric, which goes "
			 "before ours: delete it, or give ours a smaller metric",
			 prefix_format(&route->to, prefix));
	return err;
}

int apply_route_add(struct apply *apply, const struct step *step)
{
	struct route_hop hops[ROUTE_HOPS_MAX];
	struct route_info route = resolve(&step->route.now, hops);
	int err = told(apply, route_add(nl(apply), &route));

	if (err == -EEXIST && apply->take_back)
		err = add_beside(apply, &route);
	return err == -EEXIST ? explain_exists(apply, &route) : err;
}

int apply_route_del(struct apply *apply, const struct step *step)
{
	struct route_hop hops[ROUTE_HOPS_MAX];
	struct route_info route = resolve(&step->route.now, hops);
	int err = told(apply, route_del(nl(apply), &route));

	/* A route goes with its interface, and with an address that was its source. */
	return err == -ESRCH || err == -ENODEV ? 0 : err;
}

int apply_route_change(struct apply *apply, const struct step *step)
{
	struct route_hop hops[ROUTE_HOPS_MAX];
	struct route_info route = resolve(&step->route.now, hops);

	return told(apply, route_replace(nl(apply), &route));
}

int apply_route_change_back(struct apply *apply, const struct step *step)
{
	struct route_hop hops[ROUTE_HOPS_MAX];
	struct route_info route = resolve(&step->route.old, hops);

	return told(apply, route_replace(nl(apply), &route));
}

int apply_policy_add(struct apply *apply, const struct step *step)
{
	int err = told(apply, rule_add(nl(apply), &step->policy));

	return err == -EEXIST ? 0 : err;
}

int apply_policy_del(struct apply *apply, const struct step *step)
{
	int err = told(apply, rule_del(nl(apply), &step->policy));

	return err == -ENOENT ? 0 : err;
}
