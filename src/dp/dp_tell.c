/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dp_tell.c: what the packet paths know and have counted. */
#include <errno.h>
#include <string.h>

#include "dp/counters.h"
#include "dp/dp_state.h"
#include "dp/fast.h"
#include "dp/tunnel.h"

int dp_tunnel_keepalive(const struct dp *dp, const char *name, struct dp_keepalive *out)
{
	const struct tunnel *tunnel = dp_find_tunnel(dp, name);
	const struct alive *alive;

	if (!tunnel)
		return -ENOENT;
	alive = &dp_speaker(tunnel)->ports[0]->alive;
	*out = (struct dp_keepalive){
		.state = (enum keepalive_state)counter_read(&alive->state),
		.unanswered = (uint32_t)counter_read(&alive->unanswered),
		.since_ns = counter_read(&alive->since_ns),
		.rtt_us = (uint32_t)(counter_read(&alive->rtt_ns) / 1000),
		.jitter_us = (uint32_t)(counter_read(&alive->jitter_ns) / 1000),
		.loss_permille = (uint32_t)counter_read(&alive->loss_permille),
		.held = (uint32_t)counter_read(&alive->held),
		.form = (uint8_t)counter_read(&alive->form),
		.icmp = tunnel->params.probe.family != IP_NONE,
	};
	return 0;
}

static void sum_ports(const struct dp *dp, const struct tunnel *tunnel, struct dp_counters *out)
{
	for (unsigned i = 0; i < dp->worker_count; i++)
		counters_sum(out, &tunnel->ports[i]->counters);
}

int dp_tunnel_counters(const struct dp *dp, const char *name, struct dp_counters *out)
{
	const struct tunnel *tunnel = dp_find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	*out = (struct dp_counters){.rx_packets = 0};
	sum_ports(dp, tunnel, out);
	for (const struct tunnel *peer = tunnel->peers; peer; peer = peer->next_peer)
		sum_ports(dp, peer, out);
	if (tunnel->slot >= 0)
		fast_count(dp->fast, tunnel->slot, out);
	return 0;
}

void dp_stray_counters(const struct dp *dp, uint64_t drops[DROP_REASON_COUNT])
{
	memset(drops, 0, DROP_REASON_COUNT * sizeof *drops);
	for (unsigned i = 0; i < dp->worker_count; i++)
		drops_sum(drops, dp->workers[i].strays);
}

struct stray_query {
	struct dp_stray *strays;
	struct dp_refusal *refusals;
	unsigned count, max;
};

static int copy_strays(struct worker *worker, void *arg)
{
	const struct stray_table *table = &worker->stray_table;
	struct stray_query *query = arg;

	for (unsigned i = 0; query->strays && i < STRAYS_KNOWN + STRAYS_STRANGE; i++)
		if (table->items[i].packets && query->count < query->max)
			query->strays[query->count++] = table->items[i];
	for (unsigned i = 0; query->refusals && i < REFUSALS; i++)
		if (table->refusals[i].packets && query->count < query->max)
			query->refusals[query->count++] = table->refusals[i];
	return 0;
}

static unsigned ask_workers(const struct dp *dp, struct stray_query *query)
{
	for (unsigned i = 0; i < dp->worker_count; i++)
		worker_run((struct worker *)(uintptr_t)&dp->workers[i], copy_strays, query);
	return query->count;
}

unsigned dp_strays(const struct dp *dp, struct dp_stray *out, unsigned max)
{
	return ask_workers(dp, &(struct stray_query){.strays = out, .max = max});
}

unsigned dp_refusals(const struct dp *dp, struct dp_refusal *out, unsigned max)
{
	return ask_workers(dp, &(struct stray_query){.refusals = out, .max = max});
}

uint64_t dp_stray_answers(const struct dp *dp)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp->worker_count; i++)
		sum += counter_read(&dp->workers[i].stray_table.answered);
	return sum;
}
