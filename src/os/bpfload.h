/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpfload.h: the programs of src/bpf in the kernel, and their maps. Maps are pinned in a directory
 * where there is a BPF file system, so that the next process takes them over with what they hold;
 * programs stay where they are attached (bpfattach.h) until another process replaces them.
 */
#ifndef OS_BPFLOAD_H
#define OS_BPFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "proto/addr.h"

struct bpf;

#define BPF_WHY_SIZE 192

/* Loads the programs, with room for `flows` flows of each family. `pins` is the directory for maps,
 * "" for none. NULL: the kernel does not take them, with the reason in `why`. */
struct bpf *bpf_load(const char *pins, uint32_t flows, char why[BPF_WHY_SIZE]);
/* What is attached goes on running. */
void bpf_free(struct bpf *bpf);
/* Maps are not kept for the next process. */
void bpf_unpin(struct bpf *bpf);

/* Descriptors of programs; -1: this kernel does not take it. */
int bpf_program_tunnel_out(const struct bpf *bpf);
int bpf_program_device_in(const struct bpf *bpf);
int bpf_program_device_out(const struct bpf *bpf);
int bpf_program_xdp(const struct bpf *bpf);
/* Why there is no XDP program; "" when there is one. */
const char *bpf_why_no_xdp(const struct bpf *bpf);
/* From now on XDP hands what comes out of tunnels to these CPUs, at most FAST_SPREAD_MAX; `count`
 * 0: to none. 0 or -errno, and then to none. */
int bpf_spread(struct bpf *bpf, const uint32_t *cpus, uint32_t count);
/* Why that cannot be; "" when it can. */
const char *bpf_why_no_spread(const struct bpf *bpf);
/* Packets for which such a CPU had no room; -1: nobody counts them. */
int64_t bpf_spread_lost(const struct bpf *bpf);
/* Whether flows can be learned from connection tracking. */
bool bpf_has_conntrack(const struct bpf *bpf);
const char *bpf_pins(const struct bpf *bpf);

/* A sign of life: from it the programs know the time, and that somebody is there. 0 or -errno. */
int bpf_beat(const struct bpf *bpf);

/* Memory shared with the programs. */
struct fast_control *bpf_control(const struct bpf *bpf);
struct fast_tunnel *bpf_tunnels(const struct bpf *bpf); /* FAST_TUNNELS_MAX of them */

/* 0 or -errno. Removing what is not there is no error. */
/* -ENOENT when there is none. */
int bpf_interface_get(const struct bpf *bpf, uint32_t ifindex, uint32_t *slot);
/* The interface after *ifindex, from 0 on; false after the last. */
bool bpf_interface_next(const struct bpf *bpf, uint32_t *ifindex, uint32_t *slot);
int bpf_interface_set(struct bpf *bpf, uint32_t ifindex, uint32_t slot);
int bpf_interface_remove(struct bpf *bpf, uint32_t ifindex);
/* A tunnel is found by its outer addresses and the key that it receives. */
int bpf_outer_set(struct bpf *bpf, const struct ip_addr *local, const struct ip_addr *remote,
		  bool has_key, uint32_t key, uint32_t slot);
/* Only if the entry leads to this slot. */
int bpf_outer_remove(struct bpf *bpf, const struct ip_addr *local, const struct ip_addr *remote,
		     bool has_key, uint32_t key, uint32_t slot);
int bpf_link_set(struct bpf *bpf, uint32_t ifindex, const struct fast_link *link);
int bpf_link_remove(struct bpf *bpf, uint32_t ifindex);
/* The device after *ifindex, from 0 on; false after the last. */
bool bpf_link_next(const struct bpf *bpf, uint32_t *ifindex, struct fast_link *out);
/* XDP may send to the device by this slot of 0 to FAST_DEVICES_MAX - 1; ifindex 0: to none. */
int bpf_port_set(struct bpf *bpf, uint32_t slot, uint32_t ifindex);
/* Sums over all CPUs. */
int bpf_counters(const struct bpf *bpf, uint32_t slot, struct fast_counters *sum);
int bpf_counters_clear(struct bpf *bpf, uint32_t slot);
/* How many flows are known; walks them. */
uint32_t bpf_flow_count(const struct bpf *bpf);

#endif
