/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keepalive.h: whether the peer of a tunnel is there, judged by questions that it has to send back
 * (kapkt.h). Knows no clock: the caller says what time it is, and says TIMER when it is what
 * keepalive_next() has told.
 *
 *   UNKNOWN  nothing was answered yet, nor was enough lost; the peer is taken to be there, so that
 *            a tunnel to a peer that never answers works until it is proven dead
 *   UP       the peer answers
 *   DOWN     `retries` questions in a row were not answered
 *   HOLD     it answers again, but was gone: `hold_max` further answers make it UP
 *
 * One question an interval is asked in every state, so that a peer that returns is noticed. The
 * last of `retries` open questions has a time of grace, not a whole interval: what answers are
 * known to take (kameter.h), at least a twelfth of the interval and at most all of it. A peer that
 * goes silent is thus DOWN after interval * retries and that grace. An answer counts only while a
 * question is open, and closes all that are: answers that nobody asked for keep no dead peer alive.
 *
 * The hold is OpenBSD's: `hold_max` begins at `retries`, doubles with each return up to 16 times
 * that, and each answer while UP makes it one less again. A peer that comes and goes is so kept
 * away the longer, the more often it does it, and one that stays is forgiven.
 *
 * A timer that comes late, on a machine that had no time for us, makes no haste afterwards: there
 * is half an interval at least between two questions, and no verdict before its full time.
 */
#ifndef PROTO_KEEPALIVE_H
#define PROTO_KEEPALIVE_H

#include "proto/kameter.h"

enum keepalive_state {
	KEEPALIVE_OFF,
	KEEPALIVE_UNKNOWN,
	KEEPALIVE_UP,
	KEEPALIVE_DOWN,
	KEEPALIVE_HOLD
};

enum keepalive_event { KEEPALIVE_TIMER, KEEPALIVE_ANSWER };

/* What the caller has to do; any of these together. */
enum keepalive_action {
	KEEPALIVE_ASK = 1,     /* send a question */
	KEEPALIVE_VERDICT = 2, /* `state` has changed: show it */
	KEEPALIVE_STRAY = 4,   /* the answer answers nothing */
};

enum { KEEPALIVE_HOLD_FACTOR = 16, KEEPALIVE_GRACE_PART = 12 };

struct keepalive {
	uint8_t state;	 /* enum keepalive_state; not stepped while OFF */
	uint8_t retries; /* 1 to 255 */
	bool hold;	 /* a peer that returns is held down first */
	uint64_t interval_ns;
	uint32_t unanswered; /* questions since the last answer */
	uint64_t since_ns;   /* when the first of them was asked; 0: there is none */
	uint64_t ask_ns;     /* when the next question is due */
	uint64_t limit_ns;   /* when the peer counts as gone, unless it answers; 0: not yet */
	uint32_t hold_left;  /* answers until a held peer is UP */
	uint32_t hold_max;   /* of the next return */
	struct kameter meter;
};

/* The terms, at the beginning or for a keepalive that goes on; the state is the caller's. */
PROTO_INLINE void keepalive_set(struct keepalive *k, uint64_t interval_ns, uint8_t retries,
				bool hold, uint64_t first_ns)
{
	k->interval_ns = interval_ns;
	k->retries = retries;
	k->hold = hold;
	k->ask_ns = first_ns;
	k->limit_ns = 0;
	if (k->hold_max < retries)
		k->hold_max = retries;
	if (k->hold_max > (uint32_t)retries * KEEPALIVE_HOLD_FACTOR)
		k->hold_max = (uint32_t)retries * KEEPALIVE_HOLD_FACTOR;
}

/* When TIMER is wanted, on the clock of the other calls. */
PROTO_INLINE uint64_t keepalive_next(const struct keepalive *k)
{
	return k->limit_ns && k->limit_ns < k->ask_ns ? k->limit_ns : k->ask_ns;
}

