/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.h: packet sockets. One kind hands IP packets to a device and a neighbour that are known
 * already; the other looks at what leaves this host as GRE.
 */
#ifndef OS_PACKET_H
#define OS_PACKET_H

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/addr.h"

/* Where a packet goes on an Ethernet: the `to` of a send call. */
struct sockaddr_ll packet_address(uint8_t family, uint32_t ifindex, const uint8_t mac[6]);

/* A non-blocking socket that only sends: IP packets, to packet_address(). Its packets carry `mark`,
 * by which packet_open_tap() leaves them out. Returns it, or -errno. */
int packet_open_sender(uint32_t mark);

/* A non-blocking socket that sees GRE packets leaving by any Ethernet device, but none with `mark`.
 * It costs every packet of the host some time while it is open, and closing it waits for the
 * kernel. */
int packet_open_tap(uint32_t mark);

/* What the tap saw. */
struct packet_seen {
	uint32_t ifindex;
	uint8_t mac[6];	     /* destination */
	uint8_t octets[128]; /* from the IP header on; `len` of them */
	uint32_t len;
};
/* Takes the oldest. 1 with *out, 0 when there is none, -errno. */
int packet_next(int fd, struct packet_seen *out);

#endif
