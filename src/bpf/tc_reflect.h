/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc_reflect.h: keepalives of the peer go back when greteld does not run (proto/kapkt.h tells what
 * they are). Here only the plain form, a GRE packet of type 0 from our end of the tunnel to
 * the peer's, with the key that the peer expects and next to nothing behind; greteld knows the
 * others.
 */
#ifndef BPF_TC_REFLECT_H
#define BPF_TC_REFLECT_H

#include "bpf/tc_send.h"
#include "proto/kaquest.h"

/* The GRE header at p, `rest` octets with what follows, is one that nobody but its asker wants. */
PROTO_INLINE bool is_blank(const uint8_t *p, const uint8_t *end, uint32_t rest, uint8_t family,
			   const struct fast_tunnel *t)
{
	bool key = t->flags & FAST_OKEY;
	uint32_t header = key ? 8 : 4;
	uint16_t type;

	if (p + 8 > end || rest < header || rest > header + KAPKT_BODY_MAX ||
	    get_be16(p) != (key ? GRE_FLAG_KEY : 0) || (key && get_be32(p + 4) != t->okey))
		return false;
	type = get_be16(p + 2);
	return type == GRE_PROTOCOL_KEEPALIVE ||
	       (family == IP_V6 && type == GRE_PROTOCOL_IPV6 && rest == header);
}

/* Whether the passenger at p, of `len` octets, is a question that goes back over the underlay. */
PROTO_INLINE bool is_question(const uint8_t *p, const uint8_t *end, uint32_t len,
			      const struct fast_tunnel *t)
{
	if (t->family == IP_V4) {
		if (p + IP4_HEADER_LENGTH > end || p[0] != 0x45 || p[8] < 2 ||
		    p[9] != IP_PROTOCOL_GRE || get_be16(p + 6) & 0x3fff || get_be16(p + 2) != len ||
		    !ip4_plain_checksum_good(p) || get_be32(p + 12) != get_be32(t->local) ||
		    get_be32(p + 16) != get_be32(t->remote))
			return false;
		return is_blank(p + IP4_HEADER_LENGTH, end, len - IP4_HEADER_LENGTH, IP_V4, t);
	}
	if (p + IP6_HEADER_LENGTH > end || p[0] >> 4 != 6 || p[7] < 2 || p[6] != IP_PROTOCOL_GRE ||
	    IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4) != len ||
	    !kapkt_same(p + 8, t->local, 16) || !kapkt_same(p + 24, t->remote, 16))
		return false;
	return is_blank(p + IP6_HEADER_LENGTH, end, len - IP6_HEADER_LENGTH, IP_V6, t);
}

/* A hundred in a second; greteld counts those beyond. */
PROTO_INLINE bool may_reflect(struct fast_tunnel *t, uint64_t now)
{
	if (now - t->reflect_ns >= 1000000000ull) {
		t->reflect_ns = now;
		t->reflected = 0;
	}
	return t->reflected++ < FAST_REFLECT_MAX;
}

/* Sends the passenger at `at` back if it is a question. */
PROTO_INLINE int reflect(struct __sk_buff *skb, struct fast_tunnel *t, uint32_t slot, uint32_t at,
			 uint32_t len, struct fast_control *c, uint64_t now)
{
	struct fast_counters *counted = bpf_map_lookup_elem(&counters, &slot);
	unsigned version = t->family == IP_V4 ? 4 : 6;
	uint8_t *p;

	if (!counted || !path_holds(&t->out, c, now) ||
	    !skb_pull(skb, at + IP6_HEADER_LENGTH + GRE_LENGTH_MAX) ||
	    !is_question(skb_start(skb) + at, skb_stop(skb), len, t) || !may_reflect(t, now) ||
	    !strip(skb, at - FAST_LINK_HEADER, version, version))
		return TC_ACT_UNSPEC;
	p = skb_start(skb);
	if (p + FAST_LINK_HEADER + IP4_HEADER_LENGTH > skb_stop(skb))
		return lose(c);
	put_link(p, t->out.header);
	kapkt_turn(p + FAST_LINK_HEADER, t->family);
	counted->reflected++;
	skb->mark = t->fwmark;
	skb->tc_index = FAST_SENT_INDEX;
	return (int)bpf_redirect(t->out.ifindex, 0);
}

#endif
