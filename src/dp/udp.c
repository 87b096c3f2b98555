/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dp/dp_state.h"
#include "dp/merged.h"
#include "os/rawsock.h"
#include "os/udphold.h"
#include "proto/ip.h"

/* On a worker. */

static void on_closed(uv_handle_t *handle)
{
	struct udp_input *input =
		(struct udp_input *)((char *)handle - offsetof(struct udp_input, poll));

	close(input->fd);
	free(input);
}

static void close_input(struct udp_input **input)
{
	if (*input)
		uv_close((uv_handle_t *)&(*input)->poll, on_closed);
	*input = NULL;
}

void udp_close(struct worker *worker)
{
	close_input(&worker->udp[0]);
	close_input(&worker->udp[1]);
}

static int open_socket(const struct worker *worker, uint8_t family, const struct udp_ports *ports)
{
	int fd = raw_open(family, IP_PROTOCOL_UDP), err;

	if (fd < 0)
		return fd;
	err = raw_share(fd, family, worker->index, worker->count, ports);
	if (!err)
		err = raw_want_device(fd, family, worker->want_device);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* What came in before the filter was there is not for us, or not for this worker. */
static void throw_away(int fd)
{
	uint8_t octet;

	while (recv(fd, &octet, sizeof octet, MSG_DONTWAIT) >= 0)
		;
}

static int open_input(struct worker *worker, uint8_t family, const struct udp_ports *ports,
		      struct udp_input **out)
{
	struct udp_input *input = calloc(1, sizeof *input);
	int err;

	if (!input)
		return -ENOMEM;
	input->fd = open_socket(worker, family, ports);
	if (input->fd < 0) {
		err = input->fd;
		free(input);
		return err == -EAFNOSUPPORT && family == IP_V6 ? 0 : err;
	}
	throw_away(input->fd);
	err = worker_poll(worker, &input->poll, input->fd);
	if (err) {
		close(input->fd);
		free(input);
		return err;
	}
	*out = input;
	return 0;
}

static int follow_input(struct worker *worker, uint8_t family, const struct udp_ports *ports)
{
	struct udp_input **input = &worker->udp[family == IP_V6];

	if (*input)
		return raw_share((*input)->fd, family, worker->index, worker->count, ports);
	return open_input(worker, family, ports, input);
}

/* Receives at these ports from now on. arg: struct udp_ports. */
static int follow(struct worker *worker, void *arg)
{
	const struct udp_ports *ports = arg;
	int err = 0;

	if (ports->count == 0)
		udp_close(worker);
	else
		err = follow_input(worker, IP_V4, ports);
	if (!err && ports->count)
		err = follow_input(worker, IP_V6, ports);
	if (!err)
		err = merged_set_udp(worker->merged, ports);
	if (!err)
		worker->udp_ports = *ports;
	return err;
}

/* On the main thread. */

static int tell_workers(struct dp *dp)
{
	struct udp_ports ports = {.count = 0};
	int err = 0;

	for (unsigned i = 0; i < UDP_PORTS_MAX; i++)
		if (dp->held[i].tunnels)
			ports.ports[ports.count++] = dp->held[i].port;
	for (unsigned i = 0; i < dp->worker_count && !err; i++)
		err = worker_run(&dp->workers[i], follow, &ports);
	return err;
}

static int hold(struct dp_held *held, uint16_t port)
{
	int fd4 = udp_hold(IP_V4, port), fd6;

	if (fd4 < 0)
		return fd4;
	fd6 = udp_hold(IP_V6, port);
	if (fd6 < 0 && fd6 != -EAFNOSUPPORT) {
		close(fd4);
		return fd6;
	}
	*held = (struct dp_held){.port = port, .tunnels = 1, .fd4 = fd4, .fd6 = fd6};
	return 0;
}

static void let_go(struct dp_held *held)
{
	close(held->fd4);
	if (held->fd6 >= 0)
		close(held->fd6);
	*held = (struct dp_held){.port = 0};
}

int udp_take(struct dp *dp, uint16_t port)
{
	struct dp_held *unused = NULL;
	int err;

	if (port == 0)
		return 0;
	for (unsigned i = 0; i < UDP_PORTS_MAX; i++) {
		struct dp_held *held = &dp->held[i];

		if (held->port == port) {
			held->tunnels++;
			return 0;
		}
		if (!held->port)
			unused = held;
	}
	if (!unused)
		return -ENOSPC;
	err = hold(unused, port);
	if (err)
		return err;
	err = tell_workers(dp);
	if (err) {
		let_go(unused);
		tell_workers(dp);
	}
	return err;
}

void udp_leave(struct dp *dp, uint16_t port)
{
	for (unsigned i = 0; port && i < UDP_PORTS_MAX; i++) {
		if (dp->held[i].port != port || --dp->held[i].tunnels)
			continue;
		let_go(&dp->held[i]);
		tell_workers(dp);
	}
}

void udp_forget(struct dp *dp)
{
	for (unsigned i = 0; i < UDP_PORTS_MAX; i++)
		if (dp->held[i].port)
			let_go(&dp->held[i]);
}
