/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/in.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "dp/alive.h"
#include "dp/coalesce.h"
#include "dp/counters.h"
#include "dp/fast.h"
#include "dp/merged.h"
#include "dp/nest.h"
#include "dp/probed.h"
#include "dp/roam.h"
#include "dp/segment.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "proto/csum.h"
#include "proto/ecn.h"
#include "proto/erspan.h"
#include "proto/ethernet.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/ip.h"
#include "proto/mss.h"
#include "proto/nvgre.h"
#include "proto/probe.h"
#include "proto/udp.h"

/* The kernel hands over reassembled packets, so each slot holds the longest there is; memory is
 * used only as far as packets reach. */
#define SLOT_SIZE (65536 + 4096)
/* Batches of one socket before the interfaces have their turn. */
#define FAIR_BATCHES 4

struct receiver {
	struct mmsghdr messages[BATCH_MAX];
	struct iovec slots[BATCH_MAX];
	struct sockaddr_in6 from[BATCH_MAX];
	uint8_t control[BATCH_MAX][RAW_CONTROL_SIZE];
	struct coalescer coalescer;
	uint8_t octets[BATCH_MAX][SLOT_SIZE];
};

/* An outer packet taken apart. */
struct arrival {
	uint8_t *gre, *end;
	uint8_t *datagram;     /* of a packet in UDP: its UDP header; else NULL */
	struct udp_header udp; /* likewise */
	bool gue;	       /* a GUE header stands between that and GRE */
	struct table_key key;  /* local is the destination, remote the source */
	uint8_t tos;
	uint16_t id; /* IPv4: of the outer header */
	uint32_t ifindex;
	struct gre_header header;
	/* merged.h: what became of it before. csum_start counts from the passenger's IP header. */
	enum merged_verdict merged;
	struct virtio_net_hdr vnet;
};

struct receiver *receiver_new(void)
{
	struct receiver *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (r == MAP_FAILED)
		return NULL;
	/* Huge pages would make every slot resident at once. */
	madvise(r, sizeof *r, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		r->slots[i] = (struct iovec){r->octets[i], SLOT_SIZE};
	return r;
}

void receiver_free(struct receiver *receiver)
{
	if (receiver)
		munmap(receiver, sizeof *receiver);
}

/* An IPv4 socket gives the outer header with the packet. */
static bool read_outer4(struct arrival *a, uint8_t *packet, uint32_t len)
{
	struct ip_info ip;

	if (!ip_decode(packet, packet + len, &ip) || ip.version != 4)
		return false;
	a->gre = packet + ip.header_len;
	a->end = packet + ip.total_len;
	a->tos = ip.tos;
	a->id = (uint16_t)ip.id;
	a->key.local = (struct ip_addr){.family = IP_V4};
	a->key.remote = (struct ip_addr){.family = IP_V4};
	memcpy(a->key.local.bytes, ip.dst, 4);
	memcpy(a->key.remote.bytes, ip.src, 4);
	return true;
}

/* An IPv6 socket gives the GRE header first, and the rest beside it. */
static bool read_outer6(struct arrival *a, const struct msghdr *message,
			const struct raw_meta *meta, uint8_t *packet, uint32_t len)
{
	const struct sockaddr_in6 *from = message->msg_name;

	a->gre = packet;
	a->end = packet + len;
	a->tos = meta->tos;
	a->key.local = meta->dst;
	a->key.remote = (struct ip_addr){.family = IP_V6};
	memcpy(a->key.remote.bytes, &from->sin6_addr, 16);
	return meta->dst.family == IP_V6;
}

/* The UDP header in front of GRE, the end that it tells, and a GUE header. */
static enum drop_reason read_udp(struct arrival *a)
{
	enum drop_reason reason = udp_decode(a->gre, a->end, &a->udp);

