/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kaquest.h: which passenger is a question of the peer that has to go back, in every form that
 * kapkt.h tells of, and which is an answer that came through the tunnel.
 *
 * This is the one exception to RFC 2784 3.1, which wants every passenger dropped that is addressed
 * to the encapsulator, so all of it has to fit: a whole packet with a plain IP header, from our end
 * of the tunnel to the peer's, GRE with the key that the peer expects, the protocol type of an
 * answer, and next to nothing behind.
 */
#ifndef PROTO_KAQUEST_H
#define PROTO_KAQUEST_H

#include "proto/kapkt.h"

/* The tunnel that a passenger came through; addresses are 4 or 16 octets. */
struct kapkt_tunnel {
	uint8_t family; /* of the outer addresses */
	const uint8_t *local, *remote;
	/* The inner addresses of both ends, of family [0] IPv4 and [1] IPv6; NULL: not known. */
	const uint8_t *near[2], *far[2];
	bool has_key; /* of what we send to the peer */
	uint32_t key;
	bool nat; /* the peer may write a private address for its outer one */
};

enum kapkt_way {
	KAPKT_NOT,     /* not a question */
	KAPKT_OUTSIDE, /* it goes back over the underlay */
	KAPKT_ALIEN,   /* so, too, but its destination has to become the tunnel's remote */
	KAPKT_THROUGH, /* it goes back as a passenger */
};

struct kapkt_question {
	uint8_t way;	/* enum kapkt_way */
	uint8_t family; /* of the packet that goes back */
	uint8_t *packet;
	unsigned len;
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

/* An address that is only of use behind a NAT: RFC 1918, RFC 6598, RFC 4193. */
PROTO_INLINE bool kapkt_is_private(const uint8_t *a, uint8_t family)
{
	if (family == IP_V6)
		return (a[0] & 0xfe) == 0xfc;
	return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
	       (a[0] == 100 && (a[1] & 0xc0) == 64);
}

/* Where a packet with these addresses would go back to. */
PROTO_INLINE uint8_t kapkt_way(const struct kapkt_tunnel *t, const uint8_t *src, const uint8_t *dst,
			       uint8_t family)
{
	unsigned size = family == IP_V4 ? 4 : 16, v6 = family == IP_V6;

	if (t->near[v6] && t->far[v6] && kapkt_same(src, t->near[v6], size) &&
	    kapkt_same(dst, t->far[v6], size))
		return KAPKT_THROUGH;
	if (t->family != family || !kapkt_same(src, t->local, size))
		return KAPKT_NOT;
	if (kapkt_same(dst, t->remote, size))
		return KAPKT_OUTSIDE;
	return t->nat && kapkt_is_private(dst, family) ? KAPKT_ALIEN : KAPKT_NOT;
}

/* Steps over Cisco's metadata; *protocol becomes the type of what follows it. */
PROTO_INLINE uint8_t *kapkt_skip_cmd(uint8_t *p, const uint8_t *end, uint16_t *protocol)
{
	if (*protocol != GRE_PROTOCOL_CMD || p + KAPKT_CMD_LENGTH > end || p[2] != 1 || p[3] != 1)
		return p;
	*protocol = get_be16(p);
	return p + KAPKT_CMD_LENGTH;
}

/* The family of the passenger that a protocol type announces; IP_NONE: none that asks. */
PROTO_INLINE uint8_t kapkt_family(uint16_t protocol)
{
	if (protocol == GRE_PROTOCOL_IPV4 || protocol == KAPKT_TYPE_HUAWEI)
		return IP_V4;
	return protocol == GRE_PROTOCOL_IPV6 ? IP_V6 : IP_NONE;
}

/* Whether a GRE packet of `len` octets at p is one that nobody but its asker wants. A question that
 * stays inside the tunnel may do without the tunnel's key. */
PROTO_INLINE bool kapkt_is_blank(const uint8_t *p, unsigned len, uint8_t family,
				 const struct kapkt_tunnel *t, bool through)
{
	struct gre_header h;

	if (len < GRE_LENGTH_MIN || len > GRE_LENGTH_MAX + KAPKT_BODY_MAX ||
	    gre_decode(p, p + len, &h) != DROP_NONE)
		return false;
	if ((h.has_key != t->has_key || h.key != t->key) && !(through && !h.has_key))
		return false;
	if (h.protocol == GRE_PROTOCOL_KEEPALIVE)
		return len - h.length <= KAPKT_BODY_MAX;
	return kapkt_answer(family, &h, len - h.length) == KAPKT_PLAIN;
}

/* Judges the passenger at p, which has this GRE protocol type. */
PROTO_INLINE struct kapkt_question kapkt_question(uint16_t protocol, uint8_t *p, const uint8_t *end,
						  const struct kapkt_tunnel *t)
{
	struct kapkt_question none = {KAPKT_NOT, IP_NONE, p, 0}, q;
	unsigned ip_len, size;
	const uint8_t *dst;

	q.packet = kapkt_skip_cmd(p, end, &protocol);
	q.family = kapkt_family(protocol);
	if (q.family == IP_NONE)
		return none;
	ip_len = ip_outer_length(q.family);
	size = q.family == IP_V4 ? 4 : 16;
	q.len = kapkt_read_ip(q.packet, end, q.family);
	if (q.len < ip_len)
		return none;
	dst = q.packet + ip_len - size;
	q.way = kapkt_way(t, dst - size, dst, q.family);
	if (q.way == KAPKT_NOT ||
	    !kapkt_is_blank(q.packet + ip_len, q.len - ip_len, q.family, t, q.way == KAPKT_THROUGH))
		return none;
	return q;
}

/* Whether the passenger at p is the answer to a question of ours of form INSIDE: between the inner
 * addresses, towards us, and blank. `t->key` is here the key that we receive. */
PROTO_INLINE bool kapkt_is_inner_answer(uint16_t protocol, const uint8_t *p, const uint8_t *end,
					const struct kapkt_tunnel *t)
{
	uint8_t family = kapkt_family(protocol);
	unsigned v6 = family == IP_V6, size = v6 ? 16 : 4, ip_len = ip_outer_length(family);
	unsigned len = family == IP_NONE ? 0 : kapkt_read_ip(p, end, family);
	const uint8_t *dst = p + ip_len - size;

	if (len < ip_len || !t->near[v6] || !t->far[v6] || protocol == KAPKT_TYPE_HUAWEI)
		return false;
	return kapkt_same(dst - size, t->far[v6], size) && kapkt_same(dst, t->near[v6], size) &&
	       kapkt_is_blank(p + ip_len, len - ip_len, family, t, false);
}

#endif
