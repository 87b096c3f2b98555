/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/coalesce.h"

#include <errno.h>
#include <string.h>

#include "dp/counters.h"
#include "dp/port.h"
#include "dp/segment.h"
#include "dp/tunnel.h"
#include "proto/csum.h"
#include "proto/gre.h"
#include "proto/ip.h"

_Static_assert(BATCH_MAX <= 128, "indices of packets and bundles are one octet");

enum { TCP_SEQUENCE = 4, TCP_ACK = 8, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_WINDOW = 14 };
enum { TCP_CHECK = 16, TCP_URGENT = 18, TCP_LENGTH = 20 };
enum { TCP_FLAG_PSH = 0x08, TCP_FLAG_ACK = 0x10, TCP_FLAG_ECE = 0x40 };
enum { UDP_LENGTH_FIELD = 4, UDP_CHECK = 6, UDP_LENGTH = 8 };

/* What decides whether a packet can be part of a bundle. */
struct candidate {
	bool has_flow; /* l4 is the offset of a TCP or UDP header, ports inside the packet */
	uint16_t l4, header_len;
	uint32_t payload_len;
	uint32_t sequence;
	uint16_t id;
	uint8_t version;
	bool tcp, df;
	bool ends; /* it has to be the last of its bundle */
};

static bool read_tcp(struct candidate *out, const uint8_t *tcp, uint32_t len)
{
	uint8_t flags;

	if (len < TCP_LENGTH)
		return false;
	flags = tcp[TCP_FLAGS];
	out->header_len = (uint16_t)(out->l4 + (tcp[TCP_OFFSET] >> 4) * 4);
	out->sequence = get_be32(tcp + TCP_SEQUENCE);
	out->ends = flags & TCP_FLAG_PSH;
	/* Others begin or end something, or belong to one segment alone. */
	return (flags & ~(TCP_FLAG_PSH | TCP_FLAG_ECE)) == TCP_FLAG_ACK &&
	       tcp[TCP_OFFSET] >> 4 >= 5 && (tcp[TCP_OFFSET] >> 4) * 4u <= len;
}

static bool read_udp(struct candidate *out, const uint8_t *udp, uint32_t len)
{
	if (len < UDP_LENGTH)
		return false;
	out->header_len = (uint16_t)(out->l4 + UDP_LENGTH);
	/* Without a checksum the pieces would get one. */
	return get_be16(udp + UDP_LENGTH_FIELD) == len && get_be16(udp + UDP_CHECK) != 0;
}

static bool read_ip(struct candidate *out, const struct ip_info *ip, uint32_t len, uint16_t l3)
{
	uint16_t plain = ip->version == 4 ? IP4_HEADER_LENGTH : IP6_HEADER_LENGTH;

	out->version = ip->version;
	out->l4 = (uint16_t)(l3 + ip->header_len);
	out->id = (uint16_t)ip->id;
	out->df = ip->df;
	out->tcp = ip->protocol == IP_PROTOCOL_TCP;
	return ip->header_len == plain && !ip->fragment && ip->total_len == len - l3 &&
	       (out->tcp || ip->protocol == IP_PROTOCOL_UDP);
}

/* A bundle's checksums are made anew when it is cut, so they have to be right before. */
static bool checksums_good(const struct candidate *c, const uint8_t *packet, uint32_t len,
			   uint16_t l3)
{
	const uint8_t *ip = packet + l3;
	uint32_t l4_len = len - c->l4;
	uint8_t protocol = c->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP;
	uint64_t pseudo = csum_pseudo(ip, c->version, protocol, l4_len);

	if (c->version == 4 && csum_fold(csum_partial(ip, IP4_HEADER_LENGTH, 0)) != 0)
		return false;
	return csum_fold(csum_partial(packet + c->l4, l4_len, pseudo)) == 0;
}

/* True when the headers are of a kind that can be bundled; if not, out->has_flow still tells
 * whether the packet is known to belong to one flow. */
/* The kernel forwards a bundle to a group as the one packet that it is, and refuses it for its
 * size. */
static bool is_to_group(const struct ip_info *ip)
{
	return ip->version == 4 ? ip->dst[0] >> 4 == 0xe : ip->dst[0] == 0xff;
}

static bool read_headers(struct candidate *out, const uint8_t *packet, uint32_t len, uint16_t l3,
			 bool uso)
{
	struct ip_info ip;
	bool fits;

	*out = (struct candidate){.l4 = 0};
	if (!ip_decode(packet + l3, packet + len, &ip) || !read_ip(out, &ip, len, l3) ||
	    out->l4 + 4u > len)
		return false;
	out->has_flow = true;
	fits = out->tcp
		       ? read_tcp(out, packet + out->l4, len - out->l4)
		       : uso && !is_to_group(&ip) && read_udp(out, packet + out->l4, len - out->l4);
	if (out->header_len >= out->l4 && out->header_len <= len)
		out->payload_len = len - out->header_len;
	return fits;
}

