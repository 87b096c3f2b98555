/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/wheel.h"

#include <stddef.h>

#define SLOT_SHIFT 20 /* 1.05 ms */
#define SLOTS	   (sizeof((struct wheel *)0)->slots / sizeof(struct wheel_entry *))

static uint64_t slot_of(uint64_t ns)
{
	return ns >> SLOT_SHIFT;
}

void wheel_remove(struct wheel *wheel, struct wheel_entry *entry)
{
	if (!entry->link)
		return;
	*entry->link = entry->next;
	if (entry->next)
		entry->next->link = entry->link;
	entry->link = NULL;
	wheel->count--;
}

void wheel_put(struct wheel *wheel, struct wheel_entry *entry, uint64_t due_ns)
{
	uint64_t slot = slot_of(due_ns);
	struct wheel_entry **head;

	wheel_remove(wheel, entry);
	/* A slot that is behind us would be looked at in a turn's time only. */
	if (slot <= wheel->done)
		slot = wheel->done + 1;
	head = &wheel->slots[slot % SLOTS];
	*entry = (struct wheel_entry){.next = *head, .link = head, .due_ns = due_ns};
	if (*head)
		(*head)->link = &entry->next;
	*head = entry;
	wheel->count++;
}

/* Moves what is due in one slot to the list at *taken. */
static void take_slot(struct wheel *wheel, uint64_t slot, uint64_t last, struct wheel_entry **taken)
{
	struct wheel_entry *next;

	for (struct wheel_entry *e = wheel->slots[slot % SLOTS]; e; e = next) {
		next = e->next;
		if (slot_of(e->due_ns) > last)
			continue;
		wheel_remove(wheel, e);
		e->next = *taken;
		*taken = e;
	}
}

struct wheel_entry *wheel_take(struct wheel *wheel, uint64_t now_ns)
{
	struct wheel_entry *taken = NULL;
	uint64_t last = slot_of(now_ns), first = wheel->done + 1;

	/* One turn passes every slot. */
	if (last - wheel->done > SLOTS && last > wheel->done)
		first = last - SLOTS + 1;
	for (uint64_t slot = first; slot <= last; slot++)
		take_slot(wheel, slot, last, &taken);
	if (last > wheel->done)
		wheel->done = last;
	return taken;
}

uint64_t wheel_next(const struct wheel *wheel)
{
	uint64_t slot = wheel->done + 1;

	if (wheel->count == 0)
		return UINT64_MAX;
	while (slot < wheel->done + SLOTS && !wheel->slots[slot % SLOTS])
		slot++;
	return slot << SLOT_SHIFT;
}
