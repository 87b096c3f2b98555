/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.h: what several routers have made of the same input: how often each frame came out of
 * each of them, and whether the packets of a flow are in their order. */
#ifndef LANES_COMPARE_H
#define LANES_COMPARE_H

#include <stdio.h>

#include "passenger.h"

enum { ROUTERS_MAX = 4 };

struct router_counts {
	uint64_t frames, limited, bad_sums, overtaken, marked;
};

void compare_begin(unsigned routers);
/* A frame that router `router` has sent by `side`. */
void compare_add(unsigned router, enum side side, const uint8_t *frame, uint32_t len);
/* Whether all have sent the same since compare_forget(). */
bool compare_even(void);
/* Frames that are not the same everywhere. */
void compare_show(FILE *out);
void compare_forget(void);
/* Whether what comes now was sent before: its order says nothing. */
void compare_again(bool yes);
const struct router_counts *compare_counts(unsigned router);
/* Whether the sequence numbers of each tunnel are all there, once. */
bool compare_sequences(unsigned router);

#endif
