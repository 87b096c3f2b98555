/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/echo.h"

#include <string.h>

#include "proto/csum.h"
#include "proto/icmp.h"
#include "proto/ip.h"

enum { ECHO4_REPLY = 0, ECHO4_REQUEST = 8, ECHO6_REQUEST = 128, ECHO6_REPLY = 129 };

size_t echo_message(uint8_t *out, const struct echo_request *request)
{
	bool v6 = request->to.family == IP_V6;
	size_t len = ECHO_HEADER_LENGTH + (size_t)request->payload;
	uint64_t sum = 0;

	memset(out, 0, len);
	out[0] = v6 ? ECHO6_REQUEST : ECHO4_REQUEST;
	put_be16(out + 4, request->id);
	put_be16(out + 6, request->sequence);
	if (v6)
		sum = csum_partial(request->from.bytes, 16, 0) +
		      csum_partial(request->to.bytes, 16, 0) + IP_PROTOCOL_ICMPV6 + len;
	put_be16(out + 2, csum_fold(csum_partial(out, len, sum)));
	return len;
}

static size_t write_header4(uint8_t *out, const struct echo_request *request, size_t len)
{
	memset(out, 0, IP4_HEADER_LENGTH);
	out[0] = 0x45;
	put_be16(out + 2, (uint16_t)(IP4_HEADER_LENGTH + len));
	out[8] = request->ttl;
	out[9] = IP_PROTOCOL_ICMP;
	memcpy(out + 12, request->from.bytes, 4);
	memcpy(out + 16, request->to.bytes, 4);
	put_be16(out + 10, csum_fold(csum_partial(out, IP4_HEADER_LENGTH, 0)));
	return IP4_HEADER_LENGTH + len;
}

static size_t write_header6(uint8_t *out, const struct echo_request *request, size_t len)
{
	memset(out, 0, IP6_HEADER_LENGTH);
	out[0] = 0x60;
	put_be16(out + 4, (uint16_t)len);
	out[6] = IP_PROTOCOL_ICMPV6;
	out[7] = request->ttl;
	memcpy(out + 8, request->from.bytes, 16);
	memcpy(out + 24, request->to.bytes, 16);
	return IP6_HEADER_LENGTH + len;
}

size_t echo_packet(uint8_t *out, const struct echo_request *request)
{
	if (request->to.family == IP_V6)
		return write_header6(out, request, echo_message(out + IP6_HEADER_LENGTH, request));
	return write_header4(out, request, echo_message(out + IP4_HEADER_LENGTH, request));
}

/* Where the ICMP message begins. Lengths that the header tells are not believed: what is captured
 * or quoted may be cut short. */
static bool find_message(const uint8_t *packet, size_t len, struct echo_seen *out, size_t *at)
{
	size_t address;

	if (len >= IP4_HEADER_LENGTH && packet[0] >> 4 == 4 && packet[9] == IP_PROTOCOL_ICMP &&
	    (get_be16(packet + 6) & 0x1fff) == 0) {
		*at = (size_t)(packet[0] & 0x0f) * 4;
		out->src.family = IP_V4;
		out->ttl = packet[8];
		address = 12;
	} else if (len >= IP6_HEADER_LENGTH && packet[0] >> 4 == 6 &&
		   packet[6] == IP_PROTOCOL_ICMPV6) {
		*at = IP6_HEADER_LENGTH;
		out->src.family = IP_V6;
		out->ttl = packet[7];
		address = 8;
	} else {
		return false;
	}
	out->dst.family = out->src.family;
	memcpy(out->src.bytes, packet + address, addr_size(out->src.family));
	memcpy(out->dst.bytes, packet + address + addr_size(out->src.family),
	       addr_size(out->src.family));
	return *at >= IP4_HEADER_LENGTH && *at <= len;
}

/* An error quotes the packet from its IP header on, and 8 octets of what follows at least. */
static bool decode_quote(uint16_t id, const uint8_t *quote, size_t len, struct echo_seen *out)
{
	struct echo_seen quoted = {.kind = ECHO_REQUEST};
	const uint8_t *message;
	size_t at;

	if (!find_message(quote, len, &quoted, &at) || len < at + ECHO_HEADER_LENGTH)
		return false;
	message = quote + at;
	if (message[0] != (quoted.src.family == IP_V6 ? ECHO6_REQUEST : ECHO4_REQUEST) ||
	    get_be16(message + 4) != id)
		return false;
	out->kind = ECHO_ERROR;
	out->sequence = get_be16(message + 6);
	return true;
}

static bool is_error(uint8_t family, uint8_t type)
{
	if (family == IP_V6)
		return type < 128;
	return type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED || type == ICMP4_REDIRECT ||
	       type == ICMP4_PARAMETER_PROBLEM;
}

bool echo_decode_message(uint16_t id, uint8_t family, const uint8_t *message, size_t len,
			 struct echo_seen *out)
{
	bool v6 = family == IP_V6;

	if (len < ECHO_HEADER_LENGTH)
		return false;
	out->type = message[0];
	out->code = message[1];
	if (is_error(family, message[0]))
		return decode_quote(id, message + ECHO_HEADER_LENGTH, len - ECHO_HEADER_LENGTH,
				    out);
	if (message[0] == (v6 ? ECHO6_REQUEST : ECHO4_REQUEST))
		out->kind = ECHO_REQUEST;
	else if (message[0] == (v6 ? ECHO6_REPLY : ECHO4_REPLY))
		out->kind = ECHO_REPLY;
	else
		return false;
	out->sequence = get_be16(message + 6);
	return get_be16(message + 4) == id;
}

bool echo_decode(uint16_t id, const uint8_t *packet, size_t len, struct echo_seen *out)
{
	size_t at;

	*out = (struct echo_seen){.kind = ECHO_REQUEST};
	return find_message(packet, len, out, &at) &&
	       echo_decode_message(id, out->src.family, packet + at, len - at, out);
}
