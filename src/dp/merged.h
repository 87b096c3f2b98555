/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * merged.h: packets that were merged before we see them. A network card's driver (GRO) joins the
 * segments of a TCP connection also inside GRE, and on a virtual link a super-packet may arrive as
 * its sender made it. A raw socket then gives one long packet whose TCP checksum covers the
 * pseudo-header only, and does not tell how long the segments were. A packet socket does tell. So
 * when the first such packet is met, one is opened beside the raw sockets; it sees the beginning of
 * each packet earlier than they do, and what it says is kept here until the packet itself, which
 * has passed the host's firewall by then, comes by.
 */
#ifndef DP_MERGED_H
#define DP_MERGED_H

#include <stdbool.h>
#include <stdint.h>

#include "os/packet.h"

/* More than a socket holds of the long packets. */
#define MERGED_KEPT 512

struct merged {
	int fd;		      /* -1: not open */
	struct udp_ports udp; /* of tunnels in UDP */
	/* The last ones that arrived, in a ring: where the next one goes, and the one behind that
	 * which was asked for last. Packets come by in the order in which they arrived, so that one
	 * is nearly always the next that is asked for. */
	unsigned next, likely;
	struct packet_arrival kept[MERGED_KEPT];
};

/* What became of a packet before it was seen. */
enum merged_verdict {
	MERGED_NOT,	/* it is as it was sent */
	MERGED_OPEN,	/* one packet, its checksum still to be completed as *out says */
	MERGED_SUPER,	/* several, as *out says */
	MERGED_UNKNOWN, /* several, but how is not known; of the next ones it will be */
};

/* NULL when there is no memory. */
struct merged *merged_new(void);
void merged_free(struct merged *merged);

/* From now on tunnels have these UDP ports. 0 or -errno. */
int merged_set_udp(struct merged *merged, const struct udp_ports *udp);
/* Takes note of what has arrived; cheap when no packet was ever merged. To be called also when
 * merged->fd is readable: it fills with what other workers receive. */
void merged_read(struct merged *merged);
/* Judges the packet that begins with the GRE header at `gre`; its passenger's IP header is at `ip`.
 * csum_start of *out counts from `ip`, and *ip_len is that packet's length. */
enum merged_verdict merged_judge(struct merged *merged, const uint8_t *gre, const uint8_t *ip,
				 const uint8_t *end, struct virtio_net_hdr *out, uint32_t *ip_len);

#endif
