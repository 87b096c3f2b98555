/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wheel.h: many things to do at given times, by one timer. A wheel of slots, each a millisecond
 * wide and one turn 4.3 s; what is due in a later turn stays where it is when its slot passes. To
 * put and to take cost the same for one entry and for ten thousand.
 */
#ifndef DP_WHEEL_H
#define DP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

/* Part of what is to be done; zeroed: not on a wheel. */
struct wheel_entry {
	struct wheel_entry *next, **link; /* `link` is what points here */
	uint64_t due_ns;
};

struct wheel {
	uint64_t done; /* the last slot, counted from the clock's beginning, that is behind us */
	uint32_t count;
	struct wheel_entry *slots[4096];
};

/* Puts the entry on the wheel, or moves it. A time that is past is due at once. */
void wheel_put(struct wheel *wheel, struct wheel_entry *entry, uint64_t due_ns);
void wheel_remove(struct wheel *wheel, struct wheel_entry *entry);
/* Takes everything off that is due at now_ns; entries in a list by `next`. */
struct wheel_entry *wheel_take(struct wheel *wheel, uint64_t now_ns);
/* When to look again: at the next entry, or after a turn; UINT64_MAX when the wheel is empty. */
uint64_t wheel_next(const struct wheel *wheel);

#endif
