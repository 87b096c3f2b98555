/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BENCH_LANECOST_H
#define BENCH_LANECOST_H

#include <stdint.h>

enum { LANECOST_HEAD = 60 }; /* the octets of a frame that the lane may change */

struct lanecost {
	int32_t moved; /* how far the lane moves the beginning of the frame */
	uint8_t head[LANECOST_HEAD];
};

#endif
