/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc_send.h: what the TC programs do with a packet that they carry: put an outer header in front,
 * take one away, change what forwarding changes, and send it on. A packet is an skb here, perhaps a
 * super-packet, perhaps with a checksum left to the device; the kernel's helpers know about both.
 *
 * Every function that returns a verdict returns TC_ACT_UNSPEC when the packet is left as it was.
 */
#ifndef BPF_TC_SEND_H
#define BPF_TC_SEND_H

#include <linux/pkt_cls.h>

#include "bpf/flow.h"

/* Debian 12's headers are older than these (Linux 6.4). */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ull << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ull << 8)

#define ETH_BE(protocol) __builtin_bswap16((uint16_t)(protocol))

/* Whether this kernel knows them; set by the loader. */
const volatile bool decap_flags = false;

PROTO_INLINE uint8_t *skb_start(const struct __sk_buff *skb)
{
	return (uint8_t *)(uintptr_t)skb->data;
}

PROTO_INLINE const uint8_t *skb_stop(const struct __sk_buff *skb)
{
	return (const uint8_t *)(uintptr_t)skb->data_end;
}

/* Makes the first octets of the packet readable, as many as there are up to `len`. */
PROTO_INLINE bool skb_pull(struct __sk_buff *skb, uint32_t len)
{
	if (len > skb->len)
		len = skb->len;
	if (skb_start(skb) + len <= skb_stop(skb))
		return true;
	return bpf_skb_pull_data(skb, len) == 0;
}

/* Offset of the transport header and its protocol, of a passenger that encapsulation may look into.
 * 0: greteld has to. */
PROTO_INLINE uint32_t read_passenger(struct __sk_buff *skb, uint32_t at, uint16_t protocol,
				     struct flow_seen *seen)
{
	const uint8_t *p = skb_start(skb) + at;
	const uint8_t *end = skb_stop(skb);

	if (p + IP4_HEADER_LENGTH > end)
		return 0;
	if (protocol == GRE_PROTOCOL_IPV4) {
		seen->header = (uint8_t)((p[0] & 0x0f) * 4);
		seen->len = get_be16(p + 2);
		seen->protocol = p[9];
		if (p[0] >> 4 != 4 || seen->header < IP4_HEADER_LENGTH || seen->header > seen->len)
			return 0;
		seen->version = 4;
		/* The middle of a packet has no transport header. */
		if (get_be16(p + 6) & 0x1fff)
			seen->protocol = IP_PROTOCOL_NONE;
		return seen->header;
	}
	if (p + IP6_HEADER_LENGTH > end || p[0] >> 4 != 6)
		return 0;
	seen->version = 6;
	seen->header = IP6_HEADER_LENGTH;
	seen->protocol = p[6];
	seen->len = IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4);
	return ip6_extension_length(seen->protocol, 0) ? 0 : seen->header;
}

/* Transport header of the pieces of a super-packet; 0: no such kind is known. */
PROTO_INLINE uint32_t piece_header(struct __sk_buff *skb, uint32_t l4, uint8_t protocol)
{
	uint8_t offset;

	if (protocol == IP_PROTOCOL_UDP)
		return UDP_HEADER_LENGTH;
	if (protocol != IP_PROTOCOL_TCP || bpf_skb_load_bytes(skb, l4 + 12, &offset, 1))
		return 0;
	return (uint32_t)(offset >> 4) * 4;
}

/* Lowers the MSS of the TCP header at l4, `available` octets of the packet, if it is a SYN. The
 * checksum may be one that the device is to complete, which the helper knows. 0: greteld has to
 * look at it. A function of its own, not inlined: so the verifier goes through its loop once. */
