/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanecost: nanoseconds that the programs of the XDP lane take for a packet, the flow cache warm,
 * without devices around them. Prints JSON. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/abi.h"
#include "lanecost.h"
#include "lanecost.skel.h"
#include "proto/csum_inc.h"
#include "proto/ip.h"

enum { REPEAT = 1000000, ROUNDS = 7, PAYLOAD = 18, LO = 1, TUNNEL_IFINDEX = 1000 };

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t hosts[2][4] = {{10, 10, 1, 2}, {20, 10, 1, 2}};
static const uint8_t ends[2][4] = {{172, 19, 1, 1}, {172, 19, 1, 2}};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t put_udp(uint8_t *p)
{
	struct ip_outer ip = {.family = IP_V4,
			      .protocol = IP_PROTOCOL_UDP,
			      .ttl = 64,
			      .payload_len = 8 + PAYLOAD,
			      .src = hosts[0],
			      .dst = hosts[1]};
	size_t at = ip_outer_encode(p, &ip);

	put_be16(p + at, 4000);
	put_be16(p + at + 2, 5000);
	put_be16(p + at + 4, 8 + PAYLOAD);
	put_be16(p + at + 6, 0x1234);
	return at + 8 + PAYLOAD;
}

static size_t put_link(uint8_t *p)
{
	memcpy(p, mac, 6);
	put_be16(p + 12, GRE_PROTOCOL_IPV4);
	return 14;
}

/* A frame from the LAN, or one out of the tunnel. */
static size_t put_frame(uint8_t *p, bool outer)
{
	size_t at = put_link(p);
	struct ip_outer ip = {.family = IP_V4,
			      .protocol = IP_PROTOCOL_GRE,
			      .ttl = 64,
			      .df = true,
			      .payload_len = 4 + 28 + PAYLOAD,
			      .src = ends[1],
			      .dst = ends[0]};

	if (outer) {
		at += ip_outer_encode(p + at, &ip);
		put_be32(p + at, GRE_PROTOCOL_IPV4);
		at += 4;
	}
	return at + put_udp(p + at);
}

static void set(const struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		fail(bpf_map__name(map));
}

static struct fast_path open_path(void)
{
	struct fast_path path = {.until_ns = ~0ull, .sample_ns = ~0ull, .ifindex = LO, .slot = 1};

	memcpy(path.header, mac, 6);
	path.header[12] = 8;
	return path;
}

static void add_tunnel(struct lanecost_bpf *skel)
{
	struct fast_tunnel t = {.ifindex = TUNNEL_IFINDEX,
				.flags = FAST_ENCAP | FAST_DECAP | FAST_XDP,
				.family = IP_V4,
				.gre_len = 4,
				.room = 1476,
				.policy = {.ecn = true, .ttl = 64},
				.in = open_path(),
				.out = open_path()};
	struct fast_outer4 outer = {.has_key = 0};
	uint32_t zero = 0, lo = LO;

	memcpy(t.local, ends[0], 4);
	memcpy(t.remote, ends[1], 4);
	memcpy(outer.local, ends[0], 4);
	memcpy(outer.remote, ends[1], 4);
	set(skel->maps.tunnels, &zero, &t);
	set(skel->maps.outer4, &outer, &zero);
	set(skel->maps.xdp_ports, &zero, &lo);
}

static void add_flow(struct lanecost_bpf *skel, uint32_t from, struct fast_action action)
{
	struct fast_flow flow = {.until_ns = ~0ull, .sample_ns = ~0ull, .action = action};
	struct fast_key4 key = {.from = from << 8 | IP_PROTOCOL_UDP};

	memcpy(key.src, hosts[0], 4);
	memcpy(key.dst, hosts[1], 4);
	put_be16(key.ports, 4000);
	put_be16(key.ports + 2, 5000);
	memcpy(flow.action.mac, mac, 6);
	set(skel->maps.flows4, &key, &flow);
}

/* Nanoseconds of one run; fails where the program does not do what is measured. */
static double run(const struct bpf_program *program, const uint8_t *frame, size_t len)
{
	uint8_t out[256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = sizeof out, .repeat = REPEAT);
	uint64_t begun = now_ns();

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		fail(bpf_program__name(program));
	if (opts.retval != 2 /* XDP_PASS */) {
		fprintf(stderr, "%s: verdict %u\n", bpf_program__name(program), opts.retval);
		exit(1);
	}
	return (double)(now_ns() - begun) / REPEAT;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct lanecost_bpf *skel, const char *name, bool outer, int32_t moved)
{
	uint8_t frame[256] = {0};
	size_t len = put_frame(frame, outer);
	struct lanecost job = {.moved = moved};
	double gross[ROUNDS], undo[ROUNDS], move[ROUNDS], net[ROUNDS];
	uint32_t zero = 0;

	memcpy(job.head, frame, sizeof job.head);
	set(skel->maps.job, &zero, &job);
	for (int i = 0; i < ROUNDS; i++) {
		gross[i] = run(skel->progs.lane_and_restore, frame, len);
		undo[i] = run(skel->progs.restore_only, frame, len);
		move[i] = run(skel->progs.move_only, frame, len);
		/* What undoing takes: both moves and the copy, less the move that is the lane's. */
		net[i] = gross[i] - (undo[i] - move[i] / 2);
	}
	qsort(gross, ROUNDS, sizeof *gross, compare);
	qsort(net, ROUNDS, sizeof *net, compare);
	printf("\"%s\": {\"ns\": %.1f, \"min\": %.1f, \"max\": %.1f, \"with_undo\": %.1f}", name,
	       net[ROUNDS / 2], net[0], net[ROUNDS - 1], gross[ROUNDS / 2]);
}

int main(void)
{
	struct fast_action into = {.tunnel = 1}, out = {.ifindex = LO, .slot = 1, .mtu = 1500};
	struct fast_action nat = into;
	struct lanecost_bpf *skel = lanecost_bpf__open();

	if (!skel)
		fail("open");
	bpf_map__set_max_entries(skel->maps.flows4, 262144);
	bpf_map__set_max_entries(skel->maps.flows6, 1024);
	if (lanecost_bpf__load(skel))
		fail("load");
	add_tunnel(skel);
	out.header[12] = 8;
	add_flow(skel, TUNNEL_IFINDEX, out);
	add_flow(skel, LO, into);
	printf("{");
	measure(skel, "encapsulate", false, -24);
	nat.nat = 1;
	memcpy(nat.src, ends[0], 4);
	memcpy(nat.dst, hosts[1], 4);
	add_flow(skel, LO, nat);
	printf(", ");
	measure(skel, "translate and encapsulate", false, -24);
	printf(", ");
	measure(skel, "decapsulate", true, 24);
	printf("}\n");
	lanecost_bpf__destroy(skel);
	return 0;
}
