/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/bpfload.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gre_tc.skel.h"
#include "os/bpfsaid.h"
#include "os/bpfxdp.h"

struct bpf {
	struct gre_tc *tc;
	struct bpf_xdp *xdp; /* NULL: see why_no_xdp */
	bool conntrack;
	char pins[PATH_MAX];
	char why_no_xdp[BPF_WHY_SIZE];
	struct fast_control *control;
	struct fast_tunnel *tunnels;
	struct fast_counters *sums; /* one for each CPU */
	int cpus;
};

#define CONTROL_SIZE 4096
#define TUNNELS_SIZE (FAST_TUNNELS_MAX * sizeof(struct fast_tunnel))

static int pin_path(const struct bpf *bpf, const char *name, char path[PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%s-%d", bpf->pins, name, FAST_ABI);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The kernel adds a flag of its own to a map of devices, for which libbpf takes it for another map
 * than it was: that one is taken over here. */
static int take_ports(struct bpf *bpf, const char *path)
{
	struct bpf_map *map = bpf->tc->maps.xdp_ports;
	struct bpf_map_info info = {0};
	uint32_t size = sizeof info;
	int fd = bpf_obj_get(path), err = -ENOENT;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == BPF_MAP_TYPE_DEVMAP &&
	    info.max_entries == FAST_DEVICES_MAX)
		err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err;
}

/* Before loading: where each map is kept, and taken from if it is there. */
static int set_pins(struct bpf *bpf)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err = 0;

	bpf_object__for_each_map(map, bpf->tc->obj)
	{
		if (err || !bpf_is_shared(map) || !bpf->pins[0])
			continue;
		err = pin_path(bpf, bpf_map__name(map), path);
		if (err || (map == bpf->tc->maps.xdp_ports && take_ports(bpf, path) == 0))
			continue;
		err = bpf_map__set_pin_path(map, path);
	}
	return err;
}

void bpf_unpin(struct bpf *bpf)
{
	struct bpf_map *map;
	char path[PATH_MAX];

	bpf_object__for_each_map(map, bpf->tc->obj) if (bpf_is_shared(map) && bpf->pins[0] &&
							pin_path(bpf, bpf_map__name(map), path) ==
								0)(void) unlink(path);
	if (bpf->pins[0])
		(void)rmdir(bpf->pins);
}

static void choose_programs(struct gre_tc *tc, bool conntrack)
{
	bpf_program__set_autoload(tc->progs.tunnel_out_ct, conntrack);
	bpf_program__set_autoload(tc->progs.device_in_ct, conntrack);
	bpf_program__set_autoload(tc->progs.device_out_ct, conntrack);
	bpf_program__set_autoload(tc->progs.tunnel_out_plain, !conntrack);
	bpf_program__set_autoload(tc->progs.device_in_plain, !conntrack);
	bpf_program__set_autoload(tc->progs.device_out_plain, !conntrack);
}

/* Nanoseconds; what the coarse clocks are as exact as. */
static uint32_t tick_length(void)
{
	struct timespec tick;

	return clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_sec == 0
		       ? (uint32_t)tick.tv_nsec
		       : 4000000;
}

/* Entries of `hot` for each CPU. The flows are spread over the CPUs by the cards' queues, so that
 * together the copies are about as many as the flows. */
static uint32_t hot_size(const struct bpf *bpf, uint32_t flows)
{
	uint32_t size = FAST_HOT_MIN;

	while (size < flows / (uint32_t)bpf->cpus)
		size *= 2;
	return size;
}

/* One try; the object is closed again when it fails. */
static int load_tc(struct bpf *bpf, uint32_t flows, bool conntrack, bool decap_flags)
{
	struct gre_tc *tc = gre_tc__open();
	int err;

	if (!tc)
		return -errno;
	bpf->tc = tc;
	bpf_map__set_max_entries(tc->maps.flows4, flows);
	bpf_map__set_max_entries(tc->maps.flows6, flows);
	tc->rodata->hot_size = hot_size(bpf, flows);
	bpf_map__set_max_entries(tc->maps.hot, tc->rodata->hot_size * (uint32_t)bpf->cpus);
	tc->rodata->decap_flags = decap_flags;
	tc->rodata->ct_there = conntrack;
	tc->rodata->tick_ns = tick_length();
	choose_programs(tc, conntrack);
	err = set_pins(bpf);
	if (!err)
		err = gre_tc__load(tc);
	if (err) {
		gre_tc__destroy(tc);
		bpf->tc = NULL;
	}
	bpf->conntrack = conntrack;
	return err;
}

