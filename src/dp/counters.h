/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters.h: each worker writes its own counters and the main thread reads them all, without a
 * lock. A relaxed store of a whole word is enough: a reader sees an old value or the new one.
 */
#ifndef DP_COUNTERS_H
#define DP_COUNTERS_H

#include "dp/dp.h"

static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void counter_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Adds what another thread's `from` holds now to `sum`. */
void counters_sum(struct dp_counters *sum, const struct dp_counters *from);
void drops_sum(uint64_t sum[DROP_REASON_COUNT], const uint64_t from[DROP_REASON_COUNT]);

#endif
