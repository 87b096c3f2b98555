/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc_in.h: what comes in on a device: outer packets of our tunnels, and packets of known flows. */
#ifndef BPF_TC_IN_H
#define BPF_TC_IN_H

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
	if (!o->tunnel || !(o->tunnel->flags & FAST_DECAP) || o->tunnel->flags & FAST_ISEQ)
		return false;
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
	struct fast_path *path = &o->tunnel->in;

	tunnel_used(o->tunnel, o->now);
	if (o->now >= path->sample_ns && o->len >= FAST_WITNESS_LENGTH)
		witness_start(skb, o->tunnel, o->control, o->now);
	return path->ifindex == skb->ifindex && path_holds(path, o->control, o->now) &&
	       (!o->tunnel->bind_ifindex || o->tunnel->bind_ifindex == skb->ifindex);
}

/* RFC 2784 3.1: what is addressed to the encapsulator must not go back. */
PROTO_INLINE bool is_for_peer(const struct fast_tunnel *t, const uint8_t *dst, unsigned version)
{
	uint8_t family = version == 4 ? IP_V4 : IP_V6;
	unsigned size = version == 4 ? 4 : 16;

	if (t->family == family && kapkt_same(dst, t->remote, size))
		return true;
	if (version == 4)
		return t->flags & FAST_NEAR4 && kapkt_same(dst, t->peer4, 4);
	return t->flags & FAST_NEAR6 && kapkt_same(dst, t->peer6, 16);
}

/* The passenger's own header: whole, consistent, exactly as long as what is there, and not for the
 * peer. ECN and MSS are set right. */
PROTO_INLINE bool check_passenger(struct __sk_buff *skb, const struct outer *o, uint32_t at,
				  uint32_t len, uint16_t type, struct flow_seen *seen)
{
	uint32_t header = read_passenger(skb, at, type, seen);
	uint8_t *ip = skb_start(skb) + at, tos, ecn = 0;
	const uint8_t *end = skb_stop(skb);

	if (header == 0 || seen->len != len || ip + IP4_HEADER_LENGTH > end)
		return false;
	/* Keepalives of every form, and perhaps probes. */
	if (seen->protocol == IP_PROTOCOL_GRE ||
	    (o->tunnel->flags & FAST_ECHO &&
	     (seen->protocol == IP_PROTOCOL_ICMP || seen->protocol == IP_PROTOCOL_ICMPV6)))
		return false;
	if (seen->version == 6 && ip + IP6_HEADER_LENGTH > end)
		return false;
	if (is_for_peer(o->tunnel, ip + (seen->version == 4 ? 16 : 24), seen->version))
		return false;
	tos = seen->version == 4 ? ip[1] : (uint8_t)(get_be16(ip) >> 4);
	if (ecn_decapsulate(tos, o->tos, &ecn) != DROP_NONE)
		return false;
	if (ecn != (tos & ECN_MASK))
		ecn_apply(ip, end, ecn);
	return clamp(skb, at + header, seen, o->tunnel);
}

/* Notes how a packet that no flow is known for comes in, for learn.h. */
PROTO_INLINE void note_entering4(const struct fast_key4 *key, const struct flow_seen *seen,
				 bool stateless)
{
	struct fast_entering e = {.tos = seen->tos, .ttl = seen->ttl, .stateless = stateless};

	bpf_map_update_elem(&entering4, key, &e, BPF_ANY);
}

PROTO_INLINE void note_entering6(const struct fast_key6 *key, const struct flow_seen *seen,
				 bool stateless)
{
	struct fast_entering e = {.tos = seen->tos, .ttl = seen->ttl, .stateless = stateless};

	bpf_map_update_elem(&entering6, key, &e, BPF_ANY);
}

/* Carries the passenger at `at`, behind an outer header of the IP version `outer` (0: there is
 * none), which comes from the device `from`, if its flow is known. */
PROTO_INLINE int flow_in(struct __sk_buff *skb, uint32_t at, unsigned outer, uint32_t from,
			 unsigned version, bool stateless, struct fast_control *c, uint64_t now)
{
	struct carried it = {.at = at, .outer = outer};
	struct fast_flow *flow;
	struct fast_key4 key4;
	struct fast_key6 key6;
	bool holds;

	if (!c->flows || !skb_pull(skb, at + FLOW_HEADERS_MAX))
		return TC_ACT_UNSPEC;
	if (version == 4) {
		if (!flow_read4(skb_start(skb) + at, skb_stop(skb), from, 2, &key4, &it.seen))
			return TC_ACT_UNSPEC;
		flow = bpf_map_lookup_elem(&flows4, &key4);
	} else {
		if (!flow_read6(skb_start(skb) + at, skb_stop(skb), from, 2, &key6, &it.seen))
			return TC_ACT_UNSPEC;
		flow = bpf_map_lookup_elem(&flows6, &key6);
	}
	holds = flow && flow_holds(flow, c, now);
	if (holds)
		return carry(skb, &it, flow, c, now);
	if (version == 4)
		note_entering4(&key4, &it.seen, stateless);
	else
		note_entering6(&key6, &it.seen, stateless);
	return TC_ACT_UNSPEC;
}

