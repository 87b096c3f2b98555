/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/xfrm.h"

#include <stdio.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

/* Of Linux, Documentation/networking/xfrm_proc.rst. */
static const char *const outward[] = {"XfrmOutPolBlock", "XfrmOutNoStates", "XfrmOutPolError",
				      "XfrmOutBundleGenError", "XfrmAcquireError"};
static const char *const inward[] = {"XfrmInNoPols", "XfrmInPolBlock", "XfrmInTmplMismatch",
				     "XfrmInPolError"};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

struct xfrm_counts xfrm_read(void)
{
	struct xfrm_counts counts = {0};
	FILE *file = fopen("/proc/net/xfrm_stat", "re");
	unsigned long long n;
	char name[64];

	while (file && fscanf(file, "%63s %llu", name, &n) == 2) {
		if (is_one_of(name, outward, sizeof outward / sizeof outward[0]))
			counts.out += n;
		if (is_one_of(name, inward, sizeof inward / sizeof inward[0]))
			counts.in += n;
	}
	if (file)
		fclose(file);
	return counts;
}

bool xfrm_blocks(struct doctor *d, enum xfrm_way way)
{
	struct xfrm_counts now = xfrm_read();

	return way == XFRM_WAY_OUT ? now.out > d->host->xfrm.out : now.in > d->host->xfrm.in;
}
