/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seq.h: sequence numbers (RFC 2890 2.2), and how a peer that restarted is heard again.
 *
 * A packet at or behind the last accepted number, modulo 2^32, is old and is dropped; a gap is
 * accepted at once. That alone silences a peer that restarts at 0 until it has counted past the
 * old value, for hours or for ever. So old packets are watched too. They are a "run" while each is
 * 1 to SEQ_RUN_STEP above the one before and no good packet comes between. The stream is taken to
 * have begun anew, at the packet that completes the run, when
 *
 *   - SEQ_RUN_FAR in a row lie more than SEQ_WINDOW behind what is expected; or
 *   - SEQ_RUN_SILENT in a row come, wherever they lie, and the last good packet is SEQ_SILENCE_MS
 *     old.
 *
 * What a path does is not taken for it. A repeated packet makes no run: it is alone, or the good
 * packets it was copied from come between. A late burst, delayed on another path, is a run but lies
 * inside the window, and for it to pass as silence the path would have to deliver nothing else for
 * SEQ_SILENCE_MS. What a restarted peer loses is bounded: SEQ_RUN_FAR - 1 packets if it had sent
 * more than SEQ_WINDOW + SEQ_RUN_FAR, else at most as many as it had sent before, and never more
 * than what arrives in SEQ_SILENCE_MS and SEQ_RUN_SILENT packets after. Should the verdict be
 * wrong all the same, nothing is lost: the true stream is a gap ahead, and gaps are accepted. This
 * is no protection from replay; a sequence number without a cipher is none.
 */
#ifndef PROTO_SEQ_H
#define PROTO_SEQ_H

#include "proto/bytes.h"

#define SEQ_WINDOW     1024u
#define SEQ_RUN_FAR    8u
#define SEQ_RUN_SILENT 3u
#define SEQ_RUN_STEP   64u
#define SEQ_SILENCE_MS 5000u

enum seq_verdict { SEQ_ACCEPT, SEQ_OLD, SEQ_RESTART };

/*
 * One direction of one tunnel. All zero: nothing received yet. `good` is a single word, because
 * several receivers, here and in the kernel, may take packets at the same time: the expected
 * number, which is one above the last accepted one, in its high half; below it the time of that
 * packet in milliseconds, and a bit that says that there was one.
 */
struct seq_state {
	uint64_t good;
	uint32_t run_next; /* one above the last number of the run */
	uint8_t run;	   /* old packets in the run, all of them */
	uint8_t run_far;   /* those at its end that lie behind the window */
	uint8_t pad[2];
};

/* A time as `good` has it: modulo 2^31 ms, which is 24 days. */
PROTO_INLINE uint32_t seq_ms(uint64_t now_ns)
{
	return (uint32_t)(now_ns / 1000000u) & 0x7fffffff;
}

PROTO_INLINE uint64_t seq_good(uint32_t sequence, uint64_t now_ns)
{
	return (uint64_t)(sequence + 1) << 32 | (uint64_t)seq_ms(now_ns) << 1 | 1;
}

PROTO_INLINE uint32_t seq_expected(uint64_t good)
{
	return (uint32_t)(good >> 32);
}

/* Takes a number that is not old; false, and nothing taken, when it is. */
PROTO_INLINE bool seq_advance(struct seq_state *state, uint32_t sequence, uint64_t now_ns)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t before = state->good;

		if (before && (int32_t)(sequence - seq_expected(before)) < 0)
			return false;
		if (__sync_val_compare_and_swap(&state->good, before, seq_good(sequence, now_ns)) ==
		    before)
			return true;
	}
	return true; /* others have, and it was not old when it came */
}

/* Counts an old packet; true when it completes a run that proves a restart. */
PROTO_INLINE bool seq_watch_old(struct seq_state *state, uint32_t sequence, uint64_t now_ns)
{
	uint64_t good = state->good;
	bool far = seq_expected(good) - sequence > SEQ_WINDOW;
	uint32_t silent_ms = (seq_ms(now_ns) - (uint32_t)(good >> 1)) & 0x7fffffff;

	if (state->run == 0 || sequence - state->run_next >= SEQ_RUN_STEP) {
		state->run = 0;
		state->run_far = 0;
	}
	if (state->run < UINT8_MAX)
		state->run++;
	state->run_far = far ? (uint8_t)(state->run_far + 1) : 0;
	state->run_next = sequence + 1;
	return state->run_far >= SEQ_RUN_FAR ||
	       (state->run >= SEQ_RUN_SILENT && silent_ms >= SEQ_SILENCE_MS);
}

/*
 * Judges a received number; now_ns is any clock that does not go back. The first number may be any.
 * SEQ_ACCEPT and SEQ_RESTART: deliver the packet. SEQ_OLD: drop it. Old numbers are judged by one
 * receiver alone.
 */
PROTO_INLINE enum seq_verdict seq_receive(struct seq_state *state, uint32_t sequence,
					  uint64_t now_ns)
{
	if (seq_advance(state, sequence, now_ns)) {
		state->run = 0;
		state->run_far = 0;
		return SEQ_ACCEPT;
	}
	if (!seq_watch_old(state, sequence, now_ns))
		return SEQ_OLD;
	state->good = seq_good(sequence, now_ns);
	state->run = 0;
	state->run_far = 0;
	return SEQ_RESTART;
}

/* The number for the next packet to send: 0 first, 0 again after 2^32 - 1. Whoever sends for the
 * tunnel at the same time, here or in the kernel, gets another one. */
PROTO_INLINE uint32_t seq_send(uint32_t *next)
{
	return __sync_fetch_and_add(next, 1);
}

#endif
