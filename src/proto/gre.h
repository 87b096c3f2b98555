/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gre.h: the GRE header, version 0 (RFC 2784), with key and sequence number (RFC 2890).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  |C|R|K|S|s|  ?  | ignored  | Ver |      protocol (EtherType)     |
 *  |       checksum (if C)          |      reserved1 (if C)         |
 *  |                          key (if K)                            |
 *  |                     sequence number (if S)                     |
 */
#ifndef PROTO_GRE_H
#define PROTO_GRE_H

#include "proto/bytes.h"
#include "proto/drop.h"

/* Bit n of the RFC's drawing is 0x8000 >> n. */
enum gre_flag {
	GRE_FLAG_CHECKSUM = 0x8000,
	GRE_FLAG_ROUTING = 0x4000, /* RFC 1701 only */
	GRE_FLAG_KEY = 0x2000,
	GRE_FLAG_SEQUENCE = 0x1000,
	GRE_FLAG_RESERVED = 0x0c00, /* bits 4 and 5: discard (RFC 2784 2.3) */
	GRE_FLAG_IGNORED = 0x03f8,  /* bits 6 to 12: ignore */
	GRE_FLAG_VERSION = 0x0007,
};

/* What follows the GRE header: EtherTypes. */
enum gre_protocol {
	GRE_PROTOCOL_KEEPALIVE = 0x0000, /* the reply to a keepalive, as Cisco does it */
	GRE_PROTOCOL_IPV4 = 0x0800,
	GRE_PROTOCOL_TEB = 0x6558, /* an Ethernet frame */
	GRE_PROTOCOL_IPV6 = 0x86dd,
	GRE_PROTOCOL_MPLS = 0x8847,
	GRE_PROTOCOL_MPLS_MC = 0x8848, /* MPLS with upstream-assigned labels (RFC 5332) */
	GRE_PROTOCOL_CMD = 0x8909,     /* Cisco metadata in front of the passenger */
	GRE_PROTOCOL_WCCP = 0x883e,    /* IPv4, perhaps behind a redirect header */
	GRE_PROTOCOL_ERSPAN = 0x88be,  /* mirrored frames, types I and II */
	GRE_PROTOCOL_ERSPAN3 = 0x22eb, /* type III */
};

/* Whether a packet of this type may be a passenger by itself: below 0x0600 are no EtherTypes, and
 * some others are forms of GRE that mean more than "here is a packet of that type". */
PROTO_INLINE bool gre_is_passenger(uint16_t protocol)
{
	return protocol >= 0x0600 && protocol != GRE_PROTOCOL_TEB && protocol != GRE_PROTOCOL_CMD &&
	       protocol != GRE_PROTOCOL_WCCP && protocol != GRE_PROTOCOL_ERSPAN &&
	       protocol != GRE_PROTOCOL_ERSPAN3;
}

/* Where a field begins when all are there: names it in an ICMP parameter problem. */
enum { GRE_CHECKSUM_AT = 4, GRE_SEQUENCE_AT = 12 };

enum { IPPROTO_NUMBER_GRE = 47, GRE_LENGTH_MIN = 4, GRE_LENGTH_MAX = 16 };

/* A header as values in host order. Fields whose has_ is false are 0. */
struct gre_header {
	uint16_t protocol; /* enum gre_protocol, or any other EtherType */
	bool has_checksum, has_key, has_sequence;
	uint16_t checksum;
	uint32_t key, sequence;
	uint8_t length; /* octets; set by gre_decode(), not read by gre_encode() */
};

/* Octets of a header with these fields: 4 to 16. */
PROTO_INLINE uint8_t gre_header_length(bool checksum, bool key, bool sequence)
{
	return (uint8_t)(4 + (checksum ? 4 : 0) + (key ? 4 : 0) + (sequence ? 4 : 0));
}

/* The reason to discard a packet with these first two octets, DROP_NONE if there is none. */
PROTO_INLINE enum drop_reason gre_check_flags(uint16_t flags)
{
	if (flags & GRE_FLAG_VERSION)
		return DROP_RX_VERSION;
	if (flags & GRE_FLAG_ROUTING)
		return DROP_RX_ROUTING;
	if (flags & GRE_FLAG_RESERVED)
		return DROP_RX_RESERVED;
	return DROP_NONE;
}

/*
 * Reads the header at p. DROP_NONE: *out is complete and the passenger begins at p + out->length,
 * which is at most `end`. Otherwise why the packet must be discarded (DROP_RX_TRUNCATED, _VERSION,
 * _ROUTING or _RESERVED), and *out is untouched. The checksum is not verified here.
 */
PROTO_INLINE enum drop_reason gre_decode(const uint8_t *p, const uint8_t *end,
					 struct gre_header *out)
{
	struct gre_header h = {0};
	const uint8_t *at = p + GRE_LENGTH_MIN;
	enum drop_reason reason;
	uint16_t flags;

	if (p + GRE_LENGTH_MIN > end)
		return DROP_RX_TRUNCATED;
	flags = get_be16(p);
	reason = gre_check_flags(flags);
	if (reason != DROP_NONE)
		return reason;
	h.protocol = get_be16(p + 2);
	if (flags & GRE_FLAG_CHECKSUM) {
		if (at + 4 > end)
			return DROP_RX_TRUNCATED;
		h.has_checksum = true;
		h.checksum = get_be16(at);
		at += 4;
	}
	if (flags & GRE_FLAG_KEY) {
		if (at + 4 > end)
			return DROP_RX_TRUNCATED;
		h.has_key = true;
		h.key = get_be32(at);
		at += 4;
	}
	if (flags & GRE_FLAG_SEQUENCE) {
		if (at + 4 > end)
			return DROP_RX_TRUNCATED;
		h.has_sequence = true;
		h.sequence = get_be32(at);
	}
	h.length = gre_header_length(h.has_checksum, h.has_key, h.has_sequence);
	*out = h;
	return DROP_NONE;
}

/*
 * Writes the header to p, which has room for gre_header_length() octets, and returns that length.
 * h->checksum goes out as given: to compute it, encode with 0, sum the header and the passenger
 * (csum.h), and put_be16() the result at p + 4.
 */
PROTO_INLINE uint8_t gre_encode(uint8_t *p, const struct gre_header *h)
{
	uint8_t *at = p + GRE_LENGTH_MIN;

	put_be16(p, (uint16_t)((h->has_checksum ? GRE_FLAG_CHECKSUM : 0) |
			       (h->has_key ? GRE_FLAG_KEY : 0) |
			       (h->has_sequence ? GRE_FLAG_SEQUENCE : 0)));
	put_be16(p + 2, h->protocol);
	if (h->has_checksum) {
		put_be16(at, h->checksum);
		put_be16(at + 2, 0); /* reserved1 */
		at += 4;
	}
	if (h->has_key) {
		put_be32(at, h->key);
		at += 4;
	}
	if (h->has_sequence)
		put_be32(at, h->sequence);
	return gre_header_length(h->has_checksum, h->has_key, h->has_sequence);
}

#endif
