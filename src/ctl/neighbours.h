/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neighbours.h: which announcements of neighbours tell something new. The kernel announces each of
 * them every half minute, and mostly nothing has changed.
 */
#ifndef CTL_NEIGHBOURS_H
#define CTL_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"

struct watch_event;

enum { NEIGHBOURS_MAX = 4096 };

/* Zeroed: nothing is known. Where two share a place, the last one has it, and is new each time. */
struct neighbours {
	struct {
		struct ip_addr addr;
		uint32_t index;
		uint8_t mac[6];
	} items[NEIGHBOURS_MAX];
};

/* True when the neighbour of this WATCH_NEIGHBOUR is not where it was last known to be. */
bool neighbours_note(struct neighbours *neighbours, const struct watch_event *event);

#endif
