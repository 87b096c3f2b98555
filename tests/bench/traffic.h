/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the generator's program in the kernel and traffic.c agree on. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

enum { TRAFFIC_HEADER = 42, TRAFFIC_PORT = 7047, TRAFFIC_FIRST_SOURCE_PORT = 20000 };

/* Lengths of frames without their check sequence, one after another, round and round; a power of
 * two. */
enum { TRAFFIC_MIX_MAX = 16 };

#endif
