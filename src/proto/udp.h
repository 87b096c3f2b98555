/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp.h: the UDP header that a tunnel may have between the outer IP header and GRE (RFC 8086).
 *
 *   outer IP, protocol 17 | UDP, destination port 4754 | GRE | passenger
 *
 * The destination port says what the datagram is. The source port is nobody's: it tells the flows
 * inside apart, so that routers on the way spread them over equal paths (RFC 8086 3.2.1).
 */
#ifndef PROTO_UDP_H
#define PROTO_UDP_H

#include "proto/addr.h"
#include "proto/csum_inc.h"
#include "proto/drop.h"
#include "proto/ethernet.h"
#include "proto/gre.h"
#include "proto/ip.h"

enum {
	UDP_HEADER_LENGTH = 8,
	UDP_CHECKSUM_AT = 6,
	UDP_PORT_GRE = 4754,	  /* IANA's, without DTLS */
	UDP_SOURCE_FIRST = 49152, /* the ports that are never assigned, to 65535 (RFC 6335 6) */
	UDP_SOURCE_COUNT = 16384,
	/* Destination ports that one host receives at, at most; a file has half as many, so that
	 * there is room for those before and after a reload. */
	UDP_PORTS_MAX = 16,
	UDP_PORTS_CONF = UDP_PORTS_MAX / 2,
};

/* In host order; `length` counts the header, octets. */
struct udp_header {
	uint16_t source, destination, length, checksum;
};

/*
 * Reads the header at p. DROP_NONE, or DROP_RX_UDP_LENGTH when it is cut short, or when its length
 * is less than the header or reaches beyond `end` (RFC 768); *out is then untouched. Octets after
 * the length are allowed, as padding. Length 0, which RFC 2675 has for jumbograms, is refused.
 */
PROTO_INLINE enum drop_reason udp_decode(const uint8_t *p, const uint8_t *end,
					 struct udp_header *out)
{
	uint16_t length;

	if (p + UDP_HEADER_LENGTH > end)
		return DROP_RX_UDP_LENGTH;
	length = get_be16(p + 4);
	if (length < UDP_HEADER_LENGTH || p + length > end)
		return DROP_RX_UDP_LENGTH;
	out->source = get_be16(p);
	out->destination = get_be16(p + 2);
	out->length = length;
	out->checksum = get_be16(p + UDP_CHECKSUM_AT);
	return DROP_NONE;
}

/* Writes the header to p, UDP_HEADER_LENGTH octets, and returns that. */
PROTO_INLINE unsigned udp_encode(uint8_t *p, const struct udp_header *h)
{
	put_be16(p, h->source);
	put_be16(p + 2, h->destination);
	put_be16(p + 4, h->length);
	put_be16(p + UDP_CHECKSUM_AT, h->checksum);
	return UDP_HEADER_LENGTH;
}

/* Sum of the pseudo-header for these outer addresses (4 or 16 octets, by family), and a datagram of
 * `length` octets. */
PROTO_INLINE uint64_t udp_pseudo(uint8_t family, const uint8_t *src, const uint8_t *dst,
				 uint32_t length)
{
	return family == IP_V4 ? csum_pseudo4(src, dst, IP_PROTOCOL_UDP, length)
			       : csum_pseudo6(src, dst, IP_PROTOCOL_UDP, length);
}

/* The check that belongs to the sum of pseudo-header and datagram: never 0, which stands for "no
 * checksum" (RFC 768). */
PROTO_INLINE uint16_t udp_check(uint64_t sum)
{
	uint16_t check = csum_fold(sum);

	return check ? check : 0xffff;
}

/*
 * Whether the checksum of a received datagram that has one is right. `sum` is that of the whole
 * datagram, checksum field included. A sender on this very machine, in a virtual one or in a
 * container, may have left the sum of the pseudo-header alone there for a device to complete that
 * never came: nothing can have damaged such a packet on the way. Taking it costs damaged ones a
 * second value in 65,535 by which they pass.
 */
PROTO_INLINE bool udp_checksum_good(uint64_t sum, uint64_t pseudo, uint16_t checksum)
{
	return csum_fold(sum + pseudo) == 0 || checksum == csum_fold16(pseudo);
}

PROTO_INLINE uint32_t udp_mix(uint32_t hash, uint32_t word)
{
	hash = (hash ^ word) * 0x9e3779b1u;
	return hash ^ (hash >> 15);
}

/* Addresses, protocol and ports; of fragments no ports, so that all pieces are of one flow. */
PROTO_INLINE uint32_t udp_hash_ip(uint32_t hash, const struct ip_info *ip, const uint8_t *p,
				  const uint8_t *end)
{
	const uint8_t *ports = p + ip->header_len;
	unsigned size = ip->version == 4 ? 4 : 16;

	for (unsigned at = 0; at < size; at += 4) {
		hash = udp_mix(hash, get_be32(ip->src + at));
		hash = udp_mix(hash, get_be32(ip->dst + at));
	}
	hash = udp_mix(hash, ip->protocol);
	if (ip->fragment || !ip->has_transport || ports + 4 > end ||
	    (ip->protocol != IP_PROTOCOL_TCP && ip->protocol != IP_PROTOCOL_UDP))
		return hash;
	return udp_mix(hash, get_be32(ports));
}

/*
 * The source port for the passenger at p, of this GRE protocol type (host order): the same for all
 * packets of a flow, and after a restart, since firewalls and translators on the way remember it.
 * Of an Ethernet frame that carries no IP its addresses count. `seed` tells tunnels apart.
 */
PROTO_INLINE uint16_t udp_source_port(uint32_t seed, uint16_t protocol, const uint8_t *p,
				      const uint8_t *end)
{
	uint16_t at = 0, type = protocol;
	uint32_t hash = udp_mix(0, seed);
	struct ip_info ip;

	if (protocol == GRE_PROTOCOL_TEB)
		type = ethernet_read(p, end, &at);
	if ((type == GRE_PROTOCOL_IPV4 || type == GRE_PROTOCOL_IPV6) && ip_decode(p + at, end, &ip))
		hash = udp_hash_ip(hash, &ip, p + at, end);
	else if (protocol == GRE_PROTOCOL_TEB && p + ETHERNET_HEADER_LENGTH <= end)
		hash = udp_mix(udp_mix(udp_mix(hash, get_be32(p)), get_be32(p + 4)),
			       get_be32(p + 8));
	return (uint16_t)(UDP_SOURCE_FIRST + (hash ^ hash >> 16) % UDP_SOURCE_COUNT);
}

#endif
