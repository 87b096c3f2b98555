/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc_in.h: what comes in on a device: outer packets of our tunnels, and packets of known flows. */
#ifndef BPF_TC_IN_H
#define BPF_TC_IN_H

#include "bpf/ct.h"
#include "bpf/tc_reflect.h"
#include "bpf/tc_send.h"
#include "bpf/tc_witness.h"
#include "proto/ecn.h"
#include "proto/kaquest.h"

/* An outer packet of a tunnel, taken apart as far as its GRE header. */
struct outer {
	struct fast_tunnel *tunnel;
	struct fast_control *control;
	uint64_t now;
	uint32_t slot;
	uint32_t at;  /* offset of the passenger */
	uint32_t len; /* octets of the passenger */
	uint16_t protocol;
	uint8_t tos, family, gre_len;
	uint32_t sequence;
	uint32_t gre; /* first four octets of the GRE header, host order */
};

/* Reads the outer IP header. False: not ours to carry, the kernel knows what is wrong with it. */
PROTO_INLINE bool read_outer_ip(const uint8_t *ip, const uint8_t *end, uint32_t present,
				struct outer *o)
{
	uint32_t len;

	if (ip + IP6_HEADER_LENGTH > end)
		return false;
	if (o->family == IP_V4) {
		o->tos = ip[1];
		len = get_be16(ip + 2);
		if (ip[0] != 0x45 || get_be16(ip + 6) & 0x3fff || ip[9] != IP_PROTOCOL_GRE ||
		    !ip4_checksum_good(ip, end, IP4_HEADER_LENGTH))
			return false;
	} else {
		o->tos = (uint8_t)(get_be16(ip) >> 4);
		len = IP6_HEADER_LENGTH + (uint32_t)get_be16(ip + 4);
		if (ip[0] >> 4 != 6 || ip[6] != IP_PROTOCOL_GRE)
			return false;
	}
	o->len = len - ip_outer_length(o->family);
	return len == present && len > ip_outer_length(o->family);
}

/* Finds the tunnel. False: greteld has to look at it. */
PROTO_INLINE bool read_outer(struct __sk_buff *skb, struct outer *o)
{
	uint32_t ip_len = ip_outer_length(o->family);
	const uint8_t *ip = skb_start(skb) + FAST_LINK_HEADER, *end = skb_stop(skb);
	struct gre_header h;
	uint32_t *slot;

	if (!read_outer_ip(ip, end, skb->len - FAST_LINK_HEADER, o) ||
	    gre_decode(ip + ip_len, end, &h) != DROP_NONE || h.has_checksum)
		return false;
	slot = witness_owner(ip, &h, o->family);
	if (!slot)
		return false;
	o->slot = *slot;
	o->tunnel = bpf_map_lookup_elem(&tunnels, slot);
	if (!o->tunnel || !(o->tunnel->flags & FAST_DECAP) ||
	    (o->tunnel->flags & FAST_ISEQ && (!h.has_sequence || skb->gso_size)))
		return false;
	o->sequence = h.sequence;
	o->gre = get_be32(ip + ip_len);
	o->protocol = h.protocol;
	o->gre_len = h.length;
	o->at = FAST_LINK_HEADER + ip_len + h.length;
	o->len -= h.length;
	return true;
}

/* Whether the kernel's input path is known to accept this tunnel's packets on this device. Looks
 * anew now and then. */
PROTO_INLINE bool may_enter(struct __sk_buff *skb, const struct outer *o)
{
	struct fast_tunnel *t = o->tunnel;

	tunnel_used(t, o->now);
	if (o->now >= t->in.sample_ns && o->len >= FAST_WITNESS_LENGTH)
		witness_start(skb, t, o->control, o->now);
	if (t->in.ifindex == skb->ifindex && path_holds(&t->in, o->control, o->now) &&
	    (!t->bind_ifindex || t->bind_ifindex == skb->ifindex))
		return !(t->flags & FAST_ISEQ) || o->now - t->slow_ns >= FAST_ORDER_NS;
	if (t->flags & FAST_ISEQ)
		t->slow_ns = o->now;
	return false;
}

/* RFC 2784 3.1: what is addressed to the encapsulator must not go back. True as well where the
 * destination is out of reach: each version looks for itself, since Linux 6.1 does not remember
 * which of the two it was when the length was compared. */
