/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of our own interfaces. Their routes end with their carrier, so that the next metric is
 * taken. Where one flow may use two tunnels, rp_filter is loose (2) if the host has it strict (1);
 * where the host does not filter, it stays so. The kernel takes the greater of "all" and the
 * interface's own.
 */
#include <stdio.h>

#include "ctl/plan_make.h"
#include "proto/overhead.h"

enum { RP_STRICT = 1, RP_LOOSE = 2 };

static uint8_t greater(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

unsigned plan_settings_now(const struct planner *planner, const struct link_info *link)
{
	const struct actual_settings *now = actual_settings(planner->actual, link->index);

	if (!now)
		return 0;
	return (now->ignore_linkdown4 ? SETTING_LINKDOWN4 : 0U) |
	       (now->ignore_linkdown6 ? SETTING_LINKDOWN6 : 0U) |
	       (now->rp_filter == RP_LOOSE ? SETTING_RP_LOOSE : 0U);
}

unsigned plan_settings_of_new(const struct planner *planner, const struct site_tunnel *tunnel)
{
	const struct actual *actual = planner->actual;
	unsigned set = SETTING_LINKDOWN4 | SETTING_LINKDOWN6;

	if (tunnel->shares_flows &&
	    greater(actual->rp_filter_all, actual->rp_filter_default) == RP_STRICT)
		set |= SETTING_RP_LOOSE;
	return set;
}

static void plan_tunnel(struct planner *planner, const struct wanted *wanted)
{
	const struct actual_settings *now = actual_settings(planner->actual, wanted->link->index);
	const char *name = wanted->link->name;
	struct step *step;
	unsigned set = 0, linkdown;
	bool comes6;

	if (!now)
		return;
	if (now->has4 && !now->ignore_linkdown4)
		set |= SETTING_LINKDOWN4;
	/* Below that MTU the interface has no IPv6, and begins anew with it. */
	comes6 = !now->has6 && wanted->link->mtu < IP6_MTU_MIN &&
		 wanted->tunnel->params.mtu >= IP6_MTU_MIN;
	if (comes6 || (now->has6 && !now->ignore_linkdown6))
		set |= SETTING_LINKDOWN6;
	if (now->has4 && wanted->tunnel->shares_flows &&
	    greater(planner->actual->rp_filter_all, now->rp_filter) == RP_STRICT)
		set |= SETTING_RP_LOOSE;
	if (!set)
		return;
	linkdown = set & (SETTING_LINKDOWN4 | SETTING_LINKDOWN6);
	step = plan_step(planner, STEP_SETTINGS, name, "set %s%s%s of %s",
			 linkdown ? "ignore_routes_with_linkdown" : "",
			 linkdown && set & SETTING_RP_LOOSE ? " and " : "",
			 set & SETTING_RP_LOOSE ? "rp_filter = 2" : "", name);
	if (step) {
		step->settings.set = set;
		step->settings.old_rp_filter = now->rp_filter;
	}
}

void plan_settings(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++)
		if (planner->wanted[i].link && planner->wanted[i].fate == FATE_KEEP)
			plan_tunnel(planner, &planner->wanted[i]);
}
