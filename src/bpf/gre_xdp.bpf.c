/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gre_xdp.bpf.c: the XDP lane: packets of known flows, from the LAN into a tunnel and out of a
 * tunnel to the LAN, before the kernel has made an skb of them. One look-up finds the flow, which
 * the TC lane has learned; headers are rewritten where they lie, and the packet is handed to the
 * device where it leaves. Everything else, and each packet that renews what is known, goes on as it
 * came, and meets the TC lane next.
 *
 * Frames of several buffers have only their beginning in reach and go on, too, as do those with a
 * VLAN tag.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/flow.h"
#include "proto/ecn.h"

const char program_license[] SEC("license") = "GPL";

#define ETH_BE(protocol) __builtin_bswap16((uint16_t)(protocol))

/* A frame at hand. */
struct frame {
	uint8_t *start; /* as it came in */
	const uint8_t *end;
	struct fast_control *control;
	uint64_t now;
	uint32_t at;		  /* offset of the passenger's IP header */
	struct fast_tunnel *into; /* the tunnel that it is to enter; NULL: it leaves by a link */
	uint32_t into_slot, port;
};

/* Whether the frame is addressed to this device. */
PROTO_INLINE bool is_ours(const uint8_t *frame, const uint8_t mac[6])
{
	return *(const uint32_t *)frame == *(const uint32_t *)mac &&
	       *(const uint16_t *)(frame + 4) == *(const uint16_t *)(mac + 4);
}

/* Where a flow's packet is to go. False where it may not go there now, or not from here. */
PROTO_INLINE bool aim(struct frame *f, const struct fast_action *a, uint32_t len)
{
	uint32_t flags = FAST_ENCAP | FAST_XDP;

	f->into_slot = a->tunnel;
	f->port = a->slot;
	if (f->into_slot-- == 0)
		return f->port && len <= a->mtu;
	f->into = bpf_map_lookup_elem(&tunnels, &f->into_slot);
	if (!f->into || (f->into->flags & flags) != flags || len > f->into->room)
		return false;
	tunnel_used(f->into, f->now);
	f->port = f->into->out.slot;
	return f->port && path_holds(&f->into->out, f->control, f->now);
}

/* What a router changes in the IPv4 packet at p, whose TCP or UDP checksum is at `sum`. */
PROTO_INLINE void route4(uint8_t *p, uint8_t *sum, bool udp, const struct fast_action *a)
{
	uint32_t check = (uint32_t)(uint16_t) ~*(uint16_t *)(p + 10) + 0xfffe; /* one hop less */

	p[8]--;
	if (a->nat)
		check += (a->addr_diff & 0xffff) + (a->addr_diff >> 16);
	check = (check & 0xffff) + (check >> 16);
	*(uint16_t *)(p + 10) = (uint16_t) ~(check + (check >> 16));
	if (!a->nat)
		return;
	copy4(p + 12, a->src);
	copy4(p + 16, a->dst);
	copy4(p + IP4_HEADER_LENGTH, a->ports);
	if (udp && *(uint16_t *)sum == 0)
		return;
	*(uint16_t *)sum = csum_fold((uint64_t)(uint16_t) ~*(uint16_t *)sum + a->addr_diff +
				     (uint64_t)a->port_diff);
	if (udp && *(uint16_t *)sum == 0)
		*(uint16_t *)sum = 0xffff;
}

PROTO_INLINE void put_outer(const struct frame *f, uint8_t *ip, const uint8_t *inner,
			    const uint8_t *end, uint8_t family, const struct flow_seen *seen)
{
	struct fast_tunnel *t = f->into;
	struct gre_header gre = {.has_key = t->flags & FAST_OKEY,
				 .has_sequence = t->flags & FAST_OSEQ,
				 .key = t->okey};
	struct ip_outer outer = {.family = family,
				 .protocol = IP_PROTOCOL_GRE,
				 .payload_len = t->gre_len + seen->len,
				 .src = t->local,
				 .dst = t->remote};
	struct outer_fields fields;

	gre.protocol = seen->version == 4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
	fields = outer_fields(&t->policy, gre.protocol, inner, end);
	outer.tos = fields.tos;
	outer.ttl = fields.ttl;
	outer.df = fields.df;
	if (family == IP_V4)
		outer.id = (uint16_t)(fields.df ? bpf_get_prandom_u32()
						: __sync_fetch_and_add(&f->control->ip_id, 1));
	if (t->flags & FAST_OSEQ)
		gre.sequence = seq_send(&t->seq_next);
	ip_outer_encode(ip, &outer);
	gre_encode(ip + ip_outer_length(family), &gre);
}

