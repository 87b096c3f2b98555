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

#include "bpf/ct.h"
#include "bpf/flow.h"
#include "bpf/spread.h"
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
	bool ct; /* the kernel can be asked for connections; a constant of the program */
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
	struct gre_header gre = {.has_key = t->flags & FAST_OKEY, .key = t->okey};
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

/* Does with the frame what the kernel has done with others of its flow. */
PROTO_INLINE int carry(struct xdp_md *ctx, struct frame *f, const struct fast_action *a,
		       const struct flow_seen *seen)
{
	uint32_t have = (uint32_t)(f->end - f->start), add = 0;
	int32_t move;

	if (!aim(f, a, seen->len) || f->at + seen->len > have)
		return XDP_PASS;
	/* Octets behind the IP packet are padding of the link. */
	if (unlikely(f->at + seen->len < have) &&
	    bpf_xdp_adjust_tail(ctx, (int32_t)(f->at + seen->len) - (int32_t)have))
		return XDP_PASS;
	if (f->into)
		add = (f->into->family == IP_V4 ? IP4_HEADER_LENGTH : IP6_HEADER_LENGTH) +
		      (f->into->gre_len & 0x1f);
	move = (int32_t)f->at - FAST_LINK_HEADER - (int32_t)add;
	if (move && bpf_xdp_adjust_head(ctx, move))
		return XDP_PASS;
	if (!rewrite(ctx, f, add, seen, a)) {
		__sync_fetch_and_add(&f->control->lost, 1);
		return XDP_ABORTED;
	}
	return (int)bpf_redirect_map(&xdp_ports, f->port - 1, 0);
}

/* The same, and counts it for the flow. */
PROTO_INLINE int carry_flow(struct xdp_md *ctx, struct frame *f, struct fast_flow *flow,
			    const struct flow_seen *seen)
{
	int verdict = carry(ctx, f, &flow->action, seen);

	if (verdict != XDP_PASS) {
		flow->packets++;
		flow->octets += seen->len;
	}
	return verdict;
}

PROTO_INLINE int carry_hot(struct xdp_md *ctx, struct frame *f, struct fast_hot *h,
			   const struct flow_seen *seen)
{
	int verdict = carry(ctx, f, &h->action, seen);

	if (verdict != XDP_PASS) {
		h->packets++;
		h->octets += seen->len;
	}
	return verdict;
}

CT_ASK(ask, struct xdp_md, bpf_xdp_ct_lookup)

/* Whether what is known of the flow may be used. */
PROTO_INLINE bool knows4(struct xdp_md *ctx, const struct frame *f, struct fast_flow *flow,
			 const struct fast_key4 *key, uint8_t protocol)
{
	enum flow_state state = flow_state(flow, f->control, f->now);

	if (state != FLOW_ASK)
		return state == FLOW_HOLDS;
	return flow_asked(
		flow, flow->action.untracked || (f->ct && ask4(ctx, key, &flow->action, protocol)),
		f->now);
}

PROTO_INLINE bool knows6(struct xdp_md *ctx, const struct frame *f, struct fast_flow *flow,
			 const struct fast_key6 *key, uint8_t protocol)
{
	enum flow_state state = flow_state(flow, f->control, f->now);

	if (state != FLOW_ASK)
		return state == FLOW_HOLDS;
	return flow_asked(flow, flow->action.untracked || (f->ct && ask6(ctx, key, protocol)),
			  f->now);
}

/* Whether the action is one for packets from a LAN that are addressed to this device. */
PROTO_INLINE bool from_lan(const struct frame *f, const struct fast_action *a)
{
	return a->tunnel && is_ours(f->start, a->link);
}

PROTO_INLINE int lan_in4(struct xdp_md *ctx, struct frame *f)
{
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key4 key;
	struct fast_hot *h;

	f->at = FAST_LINK_HEADER;
	if (!flow_read4(f->start + f->at, f->end, ctx->ingress_ifindex, 2, &key, &seen))
		return XDP_PASS;
	h = hot_get(&key);
	if (!h)
		return XDP_PASS;
	if (likely(hot_holds(h, &key, f->control, f->now)))
		return from_lan(f, &h->action) ? carry_hot(ctx, f, h, &seen) : XDP_PASS;
	flow = bpf_map_lookup_elem(&flows4, &key);
	if (!flow || !knows4(ctx, f, flow, &key, seen.protocol) || !from_lan(f, &flow->action))
		return XDP_PASS;
	hot_fill(h, &key, flow, 0, f->control, f->now);
	return carry_flow(ctx, f, flow, &seen);
}