static bool read_candidate(struct candidate *out, const uint8_t *packet, uint32_t len, uint16_t l3,
			   bool uso)
{
	return read_headers(out, packet, len, l3, uso) && out->payload_len > 0 &&
	       checksums_good(out, packet, len, l3);
}

/* Of the addresses and ports, which stand together in both families: 12 or 36 octets. */
static uint32_t hash_flow(const struct candidate *c, const uint8_t *packet, uint16_t l3)
{
	const uint8_t *at = packet + l3 + (c->version == 4 ? 12 : 8);
	uint32_t h = c->tcp, words = (uint32_t)(packet + c->l4 + 4 - at) / 4;

	for (uint32_t i = 0; i < words; i++)
		h = (h ^ get_be32(at + 4 * i)) * 0x9e3779b1u;
	return (h ^ h >> 16) % BATCH_MAX;
}

static bool same_octets(const uint8_t *a, const uint8_t *b, unsigned from, unsigned to)
{
	return memcmp(a + from, b + from, to - from) == 0;
}

static bool same_flow(const struct bundle *b, const struct candidate *c, const struct port *port,
		      const uint8_t *packet)
{
	unsigned addresses = b->l3 + (b->version == 4 ? 12u : 8u);

	return b->port == port && b->l4 == c->l4 && b->version == c->version && b->tcp == c->tcp &&
	       same_octets(b->packet, packet, addresses, b->l4 + 4u);
}

/* IPv4: all but length, identifier and header checksum; IPv6: all but the length. */
static bool same_ip_header(const struct bundle *b, const struct candidate *c, const uint8_t *packet)
{
	unsigned l3 = b->l3;

	if (!same_octets(b->packet, packet, 0, l3))
		return false;
	if (b->version == 6)
		return same_octets(b->packet, packet, l3, l3 + 4) &&
		       same_octets(b->packet, packet, l3 + 6, l3 + 8);
	/* With DF set the identifier means nothing (RFC 6864 4.1); else it has to count up. */
	return same_octets(b->packet, packet, l3, l3 + 2) &&
	       same_octets(b->packet, packet, l3 + 6, l3 + 10) && (c->df || c->id == b->next_id);
}

static bool same_tcp_header(const struct bundle *b, const struct candidate *c,
			    const uint8_t *packet)
{
	unsigned l4 = b->l4;
	uint8_t differ = b->packet[l4 + TCP_FLAGS] ^ packet[l4 + TCP_FLAGS];

	return b->header_len == c->header_len && c->sequence == b->next_sequence &&
	       (differ & ~TCP_FLAG_PSH) == 0 &&
	       same_octets(b->packet, packet, l4 + TCP_ACK, l4 + 13) &&
	       same_octets(b->packet, packet, l4 + TCP_WINDOW, l4 + TCP_CHECK) &&
	       same_octets(b->packet, packet, l4 + TCP_URGENT, b->header_len);
}

static bool can_join(const struct bundle *b, const struct candidate *c, const uint8_t *packet)
{
	return b->open && b->count < BUNDLE_SEGMENTS && c->payload_len <= b->segment &&
	       b->len - b->l3 + c->payload_len <= 65535 && same_ip_header(b, c, packet) &&
	       (!b->tcp || same_tcp_header(b, c, packet));
}

static void join(struct coalescer *c, struct bundle *b, const struct candidate *next,
		 uint8_t *packet)
{
	uint8_t part = (uint8_t)c->part_count++;

	c->parts[part] = (struct iovec){packet + next->header_len, next->payload_len};
	c->part_next[b->last] = part;
	b->last = part;
	b->count++;
	b->pieces++;
	b->len += next->payload_len;
	b->next_sequence += next->payload_len;
	b->next_id++;
	if (b->tcp)
		b->packet[b->l4 + TCP_FLAGS] |= packet[next->l4 + TCP_FLAGS] & TCP_FLAG_PSH;
	/* What is shorter, or pushes, is the last of its bundle. */
	if (next->payload_len < b->segment || next->ends)
		b->open = false;
}

static struct bundle *add_bundle(struct coalescer *c, struct port *port, uint16_t protocol,
				 uint8_t *packet, uint32_t len)
{
	struct bundle *b = &c->bundles[c->bundle_count++];
	uint8_t part = (uint8_t)c->part_count++;

	c->parts[part] = (struct iovec){packet, len};
	*b = (struct bundle){.port = port,
			     .packet = packet,
			     .protocol = protocol,
			     .len = len,
			     .count = 1,
			     .pieces = 1,
			     .first = part,
			     .last = part};
	return b;
}

/* The newest bundle of the flow, which is the only one that a packet may join. */
static struct bundle *find_flow(struct coalescer *c, uint32_t slot, const struct candidate *next,
				const struct port *port, const uint8_t *packet)
{
	for (uint8_t i = c->buckets[slot]; i; i = c->bundles[i - 1].next) {
		struct bundle *b = &c->bundles[i - 1];
		if (same_flow(b, next, port, packet))
			return b;
	}
	return NULL;
}

