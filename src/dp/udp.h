/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp.h: where tunnels in UDP (RFC 8086) receive. The main thread holds the ports; each worker has
 * a raw socket for each family beside those for GRE, whose filter lets through its share of what
 * comes to them. Both are there only while there is such a tunnel, because such a socket costs
 * every UDP packet of the host some time. What these tunnels send leaves by the sockets for GRE,
 * which take whole packets of any protocol.
 */
#ifndef DP_UDP_H
#define DP_UDP_H

#include <stdint.h>
#include <uv.h>

struct dp;
struct worker;

/* One raw socket of a worker. It lives as long as its handle. */
struct udp_input {
	int fd;
	uv_poll_t poll;
};

/* Main thread: one more tunnel has this port (0: none, and nothing is done). 0, or -errno with
 * nothing changed: -EADDRINUSE when another program has the port, -ENOSPC. */
int udp_take(struct dp *dp, uint16_t port);
/* One tunnel less. */
void udp_leave(struct dp *dp, uint16_t port);

/* The process ends, or dp does; the workers have ended. */
void udp_forget(struct dp *dp);

/* On a worker that ends, or whose last tunnel in UDP has gone. */
void udp_close(struct worker *worker);

#endif
