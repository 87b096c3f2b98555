/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfttrace.h: which nftables rule decides about a packet. A table of our own, that the kernel
 * removes when this socket closes, marks packets for tracing; the kernel then tells each chain that
 * dropped one. Rules of iptables-legacy are not nftables and are not seen.
 */
#ifndef OS_NFTTRACE_H
#define OS_NFTTRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"

struct nft_trace;

struct nft_drop {
	uint8_t family; /* NFPROTO_*: 1 inet, 2 ip, 7 bridge, 10 ip6 */
	char table[64], chain[64];
	uint64_t handle; /* of the rule; 0: the chain's policy */
	char rule[256];	 /* as nft prints it; "" when it could not be read */
	/* Of the dropped packet; family IP_NONE: not told. */
	struct ip_addr from, to;
};

/* Traces what `match` (words of an nft rule, "icmp id 77") selects, from before every other rule
 * on, a few packets a second. Returns 0 or -errno. */
int nft_trace_open(const char *match, struct nft_trace **out);
void nft_trace_close(struct nft_trace *trace);
/* Waits for a drop, at most `timeout_ms`. 1 with *out, 0 when there was none, -errno. */
int nft_trace_next(struct nft_trace *trace, int timeout_ms, struct nft_drop *out);

/* "inet", "ip", ... */
const char *nft_family_name(uint8_t family);

#endif
