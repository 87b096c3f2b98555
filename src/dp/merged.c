/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/merged.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/csum.h"
#include "proto/ip.h"

#define READ_BATCH 64

enum { TCP_OFFSET = 12, TCP_CHECK = 16, UDP_CHECK = 6 };

struct merged *merged_new(void)
{
	struct merged *merged = calloc(1, sizeof *merged);

	if (merged)
		merged->fd = -1;
	return merged;
}

void merged_free(struct merged *merged)
{
	if (merged && merged->fd >= 0)
		close(merged->fd);
	free(merged);
}

int merged_set_udp(struct merged *merged, const struct udp_ports *udp)
{
	merged->udp = *udp;
	return merged->fd < 0 ? 0 : packet_match_arrivals(merged->fd, udp);
}

void merged_read(struct merged *merged)
{
	struct packet_arrival arrivals[READ_BATCH];
	bool more = merged->fd >= 0;

	while (more) {
		unsigned n = packet_arrivals(merged->fd, arrivals, READ_BATCH, &more);
		for (unsigned i = 0; i < n; i++) {
			merged->kept[merged->next] = arrivals[i];
			merged->next = (merged->next + 1) % MERGED_KEPT;
		}
	}
}

static bool find(struct merged *merged, const uint8_t *gre, uint32_t len,
		 struct virtio_net_hdr *out)
{
	uint8_t key[ARRIVAL_KEY_SIZE];

	if (merged->fd < 0) {
		merged->fd = packet_open_arrivals(&merged->udp);
		return false;
	}
	packet_arrival_key(key, gre, len);
	for (unsigned i = 0; i < MERGED_KEPT; i++) {
		unsigned at = (merged->likely + i) % MERGED_KEPT;

		if (memcmp(merged->kept[at].key, key, sizeof key) != 0)
			continue;
		*out = merged->kept[at].vnet;
		merged->likely = (at + 1) % MERGED_KEPT;
		return true;
	}
	return false;
}

/* Where the transport's checksum would be left open: the field holds the sum of the pseudo-header,
 * not complemented. A good checksum looks like that once in 65,536 packets, so this is only a
 * suspicion. */
static bool read_open(const struct ip_info *ip, const uint8_t *p, struct virtio_net_hdr *out)
{
	uint32_t l4_len = ip->total_len - ip->header_len;
	bool tcp = ip->protocol == IP_PROTOCOL_TCP;
	uint16_t offset = tcp ? TCP_CHECK : UDP_CHECK;
	uint64_t pseudo;

	if (ip->fragment || !ip->has_transport || (!tcp && ip->protocol != IP_PROTOCOL_UDP) ||
	    l4_len < offset + 2u)
		return false;
	pseudo = csum_pseudo(p, ip->version, ip->protocol, l4_len);
	*out = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .gso_type = VIRTIO_NET_HDR_GSO_NONE,
				       .csum_start = ip->header_len,
				       .csum_offset = offset};
	return get_be16(p + ip->header_len + offset) == csum_fold16(pseudo);
}

static bool checksum_good(const struct ip_info *ip, const uint8_t *p)
{
	uint32_t l4_len = ip->total_len - ip->header_len;
	uint64_t pseudo = csum_pseudo(p, ip->version, ip->protocol, l4_len);

	return csum_fold(csum_partial(p + ip->header_len, l4_len, pseudo)) == 0;
}

/* Octets behind the transport's header; 0 when that is cut short. */
static uint32_t payload_length(const struct ip_info *ip, const uint8_t *p)
{
	uint32_t header = 8, l4_len = ip->total_len - ip->header_len;

	if (ip->protocol == IP_PROTOCOL_TCP)
		header = (uint32_t)(p[ip->header_len + TCP_OFFSET] >> 4) * 4;
	return l4_len > header ? l4_len - header : 0;
}

enum merged_verdict merged_judge(struct merged *merged, const uint8_t *gre, const uint8_t *ip_at,
				 const uint8_t *end, struct virtio_net_hdr *out, uint32_t *ip_len)
{
	struct virtio_net_hdr seen;
	struct ip_info ip;
	uint32_t payload;

	if (!ip_decode(ip_at, end, &ip) || !read_open(&ip, ip_at, out) || checksum_good(&ip, ip_at))
		return MERGED_NOT;
	*ip_len = ip.total_len;
	payload = payload_length(&ip, ip_at);
	/* Two packets have an octet each. */
	if (payload < 2)
		return MERGED_OPEN;
	if (!find(merged, gre, (uint32_t)(ip_at - gre) + ip.total_len, &seen))
		return MERGED_UNKNOWN;
	if (seen.gso_type == VIRTIO_NET_HDR_GSO_NONE || payload <= seen.gso_size)
		return MERGED_OPEN;
	out->gso_type = seen.gso_type;
	out->gso_size = seen.gso_size;
	return MERGED_SUPER;
}
