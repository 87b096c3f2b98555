/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outer.h: what is in the outer packet, written from a recipe as passengers are. */
#ifndef LANES_OUTER_H
#define LANES_OUTER_H

#include "input.h"

enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000 };

struct outer {
	uint8_t version, protocol, tos, ttl, option_words;
	uint8_t src[16], dst[16];
	uint16_t fragment; /* IPv4: bits */
	int16_t length_more;
	bool bad_header_sum;
	unsigned pieces; /* 1: no fragments */
	bool backwards, incomplete;
	/* GRE */
	uint16_t flags, type;
	uint32_t key;
	bool bad_sum, ethernet;
	uint32_t shorter, padding;
};

void outer_regular(struct outer *u, const struct far_end *tunnel, unsigned index,
		   const struct recipe *r);
void outer_make_odd(struct outer *u, struct dice *dice);
/* The outer IP header of a piece of `len` octets at `offset`. */
void outer_put(struct octets *o, const struct outer *u, uint32_t number, uint32_t offset,
	       uint32_t len, bool more);

#endif
