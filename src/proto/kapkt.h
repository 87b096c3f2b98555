/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kapkt.h: the packets by which routers ask each other whether a tunnel works. Cisco invented them;
 * there is no standard.
 *
 * The question is a passenger that the peer cannot keep: a GRE packet from the peer to us. A peer
 * that decapsulates and forwards sends it back to us over the underlay, with a TTL one less, and
 * needs to know nothing of keepalives. That is the answer: GRE with protocol type 0.
 *
 *   IP us>peer | GRE, protocol of IP | IP peer>us | GRE, protocol 0 [| body]    question
 *                                      IP peer>us | GRE, protocol 0 [| body]    answer
 *
 * The inner GRE header is what our own receiving side asks for, since the peer does not touch it.
 * What the forms of it (kaform.h) change:
 *
 *   cisco-cmd   outer type 0x8909, and eight octets of metadata before the inner IP header
 *   huawei      outer type 0x0004
 *   mikrotik    over IPv6 the inner type is 0x86dd
 *   openbsd     a body of 16 octets (kabody.h)
 *   inside      the inner addresses are those inside the tunnel, so that the answer is itself a
 *               passenger:  IP peer>us | GRE | IP inner peer>inner us | GRE, protocol 0
 */
#ifndef PROTO_KAPKT_H
#define PROTO_KAPKT_H

#include "proto/gre.h"
#include "proto/ip.h"
#include "proto/kabody.h"
#include "proto/kaform.h"

enum {
	KAPKT_TOS = 0xc0, /* network control */
	KAPKT_TTL = 255,
	KAPKT_CMD_LENGTH = 8,
	KAPKT_BODY_MAX = KABODY_LENGTH, /* what may follow an inner GRE header */
	KAPKT_LENGTH_MAX =
		2 * (IP6_HEADER_LENGTH + GRE_LENGTH_MAX) + KAPKT_CMD_LENGTH + KAPKT_BODY_MAX,
	KAPKT_TYPE_HUAWEI = 0x0004,
};

/* Metadata without any: version 1, one unit long, security group tag 0. In front of it stands the
 * type of what follows. */
#define KAPKT_CMD_WORDS 0x0101, 0x0001, 0x0000

/* A question to build. Keys and sequence numbers are in the two GRE headers; their protocol and
 * checksum are not read. */
struct kapkt {
	uint8_t form;	      /* enum keepalive_form */
	uint8_t family;	      /* enum ip_family */
	const uint8_t *local; /* 4 or 16 octets, as `remote` */
	const uint8_t *remote;
	uint8_t inside;		     /* INSIDE: family of the next two */
	const uint8_t *near, *far;   /* INSIDE: inner addresses of this end and of the peer */
	uint16_t id;		     /* IPv4: of the outer header; the inner one has id - 1 */
	const uint8_t *body;	     /* KABODY_LENGTH octets; NULL: none */
	struct gre_header ask, back; /* as we send to the peer; as we receive from it */
};

/* Sum of `len` octets, a multiple of 4 and at most the largest GRE part of a question. */
PROTO_INLINE uint64_t kapkt_sum(const uint8_t *p, unsigned len)
{
	uint64_t sum = 0;

	for (unsigned at = 0; at < KAPKT_LENGTH_MAX && at < len; at += 4)
		sum += get_be32(p + at);
	return sum;
}

/* Completes the checksum of the GRE header at p, over `len` octets from there. */
PROTO_INLINE void kapkt_seal(uint8_t *p, const struct gre_header *h, unsigned len)
{
	if (h->has_checksum)
		put_be16(p + 4, csum_fold(kapkt_sum(p, len)));
}

/* What the form makes of the protocol type in front of a passenger of this family. */
PROTO_INLINE uint16_t kapkt_ask_type(uint8_t form, uint8_t family)
{
	if (form == KEEPALIVE_CISCO_CMD)
		return GRE_PROTOCOL_CMD;
	if (form == KEEPALIVE_HUAWEI)
		return KAPKT_TYPE_HUAWEI;
	return family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
}

PROTO_INLINE unsigned kapkt_put_cmd(uint8_t *p, uint8_t family)
{
	const uint16_t words[] = {family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6,
				  KAPKT_CMD_WORDS};

	for (unsigned i = 0; i < KAPKT_CMD_LENGTH / 2; i++)
		put_be16(p + 2 * i, words[i]);
	return KAPKT_CMD_LENGTH;
}

