/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h: moments, in nanoseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND_NS 1000000000ull

/* Now, on CLOCK_MONOTONIC: comparable in all processes of this host, never set back. */
uint64_t clock_now_ns(void);
/* What the clock on the wall showed, or will show, at a moment of CLOCK_MONOTONIC: nanoseconds
 * since 1970. */
uint64_t clock_wall_ns(uint64_t monotonic_ns);

#endif
