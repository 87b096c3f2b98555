/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keepalive.h: whether the peer of a tunnel is there, judged by questions that it has to send back
 * (kapkt.h). Knows no clock: the caller has the one timer, and says TICK when it fires.
 *
 *   UNKNOWN  nothing was answered yet, nor was enough lost; the peer is taken to be there, so that
 *            a tunnel to a peer that never answers works until it is proven dead
 *   UP       the last verdict was an answer
 *   DOWN     `retries` questions in a row were not answered
 *
 * Each tick asks, in every state, so that a peer that returns is noticed. A question has until the
 * next tick to be answered; a peer that goes silent is thus found DOWN after at most retries + 1
 * intervals, and the first answer makes it UP. An answer counts only for a question that is open,
 * and closes all that are: answers that nobody asked for do not keep a dead peer alive.
 */
#ifndef PROTO_KEEPALIVE_H
#define PROTO_KEEPALIVE_H

#include "proto/bytes.h"

enum keepalive_state { KEEPALIVE_OFF, KEEPALIVE_UNKNOWN, KEEPALIVE_UP, KEEPALIVE_DOWN };

enum keepalive_event { KEEPALIVE_TICK, KEEPALIVE_ANSWER };

/* What the caller has to do; any of these together. */
enum keepalive_action {
	KEEPALIVE_ASK = 1,     /* send a question */
	KEEPALIVE_VERDICT = 2, /* `state` has changed: show it */
	KEEPALIVE_STRAY = 4,   /* the answer answers nothing */
};

struct keepalive {
	uint8_t state;	     /* enum keepalive_state; not stepped while OFF */
	uint8_t retries;     /* 1 to 255 */
	uint32_t unanswered; /* questions since the last answer */
	uint64_t since_ns;   /* when the first of them was asked; 0: there is none */
};

PROTO_INLINE unsigned keepalive_judge(struct keepalive *k, uint8_t state)
{
	if (k->state == state)
		return 0;
	k->state = state;
	return KEEPALIVE_VERDICT;
}

/* True when the next tick finds the peer gone unless an answer comes before it. */
PROTO_INLINE bool keepalive_at_limit(const struct keepalive *k)
{
	return k->unanswered >= k->retries;
}

/* One event at now_ns, which is any clock that does not go back. Returns enum keepalive_action
 * bits. */
PROTO_INLINE unsigned keepalive_step(struct keepalive *k, enum keepalive_event event,
				     uint64_t now_ns)
{
	unsigned actions = 0;

	if (event == KEEPALIVE_ANSWER) {
		if (k->unanswered == 0)
			return KEEPALIVE_STRAY;
		k->unanswered = 0;
		k->since_ns = 0;
		return keepalive_judge(k, KEEPALIVE_UP);
	}
	if (keepalive_at_limit(k))
		actions = keepalive_judge(k, KEEPALIVE_DOWN);
	if (k->unanswered == 0)
		k->since_ns = now_ns;
	if (k->unanswered < UINT32_MAX)
		k->unanswered++;
	return actions | KEEPALIVE_ASK;
}

#endif
