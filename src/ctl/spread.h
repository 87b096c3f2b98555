/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spread.h: whether XDP should spread packets over CPUs, by what the CPUs do. Handing a packet to
 * another CPU costs more than it brings until the one that the card has chosen is full.
 *
 *   on    one CPU spends 90 % in softirqs and another is at most half busy, for three seconds
 *   off   what all do for packets would fit in 60 % of one, for a minute
 *
 * Other CPUs take packets in threads of the kernel, whose time is not told apart from other work
 * for it; so for turning it off all of the kernel's time counts. PURE.
 */
#ifndef CTL_SPREAD_H
#define CTL_SPREAD_H

#include <stdbool.h>

#include "os/procfile.h"

struct spread_judge {
	bool on;
	unsigned seconds; /* in a row that spoke for the other */
};

/* What the CPUs did in the last second, `before` and `now`, `count` of each. Returns whether to
 * spread, which is in `judge`, too. */
bool spread_judge(struct spread_judge *judge, const struct proc_cpu *before,
		  const struct proc_cpu *now, unsigned count);

#endif
