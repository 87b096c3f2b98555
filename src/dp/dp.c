/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dp.c: the user lane as a whole: its workers, and which tunnel has which ports. Only the main
 * thread is here; what changes a worker runs on that worker as a job.
 */
#include "dp/dp.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/counters.h"
#include "dp/dp_state.h"
#include "dp/ears.h"
#include "dp/fast.h"
#include "dp/port.h"
#include "dp/roam.h"
#include "dp/send.h"
#include "dp/udp.h"
#include "os/packet.h"
#include "os/tun.h"
#include "proto/nvgre.h"

#define WORKERS_AUTO_MAX 4

/* Events from any thread to the main one. */

/* Where a peer is, the last proof says. */
static bool same_event(const struct dp_event *a, const struct dp_event *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 &&
	       (a->kind == DP_EVENT_PROVED || addr_equal(&a->remote, &b->remote));
}

/* An event says "look again", so that a repeated one, or one too many, is no loss: the session also
 * looks by itself, and a peer that was not heard is asked again. */
static void queue_event(struct dp *dp, const struct dp_event *event)
{
	unsigned i = 0;

	while (i < dp->event_count && !same_event(&dp->events[i], event))
		i++;
	if (i == EVENTS_MAX)
		return;
	dp->events[i] = *event;
	if (i == dp->event_count)
		dp->event_count++;
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
	const struct dp_params *params = &tunnel->params;
	struct dp_event event = {.kind = DP_EVENT_VERDICT};
	uint64_t state = counter_read(&dp_speaker(tunnel)->ports[0]->alive.state);

	event.carrier = keepalive_carrier((uint8_t)state) &&
			(params->remote.family != IP_NONE || params->multipoint);
	if (event.carrier == tunnel->carrier && state == tunnel->told)
		return;
	if (event.carrier != tunnel->carrier && !params->hub[0])
		event.error = tun_set_carrier(tunnel->ports[0]->fd, event.carrier);
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

/* Whether what leaves may be sent by the programs: it has not passed the kernel's output path, and
 * so it shows nothing of it. Those of the last process carry while ours are being loaded. */
static bool programs_send(const struct dp *dp, const struct tunnel *t)
{
	if (!dp->fast)
		return dp->fast_expected;
	return t->slot >= 0 && fast_sends(dp->fast, t->slot, dp->tap.round_ns);
}

static void grant_leases(struct dp *dp, const struct packet_seen *seen,
			 const struct ip_addr *remote, uint32_t key)
{
	struct tunnel *first = *outer_slot(dp, remote, key);

	/* Tunnels that differ by a device, or by the key that they receive, write alike. */
	for (struct tunnel *t = first; t; t = t->next_outer)
		if (programs_send(dp, t) && lease_matches(&t->params, seen))
			return;
	for (struct tunnel *t = first; t; t = t->next_outer) {
		/* A packet passes several devices where one stands on another (a bond, a bridge):
		 * the first to see it is the one that the route names. */
		if (t->seen_round == dp->tap.clock.round || !lease_matches(&t->params, seen))
			continue;
		t->seen_round = dp->tap.clock.round;
		lease_grant(&dp->tap, &t->lease, seen);
	}
}

/* A packet left this host through the kernel's output path: whose sample was it? */
static void on_seen(void *arg, const struct packet_seen *seen)
{
	struct dp *dp = arg;
	struct ip_addr remote;
	uint32_t key, subnet;

	if (dp->tap.void_round == dp->tap.clock.round || !lease_owner(seen, &remote, &key))
		return;
	grant_leases(dp, seen, &remote, key);
	/* Of NVGRE the key that the tunnel is filed under has no FlowID. */
	subnet = nvgre_key(nvgre_vsid(key), 0);
	if (subnet != key)
		grant_leases(dp, seen, &remote, subnet);
}

void dp_leases_revoke(struct dp *dp)
{
	if (dp->fast)
		fast_void_flows(dp->fast);
	lease_revoke_all(&dp->tap);
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
		err = sender_draw_ids();
	if (!err)
		err = roam_draw();
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
		if (!tunnel->params.hub[0])
			close(tunnel->ports[i]->fd);
		port_free(tunnel->ports[i]);
	}
	free(tunnel);
}

void dp_stop(struct dp *dp, bool keep)
{
	unsigned workers = dp->worker_count;

	stop_workers(dp);
	if (dp->fast)
		fast_close(dp->fast, keep);
	udp_forget(dp);
	dp->on_event = NULL;
	for (unsigned i = 0; i < NAME_BUCKETS; i++) {
		struct tunnel *next;
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = next) {
			next = tunnel->next;
			ears_release(&dp->ears, &tunnel->params);
			free_tunnel(tunnel, workers);
		}
	}
	lease_tap_stop(&dp->tap, on_tap_stopped);
}

unsigned dp_workers(const struct dp *dp)
{
	return dp->worker_count;
}

/* Names. */

static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return h;
}

static struct tunnel **find_slot(struct dp *dp, const char *name)
{
	uint32_t h = name_hash(name);
	struct tunnel **slot = &dp->names[h % NAME_BUCKETS];

