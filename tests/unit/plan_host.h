/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_host.h: a made-up host for tests of the planner, with room for what a case adds. */
#ifndef TEST_PLAN_HOST_H
#define TEST_PLAN_HOST_H

#include "ctl/plan.h"

#define LISTED 77 /* hash of the rules' listing */

enum { UNDERLAY = 2, FIRST_TUNNEL = 10 }; /* link indices */

struct host {
	struct actual actual;
	struct link_info links[32];
	struct actual_index by_index[32];
	struct address_info addresses[16];
	struct route_info routes[16];
	struct route_hop hops[16][4];
	struct actual_way ways[16];
	struct dp_params lane[16];
	struct actual_settings settings[16];
	struct rule_info policies[8];
	struct state state;
};

struct planned {
	struct conf *conf;
	struct site site;
	struct plan plan;
	char steps[2048]; /* "kind object; kind object; ..." */
};

/* Fail the test when the text is wrong. */
struct ip_prefix net(const char *text);
struct conf *load(const char *text);

struct link_info *host_link(struct host *host, const char *name, uint32_t index);
struct link_info *host_find(struct host *host, const char *name);
/* Every peer behind a gateway of the underlay's network, by the default route. */
void host_ways(struct host *host, const struct conf *conf);
void host_put(struct host *host, const struct site_tunnel *tunnel, uint32_t index);
/* A host on which nothing was done yet, and one on which `conf` is in place. */
void host_bare(struct host *host, const struct conf *conf);
void host_done(struct host *host, const struct conf *conf);
/* The second from the first, to which something may have been added. */
void host_put_all(struct host *host, const struct conf *conf);
void host_drop(struct host *host);
/* What is to be done for `file` (NULL: down). */
void host_plan(struct host *host, const char *file, struct planned *out);
void planned_drop(struct planned *planned);

#endif
