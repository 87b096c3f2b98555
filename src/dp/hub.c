/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/counters.h"
#include "dp/out.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "os/tun.h"
#include "proto/ethernet.h"
#include "proto/siphash.h"

/* Of addresses that nobody else hands out ("locally administered"): behind these octets stands an
 * IPv4 address, or a digest of an IPv6 one. */
static const uint8_t prefix4[2] = {0x02, 'G'}, prefix6[2] = {0x06, 'G'};

static void link_address(const struct ip_addr *outer, uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	static const struct siphash_key key = {0, 0};
	uint64_t digest;

	if (outer->family == IP_V4) {
		memcpy(mac, prefix4, 2);
		memcpy(mac + 2, outer->bytes, 4);
		return;
	}
	digest = siphash24(&key, outer->bytes, 16);
	memcpy(mac, prefix6, 2);
	put_be32(mac + 2, (uint32_t)digest);
}

static struct port **bucket(struct hub *hub, const uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	return &hub->buckets[(mac[5] ^ mac[4]) % HUB_BUCKETS];
}

static struct port *find_peer(struct hub *hub, const uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	struct port *peer = *bucket(hub, mac);

	while (peer && memcmp(peer->mac, mac, sizeof peer->mac) != 0)
		peer = peer->next_peer;
	return peer;
}

struct hub *hub_new(int fd)
{
	struct hub *hub = calloc(1, sizeof *hub);

	if (hub)
		tun_address(fd, hub->mac);
	return hub;
}

int hub_link(struct port *peer)
{
	struct port **slot;

	if (!peer->hub)
		return 0;
	link_address(&peer->params.remote, peer->mac);
	if (find_peer(peer->hub->peers, peer->mac))
		return -EADDRINUSE;
	slot = bucket(peer->hub->peers, peer->mac);
	peer->next_peer = *slot;
	*slot = peer;
	return 0;
}

void hub_unlink(struct port *peer)
{
	struct port **slot;

	if (!peer->hub)
		return;
	slot = bucket(peer->hub->peers, peer->mac);
	while (*slot && *slot != peer)
		slot = &(*slot)->next_peer;
	if (*slot)
		*slot = peer->next_peer;
}

int hub_join(struct worker *worker, void *arg)
{
	struct hub_job *job = arg;

	(void)worker;
	job->peer->hub = job->hub;
	job->peer->fd = job->hub->fd;
	job->peer->uso = job->hub->uso;
	return hub_link(job->peer);
}

int hub_leave(struct worker *worker, void *arg)
{
	struct port *peer = arg;

	(void)worker;
	hub_unlink(peer);
	peer->hub = NULL;
	peer->fd = -1;
	return 0;
}

static void drop(struct port *port, enum drop_reason reason)
{
	counter_add(&port->counters.drops[reason], 1);
}

/* The peer whose address inside the tunnel it is; asked for about twice a minute for each. */
static struct port *find_inner(struct hub *hub, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < HUB_BUCKETS; i++)
		for (struct port *peer = hub->buckets[i]; peer; peer = peer->next_peer)
			if (addr_equal(&peer->params.peer4, addr) ||
			    addr_equal(&peer->params.peer6, addr))
				return peer;
	return NULL;
}

/* Remembers a next hop that is no peer's, in the place of the one that was asked for longest ago.
 */
static void note_unresolved(struct hub *hub, const struct ip_addr *addr, uint64_t now_ns)
{
	struct dp_unresolved *oldest = &hub->unresolved[0];

	for (unsigned i = 0; i < DP_UNRESOLVED_MAX; i++) {
		struct dp_unresolved *u = &hub->unresolved[i];

		if (addr_equal(&u->next_hop, addr)) {
			u->asked++;
			u->last_ns = now_ns;
			return;
		}
		if (u->last_ns < oldest->last_ns)
			oldest = u;
	}
	*oldest = (struct dp_unresolved){.next_hop = *addr, .asked = 1, .last_ns = now_ns};
}