PROTO_INLINE void count_tunnel(const struct frame *f, uint32_t octets)
{
	struct fast_counters *c = bpf_map_lookup_elem(&counters, &f->into_slot);

	if (!c)
		return;
	c->tx_packets++;
	c->tx_octets += octets;
}

/* Puts Ethernet, outer IP and GRE headers at the beginning of the frame; the passenger is at
 * `inner`. */
PROTO_INLINE bool put_headers(const struct frame *f, uint8_t *p, const uint8_t *inner,
			      const uint8_t *end, const struct flow_seen *seen,
			      const struct fast_action *a)
{
	uint8_t *ip = p + FAST_LINK_HEADER;

	if (ip > end)
		return false;
	__builtin_memcpy(p, f->into ? f->into->out.header : a->link, FAST_LINK_HEADER);
	if (!f->into)
		return true;
	if (f->into->family == IP_V4) {
		if (ip + IP4_HEADER_LENGTH + GRE_LENGTH_MAX > end)
			return false;
		put_outer(f, ip, inner, end, IP_V4, seen);
	} else {
		if (ip + IP6_HEADER_LENGTH + GRE_LENGTH_MAX > end)
			return false;
		put_outer(f, ip, inner, end, IP_V6, seen);
	}
	count_tunnel(f, seen->len);
	return true;
}

/* The frame now begins `add` octets, and an Ethernet header, before the passenger. */
PROTO_INLINE bool rewrite(struct xdp_md *ctx, const struct frame *f, uint32_t add,
			  const struct flow_seen *seen, const struct fast_action *a)
{
	uint8_t *p = (uint8_t *)(uintptr_t)ctx->data, *ip = p + FAST_LINK_HEADER + add;
	const uint8_t *end = (const uint8_t *)(uintptr_t)ctx->data_end;

	if (seen->version == 6) {
		if (ip + IP6_HEADER_LENGTH > end)
			return false;
		ip[7]--;
	} else if (seen->protocol == IP_PROTOCOL_TCP) {
		if (ip + IP4_HEADER_LENGTH + TCP_HEADER_LENGTH > end)
			return false;
		route4(ip, ip + IP4_HEADER_LENGTH + 16, false, a);
	} else {
		if (ip + IP4_HEADER_LENGTH + UDP_HEADER_LENGTH > end)
			return false;
		route4(ip, ip + IP4_HEADER_LENGTH + 6, true, a);
	}
	return put_headers(f, p, ip, end, seen, a);
}

/* Does with the frame what the kernel has done with others of this flow. */
PROTO_INLINE int carry(struct xdp_md *ctx, struct frame *f, struct fast_flow *flow,
		       const struct flow_seen *seen)
{
	const struct fast_action *a = &flow->action;
	uint32_t have = (uint32_t)(f->end - f->start), add = 0;
	int32_t move;

	if (!aim(f, a, seen->len) || f->at + seen->len > have)
		return XDP_PASS;
	/* Octets behind the IP packet are padding of the link. */
	if (f->at + seen->len < have &&
	    bpf_xdp_adjust_tail(ctx, (int32_t)(f->at + seen->len) - (int32_t)have))
		return XDP_PASS;
	if (f->into)
		add = (f->into->family == IP_V4 ? IP4_HEADER_LENGTH : IP6_HEADER_LENGTH) +
		      (f->into->gre_len & 0x1f);
	move = (int32_t)f->at - FAST_LINK_HEADER - (int32_t)add;
	if (move && bpf_xdp_adjust_head(ctx, move))
		return XDP_PASS;
	flow->packets++;
	flow->octets += seen->len;
	if (!rewrite(ctx, f, add, seen, a)) {
		__sync_fetch_and_add(&f->control->lost, 1);
		return XDP_ABORTED;
	}
	return (int)bpf_redirect_map(&xdp_ports, f->port - 1, 0);
}

