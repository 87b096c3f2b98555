/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp.h: the errors we send about passengers (RFC 792, RFC 1191, RFC 4443), and what the errors
 * say that others send about our outer packets. User space only.
 */
#ifndef PROTO_ICMP_H
#define PROTO_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum icmp4_type {
	ICMP4_UNREACHABLE = 3,
	ICMP4_SOURCE_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,
};
enum icmp4_unreachable_code {
	ICMP4_NET_UNREACHABLE = 0,
	ICMP4_HOST_UNREACHABLE = 1,
	ICMP4_PROTOCOL_UNREACHABLE = 2,
	ICMP4_PORT_UNREACHABLE = 3,
	ICMP4_FRAG_NEEDED = 4,
	ICMP4_NET_PROHIBITED = 9,
	ICMP4_HOST_PROHIBITED = 10,
	ICMP4_PROHIBITED = 13,
};
enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_PACKET_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_REDIRECT = 137,
};
enum icmp4_parameter_code { ICMP4_POINTER = 0, ICMP4_OPTION_MISSING = 1 };
enum icmp6_parameter_code { ICMP6_BAD_FIELD = 0, ICMP6_UNKNOWN_HEADER = 1 };
enum icmp6_unreachable_code {
	ICMP6_NO_ROUTE = 0,
	ICMP6_PROHIBITED = 1,
	ICMP6_ADDRESS_UNREACHABLE = 3,
	ICMP6_PORT_UNREACHABLE = 4,
};

/* The largest whole packets: what every host takes (RFC 1812 4.3.2.3, RFC 4443 2.4 c). */
enum { ICMP4_ERROR_MAX = 576, ICMP6_ERROR_MAX = 1280, ICMP_ERROR_MAX = 1280 };

/*
 * Whether an error about this packet (len octets from its IP header) may be sent: not about ICMP
 * errors, not about fragments but the first, not to a source that names no single host, and not
 * when the destination is multicast or broadcast (RFC 1122 3.2.2, RFC 4443 2.4 e).
 * `packet_too_big` is the one IPv6 error that multicast destinations get.
 */
bool icmp_may_answer(const uint8_t *packet, size_t len, bool packet_too_big);

/*
 * Each builds a complete IP packet in `out` (room for ICMP4_ERROR_MAX or ICMP6_ERROR_MAX) from
 * `src` (4 or 16 octets, network order) to the source of `packet`, quoting as much of it as fits.
 * Returns its length; 0 when icmp_may_answer() forbids it or the packet is of the other family.
 */
size_t icmp4_error(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[4],
		   uint8_t type, uint8_t code, uint32_t rest);
size_t icmp6_error(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[16],
		   uint8_t type, uint8_t code, uint32_t rest);
/* Destination unreachable, fragmentation needed and DF set; next-hop MTU in octets (RFC 1191 4). */
size_t icmp4_frag_needed(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[4],
			 uint16_t mtu);
/* Packet too big (RFC 4443 3.2). */
size_t icmp6_packet_too_big(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[16],
			    uint32_t mtu);

/* An ICMP error about a GRE packet, host order. */
struct icmp_quote {
	uint8_t family; /* enum ip_family */
	uint8_t type, code;
	/* Next-hop MTU in octets where the error is "too big", else 0. For a router that left it
	 * out (RFC 1191 5) the next plateau below the quoted packet's length. */
	uint32_t mtu;
	uint8_t src[16], dst[16]; /* of the quoted packet: 4 or 16 octets, network order */
	uint32_t total_len;	  /* of the quoted packet, as its header says */
	uint16_t flags, protocol; /* first four octets of the quoted GRE header */
	bool has_key;		  /* flags say so AND the quote reaches that far */
	uint32_t key;
};

/*
 * Reads an ICMP (family IP_V4) or ICMPv6 (IP_V6) message, from its type octet on. True when it is
 * an error that quotes a GRE packet down to its first four octets; the checksum is verified for
 * IPv4 (for IPv6 the kernel has done so). False else, *out undefined. Whether the quoted packet is
 * one of ours is for the caller to judge (addresses, key): anybody can send this.
 */
bool icmp_quote_decode(uint8_t family, const uint8_t *p, size_t len, struct icmp_quote *out);

/* The largest usual MTU below total_len (RFC 1191 7.1); at least 68. */
uint16_t icmp_plateau(uint32_t total_len);

#endif
