/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of sequence numbers. A step is `count` packets numbered from `first`, `step` apart (0
 * stands for 1; counted modulo 2^32, so that -1 is down), one per millisecond after `wait_ms` of
 * silence; `verdict` is that of its last packet, all before it get `before`.
 */
#ifndef VECTORS_SEQ_H
#define VECTORS_SEQ_H

#include "proto/seq.h"

struct seq_step {
	uint32_t first, count;
	enum seq_verdict before, verdict;
	uint32_t step;
	uint32_t wait_ms;
};

struct seq_vector {
	const char *name;
	struct seq_step steps[6]; /* those with a count */
};

#define ALL(verdict) verdict, verdict
#define THEN(a, b)   a, b
#define DOWN	     UINT32_MAX
#define GOOD(from, n)                          \
	{                                      \
		from, n, ALL(SEQ_ACCEPT), 0, 0 \
	}
#define STALE(from, n)                      \
	{                                   \
		from, n, ALL(SEQ_OLD), 0, 0 \
	}

/* clang-format off */
static const struct seq_vector seq_vectors[] = {
	/*  1 */ {"from 0", {GOOD(0, 100)}},
	/*  2 */ {"the first may be any", {GOOD(0xdeadbeef, 3)}},
	/*  3 */ {"gap", {GOOD(5, 2), GOOD(8, 1), GOOD(1000000, 1)}},
	/*  4 */ {"repeated, older", {GOOD(5, 2), STALE(6, 1), STALE(5, 1), STALE(4, 1), GOOD(7, 1)}},
	/*  5 */ {"late after a gap", {GOOD(6, 1), GOOD(8, 1), STALE(7, 1), GOOD(9, 1)}},
	/*  6 */ {"wraps", {GOOD(0xfffffffe, 4), STALE(0xffffffff, 1), STALE(1, 1), GOOD(2, 1)}},
	/*  7 */ {"half the circle ahead is new", {GOOD(0, 1), GOOD(0x80000000, 1)}},
	/*  8 */ {"half the circle behind is old", {GOOD(0, 1), STALE(0x80000001, 1)}},
	/*  9 */ {"0 again after one packet", {GOOD(0, 1), STALE(0, 1), GOOD(1, 1)}},
	/* 10 */ {"restart after many", {GOOD(1000000, 5), {0, 8, THEN(SEQ_OLD, SEQ_RESTART), 0, 0}, GOOD(8, 10)}},
	/* 11 */ {"restart at a random value", {GOOD(3000000000, 5), {2000000000, 8, THEN(SEQ_OLD, SEQ_RESTART), 0, 0}, GOOD(2000000008, 10)}},
	/* 12 */ {"restart with losses", {GOOD(1000000, 5), {0, 8, THEN(SEQ_OLD, SEQ_RESTART), 64, 0}, GOOD(449, 10)}},
	/* 13 */ {"too many losses make no run", {GOOD(1000000, 5), {0, 50, ALL(SEQ_OLD), 65, 0}, GOOD(1000005, 1)}},
	/* 14 */ {"restart after few catches up", {GOOD(0, 500), STALE(0, 500), GOOD(500, 10)}},
	/* 15 */ {"restart across the window's edge", {GOOD(0, 1028), STALE(0, 4), STALE(4, 1024), GOOD(1028, 1)}},
	/* 16 */ {"restart just beyond the window", {GOOD(0, 1033), {0, 8, THEN(SEQ_OLD, SEQ_RESTART), 0, 0}, GOOD(8, 1)}},
	/* 17 */ {"restart after silence", {GOOD(0, 20), {0, 1, ALL(SEQ_OLD), 0, 5000}, STALE(1, 1), {2, 1, ALL(SEQ_RESTART), 0, 0}, GOOD(3, 100)}},
	/* 18 */ {"restart of a slow stream", {GOOD(100, 1), {0, 1, ALL(SEQ_OLD), 0, 2000}, {1, 1, ALL(SEQ_OLD), 0, 2000}, {2, 1, ALL(SEQ_RESTART), 0, 2000}, {3, 1, ALL(SEQ_ACCEPT), 0, 2000}}},
	/* 19 */ {"single copy after silence", {GOOD(0, 20), {7, 1, ALL(SEQ_OLD), 0, 60000}, {20, 1, ALL(SEQ_ACCEPT), 0, 60000}}},
	/* 20 */ {"two copies after silence", {GOOD(0, 20), {7, 2, ALL(SEQ_OLD), 0, 60000}, GOOD(20, 1)}},
	/* 21 */ {"the same packet for ever", {GOOD(0, 20), {7, 1, ALL(SEQ_OLD), 0, 6000}, STALE(7, 1), STALE(7, 1), STALE(7, 1), STALE(7, 1)}},
	/* 22 */ {"the same far packet for ever", {GOOD(1000000, 1), STALE(7, 1), STALE(7, 1), STALE(7, 1), STALE(7, 1), STALE(7, 1)}},
	/* 23 */ {"descending", {GOOD(1000000, 1), {500000, 100, ALL(SEQ_OLD), DOWN, 0}, GOOD(1000001, 1)}},
	/* 24 */ {"late burst inside the window", {GOOD(0, 100), GOOD(200, 100), STALE(100, 100), GOOD(300, 10)}},
	/* 25 */ {"late burst as long as the window", {GOOD(0, 1), GOOD(1025, 1), STALE(2, 1023), GOOD(1026, 1)}},
	/* 26 */ {"whole burst repeated", {GOOD(0, 1000), STALE(0, 1000), GOOD(1000, 1)}},
	/* 27 */ {"far packets with a good one between", {GOOD(1000000, 1), STALE(0, 7), GOOD(1000001, 1), STALE(7, 7), GOOD(1000002, 1)}},
	/* 28 */ {"wrong verdict heals", {GOOD(1000000, 1), {0, 8, THEN(SEQ_OLD, SEQ_RESTART), 0, 0}, GOOD(1000001, 5)}},
	/* 29 */ {"restart across the wrap", {GOOD(0x00001000, 1), {0xfffffffc, 8, THEN(SEQ_OLD, SEQ_RESTART), 0, 0}, GOOD(4, 5)}},
};
/* clang-format on */

#endif
