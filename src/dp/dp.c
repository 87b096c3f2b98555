/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dp.c: the user lane as a whole: its workers, and which tunnel has which ports. Only the main
 * thread is here; what changes a worker runs on that worker as a job.
 */
#include "dp/dp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/counters.h"
#include "dp/fast.h"
#include "dp/lease.h"
#include "dp/port.h"
#include "dp/worker.h"
#include "os/bpfattach.h"
#include "os/packet.h"
#include "os/tun.h"

/* More threads than this only pass the same packets around. */
#define WORKERS_MAX	 16
#define WORKERS_AUTO_MAX 4
#define EVENTS_MAX	 64
#define NAME_BUCKETS	 1024

struct tunnel {
	struct tunnel *next; /* in the chain of its name */
	struct tunnel *next_outer;
	struct dp_params params;
	struct lease lease;
	uint32_t seen_round;	/* of the lease clock, in which its sample was seen */
	uint32_t sequence_next; /* where the kernel lanes do not have one */
	uint32_t *sequence;	/* the one in use */
	bool carrier;		/* what the interface shows */
	uint64_t told;		/* the enum keepalive_state of the last event */
	int slot;		/* of the kernel lanes; -1: they do not have it */
	int slot_error;		/* why not */
	struct port *ports[];	/* one for each worker */
};

struct dp {
	unsigned worker_count;
	struct worker workers[WORKERS_MAX];
	struct tunnel *names[NAME_BUCKETS];
	struct tunnel *outers[NAME_BUCKETS]; /* by remote address and key of what is sent */
	struct lease_tap tap;
	struct fast *fast; /* NULL: there are no kernel lanes */
	bool fast_expected;
	unsigned bound_tunnels; /* those bound to a device */
	dp_event_fn on_event;
	void *on_event_arg;
	uv_async_t wake;      /* on the main loop; the owner of dp after dp_stop() */
	pthread_mutex_t lock; /* of the following */
	bool verdicts;	      /* some keepalive has come to another verdict */
	unsigned event_count;
	struct dp_event events[EVENTS_MAX];
};

/* Events from any thread to the main one. */

static bool same_event(const struct dp_event *a, const struct dp_event *b)
{
	return a->kind == b->kind && addr_equal(&a->remote, &b->remote) &&
	       strcmp(a->name, b->name) == 0;
}

/* An event says "look again", so that a repeated one, or one too many, is no loss: the session also
 * looks by itself. */
static void queue_event(struct dp *dp, const struct dp_event *event)
{
	unsigned i = 0;

	while (i < dp->event_count && !same_event(&dp->events[i], event))
		i++;
	if (i == dp->event_count && i < EVENTS_MAX)
		dp->events[dp->event_count++] = *event;
}

/* Verdicts have no place in the queue: none may be lost. */
static void notify(void *arg, const struct dp_event *event)
{
	struct dp *dp = arg;

	pthread_mutex_lock(&dp->lock);
	if (event->kind == DP_EVENT_VERDICT)
		dp->verdicts = true;
	else
		queue_event(dp, event);
	pthread_mutex_unlock(&dp->lock);
	uv_async_send(&dp->wake);
}

/* The carrier is for whoever watches the interface, a routing daemon above all. It stops what the
 * host sends by it, not what arrives. */
static void show_verdict(struct dp *dp, struct tunnel *tunnel)
{
	const struct port *port = tunnel->ports[0];
	struct dp_event event = {.kind = DP_EVENT_VERDICT};
	uint64_t state = counter_read(&port->alive.state);

	event.carrier =
		keepalive_carrier((uint8_t)state) && tunnel->params.remote.family != IP_NONE;
	if (event.carrier == tunnel->carrier && state == tunnel->told)
		return;
	if (event.carrier != tunnel->carrier)
		event.error = tun_set_carrier(port->fd, event.carrier);
	tunnel->carrier = event.carrier;
	tunnel->told = state;
	memcpy(event.name, tunnel->params.name, sizeof event.name);
	dp->on_event(dp->on_event_arg, &event);
}

static void show_verdicts(struct dp *dp)
{
	for (unsigned i = 0; i < NAME_BUCKETS; i++)
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = tunnel->next)
			show_verdict(dp, tunnel);
}