/* Gives the passenger to the tunnel's interface as received there. */
PROTO_INLINE int deliver(struct __sk_buff *skb, const struct outer *o, const struct flow_seen *seen)
{
	unsigned outer = o->family == IP_V4 ? 4 : 6;
	bool frame = o->tunnel->flags & FAST_ETHERNET;
	uint8_t inner[FAST_LINK_HEADER];

	if (frame && bpf_skb_load_bytes(skb, o->at, inner, sizeof inner))
		return TC_ACT_UNSPEC;
	if (!strip(skb, o->at - FAST_LINK_HEADER + (frame ? FAST_LINK_HEADER : 0), outer,
		   seen->version))
		return TC_ACT_UNSPEC;
	if (frame && bpf_skb_store_bytes(skb, 0, inner, sizeof inner, 0))
		return lose(o->control);
	skb->mark = 0;
	return (int)bpf_redirect(o->tunnel->ifindex, BPF_F_INGRESS);
}

PROTO_INLINE void count_arrival(const struct outer *o, const struct flow_pieces *pieces)
{
	count_in(o->slot, pieces, o->now, o->gre);
}

PROTO_INLINE int passenger_in(struct __sk_buff *skb, const struct outer *o)
{
	bool frame = o->tunnel->flags & FAST_ETHERNET;
	uint32_t at = o->at + (frame ? FAST_LINK_HEADER : 0), gso = skb->gso_size;
	struct flow_pieces pieces = {1, o->len};
	struct flow_seen seen = {0};
	uint16_t type = o->protocol;
	int verdict = TC_ACT_UNSPEC;

	if (frame &&
	    (o->protocol != GRE_PROTOCOL_TEB || bpf_skb_load_bytes(skb, o->at + 12, &type, 2)))
		return TC_ACT_UNSPEC;
	if (frame)
		type = ETH_BE(type);
	if ((type != GRE_PROTOCOL_IPV4 && type != GRE_PROTOCOL_IPV6) || o->len <= (at - o->at) ||
	    !skb_pull(skb, at + FLOW_HEADERS_MAX) ||
	    !check_passenger(skb, o, at, o->len - (at - o->at), type, &seen))
		return TC_ACT_UNSPEC;
	if (gso) {
		uint32_t l4 = piece_header(skb, at + seen.header, seen.protocol);

		if (l4 == 0)
			return TC_ACT_UNSPEC;
		pieces = flow_pieces(o->len, at - o->at + seen.header + l4, gso);
	}
	if (!frame)
		verdict = flow_in(skb, at, o->family == IP_V4 ? 4 : 6, o->tunnel->ifindex,
				  seen.version, o->tunnel->flags & FAST_STATELESS, o->control,
				  o->now);
	if (verdict == TC_ACT_UNSPEC)
		verdict = deliver(skb, o, &seen);
	if (verdict != TC_ACT_UNSPEC)
		count_arrival(o, &pieces);
	return verdict;
}

/* An outer packet that may be one of ours. */
PROTO_INLINE int outer_in(struct __sk_buff *skb, struct fast_control *c, uint64_t now,
			  uint8_t family)
{
	struct outer o = {.control = c, .now = now, .family = family};

	if (!skb_pull(skb, FAST_LINK_HEADER + ip_outer_length(family) + GRE_LENGTH_MAX +
				   FLOW_HEADERS_MAX) ||
	    !read_outer(skb, &o) || !may_enter(skb, &o))
		return TC_ACT_UNSPEC;
	return passenger_in(skb, &o);
}

PROTO_INLINE int device_in4(struct __sk_buff *skb, struct fast_control *c, uint64_t now)
{
	const uint8_t *ip;

	if (!skb_pull(skb, FAST_LINK_HEADER + IP4_HEADER_LENGTH))
		return TC_ACT_UNSPEC;
	ip = skb_start(skb) + FAST_LINK_HEADER;
	if (ip + IP4_HEADER_LENGTH > skb_stop(skb))
		return TC_ACT_UNSPEC;
	if (ip[9] == IP_PROTOCOL_GRE)
		return outer_in(skb, c, now, IP_V4);
	return flow_in(skb, FAST_LINK_HEADER, 0, skb->ifindex, 4, false, c, now);
}

PROTO_INLINE int device_in6(struct __sk_buff *skb, struct fast_control *c, uint64_t now)
{
	const uint8_t *ip;

	if (!skb_pull(skb, FAST_LINK_HEADER + IP6_HEADER_LENGTH))
		return TC_ACT_UNSPEC;
	ip = skb_start(skb) + FAST_LINK_HEADER;
	if (ip + IP6_HEADER_LENGTH > skb_stop(skb))
		return TC_ACT_UNSPEC;
	if (ip[6] == IP_PROTOCOL_GRE)
		return outer_in(skb, c, now, IP_V6);
	return flow_in(skb, FAST_LINK_HEADER, 0, skb->ifindex, 6, false, c, now);
}

#endif
