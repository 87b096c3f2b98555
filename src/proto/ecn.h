/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ecn.h: congestion marks across the tunnel (RFC 6040, which RFC 9601 extends to GRE). */
#ifndef PROTO_ECN_H
#define PROTO_ECN_H

#include "proto/bytes.h"
#include "proto/csum_inc.h"
#include "proto/drop.h"

/* The two low bits of the IPv4 TOS and the IPv6 traffic class. */
enum ecn { ECN_NOT_ECT = 0, ECN_ECT_1 = 1, ECN_ECT_0 = 2, ECN_CE = 3, ECN_MASK = 3 };

/* The outer field for a passenger with this TOS (4.1): a copy in normal mode, else not-ECT, for a
 * peer that is not known to understand ECN in tunnels. */
PROTO_INLINE uint8_t ecn_encapsulate(uint8_t inner_tos, bool normal_mode)
{
	return normal_mode ? inner_tos & ECN_MASK : ECN_NOT_ECT;
}

/*
 * The passenger's field after decapsulation (4.2, figure 4), to *result. DROP_RX_ECN where the
 * passenger cannot carry the mark that the path put on the outer header; *result is then untouched.
 * Both arguments may be whole TOS octets.
 */
PROTO_INLINE enum drop_reason ecn_decapsulate(uint8_t inner, uint8_t outer, uint8_t *result)
{
	inner &= ECN_MASK;
	outer &= ECN_MASK;
	if (inner == ECN_NOT_ECT) {
		if (outer == ECN_CE)
			return DROP_RX_ECN;
		*result = ECN_NOT_ECT;
	} else if (outer == ECN_CE) {
		*result = ECN_CE;
	} else if (inner == ECN_ECT_0 && outer == ECN_ECT_1) {
		*result = ECN_ECT_1;
	} else {
		*result = inner;
	}
	return DROP_NONE;
}

/* Writes a new field into the IPv4 or IPv6 header at p, and keeps the IPv4 header checksum right.
 * False, and nothing written, when no such header is there. */
PROTO_INLINE bool ecn_apply(uint8_t *p, const uint8_t *end, uint8_t ecn)
{
	uint16_t from, to;

	if (p + 20 > end)
		return false;
	from = get_be16(p);
	switch (p[0] >> 4) {
	case 4:
		to = (uint16_t)((from & ~ECN_MASK) | (ecn & ECN_MASK));
		if (to == from)
			return true;
		put_be16(p + 10, csum_update16(get_be16(p + 10), from, to));
		break;
	case 6:
		to = (uint16_t)((from & ~(ECN_MASK << 4)) | (ecn & ECN_MASK) << 4);
		break;
	default:
		return false;
	}
	put_be16(p, to);
	return true;
}

#endif
