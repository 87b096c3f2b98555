/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xfrm.h: IPsec policies that stand in the way, by the kernel's counters of what they discarded. */
#ifndef CTL_DOCTOR_XFRM_H
#define CTL_DOCTOR_XFRM_H

#include <stdbool.h>

struct doctor;

enum xfrm_way { XFRM_WAY_OUT, XFRM_WAY_IN };

/* Whether a policy has discarded packets in this direction since the doctor came. */
bool xfrm_blocks(struct doctor *d, enum xfrm_way way);

/* Sums of the counters that tell of discarded packets, for gather.c. Zero without IPsec. */
struct xfrm_counts {
	unsigned long long out, in;
};
struct xfrm_counts xfrm_read(void);

#endif
