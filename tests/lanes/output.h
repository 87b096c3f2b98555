/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h: a frame that a router has sent, made comparable. What may differ between two routers
 * that do the same is set to zero: the identification of IPv4 packets that the router itself made
 * or that must not be cut, and sequence numbers, which are kept to be looked at apart.
 */
#ifndef LANES_OUTPUT_H
#define LANES_OUTPUT_H

#include "octets.h"

enum output_kind {
	OUTPUT_PACKET,
	OUTPUT_LIMITED, /* an answer of greteld to a packet of no tunnel: so many a second */
	OUTPUT_NOISE,	/* neighbours and groups: the kernel's own talk */
};

struct output {
	bool bad_sum; /* of an outer IPv4 header */
	bool numbered;
	uint8_t tunnel; /* last octet of the outer destination */
	uint32_t sequence;
	bool marked;
	uint32_t flow, number;
};

enum output_kind output_read(uint8_t *frame, uint32_t len, struct output *out);

#endif
