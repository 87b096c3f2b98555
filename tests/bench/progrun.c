// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progrun: what an XDP program by itself takes for one frame, by BPF_PROG_TEST_RUN; prints a line
 * of JSON with nanoseconds.
 *
 *   progrun PROGRAM DEVICE FRAME [REPEAT]
 *
 * PROGRAM is a number or a pinned path. DEVICE, of this network namespace, is where the frame comes
 * in. FRAME is hexadecimal. progrun.bpf.c says how each run gets the same frame.
 */
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "progrun.h"

#include "progrun.skel.h"

struct run {
	struct progrun_bpf *skel;
	uint8_t frame[PROGRUN_MAX];
	unsigned length, device, repeat;
	unsigned ns, verdict, length_out; /* of the last one */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "progrun: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_program(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	int program = *end ? bpf_obj_get(text) : bpf_prog_get_fd_by_id((uint32_t)number);

	if (program < 0)
		die(text);
	return program;
}

static void parse_frame(const char *text, struct run *run)
{
	unsigned octet;

	for (; run->length < PROGRUN_MAX && sscanf(text, "%2x", &octet) == 1; text += 2)
		run->frame[run->length++] = (uint8_t)octet;
	if (*text || run->length < PROGRUN_SHORT) {
		fprintf(stderr, "progrun: %u octets of hexadecimal text are no frame\n",
			run->length);
		exit(2);
	}
}

/* A program that takes frames in several buffers can only be called by one that does, too. */
static struct progrun_bpf *load(const struct run *run, bool buffers)
{
	struct progrun_bpf *skel = progrun_bpf__open();
	struct progrun_key key = PROGRUN_KEY;
	uint32_t slot = 0;
	uint64_t value = 0;
	unsigned fixed = run->length < PROGRUN_LONG ? PROGRUN_SHORT : PROGRUN_LONG;

	if (!skel)
		die("open the programs");
	memcpy((void *)(uintptr_t)skel->rodata->frame, run->frame, fixed);
	skel->rodata->length = run->length;
	if (buffers) {
		bpf_program__set_flags(skel->progs.again, BPF_F_XDP_HAS_FRAGS);
		bpf_program__set_flags(skel->progs.nothing, BPF_F_XDP_HAS_FRAGS);
		bpf_program__set_flags(skel->progs.lookup, BPF_F_XDP_HAS_FRAGS);
		bpf_program__set_flags(skel->progs.least, BPF_F_XDP_HAS_FRAGS);
	}
	if (progrun_bpf__load(skel))
		die("load the programs");
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.table), &key, &value, 0))
		die("fill the table");
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &slot, &run->device, 0))
		die("name the port");
	return skel;
}

static int put(struct run *run, int program)
{
	uint32_t slot = 0;

	return bpf_map_update_elem(bpf_map__fd(run->skel->maps.slot), &slot, &program, 0);
}

static void measure(struct run *run, int program)
{
	uint8_t out[PROGRUN_MAX + 256];
	struct xdp_md context = {.data_end = run->length, .ingress_ifindex = run->device};
	LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = run->frame, .data_size_in = run->length,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)run->repeat);

	if (put(run, program))
		die("call the program");
	if (bpf_prog_test_run_opts(bpf_program__fd(run->skel->progs.again), &test))
		die("run the program");
	run->ns = test.duration;
	run->verdict = test.retval;
	run->length_out = test.data_size_out;
}

/* One that has not come to its end would seem fast. */
static unsigned yardstick(struct run *run, const struct bpf_program *program, unsigned verdict)
{
	measure(run, bpf_program__fd(program));
	if (run->verdict != verdict) {
		fprintf(stderr, "progrun: %s says %u, not %u\n", bpf_program__name(program),
			run->verdict, verdict);
		exit(1);
	}
	return run->ns;
}

/* How fast the core is just now, in dependent additions a nanosecond: a core that the machine below
 * shares with others may have a half or a quarter of its nominal clock, and says so nowhere. */
static double additions_per_ns(void)
{
	enum { MANY = 50000000 };
	struct timespec begin, end;
	uint64_t value = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < MANY; i++) {
		value++;
		__asm__ volatile("" : "+r"(value));
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return MANY /
	       ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec));
}

int main(int argc, char **argv)
{
	struct run run = {.repeat = 200000};
	unsigned own, lookup, least;
	int program;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: progrun PROGRAM DEVICE FRAME [REPEAT]\n");
		return 2;
	}
	program = open_program(argv[1]);
	run.device = if_nametoindex(argv[2]);
	if (run.device == 0)
		die(argv[2]);
	parse_frame(argv[3], &run);
	if (argc == 5)
		run.repeat = (unsigned)strtoul(argv[4], NULL, 10);
	run.skel = load(&run, false);
	if (put(&run, program)) {
		progrun_bpf__destroy(run.skel);
		run.skel = load(&run, true);
		if (put(&run, program))
			die("call the program");
	}
	measure(&run, bpf_program__fd(run.skel->progs.nothing));
	own = run.ns;
	lookup = yardstick(&run, run.skel->progs.lookup, XDP_DROP);
	least = yardstick(&run, run.skel->progs.least, XDP_REDIRECT);
	measure(&run, program);
	printf("{\"ns\": %d, \"with_frame\": %u, \"frame_alone\": %u, \"lookup\": %d, "
	       "\"least\": %d, \"verdict\": %u, \"length\": %u, \"additions_per_ns\": %.2f}\n",
	       (int)run.ns - (int)own, run.ns, own, (int)lookup - (int)own, (int)least - (int)own,
	       run.verdict, run.length_out, additions_per_ns());
	progrun_bpf__destroy(run.skel);
	return 0;
}
