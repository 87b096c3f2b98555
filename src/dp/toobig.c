/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toobig.c: passengers that do not fit into the path. The interface's MTU keeps most of them away:
 * the kernel then fragments or refuses before we see the packet. What comes here met a path that
 * has just become narrower, an MTU that the file fixes too large, or a frame of a bridge.
 *
 *   passenger              `df = clear`             otherwise
 *   IPv4, may be cut       outer fragments          the passenger is cut (RFC 4459 3.4)
 *   IPv4 with DF           outer fragments          dropped, frag-needed to its source
 *   IPv6 up to 1280        outer fragments          outer fragments (RFC 7676 3.2)
 *   IPv6, longer           outer fragments          dropped, packet-too-big to its source
 *   anything else          outer fragments          dropped
 *   copy of a frame        outer fragments          cut off (ERSPAN says so)
 */
#include <string.h>

#include "dp/counters.h"
#include "dp/out.h"
#include "dp/port.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/frag.h"
#include "proto/gre.h"
#include "proto/overhead.h"

/* Cuts the outer packet: its headers behind IP and the passenger lie in `whole`. */
static void send_outer_pieces(struct port *port, const struct passenger *p, const uint8_t *whole,
			      uint32_t len)
{
	struct sender *sender = port->worker->sender;
	const struct dp_params *params = &port->params;
	bool v4 = params->remote.family == IP_V4;
	uint32_t ip_len = ip_outer_length(params->remote.family);
	uint32_t head_len = ip_len + (v4 ? 0 : IP6_FRAGMENT_HEADER_LENGTH);
	uint32_t id = v4 ? sender_next_id(port) : sender_next_id6();
	struct frag_piece piece;
	struct frag_plan plan;

	if (!frag_start(&plan, head_len, len, params->path_mtu, 0, false)) {
		counter_add(&port->counters.drops[DROP_TX_TOO_BIG], 1);
		return;
	}
	while (frag_next(&plan, &piece)) {
		struct send_item item = {piece.at ? 0 : p->head_len + p->payload.len,
					 piece.at ? 0 : 1};
		struct ip_outer ip = {.family = params->remote.family,
				      .protocol = v4 ? out_protocol(params) : IP_PROTOCOL_FRAGMENT,
				      .tos = p->outer.tos,
				      .ttl = p->outer.ttl,
				      .id = (uint16_t)id, /* IPv6 has it behind its header */
				      .payload_len = head_len - ip_len + piece.length,
				      .src = params->local.bytes,
				      .dst = params->remote.bytes};
		uint8_t *head = sender_header(sender);

		ip_outer_encode(head, &ip);
		if (v4)
			frag4_header(head, head, ip_len, &piece);
		else
			frag6_header(head + ip_len, out_protocol(params), id, &piece);
		sender_add(sender, port, &item, head, head_len,
			   (struct payload){whole + piece.at, piece.length});
		if (sender_full(sender))
			sender_flush(sender);
	}
}

/* Puts the passenger together behind its headers and sends the outer packet in pieces. */
static void fragment_outer(struct port *port, const struct passenger *p)
{
	uint8_t whole[OUTER_ROOM + 65536 + 64];
	struct passenger flat = *p;
	uint8_t *inside;

	flat.head = whole + OUTER_ROOM;
	flat.head_len = p->head_len + p->payload.len;
	flat.payload = (struct payload){.len = 0};
	memcpy(flat.head, p->head, p->head_len);
	memcpy(flat.head + p->head_len, p->payload.data, p->payload.len);
	inside = out_put_headers(port, &flat);
	send_outer_pieces(port, p, inside, (uint32_t)(flat.head - inside) + flat.head_len);
	/* `whole` ends with this call. */
	sender_flush(port->worker->sender);
}

/* Cuts the IPv4 passenger itself; `flat` is the packet in one piece. */
static void fragment_inner(struct port *port, const struct passenger *p, const uint8_t *flat,
			   const struct ip_info *ip)
{
	struct sender *sender = port->worker->sender;
	struct frag_piece piece;
	struct frag_plan plan;

	if (!frag_start(&plan, ip->header_len, ip->total_len - ip->header_len, out_room(port),
			ip->frag_offset, ip->more_fragments)) {
		counter_add(&port->counters.drops[DROP_TX_TOO_BIG], 1);
		return;
	}
	while (frag_next(&plan, &piece)) {
		struct passenger part = *p;

		part.head = sender_header(sender);
		part.head_len = frag4_header(part.head, flat, ip->header_len, &piece);
		part.payload = (struct payload){flat + ip->header_len + piece.at, piece.length};
		out_encapsulate(port, &part);
		if (sender_full(sender))
			sender_flush(sender);
	}
	sender_flush(sender);
}

/* `ip` is NULL where there is nobody to be told. */
static void refuse(struct port *port, const uint8_t *packet, uint32_t len, const struct ip_info *ip)
{
	counter_add(&port->counters.drops[DROP_TX_TOO_BIG], 1);
	if (ip)
		out_tell_big(port, packet, len, ip);
}

/* The beginning of a copy is better than none. */
static void send_beginning(struct port *port, const struct passenger *p)
{
	struct passenger part = *p;
	uint32_t room = out_room(port);

	if (part.head_len > room)
		part.head_len = room;
	part.payload.len = room - part.head_len;
	part.truncated = true;
	counter_add(&port->counters.tx_cut, 1);
	out_encapsulate(port, &part);
}

void out_too_big(struct port *port, const struct passenger *p, uint16_t l3)
{
	uint8_t flat[65536 + 64];
	uint32_t len = p->head_len + p->payload.len;
	struct ip_info ip;
	bool is_ip;

	if (port->params.df == OUTER_DF_CLEAR) {
		fragment_outer(port, p);
		return;
	}
	if (form_is_erspan(port->params.form)) {
		send_beginning(port, p);
		return;
	}
	memcpy(flat, p->head, p->head_len);
	memcpy(flat + p->head_len, p->payload.data, p->payload.len);
	is_ip = !form_is_ethernet(port->params.form) && ip_decode(flat + l3, flat + len, &ip);
	if (is_ip && ip.version == 4 && !ip.df)
		fragment_inner(port, p, flat, &ip);
	else if (is_ip && ip.version == 6 && len <= IP6_MTU_MIN)
		fragment_outer(port, p);
	else
		refuse(port, flat, len, is_ip ? &ip : NULL);
}
