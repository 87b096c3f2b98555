/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h: the difference between desired and actual, as steps in the order in which they are to be
 * made. PURE.
 *
 *	state_load(run_dir, &state);
 *	actual_read(&kernel, conf, &state, lane, &actual, error);
 *	site_build(conf, &actual, &site);
 *	plan_make(&site, &actual, &plan);
 *	if (plan.refusal_count == 0) apply_plan(&kernel, &plan, lane, &state, &report);
 *
 * With conf NULL the same calls make the plan of `down`.
 */
#ifndef CTL_PLAN_H
#define CTL_PLAN_H

#include "ctl/actual.h"
#include "ctl/site.h"

enum step_kind {
	STEP_RULES_SET, /* loads the table; first, so that no packet passes unjudged */
	STEP_FORWARD_ON,
	STEP_POLICY_DEL, /* a rule of policy routing */
	STEP_ROUTE_DEL,
	STEP_ADDRESS_DEL,
	STEP_PEER_DEL, /* of a multipoint tunnel */
	STEP_TUNNEL_DEL,
	STEP_TUNNEL_CREATE, /* interface, packet path, alias */
	STEP_TUNNEL_ADOPT,  /* the interface is there, the packet path takes it over */
	STEP_TUNNEL_CHANGE, /* parameters and alias of a tunnel that goes on running */
	STEP_PEER_ADD,
	STEP_PEER_CHANGE,
	STEP_MTU,
	STEP_MASTER,
	STEP_SETTINGS,
	STEP_UP,
	STEP_ADDRESS_ADD, /* behind UP: see plan_make() */
	STEP_ROUTE_ADD,
	STEP_ROUTE_CHANGE, /* in one stroke; before TUNNEL_DEL when a hop of several goes */
	STEP_POLICY_ADD,
	STEP_FORWARD_RESTORE, /* last, with STEP_RULES_DEL, where nothing is wanted any more */
	STEP_RULES_DEL,
	STEP_KIND_COUNT
};

/* How an interface goes that is deleted: alone, with those of its group, or as the last of them. */
enum step_leave { LEAVE_ALONE, LEAVE_WITH_LAST, LEAVE_LAST };

/* An interface, or a peer, of which there are parameters only. */
struct step_tunnel {
	const struct dp_params *params; /* NULL for DEL */
	const char *alias;
	const struct dp_params *old_params; /* what the lane had; NULL: nothing */
	const char *old_alias;		    /* NULL: there was no link */
	uint32_t old_mtu;		    /* DEL */
	bool old_up;			    /* DEL */
	enum step_leave leave;		    /* DEL */
	unsigned settings;		    /* CREATE; DEL: the old ones: enum step_setting */
};

/* Settings of an interface, as bits. TUNNEL_CREATE brings them about as well. */
enum step_setting {
	SETTING_LINKDOWN4 = 1, /* ignore_routes_with_linkdown: its routes end with its carrier */
	SETTING_LINKDOWN6 = 2,
	SETTING_RP_LOOSE = 4 /* rp_filter 2 */
};

/* A route over links by name: they may not be there yet, or come back with another index. */
struct step_hop {
	char name[DP_NAME_SIZE];
	uint32_t weight;
};
struct step_route {
	struct route_info route; /* .oif, or .hops with .gateway, are filled in when applied */
	struct step_hop *hops;	 /* the plan's */
	size_t hop_count;	 /* 0: .oif is as it is */
};

/* One change. What it points to belongs to the site, the actual state and the plan. */
struct step {
	enum step_kind kind;
	char object[DP_NAME_SIZE]; /* the tunnel, or "" */
	char *text;		   /* for people: "add route 20.10.1.0/24 over My_Tunnel" */
	union {
		struct step_tunnel tunnel;
		struct {
			uint32_t mtu, old;
		} mtu;
		struct {
			uint32_t index, old;
		} master;
		struct {
			unsigned set; /* enum step_setting */
			uint8_t old_rp_filter;
		} settings;
		struct address_info address; /* .index is filled in when applied */
		struct rule_info policy;
		struct {
			struct step_route now; /* the one that goes, for DEL */
			struct step_route old; /* CHANGE */
		} route;
		struct {
			enum state_switch which;
			const struct sysctl_list *values; /* ON: to save; RESTORE: to write */
		} forward;
		struct {
			const char *text; /* NULL for DEL */
			uint64_t hash;
		} rules;
	};
};

struct plan {
	const struct site *site; /* what it is for */
	struct step *steps;
	size_t step_count, step_room;
	/* Why the plan must not be applied: "FILE:LINE: what is wrong: what to do". */
	char **refusals;
	size_t refusal_count;
	/* Tunnels that this is not a plan for: the address that their peer's name stands for cannot
	 * be reached. To be planned again without it, since what a name server says must not hold
	 * up all others. */
	struct plan_aside {
		size_t index; /* of the tunnel in the conf */
		char *why;
	} * asides;
	size_t aside_count;
	/* What does not stand in the way but will not work as it is: "FILE:LINE: ...". */
	char **notes;
	size_t note_count;
	/* Set by who knows that all was in place a moment ago: where somebody else's route has
	 * taken the place of one of ours, ours is added beside it. Otherwise it is an error. */
	bool take_back;
};

/* Returns 0 (also with refusals: look at refusal_count) or -ENOMEM. `site` and `actual` must
 * outlive the plan. Adopting a tunnel that no lane carries is a step only if there is a lane to
 * ask. */
int plan_make(const struct site *site, const struct actual *actual, struct plan *out);
void plan_free(struct plan *plan);

/* "create", "add-route", ...: for JSON. */
const char *step_kind_name(enum step_kind kind);

#endif