static void on_wake(uv_async_t *wake)
{
	struct dp *dp = wake->data;
	struct dp_event events[EVENTS_MAX];
	unsigned count;
	bool verdicts;

	if (!dp->on_event) /* stopped: the tunnels are gone */
		return;
	pthread_mutex_lock(&dp->lock);
	count = dp->event_count;
	memcpy(events, dp->events, count * sizeof *events);
	dp->event_count = 0;
	verdicts = dp->verdicts;
	dp->verdicts = false;
	pthread_mutex_unlock(&dp->lock);
	for (unsigned i = 0; i < count; i++)
		dp->on_event(dp->on_event_arg, &events[i]);
	if (verdicts)
		show_verdicts(dp);
}

/* Leases. */

static struct tunnel **outer_slot(struct dp *dp, const struct ip_addr *remote, uint32_t key)
{
	uint32_t h = key * 0x9e3779b1u;

	for (unsigned i = 0; i < addr_size(remote->family); i++)
		h = (h ^ remote->bytes[i]) * 16777619u;
	return &dp->outers[h % NAME_BUCKETS];
}

static void link_outer(struct dp *dp, struct tunnel *tunnel)
{
	struct tunnel **slot = outer_slot(dp, &tunnel->params.remote, tunnel->params.okey);

	tunnel->next_outer = *slot;
	*slot = tunnel;
}

static void unlink_outer(struct dp *dp, struct tunnel *tunnel)
{
	struct tunnel **slot = outer_slot(dp, &tunnel->params.remote, tunnel->params.okey);

	while (*slot != tunnel)
		slot = &(*slot)->next_outer;
	*slot = tunnel->next_outer;
}

/* Samples of this round that the tap still holds are from before, too. */
static void end_lease(struct dp *dp, struct tunnel *tunnel)
{
	lease_revoke(&tunnel->lease);
	tunnel->seen_round = dp->tap.clock.round;
}

/* A packet left this host through the kernel's output path: whose sample was it? */
static void on_seen(void *arg, const struct packet_seen *seen)
{
	struct dp *dp = arg;
	uint64_t until = dp->tap.round_ns + LEASE_NS;
	struct ip_addr remote;
	uint32_t key;

	if (!lease_owner(seen, &remote, &key))
		return;
	for (struct tunnel *t = *outer_slot(dp, &remote, key); t; t = t->next_outer) {
		/* A packet passes several devices where one stands on another (a bond, a bridge):
		 * the first to see it is the one that the route names. */
		if (t->seen_round == dp->tap.clock.round || !lease_matches(&t->params, seen))
			continue;
		t->seen_round = dp->tap.clock.round;
		lease_grant(&t->lease, seen->ifindex, seen->mac, until);
	}
}

void dp_leases_revoke(struct dp *dp)
{
	if (dp->fast)
		fast_void_flows(dp->fast);
	for (unsigned i = 0; i < NAME_BUCKETS; i++)
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = tunnel->next)
			end_lease(dp, tunnel);
}

/* Start and stop. */

static unsigned count_workers(unsigned wanted)
{
	cpu_set_t cpus;
	unsigned n = 1;

	if (wanted)
		return wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		n = (unsigned)CPU_COUNT(&cpus);
	return n < WORKERS_AUTO_MAX ? n : WORKERS_AUTO_MAX;
}

static void stop_workers(struct dp *dp)
{
	while (dp->worker_count > 0)
		worker_stop(&dp->workers[--dp->worker_count]);
}

static int start_workers(struct dp *dp, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct worker *worker = &dp->workers[i];
		int err;

		worker->notify = notify;
		worker->notify_arg = dp;
		worker->clock = &dp->tap.clock;
		err = worker_start(worker, i, count);
		if (err)
			return err;
		dp->worker_count++;
	}
	return 0;
}

static void on_wake_closed(uv_handle_t *handle)
{
	struct dp *dp = handle->data;

	pthread_mutex_destroy(&dp->lock);
	free(dp);
}

static void on_tap_stopped(void *arg)
{
	struct dp *dp = arg;

	uv_close((uv_handle_t *)&dp->wake, on_wake_closed);
}

int dp_start(struct uv_loop_s *loop, unsigned workers, dp_event_fn on_event, void *arg,
	     struct dp **out)
{
	struct dp *dp = calloc(1, sizeof *dp);
	int err;

