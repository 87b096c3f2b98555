/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ct.h: connections, as the kernel's connection tracking knows them. */
#ifndef BPF_CT_H
#define BPF_CT_H

#include <stdbool.h>

#include "bpf/flow.h"

/* Of the kernel's types only what is read; where it lies in this kernel, libbpf finds out. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

union nf_inet_addr {
	uint32_t all[4];
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union {
		uint16_t all;
	} u;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			uint16_t all;
		} u;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_ct_ext {
	uint8_t offset[2]; /* the helper is extension 0, translation 1 */
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	struct nf_ct_ext *ext;
	union {
		struct {
			uint8_t state;
		} tcp;
	} proto;
};

#pragma clang attribute pop

/* What the kernel is asked with: the form of Linux 6.1, which later ones take, too. */
struct bpf_ct_opts {
	int32_t netns_id;
	int32_t error;
	uint8_t l4proto;
	uint8_t dir;
	uint8_t reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					 uint32_t tuple_size, struct bpf_ct_opts *opts,
					 uint32_t opts_size) __ksym __weak;
extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
					 uint32_t tuple_size, struct bpf_ct_opts *opts,
					 uint32_t opts_size) __ksym __weak;
extern void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

enum {
	CT_SEEN_REPLY = 1 << 1,
	CT_CONFIRMED = 1 << 3,
	CT_DYING = 1 << 9,
	CT_SEQ_ADJUST = 1 << 10,
	CT_HELPER = 1 << 13,
	CT_TCP_ESTABLISHED = 3,
};

/* A connection whose packets need nobody's attention: established in both directions, not ending,
 * and with no helper that reads or changes what is in them. */
PROTO_INLINE bool ct_is_quiet(const struct nf_conn *ct, uint8_t protocol)
{
	unsigned long wanted = CT_SEEN_REPLY | CT_CONFIRMED;
	unsigned long status = ct->status;
	const struct nf_ct_ext *ext = ct->ext;

	if ((status & wanted) != wanted || status & (CT_DYING | CT_SEQ_ADJUST | CT_HELPER))
		return false;
	if (ext && ext->offset[0])
		return false;
	return protocol != IP_PROTOCOL_TCP || ct->proto.tcp.state == CT_TCP_ESTABLISHED;
}

/* Whether the connection `ct`, found by the tuple of a packet as it comes in, is still the one that
 * the flow is of: quiet, and translated as then. `dir` is the direction of the packet. */
PROTO_INLINE bool ct_fits4(const struct nf_conn *ct, uint8_t dir, const struct fast_action *a,
			   uint8_t protocol)
{
	const struct nf_conntrack_tuple *back =
		dir ? &ct->tuplehash[0].tuple : &ct->tuplehash[1].tuple;

	return ct_is_quiet(ct, protocol) && back->dst.u3.all[0] == *(const uint32_t *)a->src &&
	       back->src.u3.all[0] == *(const uint32_t *)a->dst &&
	       back->dst.u.all == *(const uint16_t *)a->ports &&
	       back->src.u.all == *(const uint16_t *)(a->ports + 2);
}

/* Whether the kernel has the functions below; set by the loader. A program that may not call them
 * still contains those that do, and the verifier looks at each function for itself: for it, too,
 * what follows is out of reach without them. */
const volatile bool ct_there = false;

/* Functions NAME4, NAME6(ctx, key, action, protocol) that ask whether the flow is still that of a
 * connection; `key` is the packet as it comes in, LOOKUP the hook's function. Not inlined: they are
 * called once a second, and the stack is small. */
#define CT_ASK(NAME, CTX, LOOKUP)                                                                 \
	__attribute__((noinline)) int NAME##4(CTX * ctx, const struct fast_key4 *key,             \
					      const struct fast_action *action, uint8_t protocol) \
	{                                                                                         \
		struct bpf_ct_opts opts = {.netns_id = -1, .l4proto = protocol};                  \
		struct bpf_sock_tuple tuple = {0};                                                \
		struct nf_conn *ct;                                                               \
		int fits;                                                                         \
                                                                                                  \
		if (!ct_there || !key || !action)                                                 \
			return 0;                                                                 \
		copy4(&tuple.ipv4.saddr, key->src);                                               \
		copy4(&tuple.ipv4.daddr, key->dst);                                               \
		tuple.ipv4.sport = *(const uint16_t *)key->ports;                                 \
		tuple.ipv4.dport = *(const uint16_t *)(key->ports + 2);                           \
		ct = LOOKUP(ctx, &tuple, sizeof tuple.ipv4, &opts, sizeof opts);                  \
		if (!ct)                                                                          \
			return 0;                                                                 \
		fits = ct_fits4(ct, opts.dir, action, protocol);                                  \
		bpf_ct_release(ct);                                                               \
		return fits;                                                                      \
	}                                                                                         \
                                                                                                  \
	__attribute__((noinline)) int NAME##6(CTX * ctx, const struct fast_key6 *key,             \
					      uint8_t protocol)                                   \
	{                                                                                         \
		struct bpf_ct_opts opts = {.netns_id = -1, .l4proto = protocol};                  \
		struct bpf_sock_tuple tuple = {0};                                                \
		struct nf_conn *ct;                                                               \
		int fits;                                                                         \
                                                                                                  \
		if (!ct_there || !key)                                                            \
			return 0;                                                                 \
		copy16(tuple.ipv6.saddr, key->src);                                               \
		copy16(tuple.ipv6.daddr, key->dst);                                               \
		tuple.ipv6.sport = *(const uint16_t *)key->ports;                                 \
		tuple.ipv6.dport = *(const uint16_t *)(key->ports + 2);                           \
		ct = LOOKUP(ctx, &tuple, sizeof tuple.ipv6, &opts, sizeof opts);                  \
		if (!ct)                                                                          \
			return 0;                                                                 \
		fits = ct_is_quiet(ct, protocol);                                                 \
		bpf_ct_release(ct);                                                               \
		return fits;                                                                      \
	}

/* Notes what conntrack has said: true when the flow may be used. */
PROTO_INLINE bool flow_asked(struct fast_flow *flow, bool fits, uint64_t now)
{
	if (fits)
		flow->sample_ns = now + FAST_SAMPLE_NS;
	else
		flow->generation--; /* void: learned anew, if at all */
	return fits;
}

#endif