	if (reason == DROP_NONE) {
		a->datagram = a->gre;
		a->end = a->gre + a->udp.length;
		a->gre += UDP_HEADER_LENGTH;
		a->key.udp_port = a->udp.destination;
		a->gue = gue_is_gre(a->gre, a->end);
	}
	if (a->gue) {
		reason = gue_decode(a->gre, a->end);
		a->gre += GUE_LENGTH;
	}
	if (reason != DROP_NONE)
		a->gre = a->end;
	return reason;
}

/* Where the passenger's IP header would be. */
static uint8_t *ip_of(const struct arrival *a)
{
	uint8_t *packet = a->gre + a->header.length;
	uint16_t at = 0;

	if (a->header.protocol == GRE_PROTOCOL_TEB)
		ethernet_read(packet, a->end, &at);
	return packet + at;
}

/* Finds out whether this is the packet that was sent, before anything in it is changed. */
static enum drop_reason check_merged(struct worker *worker, struct arrival *a)
{
	uint8_t *ip = ip_of(a);
	uint32_t ip_len = 0;

	if (ip >= a->end)
		return DROP_NONE;
	a->merged = merged_judge(worker->merged, a->gre, ip, a->end, &a->vnet, &ip_len);
	if (a->merged == MERGED_OPEN)
		checksum_complete(ip, ip_len, a->vnet.csum_start, a->vnet.csum_offset);
	return a->merged == MERGED_UNKNOWN ? DROP_RX_MERGED : DROP_NONE;
}

/* What both ends have to have agreed to: the GUE header; and that there is no checksum, which over
 * IPv4 a sender may always do without (RFC 768), but not over IPv6, whose header has no checksum of
 * its own (RFC 6936 5, RFC 8086 6.2). */
static enum drop_reason check_udp(const struct arrival *a, const struct dp_params *params)
{
	const struct table_key *key = &a->key;
	uint64_t pseudo;