	if (!dp)
		return -ENOMEM;
	dp->on_event = on_event;
	dp->on_event_arg = arg;
	pthread_mutex_init(&dp->lock, NULL);
	err = uv_async_init(loop, &dp->wake, on_wake);
	if (err) {
		free(dp);
		return err;
	}
	dp->wake.data = dp;
	uv_unref((uv_handle_t *)&dp->wake);
	err = lease_tap_start(&dp->tap, loop, on_seen, dp);
	if (!err)
		err = start_workers(dp, count_workers(workers));
	if (err) {
		dp_stop(dp, true);
		return err;
	}
	*out = dp;
	return 0;
}

/* After the workers have ended; their loops have closed the handles. */
static void free_tunnel(struct tunnel *tunnel, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++) {
		close(tunnel->ports[i]->fd);
		free(tunnel->ports[i]);
	}
	free(tunnel);
}

void dp_stop(struct dp *dp, bool keep)
{
	unsigned workers = dp->worker_count;

	stop_workers(dp);
	if (dp->fast)
		fast_close(dp->fast, keep);
	dp->on_event = NULL;
	for (unsigned i = 0; i < NAME_BUCKETS; i++) {
		struct tunnel *next;
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = next) {
			next = tunnel->next;
			free_tunnel(tunnel, workers);
		}
	}
	lease_tap_stop(&dp->tap, on_tap_stopped);
}

struct fast *dp_fast(const struct dp *dp)
{
	return dp->fast;
}

unsigned dp_workers(const struct dp *dp)
{
	return dp->worker_count;
}

/* Names. */

static struct tunnel **find_slot(struct dp *dp, const char *name)
{
	uint32_t h = 2166136261u;
	struct tunnel **slot;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	slot = &dp->names[h % NAME_BUCKETS];
	while (*slot && strcmp((*slot)->params.name, name) != 0)
		slot = &(*slot)->next;
	return slot;
}

static struct tunnel *find_tunnel(const struct dp *dp, const char *name)
{
	return *find_slot((struct dp *)(uintptr_t)dp, name);
}

bool dp_tunnel_known(const struct dp *dp, const char *name)
{
	return find_tunnel(dp, name) != NULL;
}

/* Tunnels. */

/* The device of arrival is asked for only while some tunnel is bound to one: it costs time. */
static int count_bound(struct dp *dp, const struct dp_params *before, const struct dp_params *after)
{
	unsigned count = dp->bound_tunnels - (before && before->bind_ifindex) +
			 (after && after->bind_ifindex);
	bool on = count > 0;
	int err = 0;

	if (on != (dp->bound_tunnels > 0))
		for (unsigned i = 0; i < dp->worker_count && !err; i++)
			err = worker_run(&dp->workers[i], port_want_device, &on);
	if (!err)
		dp->bound_tunnels = count;
	return err;
}

/* What the kernel lanes do not take, the user lane carries. */
static void set_fast(struct dp *dp, struct tunnel *tunnel)
{
	if (!dp->fast && dp->fast_expected && tunnel->params.lane != DP_LANE_USER)
		(void)bpf_attach_prepare(if_nametoindex(tunnel->params.name));
	if (!dp->fast)
		return;
	tunnel->slot = fast_tunnel_set(dp->fast, tunnel->slot, &tunnel->params);
	tunnel->slot_error = tunnel->slot < 0 ? tunnel->slot : 0;
	if (tunnel->slot < 0)
		tunnel->slot = -1;
	else
		tunnel->sequence = fast_sequence(dp->fast, tunnel->slot);
}

static int add_ports(struct dp *dp, struct tunnel *tunnel, const struct dp_params *params)
{
	int err = 0;

	for (unsigned i = 0; i < dp->worker_count; i++) {
		struct worker *worker = &dp->workers[i];
		struct port *port =
			port_new(worker, params, tunnel->sequence, &tunnel->lease, &err);
		/* The first has made the device, if need be. */
		if (port && i == 0)
			set_fast(dp, tunnel);
		if (port)
			port->seq_next = tunnel->sequence;
		if (port)
			err = worker_run(worker, port_add, &(struct port_job){port, params});
		if (err)
			return err;
		tunnel->ports[i] = port;
	}
	return 0;
}

static void remove_ports(struct dp *dp, struct tunnel *tunnel, bool destroy)
{
	for (unsigned i = 0; i < dp->worker_count && tunnel->ports[i]; i++) {
		if (destroy)
			tun_forget(tunnel->ports[i]->fd);
		worker_run(&dp->workers[i], port_remove, tunnel->ports[i]);
		tunnel->ports[i] = NULL;
	}
}