/* Writes the passenger, which will be the answer, to p. Returns its length. */
PROTO_INLINE unsigned kapkt_build_back(uint8_t *p, const struct kapkt *k)
{
	bool inside = k->form == KEEPALIVE_INSIDE;
	struct gre_header back = k->back;
	unsigned gre_len = gre_header_length(back.has_checksum, back.has_key, back.has_sequence);
	unsigned body_len = k->body ? KABODY_LENGTH : 0;
	struct ip_outer ip = {.family = inside ? k->inside : k->family,
			      .protocol = IP_PROTOCOL_GRE,
			      .tos = KAPKT_TOS,
			      .ttl = KAPKT_TTL,
			      .id = (uint16_t)(k->id - 1),
			      .payload_len = gre_len + body_len,
			      .src = inside ? k->far : k->remote,
			      .dst = inside ? k->near : k->local};
	unsigned ip_len = ip_outer_encode(p, &ip);
	uint8_t *gre = p + ip_len;

	back.protocol = k->form == KEEPALIVE_MIKROTIK && ip.family == IP_V6
				? GRE_PROTOCOL_IPV6
				: GRE_PROTOCOL_KEEPALIVE;
	back.checksum = 0;
	gre_encode(gre, &back);
	if (k->body)
		__builtin_memcpy(gre + gre_len, k->body, KABODY_LENGTH);
	kapkt_seal(gre, &back, gre_len + body_len);
	return ip_len + gre_len + body_len;
}

/* Writes the question to p, which has room for KAPKT_LENGTH_MAX octets. Returns its length. */
PROTO_INLINE unsigned kapkt_build(uint8_t *p, const struct kapkt *k)
{
	struct gre_header ask = k->ask;
	uint8_t family = k->form == KEEPALIVE_INSIDE ? k->inside : k->family;
	unsigned len = gre_header_length(ask.has_checksum, ask.has_key, ask.has_sequence);
	uint8_t *gre = p + ip_outer_length(k->family);
	struct ip_outer ip = {.family = k->family,
			      .protocol = IP_PROTOCOL_GRE,
			      .tos = KAPKT_TOS,
			      .ttl = KAPKT_TTL,
			      .id = k->id,
			      .src = k->local,
			      .dst = k->remote};

	ask.protocol = kapkt_ask_type(k->form, family);
	ask.checksum = 0;
	gre_encode(gre, &ask);
	if (k->form == KEEPALIVE_CISCO_CMD)
		len += kapkt_put_cmd(gre + len, family);
	len += kapkt_build_back(gre + len, k);
	kapkt_seal(gre, &ask, len);
	ip.payload_len = len;
	return ip_outer_encode(p, &ip) + len;
}

enum kapkt_answer { KAPKT_NO_ANSWER, KAPKT_PLAIN, KAPKT_SIGNED };

/* What an outer packet from the peer is as an answer: `h` is its GRE header, with `body` octets
 * behind. Addresses and key are those of the tunnel already. */
PROTO_INLINE enum kapkt_answer kapkt_answer(uint8_t family, const struct gre_header *h,
					    uint32_t body)
{
	if (h->protocol == GRE_PROTOCOL_KEEPALIVE && body == KABODY_LENGTH)
		return KAPKT_SIGNED;
	if (body == 0 && (h->protocol == GRE_PROTOCOL_KEEPALIVE ||
			  (family == IP_V6 && h->protocol == GRE_PROTOCOL_IPV6)))
		return KAPKT_PLAIN;
	return KAPKT_NO_ANSWER;
}

/* Makes the answer of a question that kaquest.h has found: what forwarding changes. */
PROTO_INLINE void kapkt_turn(uint8_t *p, uint8_t family)
{
	uint16_t before = get_be16(p + 8);

	if (family == IP_V6) {
		p[7]--;
		return;
	}
	p[8]--;
	put_be16(p + 10, csum_update16(get_be16(p + 10), before, get_be16(p + 8)));
}

/* Addresses it to `to` instead; the checksum of a GRE header covers no address. */
PROTO_INLINE void kapkt_readdress(uint8_t *p, uint8_t family, const uint8_t *to)
{
	if (family == IP_V4)
		put_be16(p + 10, csum_update32(get_be16(p + 10), get_be32(p + 16), get_be32(to)));
	__builtin_memcpy(family == IP_V4 ? p + 16 : p + 24, to, family == IP_V4 ? 4 : 16);
}

#endif
