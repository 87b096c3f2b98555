/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/segment.h"

#include <string.h>

#include "proto/csum.h"
#include "proto/ip.h"

enum { TCP_SEQUENCE = 4, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECK = 16, TCP_LENGTH = 20 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };
enum { UDP_LENGTH_FIELD = 4, UDP_CHECK = 6, UDP_LENGTH = 8 };

static bool read_transport(struct super_packet *s)
{
	const uint8_t *l4 = s->packet + s->l4;

	if (!s->tcp) {
		s->header_len = (uint16_t)(s->l4 + UDP_LENGTH);
		return true;
	}
	if (s->l4 + (uint32_t)TCP_LENGTH > s->len || l4[TCP_OFFSET] >> 4 < 5)
		return false;
	s->header_len = (uint16_t)(s->l4 + (l4[TCP_OFFSET] >> 4) * 4);
	return true;
}

bool super_read(struct super_packet *out, const struct virtio_net_hdr *vnet, const uint8_t *packet,
		uint32_t len, uint16_t l3)
{
	struct super_packet s = {.packet = packet,
				 .len = len,
				 .l3 = l3,
				 .l4 = vnet->csum_start,
				 .size = vnet->gso_size};

	switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		s.tcp = true;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		break;
	default:
		return false;
	}
	if (s.size == 0 || s.l4 < l3 + IP4_HEADER_LENGTH || !read_transport(&s) ||
	    s.header_len >= len || s.header_len > SEGMENT_HEADER_MAX)
		return false;
	s.version = packet[l3] >> 4;
	if (s.version != 4 && s.version != 6)
		return false;
	s.count = (len - s.header_len + s.size - 1) / s.size;
	*out = s;
	return true;
}

/* Length, identifier and checksum of the IP header. The identifier counts up, as the kernel's own
 * segmentation has it. */
static void piece_ip(const struct super_packet *s, unsigned index, uint8_t *header, uint32_t len)
{
	uint8_t *ip = header + s->l3;
	unsigned header_len = (unsigned)(s->l4 - s->l3);

	if (s->version == 6) {
		put_be16(ip + 4, (uint16_t)(len - s->l3 - IP6_HEADER_LENGTH));
		return;
	}
	put_be16(ip + 2, (uint16_t)(len - s->l3));
	put_be16(ip + 4, (uint16_t)(get_be16(ip + 4) + index));
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_fold(csum_partial(ip, header_len, 0)));
}

static void piece_tcp(const struct super_packet *s, unsigned index, uint8_t *tcp)
{
	put_be32(tcp + TCP_SEQUENCE, get_be32(tcp + TCP_SEQUENCE) + index * s->size);
	if (index > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (index < s->count - 1)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

void super_piece(const struct super_packet *s, unsigned index, uint8_t *header,
		 struct payload *payload)
{
	uint32_t at = s->header_len + index * s->size;
	uint32_t left = s->len - at;
	uint32_t payload_len = left < s->size ? left : s->size;
	uint32_t l4_len = s->header_len - s->l4 + payload_len;
	uint8_t *l4 = header + s->l4;
	unsigned check = s->tcp ? TCP_CHECK : UDP_CHECK;
	uint64_t sum;
	uint16_t folded;

	*payload = (struct payload){s->packet + at, payload_len};
	memcpy(header, s->packet, s->header_len);
	piece_ip(s, index, header, s->header_len + payload_len);
	if (s->tcp)
		piece_tcp(s, index, l4);
	else
		put_be16(l4 + UDP_LENGTH_FIELD, (uint16_t)l4_len);
	put_be16(l4 + check, 0);
	sum = csum_pseudo(header + s->l3, s->version, s->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP,
			  l4_len);
	sum = csum_partial(l4, (size_t)(s->header_len - s->l4), sum);
	folded = csum_fold(csum_partial(payload->data, payload_len, sum));
	/* A UDP checksum of 0 would mean none (RFC 768). */
	put_be16(l4 + check, !s->tcp && folded == 0 ? 0xffff : folded);
}

bool checksum_complete(uint8_t *packet, uint32_t len, uint16_t start, uint16_t offset)
{
	uint16_t folded;

	if ((uint32_t)start + offset + 2 > len)
		return false;
	/* The field holds the sum of the pseudo-header; summing over it adds it in. */
	folded = csum_fold(csum_partial(packet + start, len - start, 0));
	/* Only UDP says 0xffff for 0, which there means none (RFC 768). */
	if (folded == 0 && offset == UDP_CHECK)
		folded = 0xffff;
	put_be16(packet + start + offset, folded);
	return true;
}