__attribute__((noinline)) int clamp_tcp(struct __sk_buff *skb, uint32_t l4, uint32_t available,
					uint32_t mss)
{
	const uint8_t *tcp, *end;
	uint32_t at, header;
	uint16_t from, to;

	if (l4 > 128 || !skb_pull(skb, l4 + TCP_HEADER_LENGTH + TCP_OPTIONS_MAX))
		return 0;
	tcp = skb_start(skb) + l4;
	end = skb_stop(skb);
	if (tcp + TCP_HEADER_LENGTH > end || !(tcp[13] & TCP_FLAG_SYN))
		return 1;
	header = (uint32_t)(tcp[12] >> 4) * 4;
	at = header > available ? 0 : mss_find(tcp, end, header);
	if (at == 0 || at > TCP_HEADER_LENGTH + TCP_OPTIONS_MAX || tcp + at + 4 > end)
		return 1;
	from = *(const uint16_t *)(tcp + at + 2);
	to = ETH_BE(mss);
	if (ETH_BE(from) <= mss)
		return 1;
	if (at & 1) /* the value lies across two words of the sum, as the device sees them, too */
		return 0;
	return bpf_l4_csum_replace(skb, l4 + 16, from, to, 2) == 0 &&
	       bpf_skb_store_bytes(skb, l4 + at + 2, &to, 2, 0) == 0;
}

/* The same for any passenger. The packet's data has to be looked up anew. */
PROTO_INLINE bool clamp(struct __sk_buff *skb, uint32_t l4, const struct flow_seen *seen,
			const struct fast_tunnel *t)
{
	uint16_t mss = seen->version == 4 ? t->mss4 : t->mss6;

	return seen->protocol != IP_PROTOCOL_TCP || mss == 0 ||
	       clamp_tcp(skb, l4, seen->len - seen->header, mss);
}

PROTO_INLINE void count_out(uint32_t slot, const struct flow_pieces *pieces)
{
	struct fast_counters *c = bpf_map_lookup_elem(&counters, &slot);

	if (!c)
		return;
	c->tx_packets += pieces->count;
	c->tx_octets += pieces->octets;
}

PROTO_INLINE void count_in(uint32_t slot, const struct flow_pieces *pieces, uint64_t now,
			   uint32_t gre)
{
	struct fast_counters *c = bpf_map_lookup_elem(&counters, &slot);

	if (!c)
		return;
	c->rx_packets += pieces->count;
	c->rx_octets += pieces->octets;
	c->last_rx_ns = now;
	c->last_rx_gre = gre;
}

/* A packet that had been begun to be changed when memory ran out. */
PROTO_INLINE int lose(struct fast_control *c)
{
	__sync_fetch_and_add(&c->lost, 1);
	return TC_ACT_SHOT;
}

/* A passenger on its way into a tunnel. */
struct encap {
	struct fast_tunnel *tunnel;
	struct fast_control *control;
	uint32_t slot;
	uint32_t len;	   /* octets of the passenger */
	uint16_t protocol; /* GRE protocol type */
	bool has_link; /* the packet begins with an Ethernet header, which is not the passenger's */
	bool frame;    /* it does, and that is the passenger's */
	struct outer_fields outer;
	struct flow_pieces pieces;
};

PROTO_INLINE void put_link(uint8_t *p, const uint8_t header[FAST_LINK_HEADER])
{
	__builtin_memcpy(p, header, FAST_LINK_HEADER);
}

PROTO_INLINE void put_outer(const struct encap *e, uint8_t *ip, uint8_t family)
{
	const struct fast_tunnel *t = e->tunnel;
	struct gre_header gre = {
		.protocol = e->protocol, .has_key = t->flags & FAST_OKEY, .key = t->okey};
	struct ip_outer outer = {.family = family,
				 .protocol = IP_PROTOCOL_GRE,
				 .tos = e->outer.tos,
				 .ttl = e->outer.ttl,
				 .df = e->outer.df,
				 .payload_len = t->gre_len + e->len,
				 .src = t->local,
				 .dst = t->remote};

	if (family == IP_V4)
		outer.id = next_id(e->control, e->tunnel, e->outer.df);
	ip_outer_encode(ip, &outer);
	gre_encode(ip + ip_outer_length(family), &gre);
}

