/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"

enum { SLOTS = 1 << 14, FRAME_MAX = 2048, FLOW_IDS = 2 * 16 * FLOWS };

struct slot {
	uint64_t hash; /* 0: empty */
	uint16_t counts[ROUTERS_MAX];
	uint16_t side, len;
	uint8_t frame[FRAME_MAX];
};

struct sequences {
	uint64_t count;
	uint32_t least, most;
};

static struct slot slots[SLOTS];
static uint16_t used[SLOTS];
static unsigned used_count, uneven, routers;
static bool again;
static struct router_counts totals[ROUTERS_MAX];
static struct sequences sequences[ROUTERS_MAX][256];
static uint32_t last[ROUTERS_MAX][FLOW_IDS];

void compare_begin(unsigned count)
{
	routers = count;
}

static bool is_even(const struct slot *slot)
{
	for (unsigned i = 1; i < routers; i++)
		if (slot->counts[i] != slot->counts[0])
			return false;
	return true;
}

static struct slot *find(enum side side, const uint8_t *frame, uint32_t len)
{
	uint64_t hash = hash_octets(frame, len, side) | 1;
	uint32_t at = (uint32_t)(hash >> 32) % SLOTS;

	while (slots[at].hash && slots[at].hash != hash)
		at = (at + 1) % SLOTS;
	if (slots[at].hash)
		return &slots[at];
	if (used_count > SLOTS / 2 || len > FRAME_MAX) {
		fprintf(stderr, "differ: more frames than can be compared\n");
		exit(2);
	}
	used[used_count++] = (uint16_t)at;
	slots[at].hash = hash;
	slots[at].side = (uint16_t)side;
	slots[at].len = (uint16_t)len;
	memset(slots[at].counts, 0, sizeof slots[at].counts);
	memcpy(slots[at].frame, frame, len);
	return &slots[at];
}

static void note_sequence(struct sequences *s, uint32_t number)
{
	if (s->count++ == 0)
		s->least = s->most = number;
	s->least = number < s->least ? number : s->least;
	s->most = number > s->most ? number : s->most;
}

static void note(unsigned router, const struct output *seen)
{
	struct router_counts *total = &totals[router];

	total->frames++;
	total->bad_sums += seen->bad_sum;
	if (again || !seen->marked || seen->flow >= FLOW_IDS)
		return;
	total->marked++;
	if (seen->number < last[router][seen->flow])
		total->overtaken++;
	else
		last[router][seen->flow] = seen->number;
}

void compare_add(unsigned router, enum side side, const uint8_t *frame, uint32_t len)
{
	uint8_t copy[FRAME_MAX];
	enum output_kind kind;
	struct output seen;
	struct slot *slot;
	bool even;

	len = len < FRAME_MAX ? len : FRAME_MAX;
	memcpy(copy, frame, len);
	kind = output_read(copy, len, &seen);
	if (seen.numbered)
		note_sequence(&sequences[router][seen.tunnel], seen.sequence);
	if (kind == OUTPUT_LIMITED)
		totals[router].limited++;
	if (kind != OUTPUT_PACKET)
		return;
	note(router, &seen);
	slot = find(side, copy, len);
	even = is_even(slot);
	slot->counts[router]++;
	uneven += even;
	uneven -= is_even(slot);
}

bool compare_even(void)
{
	return uneven == 0;
}

void compare_show(FILE *out)
{
	for (unsigned i = 0; i < used_count; i++) {
		const struct slot *slot = &slots[used[i]];

		if (is_even(slot))
			continue;
		fprintf(out, "  to the %s, by each router:", slot->side == WIRE ? "wire" : "LAN");
		for (unsigned r = 0; r < routers; r++)
			fprintf(out, " %u", slot->counts[r]);
		fprintf(out, "  ");
		for (unsigned at = 0; at < slot->len; at++)
			fprintf(out, "%02x", slot->frame[at]);
		fprintf(out, "\n");
	}
}

void compare_again(bool yes)
{
	again = yes;
}

void compare_forget(void)
{
	while (used_count)
		slots[used[--used_count]].hash = 0;
	uneven = 0;
}

const struct router_counts *compare_counts(unsigned router)
{
	return &totals[router];
}

bool compare_sequences(unsigned router)
{
	for (unsigned i = 0; i < 256; i++) {
		const struct sequences *s = &sequences[router][i];

		if (s->count && s->count != (uint64_t)s->most - s->least + 1)
			return false;
	}
	return true;
}
