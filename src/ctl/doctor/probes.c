/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/probes.h"

#include <stdlib.h>

struct probes {
	int made;
};

struct probes *probes_new(void)
{
	return calloc(1, sizeof(struct probes));
}

void probes_free(struct probes *probes)
{
	free(probes);
}