PROTO_INLINE int lan_in6(struct xdp_md *ctx, struct frame *f)
{
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key6 key;

	f->at = FAST_LINK_HEADER;
	if (!flow_read6(f->start + f->at, f->end, ctx->ingress_ifindex, 2, &key, &seen))
		return XDP_PASS;
	flow = bpf_map_lookup_elem(&flows6, &key);
	if (!flow || !knows6(ctx, f, flow, &key, seen.protocol) || !from_lan(f, &flow->action))
		return XDP_PASS;
	return carry_flow(ctx, f, flow, &seen);
}

/* Whether the tunnel's packets may come in here, unseen by the TC lane. */
PROTO_INLINE bool may_enter(struct xdp_md *ctx, const struct frame *f, struct fast_tunnel *t)
{
	uint32_t wanted = FAST_DECAP | FAST_XDP, flags = wanted | FAST_ISEQ | FAST_ETHERNET;

	if ((t->flags & flags) != wanted || t->in.ifindex != ctx->ingress_ifindex ||
	    (t->bind_ifindex && t->bind_ifindex != t->in.ifindex))
		return false;
	tunnel_used(t, f->now);
	/* The TC lane sends the witness. */
	return f->now < t->in.sample_ns && path_holds(&t->in, f->control, f->now) &&
	       is_ours(f->start, t->in.header);
}

/* The passenger is the packet alone, and its congestion mark is set right. */
PROTO_INLINE bool settle(const struct frame *f, const struct outer *o, const struct flow_seen *seen)
{
	uint8_t ecn = 0;

	if (seen->len != o->len || ecn_decapsulate(seen->tos, o->tos, &ecn) != DROP_NONE)
		return false;
	return ecn == (seen->tos & ECN_MASK) || ecn_apply(f->start + f->at, f->end, ecn);
}

PROTO_INLINE void count_arrival(const struct frame *f, const struct outer *o)
{
	struct fast_counters *c = bpf_map_lookup_elem(&counters, &o->slot);
	uint32_t flags =
		(o->gre.has_key ? GRE_FLAG_KEY : 0) | (o->gre.has_sequence ? GRE_FLAG_SEQUENCE : 0);

	if (!c)
		return;
	c->rx_packets++;
	c->rx_octets += o->len;
	c->last_rx_ns = f->now;
	c->last_rx_gre = flags << 16 | o->gre.protocol;
}

/* Whether it is of the tunnel by which the flow of `h` came in. */
PROTO_INLINE bool same_tunnel4(const struct fast_hot *h, const uint8_t *ip, struct outer *o)
{
	const struct fast_tunnel *t;

	o->slot = (uint32_t)h->outer - 1;
	o->tunnel = bpf_map_lookup_elem(&tunnels, &o->slot);
	t = o->tunnel;
	return t && t->family == IP_V4 && get_be32(t->remote) == get_be32(ip + 12) &&
	       get_be32(t->local) == get_be32(ip + 16) && t->ikey == o->gre.key &&
	       !(t->flags & FAST_IKEY) == !o->gre.has_key;
}

