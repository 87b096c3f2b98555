/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gre_tc.bpf.c: the TC lane. Four programs, each in two forms, with and without connection
 * tracking:
 *
 *   tunnel_out   egress of a tunnel's interface: learns the flow, encapsulates
 *   device_in    ingress of a device: decapsulates; carries packets of known flows
 *   device_out   egress of a device: learns flows that came by a tunnel; reads witnesses
 *
 * They never drop. Whatever one of them cannot carry exactly, it leaves as it was, and it goes on
 * to the next program, the kernel, greteld, which counts what is wrong with it.
 *
 * A witness is how the programs know that netfilter lets the outer packets of a tunnel pass. On the
 * way out greteld sends one through the kernel's whole output path, and device_out takes it where
 * it leaves; on the way in device_in lets a short copy of a received packet go on to greteld, which
 * gets it only if the kernel's input path accepts it.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/flow.h"
#include "bpf/learn.h"
#include "bpf/tc_in.h"
#include "bpf/tc_send.h"
#include "bpf/tc_witness.h"

const char program_license[] SEC("license") = "GPL";

/* Whether it is an echo whose way the doctor watches. */
PROTO_INLINE bool is_watched(struct __sk_buff *skb, uint32_t l4, uint8_t protocol)
{
	uint8_t id = 0;

	return (protocol == IP_PROTOCOL_ICMP || protocol == IP_PROTOCOL_ICMPV6) &&
	       bpf_skb_load_bytes(skb, l4 + 4, &id, sizeof id) == 0 && id == ECHO_WATCHED_ID >> 8;
}

/* Whether the passenger at `at` may be encapsulated here, and what there is to know for it. */
PROTO_INLINE bool passenger_out(struct __sk_buff *skb, uint32_t at, struct encap *e)
{
	struct fast_tunnel *t = e->tunnel;
	uint16_t type = ETH_BE(skb->protocol);
	uint32_t header, gso = skb->gso_size, headers = 0;
	struct flow_seen seen = {0};

	if (!skb_pull(skb, at + FLOW_HEADERS_MAX))
		return false;
	header = read_passenger(skb, at, type, &seen);
	if (header == 0 || seen.protocol == IP_PROTOCOL_GRE || seen.len != skb->len - at ||
	    is_watched(skb, at + header, seen.protocol))
		return false;
	if (gso) {
		uint32_t l4 = piece_header(skb, at + header, seen.protocol);

		headers = header + l4 + (e->frame ? FAST_LINK_HEADER : 0);
		if (l4 == 0 || headers + gso > t->room)
			return false;
	} else if (e->len > t->room) {
		return false;
	}
	if (!clamp(skb, at + header, &seen, t))
		return false;
	e->pieces = flow_pieces(e->len, headers, gso);
	e->outer = outer_fields(&t->policy, type, skb_start(skb) + at, skb_stop(skb));
	return true;
}

PROTO_INLINE int tunnel_out(struct __sk_buff *skb, bool ct)
{
	struct fast_control *c = control_get();
	uint32_t ifindex = skb->ifindex;
	uint32_t *slot = bpf_map_lookup_elem(&interfaces, &ifindex);
	struct encap e = {.len = skb->len};
	uint64_t now;

	if (!c || !slot)
		return TC_ACT_UNSPEC;
	now = clock_ns(c);
	e.control = c;
	e.slot = *slot;
	e.tunnel = bpf_map_lookup_elem(&tunnels, slot);
	if (!e.tunnel || e.tunnel->ifindex != ifindex || !(e.tunnel->flags & FAST_ENCAP))
		return TC_ACT_UNSPEC;
	/* A tag beside the packet would come to stand before the outer header. */
	if (skb->vlan_present || (skb->protocol != ETH_BE(GRE_PROTOCOL_IPV4) &&
				  skb->protocol != ETH_BE(GRE_PROTOCOL_IPV6)))
		return TC_ACT_UNSPEC;
	tunnel_used(e.tunnel, now);
	e.frame = e.tunnel->flags & FAST_ETHERNET;
	e.protocol = e.frame ? GRE_PROTOCOL_TEB : ETH_BE(skb->protocol);
	if (c->flows && skb->ingress_ifindex && !e.frame && skb_pull(skb, FLOW_HEADERS_MAX)) {
		struct fast_action action = {.tunnel = e.slot + 1, .mark = skb->mark};

		learn(skb, 0, c, now, &action, ct);
	}
	if (!path_holds(&e.tunnel->out, c, now) ||
	    !passenger_out(skb, e.frame ? FAST_LINK_HEADER : 0, &e))
		return TC_ACT_UNSPEC;
	return encap(skb, &e);
}

