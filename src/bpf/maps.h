/* SPDX-License-Identifier: GPL-2.0-or-later */
/* maps.h: the maps that all programs share. Both objects declare them; the loader gives the second
 * the maps of the first. Sizes of the flow maps are set when they are created. */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* greteld reads and writes `control` and `tunnels` as memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct fast_control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FAST_TUNNELS_MAX);
	__type(key, uint32_t);
	__type(value, struct fast_tunnel);
} tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FAST_TUNNELS_MAX);
	__type(key, uint32_t);
	__type(value, struct fast_counters);
} counters SEC(".maps");

/* From the index of a tunnel's interface to its entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_TUNNELS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_TUNNELS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fast_outer4);
	__type(value, uint32_t);
} outer4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_TUNNELS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fast_outer6);
	__type(value, uint32_t);
} outer6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct fast_key4);
	__type(value, struct fast_flow);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct fast_key6);
	__type(value, struct fast_flow);
} flows6 SEC(".maps");

/* One CPU's behind the other's. As memory they begin at a page. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct fast_hot);
} hot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FAST_ENTERING_MAX);
	__type(key, struct fast_key4);
	__type(value, struct fast_entering);
} entering4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FAST_ENTERING_MAX);
	__type(key, struct fast_key6);
	__type(value, struct fast_entering);
} entering6 SEC(".maps");

/* Devices where the programs are, by index. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_DEVICES_MAX);
	__type(key, uint32_t);
	__type(value, struct fast_link);
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, FAST_DEVICES_MAX);
	__type(key, uint32_t);
	__type(value, uint32_t);
} xdp_ports SEC(".maps");

/* Set by the loader: nanoseconds of a tick, and how many entries of `hot` each CPU has, a power of
 * two. */
const volatile uint32_t tick_ns = 4000000, hot_size = 1;

/* CLOCK_MONOTONIC, as exact as a tick. The kernel's clocks would cost a call; the ticks are read
 * where they are, and greteld has the difference written anew with each sign of life. */
static inline __attribute__((always_inline)) uint64_t clock_ns(const struct fast_control *c)
{
	return c->clock_base + bpf_jiffies64() * tick_ns;
}

static inline __attribute__((always_inline)) struct fast_control *control_get(void)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

#endif
