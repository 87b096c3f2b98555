// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progrun.bpf.c: gives a program the same frame again and again. BPF_PROG_TEST_RUN repeats a
 * program on what the last run has left, which for a program that rewrites its packet is another
 * packet. So `again`, which is what is run, moves the frame's begin back to where it was, writes
 * the headers anew and calls the program in slot 0. `nothing` in that slot tells what `again`
 * itself takes, and two others are yardsticks for figures that were taken on another machine:
 * `lookup` finds an entry of a table, and `least` does what nobody can do without who puts a header
 * in front of a frame, or takes one away, and sends it on, whatever he knows of it.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "progrun.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u8 frame[PROGRUN_LONG];
const volatile __u64 words[PROGRUN_WORDS]; /* what they are plays no part */
const volatile __u32 length = PROGRUN_SHORT;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} slot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct progrun_key);
	__type(value, __u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int again(struct xdp_md *ctx)
{
	__u8 *data;

	if (bpf_xdp_adjust_head(ctx, (int)(ctx->data_end - ctx->data) - (int)length))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	if (data + PROGRUN_SHORT > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < PROGRUN_SHORT; i++)
		data[i] = frame[i];
	if (length >= PROGRUN_LONG) {
		if (data + PROGRUN_LONG > (__u8 *)(long)ctx->data_end)
			return XDP_ABORTED;
		for (int i = PROGRUN_SHORT; i < PROGRUN_LONG; i++)
			data[i] = frame[i];
	}
	bpf_tail_call(ctx, &slot, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp")
int lookup(struct xdp_md *ctx)
{
	struct progrun_key key = PROGRUN_KEY;

	(void)ctx;
	return bpf_map_lookup_elem(&table, &key) ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp")
int least(struct xdp_md *ctx)
{
	bool add = length < PROGRUN_LONG;
	__u64 *data;

	if (bpf_xdp_adjust_head(ctx, add ? -PROGRUN_OUTER : PROGRUN_OUTER))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	if (data + PROGRUN_WORDS > (__u64 *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < (add ? PROGRUN_WORDS : 2); i++)
		data[i] = words[i];
	return (int)bpf_redirect_map(&ports, 0, 0);
}