/* Maps of another size than is wanted now cannot be taken over. */
static void remove_stale_pins(struct bpf *bpf)
{
	struct gre_tc *tc = gre_tc__open();

	if (!tc)
		return;
	bpf->tc = tc;
	bpf_unpin(bpf);
	(void)mkdir(bpf->pins, 0700);
	gre_tc__destroy(tc);
	bpf->tc = NULL;
}

/* Whether the kernel knows the flags of bpf_skb_adjust_room() that say what is left: it refuses
 * those that it does not know before it looks at the packet. */
static bool probe_decap_flags(void)
{
	/* r0 = bpf_skb_adjust_room(packet, -28, BPF_ADJ_ROOM_MAC, flags); return r0 == 0 */
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = -28},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_3,
		 .imm = BPF_ADJ_ROOM_MAC},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_4,
		 .imm = BPF_F_ADJ_ROOM_FIXED_GSO | 1 << 7},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_adjust_room},
		{.code = BPF_JMP | BPF_EXIT},
	};
	uint8_t packet[14 + 20 + 28 + 20] = {[12] = 8, [14] = 0x45, [17] = 68, [23] = 47};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof packet);
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "gretel_probe", "GPL", code,
			       sizeof code / sizeof code[0], NULL);
	bool known = fd >= 0 && bpf_prog_test_run_opts(fd, &run) == 0 && run.retval == 0;

	if (fd >= 0)
		close(fd);
	return known;
}

/* With what the kernel knows of connections, or without; with the maps that are there, or new ones.
 */
static int load_any_tc(struct bpf *bpf, uint32_t flows)
{
	bool decap_flags = probe_decap_flags();
	int err = load_tc(bpf, flows, true, decap_flags);

	if (err && bpf->pins[0]) {
		remove_stale_pins(bpf);
		err = load_tc(bpf, flows, true, decap_flags);
	}
	if (err)
		err = load_tc(bpf, flows, false, decap_flags);
	return err;
}

static void load_xdp(struct bpf *bpf)
{
	const struct bpf_xdp_setup setup = {.maps = bpf->tc->obj,
					    .tick_ns = bpf->tc->rodata->tick_ns,
					    .hot_size = bpf->tc->rodata->hot_size,
					    .cpus = bpf->cpus,
					    .conntrack = bpf->conntrack};

	bpf->xdp = bpf_xdp_load(&setup, bpf->why_no_xdp);
}

static void *map_memory(const struct bpf_map *map, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct bpf *bpf_load(const char *pins, uint32_t flows, char why[BPF_WHY_SIZE])
{
	struct bpf *bpf = calloc(1, sizeof *bpf);
	int err = bpf ? 0 : -ENOMEM;

	bpf_listen();
	if (bpf) {
		snprintf(bpf->pins, sizeof bpf->pins, "%s", pins);
		bpf->cpus = libbpf_num_possible_cpus();
		bpf->sums = calloc(bpf->cpus > 0 ? (size_t)bpf->cpus : 1, sizeof *bpf->sums);
		err = bpf->cpus < 0 ? bpf->cpus : bpf->sums ? 0 : -ENOMEM;
	}
	if (!err)
		err = load_any_tc(bpf, flows);
	if (!err) {
		bpf->control = map_memory(bpf->tc->maps.control, CONTROL_SIZE);
		bpf->tunnels = map_memory(bpf->tc->maps.tunnels, TUNNELS_SIZE);
		err = bpf->control && bpf->tunnels ? 0 : -errno;
	}
	if (err) {
		snprintf(why, BPF_WHY_SIZE, "the kernel does not take the programs: %.100s",
			 bpf_said(err));
		if (bpf)
			bpf_free(bpf);
		return NULL;
	}
	load_xdp(bpf);
	return bpf;
}

void bpf_free(struct bpf *bpf)
{
	if (bpf->control)
		munmap(bpf->control, CONTROL_SIZE);
	if (bpf->tunnels)
		munmap(bpf->tunnels, TUNNELS_SIZE);
	if (bpf->xdp)
		bpf_xdp_free(bpf->xdp);
	if (bpf->tc)
		gre_tc__destroy(bpf->tc);
	free(bpf->sums);
	free(bpf);
}

int bpf_program_tunnel_out(const struct bpf *bpf)
{
	return bpf_program__fd(bpf->conntrack ? bpf->tc->progs.tunnel_out_ct
					      : bpf->tc->progs.tunnel_out_plain);
}

int bpf_program_device_in(const struct bpf *bpf)
{
	return bpf_program__fd(bpf->conntrack ? bpf->tc->progs.device_in_ct
					      : bpf->tc->progs.device_in_plain);
}

int bpf_program_device_out(const struct bpf *bpf)
{
	return bpf_program__fd(bpf->conntrack ? bpf->tc->progs.device_out_ct
					      : bpf->tc->progs.device_out_plain);
}

int bpf_beat(const struct bpf *bpf)
{
	uint8_t packet[64] = {0}; /* the kernel wants one */
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof packet);

	return bpf_prog_test_run_opts(bpf_program__fd(bpf->tc->progs.beat), &run) < 0 ? -errno : 0;
}