int dp_tunnel_add(struct dp *dp, const struct dp_params *params)
{
	struct tunnel **slot = find_slot(dp, params->name);
	struct tunnel *tunnel;
	int err;

	if (*slot)
		return -EEXIST;
	tunnel = calloc(1, sizeof *tunnel + dp->worker_count * sizeof(struct port *));
	if (!tunnel)
		return -ENOMEM;
	tunnel->params = *params;
	tunnel->carrier = true; /* attaching turns it on */
	tunnel->slot = -1;
	tunnel->sequence = &tunnel->sequence_next;
	err = count_bound(dp, NULL, params);
	if (err) {
		free(tunnel);
		return err;
	}
	/* Whether the device was there before is not ours to say: the caller removes what it made.
	 */
	err = add_ports(dp, tunnel, params);
	if (err) {
		remove_ports(dp, tunnel, false);
		if (tunnel->slot >= 0)
			fast_tunnel_remove(dp->fast, tunnel->slot);
		count_bound(dp, params, NULL);
		free(tunnel);
		return err;
	}
	*slot = tunnel;
	link_outer(dp, tunnel);
	show_verdict(dp, tunnel);
	return 0;
}

int dp_tunnel_change(struct dp *dp, const struct dp_params *params)
{
	struct tunnel *tunnel = find_tunnel(dp, params->name);
	int err;

	if (!tunnel)
		return -ENOENT;
	err = count_bound(dp, &tunnel->params, params);
	if (err)
		return err;
	end_lease(dp, tunnel);
	unlink_outer(dp, tunnel);
	tunnel->params = *params;
	link_outer(dp, tunnel);
	for (unsigned i = 0; i < dp->worker_count && !err; i++)
		err = worker_run(&dp->workers[i], port_change,
				 &(struct port_job){tunnel->ports[i], params});
	if (tunnel->slot >= 0)
		set_fast(dp, tunnel);
	show_verdict(dp, tunnel);
	return err;
}

int dp_tunnel_del(struct dp *dp, const char *name, bool destroy)
{
	struct tunnel **slot = find_slot(dp, name);
	struct tunnel *tunnel = *slot;

	if (!tunnel)
		return -ENOENT;
	remove_ports(dp, tunnel, destroy);
	if (tunnel->slot >= 0)
		fast_tunnel_remove(dp->fast, tunnel->slot);
	count_bound(dp, &tunnel->params, NULL);
	unlink_outer(dp, tunnel);
	*slot = tunnel->next;
	free(tunnel);
	return 0;
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

	/* The one that goes on is farther, unless the last process has left it. */
	if (worker->index == 0 && *tunnel->sequence < *port->seq_next)
		*tunnel->sequence = *port->seq_next;
	port->seq_next = tunnel->sequence;
	return 0;
}

static void hand_over(struct dp *dp, struct tunnel *tunnel)
{
	set_fast(dp, tunnel);
	for (unsigned i = 0; tunnel->params.seq_send && i < dp->worker_count; i++)
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
			hand_over(dp, tunnel);
	return 0;
}

int dp_tunnel_keepalive(const struct dp *dp, const char *name, struct dp_keepalive *out)
{
	const struct tunnel *tunnel = find_tunnel(dp, name);
	const struct alive *alive;

	if (!tunnel)
		return -ENOENT;
	alive = &tunnel->ports[0]->alive;
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

int dp_tunnel_counters(const struct dp *dp, const char *name, struct dp_counters *out)
{
	const struct tunnel *tunnel = find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	*out = (struct dp_counters){.rx_packets = 0};
	for (unsigned i = 0; i < dp->worker_count; i++)
		counters_sum(out, &tunnel->ports[i]->counters);
	if (tunnel->slot >= 0)
		fast_count(dp->fast, tunnel->slot, out);
	return 0;
}

int dp_tunnel_way(struct dp *dp, const char *name, uint32_t ifindex)
{
	const struct tunnel *tunnel = find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	if (tunnel->slot >= 0)
		fast_tunnel_way(dp->fast, tunnel->slot, ifindex);
	return 0;
}

int dp_tunnel_lane(const struct dp *dp, const char *name, char *why, unsigned size)
{
	const struct tunnel *tunnel = find_tunnel(dp, name);

	if (!tunnel)
		return -ENOENT;
	if (tunnel->slot >= 0)
		return (int)fast_lane(dp->fast, tunnel->slot, &tunnel->params, why, size);
	snprintf(why, size, "%s", tunnel->slot_error ? strerror(-tunnel->slot_error) : "");
	return FAST_LANE_USER;
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
