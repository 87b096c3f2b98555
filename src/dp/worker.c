/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "dp/alive.h"
#include "dp/fast.h"
#include "dp/in.h"
#include "dp/lease.h"
#include "dp/merged.h"
#include "dp/out.h"
#include "dp/send.h"
#include "dp/udp.h"
#include "os/packet.h"
#include "os/rawsock.h"
#include "proto/ip.h"

/* What sender_flush() refers to stays inside one call of these, so nothing is queued between them.
 */
static void on_arrivals(uv_poll_t *poll, int status, int events)
{
	struct worker *worker = poll->data;

	(void)events;
	merged_read(worker->merged);
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_arrivals);
}

/* Begins when the socket has been opened. */
static void watch_arrivals(struct worker *worker)
{
	if (worker->watching || worker->merged->fd < 0 ||
	    uv_poll_init(&worker->loop, &worker->arrivals, worker->merged->fd))
		return;
	worker->watching = true;
	worker->arrivals.data = worker;
	uv_poll_start(&worker->arrivals, UV_READABLE, on_arrivals);
}

static enum worker_input input_of(const struct worker *worker, const uv_poll_t *poll)
{
	if (poll == &worker->poll4)
		return INPUT_GRE4;
	if (poll == &worker->poll6)
		return INPUT_GRE6;
	return worker->udp[0] && poll == &worker->udp[0]->poll ? INPUT_UDP4 : INPUT_UDP6;
}

int worker_input(const struct worker *worker, enum worker_input input)
{
	switch (input) {
	case INPUT_GRE4:
		return worker->raw4;
	case INPUT_GRE6:
		return worker->raw6;
	case INPUT_UDP4:
	case INPUT_UDP6:
		break;
	case INPUT_COUNT:
		return -1;
	}
	return worker->udp[input - INPUT_UDP4] ? worker->udp[input - INPUT_UDP4]->fd : -1;
}

static void on_raw(uv_poll_t *poll, int status, int events)
{
	struct worker *worker = poll->data;
	enum worker_input input = input_of(worker, poll);

	(void)events;
	in_errors(worker, input);
	in_drain(worker, input);
	watch_arrivals(worker);
	/* libuv stops polling a socket that has an error waiting; ours are ICMP messages, read now.
	 */
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_raw);
}

static void on_wake(uv_async_t *wake)
{
	struct worker *worker = wake->data;

	pthread_mutex_lock(&worker->lock);
	if (worker->job) {
		worker->job_result = worker->job(worker, worker->job_arg);
		worker->job = NULL;
		pthread_cond_signal(&worker->done);
	}
	if (worker->stop)
		uv_stop(&worker->loop);
	pthread_mutex_unlock(&worker->lock);
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	uv_run(&worker->loop, UV_RUN_DEFAULT);
	return NULL;
}

int worker_poll(struct worker *worker, uv_poll_t *poll, int fd)
{
	int err = uv_poll_init(&worker->loop, poll, fd);

	if (err)
		return err;
	poll->data = worker;
	return uv_poll_start(poll, UV_READABLE, on_raw);
}

static int open_raw(uint8_t family, unsigned index, unsigned count)
{
	int fd = raw_open(family, IP_PROTOCOL_GRE);
	int err;

	if (fd < 0 || count == 1)
		return fd;
	err = raw_share(fd, family, index, count, NULL);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_sockets(struct worker *worker, unsigned count)
{
	int err;

	worker->raw4 = open_raw(IP_V4, worker->index, count);
	if (worker->raw4 < 0)
		return worker->raw4;
	worker->raw6 = open_raw(IP_V6, worker->index, count);
	if (worker->raw6 < 0 && worker->raw6 != -EAFNOSUPPORT)
		return worker->raw6;
	/* Without it everything is sent by the raw sockets. */
	worker->direct = packet_open_sender(LEASE_MARK);
	err = worker_poll(worker, &worker->poll4, worker->raw4);
	if (err || worker->raw6 < 0)
		return err;
	return worker_poll(worker, &worker->poll6, worker->raw6);
}

static int allocate(struct worker *worker)
{
	int err = table_init(&worker->table);

	worker->alive = alive_clock_new(worker);
	worker->merged = merged_new();
	worker->receiver = receiver_new();
	worker->sender = calloc(1, sizeof *worker->sender);
	worker->reader = reader_new();
	if (err || !worker->alive || !worker->merged || !worker->receiver || !worker->sender ||
	    !worker->reader)
		return -ENOMEM;
	return 0;
}

/* The main thread handles signals. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void release(struct worker *worker)
{
	if (worker->raw4 >= 0)
		close(worker->raw4);
	if (worker->raw6 >= 0)
		close(worker->raw6);
	if (worker->direct >= 0)
		close(worker->direct);
	table_free(&worker->table);
	alive_clock_free(worker->alive);
	merged_free(worker->merged);
	receiver_free(worker->receiver);
	free(worker->sender);
	reader_free(worker->reader);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct worker *worker)
{
	udp_close(worker);
	uv_walk(&worker->loop, close_handle, NULL);
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	uv_loop_close(&worker->loop);
}

int worker_start(struct worker *worker, unsigned index, unsigned count)
{
	int err;

	worker->index = index;
	worker->count = count;
	worker->raw4 = worker->raw6 = worker->direct = -1;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->done, NULL);
	err = uv_loop_init(&worker->loop);
	if (err)
		return err;
	err = uv_async_init(&worker->loop, &worker->wake, on_wake);
	worker->wake.data = worker;
	if (!err)
		err = uv_timer_init(&worker->loop, &worker->tick);
	worker->tick.data = worker;
	if (!err)
		err = allocate(worker);
	if (!err)
		err = open_sockets(worker, count);
	if (!err)
		err = start_thread(worker);
	if (err) {
		close_loop(worker);
		release(worker);
	}
	return err;
}

int worker_run(struct worker *worker, worker_job job, void *arg)
{
	int result;

	pthread_mutex_lock(&worker->lock);
	worker->job = job;
	worker->job_arg = arg;
	uv_async_send(&worker->wake);
	while (worker->job)
		pthread_cond_wait(&worker->done, &worker->lock);
	result = worker->job_result;
	pthread_mutex_unlock(&worker->lock);
	return result;
}

void worker_on_tick(uv_timer_t *tick)
{
	struct worker *worker = tick->data;

	fast_tick(worker->fast);
}

void worker_stop(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_mutex_unlock(&worker->lock);
	uv_async_send(&worker->wake);
	pthread_join(worker->thread, NULL);
	close_loop(worker);
	release(worker);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->done);
}
