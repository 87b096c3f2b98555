/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coalesce.h: puts received segments of one flow together, so that the kernel takes a bundle of
 * them with one write. A packet joins a bundle only when the kernel, cutting the bundle again,
 * makes the same packets; whatever else stays alone. Packets of one flow never overtake each other.
 */
#ifndef DP_COALESCE_H
#define DP_COALESCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct port;

#define BATCH_MAX 128
/* Segments of a bundle: what Linux takes of UDP (UDP_MAX_SEGMENTS of 6.1). */
#define BUNDLE_SEGMENTS 64

/* One or more packets that go to the kernel together. Offsets as in segment.h. */
struct bundle {
	struct port *port;
	uint8_t *packet; /* the first one */
	uint16_t protocol;
	uint16_t l3, l4, header_len;
	uint16_t segment; /* payload of a segment */
	bool open;	  /* more may join */
	uint16_t next_id;
	uint32_t next_sequence;
	uint32_t len;	 /* headers once, and the payload of all */
	uint16_t count;	 /* packets that it stands for */
	uint16_t pieces; /* parts that it is made of */
	bool tcp;
	uint8_t version;
	uint8_t first, last; /* packets, as indices into coalescer.parts */
	uint8_t next;	     /* bundle with the same hash, index + 1; 0: none */
};

struct coalescer {
	unsigned bundle_count, part_count;
	uint8_t buckets[BATCH_MAX]; /* newest bundle with this hash, index + 1 */
	struct bundle bundles[BATCH_MAX];
	struct iovec parts[BATCH_MAX]; /* payloads, of the first packet the whole */
	uint8_t part_next[BATCH_MAX];
};

/* Takes a passenger whose IP header is at l3 (protocol: its GRE protocol type). At most BATCH_MAX
 * between two flushes; the octets have to stay until then. */
void coalesce_add(struct coalescer *c, struct port *port, uint16_t protocol, uint8_t *packet,
		  uint32_t len, uint16_t l3);
/* The same for a super-packet that arrived as such: its transport's checksum is open and its
 * segments carry `segment` octets. False, and nothing taken, when its headers do not fit that. */
bool coalesce_add_super(struct coalescer *c, struct port *port, uint16_t protocol, uint8_t *packet,
			uint32_t len, uint16_t l3, uint16_t segment);
/* Writes everything to the interfaces, counting what is delivered and what is not. */
void coalesce_flush(struct coalescer *c);

#endif