PROTO_INLINE int encap_family(struct __sk_buff *skb, const struct encap *e, uint8_t family)
{
	uint32_t outer = ip_outer_length(family) + e->tunnel->gre_len;
	uint64_t flags =
		BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L4_GRE |
		(family == IP_V4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
	uint8_t inner[FAST_LINK_HEADER] = {0}, *p;

	if (e->frame) {
		if (bpf_skb_load_bytes(skb, 0, inner, sizeof inner))
			return TC_ACT_UNSPEC;
		flags |= BPF_F_ADJ_ROOM_ENCAP_L2(FAST_LINK_HEADER) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
		outer += FAST_LINK_HEADER;
	}
	if (bpf_skb_adjust_room(skb, (int32_t)outer, BPF_ADJ_ROOM_MAC, flags))
		return TC_ACT_UNSPEC;
	if (!e->has_link && !e->frame && bpf_skb_change_head(skb, FAST_LINK_HEADER, 0))
		return lose(e->control);
	p = skb_start(skb);
	if (p + FAST_LINK_HEADER + ip_outer_length(family) + GRE_LENGTH_MAX > skb_stop(skb))
		return lose(e->control);
	put_link(p, e->tunnel->out.header);
	put_outer(e, p + FAST_LINK_HEADER, family);
	if (e->frame)
		bpf_skb_store_bytes(skb, outer, inner, sizeof inner, 0);
	count_out(e->slot, &e->pieces);
	skb->mark = e->tunnel->fwmark;
	skb->tc_index = FAST_SENT_INDEX;
	return (int)bpf_redirect(e->tunnel->out.ifindex, 0);
}

/* Sends the passenger into the tunnel. It fits, and tunnel->out holds. */
PROTO_INLINE int encap(struct __sk_buff *skb, const struct encap *e)
{
	return e->tunnel->family == IP_V4 ? encap_family(skb, e, IP_V4)
					  : encap_family(skb, e, IP_V6);
}

/* Takes `len` octets away behind the Ethernet header; `outer` and `inner` are IP versions. */
PROTO_INLINE bool strip(struct __sk_buff *skb, uint32_t len, unsigned outer, unsigned inner)
{
	uint64_t flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	if (decap_flags)
		flags |= inner == 4 ? ADJ_ROOM_DECAP_L3_IPV4 : ADJ_ROOM_DECAP_L3_IPV6;
	else if (outer != inner)
		return false;
	return bpf_skb_adjust_room(skb, -(int32_t)len, BPF_ADJ_ROOM_MAC, flags) == 0;
}

/* What a router changes in the IPv4 packet at `at`. */
PROTO_INLINE bool route4(struct __sk_buff *skb, uint32_t at, const struct flow_seen *seen,
			 const struct fast_action *a)
{
	uint64_t udp = seen->protocol == IP_PROTOCOL_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	uint32_t l4 = at + IP4_HEADER_LENGTH, sum = l4 + (udp ? 6 : 16);
	uint8_t *p = skb_start(skb) + at;
	uint32_t check;

	if (p + IP4_HEADER_LENGTH + UDP_HEADER_LENGTH > skb_stop(skb))
		return false;
	check = (uint32_t)(uint16_t) ~*(uint16_t *)(p + 10) + 0xfffe; /* one hop less */
	p[8]--;
	if (a->nat) {
		check += (a->addr_diff & 0xffff) + (a->addr_diff >> 16);
		copy4(p + 12, a->src);
		copy4(p + 16, a->dst);
		copy4(p + IP4_HEADER_LENGTH, a->ports);
	}
	check = (check & 0xffff) + (check >> 16);
	*(uint16_t *)(p + 10) = (uint16_t) ~(check + (check >> 16));
	if (!a->nat)
		return true;
	return bpf_l4_csum_replace(skb, sum, 0, a->addr_diff, BPF_F_PSEUDO_HDR | udp) == 0 &&
	       bpf_l4_csum_replace(skb, sum, 0, a->port_diff, udp) == 0;
}

PROTO_INLINE bool route6(struct __sk_buff *skb, uint32_t at)
{
	uint8_t *p = skb_start(skb) + at;

	if (p + IP6_HEADER_LENGTH > skb_stop(skb))
		return false;
	p[7]--;
	return true;
}

PROTO_INLINE bool route(struct __sk_buff *skb, uint32_t at, const struct flow_seen *seen,
			const struct fast_action *a)
{
	return seen->version == 4 ? route4(skb, at, seen, a) : route6(skb, at);
}

/* A passenger at hand, and what comes before it: nothing but its Ethernet header, or an outer
 * packet that we receive. */
struct carried {
	struct flow_seen seen;
	uint32_t at;		   /* offset of the passenger's IP header */
	uint32_t outer;		   /* IP version of the outer header; 0: there is none */
	struct flow_pieces pieces; /* set by carry(): what it has carried */
};

/* The longest packet that a super-packet stands for. */
PROTO_INLINE uint32_t longest(const struct flow_seen *seen, const struct flow_pieces *pieces,
			      uint32_t gso_size)
{
	return pieces->count > 1 ? (uint32_t)seen->header + seen->l4_header + gso_size : seen->len;
}

/* Where a flow's packet is to go. False where it may not go there now. */
PROTO_INLINE bool aim(struct __sk_buff *skb, const struct flow_seen *seen,
		      const struct fast_action *a, uint64_t now, struct encap *e)
{
	uint32_t size = longest(seen, &e->pieces, skb->gso_size);

	e->slot = a->tunnel;
	if (e->slot-- == 0)
		return size <= a->mtu;
	e->tunnel = bpf_map_lookup_elem(&tunnels, &e->slot);
	if (!e->tunnel || !(e->tunnel->flags & FAST_ENCAP) || size > e->tunnel->room)
		return false;
	tunnel_used(e->tunnel, now);
	return path_holds(&e->tunnel->out, e->control, now);
}

/* Octets behind the IP packet are padding of the link. */
PROTO_INLINE bool trim(struct __sk_buff *skb, uint32_t end)
{
	if (skb->len == end)
		return true;
	return skb->len > end && !skb->gso_size && bpf_skb_change_tail(skb, end, 0) == 0;
}

/* Does with the packet what the kernel has done with others of this flow. Not inlined, so that the
 * verifier goes through it once; it may ask for what cannot be. */
__attribute__((noinline)) int carry(struct __sk_buff *skb, struct carried *it,
				    const struct fast_action *a, struct fast_control *c,
				    uint64_t now)
{
	struct encap e = {.control = c, .has_link = true};
	const struct flow_seen *seen;
	uint32_t at;
	uint8_t *p;

	if (!it || !a || !c)
		return TC_ACT_UNSPEC;
	at = it->at & 0x7f; /* as long as headers get */
	seen = &it->seen;
	e.len = seen->len;
	e.pieces = flow_pieces(seen->len, (uint32_t)seen->header + seen->l4_header, skb->gso_size);
	e.protocol = seen->version == 4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
	if ((it->outer && !decap_flags && it->outer != seen->version) ||
	    !aim(skb, seen, a, now, &e) || !trim(skb, at + seen->len))
		return TC_ACT_UNSPEC;
	it->pieces = e.pieces;
	if (!route(skb, at, seen, a) ||
	    (it->outer && !strip(skb, at - FAST_LINK_HEADER, it->outer, seen->version)))
		return lose(c);
	p = skb_start(skb);
	if (p + FAST_LINK_HEADER + IP4_HEADER_LENGTH > skb_stop(skb))
		return lose(c);
	if (!e.tunnel) {
		put_link(p, a->link);
		skb->mark = a->mark;
		skb->tc_index = FAST_SENT_INDEX;
		return (int)bpf_redirect(a->ifindex, 0);
	}
	e.outer = outer_fields(&e.tunnel->policy, e.protocol, p + FAST_LINK_HEADER, skb_stop(skb));
	return encap(skb, &e);
}

#endif
