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

/* Of addresses that nobody else hands out ("locally administered"): with an IPv4 next hop in it, or
 * a digest of an IPv6 one. */
static void link_address(const struct ip_addr *next_hop, uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	static const struct siphash_key key = {0, 0};
	uint64_t digest;

	if (next_hop->family == IP_V4) {
		mac[0] = 0x02;
		mac[1] = 'G';
		memcpy(mac + 2, next_hop->bytes, 4);
		return;
	}
	digest = siphash24(&key, next_hop->bytes, 16);
	mac[0] = 0x06;
	mac[1] = (uint8_t)(digest >> 32);
	put_be32(mac + 2, (uint32_t)digest);
}

static struct hub_entry **bucket(struct hub *hub, const uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	return &hub->buckets[(mac[5] ^ mac[4]) % HUB_BUCKETS];
}

static struct port *find_peer(struct hub *hub, const uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	struct hub_entry *entry = *bucket(hub, mac);

	while (entry && memcmp(entry->mac, mac, sizeof entry->mac) != 0)
		entry = entry->next;
	return entry ? entry->peer : NULL;
}

struct hub *hub_new(int fd)
{
	struct hub *hub = calloc(1, sizeof *hub);

	if (hub)
		tun_address(fd, hub->mac);
	return hub;
}

static int add_entry(struct port *peer, struct hub_entry *entry, const struct ip_addr *next_hop)
{
	struct hub *hub = peer->hub->peers;
	struct hub_entry **slot;

	if (next_hop->family == IP_NONE)
		return 0;
	link_address(next_hop, entry->mac);
	if (find_peer(hub, entry->mac))
		return -EADDRINUSE;
	slot = bucket(hub, entry->mac);
	entry->peer = peer;
	entry->next = *slot;
	*slot = entry;
	return 0;
}

static void remove_entry(struct port *peer, struct hub_entry *entry)
{
	struct hub_entry **slot = bucket(peer->hub->peers, entry->mac);

	if (!entry->peer)
		return;
	while (*slot != entry)
		slot = &(*slot)->next;
	*slot = entry->next;
	*entry = (struct hub_entry){.peer = NULL};
}

int hub_link(struct port *peer)
{
	int err;

	if (!peer->hub)
		return 0;
	err = add_entry(peer, &peer->entries[0], &peer->params.peer4);
	return err ? err : add_entry(peer, &peer->entries[1], &peer->params.peer6);
}

void hub_unlink(struct port *peer)
{
	if (!peer->hub)
		return;
	remove_entry(peer, &peer->entries[0]);
	remove_entry(peer, &peer->entries[1]);
}

int hub_join(struct worker *worker, void *arg)
{
	struct hub_job *job = arg;

	(void)worker;
	job->peer->hub = job->hub;
	job->peer->fd = job->hub->fd;
	job->peer->uso = job->hub->uso;
	job->peer->next_peer = job->hub->peers->first;
	job->hub->peers->first = job->peer;
	return hub_link(job->peer);
}

int hub_leave(struct worker *worker, void *arg)
{
	struct port *peer = arg, **slot;

	(void)worker;
	if (!peer->hub)
		return 0;
	hub_unlink(peer);
	for (slot = &peer->hub->peers->first; *slot != peer;)
		slot = &(*slot)->next_peer;
	*slot = peer->next_peer;
	peer->hub = NULL;
	peer->fd = -1;
	return 0;
}

static void drop(struct port *port, enum drop_reason reason)
{
	counter_add(&port->counters.drops[reason], 1);
}

/* How the next hop is called on the link; NULL when it is no peer's. Asked for about twice a minute
 * for each. */
static const uint8_t *find_address(const struct hub *hub, const struct ip_addr *next_hop)
{
	for (const struct port *peer = hub->first; peer; peer = peer->next_peer) {
		if (addr_equal(&peer->params.peer4, next_hop))
			return peer->entries[0].mac;
		if (addr_equal(&peer->params.peer6, next_hop))
			return peer->entries[1].mac;
	}
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
	const uint8_t *mac = find_address(port->peers, &question->target);
	struct tun_frame_header header = {.vnet = {.gso_type = VIRTIO_NET_HDR_GSO_NONE}};
	uint8_t frame[RESOLVE_ANSWER_MAX];
	uint32_t len;

	/* The host makes sure that its address is nobody else's, or announces it. The file has seen
	 * to that. */
	if (addr_is_any(&question->from) || addr_equal(&question->from, &question->target))
		return;
	if (!mac) {
		drop(port, DROP_TX_NO_NEXT_HOP);
		note_unresolved(port->peers, &question->target, uv_hrtime());
		return;
	}
	len = resolve_answer(frame, question, mac);
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
	for (struct port *peer = port->peers->first; peer; peer = peer->next_peer) {
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
	const struct hub_entry *entry = &peer->entries[peer->entries[0].peer ? 0 : 1];

	memcpy(out, peer->hub->peers->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(out + ETHERNET_ADDRESS_LENGTH, entry->mac, ETHERNET_ADDRESS_LENGTH);
	put_be16(out + 12, protocol);
}
