/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send.h: outer packets on their way to the underlay, collected and given to the kernel in one
 * call. A packet is at most two pieces: headers that we wrote, and payload that stays where it was
 * read.
 */
#ifndef DP_SEND_H
#define DP_SEND_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "dp/segment.h"
#include "os/rawsock.h"
#include "proto/drop.h"

#define SEND_BATCH 128
/* Before the passenger's headers: outer IPv6 header, those of UDP and GUE, longest GRE header.
 * Whole lines of the cache, so that passengers begin with one. */
#define OUTER_ROOM 128

struct dp_params;
struct port;

struct send_item {
	uint32_t octets;  /* of the passenger, for the counters */
	uint32_t packets; /* 1; 0 for outer fragments after the first */
};

/* A batch belongs to one port: whoever queues packets flushes before the next port has its turn. */
struct sender {
	struct port *port;
	unsigned count;
	struct mmsghdr messages[SEND_BATCH];
	struct iovec pieces[SEND_BATCH][2];
	struct send_item items[SEND_BATCH];
	uint8_t headers[SEND_BATCH][OUTER_ROOM + SEGMENT_HEADER_MAX];
	_Alignas(struct cmsghdr) uint8_t control[RAW_CONTROL_SIZE];
};

/* Headroom and header space of the packet that sender_add() will take next. */
uint8_t *sender_header(struct sender *sender);
/* Queues outer octets [head, head_len) and then `payload`; both have to live until the flush. The
 * caller flushes when sender_full(). */
void sender_add(struct sender *sender, struct port *port, const struct send_item *item,
		uint8_t *head, uint32_t head_len, struct payload payload);
/* Draws where the identifications begin, for the whole process. 0 or -errno. */
int sender_draw_ids(void);
/* An identification for the port's next outer packet of IPv4. Packets that may be fragmented share
 * one sequence of them for the whole process, since a receiver knows them by their addresses alone.
 */
uint16_t sender_next_id(struct port *port);
/* The same for an IPv6 packet that is cut: one permutation of 32 bits for the whole process. */
uint32_t sender_next_id6(void);
int sender_full(const struct sender *sender);
/* Sends what is queued and counts each packet as sent or as dropped. */
void sender_flush(struct sender *sender);
/* How the tunnel's outer packets leave through the kernel. */
struct raw_way sender_way(const struct dp_params *params);
/* Sends one whole packet to an address of the packet's family, through the kernel's whole output
 * path and at once; one that is refused is counted as dropped. */
void sender_send_now(struct port *port, const struct ip_addr *to, const void *packet, size_t len);
/* What a packet is dropped for when the kernel refuses it with this errno. */
enum drop_reason sender_reason(int error);

#endif