PROTO_INLINE int passenger4(struct xdp_md *ctx, struct frame *f, struct outer *o, const uint8_t *ip)
{
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key4 key;
	struct fast_hot *h;
	int verdict;

	if (!flow_read4(f->start + f->at, f->end, 0, 2, &key, &seen))
		return XDP_PASS;
	h = hot_get(&key);
	if (!h)
		return XDP_PASS;
	if (likely(same_tunnel4(h, ip, o))) {
		key.from = o->tunnel->ifindex << 8 | seen.protocol;
		if (likely(hot_holds(h, &key, f->control, f->now))) {
			verdict = may_enter(ctx, f, o->tunnel) && settle(f, o, &seen)
					  ? carry_hot(ctx, f, h, &seen)
					  : XDP_PASS;
			goto out;
		}
	}
	if (!find_tunnel4(ip, o) || !may_enter(ctx, f, o->tunnel))
		return XDP_PASS;
	key.from = o->tunnel->ifindex << 8 | seen.protocol;
	flow = bpf_map_lookup_elem(&flows4, &key);
	if (!flow || !knows4(ctx, f, flow, &key, seen.protocol) || !settle(f, o, &seen))
		return XDP_PASS;
	hot_fill(h, &key, flow, o->slot + 1, f->control, f->now);
	verdict = carry_flow(ctx, f, flow, &seen);
out:
	if (verdict != XDP_PASS)
		count_arrival(f, o);
	return verdict;
}

PROTO_INLINE int passenger6(struct xdp_md *ctx, struct frame *f, const struct outer *o)
{
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key6 key;
	int verdict;

	if (!may_enter(ctx, f, o->tunnel) ||
	    !flow_read6(f->start + f->at, f->end, o->tunnel->ifindex, 2, &key, &seen))
		return XDP_PASS;
	flow = bpf_map_lookup_elem(&flows6, &key);
	if (!flow || !knows6(ctx, f, flow, &key, seen.protocol) || !settle(f, o, &seen))
		return XDP_PASS;
	verdict = carry_flow(ctx, f, flow, &seen);
	if (verdict != XDP_PASS)
		count_arrival(f, o);
	return verdict;
}

PROTO_INLINE int outer_in4(struct xdp_md *ctx, struct frame *f)
{
	const uint8_t *ip = f->start + FAST_LINK_HEADER;
	struct outer o;

	if (ip + IP4_HEADER_LENGTH > f->end || ip[0] != 0x45 || get_be16(ip + 6) & 0x3fff ||
	    !ip4_plain_checksum_good(ip) ||
	    gre_decode(ip + IP4_HEADER_LENGTH, f->end, &o.gre) != DROP_NONE || o.gre.has_checksum)
		return XDP_PASS;
	f->at = FAST_LINK_HEADER + IP4_HEADER_LENGTH + o.gre.length;
	o.len = (uint32_t)get_be16(ip + 2) - IP4_HEADER_LENGTH - o.gre.length;
	o.tos = ip[1];
	if (likely(o.gre.protocol == GRE_PROTOCOL_IPV4))
		return passenger4(ctx, f, &o, ip);
	if (o.gre.protocol != GRE_PROTOCOL_IPV6 || !find_tunnel4(ip, &o))
		return XDP_PASS;
	return passenger6(ctx, f, &o);
}

/* IPv4 inside IPv6, without the copies that a CPU has at hand. */
PROTO_INLINE int passenger4_in6(struct xdp_md *ctx, struct frame *f, const struct outer *o)
{
	struct fast_flow *flow;
	struct flow_seen seen;
	struct fast_key4 key;
	int verdict;

	if (!may_enter(ctx, f, o->tunnel) ||
	    !flow_read4(f->start + f->at, f->end, o->tunnel->ifindex, 2, &key, &seen))
		return XDP_PASS;
	flow = bpf_map_lookup_elem(&flows4, &key);
	if (!flow || !knows4(ctx, f, flow, &key, seen.protocol) || !settle(f, o, &seen))
		return XDP_PASS;
	verdict = carry_flow(ctx, f, flow, &seen);
	if (verdict != XDP_PASS)
		count_arrival(f, o);
	return verdict;
}

PROTO_INLINE int outer_in6(struct xdp_md *ctx, struct frame *f)
{
	const uint8_t *ip = f->start + FAST_LINK_HEADER;
	struct outer o;

	if (ip + IP6_HEADER_LENGTH > f->end || ip[0] >> 4 != 6 ||
	    gre_decode(ip + IP6_HEADER_LENGTH, f->end, &o.gre) != DROP_NONE || o.gre.has_checksum ||
	    !find_tunnel6(ip, &o))
		return XDP_PASS;
	o.len = (uint32_t)get_be16(ip + 4) - o.gre.length;
	o.tos = (uint8_t)(get_be16(ip) >> 4);
	f->at = FAST_LINK_HEADER + IP6_HEADER_LENGTH + o.gre.length;
	if (o.gre.protocol == GRE_PROTOCOL_IPV4)
		return passenger4_in6(ctx, f, &o);
	return o.gre.protocol == GRE_PROTOCOL_IPV6 ? passenger6(ctx, f, &o) : XDP_PASS;
}

