/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * passenger.h: IP packets, regular ones of flows that repeat, and odd ones. What an odd one has is
 * decided in the recipe; passenger_put() then writes whatever stands there.
 */
#ifndef LANES_PASSENGER_H
#define LANES_PASSENGER_H

#include "octets.h"

enum { TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58, GRE = 47 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };
enum { FLOWS = 24, MARK = 0x47644c61 }; /* flows of each tunnel and direction */

struct recipe {
	uint8_t version, protocol, tos, ttl;
	uint8_t src[16], dst[16];
	uint16_t id, fragment; /* IPv4: the word with the bits and the offset */
	uint8_t option_words;  /* IPv4 */
	int8_t ihl_more;       /* than there is */
	int16_t length_more;
	bool bad_header_sum, bad_sum, no_sum;
	uint8_t extension; /* IPv6: an extension header of this kind; 255: none */
	uint16_t ports[2];
	uint8_t tcp_flags;
	int8_t offset_more;
	uint16_t mss; /* 0: no such option */
	bool odd_mss; /* behind one octet of padding */
	uint32_t sequence;
	uint8_t icmp_type;
	uint16_t payload;
	uint32_t trailing, shorter; /* octets behind the packet, or missing at its end */
	/* In the payload, so that the order within a flow can be seen. */
	bool marked;
	uint16_t flow;
	uint32_t number;
};

/* Which of two places a packet comes from. */
enum side { WIRE, LAN };

void address4(uint8_t out[16], unsigned a, unsigned b, unsigned c, unsigned d);
void address6(uint8_t out[16], unsigned b, unsigned c, unsigned last);

/* Where a packet comes in, and by which of how many tunnels. What comes from a LAN is masqueraded
 * in a tunnel that is `translated`, and what comes by that tunnel is the answer. */
struct place {
	enum side side;
	unsigned tunnel, tunnels;
	bool translated;
};

void recipe_of_flow(struct recipe *r, struct dice *dice, const struct place *place, unsigned flow,
		    uint32_t number);
void recipe_make_odd(struct recipe *r, struct dice *dice, const struct place *place);
void passenger_put(struct octets *o, const struct recipe *r, struct dice *dice);

#endif