static void answer(struct port *port, const struct resolve_question *question)
{
	struct port *peer = find_inner(port->peers, &question->target);
	struct tun_frame_header header = {.vnet = {.gso_type = VIRTIO_NET_HDR_GSO_NONE}};
	uint8_t frame[RESOLVE_ANSWER_MAX];
	uint32_t len;

	/* The host makes sure that its address is nobody else's, or announces it. The file has seen
	 * to that. */
	if (addr_is_any(&question->from) || addr_equal(&question->from, &question->target))
		return;
	if (!peer) {
		drop(port, DROP_TX_NO_NEXT_HOP);
		note_unresolved(port->peers, &question->target, uv_hrtime());
		return;
	}
	len = resolve_answer(frame, question, peer->mac);
	memcpy(&header.pi.proto, frame + 12, 2);
	struct iovec parts[2] = {{&header, sizeof header}, {frame, len}};
	if (writev(port->fd, parts, 2) < 0)
		drop(port, DROP_RX_DEVICE);
}

/* Makes what a TUN would have handed over. */
static void strip_ethernet(struct frame *frame)
{
	struct virtio_net_hdr *vnet = &frame->header.vnet;

	frame->packet += ETHERNET_HEADER_LENGTH;
	frame->len -= ETHERNET_HEADER_LENGTH;
	if (vnet->csum_start >= ETHERNET_HEADER_LENGTH)
		vnet->csum_start -= ETHERNET_HEADER_LENGTH;
	if (vnet->hdr_len >= ETHERNET_HEADER_LENGTH)
		vnet->hdr_len -= ETHERNET_HEADER_LENGTH;
}

/* What is queued belongs to one port, and has its outer header in front of the packet. */
static void out_by(struct port *peer, const struct frame *frame)
{
	struct sender *sender = peer->worker->sender;

	if (sender->count > 0 && sender->port != peer)
		sender_flush(sender);
	out_frame(peer, frame);
}

static void out_to_all(struct port *port, struct frame *frame)
{
	struct virtio_net_hdr *vnet = &frame->header.vnet;

	/* Once, not once for each. */
	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	    vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!checksum_complete(frame->packet, frame->len, vnet->csum_start,
				       vnet->csum_offset)) {
			drop(port, DROP_TX_INNER_MALFORMED);
			return;
		}
		vnet->flags = 0;
	}
	for (unsigned i = 0; i < HUB_BUCKETS; i++)
		for (struct port *peer = port->peers->buckets[i]; peer; peer = peer->next_peer) {
			out_by(peer, frame);
			sender_flush(port->worker->sender);
		}
}

void hub_out(struct port *port, struct frame *frame)
{
	uint8_t *p = frame->packet, *end = p + frame->len, mac[ETHERNET_ADDRESS_LENGTH];
	struct resolve_question question;
	struct port *peer;

	if (frame->len < ETHERNET_HEADER_LENGTH) {
		drop(port, DROP_TX_INNER_MALFORMED);
		return;
	}
	memcpy(mac, p, sizeof mac);
	memcpy(port->peers->mac, p + ETHERNET_ADDRESS_LENGTH, sizeof port->peers->mac);
	/* No passenger: the link that it is about is this end's alone. */
	if (resolve_is_local(p, end)) {
		if (resolve_question(p, end, &question))
			answer(port, &question);
		return;
	}
	strip_ethernet(frame);
	peer = find_peer(port->peers, mac);
	if (peer)
		out_by(peer, frame);
	else if (mac[0] & 1)
		out_to_all(port, frame);
	else
		drop(port, DROP_TX_NO_NEXT_HOP);
}

void hub_header(const struct port *peer, uint16_t protocol, uint8_t out[])
{
	memcpy(out, peer->hub->peers->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(out + ETHERNET_ADDRESS_LENGTH, peer->mac, ETHERNET_ADDRESS_LENGTH);
	put_be16(out + 12, protocol);
}
