/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dp/counters.h"
#include "dp/hub.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/tun.h"
#include "proto/csum.h"
#include "proto/encaplimit.h"
#include "proto/erspan.h"
#include "proto/ethernet.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/ip.h"
#include "proto/mss.h"
#include "proto/nvgre.h"
#include "proto/udp.h"

/* A TUN hands over at most 64 KiB of packet; its Ethernet header comes on top for a TAP. */
#define FRAME_MAX  (65536 + 64)
#define ARENA_SIZE (4 * FRAME_MAX)
/* Frames of one interface before the others have their turn. */
#define FAIR_SHARE 256

/* Frames stay here, one behind the other, until the sender has been flushed. */
struct reader {
	uint32_t used;
	uint8_t arena[ARENA_SIZE];
};

struct reader *reader_new(void)
{
	return malloc(sizeof(struct reader));
}

void reader_free(struct reader *reader)
{
	free(reader);
}

static void drop(struct port *port, enum drop_reason reason)
{
	counter_add(&port->counters.drops[reason], 1);
}

static void flush(struct port *port)
{
	sender_flush(port->worker->sender);
	port->worker->reader->used = 0;
}

uint32_t out_room(const struct port *port)
{
	return port->params.path_mtu > port->outer_len ? port->params.path_mtu - port->outer_len
						       : 0;
}

/* Sum of what stands before the passenger's payload, from `at`, and of the payload. */
static uint64_t sum_from(const uint8_t *at, const struct passenger *p)
{
	uint64_t before = (uint64_t)(p->head - at) + p->head_len;

	return csum_block_add(csum_partial(at, before, 0),
			      csum_partial(p->payload.data, p->payload.len, 0), before);
}

/* Units of 100 microseconds of the time of day, modulo 2^32: about five days. */
static uint32_t timestamp_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 10000 + (uint64_t)now.tv_nsec / 100000);
}

static void put_erspan(const struct dp_params *params, const struct passenger *p, uint8_t *at)
{
	bool third = params->form == FORM_ERSPAN3;
	struct erspan_header h = {.session = (uint16_t)params->ikey,
				  .truncated = p->truncated,
				  .index = params->erspan_index,
				  .timestamp = third ? timestamp_now() : 0,
				  .frame_type = ERSPAN_FRAME_ETHERNET,
				  .hardware = params->erspan_hardware,
				  .pdu = third,
				  .egress = params->erspan_egress,
				  .granularity = ERSPAN_GRANULARITY_100US};

	erspan_describe(params->form, p->head, p->head + p->head_len, &h);
	erspan_encode(params->form, at, &h);
}

static uint8_t *put_gre(struct port *port, const struct passenger *p)
{
	const struct dp_params *params = &port->params;
	struct gre_header gre = {.protocol = p->protocol,
				 .has_checksum = params->csum_send,
				 .has_key = params->has_okey,
				 .has_sequence = params->seq_send,
				 .key = params->okey};
	uint8_t length = gre_header_length(gre.has_checksum, gre.has_key, gre.has_sequence);
	uint8_t *at = p->head - erspan_length(params->form) - length;

	if (params->form == FORM_NVGRE)
		gre.key |= nvgre_flow(p->head, p->head + p->head_len);
	if (params->seq_send)
		gre.sequence = seq_send(port->seq_next);
	gre_encode(at, &gre);
	if (form_is_erspan(params->form))
		put_erspan(params, p, at + length);
	if (params->csum_send)
		put_be16(at + GRE_CHECKSUM_AT, csum_fold(sum_from(at, p)));
	return at;
}

_Static_assert(IP6_HEADER_LENGTH + UDP_HEADER_LENGTH + GUE_LENGTH + GRE_LENGTH_MAX <= OUTER_ROOM,
	       "all headers at once");

/* A passenger that is too long for the length here is too long for the outer header, too, which
 * refuses it. */
static uint8_t *put_udp(const struct dp_params *params, const struct passenger *p, uint8_t *gre)
{
	uint8_t *at = gre - gue_udp_length(params->udp_port, params->gue);
	uint32_t length = (uint32_t)(p->head - at) + p->head_len + p->payload.len;
	struct udp_header udp = {.source = p->source_port,
				 .destination = params->remote_port,
				 .length = (uint16_t)length};

	udp_encode(at, &udp);
	if (params->gue)
		gue_encode(at + UDP_HEADER_LENGTH);
	if (params->udp_checksum)
		put_be16(at + UDP_CHECKSUM_AT,
			 udp_check(sum_from(at, p) + udp_pseudo(params->remote.family,
								params->local.bytes,
								params->remote.bytes, length)));
	return at;
}