/* Whether a TIMER now finds the peer gone. */
PROTO_INLINE bool keepalive_at_limit(const struct keepalive *k, uint64_t now_ns)
{
	return k->limit_ns && now_ns >= k->limit_ns;
}

/* Whether the interface shows a carrier: only a peer that is known to be gone takes it. */
PROTO_INLINE bool keepalive_carrier(uint8_t state)
{
	return state != KEEPALIVE_DOWN && state != KEEPALIVE_HOLD;
}

PROTO_INLINE unsigned keepalive_judge(struct keepalive *k, uint8_t state)
{
	if (k->state == state)
		return 0;
	k->state = state;
	return KEEPALIVE_VERDICT;
}

PROTO_INLINE uint64_t keepalive_grace(const struct keepalive *k)
{
	uint64_t grace = kameter_patience(&k->meter), least = k->interval_ns / KEEPALIVE_GRACE_PART;

	if (grace == 0 || grace > k->interval_ns)
		return k->interval_ns;
	return grace > least ? grace : least;
}

PROTO_INLINE unsigned keepalive_ask(struct keepalive *k, uint64_t now_ns)
{
	uint64_t due;

	k->ask_ns += k->interval_ns;
	if (k->ask_ns < now_ns + k->interval_ns / 2)
		k->ask_ns = now_ns + k->interval_ns;
	if (k->unanswered == 0)
		k->since_ns = now_ns;
	if (k->unanswered < UINT32_MAX)
		k->unanswered++;
	kameter_ask(&k->meter);
	if (k->unanswered >= k->retries && k->limit_ns == 0 && k->state != KEEPALIVE_DOWN) {
		due = k->since_ns + (k->retries - 1u) * k->interval_ns;
		k->limit_ns = (due > now_ns ? due : now_ns) + keepalive_grace(k);
	}
	return KEEPALIVE_ASK;
}

PROTO_INLINE unsigned keepalive_timer(struct keepalive *k, uint64_t now_ns)
{
	unsigned actions = 0;

	if (keepalive_at_limit(k, now_ns)) {
		k->limit_ns = 0;
		actions = keepalive_judge(k, KEEPALIVE_DOWN);
	}
	return now_ns >= k->ask_ns ? actions | keepalive_ask(k, now_ns) : actions;
}

/* A peer that was gone answers. */
PROTO_INLINE unsigned keepalive_return(struct keepalive *k)
{
	uint32_t most = (uint32_t)k->retries * KEEPALIVE_HOLD_FACTOR;

	if (!k->hold)
		return keepalive_judge(k, KEEPALIVE_UP);
	k->hold_left = k->hold_max;
	k->hold_max = k->hold_max > most / 2 ? most : 2 * k->hold_max;
	return keepalive_judge(k, KEEPALIVE_HOLD);
}

PROTO_INLINE unsigned keepalive_answer(struct keepalive *k)
{
	if (k->unanswered == 0)
		return KEEPALIVE_STRAY;
	k->unanswered = 0;
	k->since_ns = 0;
	k->limit_ns = 0;
	switch (k->state) {
	case KEEPALIVE_DOWN:
		return keepalive_return(k);
	case KEEPALIVE_HOLD:
		if (k->hold && --k->hold_left > 0)
			return 0;
		return keepalive_judge(k, KEEPALIVE_UP);
	case KEEPALIVE_UP:
		if (k->hold_max > k->retries)
			k->hold_max--;
		return 0;
	default:
		return keepalive_judge(k, KEEPALIVE_UP);
	}
}

/* One event at now_ns, which is any clock that does not go back and is not 0. Returns enum
 * keepalive_action bits. */
PROTO_INLINE unsigned keepalive_step(struct keepalive *k, enum keepalive_event event,
				     uint64_t now_ns)
{
	return event == KEEPALIVE_ANSWER ? keepalive_answer(k) : keepalive_timer(k, now_ns);
}

#endif
