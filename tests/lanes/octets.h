/* SPDX-License-Identifier: GPL-2.0-or-later */
/* octets.h: a packet under construction, dice that fall alike for the same seed, and checksums. */
#ifndef LANES_OCTETS_H
#define LANES_OCTETS_H

#include <stdbool.h>
#include <stdint.h>

enum { OCTETS_MAX = 4096 };

struct octets {
	uint32_t len;
	uint8_t data[OCTETS_MAX];
};

void put8(struct octets *o, uint32_t value);
void put16(struct octets *o, uint32_t value);
void put32(struct octets *o, uint32_t value);
void put_bytes(struct octets *o, const void *bytes, uint32_t len);
/* Shortens it by up to `len` octets. */
void cut(struct octets *o, uint32_t len);
void set16(uint8_t *at, uint32_t value);
uint32_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);

struct dice {
	uint64_t state;
};

/* The dice for packet `number`. */
struct dice dice_for(uint64_t seed, uint64_t number);
/* 0 to n - 1 */
uint32_t roll(struct dice *dice, uint32_t n);
/* True n times in a thousand. */
bool chance(struct dice *dice, uint32_t n);
void put_noise(struct octets *o, struct dice *dice, uint32_t len);

/* The sum of 16-bit words, to be continued with another call. */
uint32_t sum_words(const uint8_t *at, uint32_t len, uint32_t sum);
/* What stands in a header: the complement of the folded sum. */
uint16_t sum_end(uint32_t sum);

uint64_t hash_octets(const uint8_t *at, uint32_t len, uint64_t seed);

#endif
