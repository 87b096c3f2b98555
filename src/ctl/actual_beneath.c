/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to a peer as it would be without us. The kernel cannot be asked that: where a route of
 * ours or a tunnel of ours answers, the routes of the main table are read and the best other one is
 * chosen as the kernel does, by the longest prefix and then by metric; the table `default` comes
 * after it. A host without a default route over a tunnel is never read so.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/actual_read.h"

#define DUMP_TRIES 10

/* A peer whose way has to be found, by address. */
struct seeker {
	struct ip_addr remote;
	struct actual_way *way;
};

struct search {
	struct actual *actual;
	struct seeker *seekers;
	size_t count;
};

static int compare_seekers(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static bool is_ours_at(const struct actual *actual, uint32_t oif)
{
	const struct link_info *link = actual_link_at(actual, oif);

	return link && actual_is_ours(actual, link);
}

/* The first hop that is alive and not ours; false when there is none. */
static bool pick_hop(const struct actual *actual, const struct route_info *route,
		     struct route_way *out)
{
	if (route->oif && !route->dead && !is_ours_at(actual, route->oif)) {
		out->oif = route->oif;
		out->gateway = route->gateway;
		return true;
	}
	for (size_t i = 0; i < route->hop_count; i++) {
		const struct route_hop *hop = &route->hops[i];

		if (hop->dead || is_ours_at(actual, hop->oif))
			continue;
		out->oif = hop->oif;
		out->gateway = hop->gateway;
		return true;
	}
	return false;
}

static bool is_better(const struct route_way *found, const struct actual_way *than)
{
	const struct route_way *best = &than->beneath;

	if (than->beneath_error)
		return true;
	if (found->table != best->table)
		return found->table == ROUTE_TABLE_MAIN;
	if (found->match.len != best->match.len)
		return found->match.len > best->match.len;
	return found->metric < best->metric;
}

static int offer(void *arg, const struct route_info *route)
{
	struct search *search = arg;
	struct route_way found = {.match = route->to,
				  .table = route->table,
				  .metric = route->metric,
				  .protocol = route->protocol,
				  .type = route->type,
				  .mtu = route->mtu,
				  .route_mtu = route->mtu};
	size_t low = 0, high = search->count;

	if (route->protocol == OS_PROTOCOL || route->selective || route->type != RTN_UNICAST ||
	    (route->table != ROUTE_TABLE_MAIN && route->table != RT_TABLE_DEFAULT) ||
	    !pick_hop(search->actual, route, &found))
		return 0;
	/* Those that the prefix covers stand side by side. */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (memcmp(&search->seekers[middle].remote, &route->to.addr,
			   sizeof(struct ip_addr)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < search->count && prefix_contains(&route->to, &search->seekers[low].remote);
	     low++) {
		struct actual_way *way = search->seekers[low].way;

		if (!is_better(&found, way))
			continue;
		way->beneath = found;
		way->beneath_error = 0;
	}
	return 0;
}

static int read_family(struct nl *nl, uint8_t family, struct search *search)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		for (size_t j = 0; j < search->count; j++)
			if (search->seekers[j].remote.family == family)
				search->seekers[j].way->beneath_error = -ENETUNREACH;
		err = route_each(nl, family, 0, offer, search);
	}
	return err;
}

int actual_read_beneath(struct nl *nl, struct actual *actual)
{
	const struct conf *conf = actual->conf;
	struct search search = {
		.actual = actual,
		.seekers = calloc(conf->tunnel_count + 1, sizeof(struct seeker)),
	};
	bool families[2] = {false, false};
	int err = 0;

	if (!search.seekers)
		return -ENOMEM;
	for (size_t i = 0; i < actual->way_count; i++) {
		struct actual_way *way = &actual->ways[i];

		way->beneath = way->way;
		way->beneath_error = way->error;
		if (!conf_has_ends(&conf->tunnels[i]) ||
		    (!way->error && way->way.protocol != OS_PROTOCOL &&
		     !is_ours_at(actual, way->way.oif)))
			continue;
		/* In a VRF nothing is pinned, so what would be beneath is of no use. */
		if (actual_bound_vrf(actual, &conf->tunnels[i])) {
			way->beneath_error = -ENETUNREACH;
			continue;
		}
		search.seekers[search.count++] = (struct seeker){conf->tunnels[i].remote, way};
		families[conf->tunnels[i].remote.family == IP_V6] = true;
	}
	qsort(search.seekers, search.count, sizeof(*search.seekers), compare_seekers);
	if (families[0])
		err = read_family(nl, IP_V4, &search);
	if (!err && families[1])
		err = read_family(nl, IP_V6, &search);
	free(search.seekers);
	return err;
}
