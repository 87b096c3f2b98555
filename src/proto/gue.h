/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gue.h: the header of Generic UDP Encapsulation, which may stand between UDP and GRE. It comes
 * from a draft that has expired (draft-ietf-intarea-gue), but Linux has it: "encap gue".
 *
 *	 0 1 2 3       8              16                             31
 *	+---+-+---------+--------------+-------------------------------+
 *	| 0 |C|  Hlen   |   protocol   |             flags             |
 *	+---+-+---------+--------------+-------------------------------+
 *	|      Hlen words: fields that flags ask for, private data     |
 *
 * The protocol, 47, tells it from GRE, where the same octet would say version 7.
 */
#ifndef PROTO_GUE_H
#define PROTO_GUE_H

#include "proto/drop.h"
#include "proto/ip.h"
#include "proto/udp.h"

enum {
	GUE_LENGTH = 4,	     /* what we send: no flags, no fields */
	GUE_PORT = 6080,     /* IANA's */
	GUE_PROTOCOL_AT = 1, /* octet */
};

/* Whether what stands behind a UDP header is GUE with GRE in it, and not GRE. */
PROTO_INLINE bool gue_is_gre(const uint8_t *p, const uint8_t *end)
{
	return p + GUE_PROTOCOL_AT < end && p[GUE_PROTOCOL_AT] == IP_PROTOCOL_GRE;
}

/*
 * Checks the header at p, of which gue_is_gre() is true. DROP_NONE: GUE_LENGTH octets of it, then
 * GRE. DROP_RX_GUE: it is cut short, of another variant, a control message, or has flags or fields,
 * of which we know none: what they ask for might be needed to read what is behind them.
 */
PROTO_INLINE enum drop_reason gue_decode(const uint8_t *p, const uint8_t *end)
{
	if (p + GUE_LENGTH > end || p[0] != 0 || get_be16(p + 2) != 0)
		return DROP_RX_GUE;
	return DROP_NONE;
}

/* Writes the header for GRE to p, GUE_LENGTH octets. */
PROTO_INLINE void gue_encode(uint8_t *p)
{
	put_be32(p, (uint32_t)IP_PROTOCOL_GRE << 16);
}

/* Octets between the outer IP header and GRE, for this UDP port (0: none). */
PROTO_INLINE unsigned gue_udp_length(uint16_t port, bool gue)
{
	return port == 0 ? 0 : UDP_HEADER_LENGTH + (gue ? GUE_LENGTH : 0);
}

#endif
