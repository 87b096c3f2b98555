/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out.h: from the tunnel interface to the underlay. */
#ifndef DP_OUT_H
#define DP_OUT_H

#include "dp/send.h"
#include "os/tun.h"
#include "proto/outer.h"

struct dp_params;
struct ip_info;
struct port;
struct reader;

struct reader *reader_new(void);
void reader_free(struct reader *reader);

/* Reads what the interface's queue holds, up to a fair share, encapsulates and sends it. Returns 0,
 * or -errno when the descriptor is of no use any more (the interface was deleted). */
int out_drain(struct port *port);

/* What the interface hands over. `packet` has OUTER_ROOM octets in front. */
struct frame {
	struct tun_frame_header header;
	uint8_t *packet;
	uint32_t len;
};
/* Encapsulates and queues it for this port, or drops it. */
void out_frame(struct port *port, const struct frame *frame);

/* How outer headers follow from passengers. */
struct outer_policy out_policy(const struct dp_params *params);

/* A passenger that is ready for its outer header. `head` has OUTER_ROOM octets in front. */
struct passenger {
	uint16_t protocol; /* GRE protocol type */
	uint8_t *head;
	uint32_t head_len;
	struct payload payload; /* what follows head; may be empty */
	struct outer_fields outer;
	/* Of a tunnel in UDP, by its flow; over IPv6 also the flow label, for routers that look at
	 * nothing else (RFC 8086 3.2.1, RFC 6438). */
	uint16_t source_port;
	bool truncated; /* ERSPAN: the copy is shorter than the frame was */
};

/* Writes the GRE header, the next sequence number in it, and that of ERSPAN in front of `head`, and
 * of a tunnel in UDP that header before them; returns the first octet. */
uint8_t *out_put_headers(struct port *port, const struct passenger *passenger);
/* What the outer IP header says of them. */
uint8_t out_protocol(const struct dp_params *params);
/* The UDP source port for a passenger of this GRE protocol type; 0 of a tunnel in IP. */
uint16_t out_source_port(const struct dp_params *params, uint16_t protocol, const uint8_t *p,
			 const uint8_t *end);

/* Encapsulates and queues it, whatever its size. */
void out_encapsulate(struct port *port, const struct passenger *passenger);

/* toobig.c: the same for a passenger that does not fit into the path: fragments it, or its outer
 * packet, or refuses it and tells its source (RFC 4459 3, RFC 7588 3). `l3` is the offset of its IP
 * header. */
void out_too_big(struct port *port, const struct passenger *passenger, uint16_t l3);

/* refuse.c: tells the source of an IP packet why it is dropped: it does not fit; or its limit of
 * encapsulations, the octet at offset `at`, is used up (RFC 2473 4.1.1). */
void out_tell_big(struct port *port, const uint8_t *packet, uint32_t len, const struct ip_info *ip);
void out_tell_limit(struct port *port, const uint8_t *packet, uint32_t len,
		    const struct ip_info *ip, uint32_t at);

/* Octets of a passenger that fit into one outer packet. */
uint32_t out_room(const struct port *port);

#endif
