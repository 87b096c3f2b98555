/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/ladder.h"

/* What paths usually carry: less than 1500 by the headers of PPPoE, GRE, IPsec, and so on. A round
 * of these is mostly enough to be right, and the next to be exact. */
static const uint32_t usual[] = {576,  1006, 1280, 1300, 1360, 1400, 1420, 1436,
				 1450, 1468, 1472, 1476, 1480, 1492, 1500, 9000};

struct ladder ladder_start(uint32_t least, uint32_t most)
{
	return (struct ladder){.passes = least, .fails = most + 1};
}

/* Fewer than this of them divide the rest worse than even steps do. */
#define USUAL_MIN 4

/* The usual sizes between, and the largest of interest, which is the one that should pass. */
static unsigned usual_round(const struct ladder *ladder, uint32_t sizes[LADDER_RUNGS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof usual / sizeof usual[0] && count < LADDER_RUNGS - 1; i++)
		if (usual[i] > ladder->passes && usual[i] < ladder->fails - 1)
			sizes[count++] = usual[i];
	sizes[count++] = ladder->fails - 1;
	return count;
}

unsigned ladder_next(const struct ladder *ladder, uint32_t sizes[LADDER_RUNGS])
{
	uint32_t gap = ladder->fails - ladder->passes;
	unsigned count = 0;

	if (gap <= 1)
		return 0;
	if (gap > 256)
		count = usual_round(ladder, sizes);
	if (count >= USUAL_MIN)
		return count;
	count = 0;
	for (unsigned i = 1; i <= LADDER_RUNGS; i++) {
		uint32_t size = ladder->passes + (gap * i + LADDER_RUNGS) / (LADDER_RUNGS + 1);

		if (size > ladder->passes && size < ladder->fails &&
		    (count == 0 || size > sizes[count - 1]))
			sizes[count++] = size;
	}
	return count;
}

void ladder_round(struct ladder *ladder, const uint32_t *sizes, const bool *passed, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (passed[i] && sizes[i] > ladder->passes)
			ladder->passes = sizes[i];
	for (unsigned i = count; i-- > 0;)
		if (sizes[i] > ladder->passes && sizes[i] < ladder->fails)
			ladder->fails = sizes[i];
}
