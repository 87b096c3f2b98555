/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dp_lanes.c: how the tunnels of the user lane come to be carried by the kernel lanes. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "dp/dp_state.h"
#include "dp/fast.h"
#include "dp/tunnel.h"
#include "os/bpfattach.h"

struct fast *dp_fast(const struct dp *dp)
{
	return dp->fast;
}

/* The programs know one peer for each interface. */
static bool shares_interface(const struct tunnel *tunnel)
{
	return tunnel->params.multipoint || tunnel->params.hub[0];
}

void dp_set_fast(struct dp *dp, struct tunnel *tunnel)
{
	if (shares_interface(tunnel))
		return;
	if (!dp->fast && dp->fast_expected && fast_may_carry(&tunnel->params))
		(void)bpf_tunnel_prepare(if_nametoindex(tunnel->params.name));
	if (!dp->fast)
		return;
	tunnel->slot = fast_tunnel_set(dp->fast, tunnel->slot, &tunnel->params);
	tunnel->slot_error = tunnel->slot < 0 ? tunnel->slot : 0;
	if (tunnel->slot < 0) {
		tunnel->slot = -1;
	} else {
		tunnel->sequence = fast_sequence(dp->fast, tunnel->slot);
		tunnel->received = fast_received(dp->fast, tunnel->slot);
	}
}

/* A worker comes to know of the kernel lanes; the first works for them. */
static int join_fast(struct worker *worker, void *arg)
{
	worker->fast = arg;
	if (worker->index > 0)
		return 0;
	return uv_timer_start(&worker->tick, worker_on_tick, 0, FAST_TICK_MS);
}

static int move_sequence(struct worker *worker, void *arg)
{
	struct tunnel *tunnel = arg;
	struct port *port = tunnel->ports[worker->index];

	if (worker->index == 0 && tunnel->received->good == 0)
		*tunnel->received = *port->seq;
	port->seq = tunnel->received;

	/* The one that goes on is farther, unless the last process has left it. */
	if (worker->index == 0 && *tunnel->sequence < *port->seq_next)
		*tunnel->sequence = *port->seq_next;
	port->seq_next = tunnel->sequence;
	return 0;
}

void dp_hand_over(struct dp *dp, struct tunnel *tunnel)
{
	bool numbered = tunnel->params.seq_send || tunnel->params.seq_receive;

	dp_set_fast(dp, tunnel);
	for (unsigned i = 0; numbered && i < dp->worker_count; i++)
		worker_run(&dp->workers[i], move_sequence, tunnel);
}

void dp_expect_fast(struct dp *dp, bool expected)
{
	dp->fast_expected = expected;
}

int dp_start_fast(struct dp *dp, struct bpf *bpf)
{
	int err = fast_open(bpf, &dp->fast);

	for (unsigned i = 0; !err && i < dp->worker_count; i++)
		err = worker_run(&dp->workers[i], join_fast, dp->fast);
	if (err)
		return err;
	for (unsigned i = 0; i < NAME_BUCKETS; i++)
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = tunnel->next)
			dp_hand_over(dp, tunnel);
	return 0;
}

int dp_tunnel_way(struct dp *dp, const char *name, uint32_t ifindex)
{
	const struct tunnel *tunnel = dp_find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	if (tunnel->slot >= 0)
		fast_tunnel_way(dp->fast, tunnel->slot, ifindex);
	return 0;
}

int dp_tunnel_lane(const struct dp *dp, const char *name, char *why, unsigned size)
{
	const struct tunnel *tunnel = dp_find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	if (tunnel->slot >= 0)
		return (int)fast_lane(dp->fast, tunnel->slot, &tunnel->params, why, size);
	snprintf(why, size, "%s",
		 shares_interface(tunnel) ? "the kernel lanes carry tunnels to one peer"
		 : tunnel->slot_error	  ? strerror(-tunnel->slot_error)
					  : "");
	return FAST_LANE_USER;
}
