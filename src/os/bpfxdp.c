/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/bpfxdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gre_xdp.skel.h"
#include "os/bpfsaid.h"

/* Packets that may wait for a CPU: some milliseconds of work for it, and eight octets of memory
 * each. A card's own queue is not longer. */
enum { QUEUE = 2048 };

struct bpf_xdp {
	struct gre_xdp *skel;
	struct bpf_link *watch; /* counts what is lost; NULL: nothing does */
	bool conntrack;
	char why_no_spread[BPF_WHY_SIZE];
};

/* What of it is loaded: an older kernel may not take all. */
enum part { PART_LANE, PART_SPREAD, PART_WATCH, PARTS };

bool bpf_is_shared(const struct bpf_map *map)
{
	return strchr(bpf_map__name(map), '.') == NULL; /* constants belong to one object */
}

static int share_maps(struct gre_xdp *skel, const struct bpf_object *maps)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		const struct bpf_map *from = bpf_object__find_map_by_name(maps, bpf_map__name(map));

		if (!err && from && bpf_is_shared(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(from));
	}
	return err;
}

static void choose(struct gre_xdp *skel, const struct bpf_xdp_setup *setup, enum part most)
{
	bool spread = most >= PART_SPREAD;

	skel->rodata->tick_ns = setup->tick_ns;
	skel->rodata->hot_size = setup->hot_size;
	skel->rodata->ct_there = setup->conntrack;
	skel->rodata->spread_there = spread;
	bpf_program__set_autoload(skel->progs.xdp_in_ct, setup->conntrack);
	bpf_program__set_autoload(skel->progs.xdp_in_plain, !setup->conntrack);
	bpf_program__set_autoload(skel->progs.xdp_cpu_ct, spread && setup->conntrack);
	bpf_program__set_autoload(skel->progs.xdp_cpu_plain, spread && !setup->conntrack);
	bpf_program__set_autoload(skel->progs.spread_watch, most >= PART_WATCH);
	bpf_map__set_autocreate(skel->maps.spread_to, spread);
	bpf_map__set_max_entries(skel->maps.spread_to, (uint32_t)setup->cpus);
}

/* One try. */
static int load(struct bpf_xdp *xdp, const struct bpf_xdp_setup *setup, enum part most)
{
	struct gre_xdp *skel = gre_xdp__open();
	int err = skel ? share_maps(skel, setup->maps) : -errno;

	bpf_listen();
	if (!err) {
		choose(skel, setup, most);
		err = gre_xdp__load(skel);
	}
	if (err && skel)
		gre_xdp__destroy(skel);
	else
		xdp->skel = skel;
	return err;
}

struct bpf_xdp *bpf_xdp_load(const struct bpf_xdp_setup *setup, char why[BPF_WHY_SIZE])
{
	struct bpf_xdp *xdp = calloc(1, sizeof *xdp);
	int err = xdp ? load(xdp, setup, PART_WATCH) : -ENOMEM;

	if (xdp && err)
		err = load(xdp, setup, PART_SPREAD);
	if (xdp && err) {
		snprintf(xdp->why_no_spread, sizeof xdp->why_no_spread,
			 "the kernel does not take the program of other CPUs: %.100s",
			 bpf_said(err));
		err = load(xdp, setup, PART_LANE);
	}
	if (err) {
		snprintf(why, BPF_WHY_SIZE, "the kernel does not take the XDP program: %.100s",
			 bpf_said(err));
		free(xdp);
		return NULL;
	}
	xdp->conntrack = setup->conntrack;
	return xdp;
}

void bpf_xdp_free(struct bpf_xdp *xdp)
{
	bpf_link__destroy(xdp->watch);
	gre_xdp__destroy(xdp->skel);
	free(xdp);
}

int bpf_xdp_program(const struct bpf_xdp *xdp)
{
	return bpf_program__fd(xdp->conntrack ? xdp->skel->progs.xdp_in_ct
					      : xdp->skel->progs.xdp_in_plain);
}

/* The counting of what is lost begins before anything can be. */
static void watch(struct bpf_xdp *xdp)
{
	const struct bpf_program *program = xdp->skel->progs.spread_watch;
	struct bpf_map_info info = {0};
	uint32_t size = sizeof info;

	if (xdp->watch || !bpf_program__autoload(program) ||
	    bpf_obj_get_info_by_fd(bpf_map__fd(xdp->skel->maps.spread_to), &info, &size) != 0)
		return;
	xdp->skel->bss->spread_map = info.id;
	xdp->watch = bpf_program__attach_raw_tracepoint(program, "xdp_cpumap_enqueue");
}

/* Gives a CPU a queue, and the program that empties it; that it has them already is no error. */
static int make_queue(const struct bpf_xdp *xdp, uint32_t cpu)
{
	const struct bpf_program *program =
		xdp->conntrack ? xdp->skel->progs.xdp_cpu_ct : xdp->skel->progs.xdp_cpu_plain;
	struct bpf_cpumap_val there, value = {.qsize = QUEUE};
	int map = bpf_map__fd(xdp->skel->maps.spread_to);

	if (bpf_map_lookup_elem(map, &cpu, &there) == 0 && there.qsize)
		return 0;
	value.bpf_prog.fd = bpf_program__fd(program);
	return bpf_map_update_elem(map, &cpu, &value, BPF_ANY) < 0 ? -errno : 0;
}

int bpf_xdp_spread(struct bpf_xdp *xdp, const uint32_t *cpus, uint32_t count)
{
	int err = count && xdp->why_no_spread[0] ? -EOPNOTSUPP : 0;

	if (count && !err)
		watch(xdp);
	for (uint32_t i = 0; i < count && !err; i++)
		err = make_queue(xdp, cpus[i]);
	__atomic_store_n(&xdp->skel->bss->spread_count, 0, __ATOMIC_SEQ_CST);
	if (err)
		return err;
	for (uint32_t i = 0; i < count; i++)
		xdp->skel->bss->spread_cpus[i] = cpus[i];
	__atomic_store_n(&xdp->skel->bss->spread_count, count, __ATOMIC_SEQ_CST);
	return 0;
}

const char *bpf_xdp_why_no_spread(const struct bpf_xdp *xdp)
{
	return xdp->why_no_spread;
}

int64_t bpf_xdp_spread_lost(const struct bpf_xdp *xdp)
{
	return xdp->watch ? (int64_t)__atomic_load_n(&xdp->skel->bss->spread_lost, __ATOMIC_RELAXED)
			  : -1;
}