PROTO_INLINE bool is_for_peer(const struct fast_tunnel *t, const uint8_t *ip, const uint8_t *end,
			      unsigned version)
{
	if (version == 4)
		return ip + IP4_HEADER_LENGTH > end ||
		       (t->family == IP_V4 && kapkt_same(ip + 16, t->remote, 4)) ||
		       (t->flags & FAST_NEAR4 && kapkt_same(ip + 16, t->peer4, 4));
	return ip + IP6_HEADER_LENGTH > end ||
	       (t->family == IP_V6 && kapkt_same(ip + 24, t->remote, 16)) ||
	       (t->flags & FAST_NEAR6 && kapkt_same(ip + 24, t->peer6, 16));
}

/* Where a device has joined packets whose outer headers had one identification, the kernel gives
 * one to all pieces of what is left, too (seen with Linux 6.18), and a program cannot tell. That
 * does no harm unless they may be fragmented: those are greteld's. */
PROTO_INLINE bool may_share_id(const struct __sk_buff *skb, const uint8_t *ip, const uint8_t *end)
{
	return !skb->gso_size || ip + IP4_HEADER_LENGTH > end || ip[0] >> 4 != 4 || ip[6] & 0x40;
}

/* The passenger's own header: whole, consistent, exactly as long as what is there, and not for the
 * peer. ECN and MSS are set right. */
PROTO_INLINE bool check_passenger(struct __sk_buff *skb, const struct outer *o, uint32_t at,
				  uint32_t len, uint16_t type, struct flow_seen *seen)
{
	uint32_t header = read_passenger(skb, at, type, seen);
	uint8_t *ip = skb_start(skb) + at, tos, ecn = 0;
	const uint8_t *end = skb_stop(skb);

	if (header == 0 || seen->len != len || ip + IP4_HEADER_LENGTH > end ||
	    !may_share_id(skb, ip, end))
		return false;
	/* Keepalives of every form, tunnels in this one and pieces of such packets; and perhaps
	 * probes. */
	if ((seen->version == 4 ? ip[9] : ip[6]) == IP_PROTOCOL_GRE ||
	    (o->tunnel->flags & FAST_ECHO &&
	     (seen->protocol == IP_PROTOCOL_ICMP || seen->protocol == IP_PROTOCOL_ICMPV6)))
		return false;
	if (is_for_peer(o->tunnel, ip, end, seen->version))
		return false;
	tos = seen->version == 4 ? ip[1] : (uint8_t)(get_be16(ip) >> 4);
	if (ecn_decapsulate(tos, o->tos, &ecn) != DROP_NONE)
		return false;
	if (ecn != (tos & ECN_MASK))
		ecn_apply(ip, end, ecn);
	return clamp(skb, at + header, seen, o->tunnel);
}

/* A passenger that may belong to a flow; of one that comes out of a tunnel what its outer header
 * says. */
struct candidate {
	struct fast_control *control;
	uint64_t now;
	uint32_t at;	/* offset of its IP header */
	uint32_t from;	/* index of the device where it comes in */
	uint32_t outer; /* IP version of the outer header; 0: there is none */
	uint32_t len;	/* octets behind the outer header, where there is one */
	uint32_t slot;	/* entry of `tunnels` where it comes in, plus one; 0: a device */
	uint8_t tos;	/* of the outer header */
	bool stateless;
	bool ct; /* the kernel can be asked for connections; a constant of the program */
};

/* Whether what came behind the outer header is the packet alone, and its congestion mark is set
 * right. */
PROTO_INLINE bool settle_outer(const struct __sk_buff *skb, const struct candidate *x,
			       const struct flow_seen *seen, uint8_t *ip, const uint8_t *end)
{
	uint8_t ecn = 0;

	if (seen->len != x->len || !may_share_id(skb, ip, end) ||
	    ecn_decapsulate(seen->tos, x->tos, &ecn) != DROP_NONE)
		return false;
	return ecn == (seen->tos & ECN_MASK) || ecn_apply(ip, end, ecn);
}

