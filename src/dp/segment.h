/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.h: cuts a super-packet that the kernel hands over (TSO, USO) into the packets that it
 * stands for. Pure: octets in, octets out.
 */
#ifndef DP_SEGMENT_H
#define DP_SEGMENT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

/* Room for the headers of a piece: Ethernet with a VLAN tag, IP with options or extension headers,
 * TCP with options. */
#define SEGMENT_HEADER_MAX 256

/* Debian 12's headers are older than these (Linux 6.2). */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct super_packet {
	const uint8_t *packet; /* from its first octet, Ethernet header included if there is one */
	uint32_t len;
	uint16_t l3, l4;     /* offsets of the IP and the transport header */
	uint16_t header_len; /* all headers */
	uint16_t size;	     /* payload octets of every piece but the last */
	uint8_t version;     /* IP version */
	bool tcp;	     /* else UDP */
	unsigned count;	     /* pieces */
};

struct payload {
	const uint8_t *data;
	uint32_t len;
};

/* Reads what the offload header says of `packet`, whose IP header is at l3. False when the two do
 * not fit together. */
bool super_read(struct super_packet *out, const struct virtio_net_hdr *vnet, const uint8_t *packet,
		uint32_t len, uint16_t l3);

/* Writes the headers of piece `index` (0 is the first) to `header`, which has room for header_len
 * octets, lengths, identifier, sequence number, flags and checksums those of that piece; *payload
 * is what follows them. */
void super_piece(const struct super_packet *super, unsigned index, uint8_t *header,
		 struct payload *payload);

/* Completes a checksum that the kernel left to the device (VIRTIO_NET_HDR_F_NEEDS_CSUM). False when
 * its place is not inside the packet. */
bool checksum_complete(uint8_t *packet, uint32_t len, uint16_t start, uint16_t offset);

#endif