PROTO_INLINE bool frame_open(struct xdp_md *ctx, struct frame *f, bool ct)
{
	f->start = (uint8_t *)(uintptr_t)ctx->data;
	f->end = (const uint8_t *)(uintptr_t)ctx->data_end;
	f->control = control_get();
	f->into = NULL;
	f->ct = ct;
	if (!f->control)
		return false;
	f->now = clock_ns(f->control);
	return true;
}

PROTO_INLINE int frame_in4(struct xdp_md *ctx, bool ct)
{
	const uint8_t *ip;
	struct frame f;

	if (!frame_open(ctx, &f, ct) || f.start + FAST_LINK_HEADER + IP4_HEADER_LENGTH > f.end)
		return XDP_PASS;
	ip = f.start + FAST_LINK_HEADER;
	return ip[9] == IP_PROTOCOL_GRE ? outer_in4(ctx, &f) : lan_in4(ctx, &f);
}

PROTO_INLINE int frame_in6(struct xdp_md *ctx, bool ct, bool outer)
{
	struct frame f;

	if (!frame_open(ctx, &f, ct))
		return XDP_PASS;
	return outer ? outer_in6(ctx, &f) : lan_in6(ctx, &f);
}

/* Functions of their own: what one kind of packet needs lies close together, and the stack is large
 * enough. */
#define FRAMES(suffix, ct)                                                \
	__attribute__((noinline)) int frame4_##suffix(struct xdp_md *ctx) \
	{                                                                 \
		return frame_in4(ctx, ct);                                \
	}                                                                 \
	__attribute__((noinline)) int lan6_##suffix(struct xdp_md *ctx)   \
	{                                                                 \
		return frame_in6(ctx, ct, false);                         \
	}                                                                 \
	__attribute__((noinline)) int outer6_##suffix(struct xdp_md *ctx) \
	{                                                                 \
		return frame_in6(ctx, ct, true);                          \
	}
FRAMES(ct, true)
FRAMES(plain, false)

/* The EtherType; for IPv6 the next header goes to *next. 0: too short. */
PROTO_INLINE uint16_t frame_type(const struct xdp_md *ctx, uint8_t *next)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)ctx->data;

	if (p + FAST_LINK_HEADER + IP4_HEADER_LENGTH > (const uint8_t *)(uintptr_t)ctx->data_end)
		return 0;
	*next = p[FAST_LINK_HEADER + 6];
	return get_be16(p + 12);
}

/* On the device, where packets may be handed to other CPUs first, and there. */
#define ENTRIES(suffix)                                                                     \
	PROTO_INLINE int frame_##suffix(struct xdp_md *ctx)                                 \
	{                                                                                   \
		uint8_t next = 0;                                                           \
		uint16_t type = frame_type(ctx, &next);                                     \
                                                                                            \
		if (likely(type == GRE_PROTOCOL_IPV4))                                      \
			return frame4_##suffix(ctx);                                        \
		if (type != GRE_PROTOCOL_IPV6)                                              \
			return XDP_PASS;                                                    \
		return next == IP_PROTOCOL_GRE ? outer6_##suffix(ctx) : lan6_##suffix(ctx); \
	}                                                                                   \
	SEC("xdp.frags") int xdp_in_##suffix(struct xdp_md *ctx)                            \
	{                                                                                   \
		if (unlikely(spread_count) && spread_out(ctx) == XDP_REDIRECT)              \
			return XDP_REDIRECT;                                                \
		return frame_##suffix(ctx);                                                 \
	}                                                                                   \
	SEC("xdp.frags/cpumap") int xdp_cpu_##suffix(struct xdp_md *ctx)                    \
	{                                                                                   \
		return frame_##suffix(ctx);                                                 \
	}
ENTRIES(ct)
ENTRIES(plain)
