/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "octets.h"

#include <stdlib.h>
#include <string.h>

void put_bytes(struct octets *o, const void *bytes, uint32_t len)
{
	if (len > OCTETS_MAX - o->len)
		abort();
	memcpy(o->data + o->len, bytes, len);
	o->len += len;
}

void put8(struct octets *o, uint32_t value)
{
	uint8_t octet = (uint8_t)value;

	put_bytes(o, &octet, 1);
}

void put16(struct octets *o, uint32_t value)
{
	put8(o, value >> 8);
	put8(o, value);
}

void put32(struct octets *o, uint32_t value)
{
	put16(o, value >> 16);
	put16(o, value);
}

void cut(struct octets *o, uint32_t len)
{
	o->len -= len < o->len ? len : o->len;
}

void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* splitmix64 */
static uint64_t next(struct dice *dice)
{
	uint64_t z = dice->state += 0x9E3779B97F4A7C15ULL;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
	return z ^ z >> 31;
}

struct dice dice_for(uint64_t seed, uint64_t number)
{
	struct dice dice = {seed};

	dice.state = next(&dice) ^ number;
	return dice;
}

uint32_t roll(struct dice *dice, uint32_t n)
{
	return (uint32_t)((next(dice) >> 32) * n >> 32);
}

bool chance(struct dice *dice, uint32_t n)
{
	return roll(dice, 1000) < n;
}

void put_noise(struct octets *o, struct dice *dice, uint32_t len)
{
	while (len) {
		uint64_t word = next(dice);
		uint32_t n = len < sizeof word ? len : sizeof word;

		put_bytes(o, &word, n);
		len -= n;
	}
}

uint32_t sum_words(const uint8_t *at, uint32_t len, uint32_t sum)
{
	for (; len > 1; at += 2, len -= 2)
		sum += get16(at);
	return len ? sum + ((uint32_t)at[0] << 8) : sum;
}

uint16_t sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* FNV-1a over words of four octets, mixed at the end. */
uint64_t hash_octets(const uint8_t *at, uint32_t len, uint64_t seed)
{
	struct dice mix = {seed ^ len};
	uint64_t h = next(&mix);
	uint32_t word;

	for (; len >= 4; at += 4, len -= 4) {
		memcpy(&word, at, 4);
		h = (h ^ word) * 0x100000001B3ULL;
		h ^= h >> 29;
	}
	for (; len; at++, len--)
		h = (h ^ *at) * 0x100000001B3ULL;
	mix.state = h;
	return next(&mix);
}
