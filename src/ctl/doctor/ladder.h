/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ladder.h: finds the largest size that passes, by asking about many sizes at a time, since a size
 * that does not pass is only known by waiting. PURE.
 *
 * It is believed that what passes passes in every smaller size. An answer that contradicts (a probe
 * that was lost by chance) only makes the result smaller for sizes below it, never larger than the
 * largest size that passed.
 */
#ifndef CTL_DOCTOR_LADDER_H
#define CTL_DOCTOR_LADDER_H

#include <stdbool.h>
#include <stdint.h>

enum { LADDER_RUNGS = 16 };

struct ladder {
	uint32_t passes; /* the largest size known to pass */
	uint32_t fails;	 /* the smallest, above that, taken not to pass */
};

/* `least` is taken to pass and is the answer when nothing does; `most` is the largest of interest.
 */
struct ladder ladder_start(uint32_t least, uint32_t most);
/* The sizes to ask about next, rising, in `sizes`; returns their number: 0 when it is known. */
unsigned ladder_next(const struct ladder *ladder, uint32_t sizes[LADDER_RUNGS]);
/* Of the sizes of one round: which have passed. */
void ladder_round(struct ladder *ladder, const uint32_t *sizes, const bool *passed, unsigned count);

#endif
