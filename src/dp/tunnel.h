/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tunnel.h: a tunnel as one worker sees it. */
#ifndef DP_TUNNEL_H
#define DP_TUNNEL_H

#include <netinet/in.h>
#include <uv.h>

#include "dp/alive.h"
#include "dp/dp.h"
#include "dp/lease.h"
#include "proto/roam.h"
#include "proto/seq.h"

struct hub;
struct worker;

/* A next hop on the interface of a multipoint tunnel. */
struct hub_entry {
	uint8_t mac[6];
	struct port *peer; /* NULL: not in use */
	struct hub_entry *next;
};

/* One worker's share of a tunnel: its queue of the TUN device, its parameters, its counters. */
struct port {
	struct dp_params params;
	struct worker *worker;
	struct port *next_key, *next_pair, *next_home; /* chains of the worker's table */
	int fd;					       /* this worker's queue; -1: none */
	/* hub.h: of a multipoint tunnel, its peers; of a peer, that tunnel's port (NULL: it is not
	 * there), whose fd it has, the next peer, and its next hops, IPv4 and IPv6. */
	struct hub *peers;
	struct port *hub, *next_peer;
	struct hub_entry entries[2];
	bool uso; /* the kernel takes UDP super-packets from it */
	bool polling;
	uv_poll_t poll;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;			   /* the remote, for the send call */
	uint32_t outer_len;	   /* outer IP and GRE headers, octets */
	uint32_t ip_id;		   /* of the next outer packet; IPv4 takes the low half */
	const struct lease *lease; /* of the tunnel, see lease.h */
	uint32_t round;		   /* of the lease clock, in which it last sent a sample */
	uint32_t *seq_next;	   /* of the next packet sent; shared, but only one worker sends */
	struct seq_state *seq;	   /* of packets received; one worker receives them all */
	struct alive alive;
	struct alive_limit asked;  /* roam.h: questions, or answers to them */
	struct roam_seen seen;	   /* on the first worker */
	uint64_t probed_second_ns; /* probed.h: when the second began in which ... */
	uint32_t probed_answers;   /* ... so many probes were sent back */
	struct dp_counters counters;
};

#endif