static void set_headers(struct bundle *b, const struct candidate *from, uint16_t l3)
{
	b->l3 = l3;
	b->l4 = from->l4;
	b->header_len = from->header_len;
	b->version = from->version;
	b->tcp = from->tcp;
}

/* What stays alone must not be overtaken by later packets of its flow. */
static void close_flow(struct coalescer *c, const struct candidate *of, struct port *port,
		       const uint8_t *packet, uint16_t l3)
{
	if (of->has_flow) {
		struct bundle *b = find_flow(c, hash_flow(of, packet, l3), of, port, packet);
		if (b)
			b->open = false;
		return;
	}
	for (unsigned i = 0; i < c->bundle_count; i++)
		if (c->bundles[i].port == port)
			c->bundles[i].open = false;
}

void coalesce_add(struct coalescer *c, struct port *port, uint16_t protocol, uint8_t *packet,
		  uint32_t len, uint16_t l3)
{
	struct candidate next;
	struct bundle *b;
	uint32_t slot;

	if (!read_candidate(&next, packet, len, l3, port->uso)) {
		close_flow(c, &next, port, packet, l3);
		add_bundle(c, port, protocol, packet, len);
		return;
	}
	slot = hash_flow(&next, packet, l3);
	b = find_flow(c, slot, &next, port, packet);
	if (b && can_join(b, &next, packet)) {
		join(c, b, &next, packet);
		return;
	}
	b = add_bundle(c, port, protocol, packet, len);
	set_headers(b, &next, l3);
	b->segment = (uint16_t)next.payload_len;
	b->open = !next.ends;
	b->next_sequence = next.sequence + next.payload_len;
	b->next_id = (uint16_t)(next.id + 1);
	b->next = c->buckets[slot];
	c->buckets[slot] = (uint8_t)(b - c->bundles + 1);
}

bool coalesce_add_super(struct coalescer *c, struct port *port, uint16_t protocol, uint8_t *packet,
			uint32_t len, uint16_t l3, uint16_t segment)
{
	struct candidate one;
	struct bundle *b;

	read_headers(&one, packet, len, l3, true);
	if (!one.has_flow || one.payload_len == 0 || segment == 0)
		return false;
	close_flow(c, &one, port, packet, l3);
	b = add_bundle(c, port, protocol, packet, len);
	set_headers(b, &one, l3);
	b->segment = segment;
	b->count = (uint16_t)((one.payload_len + segment - 1) / segment);
	return true;
}

/* Makes the first packet's headers those of the whole bundle, checksum left to the kernel. */
static struct virtio_net_hdr finish_headers(const struct bundle *b)
{
	uint8_t *ip = b->packet + b->l3, *l4 = b->packet + b->l4;
	uint32_t ip_len = b->len - b->l3, l4_len = b->len - b->l4;
	uint8_t protocol = b->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP;
	uint64_t pseudo = csum_pseudo(ip, b->version, protocol, l4_len);

	if (b->version == 4) {
		put_be16(ip + 2, (uint16_t)ip_len);
		put_be16(ip + 10, 0);
		put_be16(ip + 10, csum_fold(csum_partial(ip, IP4_HEADER_LENGTH, 0)));
	} else {
		put_be16(ip + 4, (uint16_t)(ip_len - IP6_HEADER_LENGTH));
	}
	if (!b->tcp)
		put_be16(l4 + UDP_LENGTH_FIELD, (uint16_t)l4_len);
	put_be16(l4 + (b->tcp ? TCP_CHECK : UDP_CHECK), csum_fold16(pseudo));
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !b->tcp	      ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : b->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
					      : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = b->header_len,
		.gso_size = b->segment,
		.csum_start = b->l4,
		.csum_offset = b->tcp ? TCP_CHECK : UDP_CHECK,
	};
}

static void write_bundle(struct coalescer *c, struct bundle *b)
{
	struct virtio_net_hdr vnet = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	struct port_header header;
	struct iovec parts[BUNDLE_SEGMENTS + 1];
	struct dp_counters *counters = &b->port->counters;
	/* Headers count once in `len`, but each packet had them. */
	uint32_t octets = b->len + (b->count - 1u) * b->header_len;
	uint8_t part = b->first;

	for (unsigned i = 1; i <= b->pieces; i++, part = c->part_next[part])
		parts[i] = c->parts[part];
	if (b->count > 1)
		vnet = finish_headers(b);
	parts[0] = (struct iovec){&header, port_put_header(b->port, b->protocol, &vnet, &header)};
	if (writev(b->port->fd, parts, b->pieces + 1) < 0) {
		counter_add(&counters->drops[DROP_RX_DEVICE], b->count);
		return;
	}
	counter_add(&counters->rx_packets, b->count);
	counter_add(&counters->rx_bytes, octets);
}

void coalesce_flush(struct coalescer *c)
{
	for (unsigned i = 0; i < c->bundle_count; i++)
		write_bundle(c, &c->bundles[i]);
	if (c->bundle_count)
		memset(c->buckets, 0, sizeof c->buckets);
	c->bundle_count = 0;
	c->part_count = 0;
}
