/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hub.h: a multipoint tunnel, as one worker sees it: an interface that many peers share.
 *
 * To the kernel it is an Ethernet, for only there does a packet say which next hop it was routed
 * to: the kernel looks for the link address of that next hop, and puts it in front of the packet.
 * The hub answers that question itself, with an address that is made of the next hop; what comes
 * for that address then goes to whichever peer has that next hop now. So the kernel's own routes
 * decide, whoever made them, and no copy of them has to be kept; and what the kernel remembers of
 * next hops stays true when peers change. What is for a group of link addresses goes to every peer.
 * The Ethernet header ends here: the passenger is the packet behind it.
 *
 * A peer has a port of its own, with everything that a tunnel has but an interface: outer addresses
 * in the table, keepalive, lease, counters.
 */
#ifndef DP_HUB_H
#define DP_HUB_H

#include "dp/dp.h"
#include "proto/resolve.h"

struct frame;
struct port;
struct worker;

enum { HUB_BUCKETS = 256 };

struct hub {
	uint8_t mac[ETHERNET_ADDRESS_LENGTH];	/* of the interface, as its last frame had it */
	struct port *first;			/* of all peers, through port->next_peer */
	struct hub_entry *buckets[HUB_BUCKETS]; /* by link address */
	struct dp_unresolved unresolved[DP_UNRESOLVED_MAX]; /* those not in use have no count */
};

/* The port of a multipoint tunnel whose interface is attached. NULL without memory. */
struct hub *hub_new(int fd);

/* Jobs of worker_run(): a peer comes to its hub, and leaves it. arg: struct hub_job, struct port.
 */
struct hub_job {
	struct port *hub, *peer;
};
int hub_join(struct worker *worker, void *arg);
int hub_leave(struct worker *worker, void *arg);
/* Around a change of the peer's parameters. -EADDRINUSE when another next hop has the same link
 * address, which two IPv6 addresses of a million million have. */
void hub_unlink(struct port *peer);
int hub_link(struct port *peer);

/* A frame from the interface: answered, sent to one peer or to all of them. */
void hub_out(struct port *port, struct frame *frame);

/* The Ethernet header of what arrives, in front of a passenger of that protocol type. */
void hub_header(const struct port *peer, uint16_t protocol, uint8_t out[]);

#endif