	if (!a->datagram)
		return DROP_NONE;
	if (a->gue != params->gue)
		return a->gue ? DROP_RX_GUE_UNEXPECTED : DROP_RX_GUE_MISSING;
	if (a->merged == MERGED_SUPER)
		return DROP_NONE;
	if (a->udp.checksum == 0)
		return key->local.family == IP_V6 && params->udp_checksum
			       ? DROP_RX_UDP_CHECKSUM_MISSING
			       : DROP_NONE;
	pseudo = udp_pseudo(key->local.family, key->remote.bytes, key->local.bytes, a->udp.length);
	return udp_checksum_good(csum_partial(a->datagram, a->udp.length, 0), pseudo,
				 a->udp.checksum)
		       ? DROP_NONE
		       : DROP_RX_UDP_CHECKSUM;
}

/* The checksum covers the GRE header and the passenger (RFC 2784 2.3). */
static enum drop_reason check_checksum(const struct arrival *a, const struct dp_params *params)
{
	if (!a->header.has_checksum)
		return params->csum_require ? DROP_RX_CHECKSUM_MISSING : DROP_NONE;
	/* Whoever merged the packets has verified it in each. */
	if (a->merged != MERGED_NOT)
		return DROP_NONE;
	if (csum_fold(csum_partial(a->gre, (size_t)(a->end - a->gre), 0)) != 0)
		return DROP_RX_CHECKSUM;
	return DROP_NONE;
}

static enum drop_reason check_sequence(struct port *port, const struct arrival *a, uint64_t now)
{
	if (!port->params.seq_receive)
		return DROP_NONE;
	if (!a->header.has_sequence)
		return DROP_RX_SEQUENCE_MISSING;
	switch (seq_receive(port->seq, a->header.sequence, now)) {
	case SEQ_OLD:
		return DROP_RX_SEQUENCE;
	case SEQ_RESTART:
		counter_add(&port->counters.rx_restarts, 1);
		return DROP_NONE;
	case SEQ_ACCEPT:
		break;
	}
	return DROP_NONE;
}

static bool carries(const struct dp_params *params, uint16_t protocol)
{
	return form_is_ethernet(params->form) ? protocol == GRE_PROTOCOL_TEB
					      : gre_is_passenger(protocol);
}

bool in_is_for_peer(const struct dp_params *params, const struct ip_info *ip)
{
	const struct ip_addr *peer = ip->version == 4 ? &params->peer4 : &params->peer6;

	if (peer->family != IP_NONE && memcmp(ip->dst, peer->bytes, addr_size(peer->family)) == 0)
		return true;
	return params->remote.family == (ip->version == 4 ? IP_V4 : IP_V6) &&
	       memcmp(ip->dst, params->remote.bytes, addr_size(params->remote.family)) == 0;
}

/* What leaving a tunnel asks for: the path's congestion mark (RFC 6040 4.2), and the MSS. */
static enum drop_reason adjust(const struct port *port, const struct arrival *a,
			       const struct ip_info *ip, uint8_t *packet)
{
	uint8_t ecn = 0;
	enum drop_reason reason = ecn_decapsulate(ip->tos, a->tos, &ecn);

	if (reason != DROP_NONE)
		return reason;
	if (ecn != (ip->tos & ECN_MASK))
		ecn_apply(packet, a->end, ecn);
	mss_clamp(packet, a->end, port->params.mss4, port->params.mss6);
	return DROP_NONE;
}

/* An IP passenger; its own length goes to *len, since octets behind it are padding of the path. */
static enum drop_reason check_ip(const struct port *port, const struct arrival *a, uint8_t *packet,
				 uint32_t *len)
{
	struct ip_info ip;

	if (!ip_decode(packet, a->end, &ip) ||
	    (ip.version == 4) != (a->header.protocol == GRE_PROTOCOL_IPV4))
		return DROP_RX_INNER_MALFORMED;
	if (in_is_for_peer(&port->params, &ip))
		return DROP_RX_LOOP;
	if (nest_is_too_deep(port, &ip, packet, a->end))
		return DROP_RX_NESTED;
	*len = ip.total_len;
	return adjust(port, a, &ip, packet);
}

/* An Ethernet frame; where it carries IP, *l3 is the offset. What is inside is otherwise not ours
 * to judge. */
static enum drop_reason check_frame(const struct port *port, const struct arrival *a,
				    uint8_t *frame, uint32_t len, uint16_t *l3)
{
	struct ip_info ip;
	uint16_t at, type = ethernet_read(frame, a->end, &at);

	if (len < ETHERNET_HEADER_LENGTH)
		return DROP_RX_INNER_MALFORMED;
	if (port->params.form == FORM_NVGRE && ethernet_is_tagged(frame, a->end))
		return DROP_RX_VLAN;
	if ((type != GRE_PROTOCOL_IPV4 && type != GRE_PROTOCOL_IPV6) ||
	    !ip_decode(frame + at, a->end, &ip))
		return DROP_NONE;
	if (nest_is_too_deep(port, &ip, frame + at, a->end))
		return DROP_RX_NESTED;
	*l3 = at;
	return adjust(port, a, &ip, frame + at);
}

/* The copy of a frame, as it was copied. It is nobody's passenger: nothing in it is answered,
 * marked, clamped or put together with others. */
static enum drop_reason deliver_copy(struct worker *worker, struct port *port,
				     const struct arrival *a)
{
	uint8_t *packet = a->gre + a->header.length;
	struct erspan_header header = {0};
	enum drop_reason reason = erspan_decode(port->params.form, packet, a->end, &header);
	uint32_t len = (uint32_t)(a->end - packet) - header.length;

	if (reason != DROP_NONE)
		return reason;
	if (len < ETHERNET_HEADER_LENGTH)
		return DROP_RX_INNER_MALFORMED;
	coalesce_add(&worker->receiver->coalescer, port, GRE_PROTOCOL_TEB, packet + header.length,
		     len, 0);
	return DROP_NONE;
}

static enum drop_reason deliver(struct worker *worker, struct port *port, const struct arrival *a,
				uint64_t now)
{
	uint8_t *packet = a->gre + a->header.length;
	uint32_t len = (uint32_t)(a->end - packet);
	uint16_t protocol = a->header.protocol, l3 = 0;
	enum drop_reason reason = DROP_NONE;

	if (probed_answer(port, protocol, packet, a->end, now, &reason) ||
	    alive_take_passenger(port, protocol, packet, a->end, now, &reason) ||
	    reflect_passenger(port, protocol, packet, a->end, now, &reason))
		return reason;
	if (!carries(&port->params, protocol))
		return DROP_RX_PROTOCOL;
	if (protocol == GRE_PROTOCOL_TEB)
		reason = check_frame(port, a, packet, len, &l3);
	else if (protocol == GRE_PROTOCOL_IPV4 || protocol == GRE_PROTOCOL_IPV6)
		reason = check_ip(port, a, packet, &len);
	else if (len == 0)
		reason = DROP_RX_INNER_MALFORMED;
	if (reason != DROP_NONE)
		return reason;
	if (a->merged != MERGED_SUPER)
		coalesce_add(&worker->receiver->coalescer, port, protocol, packet, len, l3);
	else if (!coalesce_add_super(&worker->receiver->coalescer, port, protocol, packet, len, l3,
				     a->vnet.gso_size))
		reason = DROP_RX_MERGED;
	return reason;
}

/* Sent by this host's own programs to see whether it would get here. */
static bool is_witness(const struct worker *worker, const struct arrival *a)
{
	return worker->fast && a->header.protocol == GRE_PROTOCOL_KEEPALIVE &&
	       fast_take_witness(worker->fast, a->gre + a->header.length, a->end);
}

/* The doctor has sockets of its own and reads it there. */
static bool is_probe_answer(const struct arrival *a)
{
	uint16_t id, number;

	return a->header.protocol == GRE_PROTOCOL_KEEPALIVE &&
	       probe_body(a->gre + a->header.length, a->end, &id, &number);
}

static struct roam_arrival roam_arrival(const struct arrival *a)
{
	return (struct roam_arrival){.from = {a->key.remote, a->udp.source},
				     .header = &a->header,
				     .gre = a->gre,
				     .end = a->end};
}

/* Whether it is about where the peer is, or does not come from there, in a tunnel through a NAT. */
static bool is_roaming(const struct port *port, const struct arrival *a)
{
	struct roam_arrival arrival = roam_arrival(a);

	return roam_kind_of(&arrival) == (port->params.nat_any ? ROAM_PROOF : ROAM_QUESTION) ||
	       (port->params.nat_any && !roam_is_peer(port, &arrival.from));
}

static enum drop_reason roam(struct port *port, const struct arrival *a, uint64_t now)
{
	struct roam_arrival arrival = roam_arrival(a);

