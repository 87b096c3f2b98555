/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers of multipoint tunnels: each is added, changed and deleted alone, so that the others lose
 * nothing. They are in the lane and nowhere else: without a lane to ask, the alias of their tunnel
 * tells whether they are as they should be. */
#include <string.h>

#include "ctl/plan_make.h"

void plan_peer_dels(struct planner *planner)
{
	for (size_t i = 0; i < planner->actual->lane_count; i++) {
		const struct dp_params *lane = &planner->actual->lane[i];
		const struct wanted *wanted = planner->of_lanes[i];
		struct step *step;

		if (!lane->hub[0] || (wanted && wanted->tunnel->conf->hub))
			continue;
		step = plan_step(planner, STEP_PEER_DEL, lane->name, "delete peer %s", lane->name);
		if (step)
			step->tunnel = (struct step_tunnel){.old_params = lane};
	}
}

static void plan_peer(struct planner *planner, const struct wanted *wanted)
{
	const struct dp_params *params = &wanted->tunnel->params;
	bool change = wanted->lane;
	char remote[ADDR_TEXT_SIZE];
	struct step *step;

	if (change && memcmp(wanted->lane, params, sizeof(*params)) == 0)
		return;
	step = plan_step(planner, change ? STEP_PEER_CHANGE : STEP_PEER_ADD, params->name,
			 "%s peer %s at %s%s", change ? "change" : "add", params->name,
			 addr_format(&wanted->tunnel->conf->remote, remote),
			 wanted->tunnel->conf->keepalive_interval_ms ? ", asked by keepalives"
								     : "");
	if (step)
		step->tunnel = (struct step_tunnel){.params = params, .old_params = wanted->lane};
}

void plan_peers(struct planner *planner)
{
	const struct site *site = planner->site;

	for (size_t i = 0; i < site->tunnel_count; i++) {
		const struct wanted *wanted = &planner->wanted[i];
		size_t hub = wanted->tunnel->conf->hub;

		if (hub &&
		    (planner->actual->lane_asked || planner->wanted[hub - 1].fate == FATE_CREATE))
			plan_peer(planner, wanted);
	}
}
