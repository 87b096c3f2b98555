/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h: IP addresses and prefixes as values, and their text form. */
#ifndef PROTO_ADDR_H
#define PROTO_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values of AF_INET and AF_INET6, so that they can be handed to the kernel as they are. */
enum ip_family { IP_NONE = 0, IP_V4 = 2, IP_V6 = 10 };

/* An address; `bytes` in network order, 4 of them used for IPv4, the rest zero. */
struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t bytes[16];
};

/* A prefix, or an interface address with its prefix length: host bits are kept as written. */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len; /* bits */
};

#define ADDR_TEXT_SIZE	 46 /* longest address and the terminating zero */
#define PREFIX_TEXT_SIZE 50

/* Octets of an address of this family: 4 or 16. */
unsigned addr_size(uint8_t family);
/* The address of this family whose octets are at `bytes`. */
struct ip_addr addr_of(uint8_t family, const uint8_t *bytes);
/* Parses "192.0.2.1" or "2001:db8::1". False, and *out untouched, when the text is anything else.
 */
bool addr_parse(const char *text, struct ip_addr *out);
/* Parses "192.0.2.0/24" or a bare address (length 32 or 128). */
bool prefix_parse(const char *text, struct ip_prefix *out);
/* Canonical text (RFC 5952 for IPv6). Returns buf. */
const char *addr_format(const struct ip_addr *addr, char buf[ADDR_TEXT_SIZE]);
const char *prefix_format(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE]);

bool addr_equal(const struct ip_addr *a, const struct ip_addr *b);
bool addr_is_any(const struct ip_addr *addr);
bool addr_is_multicast(const struct ip_addr *addr);
bool addr_is_loopback(const struct ip_addr *addr);
bool addr_is_link_local(const struct ip_addr *addr);
/* True when `addr` lies in `prefix`; false across families. */
bool prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr);
bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
/* True when the two share an address. */
bool prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
/* The prefix with its host bits cleared. */
struct ip_prefix prefix_network(const struct ip_prefix *prefix);

#endif
