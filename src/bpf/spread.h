/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spread.h: what comes out of tunnels, spread over several CPUs. A card chooses the queue, and so
 * the CPU, by the outer addresses, of which a tunnel has one pair: all of it comes to one CPU. That
 * one looks at the passenger's addresses, protocol and ports and hands the frame to the CPU that
 * these choose, always the same for a flow, where the same program does the rest of the work.
 *
 * Only packets are handed over that XDP may carry there: of a tunnel whose packets come in by this
 * very device, since a VLAN tag that the card has taken off would be lost, and not numbered ones,
 * whose order is the tunnel's. Keepalives and all that cannot be read stay where they are.
 */
#ifndef BPF_SPREAD_H
#define BPF_SPREAD_H

#include "bpf/outer.h"

/* Keyed by CPU; greteld makes the entries. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct bpf_cpumap_val);
} spread_to SEC(".maps");

/* Set by the loader: false where the kernel does not take the program of the other CPUs. */
const volatile bool spread_there = true;

/* Written by greteld. They belong to this one load of the program, as the map does: while another
 * greteld loads its own, this one goes on as it was told. 0: nothing is spread. */
uint32_t spread_count;
uint32_t spread_cpus[FAST_SPREAD_MAX];
uint32_t spread_map;				   /* the number of `spread_to` in the kernel */
uint64_t spread_lost __attribute__((aligned(64))); /* packets for which a CPU had no room */

/* Addresses only of fragments, which have no ports but in the first one. */
PROTO_INLINE bool spread_hash4(const uint8_t *p, const uint8_t *end, uint32_t *hash)
{
	const uint8_t *l4;

	if (p + IP4_HEADER_LENGTH > end || p[0] >> 4 != 4)
		return false;
	*hash = *(const uint32_t *)(p + 12) * 0x9e3779b1u + *(const uint32_t *)(p + 16);
	if (get_be16(p + 6) & 0x3fff || (p[9] != IP_PROTOCOL_TCP && p[9] != IP_PROTOCOL_UDP))
		return true;
	l4 = p + (p[0] & 0xf) * 4;
	if (l4 + 4 > end)
		return false;
	*hash = (*hash ^ p[9]) * 0x85ebca6bu + *(const uint32_t *)l4;
	return true;
}

PROTO_INLINE bool spread_hash6(const uint8_t *p, const uint8_t *end, uint32_t *hash)
{
	const uint8_t *l4 = p + IP6_HEADER_LENGTH;

	if (l4 > end || p[0] >> 4 != 6)
		return false;
	*hash = 0;
	for (unsigned i = 8; i < IP6_HEADER_LENGTH; i += 4)
		*hash = (*hash ^ *(const uint32_t *)(p + i)) * 0x9e3779b1u;
	if (p[6] != IP_PROTOCOL_TCP && p[6] != IP_PROTOCOL_UDP)
		return true;
	if (l4 + 4 > end)
		return false;
	*hash = (*hash ^ p[6]) * 0x85ebca6bu + *(const uint32_t *)l4;
	return true;
}

/* Whether the tunnel is one whose packets may change the CPU, see above. */
PROTO_INLINE bool spread_may(const struct xdp_md *ctx, const struct fast_tunnel *t)
{
	uint32_t wanted = FAST_DECAP | FAST_XDP;

	return (t->flags & (wanted | FAST_ISEQ | FAST_ETHERNET)) == wanted &&
	       t->in.ifindex == ctx->ingress_ifindex;
}

/* Takes the frame apart as far as to its passenger, and mixes what its flow has in common. */
PROTO_INLINE bool spread_hash(const struct xdp_md *ctx, uint32_t *hash)
{
	const uint8_t *ip = (const uint8_t *)(uintptr_t)ctx->data + FAST_LINK_HEADER;
	const uint8_t *end = (const uint8_t *)(uintptr_t)ctx->data_end, *p;
	struct outer o;

	if (ip + IP4_HEADER_LENGTH > end)
		return false;
	if (get_be16(ip - 2) == GRE_PROTOCOL_IPV4) {
		p = ip + IP4_HEADER_LENGTH;
		if (ip[0] != 0x45 || ip[9] != IP_PROTOCOL_GRE || get_be16(ip + 6) & 0x3fff ||
		    gre_decode(p, end, &o.gre) != DROP_NONE || !find_tunnel4(ip, &o))
			return false;
	} else {
		p = ip + IP6_HEADER_LENGTH;
		if (get_be16(ip - 2) != GRE_PROTOCOL_IPV6 || p > end || ip[0] >> 4 != 6 ||
		    ip[6] != IP_PROTOCOL_GRE || gre_decode(p, end, &o.gre) != DROP_NONE ||
		    !find_tunnel6(ip, &o))
			return false;
	}
	p += o.gre.length;
	if (o.gre.has_checksum || !spread_may(ctx, o.tunnel))
		return false;
	if (o.gre.protocol == GRE_PROTOCOL_IPV4)
		return spread_hash4(p, end, hash);
	return o.gre.protocol == GRE_PROTOCOL_IPV6 && spread_hash6(p, end, hash);
}

/* XDP_REDIRECT: the frame goes to another CPU; else it stays. A function of its own: where nothing
 * is spread it is not even in the cache. */
__attribute__((noinline)) int spread_out(struct xdp_md *ctx)
{
	uint32_t hash, at;

	if (!spread_there || !spread_hash(ctx, &hash))
		return XDP_PASS;
	hash ^= hash >> 16;
	hash *= 0x7feb352du;
	hash ^= hash >> 15;
	hash *= 0x846ca68bu;
	hash ^= hash >> 16;
	at = (uint32_t)((uint64_t)hash * spread_count >> 32);
	if (at >= FAST_SPREAD_MAX)
		return XDP_PASS;
	at = spread_cpus[at];
	if (at == bpf_get_smp_processor_id())
		return XDP_PASS;
	return (int)bpf_redirect_map(&spread_to, at, XDP_PASS);
}

/* The kernel tells of each handful that it puts into a CPU's queue: the map, how many found room,
 * and how many did not. Nothing else counts these. */
SEC("raw_tp/xdp_cpumap_enqueue") int spread_watch(struct bpf_raw_tracepoint_args *ctx)
{
	uint32_t lost = (uint32_t)ctx->args[2];

	if (lost && (uint32_t)ctx->args[0] == spread_map)
		__sync_fetch_and_add(&spread_lost, lost);
	return 0;
}

#endif
