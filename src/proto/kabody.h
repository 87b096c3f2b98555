/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kabody.h: the body that proves an answer to be one to our own question, laid out as OpenBSD's
 * if_gre does it. Whoever reflects it does not have to understand it.
 *
 *    0                   4                   8                                      16
 *   |  time of asking   |  random number    |  SipHash-2-4 of the eight octets before |
 *
 * The time is in milliseconds and begins anywhere; numbers are big-endian, the hash is as SipHash
 * puts it out. An answer counts within KABODY_AGE_MS, and once: a ring of the questions that are
 * open, by their random numbers, forgets each with its answer.
 */
#ifndef PROTO_KABODY_H
#define PROTO_KABODY_H

#include "proto/siphash.h"

enum { KABODY_LENGTH = 16, KABODY_AGE_MS = 10000, KABODY_OPEN_MAX = 16 };

struct kabody_question {
	uint32_t random;
	uint32_t number; /* the caller's own */
	uint64_t asked_ns;
};

/* What one tunnel signs with, and what it has signed. All random at the beginning. */
struct kabody {
	struct siphash_key key;
	uint32_t bias_ms; /* of the time that is written */
	uint32_t count;	  /* questions; chooses the random number of the next */
	struct kabody_question open[KABODY_OPEN_MAX]; /* asked_ns 0: none */
};

enum kabody_verdict { KABODY_GOOD, KABODY_FORGED, KABODY_STALE, KABODY_REPEATED };

PROTO_INLINE uint32_t kabody_time(const struct kabody *b, uint64_t now_ns)
{
	return b->bias_ms + (uint32_t)(now_ns / 1000000);
}

/* Writes the body of question `number`, KABODY_LENGTH octets, and keeps it as open. */
PROTO_INLINE void kabody_write(struct kabody *b, uint8_t *p, uint32_t number, uint64_t now_ns)
{
	struct kabody_question *q = &b->open[b->count % KABODY_OPEN_MAX];
	uint8_t count[4];

	put_be32(count, b->count++);
	*q = (struct kabody_question){
		.random = (uint32_t)siphash24(&b->key, count, sizeof count),
		.number = number,
		.asked_ns = now_ns,
	};
	put_be32(p, kabody_time(b, now_ns));
	put_be32(p + 4, q->random);
	siphash_store(p + 8, siphash24(&b->key, p, 8));
}

PROTO_INLINE bool kabody_is_ours(const struct kabody *b, const uint8_t *p)
{
	return siphash24(&b->key, p, 8) == siphash_load(p + 8, 8);
}

/* Judges the body at p, KABODY_LENGTH octets. GOOD: *out is its question, which is open no more. */
PROTO_INLINE enum kabody_verdict kabody_judge(struct kabody *b, const uint8_t *p, uint64_t now_ns,
					      struct kabody_question *out)
{
	uint32_t random = get_be32(p + 4);

	if (!kabody_is_ours(b, p))
		return KABODY_FORGED;
	if (kabody_time(b, now_ns) - get_be32(p) > KABODY_AGE_MS)
		return KABODY_STALE;
	for (unsigned i = 0; i < KABODY_OPEN_MAX; i++) {
		struct kabody_question *q = &b->open[i];

		if (q->asked_ns == 0 || q->random != random)
			continue;
		*out = *q;
		q->asked_ns = 0;
		return KABODY_GOOD;
	}
	return KABODY_REPEATED;
}

#endif