/* A packet from a LAN. */
PROTO_INLINE int lan_in(struct xdp_md *ctx, struct frame *f, unsigned version)
{
	const uint8_t *p = f->start, *end = f->end;
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key4 key4;
	struct fast_key6 key6;

	f->at = FAST_LINK_HEADER;
	if (version == 4) {
		if (!flow_read4(p + f->at, end, ctx->ingress_ifindex, 2, &key4, &seen))
			return XDP_PASS;
		flow = bpf_map_lookup_elem(&flows4, &key4);
	} else {
		if (!flow_read6(p + f->at, end, ctx->ingress_ifindex, 2, &key6, &seen))
			return XDP_PASS;
		flow = bpf_map_lookup_elem(&flows6, &key6);
	}
	if (!flow || !flow_holds(flow, f->control, f->now) || !flow->action.tunnel ||
	    !is_ours(p, flow->action.link))
		return XDP_PASS;
	return carry(ctx, f, flow, &seen);
}

/* The tunnel of an outer packet with the GRE header `gre`, if the packet may come in here. */
PROTO_INLINE struct fast_tunnel *tunnel_of(struct xdp_md *ctx, const struct frame *f,
					   const uint32_t *slot)
{
	uint32_t wanted = FAST_DECAP | FAST_XDP, flags = wanted | FAST_ISEQ | FAST_ETHERNET;
	struct fast_tunnel *t = slot ? bpf_map_lookup_elem(&tunnels, slot) : NULL;

	if (!t || (t->flags & flags) != wanted || t->in.ifindex != ctx->ingress_ifindex ||
	    (t->bind_ifindex && t->bind_ifindex != t->in.ifindex))
		return NULL;
	tunnel_used(t, f->now);
	/* The TC lane sends the witness. */
	if (f->now >= t->in.sample_ns || !path_holds(&t->in, f->control, f->now) ||
	    !is_ours(f->start, t->in.header))
		return NULL;
	return t;
}

/* The flow of the passenger at f->at, which reaches to `stop`. */
PROTO_INLINE struct fast_flow *passenger_flow(struct frame *f, const uint8_t *p, uint32_t len,
					      const uint8_t *end, const struct fast_tunnel *t,
					      uint16_t protocol, struct flow_seen *seen)
{
	struct fast_flow *flow = NULL;
	struct fast_key4 key4;
	struct fast_key6 key6;

	if (protocol == GRE_PROTOCOL_IPV4 && flow_read4(p, end, t->ifindex, 2, &key4, seen))
		flow = bpf_map_lookup_elem(&flows4, &key4);
	else if (protocol == GRE_PROTOCOL_IPV6 && flow_read6(p, end, t->ifindex, 2, &key6, seen))
		flow = bpf_map_lookup_elem(&flows6, &key6);
	return flow && seen->len == len && flow_holds(flow, f->control, f->now) ? flow : NULL;
}

/* Carries the passenger behind the outer header; outer TOS and length as that says. */
PROTO_INLINE int outer_in(struct xdp_md *ctx, struct frame *f, const uint32_t *slot,
			  const struct gre_header *gre, uint8_t tos, uint32_t len)
{
	struct fast_tunnel *t = tunnel_of(ctx, f, slot);
	uint8_t *p = f->start + f->at;
	const uint8_t *end = f->end;
	struct fast_counters *c;
	struct flow_seen seen;
	struct fast_flow *flow;
	uint8_t ecn = 0;
	int verdict;

	if (!t)
		return XDP_PASS;
	flow = passenger_flow(f, p, len, end, t, gre->protocol, &seen);
	if (!flow || ecn_decapsulate(seen.tos, tos, &ecn) != DROP_NONE)
		return XDP_PASS;
	if (ecn != (seen.tos & ECN_MASK))
		ecn_apply(p, end, ecn);
	verdict = carry(ctx, f, flow, &seen);
	if (verdict == XDP_PASS)
		return verdict;
	c = bpf_map_lookup_elem(&counters, slot);
	if (!c)
		return verdict;
	c->rx_packets++;
	c->rx_octets += len;
	c->last_rx_ns = f->now;
	c->last_rx_gre = gre->protocol | (uint64_t)(gre->has_key ? GRE_FLAG_KEY : 0) << 16 |
			 (uint64_t)(gre->has_sequence ? GRE_FLAG_SEQUENCE : 0) << 16;
	return verdict;
}

