/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kapkt.h: the packets of the keepalive that Cisco routers speak. There is no standard for it.
 *
 * The question is a passenger that the peer cannot keep: a GRE packet from the peer to us. A peer
 * that decapsulates and forwards sends it back to us over the underlay, with a TTL one less, and
 * needs to know nothing of keepalives. That is the answer: GRE with protocol type 0 and no body.
 *
 *   IP us>peer | GRE, protocol of IP | IP peer>us | GRE, protocol 0        question
 *                                      IP peer>us | GRE, protocol 0        answer
 *
 * The inner GRE header is what our own receiving side asks for, since the peer does not touch it.
 * Some peers say 0x86dd instead of 0 when the addresses are IPv6, some put a few octets behind.
 */
#ifndef PROTO_KAPKT_H
#define PROTO_KAPKT_H

#include "proto/gre.h"
#include "proto/ip.h"

enum {
	KAPKT_TOS = 0xc0, /* network control */
	KAPKT_TTL = 255,
	KAPKT_LENGTH_MAX = 2 * (IP6_HEADER_LENGTH + GRE_LENGTH_MAX),
	KAPKT_BODY_MAX = 16, /* what a peer's question may carry behind its inner GRE header */
};

/* A question to build. Keys and sequence numbers are in the two GRE headers; their protocol and
 * checksum are not read. */
struct kapkt {
	uint8_t family;	      /* enum ip_family */
	const uint8_t *local; /* 4 or 16 octets, as `remote` */
	const uint8_t *remote;
	uint16_t id;		     /* IPv4: of the outer header; the inner one has id - 1 */
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

PROTO_INLINE unsigned kapkt_put_ip(uint8_t *p, const struct kapkt *k, bool back,
				   uint32_t payload_len)
{
	struct ip_outer ip = {.family = k->family,
			      .protocol = IP_PROTOCOL_GRE,
			      .tos = KAPKT_TOS,
			      .ttl = KAPKT_TTL,
			      .id = (uint16_t)(k->id - back),
			      .payload_len = payload_len,
			      .src = back ? k->remote : k->local,
			      .dst = back ? k->local : k->remote};

	return ip_outer_encode(p, &ip);
}

/* Writes the question to p, which has room for KAPKT_LENGTH_MAX octets. Returns its length. */
PROTO_INLINE unsigned kapkt_build(uint8_t *p, const struct kapkt *k)
{
	struct gre_header ask = k->ask, back = k->back;
	unsigned ip_len = ip_outer_length(k->family);
	unsigned ask_len = gre_header_length(ask.has_checksum, ask.has_key, ask.has_sequence);
	unsigned back_len = gre_header_length(back.has_checksum, back.has_key, back.has_sequence);
	uint8_t *inner = p + ip_len + ask_len;

	ask.protocol = k->family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
	back.protocol = GRE_PROTOCOL_KEEPALIVE;
	ask.checksum = back.checksum = 0;
	kapkt_put_ip(inner, k, true, back_len);
	gre_encode(inner + ip_len, &back);
	kapkt_seal(inner + ip_len, &back, back_len);
	kapkt_put_ip(p, k, false, ask_len + ip_len + back_len);
	gre_encode(p + ip_len, &ask);
	kapkt_seal(p + ip_len, &ask, ask_len + ip_len + back_len);
	return 2 * ip_len + ask_len + back_len;
}

/* Whether an outer packet from the peer is an answer: `h` is its GRE header, with `body` octets
 * behind. Addresses and key are those of the tunnel already. */
PROTO_INLINE bool kapkt_is_answer(uint8_t family, const struct gre_header *h, uint32_t body)
{
	return body == 0 && (h->protocol == GRE_PROTOCOL_KEEPALIVE ||
			     (family == IP_V6 && h->protocol == GRE_PROTOCOL_IPV6));
}

/* The tunnel that a passenger came through, as kapkt_question() needs it. */
struct kapkt_tunnel {
	uint8_t family;
	const uint8_t *local, *remote;
	bool has_key; /* of what we send to the peer */
	uint32_t key;
};

PROTO_INLINE bool kapkt_same(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint32_t differ = 0;

	for (unsigned at = 0; at < 16 && at < len; at += 4)
		differ |= get_be32(a + at) ^ get_be32(b + at);
	return differ == 0;
}

/* Octets of the IP packet at p if its header is one that can be sent on: plain GRE inside, neither
 * options nor a fragment, a TTL that may become one less. 0 if not. */
PROTO_INLINE unsigned kapkt_read_ip(const uint8_t *p, const uint8_t *end, uint8_t family)
{
	unsigned len;

	if (family == IP_V4) {
		if (p + IP4_HEADER_LENGTH > end || p[0] != 0x45 || p[8] < 2 ||
		    p[9] != IP_PROTOCOL_GRE || get_be16(p + 6) & 0x3fff ||
		    !ip4_checksum_good(p, end, IP4_HEADER_LENGTH))
			return 0;
		len = get_be16(p + 2);
	} else {
		if (p + IP6_HEADER_LENGTH > end || p[0] >> 4 != 6 || p[7] < 2 ||
		    p[6] != IP_PROTOCOL_GRE)
			return 0;
		len = IP6_HEADER_LENGTH + (unsigned)get_be16(p + 4);
	}
	return p + len > end ? 0 : len;
}

/*
 * Octets of the passenger at p if it is a question of the peer, else 0. This is the one exception
 * to RFC 2784 3.1, which wants every passenger dropped that is addressed to the encapsulator, so
 * all of it has to fit: from our end of the tunnel to the peer's, GRE with the key that the peer
 * expects, the protocol type of an answer, and next to nothing behind.
 */
PROTO_INLINE unsigned kapkt_question(const uint8_t *p, const uint8_t *end,
				     const struct kapkt_tunnel *t)
{
	unsigned ip_len = ip_outer_length(t->family), size = t->family == IP_V4 ? 4 : 16;
	unsigned len = kapkt_read_ip(p, end, t->family), body;
	const uint8_t *gre = p + ip_len, *dst = gre - size;
	struct gre_header h;

	if (len < ip_len + GRE_LENGTH_MIN || len > ip_len + GRE_LENGTH_MAX + KAPKT_BODY_MAX)
		return 0;
	if (!kapkt_same(dst - size, t->local, size) || !kapkt_same(dst, t->remote, size))
		return 0;
	if (gre_decode(gre, p + len, &h) != DROP_NONE || h.has_key != t->has_key || h.key != t->key)
		return 0;
	body = len - ip_len - h.length;
	if (h.protocol == GRE_PROTOCOL_KEEPALIVE ? body > KAPKT_BODY_MAX
						 : !kapkt_is_answer(t->family, &h, body))
		return 0;
	return len;
}

/* Makes the answer of a question that kapkt_question() has found: what forwarding changes. */
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

#endif
