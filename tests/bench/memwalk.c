// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memwalk: what an access to memory takes that nothing foretells; prints nanoseconds.
 *
 *   memwalk ENTRIES
 *
 * Goes through so many entries of 128 octets, which is how a flow of IPv4 lies in the table that
 * XDP looks at first, each at a place that the one before it names, in an order without a pattern.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACCESSES = 4000000 };

struct entry {
	uint32_t next;
	uint8_t rest[124];
};

/* One ring through all entries, by Sattolo's algorithm. */
static void make_ring(struct entry *entries, uint32_t count)
{
	srandom(1);
	for (uint32_t i = 0; i < count; i++)
		entries[i].next = i;
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t k = (uint32_t)random() % i, next = entries[i].next;

		entries[i].next = entries[k].next;
		entries[k].next = next;
	}
}

static double walk(const struct entry *entries)
{
	struct timespec begin, end;
	uint32_t at = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < ACCESSES; i++)
		at = *(const volatile uint32_t *)&entries[at].next;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       ACCESSES;
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	struct entry *entries = count > 1 ? calloc(count, sizeof *entries) : NULL;

	if (!entries) {
		fprintf(stderr,
			"usage: memwalk ENTRIES (2 or more, as many as memory has room for)\n");
		return 2;
	}
	make_ring(entries, count);
	walk(entries); /* the caches know what fits into them */
	printf("%.1f\n", walk(entries));
	free(entries);
	return 0;
}