/* Carries the packet as the flow says, if what surrounds it is in order. */
PROTO_INLINE int carry_candidate(struct __sk_buff *skb, const struct candidate *x,
				 struct carried *it, const struct fast_action *a)
{
	if (x->outer && !settle_outer(skb, x, &it->seen, skb_start(skb) + x->at, skb_stop(skb)))
		return TC_ACT_UNSPEC;
	return carry(skb, it, a, x->control, x->now);
}

CT_ASK(ask, struct __sk_buff, bpf_skb_ct_lookup)

/* Whether what is known of the flow may be used. */
PROTO_INLINE bool knows4(struct __sk_buff *skb, const struct candidate *x, struct fast_flow *flow,
			 const struct fast_key4 *key, uint8_t protocol)
{
	enum flow_state state = flow_state(flow, x->control, x->now);

	if (state != FLOW_ASK)
		return state == FLOW_HOLDS;
	return flow_asked(
		flow, flow->action.untracked || (x->ct && ask4(skb, key, &flow->action, protocol)),
		x->now);
}

PROTO_INLINE bool knows6(struct __sk_buff *skb, const struct candidate *x, struct fast_flow *flow,
			 const struct fast_key6 *key, uint8_t protocol)
{
	enum flow_state state = flow_state(flow, x->control, x->now);

	if (state != FLOW_ASK)
		return state == FLOW_HOLDS;
	return flow_asked(flow, flow->action.untracked || (x->ct && ask6(skb, key, protocol)),
			  x->now);
}

PROTO_INLINE void note4(const struct candidate *x, const struct fast_key4 *key,
			const struct flow_seen *seen)
{
	struct fast_entering e = {.tos = seen->tos, .ttl = seen->ttl, .stateless = x->stateless};

	bpf_map_update_elem(&entering4, key, &e, BPF_ANY);
}

PROTO_INLINE void note6(const struct candidate *x, const struct fast_key6 *key,
			const struct flow_seen *seen)
{
	struct fast_entering e = {.tos = seen->tos, .ttl = seen->ttl, .stateless = x->stateless};

	bpf_map_update_elem(&entering6, key, &e, BPF_ANY);
}

/* Writes down how the packet comes in, and does no more: the one that renews what is known of its
 * flow would be carried if the flow was asked again. */
PROTO_INLINE void note_in(struct __sk_buff *skb, const struct candidate *x, unsigned version)
{
	const uint8_t *p = skb_start(skb) + x->at, *end = skb_stop(skb);
	struct flow_seen seen;
	struct fast_key4 key4;
	struct fast_key6 key6;

	if (version == 4) {
		if (flow_read4(p, end, x->from, 2, &key4, &seen))
			note4(x, &key4, &seen);
	} else if (flow_read6(p, end, x->from, 2, &key6, &seen)) {
		note6(x, &key6, &seen);
	}
}

/* Carries the packet if its flow is known. Else `note`: how it comes in is written down. */
PROTO_INLINE int flow_in4(struct __sk_buff *skb, const struct candidate *x, struct carried *it,
			  bool note)
{
	struct fast_flow *flow;
	struct fast_key4 key;
	struct fast_hot *h;
	int verdict;

	it->at = x->at;
	it->outer = x->outer;
	if (!flow_read4(skb_start(skb) + x->at, skb_stop(skb), x->from, 2, &key, &it->seen))
		return TC_ACT_UNSPEC;
	h = hot_get(&key);
	if (h && hot_holds(h, &key, x->control, x->now)) {
		verdict = carry_candidate(skb, x, it, &h->action);
		if (verdict != TC_ACT_UNSPEC) {
			h->packets += it->pieces.count;
			h->octets += it->pieces.octets;
		}
		return verdict;
	}
	flow = bpf_map_lookup_elem(&flows4, &key);
	if (flow && knows4(skb, x, flow, &key, it->seen.protocol)) {
		if (h)
			hot_fill(h, &key, flow, x->slot, x->control, x->now);
		verdict = carry_candidate(skb, x, it, &flow->action);
		if (verdict != TC_ACT_UNSPEC) {
			flow->packets += it->pieces.count;
			flow->octets += it->pieces.octets;
		}
		return verdict;
	}
	if (note)
		note4(x, &key, &it->seen);
	return TC_ACT_UNSPEC;
}