	return port->params.nat_any ? roam_learn(port, &arrival, now)
				    : roam_answer(port, &arrival, now);
}

/* A packet of the tunnel `port`. An answer is what we wrote ourselves, so its sequence number, if
 * it has one, is none of the peer's. */
static enum drop_reason take(struct worker *worker, struct port *port, const struct arrival *a,
			     uint64_t now)
{
	enum drop_reason reason = check_udp(a, &port->params);
	uint8_t *body = a->gre + a->header.length;
	struct alive_reply reply = {
		.kind = kapkt_answer(port->params.remote.family, &a->header,
				     (uint32_t)(a->end - body)),
		.body = body,
		.has_id = port->params.remote.family == IP_V4,
		.id = a->id,
	};

	if (reason == DROP_NONE)
		reason = check_checksum(a, &port->params);
	if (reason != DROP_NONE)
		return reason;
	if (is_probe_answer(a))
		return DROP_RX_PROBE;
	if (port->params.nat && is_roaming(port, a))
		return roam(port, a, now);
	if (reply.kind != KAPKT_NO_ANSWER)
		return alive_answered(port, &reply, now);
	reason = check_sequence(port, a, now);
	if (reason != DROP_NONE)
		return reason;
	return form_is_erspan(port->params.form) ? deliver_copy(worker, port, a)
						 : deliver(worker, port, a, now);
}

/* What the tunnel is found by. */
static void read_key(struct arrival *a)
{
	const struct gre_header *h = &a->header;

	a->key.has_key = h->has_key;
	a->key.key = h->key;
	a->key.form = erspan_form(h);
	if (a->key.form != FORM_IP) {
		a->key.number = erspan_session(a->key.form, a->gre + h->length, a->end);
	} else if (h->has_key && h->protocol == GRE_PROTOCOL_TEB) {
		a->key.form = FORM_NVGRE;
		a->key.number = nvgre_key(nvgre_vsid(h->key), 0);
	}
}

/* Checks, cheapest first. *port is the tunnel that the packet counts for, if there is one. */
static enum drop_reason receive(struct worker *worker, struct arrival *a, uint64_t now,
				struct port **port)
{
	enum drop_reason reason = gre_decode(a->gre, a->end, &a->header);
	struct port *found, *blame = NULL;

