/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve.h: how a host asks for the link address of a next hop on an Ethernet, and what answers
 * it: ARP for IPv4 (RFC 826), neighbour discovery for IPv6 (RFC 4861 4.3, 4.4).
 */
#ifndef PROTO_RESOLVE_H
#define PROTO_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"

enum { ETHERNET_ADDRESS_LENGTH = 6 };

/* Octets of the longest answer: Ethernet, IPv6, advertisement and its option. */
#define RESOLVE_ANSWER_MAX 86

struct resolve_question {
	uint8_t mac[ETHERNET_ADDRESS_LENGTH]; /* of who asks */
	/* Who asks; unspecified: whether somebody has the address already (RFC 5227 2.1.1, RFC 4862
	 * 5.4.2), which wants no answer where nobody does. */
	struct ip_addr from;
	struct ip_addr target;
};

/* Reads an Ethernet frame; false when it is no such question, or is not well formed. */
bool resolve_question(const uint8_t *frame, const uint8_t *end, struct resolve_question *out);

/* Whether the frame belongs to ARP or to neighbour discovery between neighbours (RFC 4861 4.3, 4.4:
 * solicitation and advertisement): it is never for anybody behind a router. */
bool resolve_is_local(const uint8_t *frame, const uint8_t *end);

/* Writes the frame that says: the target is at `mac`. Returns its octets. */
uint32_t resolve_answer(uint8_t frame[RESOLVE_ANSWER_MAX], const struct resolve_question *question,
			const uint8_t mac[ETHERNET_ADDRESS_LENGTH]);

#endif
