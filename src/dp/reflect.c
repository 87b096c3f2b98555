/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reflect.c: what the peer sends to have it back: keepalives, and echo replies as probes. */
#include <string.h>

#include "dp/alive.h"
#include "dp/counters.h"
#include "dp/in.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/kaecho.h"

/* In a second. The shortest interval that we know asks for 20 questions; a scrubbing service sends
 * several hundred probes, from all its places at once. */
#define QUESTIONS_MAX 100
#define PROBES_MAX    2000
#define SECOND_NS     1000000000ull

bool alive_within(struct alive_limit *limit, uint32_t most, uint64_t now_ns)
{
	if (now_ns - limit->second_ns >= SECOND_NS) {
		limit->second_ns = now_ns;
		limit->count = 0;
	}
	return limit->count++ < most;
}

/* Queues the packet at p, one hop older, until the batch of received packets has been read. */
static void send_back(struct port *port, uint8_t way, uint8_t family, const uint8_t *p,
		      uint32_t len)
{
	struct asker *asker = &port->worker->alive->asker;
	uint8_t *slot = ask_slot(asker, port);

	memcpy(slot, p, len);
	kapkt_turn(slot, family);
	if (way == KAPKT_ALIEN)
		kapkt_readdress(slot, family, port->params.remote.bytes);
	if (way == KAPKT_THROUGH)
		ask_add_passenger(asker, slot, len);
	else
		ask_add(asker, slot, len);
}

static bool reflect_question(struct port *port, uint16_t protocol, uint8_t *p, const uint8_t *end,
			     uint64_t now_ns, enum drop_reason *reason)
{
	struct kapkt_tunnel tunnel = alive_tunnel(&port->params, false);
	struct kapkt_question q = kapkt_question(protocol, p, end, &tunnel);

	if (q.way == KAPKT_NOT)
		return false;
	if (!alive_within(&port->alive.questions, QUESTIONS_MAX, now_ns)) {
		*reason = DROP_RX_KEEPALIVE_LIMIT;
		return true;
	}
	counter_add(&port->counters.keepalives_reflected, 1);
	send_back(port, q.way, q.family, q.packet, q.len);
	return true;
}

/* Addresses of this side that a probe may claim to come from. */
static unsigned own_addresses(const struct dp_params *params, uint8_t family,
			      const uint8_t *ours[2])
{
	const struct ip_addr *near = family == IP_V4 ? &params->near4 : &params->near6;

	ours[0] = params->local.family == family ? params->local.bytes : NULL;
	ours[1] = near->family == family ? near->bytes : NULL;
	return 2;
}

static bool reflect_echo(struct port *port, uint8_t *p, const uint8_t *end, uint64_t now_ns,
			 enum drop_reason *reason)
{
	const uint8_t *ours[2];
	struct ip_info ip;
	uint8_t family;

	if (!kaecho_reply(p, end, &ip) || ip.total_len > ASK_MAX)
		return false;
	family = ip.version == 4 ? IP_V4 : IP_V6;
	if (!kaecho_is_probe(&ip, ours, own_addresses(&port->params, family, ours)))
		return false;
	if (!alive_within(&port->alive.probes, PROBES_MAX, now_ns)) {
		*reason = DROP_RX_PROBE_LIMIT;
		return true;
	}
	counter_add(&port->counters.probes_returned, 1);
	send_back(port, KAPKT_THROUGH, family, p, ip.total_len);
	return true;
}

/* From one host to one that is not the peer. */
static bool may_be_asked(const struct dp_params *params, const struct ip_info *ip)
{
	uint8_t least = ip->version == 4 ? 224 : 0xff; /* of a group's address */

	return ip->dst[0] < least && ip->src[0] < least && !in_is_for_peer(params, ip);
}

/* Without its carrier the interface sends no answer of the kernel's, or of a machine behind us. Two
 * ends that ask by echoes would wait for each other for ever: when the path is whole again, and
 * also when a machine is that was gone. So requests to this side are answered here, and those of
 * gretel's size to a machine behind. */
static bool answer_echo(struct port *port, uint8_t *p, const uint8_t *end, uint64_t now_ns,
			enum drop_reason *reason)
{
	const struct dp_params *params = &port->params;
	struct asker *asker = &port->worker->alive->asker;
	const struct ip_addr *near;
	struct ip_info ip;
	uint8_t *icmp = kaecho_request(p, end, &ip), *slot;

	if (!icmp || ip.total_len > ASK_MAX || !may_be_asked(params, &ip))
		return false;
	near = ip.version == 4 ? &params->near4 : &params->near6;
	if ((near->family == IP_NONE ||
	     memcmp(ip.dst, near->bytes, addr_size(near->family)) != 0) &&
	    ip.total_len - ip.header_len != KAECHO_HEADER_LENGTH + KABODY_LENGTH)
		return false;
	if (!alive_within(&port->alive.echoes, QUESTIONS_MAX, now_ns)) {
		*reason = DROP_RX_KEEPALIVE_LIMIT;
		return true;
	}
	counter_add(&port->counters.keepalives_reflected, 1);
	slot = ask_slot(asker, port);
	memcpy(slot, p, ip.total_len);
	kaecho_turn(slot, slot + (icmp - p));
	ask_add_passenger(asker, slot, ip.total_len);
	return true;
}

bool reflect_passenger(struct port *port, uint16_t protocol, uint8_t *p, const uint8_t *end,
		       uint64_t now_ns, enum drop_reason *reason)
{
	*reason = DROP_NONE;
	if (end - p <= ALIVE_PASSENGER_MAX &&
	    reflect_question(port, protocol, p, end, now_ns, reason))
		return true;
	if (protocol != GRE_PROTOCOL_IPV4 && protocol != GRE_PROTOCOL_IPV6)
		return false;
	/* The kernel lanes leave echoes to us where we ask by them. */
	if (!keepalive_carrier(port->alive.judge.state) && port->params.probe.family != IP_NONE &&
	    !port->params.hub[0] && answer_echo(port, p, end, now_ns, reason))
		return true;
	return port->params.echo_return && reflect_echo(port, p, end, now_ns, reason);
}
