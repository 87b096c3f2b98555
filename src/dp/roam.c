/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/roam.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "dp/counters.h"
#include "dp/send.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "proto/kapkt.h"
#include "proto/udp.h"

#define PACKET_MAX (IP6_HEADER_LENGTH + UDP_HEADER_LENGTH + GRE_LENGTH_MAX + ROAM_LENGTH)

/* Of all tunnels. */
static struct roam_asker asker;
static uint32_t questions; /* asked by all workers */

int roam_draw(void)
{
	return getrandom(&asker, sizeof asker, 0) < 0 ? -errno : 0;
}

enum roam_kind roam_kind_of(const struct roam_arrival *a)
{
	const uint8_t *body = a->gre + a->header->length;

	return a->header->protocol == GRE_PROTOCOL_KEEPALIVE
		       ? roam_kind(body, (uint32_t)(a->end - body))
		       : ROAM_NONE;
}

bool roam_is_peer(const struct port *port, const struct roam_place *from)
{
	return from->port == port->params.remote_port &&
	       addr_equal(&from->addr, &port->params.remote);
}

/* Octets from the UDP header on. */
static uint32_t length_of(const struct dp_params *params)
{
	return UDP_HEADER_LENGTH + gre_header_length(params->csum_send, true, false) + ROAM_LENGTH;
}

static void put_gre(const struct dp_params *params, uint8_t *gre, const uint8_t *body)
{
	struct gre_header h = {.protocol = GRE_PROTOCOL_KEEPALIVE,
			       .has_checksum = params->csum_send,
			       .has_key = true,
			       .key = params->okey};
	unsigned length = gre_encode(gre, &h);

	memcpy(gre + length, body, ROAM_LENGTH);
	kapkt_seal(gre, &h, length + ROAM_LENGTH);
}

/* From the port that this side receives at. */
static void send_body(struct port *port, const struct roam_place *to, const uint8_t *body)
{
	const struct dp_params *params = &port->params;
	uint8_t packet[PACKET_MAX], family = to->addr.family;
	struct ip_outer ip = {.family = family,
			      .protocol = IP_PROTOCOL_UDP,
			      .tos = KAPKT_TOS,
			      .ttl = params->ttl_inherit ? KAPKT_TTL : params->ttl,
			      .id = sender_next_id(port),
			      .payload_len = length_of(params),
			      .src = params->local.bytes,
			      .dst = to->addr.bytes};
	uint8_t *at = packet + ip_outer_encode(packet, &ip);
	struct udp_header udp = {.source = params->udp_port,
				 .destination = to->port,
				 .length = (uint16_t)ip.payload_len};

	put_gre(params, at + udp_encode(at, &udp), body);
	if (params->udp_checksum)
		put_be16(at + UDP_CHECKSUM_AT,
			 udp_check(kapkt_sum(at, ip.payload_len) +
				   udp_pseudo(family, ip.src, ip.dst, ip.payload_len)));
	sender_send_now(port, &to->addr, packet, ip_outer_length(family) + ip.payload_len);
}

/* Who asks gets no more octets than it took: its address may be somebody else's. */
static void ask(struct port *port, const struct roam_arrival *a, uint64_t now_ns)
{
	const struct dp_params *params = &port->params;
	uint32_t number = __atomic_add_fetch(&questions, 1, __ATOMIC_RELAXED);
	uint8_t body[ROAM_LENGTH];

	if ((uint32_t)(a->end - a->gre) + UDP_HEADER_LENGTH < length_of(params) ||
	    !alive_within(&port->asked, ROAM_QUESTIONS_MAX, now_ns))
		return;
	roam_ask(&asker, &params->nat_secret, &a->from, params->okey, params->ikey, number, now_ns,
		 body);
	send_body(port, &a->from, body);
}

static void tell(struct port *port, const struct roam_place *place)
{
	struct dp_event event = {.kind = DP_EVENT_PROVED,
				 .remote = place->addr,
				 .port = place->port,
				 .nat_digest = port->params.nat_digest};

	if (roam_is_peer(port, place))
		return;
	memcpy(event.name, port->params.name, sizeof event.name);
	port->worker->notify(port->worker->notify_arg, &event);
}

enum drop_reason roam_learn(struct port *port, const struct roam_arrival *a, uint64_t now_ns)
{
	const struct dp_params *params = &port->params;

	if (roam_kind_of(a) != ROAM_PROOF) {
		ask(port, a, now_ns);
		return DROP_RX_UNPROVED;
	}
	switch (roam_judge(&port->seen, &asker, &params->nat_secret, &a->from, params->ikey, now_ns,
			   a->gre + a->header->length)) {
	case ROAM_FORGED:
		return DROP_RX_PROOF_FORGED;
	case ROAM_STALE:
		return DROP_RX_PROOF_STALE;
	case ROAM_GOOD:
		break;
	}
	tell(port, &a->from);
	return DROP_NONE;
}

enum drop_reason roam_answer(struct port *port, const struct roam_arrival *a, uint64_t now_ns)
{
	const struct dp_params *params = &port->params;
	struct roam_place peer = {params->remote, params->remote_port};
	uint8_t body[ROAM_LENGTH];

	memcpy(body, a->gre + a->header->length, sizeof body);
	if (!roam_is_signed(&params->nat_secret, body, params->ikey))
		return DROP_RX_PROOF_FORGED;
	if (!alive_within(&port->asked, ROAM_QUESTIONS_MAX, now_ns))
		return DROP_RX_KEEPALIVE_LIMIT;
	roam_prove(&params->nat_secret, params->okey, body);
	send_body(port, &peer, body);
	return DROP_NONE;
}
