/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.h: IPv4 and IPv6 headers: what a passenger says of itself, and the outer header we write. */
#ifndef PROTO_IP_H
#define PROTO_IP_H

#include "proto/addr.h"
#include "proto/bytes.h"
#include "proto/csum_inc.h"

enum {
	IP4_HEADER_LENGTH = 20, /* without options */
	IP6_HEADER_LENGTH = 40,
	IP6_FRAGMENT_HEADER_LENGTH = 8,
	IP_HEADERS_MAX =
		512, /* octets of IPv6 extension headers that are walked, the base included */
	IP6_EXTENSIONS_MAX = 8,
};

enum ip_protocol {
	IP_PROTOCOL_HOP_BY_HOP = 0,
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ROUTING = 43,
	IP_PROTOCOL_FRAGMENT = 44,
	IP_PROTOCOL_GRE = 47,
	IP_PROTOCOL_AH = 51,
	IP_PROTOCOL_ICMPV6 = 58,
	IP_PROTOCOL_NONE = 59,
	IP_PROTOCOL_DESTINATION = 60,
	IP_PROTOCOL_MOBILITY = 135,
	IP_PROTOCOL_HIP = 139,
	IP_PROTOCOL_SHIM6 = 140,
};

/* A packet's header as values in host order; lengths and offsets in octets. */
struct ip_info {
	uint8_t version;  /* 4 or 6 */
	uint8_t protocol; /* enum ip_protocol of what begins at header_len */
	uint8_t tos;	  /* IPv6: traffic class */
	uint8_t ttl;	  /* IPv6: hop limit */
	bool df;	  /* IPv4 don't-fragment bit; false for IPv6, which has none */
	bool fragment;	  /* a piece of a packet; frag_offset and more_fragments tell which */
	bool more_fragments;
	/* `protocol` is the transport and its header begins at header_len: false in all fragments
	 * but the first, and where IPv6 extension headers are too many, unknown or cut short. */
	bool has_transport;
	uint16_t header_len; /* IPv4: with options. IPv6: 40 and the extension headers walked */
	uint16_t frag_offset;
	uint32_t total_len;	  /* of the whole packet; what is present may be longer (padding) */
	uint32_t id;		  /* IPv4 identification, IPv6 of the fragment header, else 0 */
	const uint8_t *src, *dst; /* into the packet, 4 or 16 octets */
};

PROTO_INLINE bool ip4_decode(const uint8_t *p, const uint8_t *end, struct ip_info *out)
{
	uint16_t fragment;

	if (p + IP4_HEADER_LENGTH > end)
		return false;
	fragment = get_be16(p + 6);
	out->version = 4;
	out->tos = p[1];
	out->total_len = get_be16(p + 2);
	out->id = get_be16(p + 4);
	out->df = fragment & 0x4000;
	out->more_fragments = fragment & 0x2000;
	out->frag_offset = (uint16_t)((fragment & 0x1fff) * 8);
	out->fragment = out->more_fragments || out->frag_offset;
	out->has_transport = out->frag_offset == 0;
	out->ttl = p[8];
	out->protocol = p[9];
	out->src = p + 12;
	out->dst = p + 16;
	out->header_len = (uint16_t)((p[0] & 0x0f) * 4);
	return out->header_len >= IP4_HEADER_LENGTH && out->header_len <= out->total_len &&
	       !(p + out->total_len > end);
}

/* Octets of the extension header whose first two are given; 0: `protocol` is no such header. */
PROTO_INLINE unsigned ip6_extension_length(uint8_t protocol, uint8_t second)
{
	switch (protocol) {
	case IP_PROTOCOL_HOP_BY_HOP:
	case IP_PROTOCOL_ROUTING:
	case IP_PROTOCOL_DESTINATION:
	case IP_PROTOCOL_MOBILITY:
	case IP_PROTOCOL_HIP:
	case IP_PROTOCOL_SHIM6:
		return (second + 1u) * 8;
	case IP_PROTOCOL_FRAGMENT:
		return IP6_FRAGMENT_HEADER_LENGTH;
	case IP_PROTOCOL_AH:
		return (second + 2u) * 4;
	default:
		return 0;
	}
}

/* Walks the extension headers. A chain that cannot be walked to its end is no fault of a packet
 * that we only carry: it merely has no transport for us. */
PROTO_INLINE void ip6_walk(const uint8_t *p, const uint8_t *end, struct ip_info *out)
{
	unsigned at = IP6_HEADER_LENGTH;
	uint8_t protocol = out->protocol;

	for (unsigned i = 0; i <= IP6_EXTENSIONS_MAX; i++) {
		const uint8_t *header;
		unsigned length;

		out->protocol = protocol;
		out->header_len = (uint16_t)at;
		if (ip6_extension_length(protocol, 0) == 0) {
			out->has_transport = protocol != IP_PROTOCOL_NONE;
			return;
		}
		if (at > IP_HEADERS_MAX)
			return;
		header = p + at;
		if (header + 8 > end || at + 8 > out->total_len)
			return;
		length = ip6_extension_length(protocol, header[1]);
		if (at + length > out->total_len)
			return;
		if (protocol == IP_PROTOCOL_FRAGMENT) {
			uint16_t word = get_be16(header + 2);

			out->frag_offset = word & 0xfff8;
			out->more_fragments = word & 1;
			out->fragment = true;
			out->id = get_be32(header + 4);
		}
		protocol = header[0];
		at += length;
		if (out->frag_offset) { /* what follows is the middle of something */
			out->protocol = protocol;
			out->header_len = (uint16_t)at;
			return;
		}
	}
}

