/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.h: packet sockets. One kind hands IP packets to a device and a neighbour that are known
 * already; one looks at what leaves this host as GRE; one at how arriving GRE packets were merged.
 */
#ifndef OS_PACKET_H
#define OS_PACKET_H

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/udphold.h"
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

/* A non-blocking socket that sees arriving GRE packets of any size worth merging, in UDP too where
 * it goes to one of these ports, before any other socket does. While it is open it costs every
 * packet that this host receives some time. */
int packet_open_arrivals(const struct udp_ports *udp);
/* Other ports from now on. 0 or -errno. */
int packet_match_arrivals(int fd, const struct udp_ports *udp);

#define ARRIVAL_KEY_SIZE 96

/* An arriving packet that the device or the kernel had merged out of several (GRO), or whose
 * passenger's checksum is still open. */
struct packet_arrival {
	struct virtio_net_hdr vnet;
	uint8_t key[ARRIVAL_KEY_SIZE]; /* packet_arrival_key() */
};
/* By which the packet is known again: its first octets from the GRE header on, filled up with
 * zeros. */
void packet_arrival_key(uint8_t key[ARRIVAL_KEY_SIZE], const uint8_t *gre, uint32_t len);
/* Takes what the socket holds, at most `max`, and keeps those that are of this kind. Returns their
 * number; *more is false when the socket is empty. */
unsigned packet_arrivals(int fd, struct packet_arrival *out, unsigned max, bool *more);

#endif
