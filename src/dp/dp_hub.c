/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dp_hub.c: which tunnels are peers of which multipoint tunnel. */
#include <errno.h>
#include <string.h>

#include "dp/counters.h"
#include "dp/dp_state.h"
#include "dp/hub.h"
#include "dp/tunnel.h"

static int join(struct dp *dp, struct tunnel *hub, struct tunnel *peer)
{
	int err = 0;

	peer->hub = hub;
	peer->next_peer = hub->peers;
	hub->peers = peer;
	for (unsigned i = 0; i < dp->worker_count && !err; i++)
		err = worker_run(&dp->workers[i], hub_join,
				 &(struct hub_job){hub->ports[i], peer->ports[i]});
	return err;
}

static void part(struct dp *dp, struct tunnel *peer)
{
	struct tunnel **slot = &peer->hub->peers;

	for (unsigned i = 0; i < dp->worker_count; i++)
		worker_run(&dp->workers[i], hub_leave, peer->ports[i]);
	while (*slot != peer)
		slot = &(*slot)->next_peer;
	*slot = peer->next_peer;
	peer->hub = NULL;
}

/* Peers of an interface that is made anew wait for it. */
static int join_waiting(struct dp *dp, struct tunnel *hub)
{
	int err = 0;

	for (unsigned i = 0; i < NAME_BUCKETS && !err; i++)
		for (struct tunnel *peer = dp->names[i]; peer && !err; peer = peer->next)
			if (strcmp(peer->params.hub, hub->params.name) == 0)
				err = join(dp, hub, peer);
	return err;
}

int dp_join(struct dp *dp, struct tunnel *tunnel)
{
	struct tunnel *hub;

	if (tunnel->params.multipoint)
		return join_waiting(dp, tunnel);
	hub = tunnel->params.hub[0] ? dp_find_tunnel(dp, tunnel->params.hub) : NULL;
	return hub && hub->params.multipoint ? join(dp, hub, tunnel) : 0;
}

void dp_part(struct dp *dp, struct tunnel *tunnel)
{
	if (tunnel->hub)
		part(dp, tunnel);
	while (tunnel->peers)
		part(dp, tunnel->peers);
}

/* The lower the better. */
static unsigned rank(const struct tunnel *tunnel)
{
	static const unsigned ranks[] = {[KEEPALIVE_UP] = 0,
					 [KEEPALIVE_OFF] = 1,
					 [KEEPALIVE_UNKNOWN] = 2,
					 [KEEPALIVE_HOLD] = 3,
					 [KEEPALIVE_DOWN] = 4};

	return ranks[counter_read(&tunnel->ports[0]->alive.state)];
}

const struct tunnel *dp_speaker(const struct tunnel *tunnel)
{
	const struct tunnel *best = tunnel->peers ? tunnel->peers : tunnel;

	for (const struct tunnel *peer = tunnel->peers; peer; peer = peer->next_peer)
		if (rank(peer) < rank(best))
			best = peer;
	return best;
}

struct query {
	const struct tunnel *hub;
	struct dp_unresolved *out;
	unsigned count, max;
};

static void add(struct query *query, const struct dp_unresolved *unresolved)
{
	for (unsigned i = 0; i < query->count; i++) {
		struct dp_unresolved *u = &query->out[i];

		if (!addr_equal(&u->next_hop, &unresolved->next_hop))
			continue;
		u->asked += unresolved->asked;
		if (u->last_ns < unresolved->last_ns)
			u->last_ns = unresolved->last_ns;
		return;
	}
	if (query->count < query->max)
		query->out[query->count++] = *unresolved;
}

static int copy_unresolved(struct worker *worker, void *arg)
{
	struct query *query = arg;
	const struct hub *hub = query->hub->ports[worker->index]->peers;

	for (unsigned i = 0; i < DP_UNRESOLVED_MAX; i++)
		if (hub->unresolved[i].asked)
			add(query, &hub->unresolved[i]);
	return 0;
}

unsigned dp_tunnel_unresolved(const struct dp *dp, const char *name, struct dp_unresolved *out,
			      unsigned max)
{
	struct query query = {dp_find_tunnel(dp, name), out, 0, max};

	if (!query.hub || !query.hub->params.multipoint)
		return 0;
	for (unsigned i = 0; i < dp->worker_count; i++)
		worker_run((struct worker *)(uintptr_t)&dp->workers[i], copy_unresolved, &query);
	return query.count;
}
