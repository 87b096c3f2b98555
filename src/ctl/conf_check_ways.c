/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be refused of backup-of, group and return-path. */
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_parse.h"
#include "ctl/conf_ways.h"

/* Tunnels that return-path tells apart: the values of the octet that it has of the mark. */
#define RETURN_PATHS_MAX 255

/* In a bridge a tunnel has no routes, of which all three keys speak. */
static void check_bridged(const struct conf_tunnel *t, struct conf_faults *faults)
{
	const struct {
		enum conf_tunnel_key key;
		const char *name;
		bool set;
	} keys[] = {{TUNNEL_BACKUP_OF, "backup-of", t->backup_of[0]},
		    {TUNNEL_GROUP, "group", t->group[0]},
		    {TUNNEL_RETURN_PATH, "return-path", t->return_path}};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (t->bridge[0] && keys[i].set)
			conf_fault(
				faults, conf_key_place(t, keys[i].key),
				"an interface in a bridge has no routes: leave out %s, or bridge",
				keys[i].name);
}

static void check_group(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (t->group[0] && conf_has_frames(t) && !t->bridge[0])
		conf_fault(faults, conf_key_place(t, TUNNEL_GROUP),
			   "a route over several tunnels needs such as carry IP: write mode = gre, "
			   "or leave out group");
	if (t->return_path && conf_has_frames(t) && !t->bridge[0])
		conf_fault(faults, conf_key_place(t, TUNNEL_RETURN_PATH),
			   "replies need a tunnel that carries IP: write mode = gre, or leave out "
			   "return-path");
}

/* A metric that is so bad that there is no worse one. */
static void check_metrics(const struct conf_tunnel *t, const struct conf_tunnel *from,
			  unsigned steps, struct conf_faults *faults)
{
	for (size_t i = 0; i < from->route_count; i++)
		if (from->routes[i].metric > UINT32_MAX - steps * CONF_BACKUP_METRIC)
			conf_fault(faults, conf_key_place(t, TUNNEL_BACKUP_OF),
				   "the route at %s:%d has metric %u, which leaves no room for a "
				   "backup's: write a metric of %u at most there",
				   from->routes[i].at.file, from->routes[i].at.line,
				   from->routes[i].metric, UINT32_MAX - steps * CONF_BACKUP_METRIC);
}

static void check_backup(const struct conf *conf, const struct conf_tunnel *const *backups,
			 const struct conf_tunnel *t, struct conf_faults *faults)
{
	struct conf_place at = conf_key_place(t, TUNNEL_BACKUP_OF);
	const struct conf_tunnel *from = backups[t - conf->tunnels];
	unsigned steps = 1;

	if (!t->backup_of[0])
		return;
	if (!from) {
		conf_fault(faults, at,
			   "there is no tunnel %s to stand in for: write the name of one that has "
			   "a section",
			   t->backup_of);
		return;
	}
	for (; from && from != t && steps <= CONF_BACKUP_STEPS_MAX; steps++) {
		check_metrics(t, from, steps, faults);
		from = backups[from - conf->tunnels];
	}
	if (from == t && steps == 1)
		conf_fault(faults, at,
			   "the tunnel cannot stand in for itself: write the name of another");
	else if (from == t)
		conf_fault(faults, at,
			   "%s is, in the end, a backup of %s itself: leave out backup-of in one "
			   "of them",
			   t->backup_of, t->name);
	else if (from)
		conf_fault(faults, at,
			   "the chain of backups has more than %d steps, or leads into a circle: "
			   "make it shorter",
			   CONF_BACKUP_STEPS_MAX);
}

static int by_group(const void *a, const void *b)
{
	const struct conf_tunnel *x = *(const struct conf_tunnel *const *)a;
	const struct conf_tunnel *y = *(const struct conf_tunnel *const *)b;
	int order = strcmp(x->group, y->group);

	return order ? order : (x > y) - (x < y);
}

/* `room` is for as many as there are tunnels. */
static void check_group_sizes(const struct conf *conf, const struct conf_tunnel **room,
			      struct conf_faults *faults)
{
	size_t count = conf->tunnel_count, members = 0;

	for (size_t i = 0; i < count; i++)
		room[i] = &conf->tunnels[i];
	qsort(room, count, sizeof *room, by_group);
	for (size_t i = 0; i < count; i++) {
		members = i && strcmp(room[i]->group, room[i - 1]->group) == 0 ? members + 1 : 1;
		if (room[i]->group[0] && members > CONF_GROUP_MAX)
			conf_fault(faults, conf_key_place(room[i], TUNNEL_GROUP),
				   "group %s has %d members already, which is the limit: write "
				   "another group",
				   room[i]->group, CONF_GROUP_MAX);
	}
}

static void check_return_paths(const struct conf *conf, struct conf_faults *faults)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		if (t->return_path && ++count > RETURN_PATHS_MAX)
			conf_fault(faults, conf_key_place(t, TUNNEL_RETURN_PATH),
				   "%d tunnels have a return-path already, which is all that the "
				   "mark can tell apart: leave it out",
				   RETURN_PATHS_MAX);
	}
}

void conf_check_ways(const struct conf *conf, struct conf_faults *faults)
{
	const struct conf_tunnel **backups;

	if (conf_backups(conf, &backups)) {
		faults->lost = true;
		return;
	}
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		check_bridged(&conf->tunnels[i], faults);
		check_group(&conf->tunnels[i], faults);
		check_backup(conf, backups, &conf->tunnels[i], faults);
	}
	check_return_paths(conf, faults);
	check_group_sizes(conf, backups, faults);
	free(backups);
}
