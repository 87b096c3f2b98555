/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XDP lane's program in a loop: BPF_PROG_TEST_RUN hands the same frame to the program again and
 * again, so what one run has made of it is undone before the next. lanecost.c measures the undoing
 * alone, too, and subtracts it.
 */
#include "bpf/gre_xdp.bpf.c"

#include "lanecost.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct lanecost);
} job SEC(".maps");

/* The frame begins as it began. */
PROTO_INLINE int restore(struct xdp_md *ctx, const struct lanecost *j)
{
	uint8_t *p;

	if (bpf_xdp_adjust_head(ctx, -j->moved))
		return XDP_ABORTED;
	p = (uint8_t *)(uintptr_t)ctx->data;
	if (p + LANECOST_HEAD > (uint8_t *)(uintptr_t)ctx->data_end)
		return XDP_ABORTED;
	for (unsigned i = 0; i < LANECOST_HEAD; i += 4)
		copy4(p + i, j->head + i);
	return XDP_PASS;
}

SEC("xdp.frags") int lane_and_restore(struct xdp_md *ctx)
{
	uint32_t zero = 0;
	const struct lanecost *j = bpf_map_lookup_elem(&job, &zero);

	if (!j || frame_in(ctx) != XDP_REDIRECT)
		return XDP_DROP;
	return restore(ctx, j);
}

/* Moves the head there and back, of which going there belongs to the lane. */
SEC("xdp.frags") int restore_only(struct xdp_md *ctx)
{
	uint32_t zero = 0;
	const struct lanecost *j = bpf_map_lookup_elem(&job, &zero);

	if (!j || bpf_xdp_adjust_head(ctx, j->moved))
		return XDP_DROP;
	return restore(ctx, j);
}

/* Moving the head there and back, and nothing else. */
SEC("xdp.frags") int move_only(struct xdp_md *ctx)
{
	uint32_t zero = 0;
	const struct lanecost *j = bpf_map_lookup_elem(&job, &zero);

	if (!j || bpf_xdp_adjust_head(ctx, j->moved) || bpf_xdp_adjust_head(ctx, -j->moved))
		return XDP_DROP;
	return XDP_PASS;
}
