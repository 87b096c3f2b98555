/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * csum_inc.h: the Internet checksum (RFC 1071) where there is little to sum: headers, and the
 * difference that a changed field makes (RFC 1624). Also for BPF. csum.h has the fast sum of whole
 * packets.
 *
 * A "sum" is a uint64_t that counts big-endian 16-bit words, carries not yet folded in; sums of
 * pieces are added with +. A "check" is what stands in a checksum field, in host order.
 */
#ifndef PROTO_CSUM_INC_H
#define PROTO_CSUM_INC_H

#include "proto/bytes.h"

/* A sum folded to 16 bits, not complemented. 0 only for a sum of 0. */
PROTO_INLINE uint16_t csum_fold16(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

/* The check that belongs to a sum: put_be16() it into the field. 0 when a received packet, its
 * checksum field included, is right. */
PROTO_INLINE uint16_t csum_fold(uint64_t sum)
{
	return (uint16_t)~csum_fold16(sum);
}

/* Adds the sum of a piece that begins `offset` octets after the beginning of the whole. */
PROTO_INLINE uint64_t csum_block_add(uint64_t sum, uint64_t piece, uint64_t offset)
{
	uint16_t folded = csum_fold16(piece);

	if (offset & 1) /* its octets count in the other half of the word (RFC 1071 2.B) */
		folded = (uint16_t)(folded >> 8 | folded << 8);
	return sum + folded;
}

/* The check after a 16-bit field at an even offset changed (RFC 1624 eqn. 3). */
PROTO_INLINE uint16_t csum_update16(uint16_t check, uint16_t from, uint16_t to)
{
	return csum_fold((uint64_t)(uint16_t)~check + (uint16_t)~from + to);
}

/* The same for a 32-bit field. */
PROTO_INLINE uint16_t csum_update32(uint16_t check, uint32_t from, uint32_t to)
{
	return csum_fold((uint64_t)(uint16_t)~check + (uint32_t)~from + to);
}

/* Sum of an IPv4 header of header_len octets, a multiple of 4 from 20 to 60, all before `end`. */
PROTO_INLINE uint64_t csum_ip4_header(const uint8_t *p, const uint8_t *end, unsigned header_len)
{
	uint64_t sum = 0;

	for (unsigned at = 0; at < 60; at += 4) {
		if (at >= header_len || p + at + 4 > end)
			break;
		sum += get_be32(p + at);
	}
	return sum;
}

/* Sum of the pseudo-header of TCP, UDP (RFC 9293 3.1) over IPv4; `length` is the upper packet's. */
PROTO_INLINE uint64_t csum_pseudo4(const uint8_t *src, const uint8_t *dst, uint8_t protocol,
				   uint32_t length)
{
	return (uint64_t)get_be32(src) + get_be32(dst) + protocol + length;
}

/* The same for TCP, UDP and ICMPv6 over IPv6 (RFC 8200 8.1). */
PROTO_INLINE uint64_t csum_pseudo6(const uint8_t *src, const uint8_t *dst, uint8_t protocol,
				   uint32_t length)
{
	uint64_t sum = (uint64_t)protocol + length;

	for (unsigned at = 0; at < 16; at += 4)
		sum += (uint64_t)get_be32(src + at) + get_be32(dst + at);
	return sum;
}

/* The one that belongs to the IP header at `ip`, of version 4 or 6, whose addresses are there. */
PROTO_INLINE uint64_t csum_pseudo(const uint8_t *ip, unsigned version, uint8_t protocol,
				  uint32_t length)
{
	return version == 4 ? csum_pseudo4(ip + 12, ip + 16, protocol, length)
			    : csum_pseudo6(ip + 8, ip + 24, protocol, length);
}

#endif
