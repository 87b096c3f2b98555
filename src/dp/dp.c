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
#include "dp/out.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "os/tun.h"
#include "proto/gre.h"
#include "proto/overhead.h"

/* More threads than this only pass the same packets around. */
#define WORKERS_MAX	 16
#define WORKERS_AUTO_MAX 4
#define EVENTS_MAX	 64
#define NAME_BUCKETS	 1024

struct tunnel {
	struct tunnel *next; /* in the chain of its name */
	char name[IFNAMSIZ];
	bool bound; /* to an underlay device */
	uint32_t sequence_next;
	struct port *ports[]; /* one for each worker */
};

struct dp {
	unsigned worker_count;
	struct worker workers[WORKERS_MAX];
	struct tunnel *names[NAME_BUCKETS];
	unsigned bound_tunnels; /* those bound to a device */
	dp_event_fn on_event;
	void *on_event_arg;
	uv_async_t wake;      /* on the main loop; the owner of dp after dp_stop() */
	pthread_mutex_t lock; /* of the following */
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
static void notify(void *arg, const struct dp_event *event)
{
	struct dp *dp = arg;
	unsigned i = 0;

	pthread_mutex_lock(&dp->lock);
	while (i < dp->event_count && !same_event(&dp->events[i], event))
		i++;
	if (i == dp->event_count && i < EVENTS_MAX)
		dp->events[dp->event_count++] = *event;
	pthread_mutex_unlock(&dp->lock);
	uv_async_send(&dp->wake);
}

static void on_wake(uv_async_t *wake)
{
	struct dp *dp = wake->data;
	struct dp_event events[EVENTS_MAX];
	unsigned count;

	pthread_mutex_lock(&dp->lock);
	count = dp->event_count;
	memcpy(events, dp->events, count * sizeof *events);
	dp->event_count = 0;
	pthread_mutex_unlock(&dp->lock);
	for (unsigned i = 0; i < count; i++)
		dp->on_event(dp->on_event_arg, &events[i]);
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
	err = start_workers(dp, count_workers(workers));
	if (err) {
		dp_stop(dp);
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

void dp_stop(struct dp *dp)
{
	unsigned workers = dp->worker_count;

	stop_workers(dp);
	for (unsigned i = 0; i < NAME_BUCKETS; i++) {
		struct tunnel *next;
		for (struct tunnel *tunnel = dp->names[i]; tunnel; tunnel = next) {
			next = tunnel->next;
			free_tunnel(tunnel, workers);
		}
	}
	uv_close((uv_handle_t *)&dp->wake, on_wake_closed);
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
	while (*slot && strcmp((*slot)->name, name) != 0)
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

/* Jobs: these run on the worker. */

static void on_tun(uv_poll_t *poll, int status, int events)
{
	struct port *port = poll->data;
	struct dp_event event = {.kind = DP_EVENT_TUN_GONE};
	int err = status < 0 ? status : out_drain(port);

	(void)events;
	if (err == 0)
		return;
	/* A deleted interface stays readable for ever. */
	uv_poll_stop(poll);
	port->polling = false;
	memcpy(event.name, port->params.name, sizeof event.name);
	port->worker->notify(port->worker->notify_arg, &event);
}

/* A tunnel that numbers its packets sends by one worker, or they would pass each other. */
static bool sends(const struct port *port)
{
	return !port->params.seq_send || port->worker->index == 0;
}

static int update_polling(struct port *port)
{
	bool wanted = sends(port);
	int err;

	if (wanted == port->polling)
		return 0;
	err = tun_queue_enable(port->fd, wanted);
	if (err)
		return err;
	port->polling = wanted;
	if (wanted)
		return uv_poll_start(&port->poll, UV_READABLE, on_tun);
	return uv_poll_stop(&port->poll);
}

static void set_params(struct port *port, const struct dp_params *params)
{
	port->params = *params;
	port->outer_len = ip_outer_length(params->remote.family) +
			  gre_header_length(params->csum_send, params->has_okey, params->seq_send);
	memset(&port->to, 0, sizeof port->to);
	if (params->remote.family == IP_V4) {
		port->to.v4.sin_family = AF_INET;
		memcpy(&port->to.v4.sin_addr, params->remote.bytes, 4);
	} else {
		port->to.v6.sin6_family = AF_INET6;
		memcpy(&port->to.v6.sin6_addr, params->remote.bytes, 16);
	}
}

struct port_job {
	struct port *port;
	const struct dp_params *params;
};

/* A port lives as long as its handle: what closes the handle frees the port. */
static void on_port_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_port(struct port *port)
{
	uv_close((uv_handle_t *)&port->poll, on_port_closed);
	close(port->fd);
}

static int job_add(struct worker *worker, void *arg)
{
	struct port_job *job = arg;
	struct port *port = job->port;
	int err = uv_poll_init(&worker->loop, &port->poll, port->fd);

	if (err) {
		close(port->fd);
		free(port);
		return err;
	}
	port->poll.data = port;
	port->polling = true; /* the queue of a new descriptor is in use */
	set_params(port, job->params);
	err = sends(port) ? uv_poll_start(&port->poll, UV_READABLE, on_tun) : update_polling(port);
	if (!err)
		err = table_insert(&worker->table, port);
	if (err)
		close_port(port);
	return err;
}

static int job_change(struct worker *worker, void *arg)
{
	struct port_job *job = arg;
	struct port *port = job->port;

	/* The table finds a port by the parameters that it was put in with. */
	table_remove(&worker->table, port);
	set_params(port, job->params);
	table_link(&worker->table, port);
	return update_polling(port);
}

static int job_remove(struct worker *worker, void *arg)
{
	struct port *port = arg;

	table_remove(&worker->table, port);
	close_port(port);
	return 0;
}

static int job_want_device(struct worker *worker, void *arg)
{
	const bool *on = arg;

	worker->want_device = *on;
	return raw_want_device(worker->raw4, IP_V4, *on);
}

/* Tunnels. */

/* The device of arrival is asked for only while some tunnel is bound to one: it costs time. */
static int count_bound(struct dp *dp, bool before, bool after)
{
	unsigned count = dp->bound_tunnels - before + after;
	bool on = count > 0;
	int err = 0;

	if (on != (dp->bound_tunnels > 0))
		for (unsigned i = 0; i < dp->worker_count && !err; i++)
			err = worker_run(&dp->workers[i], job_want_device, &on);
	if (!err)
		dp->bound_tunnels = count;
	return err;
}

static struct port *new_port(struct dp *dp, struct tunnel *tunnel, const struct dp_params *params,
			     unsigned index, int *err)
{
	struct port *port = calloc(1, sizeof *port);
	struct worker *worker = &dp->workers[index];

	if (!port) {
		*err = -ENOMEM;
		return NULL;
	}
	*port = (struct port){.worker = worker,
			      .fd = tun_attach(params->name, params->ethernet, &port->uso),
			      .ip_id = (uint32_t)uv_hrtime(),
			      .seq_next = &tunnel->sequence_next};
	if (port->fd < 0) {
		*err = port->fd;
		free(port);
		return NULL;
	}
	return port;
}

static int add_ports(struct dp *dp, struct tunnel *tunnel, const struct dp_params *params)
{
	int err = 0;

	for (unsigned i = 0; i < dp->worker_count; i++) {
		struct port *port = new_port(dp, tunnel, params, i, &err);
		if (port)
			err = worker_run(&dp->workers[i], job_add,
					 &(struct port_job){port, params});
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
		worker_run(&dp->workers[i], job_remove, tunnel->ports[i]);
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
	memcpy(tunnel->name, params->name, sizeof tunnel->name);
	tunnel->bound = params->bind_ifindex != 0;
	err = count_bound(dp, false, tunnel->bound);
	if (err) {
		free(tunnel);
		return err;
	}
	/* Whether the device was there before is not ours to say: the caller removes what it made.
	 */
	err = add_ports(dp, tunnel, params);
	if (err) {
		remove_ports(dp, tunnel, false);
		count_bound(dp, tunnel->bound, false);
		free(tunnel);
		return err;
	}
	*slot = tunnel;
	return 0;
}

int dp_tunnel_change(struct dp *dp, const struct dp_params *params)
{
	struct tunnel *tunnel = find_tunnel(dp, params->name);
	bool bound = params->bind_ifindex != 0;
	int err;

	if (!tunnel)
		return -ENOENT;
	err = count_bound(dp, tunnel->bound, bound);
	if (err)
		return err;
	tunnel->bound = bound;
	for (unsigned i = 0; i < dp->worker_count && !err; i++)
		err = worker_run(&dp->workers[i], job_change,
				 &(struct port_job){tunnel->ports[i], params});
	return err;
}

int dp_tunnel_del(struct dp *dp, const char *name, bool destroy)
{
	struct tunnel **slot = find_slot(dp, name);
	struct tunnel *tunnel = *slot;

	if (!tunnel)
		return -ENOENT;
	remove_ports(dp, tunnel, destroy);
	count_bound(dp, tunnel->bound, false);
	*slot = tunnel->next;
	free(tunnel);
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
	return 0;
}

void dp_stray_counters(const struct dp *dp, uint64_t drops[DROP_REASON_COUNT])
{
	memset(drops, 0, DROP_REASON_COUNT * sizeof *drops);
	for (unsigned i = 0; i < dp->worker_count; i++)
		drops_sum(drops, dp->workers[i].strays);
}
