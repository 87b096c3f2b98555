/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frag.h: into which pieces a packet is cut (RFC 791 3.2, RFC 8200 4.5), and the headers of the
 * pieces. Arithmetic only; the octets of the payload are the caller's to copy.
 *
 *   struct frag_plan plan;
 *   struct frag_piece piece;
 *
 *   if (frag_start(&plan, header_len, payload_len, mtu, ip.frag_offset, ip.more_fragments))
 *           while (frag_next(&plan, &piece))
 *                   header and payload[piece.at .. piece.at + piece.length)
 */
#ifndef PROTO_FRAG_H
#define PROTO_FRAG_H

#include "proto/bytes.h"
#include "proto/csum_inc.h"
#include "proto/ip.h"
#include "proto/siphash.h"

/* All in octets. */
struct frag_plan {
	uint32_t payload_len;
	uint32_t room; /* for payload in a piece that is not the last; a multiple of 8 */
	uint32_t next; /* where the next piece begins in the payload */
	uint16_t base; /* offset of the payload in the packet it was cut from */
	bool more;     /* it was not the last piece of that packet */
};

struct frag_piece {
	uint32_t at;	 /* in the payload at hand */
	uint32_t length; /* a multiple of 8 unless this is the last piece */
	uint16_t offset; /* for the header: from the beginning of the original packet */
	bool more;	 /* for the header */
};

/*
 * Begins to cut payload_len octets that stand behind header_len octets (IPv6: the fragment header
 * counted in) into pieces of at most mtu octets. `base` and `more` are those of the packet itself
 * when it is a fragment already, else 0 and false. False when it cannot be done: no room for 8
 * octets of payload in a piece, a payload of 0, or an end beyond what an offset can say.
 */
PROTO_INLINE bool frag_start(struct frag_plan *plan, uint32_t header_len, uint32_t payload_len,
			     uint32_t mtu, uint16_t base, bool more)
{
	if (mtu < header_len + 8 || payload_len == 0 || payload_len > 65535 ||
	    base + payload_len > 65535 || (more && payload_len % 8))
		return false;
	plan->payload_len = payload_len;
	plan->room = (mtu - header_len) & ~7u;
	plan->next = 0;
	plan->base = base;
	plan->more = more;
	return true;
}

/* The next piece, in order; false when there is no more. */
PROTO_INLINE bool frag_next(struct frag_plan *plan, struct frag_piece *out)
{
	uint32_t left = plan->payload_len - plan->next;

	if (left == 0)
		return false;
	out->at = plan->next;
	out->length = left > plan->room ? plan->room : left;
	out->offset = (uint16_t)(plan->base + plan->next);
	out->more = left > plan->room || plan->more;
	plan->next += out->length;
	return true;
}

/* How many pieces there are in all. */
PROTO_INLINE uint32_t frag_count(const struct frag_plan *plan)
{
	return (plan->payload_len + plan->room - 1) / plan->room;
}

/*
 * Writes the IPv4 header of a piece to `out`, which has room for header_len octets: a copy of
 * `header` (ip_info.header_len octets, 20 to 60) with length, offset, flag and checksum of the
 * piece. A piece with offset 0 keeps all options, the others those with the copied flag (RFC 791
 * 3.1). DF is cleared. Returns the octets written, a multiple of 4 and at most header_len.
 */
unsigned frag4_header(uint8_t *out, const uint8_t *header, unsigned header_len,
		      const struct frag_piece *piece);

/* The identification of the n-th packet that is cut (RFC 8200 4.5): all of its 32 bits, none twice
 * before n has gone round, and nobody without the key can tell the next from those before (RFC
 * 7739). */
uint32_t frag6_id(const struct siphash_key *key, uint32_t n);

/* Writes the 8 octets of an IPv6 fragment header. The header before it says protocol 44 and a
 * payload of 8 + piece->length. */
PROTO_INLINE void frag6_header(uint8_t *p, uint8_t next_header, uint32_t id,
			       const struct frag_piece *piece)
{
	p[0] = next_header;
	p[1] = 0;
	put_be16(p + 2, (uint16_t)((piece->offset & 0xfff8) | (piece->more ? 1 : 0)));
	put_be32(p + 4, id);
}

#endif