SEC("tc") int tunnel_out_ct(struct __sk_buff *skb)
{
	return tunnel_out(skb, true);
}

SEC("tc") int tunnel_out_plain(struct __sk_buff *skb)
{
	return tunnel_out(skb, false);
}

/* A packet that the kernel has led from a tunnel to this device. */
PROTO_INLINE void learn_link(struct __sk_buff *skb, bool ct)
{
	struct fast_action action = {.ifindex = skb->ifindex, .mark = skb->mark};
	struct fast_control *c = control_get();
	uint32_t from = skb->ingress_ifindex, to = skb->ifindex;
	struct fast_link *link = bpf_map_lookup_elem(&links, &to);

	if (!link || link->mtu > 65535 || !c || !c->flows ||
	    !bpf_map_lookup_elem(&interfaces, &from) || skb->vlan_present ||
	    !skb_pull(skb, FAST_LINK_HEADER + FLOW_HEADERS_MAX))
		return;
	action.slot = (uint8_t)link->slot;
	action.mtu = (uint16_t)link->mtu;
	if (bpf_skb_load_bytes(skb, 0, action.link, sizeof action.link))
		return;
	learn(skb, FAST_LINK_HEADER, c, clock_ns(c), &action, ct);
}

PROTO_INLINE int device_out(struct __sk_buff *skb, bool ct)
{
	if (skb->priority == FAST_WITNESS_PRIORITY)
		return witness_out(skb);
	if (skb->ingress_ifindex && skb->tc_index != FAST_SENT_INDEX)
		learn_link(skb, ct);
	return TC_ACT_UNSPEC;
}

SEC("tc") int device_out_ct(struct __sk_buff *skb)
{
	return device_out(skb, true);
}

SEC("tc") int device_out_plain(struct __sk_buff *skb)
{
	return device_out(skb, false);
}

/* The two families are functions of their own, so that what one needs lies close together, and the
 * stack is large enough. */
__attribute__((noinline)) int device_in4_ct(struct __sk_buff *skb)
{
	return device_in_ip(skb, IP_V4, true);
}

__attribute__((noinline)) int device_in6_ct(struct __sk_buff *skb)
{
	return device_in_ip(skb, IP_V6, true);
}

__attribute__((noinline)) int device_in4_plain(struct __sk_buff *skb)
{
	return device_in_ip(skb, IP_V4, false);
}

__attribute__((noinline)) int device_in6_plain(struct __sk_buff *skb)
{
	return device_in_ip(skb, IP_V6, false);
}

PROTO_INLINE int device_in(struct __sk_buff *skb, bool ct)
{
	skb->tc_index = 0; /* from another namespace of this host it may come marked */
	if (skb->mark == FAST_WITNESS_MARK)
		return witness_in(skb);
	if (skb->pkt_type != 0 /* for this host */ || skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (skb->protocol == ETH_BE(GRE_PROTOCOL_IPV4))
		return ct ? device_in4_ct(skb) : device_in4_plain(skb);
	if (skb->protocol == ETH_BE(GRE_PROTOCOL_IPV6))
		return ct ? device_in6_ct(skb) : device_in6_plain(skb);
	return TC_ACT_UNSPEC;
}

SEC("tc") int device_in_ct(struct __sk_buff *skb)
{
	return device_in(skb, true);
}

SEC("tc") int device_in_plain(struct __sk_buff *skb)
{
	return device_in(skb, false);
}

/* Run by greteld with each sign of life: sets the clock of all programs. */
SEC("tc") int beat(struct __sk_buff *skb)
{
	struct fast_control *c = control_get();

	(void)skb;
	if (!c)
		return TC_ACT_SHOT;
	c->beat_ns = bpf_ktime_get_ns();
	c->clock_base = c->beat_ns - bpf_jiffies64() * tick_ns;
	return TC_ACT_OK;
}
