/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct conf_tunnel *const *)a)->name,
		      (*(const struct conf_tunnel *const *)b)->name);
}

static int compare_name(const void *name, const void *tunnel)
{
	return strcmp(name, (*(const struct conf_tunnel *const *)tunnel)->name);
}

static const struct conf_tunnel *find(const struct conf_tunnel **sorted, size_t count,
				      const char *name)
{
	const struct conf_tunnel **found =
		name[0] ? bsearch(name, sorted, count, sizeof(*sorted), compare_name) : NULL;

	return found ? *found : NULL;
}

int conf_backups(const struct conf *conf, const struct conf_tunnel ***out)
{
	size_t count = conf->tunnel_count;
	const struct conf_tunnel **sorted = calloc(count + 1, sizeof(*sorted));

	*out = calloc(count + 1, sizeof(**out));
	if (!sorted || !*out) {
		free(sorted);
		free(*out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = &conf->tunnels[i];
	qsort(sorted, count, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < count; i++)
		(*out)[i] = find(sorted, count, conf->tunnels[i].backup_of);
	free(sorted);
	return 0;
}

/* A list that grows, and the order in which its items were added. */
struct list {
	struct item {
		struct conf_way way;
		size_t order;
	} * items;
	size_t count, room;
};

static int add(struct list *list, const struct conf_tunnel *tunnel, const struct conf_route *route,
	       unsigned steps)
{
	uint64_t metric = route->metric;
	struct item *item;

	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct item *items = reallocarray(list->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	if (!metric && route->to.addr.family == IP_V6)
		metric = CONF_METRIC6_DEFAULT;
	metric += (uint64_t)steps * CONF_BACKUP_METRIC;
	/* There is no worse one, which is refused. */
	if (metric > UINT32_MAX)
		return 0;
	item = &list->items[list->count];
	*item = (struct item){{*route, tunnel, steps}, list->count};
	item->way.route.metric = (uint32_t)metric;
	if (steps)
		item->way.route.via = (struct ip_addr){0};
	list->count++;
	return 0;
}

/* A chain that is too long, or leads into a circle, is refused. */
static bool has_end(const struct conf *conf, const struct conf_tunnel *const *backups,
		    const struct conf_tunnel *tunnel)
{
	for (int i = 0; i <= CONF_BACKUP_STEPS_MAX; i++) {
		tunnel = backups[tunnel - conf->tunnels];
		if (!tunnel)
			return true;
	}
	return false;
}

static int add_tunnel(struct list *list, const struct conf *conf,
		      const struct conf_tunnel *const *backups, const struct conf_tunnel *tunnel)
{
	bool chain = has_end(conf, backups, tunnel);
	const struct conf_tunnel *from = tunnel;

	for (unsigned steps = 0; from; steps++) {
		for (size_t i = 0; i < from->route_count; i++)
			if (add(list, tunnel, &from->routes[i], steps))
				return -ENOMEM;
		from = chain ? backups[from - conf->tunnels] : NULL;
	}
	return 0;
}

/* Whether two are routes of one tunnel to one network in one table: then that of fewer steps
 * counts.
 */
static int compare_targets(const struct item *a, const struct item *b)
{
	const struct conf_route *x = &a->way.route, *y = &b->way.route;

	if (a->way.tunnel != b->way.tunnel)
		return a->way.tunnel < b->way.tunnel ? -1 : 1;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->to.len != y->to.len)
		return x->to.len - y->to.len;
	return memcmp(&x->to.addr, &y->to.addr, sizeof(x->to.addr));
}

static int by_target(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = compare_targets(x, y);

	if (order)
		return order;
	return x->way.steps != y->way.steps ? (int)x->way.steps - (int)y->way.steps
					    : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static void drop_covered(struct list *list)
{
	size_t kept = 0, first = 0;

	qsort(list->items, list->count, sizeof(*list->items), by_target);
	for (size_t i = 0; i < list->count; i++) {
		if (!i || compare_targets(&list->items[first], &list->items[i]) != 0)
			first = kept;
		/* The first of its target was kept at or before its place. */
		if (first == kept || list->items[i].way.steps == list->items[first].way.steps)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
	qsort(list->items, list->count, sizeof(*list->items), by_order);
}

int conf_ways(const struct conf *conf, struct conf_way **out, size_t *count)
{
	const struct conf_tunnel **backups;
	struct list list = {0};
	int err = conf_backups(conf, &backups);

	*out = NULL;
	*count = 0;
	if (err)
		return err;
	for (size_t i = 0; !err && i < conf->tunnel_count; i++)
		err = add_tunnel(&list, conf, backups, &conf->tunnels[i]);
	free(backups);
	if (!err)
		*out = calloc(list.count + 1, sizeof(**out));
	if (*out) {
		if (list.count)
			drop_covered(&list);
		for (size_t i = 0; i < list.count; i++)
			(*out)[i] = list.items[i].way;
		*count = list.count;
	}
	free(list.items);
	return *out ? 0 : -ENOMEM;
}