PROTO_INLINE int flow_in6(struct __sk_buff *skb, const struct candidate *x, struct carried *it,
			  bool note)
{
	struct fast_flow *flow;
	struct fast_key6 key;
	int verdict;

	it->at = x->at;
	it->outer = x->outer;
	if (!flow_read6(skb_start(skb) + x->at, skb_stop(skb), x->from, 2, &key, &it->seen))
		return TC_ACT_UNSPEC;
	flow = bpf_map_lookup_elem(&flows6, &key);
	if (flow && knows6(skb, x, flow, &key, it->seen.protocol)) {
		verdict = carry_candidate(skb, x, it, &flow->action);
		if (verdict != TC_ACT_UNSPEC) {
			flow->packets += it->pieces.count;
			flow->octets += it->pieces.octets;
		}
		return verdict;
	}
	if (note)
		note6(x, &key, &it->seen);
	return TC_ACT_UNSPEC;
}

/* Gives the passenger to the tunnel's interface as received there. */
PROTO_INLINE int deliver(struct __sk_buff *skb, const struct outer *o, const struct flow_seen *seen)
{
	unsigned outer = o->family == IP_V4 ? 4 : 6;
	bool frame = o->tunnel->flags & FAST_ETHERNET, numbered = o->tunnel->flags & FAST_ISEQ;
	uint8_t inner[FAST_LINK_HEADER];

	if (!decap_flags && outer != seen->version)
		return TC_ACT_UNSPEC;
	/* Only now, when nothing keeps the packet from being delivered; old numbers are greteld's.
	 */
	if (numbered && !seq_advance(&o->tunnel->seq, o->sequence, o->now))
		return TC_ACT_UNSPEC;
	if (frame && bpf_skb_load_bytes(skb, o->at, inner, sizeof inner))
		return TC_ACT_UNSPEC;
	if (!strip(skb, o->at - FAST_LINK_HEADER + (frame ? FAST_LINK_HEADER : 0), outer,
		   seen->version))
		return numbered ? lose(o->control) : TC_ACT_UNSPEC;
	if (frame && bpf_skb_store_bytes(skb, 0, inner, sizeof inner, 0))
		return lose(o->control);
	skb->mark = 0;
	return (int)bpf_redirect(o->tunnel->ifindex, BPF_F_INGRESS);
}

/* What a super-packet stands for, behind `before` octets of its frame; false: no such kind is
 * known. */
PROTO_INLINE bool read_pieces(struct __sk_buff *skb, const struct outer *o, uint32_t before,
			      const struct flow_seen *seen, struct flow_pieces *pieces)
{
	uint32_t gso = skb->gso_size, l4;

	*pieces = (struct flow_pieces){1, o->len};
	if (!gso)
		return true;
	l4 = piece_header(skb, o->at + before + seen->header, seen->protocol);
	*pieces = flow_pieces(o->len, before + seen->header + l4, gso);
	return l4 != 0;
}

/* A passenger whose flow is not known: is given to the tunnel's interface, and how it comes in is
 * written down. */
PROTO_INLINE int packet_in(struct __sk_buff *skb, const struct outer *o, const struct candidate *x)
{
	struct flow_pieces pieces;
	struct flow_seen seen = {0};
	int verdict;

	if ((o->protocol != GRE_PROTOCOL_IPV4 && o->protocol != GRE_PROTOCOL_IPV6) ||
	    !check_passenger(skb, o, o->at, o->len, o->protocol, &seen) ||
	    !read_pieces(skb, o, 0, &seen, &pieces))
		return TC_ACT_UNSPEC;
	if (o->control->flows && skb_pull(skb, o->at + FLOW_HEADERS_MAX))
		note_in(skb, x, seen.version);
	verdict = deliver(skb, o, &seen);
	if (verdict != TC_ACT_UNSPEC)
		count_in(o->slot, &pieces, o->now, o->gre);
	return verdict;
}

