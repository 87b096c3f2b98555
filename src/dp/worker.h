/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h: a packet thread. It owns one raw socket for each family, one queue of every TUN device,
 * a table and the counters, so that nothing on the packet path is locked or allocated. The main
 * thread changes it by jobs, which the worker runs between two batches.
 */
#ifndef DP_WORKER_H
#define DP_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "dp/dp.h"
#include "dp/stray.h"
#include "dp/table.h"
#include "os/udphold.h"

struct alive_clock;
struct fast;
struct lease_clock;
struct merged;
struct receiver;
struct sender;
struct reader;
struct udp_input;
struct worker;

/* The raw sockets that a worker receives from. */
enum worker_input { INPUT_GRE4, INPUT_GRE6, INPUT_UDP4, INPUT_UDP6, INPUT_COUNT };

/* Runs on the worker's thread; the return value goes back to the main thread. */
typedef int (*worker_job)(struct worker *worker, void *arg);

struct worker {
	unsigned index, count; /* its share of the traffic, and how many there are */
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t wake;
	uv_poll_t poll4, poll6;
	uv_poll_t arrivals; /* of merged.h, once it is open */
	bool watching;
	bool settled;		    /* all tunnels of the file have been added once */
	bool want_device;	    /* some tunnel is bound to an underlay device */
	int raw4, raw6;		    /* raw6 is -1 where the kernel has no IPv6 */
	struct udp_input *udp[2];   /* of tunnels in UDP, IPv4 and IPv6 (udp.h); NULL: none */
	struct udp_ports udp_ports; /* of these */
	int direct;		    /* packet socket that sends; -1: there is none */
	struct lease_clock *clock;
	struct alive_clock *alive;
	struct fast *fast; /* the kernel lanes; NULL: there are none */
	uv_timer_t tick;   /* of theirs, on the first worker */
	struct table table;
	struct merged *merged;
	struct receiver *receiver;
	struct sender *sender;
	struct reader *reader;
	uint64_t strays[DROP_REASON_COUNT]; /* of packets that belong to no tunnel */
	struct stray_table stray_table;
	void (*notify)(void *arg, const struct dp_event *event); /* any thread may call it */
	void *notify_arg;

	pthread_mutex_t lock; /* of the following */
	pthread_cond_t done;
	worker_job job;
	void *job_arg;
	int job_result;
	bool stop;
};

/* `count` workers share the traffic. 0 or -errno. */
int worker_start(struct worker *worker, unsigned index, unsigned count);
/* The socket of an input; -1 when there is none. */
int worker_input(const struct worker *worker, enum worker_input input);
/* Has the worker read a socket that has just been opened, until `poll` is closed. poll->data is the
 * worker. 0 or an error of libuv, and the poll then is not in use. */
int worker_poll(struct worker *worker, uv_poll_t *poll, int fd);
/* Runs `job` on the worker's thread and returns what it returned. */
int worker_run(struct worker *worker, worker_job job, void *arg);
void worker_stop(struct worker *worker);
/* What the kernel lanes want done every FAST_TICK_MS. */
void worker_on_tick(uv_timer_t *tick);

#endif
