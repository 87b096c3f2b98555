/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of ops.h as XDP programs, one each, so that the verifier judges each alone. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "ops.h"

const char program_license[] SEC("license") = "GPL";

#define OP_PROGRAM(name)                                                                   \
	SEC("xdp") int run_##name(struct xdp_md *ctx)                                      \
	{                                                                                  \
		uint8_t *data = (uint8_t *)(uintptr_t)ctx->data;                           \
		const uint8_t *end = (const uint8_t *)(uintptr_t)ctx->data_end;            \
                                                                                           \
		if (data + sizeof(struct op_io) > end)                                     \
			return XDP_ABORTED;                                                \
		op_##name((struct op_io *)(void *)data, data + sizeof(struct op_io), end); \
		return XDP_PASS;                                                           \
	}
OPS(OP_PROGRAM)