	if (reason != DROP_NONE)
		return reason;
	read_key(a);
	found = table_find(&worker->table, &a->key, a->ifindex, &reason, &blame);
	if (!found && a->datagram)
		found = table_find_home(&worker->table, &a->key, a->ifindex);
	if (!found && !worker->settled)
		return DROP_RX_STARTING;
	*port = found ? found : blame;
	if (!found)
		return reason;
	if (is_witness(worker, a))
		return DROP_NONE;
	/* No card and no kernel looks into copies. */
	if (!form_is_erspan(found->params.form))
		reason = check_merged(worker, a);
	if (reason == DROP_NONE)
		reason = take(worker, found, a, now);
	if (reason == DROP_NONE) {
		counter_set(&found->counters.last_rx_ns, now);
		counter_set(&found->counters.last_rx_gre, get_be32(a->gre));
	}
	return reason;
}

/* Remembers what was not taken, and why. Packets that this host could not take, or not yet, say
 * nothing about the peer. */
static void note_stray(struct worker *worker, const struct arrival *a, const uint8_t *packet,
		       uint32_t len, enum drop_reason reason, const struct port *port, uint64_t now)
{
	struct dp_stray kind = {.local = a->key.local,
				.remote = a->key.remote,
				.has_key = a->header.has_key,
				.key = a->header.key,
				.udp_port = a->key.udp_port,
				.gue = a->gue,
				.reason = reason};
	bool paired = reason == DROP_RX_KEY_MISSING || reason == DROP_RX_KEY_UNEXPECTED ||
		      reason == DROP_RX_KEY_WRONG || reason == DROP_RX_UDP_MISSING ||
		      reason == DROP_RX_UDP_UNEXPECTED;

	if (reason == DROP_RX_DEVICE || reason == DROP_RX_MERGED || reason == DROP_RX_PROBE ||
	    reason == DROP_RX_STARTING)
		return;
	if (!(a->gre + GRE_LENGTH_MIN > a->end)) {
		kind.flags = get_be16(a->gre);
		kind.protocol = get_be16(a->gre + 2);
	}
	stray_note(worker, &(struct stray_packet){&kind, port || paired, packet, len}, now);
}

static uint8_t family_of(enum worker_input input)
{
	return input == INPUT_GRE4 || input == INPUT_UDP4 ? IP_V4 : IP_V6;
}

static bool is_udp(enum worker_input input)
{
	return input == INPUT_UDP4 || input == INPUT_UDP6;
}

static void receive_message(struct worker *worker, enum worker_input input, struct mmsghdr *message,
			    uint8_t *packet, uint64_t now)
{
	struct arrival a = {.gre = NULL};
	struct raw_meta meta = {.ifindex = 0};
	struct port *port = NULL;
	enum drop_reason reason = DROP_RX_OUTER_MALFORMED;
	bool good;

	if (message->msg_hdr.msg_controllen)
		raw_meta(&message->msg_hdr, &meta);
	a.ifindex = meta.ifindex;
	good = family_of(input) == IP_V4
		       ? read_outer4(&a, packet, message->msg_len)
		       : read_outer6(&a, &message->msg_hdr, &meta, packet, message->msg_len);
	if (good)
		reason = is_udp(input) ? read_udp(&a) : DROP_NONE;
	if (reason == DROP_NONE)
		reason = receive(worker, &a, now, &port);
	if (reason == DROP_NONE)
		return;
	counter_add(port ? &port->counters.drops[reason] : &worker->strays[reason], 1);
	if (good)
		note_stray(worker, &a, packet, message->msg_len, reason, port, now);
}

/* What an IPv4 header does not say is asked for only where it is needed: it costs 60 ns a packet.
 */
static void prepare_messages(struct worker *worker, uint8_t family)
{
	struct receiver *r = worker->receiver;
	bool v6 = family == IP_V6;
	bool control = v6 || worker->want_device;

	for (unsigned i = 0; i < BATCH_MAX; i++)
		r->messages[i].msg_hdr =
			(struct msghdr){.msg_name = v6 ? &r->from[i] : NULL,
					.msg_namelen = v6 ? sizeof r->from[i] : 0,
					.msg_iov = &r->slots[i],
					.msg_iovlen = 1,
					.msg_control = control ? r->control[i] : NULL,
					.msg_controllen = control ? RAW_CONTROL_SIZE : 0};
}

static int receive_batch(struct worker *worker, enum worker_input input)
{
	struct receiver *r = worker->receiver;
	int n;

	prepare_messages(worker, family_of(input));
	n = recvmmsg(worker_input(worker, input), r->messages, BATCH_MAX, MSG_DONTWAIT, NULL);
	if (n > 0) {
		uint64_t now = uv_hrtime();
		merged_read(worker->merged);
		for (int i = 0; i < n; i++)
			receive_message(worker, input, &r->messages[i], r->octets[i], now);
		coalesce_flush(&r->coalescer);
		ask_flush(&worker->alive->asker);
	}
	return n;
}

bool in_drain(struct worker *worker, enum worker_input input)
{
	for (unsigned i = 0; i < FAIR_BATCHES; i++)
		if (receive_batch(worker, input) < BATCH_MAX)
			return true;
	return false;
}

/* A raw socket for UDP gets the errors about what other programs have sent, too. Who is behind a
 * NAT is sent to at a port of the NAT's, but from ours. */
static bool is_about_us(const struct worker *worker, enum worker_input input,
			const struct raw_error *error)
{
	const struct udp_ports *udp = &worker->udp_ports;

	return !is_udp(input) || udp_receives_at(udp, error->udp_port) ||
	       udp_receives_at(udp, error->udp_source);
}

void in_errors(struct worker *worker, enum worker_input input)
{
	int fd = worker_input(worker, input);
	struct raw_error error;

	while (raw_next_error(fd, &error) > 0) {
		struct dp_event event = {.kind = DP_EVENT_PATH_MTU, .remote = error.dst};

		if (!is_about_us(worker, input, &error))
			continue;
		if (error.too_big)
			worker->notify(worker->notify_arg, &event);
		/* Each worker's socket gets every error. */
		if (error.from_icmp && worker->index == 0)
			refusal_note(&worker->stray_table,
				     &(struct dp_refusal){.remote = error.dst,
							  .from = error.from,
							  .type = error.type,
							  .code = error.code},
				     uv_hrtime());
	}
}
