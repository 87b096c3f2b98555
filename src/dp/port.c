/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/hub.h"
#include "dp/out.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "os/tun.h"
#include "proto/erspan.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/ip.h"

struct port *port_new(struct worker *worker, const struct dp_params *params, uint32_t *seq_next,
		      const struct lease *lease, int *err)
{
	struct port *port = calloc(1, sizeof *port);
	bool tap = form_is_ethernet(params->form) || params->multipoint, uso = false;
	int fd;

	if (!port) {
		*err = -ENOMEM;
		return NULL;
	}
	fd = params->hub[0] ? -1 : tun_attach(params->name, tap, &uso);
	*port = (struct port){.worker = worker,
			      .fd = fd,
			      .uso = uso,
			      .ip_id = (uint32_t)uv_hrtime(),
			      .seq_next = seq_next,
			      .lease = lease};
	if (params->hub[0])
		return port;
	if (port->fd < 0) {
		*err = port->fd;
		free(port);
		return NULL;
	}
	if (params->multipoint) {
		port->peers = hub_new(port->fd);
		*err = port->peers ? 0 : -ENOMEM;
	}
	return port;
}

size_t port_put_header(const struct port *port, uint16_t protocol,
		       const struct virtio_net_hdr *vnet, struct port_header *out)
{
	*out = (struct port_header){.tun.vnet = *vnet};
	put_be16(&out->tun.pi.proto, protocol);
	if (!port->hub)
		return sizeof out->tun;
	hub_header(port, protocol, out->ethernet);
	if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		out->tun.vnet.csum_start += sizeof out->ethernet;
		out->tun.vnet.hdr_len += sizeof out->ethernet;
	}
	return sizeof *out;
}

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

	if (port->params.hub[0] || wanted == port->polling)
		return 0;
	/* Taking a queue out of use throws away what is in it. */
	if (!wanted)
		out_drain(port);
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
	struct dp_params old = port->params;

	port->params = *params;
	port->outer_len = ip_outer_length(params->remote.family) +
			  gue_udp_length(params->udp_port, params->gue) +
			  gre_header_length(params->csum_send, params->has_okey, params->seq_send) +
			  erspan_length(params->form);
	memset(&port->to, 0, sizeof port->to);
	if (params->remote.family == IP_V4) {
		port->to.v4.sin_family = AF_INET;
		memcpy(&port->to.v4.sin_addr, params->remote.bytes, 4);
	} else {
		port->to.v6.sin6_family = AF_INET6;
		memcpy(&port->to.v6.sin6_addr, params->remote.bytes, 16);
	}
	alive_change(port, &old);
}

void port_free(struct port *port)
{
	free(port->peers);
	free(port);
}

/* A port lives as long as its handle. */
static void on_port_closed(uv_handle_t *handle)
{
	port_free(handle->data);
}

static void close_port(struct port *port)
{
	alive_close(port);
	if (port->params.hub[0]) {
		port_free(port);
		return;
	}
	uv_close((uv_handle_t *)&port->poll, on_port_closed);
	close(port->fd);
}

static int start_polling(struct port *port)
{
	port->poll.data = port;
	port->polling = true; /* the queue of a new descriptor is in use */
	return sends(port) ? uv_poll_start(&port->poll, UV_READABLE, on_tun) : update_polling(port);
}

int port_add(struct worker *worker, void *arg)
{
	struct port_job *job = arg;
	struct port *port = job->port;
	bool shares = job->params->hub[0];
	int err = shares ? 0 : uv_poll_init(&worker->loop, &port->poll, port->fd);

	if (err) {
		close(port->fd);
		port_free(port);
		return err;
	}
	set_params(port, job->params);
	if (!shares)
		err = start_polling(port);
	if (!err)
		err = table_insert(&worker->table, port);
	if (err)
		close_port(port);
	return err;
}

int port_change(struct worker *worker, void *arg)
{
	struct port_job *job = arg;
	struct port *port = job->port;
	int err;

	/* The tables find a port by the parameters that it was put in with. */
	table_remove(&worker->table, port);
	hub_unlink(port);
	set_params(port, job->params);
	table_link(&worker->table, port);
	err = hub_link(port);
	return err ? err : update_polling(port);
}

int port_remove(struct worker *worker, void *arg)
{
	struct port *port = arg;

	table_remove(&worker->table, port);
	close_port(port);
	return 0;
}

int port_want_device(struct worker *worker, void *arg)
{
	const bool *on = arg;

	int udp = worker_input(worker, INPUT_UDP4);
	int err = raw_want_device(worker->raw4, IP_V4, *on);

	worker->want_device = *on;
	return err || udp < 0 ? err : raw_want_device(udp, IP_V4, *on);
}
