/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outer.h: what the outer header takes from the passenger and what from the tunnel's settings. */
#ifndef PROTO_OUTER_H
#define PROTO_OUTER_H

#include "proto/bytes.h"
#include "proto/ecn.h"
#include "proto/gre.h"

/* The don't-fragment bit of an IPv4 outer header: always, the passenger's, never. */
enum outer_df { OUTER_DF_SET, OUTER_DF_COPY, OUTER_DF_CLEAR };

enum { OUTER_TTL_DEFAULT = 64 };

struct outer_policy {
	bool ttl_inherit; /* else `ttl`, 1 to 255 */
	bool tos_inherit; /* the six DSCP bits; else those of `tos` */
	bool ecn;	  /* RFC 6040 normal mode; false: the outer ECN field is zero */
	uint8_t ttl, tos;
	uint8_t df; /* enum outer_df */
};

struct outer_fields {
	uint8_t tos, ttl; /* IPv6: traffic class, hop limit */
	bool df;
};

/* What a passenger says of itself. */
struct outer_passenger {
	uint8_t tos, ttl;
	bool df;
};

/* A passenger that is not IP, or is too short to tell, says what is neutral: no class, no mark,
 * may be fragmented, and as a hop count the usual initial one. IPv6 has no bit that would forbid
 * fragmenting the outer packet, and a path below 1280 octets needs it (RFC 7676 3.2). */
PROTO_INLINE struct outer_passenger outer_read_passenger(uint16_t protocol, const uint8_t *p,
							 const uint8_t *end)
{
	struct outer_passenger out = {.ttl = OUTER_TTL_DEFAULT};

	if (p + 20 > end)
		return out;
	if (protocol == GRE_PROTOCOL_IPV4) {
		out.tos = p[1];
		out.ttl = p[8];
		out.df = p[6] & 0x40;
	} else if (protocol == GRE_PROTOCOL_IPV6) {
		out.tos = (uint8_t)(get_be16(p) >> 4);
		out.ttl = p[7];
	}
	return out;
}

/* The outer fields for the passenger at p, whose GRE protocol is given in host order. */
PROTO_INLINE struct outer_fields outer_fields(const struct outer_policy *policy, uint16_t protocol,
					      const uint8_t *p, const uint8_t *end)
{
	struct outer_passenger inner = outer_read_passenger(protocol, p, end);
	uint8_t dscp = (policy->tos_inherit ? inner.tos : policy->tos) & 0xfc;
	struct outer_fields out = {
		.tos = dscp | ecn_encapsulate(inner.tos, policy->ecn),
		.ttl = policy->ttl_inherit ? inner.ttl : policy->ttl,
		.df = policy->df == OUTER_DF_SET || (policy->df == OUTER_DF_COPY && inner.df),
	};

	return out;
}

#endif