PROTO_INLINE int outer_in4(struct xdp_md *ctx, struct frame *f)
{
	const uint8_t *ip = f->start + FAST_LINK_HEADER, *end = f->end;
	struct fast_outer4 key;
	struct gre_header gre;
	uint32_t len;

	if (ip + IP4_HEADER_LENGTH > end || ip[0] != 0x45 || get_be16(ip + 6) & 0x3fff ||
	    !ip4_plain_checksum_good(ip) ||
	    gre_decode(ip + IP4_HEADER_LENGTH, end, &gre) != DROP_NONE || gre.has_checksum)
		return XDP_PASS;
	copy4(key.local, ip + 16);
	copy4(key.remote, ip + 12);
	key.key = gre.key;
	key.has_key = gre.has_key;
	f->at = FAST_LINK_HEADER + IP4_HEADER_LENGTH + gre.length;
	len = get_be16(ip + 2);
	return outer_in(ctx, f, bpf_map_lookup_elem(&outer4, &key), &gre, ip[1],
			len - IP4_HEADER_LENGTH - gre.length);
}

PROTO_INLINE int outer_in6(struct xdp_md *ctx, struct frame *f)
{
	const uint8_t *ip = f->start + FAST_LINK_HEADER, *end = f->end;
	struct fast_outer6 key;
	struct gre_header gre;

	if (ip + IP6_HEADER_LENGTH > end || ip[0] >> 4 != 6 ||
	    gre_decode(ip + IP6_HEADER_LENGTH, end, &gre) != DROP_NONE || gre.has_checksum)
		return XDP_PASS;
	copy16(key.local, ip + 24);
	copy16(key.remote, ip + 8);
	key.key = gre.key;
	key.has_key = gre.has_key;
	f->at = FAST_LINK_HEADER + IP6_HEADER_LENGTH + gre.length;
	return outer_in(ctx, f, bpf_map_lookup_elem(&outer6, &key), &gre,
			(uint8_t)(get_be16(ip) >> 4), (uint32_t)get_be16(ip + 4) - gre.length);
}

PROTO_INLINE int frame_of(struct xdp_md *ctx, unsigned version)
{
	struct frame f = {.start = (uint8_t *)(uintptr_t)ctx->data,
			  .end = (const uint8_t *)(uintptr_t)ctx->data_end,
			  .control = control_get()};
	const uint8_t *ip = f.start + FAST_LINK_HEADER;

	if (!f.control || ip + IP4_HEADER_LENGTH > f.end)
		return XDP_PASS;
	f.now = bpf_ktime_get_coarse_ns();
	if (version == 4)
		return ip[9] == IP_PROTOCOL_GRE ? outer_in4(ctx, &f) : lan_in(ctx, &f, 4);
	return ip[6] == IP_PROTOCOL_GRE ? outer_in6(ctx, &f) : lan_in(ctx, &f, 6);
}

/* Apart from the other, so that what IPv4 needs lies close together. */
__attribute__((noinline)) int frame_in6(struct xdp_md *ctx)
{
	return frame_of(ctx, 6);
}

PROTO_INLINE int frame_in(struct xdp_md *ctx)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)ctx->data;
	uint16_t type;

	if (p + FAST_LINK_HEADER > (const uint8_t *)(uintptr_t)ctx->data_end)
		return XDP_PASS;
	type = *(const uint16_t *)(p + 12);
	if (likely(type == ETH_BE(GRE_PROTOCOL_IPV4)))
		return frame_of(ctx, 4);
	return type == ETH_BE(GRE_PROTOCOL_IPV6) ? frame_in6(ctx) : XDP_PASS;
}

SEC("xdp.frags") int xdp_device_in(struct xdp_md *ctx)
{
	return frame_in(ctx);
}
