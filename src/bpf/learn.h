/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * learn.h: how a flow comes to be known. A program at the place where packets leave, an interface
 * of a tunnel or a device of this host, looks at those that the kernel has forwarded: conntrack
 * tells how such a packet came in and that its connection is established, the note that the program
 * at the entrance has left tells how it looked, and the packet itself tells what became of it.
 */
#ifndef BPF_LEARN_H
#define BPF_LEARN_H

#include "bpf/ct.h"

enum ct_found { CT_NONE, CT_LOUD, CT_QUIET };

/* Turns the key of an IPv4 packet that leaves into that of the packet as it came in. The connection
 * is looked up by the answer that this packet would get. */
PROTO_INLINE enum ct_found ct_before4(struct __sk_buff *skb, struct fast_key4 *key,
				      uint8_t protocol)
{
	struct bpf_ct_opts opts = {.netns_id = -1, .l4proto = protocol};
	struct bpf_sock_tuple answer = {0};
	enum ct_found found = CT_LOUD;
	struct nf_conn *ct;

	copy4(&answer.ipv4.saddr, key->dst);
	copy4(&answer.ipv4.daddr, key->src);
	answer.ipv4.sport = *(uint16_t *)(key->ports + 2);
	answer.ipv4.dport = *(uint16_t *)key->ports;
	ct = bpf_skb_ct_lookup(skb, &answer, sizeof answer.ipv4, &opts, sizeof opts);
	if (!ct)
		return CT_NONE;
	if (ct_is_quiet(ct, protocol)) {
		const struct nf_conntrack_tuple *in =
			opts.dir ? &ct->tuplehash[0].tuple : &ct->tuplehash[1].tuple;

		*(uint32_t *)key->src = in->src.u3.all[0];
		*(uint32_t *)key->dst = in->dst.u3.all[0];
		*(uint16_t *)key->ports = in->src.u.all;
		*(uint16_t *)(key->ports + 2) = in->dst.u.all;
		found = CT_QUIET;
	}
	bpf_ct_release(ct);
	return found;
}

/* The same for IPv6, where a translated flow is left to the kernel. */
PROTO_INLINE enum ct_found ct_before6(struct __sk_buff *skb, const struct fast_key6 *key,
				      uint8_t protocol)
{
	struct bpf_ct_opts opts = {.netns_id = -1, .l4proto = protocol};
	struct bpf_sock_tuple answer = {0};
	enum ct_found found = CT_LOUD;
	struct nf_conn *ct;

	copy16(answer.ipv6.saddr, key->dst);
	copy16(answer.ipv6.daddr, key->src);
	answer.ipv6.sport = *(uint16_t *)(key->ports + 2);
	answer.ipv6.dport = *(uint16_t *)key->ports;
	ct = bpf_skb_ct_lookup(skb, &answer, sizeof answer.ipv6, &opts, sizeof opts);
	if (!ct)
		return CT_NONE;
	if (ct_is_quiet(ct, protocol)) {
		const struct nf_conntrack_tuple *in =
			opts.dir ? &ct->tuplehash[0].tuple : &ct->tuplehash[1].tuple;

		found = CT_QUIET;
		for (unsigned i = 0; i < 4; i++)
			if (in->src.u3.all[i] != ((const uint32_t *)key->src)[i] ||
			    in->dst.u3.all[i] != ((const uint32_t *)key->dst)[i])
				found = CT_LOUD;
		if (in->src.u.all != answer.ipv6.dport || in->dst.u.all != answer.ipv6.sport)
			found = CT_LOUD;
	}
	bpf_ct_release(ct);
	return found;
}

