/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpfxdp.h: the programs of XDP in the kernel, which share the maps of those of TC, and how they
 * spread packets over CPUs (src/bpf/spread.h). For bpfload.c. */
#ifndef OS_BPFXDP_H
#define OS_BPFXDP_H

#include <stdbool.h>
#include <stdint.h>

#include "os/bpfload.h"

struct bpf_map;
struct bpf_object;
struct bpf_xdp;

/* Whether all programs have the map together, also those of the greteld before. */
bool bpf_is_shared(const struct bpf_map *map);

struct bpf_xdp_setup {
	const struct bpf_object *maps; /* loaded, and has those that are shared */
	uint32_t tick_ns, hot_size;
	int cpus; /* that may ever be there */
	bool conntrack;
};

/* NULL: the kernel does not take it, with the reason in `why`. */
struct bpf_xdp *bpf_xdp_load(const struct bpf_xdp_setup *setup, char why[BPF_WHY_SIZE]);
void bpf_xdp_free(struct bpf_xdp *xdp);
int bpf_xdp_program(const struct bpf_xdp *xdp);

/* As those of bpfload.h. */
int bpf_xdp_spread(struct bpf_xdp *xdp, const uint32_t *cpus, uint32_t count);
const char *bpf_xdp_why_no_spread(const struct bpf_xdp *xdp);
int64_t bpf_xdp_spread_lost(const struct bpf_xdp *xdp);

#endif
