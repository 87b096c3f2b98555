// SPDX-License-Identifier: GPL-2.0-or-later
/* capture.bpf.c: takes every frame of a far end's device, before GRO could join some. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "capture.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} frames SEC(".maps");

__u64 lost;

SEC("xdp.frags") int capture(struct xdp_md *ctx)
{
	__u32 len = (__u32)bpf_xdp_get_buff_len(ctx);
	struct capture *c;

	if (len == 0 || len > CAPTURE_MAX) {
		__sync_fetch_and_add(&lost, 1);
		return XDP_DROP;
	}
	c = bpf_ringbuf_reserve(&frames, sizeof *c, 0);
	if (!c) {
		__sync_fetch_and_add(&lost, 1);
		return XDP_DROP;
	}
	c->ifindex = ctx->ingress_ifindex;
	c->len = len;
	bpf_xdp_load_bytes(ctx, 0, c->data, len);
	bpf_ringbuf_submit(c, 0);
	return XDP_DROP;
}
