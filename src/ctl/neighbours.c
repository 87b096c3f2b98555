/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/neighbours.h"

#include <string.h>

#include "os/watch.h"

static uint32_t place_of(const struct watch_event *event)
{
	uint32_t h = event->index * 0x9e3779b1u;

	for (unsigned i = 0; i < sizeof event->prefix.addr.bytes; i++)
		h = (h ^ event->prefix.addr.bytes[i]) * 16777619u;
	return (h ^ h >> 16) % NEIGHBOURS_MAX;
}

bool neighbours_note(struct neighbours *neighbours, const struct watch_event *event)
{
	uint32_t place = place_of(event);
	bool same = neighbours->items[place].index == event->index &&
		    addr_equal(&neighbours->items[place].addr, &event->prefix.addr);

	if (event->deleted) {
		if (same)
			neighbours->items[place].index = 0;
		return true;
	}
	if (same && memcmp(neighbours->items[place].mac, event->mac, sizeof event->mac) == 0)
		return false;
	neighbours->items[place].index = event->index;
	neighbours->items[place].addr = event->prefix.addr;
	memcpy(neighbours->items[place].mac, event->mac, sizeof event->mac);
	return true;
}