uint8_t *out_put_headers(struct port *port, const struct passenger *p)
{
	uint8_t *gre = put_gre(port, p);

	return port->params.udp_port ? put_udp(&port->params, p, gre) : gre;
}

uint8_t out_protocol(const struct dp_params *params)
{
	return params->udp_port ? IP_PROTOCOL_UDP : IP_PROTOCOL_GRE;
}

/* Numbered packets have to arrive in the order in which they were sent, so they all take one way,
 * whatever their flow. Through a NAT each source port would be another peer: it makes a port of its
 * own for each, and takes only answers to it, so there is one (RFC 8086 7). */
uint16_t out_source_port(const struct dp_params *params, uint16_t protocol, const uint8_t *p,
			 const uint8_t *end)
{
	if (params->udp_port == 0)
		return 0;
	if (params->nat)
		return params->udp_port;
	return udp_source_port(params->okey, protocol, p, params->seq_send ? p : end);
}

void out_encapsulate(struct port *port, const struct passenger *p)
{
	struct sender *sender = port->worker->sender;
	const struct dp_params *params = &port->params;
	struct send_item item = {p->head_len + p->payload.len, 1};
	uint8_t *inside = out_put_headers(port, p);
	uint8_t *outer = inside - ip_outer_length(params->remote.family);
	struct ip_outer ip = {.family = params->remote.family,
			      .protocol = out_protocol(params),
			      .tos = p->outer.tos,
			      .ttl = p->outer.ttl,
			      .df = p->outer.df,
			      .id = sender_next_id(port),
			      .flow_label = p->source_port,
			      .payload_len = (uint32_t)(p->head - inside) + item.octets,
			      .src = params->local.bytes,
			      .dst = params->remote.bytes};

	if (ip_outer_encode(outer, &ip) == 0) {
		drop(port, DROP_TX_TOO_BIG);
		return;
	}
	sender_add(sender, port, &item, outer, (uint32_t)(p->head - outer) + p->head_len,
		   p->payload);
}

static void send_passenger(struct port *port, const struct passenger *p, uint16_t l3)
{
	if (p->head_len + p->payload.len > out_room(port))
		out_too_big(port, p, l3);
	else
		out_encapsulate(port, p);
	if (sender_full(port->worker->sender))
		sender_flush(port->worker->sender);
}

static void send_super(struct port *port, const struct frame *frame, struct passenger *p,
		       uint16_t l3)
{
	struct super_packet super;

	if (!super_read(&super, &frame->header.vnet, frame->packet, frame->len, l3)) {
		drop(port, DROP_TX_INNER_MALFORMED);
		return;
	}
	for (unsigned i = 0; i < super.count; i++) {
		p->head = sender_header(port->worker->sender);
		p->head_len = super.header_len;
		super_piece(&super, i, p->head, &p->payload);
		send_passenger(port, p, l3);
	}
}

/* True for an outer packet of this very tunnel: the route to the peer leads into the tunnel. */
static bool is_own_outer(const struct port *port, const struct ip_info *ip, const uint8_t *p,
			 const uint8_t *end)
{
	const struct dp_params *params = &port->params;
	unsigned size = addr_size(params->remote.family);
	const uint8_t *udp = p + ip->header_len;

	if (params->udp_port && (!ip->has_transport || udp + UDP_HEADER_LENGTH > end ||
				 get_be16(udp + 2) != params->remote_port))
		return false;
	return ip->protocol == out_protocol(params) && size == (ip->version == 4 ? 4 : 16) &&
	       memcmp(ip->dst, params->remote.bytes, size) == 0 &&
	       memcmp(ip->src, params->local.bytes, size) == 0;
}

/* An IPv6 packet says how often it may still be put into a tunnel over IPv6. One inside a frame is
 * not ours to judge. */
static bool is_limited(const struct port *port, const uint8_t *ip_at, const struct ip_info *ip,
		       uint32_t *at)
{
	return port->params.remote.family == IP_V6 && !form_is_ethernet(port->params.form) &&
	       ip->version == 6 && encaplimit_find(ip_at, ip_at + ip->total_len, at) &&
	       ip_at[*at] == 0;
}

