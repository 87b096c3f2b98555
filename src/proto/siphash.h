/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * siphash.h: SipHash-2-4 (Aumasson, Bernstein, 2012): a short keyed hash that nobody without the
 * key can make or foresee.
 */
#ifndef PROTO_SIPHASH_H
#define PROTO_SIPHASH_H

#include "proto/bytes.h"

struct siphash_key {
	uint64_t k0, k1; /* the key's first and second eight octets, little-endian */
};

struct siphash_state {
	uint64_t v0, v1, v2, v3;
};

PROTO_INLINE uint64_t siphash_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

PROTO_INLINE void siphash_round(struct siphash_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 = siphash_rotate(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 = siphash_rotate(s->v2, 32);
}

PROTO_INLINE void siphash_word(struct siphash_state *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	siphash_round(s);
	s->v0 ^= word;
}

/* `len` octets, at most eight, as a little-endian number. */
PROTO_INLINE uint64_t siphash_load(const uint8_t *p, unsigned len)
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8 && i < len; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

/* SipHash's output, eight octets. */
PROTO_INLINE void siphash_store(uint8_t *p, uint64_t hash)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(hash >> (8 * i));
}

/* The hash of `len` octets, a number whose little-endian octets are SipHash's output. */
PROTO_INLINE uint64_t siphash24(const struct siphash_key *key, const uint8_t *p, unsigned len)
{
	struct siphash_state s = {
		.v0 = key->k0 ^ 0x736f6d6570736575, /* "somepseu" */
		.v1 = key->k1 ^ 0x646f72616e646f6d, /* "dorandom" */
		.v2 = key->k0 ^ 0x6c7967656e657261, /* "lygenera" */
		.v3 = key->k1 ^ 0x7465646279746573, /* "tedbytes" */
	};
	unsigned at = 0;

	for (; at + 8 <= len; at += 8)
		siphash_word(&s, siphash_load(p + at, 8));
	siphash_word(&s, (uint64_t)len << 56 | siphash_load(p + at, len - at));
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
