/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc_witness.h: witnesses, see gre_tc.bpf.c. They never get farther than this host. */
#ifndef BPF_TC_WITNESS_H
#define BPF_TC_WITNESS_H

#include "bpf/tc_send.h"

/* Lets a copy of this packet go on, marked. The packet's data has to be looked up anew. */
PROTO_INLINE void witness_start(struct __sk_buff *skb, struct fast_tunnel *t,
				const struct fast_control *c, uint64_t now)
{
	uint32_t mark = skb->mark;

	t->in.sample_ns = now + FAST_RETRY_NS;
	if (now - c->beat_ns > FAST_BEAT_LOST_NS) /* nobody would answer */
		return;
	skb->mark = FAST_WITNESS_MARK;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	skb->mark = mark;
}

/* The entry of the tunnel that this outer packet belongs to; NULL: none. */
PROTO_INLINE uint32_t *witness_owner(const uint8_t *ip, const struct gre_header *gre,
				     uint8_t family)
{
	struct fast_outer4 key4 = {.key = gre->key, .has_key = gre->has_key};
	struct fast_outer6 key6 = {.key = gre->key, .has_key = gre->has_key};

	if (family == IP_V4) {
		copy4(key4.remote, ip + 12);
		copy4(key4.local, ip + 16);
		return bpf_map_lookup_elem(&outer4, &key4);
	}
	copy16(key6.remote, ip + 8);
	copy16(key6.local, ip + 24);
	return bpf_map_lookup_elem(&outer6, &key6);
}

/* Writes into the copy who sent it. Its length stays: the kernel does not let every packet be cut.
 */
PROTO_INLINE bool witness_write(struct __sk_buff *skb, uint8_t family)
{
	const struct fast_control *c = control_get();
	uint32_t at = FAST_LINK_HEADER + ip_outer_length(family);
	struct fast_witness body = {.ifindex = skb->ifindex};
	struct gre_header gre;
	uint16_t none = 0;
	uint32_t *slot;

	if (!c || !skb_pull(skb, at + GRE_LENGTH_MAX) ||
	    skb_start(skb) + at + GRE_LENGTH_MAX > skb_stop(skb) ||
	    gre_decode(skb_start(skb) + at, skb_stop(skb), &gre) != DROP_NONE)
		return false;
	slot = witness_owner(skb_start(skb) + FAST_LINK_HEADER, &gre, family);
	if (!slot)
		return false;
	body.tunnel = (uint16_t)*slot;
	body.generation = (uint16_t)c->generation;
	body.cookie = c->cookie;
	body.sent_ns = clock_ns(c);
	return bpf_skb_store_bytes(skb, at + 2, &none, sizeof none, 0) == 0 &&
	       bpf_skb_store_bytes(skb, at + gre.length, &body, sizeof body, 0) == 0;
}

/* The marked copy, as it comes in. */
PROTO_INLINE int witness_in(struct __sk_buff *skb)
{
	skb->mark = 0;
	if (skb->protocol == ETH_BE(GRE_PROTOCOL_IPV4))
		return witness_write(skb, IP_V4) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
	return witness_write(skb, IP_V6) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* Whether the outer header at `ip` is the one that this tunnel writes. */
PROTO_INLINE bool witness_unchanged(const uint8_t *ip, const struct fast_tunnel *t, uint8_t family)
{
	bool v4 = family == IP_V4;
	uint8_t tos = v4 ? ip[1] : (uint8_t)(get_be16(ip) >> 4), ttl = v4 ? ip[8] : ip[7];
	const uint8_t *src = ip + (v4 ? 12 : 8), *dst = src + (v4 ? 4 : 16);
	uint32_t differ = 0;

	for (unsigned at = 0; at < (v4 ? 4 : 16); at += 4)
		differ |= (get_be32(src + at) ^ get_be32(t->local + at)) |
			  (get_be32(dst + at) ^ get_be32(t->remote + at));
	return differ == 0 && ip[0] >> 4 == (v4 ? 4 : 6) && ip[v4 ? 9 : 6] == IP_PROTOCOL_GRE &&
	       (t->policy.ttl_inherit || ttl == t->policy.ttl) &&
	       (t->policy.tos_inherit || (tos & 0xfc) == (t->policy.tos & 0xfc));
}

/* Writes down where the witness left: there the tunnel's packets leave. */
PROTO_INLINE void witness_note(struct __sk_buff *skb, const uint8_t *link, struct fast_tunnel *t,
			       const struct fast_witness *body)
{
	uint32_t ifindex = skb->ifindex;
	struct fast_link *out = bpf_map_lookup_elem(&links, &ifindex);
	struct fast_path *path = &t->out;
	bool same = path->ifindex == ifindex;

	for (unsigned i = 0; i < FAST_LINK_HEADER; i++)
		same &= path->header[i] == link[i];
	if (!same || path->slot != (out ? out->slot : 0)) {
		path->ifindex = 0;
		path->slot = out ? out->slot : 0;
		__builtin_memcpy(path->header, link, FAST_LINK_HEADER);
	}
	path->generation = body->generation;
	path->sent_ns = body->sent_ns;
	path->ifindex = ifindex;
}

PROTO_INLINE void witness_read(struct __sk_buff *skb, uint8_t family)
{
	const struct fast_control *c = control_get();
	uint32_t at = FAST_LINK_HEADER + ip_outer_length(family);
	struct fast_witness body;
	struct fast_tunnel *t;
	const uint8_t *p;
	uint32_t slot;

	if (!c || !skb_pull(skb, at + GRE_LENGTH_MIN) ||
	    bpf_skb_load_bytes(skb, skb->len - FAST_WITNESS_LENGTH, &body, sizeof body) ||
	    body.cookie != c->cookie)
		return;
	slot = body.tunnel;
	t = bpf_map_lookup_elem(&tunnels, &slot);
	p = skb_start(skb);
	if (t && t->ifindex && t->family == family && !(p + at + GRE_LENGTH_MIN > skb_stop(skb)) &&
	    witness_unchanged(p + FAST_LINK_HEADER, t, family))
		witness_note(skb, p, t, &body);
}

/* A packet with the priority of witnesses leaves: whatever became of it, it ends here. A verdict
 * that drops it would count among the host's discarded packets (IpOutDiscards), where an
 * administrator looks for trouble; so it is given back to the device, whose stack lets go of what
 * is addressed to another station without a word. */
PROTO_INLINE int witness_out(struct __sk_buff *skb)
{
	if (skb->protocol == ETH_BE(GRE_PROTOCOL_IPV4))
		witness_read(skb, IP_V4);
	else if (skb->protocol == ETH_BE(GRE_PROTOCOL_IPV6))
		witness_read(skb, IP_V6);
	return (int)bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

#endif
