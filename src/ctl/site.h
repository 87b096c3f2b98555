/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * site.h: the desired state: what a conf means on this host, with everything computed that the file
 * leaves to us (MTU, MSS, forwarding, rules). PURE: what has to be asked is in struct actual.
 */
#ifndef CTL_SITE_H
#define CTL_SITE_H

#include "ctl/actual.h"
#include "ctl/conf.h"
#include "dp/dp.h"

struct site_tunnel {
	const struct conf_tunnel *conf; /* borrowed */
	unsigned families;	 /* of its addresses and routes, as site_families() has them */
	uint32_t table;		 /* of its routes, where the file names none: main, or the VRF's */
	struct dp_params params; /* .mtu is the interface's */
	char alias[LINK_ALIAS_SIZE]; /* the mark and the canonical text of the parameters */
	/* What a flow sends by another tunnel may come by this one: rp_filter must not be strict.
	 */
	bool shares_flows;
};

struct site_hop {
	const struct site_tunnel *tunnel;
	uint32_t weight;
};

/* A route that is wanted: over one tunnel, or spread over the members of a group. */
struct site_route {
	/* As the kernel shows it when it is in place, but for .oif and .hops; .gateway is that of
	 * each hop. */
	struct route_info route;
	struct conf_place at; /* the line of the first hop */
	const struct site_hop *hops;
	size_t hop_count;
	size_t order; /* in the file */
};

struct site {
	const struct conf *conf;     /* borrowed; NULL: nothing is wanted */
	struct site_tunnel *tunnels; /* in the conf's order */
	size_t tunnel_count;
	struct site_route *routes;		   /* by route_compare() */
	const struct site_route **routes_in_order; /* the same in the file's order */
	size_t route_count;
	struct site_hop *hops;	     /* of all routes */
	uint8_t *return_numbers;     /* of the tunnels, as return_numbers() */
	bool switches[SWITCH_COUNT]; /* to be turned on */
	char *rules;		     /* rules_text(); NULL: no table */
};

/* `conf` (NULL: nothing is wanted) must outlive *out; `actual` was read for the same conf. Returns
 * 0 or -ENOMEM. */
int site_build(const struct conf *conf, const struct actual *actual, struct site *out);
void site_free(struct site *site);

/* The route that is wanted in that place; NULL: none. */
const struct site_route *site_find_route(const struct site *site, const struct route_info *place);

/* Families of the packets that the conf moves through tunnels or rules: bit SWITCH_FORWARD4, bit
 * SWITCH_FORWARD6. Tunnels in a bridge count for nothing. */
unsigned site_families(const struct conf *conf);

/* Whether the tunnel keeps the return path of a family: of those that it has addresses and routes
 * of, IPv4 when it has none. */
bool site_returns(const struct site *site, size_t tunnel, uint8_t family);

/* The end of an interface's alias: " vrf blue"; "" where the file names neither bridge nor VRF. */
#define SITE_MASTER_SIZE (sizeof " bridge " + IFNAMSIZ)
void site_master_mark(const struct conf_tunnel *tunnel, char buf[SITE_MASTER_SIZE]);

/* Indexes of the devices in the VRF, but for tunnels of ours. Returns how many there are, which may
 * be more than are told. */
size_t site_vrf_members(const struct actual *actual, const struct link_info *vrf,
			uint32_t members[DP_BIND_MEMBERS]);

/* site_routes.c, for site_build(): fills in the routes, and the families that they add. */
int site_add_routes(struct site *site);

#endif
