/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kameter.h: what answers to questions tell of a path: how long they take, how much that varies,
 * and how many do not come.
 */
#ifndef PROTO_KAMETER_H
#define PROTO_KAMETER_H

#include "proto/bytes.h"

/* Questions of which the loss is told; a multiple of 64. */
#define KAMETER_WINDOW 128

struct kameter {
	uint64_t srtt_ns;   /* smoothed round-trip time; 0: nothing measured yet */
	uint64_t jitter_ns; /* smoothed difference between one round-trip time and the next */
	uint64_t last_ns;   /* the last one */
	uint32_t asked;	    /* questions; the number of the next one */
	uint64_t answered[KAMETER_WINDOW / 64]; /* a bit for each of the last questions */
};

PROTO_INLINE uint64_t *kameter_word(struct kameter *m, uint32_t number, uint64_t *bit)
{
	*bit = 1ull << (number % 64);
	return &m->answered[number % KAMETER_WINDOW / 64];
}

/* A question goes out; returns its number. */
PROTO_INLINE uint32_t kameter_ask(struct kameter *m)
{
	uint64_t bit, *word = kameter_word(m, m->asked, &bit);

	*word &= ~bit;
	return m->asked++;
}

/* Question `number`, one of the last KAMETER_WINDOW, was answered. */
PROTO_INLINE void kameter_answer(struct kameter *m, uint32_t number)
{
	uint64_t bit, *word = kameter_word(m, number, &bit);

	if (m->asked - number <= KAMETER_WINDOW)
		*word |= bit;
}

/* An answer took so long. The mean moves by an eighth of the difference, as TCP's (RFC 6298 2), the
 * jitter by a sixteenth, as RTP's (RFC 3550 6.4.1). Until there are two, half of the first stands
 * for what is not known. */
PROTO_INLINE void kameter_sample(struct kameter *m, uint64_t rtt_ns)
{
	uint64_t step = rtt_ns > m->last_ns ? rtt_ns - m->last_ns : m->last_ns - rtt_ns;

	if (rtt_ns == 0)
		rtt_ns = 1;
	if (m->srtt_ns == 0) {
		m->srtt_ns = rtt_ns;
		m->jitter_ns = rtt_ns / 2;
	} else {
		m->srtt_ns = m->srtt_ns - m->srtt_ns / 8 + rtt_ns / 8;
		m->jitter_ns = m->jitter_ns - m->jitter_ns / 16 + step / 16;
	}
	m->last_ns = rtt_ns;
}

/* How long an answer may take, as far as is known; 0: nothing is. */
PROTO_INLINE uint64_t kameter_patience(const struct kameter *m)
{
	return m->srtt_ns == 0 ? 0 : m->srtt_ns + 4 * m->jitter_ns;
}

/* Unanswered questions among the last KAMETER_WINDOW, in thousandths. The newest does not count
 * against the peer: its answer may be on the way. */
PROTO_INLINE uint32_t kameter_loss_permille(const struct kameter *m)
{
	uint32_t window = m->asked < KAMETER_WINDOW ? m->asked : KAMETER_WINDOW;
	uint32_t newest = (m->asked - 1) % KAMETER_WINDOW, good = 0;

	if (window == 0)
		return 0;
	for (unsigned i = 0; i < KAMETER_WINDOW / 64; i++)
		good += (uint32_t)__builtin_popcountll(m->answered[i]);
	if (!(m->answered[newest / 64] >> newest % 64 & 1))
		window--;
	return window == 0 ? 0 : (window - good) * 1000 / window;
}

#endif
