/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/lane.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lane {
	struct lane_ops ops;
	struct dp *dp;
	void *given; /* tree of struct dp_params, by name */
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct dp_params *)a)->name, ((const struct dp_params *)b)->name);
}

static struct dp_params *find(const struct lane *lane, const char *name)
{
	struct dp_params key = {0};
	void *node;

	snprintf(key.name, sizeof(key.name), "%s", name);
	node = tfind(&key, &lane->given, compare);
	return node ? *(struct dp_params **)node : NULL;
}

static int add(void *arg, const struct dp_params *params)
{
	struct lane *lane = arg;
	struct dp_params *copy = malloc(sizeof(*copy));
	int err;

	if (!copy)
		return -ENOMEM;
	/* Octet by octet: the planner compares with memcmp(). */
	memcpy(copy, params, sizeof(*copy));
	err = dp_tunnel_add(lane->dp, params);
	if (!err && !tsearch(copy, &lane->given, compare)) {
		dp_tunnel_del(lane->dp, params->name, false);
		err = -ENOMEM;
	}
	if (err)
		free(copy);
	return err;
}

static int change(void *arg, const struct dp_params *params)
{
	struct lane *lane = arg;
	struct dp_params *given = find(lane, params->name);
	int err = dp_tunnel_change(lane->dp, params);

	if (!err && given)
		memcpy(given, params, sizeof(*given));
	return err;
}

static int del(void *arg, const char *name, bool destroy)
{
	struct lane *lane = arg;
	struct dp_params *given = find(lane, name);
	int err = dp_tunnel_del(lane->dp, name, destroy);

	if (given && (!err || err == -ENOENT)) {
		tdelete(given, &lane->given, compare);
		free(given);
	}
	return err;
}

static const struct dp_params *params_of(void *arg, const char *name)
{
	return find(arg, name);
}

struct walk {
	lane_each_fn each;
	void *arg;
	int err;
};

static void visit(const void *node, VISIT which, void *arg)
{
	struct walk *walk = arg;

	if (!walk->err && (which == postorder || which == leaf))
		walk->err = walk->each(walk->arg, *(const struct dp_params *const *)node);
}

static int each_of(void *arg, lane_each_fn each, void *each_arg)
{
	const struct lane *lane = arg;
	struct walk walk = {each, each_arg, 0};

	twalk_r(lane->given, visit, &walk);
	return walk.err;
}

int lane_open(struct dp *dp, struct lane **out)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return -ENOMEM;
	lane->dp = dp;
	lane->ops = (struct lane_ops){lane, add, change, del, params_of, each_of, true};
	*out = lane;
	return 0;
}

const struct lane_ops *lane_ops(const struct lane *lane)
{
	return &lane->ops;
}

void lane_set_fast(struct lane *lane, bool fast)
{
	lane->ops.fast = fast;
}

void lane_close(struct lane *lane)
{
	if (!lane)
		return;
	tdestroy(lane->given, free);
	free(lane);
}