/* Checks and adjusts the IP packet that is the passenger, or lies inside the Ethernet frame. */
static enum drop_reason check_ip(struct port *port, const struct frame *frame, uint16_t l3)
{
	uint8_t *ip_at = frame->packet + l3, *end = frame->packet + frame->len;
	bool pending = frame->header.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	struct ip_info ip;
	uint32_t at;

	if (!ip_decode(ip_at, end, &ip)) {
		/* A super-packet above 64 KiB says length 0; else this is no IP packet. In a frame
		 * it is somebody else's business. */
		return form_is_ethernet(port->params.form) ? DROP_NONE : DROP_TX_INNER_MALFORMED;
	}
	if (is_own_outer(port, &ip, ip_at, end))
		return DROP_TX_LOOP;
	if (is_limited(port, ip_at, &ip, &at)) {
		out_tell_limit(port, ip_at, ip.total_len, &ip, at);
		return DROP_TX_ENCAP_LIMIT;
	}
	mss_clamp_pending(ip_at, end, port->params.mss4, port->params.mss6, pending);
	return DROP_NONE;
}

struct outer_policy out_policy(const struct dp_params *params)
{
	return (struct outer_policy){.ttl_inherit = params->ttl_inherit,
				     .tos_inherit = params->tos_inherit,
				     .ecn = params->ecn,
				     .ttl = params->ttl,
				     .tos = params->tos,
				     .df = params->df};
}

void out_frame(struct port *port, const struct frame *frame)
{
	const struct dp_params *params = &port->params;
	const struct virtio_net_hdr *vnet = &frame->header.vnet;
	struct outer_policy policy = out_policy(params);
	struct passenger p = {
		.protocol = GRE_PROTOCOL_TEB, .head = frame->packet, .head_len = frame->len};
	const uint8_t *end = frame->packet + frame->len;
	uint16_t l3 = 0, type = get_be16(&frame->header.pi.proto);
	enum drop_reason reason = DROP_NONE;

	if (params->remote.family == IP_NONE) {
		drop(port, DROP_TX_NO_PEER);
		return;
	}
	if (form_is_ethernet(params->form))
		type = ethernet_read(frame->packet, end, &l3);
	else
		p.protocol = type;
	if (form_is_erspan(params->form))
		p.protocol = erspan_protocol(params->form);
	if (params->form == FORM_NVGRE && ethernet_is_tagged(frame->packet, end))
		reason = DROP_TX_VLAN;
	else if (type == GRE_PROTOCOL_IPV4 || type == GRE_PROTOCOL_IPV6)
		reason = check_ip(port, frame, l3);
	else if (!form_is_ethernet(params->form) && !gre_is_passenger(type))
		reason = DROP_TX_PROTOCOL;
	if (reason != DROP_NONE) {
		drop(port, reason);
		return;
	}
	p.outer = outer_fields(&policy, type, frame->packet + l3, end);
	p.source_port = out_source_port(params, p.protocol, frame->packet, end);
	if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		send_super(port, frame, &p, l3);
		return;
	}
	if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    !checksum_complete(frame->packet, frame->len, vnet->csum_start, vnet->csum_offset)) {
		drop(port, DROP_TX_INNER_MALFORMED);
		return;
	}
	send_passenger(port, &p, l3);
}

/* 1 with a frame, 0 when the queue is empty, -errno. */
static int read_frame(struct port *port, struct frame *frame)
{
	struct reader *reader = port->worker->reader;
	struct iovec parts[2] = {{&frame->header, sizeof frame->header}, {NULL, FRAME_MAX}};
	ssize_t n;

	if (reader->used + OUTER_ROOM + FRAME_MAX > ARENA_SIZE)
		flush(port);
	frame->packet = reader->arena + reader->used + OUTER_ROOM;
	parts[1].iov_base = frame->packet;
	n = readv(port->fd, parts, 2);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if ((size_t)n < sizeof frame->header)
		return -EIO;
	frame->len = (uint32_t)((size_t)n - sizeof frame->header);
	reader->used += (OUTER_ROOM + frame->len + 63) & ~63u;
	return 1;
}

int out_drain(struct port *port)
{
	struct frame frame;
	int err = 0;

	for (unsigned i = 0; i < FAIR_SHARE; i++) {
		err = read_frame(port, &frame);
		if (err <= 0)
			break;
		if (port->peers)
			hub_out(port, &frame);
		else
			out_frame(port, &frame);
	}
	flush(port);
	return err < 0 ? err : 0;
}
