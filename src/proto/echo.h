/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo.h: ICMP echo (RFC 792, RFC 4443 4): requests to send, and requests, answers and errors about
 * them to recognise. User space only.
 */
#ifndef PROTO_ECHO_H
#define PROTO_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

struct echo_request {
	struct ip_addr from, to; /* of one family */
	uint8_t ttl;
	uint16_t id, sequence; /* host order */
	uint16_t payload;      /* octets behind the ICMP header */
};

enum { ECHO_HEADER_LENGTH = 8, ECHO_PAYLOAD_MAX = 1400 };

/* The ICMP message alone, checksum included (for ICMPv6 with the pseudo-header of from and to);
 * room for ECHO_HEADER_LENGTH + payload. Returns its length. */
size_t echo_message(uint8_t *out, const struct echo_request *request);
/* The whole IP packet; room for 40 octets more. Returns its length. */
size_t echo_packet(uint8_t *out, const struct echo_request *request);

enum echo_kind { ECHO_REQUEST, ECHO_REPLY, ECHO_ERROR };

/* A message of ours that came by. */
struct echo_seen {
	enum echo_kind kind;
	struct ip_addr src, dst;
	uint16_t sequence;  /* of the request; of an error: of the request that it is about */
	uint8_t type, code; /* of ICMP or ICMPv6 */
	uint8_t ttl;
};

/* Reads `len` octets from an IP header on. True when they are an echo request or reply with this
 * id, or an error that quotes such a request. Checksums are the kernel's business. */
bool echo_decode(uint16_t id, const uint8_t *packet, size_t len, struct echo_seen *out);
/* The same for what a raw ICMPv6 socket gives: the message without IP header. src and dst are left
 * alone. */
bool echo_decode_message(uint16_t id, uint8_t family, const uint8_t *message, size_t len,
			 struct echo_seen *out);

#endif