PROTO_INLINE bool action_same(const struct fast_action *a, const struct fast_action *b)
{
	const uint32_t *x = (const uint32_t *)a, *y = (const uint32_t *)b;
	uint32_t differ = 0;

	for (unsigned i = 0; i < sizeof *a / sizeof *x; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}

/* Writes down what becomes of the flow, or that it still becomes of it. */
PROTO_INLINE void flow_store(void *map, const void *key, const struct fast_control *c, uint64_t now,
			     const struct fast_action *action)
{
	struct fast_flow *old = bpf_map_lookup_elem(map, key);
	struct fast_flow flow = {.action = *action};

	if (old && action_same(&old->action, action)) {
		old->generation = c->generation;
		old->seen_ns = now;
		old->sample_ns = now + FAST_SAMPLE_NS;
		return;
	}
	flow.generation = c->generation;
	flow.seen_ns = now;
	flow.sample_ns = now + FAST_SAMPLE_NS;
	if (old) {
		flow.packets = old->packets;
		flow.octets = old->octets;
	}
	bpf_map_update_elem(map, key, &flow, BPF_ANY);
}

/* Whether `now`'s packet left as it came but for addresses, ports and one hop. */
PROTO_INLINE bool entering_fits(const struct fast_entering *e, const struct flow_seen *seen)
{
	return e && e->tos == seen->tos && e->ttl == seen->ttl + 1;
}

/* `ct`: the kernel can be asked for connections. Does nothing where the packet is not one of a
 * flow. */
PROTO_INLINE void learn4(struct __sk_buff *skb, uint32_t at, const struct fast_control *c,
			 uint64_t now, struct fast_action *action, bool ct)
{
	const uint8_t *data = (const uint8_t *)(uintptr_t)skb->data;
	const uint8_t *end = (const uint8_t *)(uintptr_t)skb->data_end;
	struct fast_key4 key, out;
	struct flow_seen seen;
	enum ct_found found = CT_NONE;
	struct fast_entering *e;

	if (!flow_read4(data + at, end, skb->ingress_ifindex, 1, &key, &seen))
		return;
	out = key;
	if (ct && seen.protocol != IP_PROTOCOL_ICMP)
		found = ct_before4(skb, &key, seen.protocol);
	e = bpf_map_lookup_elem(&entering4, &key);
	if (found == CT_LOUD || !entering_fits(e, &seen) ||
	    (found == CT_NONE && !e->stateless && !c->stateless))
		return;
	action->untracked = found == CT_NONE;
	copy4(action->src, out.src);
	copy4(action->dst, out.dst);
	copy4(action->ports, out.ports);
	action->addr_diff =
		(uint32_t)bpf_csum_diff((uint32_t *)key.src, 8, (uint32_t *)out.src, 8, 0);
	action->port_diff =
		(uint32_t)bpf_csum_diff((uint32_t *)key.ports, 4, (uint32_t *)out.ports, 4, 0);
	action->nat = *(uint64_t *)key.src != *(uint64_t *)out.src ||
		      *(uint32_t *)key.ports != *(uint32_t *)out.ports;
	flow_store(&flows4, &key, c, now, action);
}

PROTO_INLINE void learn6(struct __sk_buff *skb, uint32_t at, const struct fast_control *c,
			 uint64_t now, struct fast_action *action, bool ct)
{
	const uint8_t *data = (const uint8_t *)(uintptr_t)skb->data;
	const uint8_t *end = (const uint8_t *)(uintptr_t)skb->data_end;
	enum ct_found found = CT_NONE;
	struct flow_seen seen;
	struct fast_entering *e;
	struct fast_key6 key;

	if (!flow_read6(data + at, end, skb->ingress_ifindex, 1, &key, &seen))
		return;
	if (ct && seen.protocol != IP_PROTOCOL_ICMPV6)
		found = ct_before6(skb, &key, seen.protocol);
	e = bpf_map_lookup_elem(&entering6, &key);
	if (found == CT_LOUD || !entering_fits(e, &seen) ||
	    (found == CT_NONE && !e->stateless && !c->stateless))
		return;
	action->untracked = found == CT_NONE;
	flow_store(&flows6, &key, c, now, action);
}

/* A packet that leaves by `action`; `at` is the offset of its IP header. */
PROTO_INLINE void learn(struct __sk_buff *skb, uint32_t at, const struct fast_control *c,
			uint64_t now, struct fast_action *action, bool ct)
{
	uint32_t from = skb->ingress_ifindex;
	const struct fast_link *in = bpf_map_lookup_elem(&links, &from);

	if (in && action->tunnel)
		__builtin_memcpy(action->link, in->mac, sizeof in->mac);
	if (skb->protocol == __builtin_bswap16(GRE_PROTOCOL_IPV4))
		learn4(skb, at, c, now, action, ct);
	else if (skb->protocol == __builtin_bswap16(GRE_PROTOCOL_IPV6))
		learn6(skb, at, c, now, action, ct);
}

#endif