PROTO_INLINE bool ip6_decode(const uint8_t *p, const uint8_t *end, struct ip_info *out)
{
	if (p + IP6_HEADER_LENGTH > end)
		return false;
	out->version = 6;
	out->tos = (uint8_t)(get_be16(p) >> 4);
	out->total_len = IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4);
	out->protocol = p[6];
	out->ttl = p[7];
	out->src = p + 8;
	out->dst = p + 24;
	if (p + out->total_len > end)
		return false;
	ip6_walk(p, end, out);
	return true;
}

/*
 * Reads the IPv4 or IPv6 header at p, whichever the version nibble says. False when there is none,
 * or when it is truncated or inconsistent (header length below 20 or beyond the total length, total
 * length beyond `end`); *out then holds nothing of use. Octets after the total length are allowed.
 * The IPv4 header checksum is not verified: see ip4_checksum_good().
 */
PROTO_INLINE bool ip_decode(const uint8_t *p, const uint8_t *end, struct ip_info *out)
{
	struct ip_info none = {0};

	*out = none;
	if (p + 1 > end)
		return false;
	if (p[0] >> 4 == 4)
		return ip4_decode(p, end, out);
	if (p[0] >> 4 == 6)
		return ip6_decode(p, end, out);
	return false;
}

/* For a header that ip_decode() accepted as IPv4. */
PROTO_INLINE bool ip4_checksum_good(const uint8_t *p, const uint8_t *end, unsigned header_len)
{
	return csum_fold(csum_ip4_header(p, end, header_len)) == 0;
}

/* The same where the 20 octets are known to be there, and there are no options. */
PROTO_INLINE bool ip4_plain_checksum_good(const uint8_t *p)
{
	return csum_fold((uint64_t)get_be32(p) + get_be32(p + 4) + get_be32(p + 8) +
			 get_be32(p + 12) + get_be32(p + 16)) == 0;
}

/* An outer header to write, host order. */
struct ip_outer {
	uint8_t family; /* enum ip_family */
	uint8_t protocol;
	uint8_t tos, ttl;
	bool df;	     /* IPv4 only */
	uint16_t id;	     /* IPv4 only */
	uint32_t flow_label; /* IPv6 only, 20 bits */
	uint32_t payload_len;
	const uint8_t *src, *dst; /* 4 or 16 octets */
};

PROTO_INLINE unsigned ip_outer_length(uint8_t family)
{
	return family == IP_V4 ? IP4_HEADER_LENGTH : IP6_HEADER_LENGTH;
}

PROTO_INLINE void ip4_outer_encode(uint8_t *p, const struct ip_outer *o)
{
	uint32_t words[5] = {
		0x45000000 | (uint32_t)o->tos << 16 | (IP4_HEADER_LENGTH + o->payload_len),
		(uint32_t)o->id << 16 | (o->df ? 0x4000 : 0),
		(uint32_t)o->ttl << 24 | (uint32_t)o->protocol << 16,
		get_be32(o->src),
		get_be32(o->dst),
	};

	words[2] |= csum_fold((uint64_t)words[0] + words[1] + words[2] + words[3] + words[4]);
	put_be32(p, words[0]);
	put_be32(p + 4, words[1]);
	put_be32(p + 8, words[2]);
	put_be32(p + 12, words[3]);
	put_be32(p + 16, words[4]);
}

PROTO_INLINE void ip6_outer_encode(uint8_t *p, const struct ip_outer *o)
{
	put_be32(p, 6u << 28 | (uint32_t)o->tos << 20 | (o->flow_label & 0xfffff));
	put_be32(p + 4, o->payload_len << 16 | (uint32_t)o->protocol << 8 | o->ttl);
	__builtin_memcpy(p + 8, o->src, 16);
	__builtin_memcpy(p + 24, o->dst, 16);
}

/*
 * Writes the outer header, IPv4 header checksum included, to p, which has room for
 * ip_outer_length(). Returns the octets written, 20 or 40; 0, and nothing written, when the payload
 * does not fit into a packet of 65,535 octets (IPv6: 65,535 octets after the header).
 */
PROTO_INLINE unsigned ip_outer_encode(uint8_t *p, const struct ip_outer *o)
{
	if (o->family == IP_V4) {
		if (o->payload_len > 65535 - IP4_HEADER_LENGTH)
			return 0;
		ip4_outer_encode(p, o);
		return IP4_HEADER_LENGTH;
	}
	if (o->payload_len > 65535)
		return 0;
	ip6_outer_encode(p, o);
	return IP6_HEADER_LENGTH;
}

#endif
