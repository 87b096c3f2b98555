/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_make.h: what the files of the planner share. */
#ifndef CTL_PLAN_MAKE_H
#define CTL_PLAN_MAKE_H

#include "ctl/plan.h"

/* What becomes of a link that bears our mark, or of a tunnel that the site wants. */
enum fate {
	FATE_KEEP,   /* it is there and goes on */
	FATE_CREATE, /* it is not there */
	FATE_DELETE  /* not wanted, or of the wrong kind (then there is a CREATE besides) */
};

struct wanted {
	const struct site_tunnel *tunnel;
	const struct link_info *namesake; /* the link of this name, whose it may be; NULL: none */
	const struct link_info *link;	  /* the same if it is ours, which a peer's never is */
	const struct dp_params *lane;	  /* what the lane carries; NULL: nothing */
	enum fate fate;
};

/* The way to a peer, held fast. */
struct pin {
	const struct conf_tunnel *tunnel; /* the first with that peer */
	struct route_info route;
};

struct planner {
	const struct site *site;
	const struct actual *actual;
	struct plan *plan;
	/* What is wanted and what is there were joined by name once, and not for each question. */
	struct wanted *wanted;		/* in the site's order */
	const struct wanted **of_links; /* the tunnel of actual->links[i]; NULL: not wanted */
	const struct wanted **of_lanes; /* the same of actual->lane[i] */
	struct pin *pins;		/* by place */
	size_t pin_count;
	int err; /* the first failure; later steps are not added */
};

/* Adds a step and returns it, or NULL (planner->err). `object` is a tunnel's name or "". */
struct step *plan_step(struct planner *planner, enum step_kind kind, const char *object,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));
void plan_refuse(struct planner *planner, struct conf_place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A refusal that is about this tunnel's peer, whose address was looked up. */
void plan_set_aside(struct planner *planner, const struct conf_tunnel *tunnel, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));
void plan_note(struct planner *planner, struct conf_place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The tunnel that the site wants under the name of the link, one of `actual`; NULL: none. */
const struct wanted *plan_wanted(const struct planner *planner, const struct link_info *link);
/* Whether the link (ours) is not to be there, or not as it is. */
bool plan_is_doomed(const struct planner *planner, const struct link_info *link);

/* Refusals and notes. */
void plan_check(struct planner *planner);
void plan_check_recursion(struct planner *planner);

/* Steps, one function for each phase. */
void plan_peer_dels(struct planner *planner);
void plan_peers(struct planner *planner);
void plan_address_dels(struct planner *planner);
void plan_address_adds(struct planner *planner);
void plan_policy_dels(struct planner *planner);
void plan_policy_adds(struct planner *planner);
void plan_pin_sets(struct planner *planner);
void plan_pin_dels(struct planner *planner);
void plan_route_dels(struct planner *planner);
void plan_route_adds(struct planner *planner);

/* What an interface has, and what a new one for the tunnel needs: enum step_setting. */
unsigned plan_settings_now(const struct planner *planner, const struct link_info *link);
unsigned plan_settings_of_new(const struct planner *planner, const struct site_tunnel *tunnel);
void plan_settings(struct planner *planner);

void plan_masters(struct planner *planner);
/* Whether the plan makes the kernel take the interface down and up again: plan_masters.c. */
bool plan_restarts(const struct planner *planner, const struct wanted *wanted);

/* plan_pins.c: wants the way beneath to the tunnel's peer pinned, once for each peer after
 * plan_sort_pins(). Returns 0 or -ENOMEM. */
int plan_pin(struct planner *planner, const struct conf_tunnel *tunnel,
	     const struct actual_way *way);
void plan_sort_pins(struct planner *planner);
/* Whether a route with our number looks like one. */
bool plan_is_pin(const struct planner *planner, const struct route_info *route);

/* With the last IPv4 address of a link the kernel takes its IPv4 routes away. */
bool plan_loses_ipv4(const struct planner *planner, const struct link_info *link);

#endif
