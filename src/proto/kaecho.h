/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kaecho.h: ICMP echo (RFC 792, RFC 4443 4) as a probe of a tunnel: our own requests, whose data is
 * the signed body of kabody.h, and the echo replies that scrubbing services send to have them back.
 */
#ifndef PROTO_KAECHO_H
#define PROTO_KAECHO_H

#include "proto/ip.h"
#include "proto/kabody.h"

enum {
	KAECHO_TTL = 64,
	KAECHO_HEADER_LENGTH = 8,
	KAECHO_LENGTH_MAX = IP6_HEADER_LENGTH + KAECHO_HEADER_LENGTH + KABODY_LENGTH,
	ICMP4_ECHO_REPLY = 0,
	ICMP4_ECHO_REQUEST = 8,
	ICMP6_ECHO_REQUEST = 128,
	ICMP6_ECHO_REPLY = 129,
	/* Identifiers of echoes whose way `gretel doctor` watches: the kernel lanes leave them
	 * alone, since nobody can watch what goes by those. */
	ECHO_WATCHED_ID = 0x6700,
	ECHO_WATCHED_MASK = 0xff00,
};

struct kaecho {
	uint8_t family;		   /* enum ip_family */
	const uint8_t *near, *far; /* who asks and who is asked; 4 or 16 octets */
	uint16_t id, sequence;	   /* of the echo */
	uint16_t ip_id;
	const uint8_t *body; /* KABODY_LENGTH octets */
};

/* Writes the request, a whole IP packet, to p. Returns its length. */
PROTO_INLINE unsigned kaecho_build(uint8_t *p, const struct kaecho *e)
{
	bool v4 = e->family == IP_V4;
	struct ip_outer ip = {.family = e->family,
			      .protocol = v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
			      .ttl = KAECHO_TTL,
			      .id = e->ip_id,
			      .payload_len = KAECHO_HEADER_LENGTH + KABODY_LENGTH,
			      .src = e->near,
			      .dst = e->far};
	uint8_t *icmp = p + ip_outer_encode(p, &ip);
	uint64_t sum = v4 ? 0 : csum_pseudo6(e->near, e->far, IP_PROTOCOL_ICMPV6, ip.payload_len);

	put_be32(icmp, (uint32_t)(v4 ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST) << 24);
	put_be32(icmp + 4, (uint32_t)e->id << 16 | e->sequence);
	__builtin_memcpy(icmp + KAECHO_HEADER_LENGTH, e->body, KABODY_LENGTH);
	for (unsigned at = 0; at < KAECHO_HEADER_LENGTH + KABODY_LENGTH; at += 4)
		sum += get_be32(icmp + at);
	put_be16(icmp + 2, csum_fold(sum));
	return ip_outer_length(e->family) + ip.payload_len;
}

/* The ICMP header in a whole IP packet of this type, by its family; NULL if the packet at p is
 * none. */
PROTO_INLINE uint8_t *kaecho_find(uint8_t *p, const uint8_t *end, struct ip_info *ip, uint8_t type4,
				  uint8_t type6)
{
	uint8_t *icmp;
	bool v4;

	if (!ip_decode(p, end, ip) || ip->fragment || !ip->has_transport)
		return NULL;
	v4 = ip->version == 4;
	icmp = p + ip->header_len;
	if (ip->protocol != (v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6) ||
	    icmp + KAECHO_HEADER_LENGTH > end || icmp[0] != (v4 ? type4 : type6) || icmp[1] != 0)
		return NULL;
	return icmp;
}

PROTO_INLINE uint8_t *kaecho_reply(uint8_t *p, const uint8_t *end, struct ip_info *ip)
{
	return kaecho_find(p, end, ip, ICMP4_ECHO_REPLY, ICMP6_ECHO_REPLY);
}

PROTO_INLINE uint8_t *kaecho_request(uint8_t *p, const uint8_t *end, struct ip_info *ip)
{
	return kaecho_find(p, end, ip, ICMP4_ECHO_REQUEST, ICMP6_ECHO_REQUEST);
}

/* Makes a request, whose ICMP header is at `icmp`, the answer to it: the addresses change places,
 * and it has its way before it. Both checksums are as right as they were. */
PROTO_INLINE void kaecho_turn(uint8_t *p, uint8_t *icmp)
{
	bool v4 = p[0] >> 4 == 4;
	unsigned size = v4 ? 4 : 16, at = v4 ? 12 : 8;
	uint16_t before = get_be16(p + 8), type = get_be16(icmp);
	uint8_t to[16];

	__builtin_memcpy(to, p + at, size);
	__builtin_memcpy(p + at, p + at + size, size);
	__builtin_memcpy(p + at + size, to, size);
	p[v4 ? 8 : 7] = KAECHO_TTL;
	if (v4)
		put_be16(p + 10, csum_update16(get_be16(p + 10), before, get_be16(p + 8)));
	icmp[0] = v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	put_be16(icmp + 2, csum_update16(get_be16(icmp + 2), type, get_be16(icmp)));
}

/* The body of the answer to a request like `e`, whose sequence, ip_id and body are not looked at;
 * NULL if the passenger at p is none. Whether it is ours says the body alone. */
PROTO_INLINE const uint8_t *kaecho_answer(uint8_t *p, const uint8_t *end, const struct kaecho *e)
{
	unsigned size = e->family == IP_V4 ? 4 : 16;
	struct ip_info ip;
	uint8_t *icmp = kaecho_reply(p, end, &ip);

	if (!icmp || ip.version != (e->family == IP_V4 ? 4 : 6) ||
	    ip.total_len - ip.header_len != KAECHO_HEADER_LENGTH + KABODY_LENGTH ||
	    get_be16(icmp + 4) != e->id || __builtin_memcmp(ip.src, e->far, size) != 0 ||
	    __builtin_memcmp(ip.dst, e->near, size) != 0)
		return NULL;
	return icmp + KAECHO_HEADER_LENGTH;
}

/* The addresses for which Cloudflare recommends a route back into the tunnel: 172.64.240.252/30. */
PROTO_INLINE bool kaecho_is_target(const uint8_t *a)
{
	return (get_be32(a) & ~3u) == 0xac40f0fc;
}

/* Whether the echo reply of `ip` claims to come from this side, where `ours` are `count` addresses
 * of `ip`'s family, 4 or 16 octets each or NULL. So no machine behind the peer has sent it. */
PROTO_INLINE bool kaecho_is_probe(const struct ip_info *ip, const uint8_t *const *ours,
				  unsigned count)
{
	unsigned size = ip->version == 4 ? 4 : 16;

	if (ip->ttl < 2)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (ours[i] && __builtin_memcmp(ip->dst, ours[i], size) == 0)
			return false;
	}
	for (unsigned i = 0; i < count; i++) {
		if (ours[i] && __builtin_memcmp(ip->src, ours[i], size) == 0)
			return true;
	}
	return ip->version == 4 && kaecho_is_target(ip->src);
}

#endif