/* An Ethernet frame as passenger; those that hold no IP are greteld's. */
PROTO_INLINE int frame_in(struct __sk_buff *skb, const struct outer *o)
{
	struct flow_pieces pieces;
	struct flow_seen seen = {0};
	uint16_t type = 0;
	int verdict;

	if (o->protocol != GRE_PROTOCOL_TEB || o->len <= FAST_LINK_HEADER ||
	    bpf_skb_load_bytes(skb, o->at + 12, &type, sizeof type))
		return TC_ACT_UNSPEC;
	type = ETH_BE(type);
	if ((type != GRE_PROTOCOL_IPV4 && type != GRE_PROTOCOL_IPV6) ||
	    !skb_pull(skb, o->at + FAST_LINK_HEADER + FLOW_HEADERS_MAX) ||
	    !check_passenger(skb, o, o->at + FAST_LINK_HEADER, o->len - FAST_LINK_HEADER, type,
			     &seen) ||
	    !read_pieces(skb, o, FAST_LINK_HEADER, &seen, &pieces))
		return TC_ACT_UNSPEC;
	verdict = deliver(skb, o, &seen);
	if (verdict != TC_ACT_UNSPEC)
		count_in(o->slot, &pieces, o->now, o->gre);
	return verdict;
}

/* An outer packet that may be one of ours. */
PROTO_INLINE int outer_in(struct __sk_buff *skb, struct fast_control *c, uint64_t now,
			  uint8_t family, bool ct)
{
	struct outer o = {.control = c, .now = now, .family = family};
	struct candidate x = {.control = c, .now = now, .outer = family == IP_V4 ? 4 : 6, .ct = ct};
	struct carried it = {.at = 0};
	int verdict = TC_ACT_UNSPEC;

	if (!skb_pull(skb, FAST_LINK_HEADER + ip_outer_length(family) + GRE_LENGTH_MAX +
				   FLOW_HEADERS_MAX) ||
	    !read_outer(skb, &o) || !may_enter(skb, &o))
		return TC_ACT_UNSPEC;
	if (o.tunnel->flags & FAST_ETHERNET)
		return frame_in(skb, &o);
	x.at = o.at;
	x.from = o.tunnel->ifindex;
	x.slot = o.slot + 1;
	x.len = o.len;
	x.tos = o.tos;
	x.stateless = o.tunnel->flags & FAST_STATELESS;
	if (!skb_pull(skb, o.at + FLOW_HEADERS_MAX))
		return TC_ACT_UNSPEC;
	if (!c->flows || o.tunnel->flags & FAST_ISEQ)
		verdict = TC_ACT_UNSPEC; /* greteld or the kernel first */
	else if (o.protocol == GRE_PROTOCOL_IPV4)
		verdict = flow_in4(skb, &x, &it, false);
	else if (o.protocol == GRE_PROTOCOL_IPV6)
		verdict = flow_in6(skb, &x, &it, false);
	if (verdict == TC_ACT_UNSPEC && o.len <= KAPKT_LENGTH_MAX &&
	    now - c->beat_ns > FAST_ALONE_NS)
		verdict = reflect(skb, o.tunnel, o.slot, o.at, o.len, c, now);
	else if (verdict != TC_ACT_UNSPEC)
		count_in(o.slot, &it.pieces, now, o.gre);
	if (verdict == TC_ACT_UNSPEC)
		return packet_in(skb, &o, &x);
	return verdict;
}

PROTO_INLINE int lan_in(struct __sk_buff *skb, struct fast_control *c, uint64_t now,
			unsigned version, bool ct)
{
	struct candidate x = {
		.control = c, .now = now, .at = FAST_LINK_HEADER, .from = skb->ifindex, .ct = ct};
	struct carried it = {.at = 0};

	if (!c->flows || !skb_pull(skb, FAST_LINK_HEADER + FLOW_HEADERS_MAX))
		return TC_ACT_UNSPEC;
	return version == 4 ? flow_in4(skb, &x, &it, true) : flow_in6(skb, &x, &it, true);
}

PROTO_INLINE int device_in_ip(struct __sk_buff *skb, uint8_t family, bool ct)
{
	uint32_t length = ip_outer_length(family), at = family == IP_V4 ? 9 : 6;
	struct fast_control *c = control_get();
	const uint8_t *ip;
	uint64_t now;

	if (!c || !skb_pull(skb, FAST_LINK_HEADER + length))
		return TC_ACT_UNSPEC;
	now = clock_ns(c);
	ip = skb_start(skb) + FAST_LINK_HEADER;
	if (ip + length > skb_stop(skb))
		return TC_ACT_UNSPEC;
	return ip[at] == IP_PROTOCOL_GRE ? outer_in(skb, c, now, family, ct)
					 : lan_in(skb, c, now, family == IP_V4 ? 4 : 6, ct);
}

#endif