int bpf_program_xdp(const struct bpf *bpf)
{
	return bpf->xdp ? bpf_xdp_program(bpf->xdp) : -1;
}

int bpf_spread(struct bpf *bpf, const uint32_t *cpus, uint32_t count)
{
	return bpf->xdp ? bpf_xdp_spread(bpf->xdp, cpus, count) : -EOPNOTSUPP;
}

const char *bpf_why_no_spread(const struct bpf *bpf)
{
	return bpf->xdp ? bpf_xdp_why_no_spread(bpf->xdp) : bpf->why_no_xdp;
}

int64_t bpf_spread_lost(const struct bpf *bpf)
{
	return bpf->xdp ? bpf_xdp_spread_lost(bpf->xdp) : -1;
}

const char *bpf_why_no_xdp(const struct bpf *bpf)
{
	return bpf->why_no_xdp;
}

bool bpf_has_conntrack(const struct bpf *bpf)
{
	return bpf->conntrack;
}

const char *bpf_pins(const struct bpf *bpf)
{
	return bpf->pins;
}

struct fast_control *bpf_control(const struct bpf *bpf)
{
	return bpf->control;
}

struct fast_tunnel *bpf_tunnels(const struct bpf *bpf)
{
	return bpf->tunnels;
}

static int set(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) < 0 ? -errno : 0;
}

