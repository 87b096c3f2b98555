/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/probed.h"

#include <string.h>

#include "dp/counters.h"
#include "dp/send.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "proto/ethernet.h"
#include "proto/kapkt.h"
#include "proto/probe.h"

/* The ladder of one examination has less than this. */
#define ANSWERS_A_SECOND 100
#define SECOND_NS	 1000000000ull

/* As strict as for a keepalive (kapkt.h), and for the same reason: it is an exception to RFC 2784
 * 3.1. Returns the octets of the packet, 0 when it is no probe. */
static uint32_t probe_length(const struct dp_params *params, const uint8_t *p, const uint8_t *end)
{
	uint8_t family = params->remote.family;
	unsigned size = addr_size(family);
	struct gre_header h;
	struct ip_info ip;
	uint16_t id, number;

	if (!ip_decode(p, end, &ip) || (ip.version == 4) != (family == IP_V4) ||
	    ip.protocol != IP_PROTOCOL_GRE || ip.fragment || ip.ttl < 2 ||
	    ip.header_len != ip_outer_length(family))
		return 0;
	if (memcmp(ip.src, params->local.bytes, size) != 0 ||
	    memcmp(ip.dst, params->remote.bytes, size) != 0)
		return 0;
	end = p + ip.total_len;
	if (gre_decode(p + ip.header_len, end, &h) != DROP_NONE || h.has_key != params->has_okey ||
	    h.key != params->okey || h.protocol != GRE_PROTOCOL_KEEPALIVE ||
	    !probe_body(p + ip.header_len + h.length, end, &id, &number))
		return 0;
	return family == IP_V4 && !ip4_checksum_good(p, end, ip.header_len) ? 0 : ip.total_len;
}

static bool within_limit(struct port *port, uint64_t now_ns)
{
	if (now_ns - port->probed_second_ns >= SECOND_NS) {
		port->probed_second_ns = now_ns;
		port->probed_answers = 0;
	}
	return port->probed_answers++ < ANSWERS_A_SECOND;
}

bool probed_answer(struct port *port, uint16_t protocol, uint8_t *packet, const uint8_t *end,
		   uint64_t now_ns, enum drop_reason *reason)
{
	bool v4 = port->params.remote.family == IP_V4;
	uint32_t len;

	if (form_is_ethernet(port->params.form)) {
		uint16_t at;

		if (protocol != GRE_PROTOCOL_TEB)
			return false;
		protocol = ethernet_read(packet, end, &at);
		packet += at;
	}
	/* Most passengers are none, and one octet says so. */
	if (protocol != (v4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6) ||
	    packet + IP4_HEADER_LENGTH > end || packet[v4 ? 9 : 6] != IP_PROTOCOL_GRE)
		return false;
	len = probe_length(&port->params, packet, end);
	if (len == 0)
		return false;
	*reason = DROP_RX_KEEPALIVE_LIMIT;
	if (!within_limit(port, now_ns))
		return true;
	*reason = DROP_NONE;
	kapkt_turn(packet, port->params.remote.family);
	/* At once: the doctor measures how long it takes. */
	sender_send_now(port, &port->params.remote, packet, len);
	return true;
}
