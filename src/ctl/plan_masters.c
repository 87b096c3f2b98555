/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tunnel's interface is a part of: the bridge or the VRF of the file. One that somebody else
 * put it into is theirs, and stays.
 *
 * The kernel takes an interface that joins or leaves a VRF down and up again, so that what it knows
 * of it moves to the other table. IPv4 addresses outlive that, IPv6 ones and routes do not: the
 * plan adds these again.
 */
#include <string.h>

#include "ctl/plan_make.h"

struct move {
	const struct link_info *from, *to; /* NULL: of nothing */
	bool made;
};

/* Whether the file put the interface where it is: the end of the alias says so. */
static bool is_our_doing(const struct link_info *link, const struct link_info *master)
{
	char mark[SITE_MASTER_SIZE];
	struct conf_tunnel tunnel = {.name = ""};
	size_t length;

	memcpy(master->vrf_table ? tunnel.vrf : tunnel.bridge, master->name, IFNAMSIZ);
	site_master_mark(&tunnel, mark);
	length = strlen(link->alias);
	return length >= strlen(mark) && strcmp(link->alias + length - strlen(mark), mark) == 0;
}

static struct move move_of(const struct planner *planner, const struct wanted *wanted)
{
	const struct conf_tunnel *conf = wanted->tunnel->conf;
	const struct link_info *link = wanted->fate == FATE_KEEP ? wanted->link : NULL;
	const char *name = conf->bridge[0] ? conf->bridge : conf->vrf;
	struct move move = {
		.from = actual_link_at(planner->actual, link ? link->master : 0),
		.to = name[0] ? actual_link(planner->actual, name) : NULL,
	};

	/* A peer of a multipoint tunnel has no interface. */
	if (conf->hub)
		return move;
	if (move.to)
		move.made = !link || link->master != move.to->index;
	else
		move.made = !name[0] && move.from && is_our_doing(link, move.from);
	return move;
}

static void plan_master(struct planner *planner, const struct wanted *wanted)
{
	const char *name = wanted->tunnel->conf->name;
	struct move move = move_of(planner, wanted);
	const struct link_info *other = move.to ? move.to : move.from;
	struct step *step;

	if (!move.made)
		return;
	step = plan_step(planner, STEP_MASTER, name,
			 move.to ? "put %s into %s %s" : "take %s out of %s %s", name,
			 other->vrf_table ? "VRF" : "bridge", other->name);
	if (step) {
		step->master.index = move.to ? move.to->index : 0;
		step->master.old = move.from ? move.from->index : 0;
	}
}

void plan_masters(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++)
		plan_master(planner, &planner->wanted[i]);
}

bool plan_restarts(const struct planner *planner, const struct wanted *wanted)
{
	struct move move;

	if (wanted->fate != FATE_KEEP || !(wanted->link->flags & IFF_UP))
		return false;
	move = move_of(planner, wanted);
	return move.made &&
	       ((move.to && move.to->vrf_table) || (move.from && move.from->vrf_table));
}
