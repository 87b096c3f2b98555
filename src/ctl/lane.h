/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane.h: the packet paths as planning and applying see them. The daemon has them over its struct
 * dp; a test puts its own in place; a one-shot command has none (a NULL pointer).
 */
#ifndef CTL_LANE_H
#define CTL_LANE_H

#include <stdbool.h>

#include "dp/dp.h"

typedef int (*lane_each_fn)(void *arg, const struct dp_params *params);

struct lane_ops {
	void *arg;
	/* Creates or adopts the interface and carries packets. As dp_tunnel_add(). */
	int (*add)(void *arg, const struct dp_params *params);
	int (*change)(void *arg, const struct dp_params *params);
	/* As dp_tunnel_del(): -ENOENT when the lane does not have it. */
	int (*del)(void *arg, const char *name, bool destroy);
	/* What the lane carries now: NULL when it does not have the tunnel. */
	const struct dp_params *(*params)(void *arg, const char *name);
	/* Calls `each` with what the lane carries, until that returns other than 0; returns that.
	 */
	int (*each)(void *arg, lane_each_fn each, void *each_arg);
	bool fast; /* there are lanes in the kernel, too */
};

/* Over a struct dp, remembering the parameters that it was given. The dp stays the caller's. */
struct lane;
int lane_open(struct dp *dp, struct lane **out);
const struct lane_ops *lane_ops(const struct lane *lane);
/* Whether the kernel carries packets, too, or is going to. */
void lane_set_fast(struct lane *lane, bool fast);
void lane_close(struct lane *lane);

#endif