	while (*slot && ((*slot)->name_hash != h || strcmp((*slot)->params.name, name) != 0))
		slot = &(*slot)->next;
	return slot;
}

struct tunnel *dp_find_tunnel(const struct dp *dp, const char *name)
{
	return *find_slot((struct dp *)(uintptr_t)dp, name);
}

bool dp_tunnel_known(const struct dp *dp, const char *name)
{
	return dp_find_tunnel(dp, name) != NULL;
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

/* What a tunnel needs of all workers beside its ports; `before`: what it had until now, or NULL. */
static int begin(struct dp *dp, const struct dp_params *before, const struct dp_params *params)
{
	int err = ears_take(&dp->ears, params);

	if (err)
		return err;
	err = udp_take(dp, params->udp_port);
	if (!err) {
		err = count_bound(dp, before, params);
		if (err)
			udp_leave(dp, params->udp_port);
	}
	if (err)
		ears_release(&dp->ears, params);
	return err;
}

static void let_go(struct dp *dp, const struct dp_params *params)
{
	udp_leave(dp, params->udp_port);
	ears_release(&dp->ears, params);
}

static void end(struct dp *dp, const struct dp_params *params)
{
	count_bound(dp, params, NULL);
	let_go(dp, params);
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
			dp_set_fast(dp, tunnel);
		if (port) {
			port->seq_next = tunnel->sequence;
			port->seq = tunnel->received;
		}
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
		if (destroy && !tunnel->params.hub[0])
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
	tunnel->name_hash = name_hash(params->name);
	tunnel->carrier = true; /* attaching turns it on */
	tunnel->slot = -1;
	tunnel->sequence = &tunnel->sequence_next;
	tunnel->received = &tunnel->received_own;
	err = begin(dp, NULL, params);
	if (err) {
		free(tunnel);
		return err;
	}
	/* Whether the device was there before is not ours to say: the caller removes what it made.
	 */
	err = add_ports(dp, tunnel, params);
	if (!err)
		err = dp_join(dp, tunnel);
	if (err) {
		dp_part(dp, tunnel);
		remove_ports(dp, tunnel, false);
		if (tunnel->slot >= 0)
			fast_tunnel_remove(dp->fast, tunnel->slot);
		end(dp, params);
		free(tunnel);
		return err;
	}
	*slot = tunnel;
	link_outer(dp, tunnel);
	show_verdict(dp, tunnel);
	return 0;
}

/* Whether what is received is another stream of numbers: each key has its own (RFC 2890 2.2), and
 * each pair of addresses; and what came before numbers were looked at is nothing to go by. */
static bool is_other_stream(const struct dp_params *a, const struct dp_params *b)
{
	return a->has_ikey != b->has_ikey || a->ikey != b->ikey || a->form != b->form ||
	       a->seq_receive != b->seq_receive || !addr_equal(&a->local, &b->local) ||
	       !addr_equal(&a->remote, &b->remote);
}

/* The first worker receives all numbered packets that the programs do not. */
static int forget_numbers(struct worker *worker, void *arg)
{
	struct port *port = arg;

	(void)worker;
	__atomic_store_n(&port->seq->good, 0, __ATOMIC_SEQ_CST);
	port->seq->run = port->seq->run_far = 0;
	return 0;
}

int dp_tunnel_change(struct dp *dp, const struct dp_params *params)
{
	struct tunnel *tunnel = dp_find_tunnel(dp, params->name);
	struct dp_params before;
	int err;

	if (!tunnel)
		return -ENOENT;
	err = begin(dp, &tunnel->params, params);
	if (err)
		return err;
	before = tunnel->params;
	end_lease(dp, tunnel);
	unlink_outer(dp, tunnel);
	tunnel->params = *params;
	link_outer(dp, tunnel);
	for (unsigned i = 0; i < dp->worker_count && !err; i++)
		err = worker_run(&dp->workers[i], port_change,
				 &(struct port_job){tunnel->ports[i], params});
	let_go(dp, &before);
	if (tunnel->slot >= 0)
		dp_hand_over(dp, tunnel);
	/* When nobody takes packets of the old stream any more. */
	if (!err && is_other_stream(&before, params))
		err = worker_run(&dp->workers[0], forget_numbers, tunnel->ports[0]);
	show_verdict(dp, tunnel);
	return err;
}

static int settle(struct worker *worker, void *arg)
{
	(void)arg;
	worker->settled = true;
	return 0;
}

void dp_settle(struct dp *dp)
{
	for (unsigned i = 0; i < dp->worker_count && !dp->workers[i].settled; i++)
		worker_run(&dp->workers[i], settle, NULL);
}

int dp_tunnel_del(struct dp *dp, const char *name, bool destroy)
{
	struct tunnel **slot = find_slot(dp, name);
	struct tunnel *tunnel = *slot;

	if (!tunnel)
		return -ENOENT;
	dp_part(dp, tunnel);
	remove_ports(dp, tunnel, destroy);
	if (tunnel->slot >= 0)
		fast_tunnel_remove(dp->fast, tunnel->slot);
	end(dp, &tunnel->params);
	unlink_outer(dp, tunnel);
	*slot = tunnel->next;
	free(tunnel);
	return 0;
}
