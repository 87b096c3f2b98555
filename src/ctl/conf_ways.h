/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_ways.h: the routes that a configuration asks for, with those that `backup-of` adds. PURE. */
#ifndef CTL_CONF_WAYS_H
#define CTL_CONF_WAYS_H

#include "ctl/conf.h"

/* What each step of `backup-of` adds to a route's metric. */
#define CONF_BACKUP_METRIC 1000
/* Steps that a chain of `backup-of` may have. */
#define CONF_BACKUP_STEPS_MAX 16
/* Members of a group that may list one route. */
#define CONF_GROUP_MAX 32
/* The metric that the kernel gives an IPv6 route without one (IP6_RT_PRIO_USER). */
#define CONF_METRIC6_DEFAULT 1024

/* A route over one tunnel. */
struct conf_way {
	struct conf_route route; /* .metric as the kernel shows it; .at is the line of the file */
	const struct conf_tunnel *tunnel;
	unsigned steps; /* of backup-of, to the tunnel that lists the route; 0: its own line */
};

/*
 * A backup has the routes of the tunnel that it stands in for, their metric CONF_BACKUP_METRIC
 * higher with each step; a prefix that it lists itself in that table is not copied. *out (the
 * caller frees it) is in the conf's order, a tunnel's own routes first. Returns 0 or -ENOMEM.
 */
int conf_ways(const struct conf *conf, struct conf_way **out, size_t *count);

/* *out (the caller frees it): for each tunnel the one that it is a backup of, NULL where there is
 * none of that name. Returns 0 or -ENOMEM. */
int conf_backups(const struct conf *conf, const struct conf_tunnel ***out);

#endif