static int unset(const struct bpf_map *map, const void *key)
{
	if (bpf_map_delete_elem(bpf_map__fd(map), key) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

int bpf_interface_get(const struct bpf *bpf, uint32_t ifindex, uint32_t *slot)
{
	return bpf_map_lookup_elem(bpf_map__fd(bpf->tc->maps.interfaces), &ifindex, slot) < 0
		       ? -errno
		       : 0;
}

int bpf_interface_set(struct bpf *bpf, uint32_t ifindex, uint32_t slot)
{
	return set(bpf->tc->maps.interfaces, &ifindex, &slot);
}

int bpf_interface_remove(struct bpf *bpf, uint32_t ifindex)
{
	return unset(bpf->tc->maps.interfaces, &ifindex);
}

/* The key of an outer packet, and the map that has it. */
struct outer_key {
	union {
		struct fast_outer4 v4;
		struct fast_outer6 v6;
	};
	const struct bpf_map *map;
};

static struct outer_key outer_key(const struct bpf *bpf, const struct ip_addr *local,
				  const struct ip_addr *remote, bool has_key, uint32_t key)
{
	struct outer_key out = {.map = NULL};

	if (local->family == IP_V4) {
		out.v4 = (struct fast_outer4){.key = key, .has_key = has_key};
		memcpy(out.v4.local, local->bytes, 4);
		memcpy(out.v4.remote, remote->bytes, 4);
		out.map = bpf->tc->maps.outer4;
	} else {
		out.v6 = (struct fast_outer6){.key = key, .has_key = has_key};
		memcpy(out.v6.local, local->bytes, 16);
		memcpy(out.v6.remote, remote->bytes, 16);
		out.map = bpf->tc->maps.outer6;
	}
	return out;
}

int bpf_outer_set(struct bpf *bpf, const struct ip_addr *local, const struct ip_addr *remote,
		  bool has_key, uint32_t key, uint32_t slot)
{
	struct outer_key outer = outer_key(bpf, local, remote, has_key, key);

	return set(outer.map, &outer, &slot);
}

int bpf_outer_remove(struct bpf *bpf, const struct ip_addr *local, const struct ip_addr *remote,
		     bool has_key, uint32_t key, uint32_t slot)
{
	struct outer_key outer = outer_key(bpf, local, remote, has_key, key);
	uint32_t found;

	if (bpf_map_lookup_elem(bpf_map__fd(outer.map), &outer, &found) < 0 || found != slot)
		return 0;
	return unset(outer.map, &outer);
}

int bpf_link_set(struct bpf *bpf, uint32_t ifindex, const struct fast_link *link)
{
	return set(bpf->tc->maps.links, &ifindex, link);
}

int bpf_link_remove(struct bpf *bpf, uint32_t ifindex)
{
	return unset(bpf->tc->maps.links, &ifindex);
}

/* Both are keyed by the index of a device, which is never 0. */
static bool next_device(const struct bpf_map *map, uint32_t *ifindex, void *value)
{
	int fd = bpf_map__fd(map);
	uint32_t next;

	if (bpf_map_get_next_key(fd, *ifindex ? ifindex : NULL, &next) != 0)
		return false;
	*ifindex = next;
	return bpf_map_lookup_elem(fd, &next, value) == 0;
}

bool bpf_link_next(const struct bpf *bpf, uint32_t *ifindex, struct fast_link *out)
{
	return next_device(bpf->tc->maps.links, ifindex, out);
}

bool bpf_interface_next(const struct bpf *bpf, uint32_t *ifindex, uint32_t *slot)
{
	return next_device(bpf->tc->maps.interfaces, ifindex, slot);
}

int bpf_port_set(struct bpf *bpf, uint32_t slot, uint32_t ifindex)
{
	return ifindex ? set(bpf->tc->maps.xdp_ports, &slot, &ifindex)
		       : unset(bpf->tc->maps.xdp_ports, &slot);
}

int bpf_counters(const struct bpf *bpf, uint32_t slot, struct fast_counters *sum)
{
	*sum = (struct fast_counters){0};
	if (bpf_map_lookup_elem(bpf_map__fd(bpf->tc->maps.counters), &slot, bpf->sums) < 0)
		return -errno;
	for (int i = 0; i < bpf->cpus; i++) {
		const struct fast_counters *c = &bpf->sums[i];

		sum->rx_packets += c->rx_packets;
		sum->rx_octets += c->rx_octets;
		sum->tx_packets += c->tx_packets;
		sum->tx_octets += c->tx_octets;
		sum->reflected += c->reflected;
		if (c->last_rx_ns > sum->last_rx_ns) {
			sum->last_rx_ns = c->last_rx_ns;
			sum->last_rx_gre = c->last_rx_gre;
		}
	}
	return 0;
}

int bpf_counters_clear(struct bpf *bpf, uint32_t slot)
{
	memset(bpf->sums, 0, (size_t)bpf->cpus * sizeof *bpf->sums);
	return set(bpf->tc->maps.counters, &slot, bpf->sums);
}

static uint32_t count_keys(const struct bpf_map *map)
{
	char key[sizeof(struct fast_key6)], next[sizeof key];
	uint32_t count = 0, most = bpf_map__max_entries(map);
	int fd = bpf_map__fd(map);
	const void *before = NULL;

	while (count < most && bpf_map_get_next_key(fd, before, next) == 0) {
		memcpy(key, next, sizeof key);
		before = key;
		count++;
	}
	return count;
}

uint32_t bpf_flow_count(const struct bpf *bpf)
{
	return count_keys(bpf->tc->maps.flows4) + count_keys(bpf->tc->maps.flows6);
}
