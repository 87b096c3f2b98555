/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keepalive's judgement on a virtual clock, and what it measures. */
#include "proto_test.h"

#include "proto/keepalive.h"

#define MS 1000000ull

/* Runs the timer whenever it is wanted until `until`; answers each question `rtt` after it while
 * `alive`. Returns when the state became `wanted`, 0: never. */
struct run {
	struct keepalive k;
	uint64_t now, rtt, answer_at;
	bool alive;
};

static struct run begin(uint64_t interval, uint8_t retries, bool hold)
{
	struct run r = {.now = 1000 * MS, .rtt = MS, .alive = true};

	r.k.state = KEEPALIVE_UNKNOWN;
	keepalive_set(&r.k, interval, retries, hold, r.now);
	return r;
}

static unsigned one_event(struct run *r)
{
	uint64_t next = keepalive_next(&r->k);
	unsigned actions;

	if (r->answer_at && r->answer_at <= next) {
		r->now = r->answer_at;
		r->answer_at = 0;
		kameter_sample(&r->k.meter, r->rtt);
		return keepalive_step(&r->k, KEEPALIVE_ANSWER, r->now);
	}
	r->now = next;
	actions = keepalive_step(&r->k, KEEPALIVE_TIMER, r->now);
	if (actions & KEEPALIVE_ASK && r->alive && r->answer_at == 0)
		r->answer_at = r->now + r->rtt;
	return actions;
}

static void run_until(struct run *r, uint64_t until)
{
	while (keepalive_next(&r->k) < until || (r->answer_at && r->answer_at < until))
		one_event(r);
	r->now = until;
}

static uint64_t run_to_state(struct run *r, uint8_t wanted, unsigned events)
{
	while (r->k.state != wanted && events-- > 0)
		one_event(r);
	return r->k.state == wanted ? r->now : 0;
}

/* Wherever between two questions the peer stops: down after interval * retries and a tenth. */
static void test_time_of_verdict(void **state)
{
	(void)state;
	for (uint8_t retries = 1; retries <= 10; retries++) {
		for (unsigned part = 1; part < 10; part++) {
			uint64_t interval = 1000 * MS, stop, took;
			struct run r = begin(interval, retries, true);

			run_until(&r, r.now + 20 * interval + part * interval / 10);
			assert_int_equal(r.k.state, KEEPALIVE_UP);
			r.alive = false;
			stop = r.now;
			took = run_to_state(&r, KEEPALIVE_DOWN, 1000) - stop;
			assert_true(took <= interval * retries + interval * retries / 10);
			assert_true(took >= interval * (retries - 1u));
		}
	}
}

/* Even when one question decides, neither round trips of nearly an interval nor ones that vary by a
 * fifth to both sides are a false alarm. */
static void test_long_round_trips(void **state)
{
	(void)state;
	for (unsigned rtt = 1; rtt <= 80; rtt++) {
		struct run r = begin(100 * MS, 1, true);

		r.rtt = rtt * MS;
		for (unsigned i = 0; i < 2000; i++) {
			one_event(&r);
			assert_int_not_equal(r.k.state, KEEPALIVE_DOWN);
			r.rtt = rtt * MS * (80 + i * 7919 % 41) / 100;
		}
	}
}

/* A path that doubles its round-trip time at once, as when it moves to a satellite. */
static void test_sudden_delay(void **state)
{
	struct run r = begin(1000 * MS, 2, true);

	(void)state;
	r.rtt = 20 * MS;
	run_until(&r, r.now + 100000 * MS);
	r.rtt = 600 * MS;
	for (unsigned i = 0; i < 200; i++) {
		one_event(&r);
		assert_int_equal(r.k.state, KEEPALIVE_UP);
	}
	assert_in_range(kameter_patience(&r.k.meter), 600 * MS, 1000 * MS);
}

/* A thread that was not run for long catches up with one question, not with all that it missed,
 * and gives that one its time. */
static void test_late_timer(void **state)
{
	struct run r = begin(100 * MS, 3, true);
	uint64_t late;

	(void)state;
	run_until(&r, r.now + 1050 * MS);
	late = r.now + 290 * MS;
	assert_int_equal(keepalive_step(&r.k, KEEPALIVE_TIMER, late), KEEPALIVE_ASK);
	assert_true(keepalive_next(&r.k) >= late + 50 * MS);
	assert_int_equal(keepalive_step(&r.k, KEEPALIVE_TIMER, late + MS), 0);
	assert_int_equal(r.k.state, KEEPALIVE_UP);
}

/* Stories: at each second one letter. t: timer; T: timer that changes the state; a: answer; A:
 * answer that changes the state; s: answer that answers nothing; .: nothing. A small letter claims
 * that the state stays. Answers take so long that the grace is a whole interval. */
static const struct story {
	const char *name;
	uint8_t retries;
	bool hold;
	const char *events;
	uint8_t state;
	uint32_t unanswered;
	uint64_t since;
} stories[] = {
	/* clang-format off */
	{"nothing yet", 3, false, "", KEEPALIVE_UNKNOWN, 0, 0},
	{"asked", 3, false, ".t", KEEPALIVE_UNKNOWN, 1, 2},
	{"answered", 3, false, ".tA", KEEPALIVE_UP, 0, 0},
	{"stays up", 3, false, ".tAtatata", KEEPALIVE_UP, 0, 0},
	{"never answered", 3, false, ".tttT", KEEPALIVE_DOWN, 4, 2},
	{"the third question has its time", 3, false, ".ttt", KEEPALIVE_UNKNOWN, 3, 2},
	{"the last moment", 3, false, ".tAtttatt", KEEPALIVE_UP, 2, 8},
	{"lost", 3, false, ".tA.tttT", KEEPALIVE_DOWN, 4, 5},
	{"asks on while down", 3, false, ".tA.tttTtttt", KEEPALIVE_DOWN, 8, 5},
	{"one retry", 1, false, ".tAtT", KEEPALIVE_DOWN, 2, 4},
	{"comes back at the first answer", 3, false, ".tA.tttTttA", KEEPALIVE_UP, 0, 0},
	{"and is lost again", 3, false, ".tttTAtttT", KEEPALIVE_DOWN, 4, 7},
	{"two losses between answers", 3, false, ".tAttattatta", KEEPALIVE_UP, 0, 0},
	{"an answer before any question", 3, false, "ss", KEEPALIVE_UNKNOWN, 0, 0},
	{"a doubled answer", 3, false, ".tAss", KEEPALIVE_UP, 0, 0},
	{"one answer closes all questions", 3, false, ".ttAs", KEEPALIVE_UP, 0, 0},
	{"unasked answers do not keep it up", 1, false, ".tAsstTt", KEEPALIVE_DOWN, 3, 6},
	{"the start is not held", 2, true, ".tA", KEEPALIVE_UP, 0, 0},
	{"held", 2, true, ".tA.ttTA", KEEPALIVE_HOLD, 0, 0},
	{"held for two answers", 2, true, ".tA.ttTAta", KEEPALIVE_HOLD, 0, 0},
	{"and then up", 2, true, ".tA.ttTAtatA", KEEPALIVE_UP, 0, 0},
	{"lost while held", 2, true, ".tA.ttTAtattT", KEEPALIVE_DOWN, 3, 11},
	{"the second time for four", 2, true, ".tA.ttTAtatA.ttTAtatata", KEEPALIVE_HOLD, 0, 0},
	{"and then up again", 2, true, ".tA.ttTAtatA.ttTAtatatatA", KEEPALIVE_UP, 0, 0},
	{"forgiven after answers", 2, true, ".tA.ttTAtatAtatata.ttTAtatA", KEEPALIVE_UP, 0, 0},
	/* clang-format on */
};

/* The letters' seconds are the timer's own, so that only the order of events matters. */
static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		const struct story *s = &stories[i];
		struct keepalive k = {.state = KEEPALIVE_UNKNOWN};

		keepalive_set(&k, 1, s->retries, s->hold, 1);
		for (unsigned at = 0; s->events[at]; at++) {
			char c = s->events[at];
			unsigned want = (c == 'T' || c == 'A' ? KEEPALIVE_VERDICT : 0) |
					(c == 't' || c == 'T' ? KEEPALIVE_ASK : 0) |
					(c == 's' ? KEEPALIVE_STRAY : 0);
			enum keepalive_event event =
				c == 't' || c == 'T' ? KEEPALIVE_TIMER : KEEPALIVE_ANSWER;

			if (c != '.')
				CHECK_ROW(i, s->name, keepalive_step(&k, event, at + 1) == want);
		}
		CHECK_ROW(i, s->name, k.state == s->state);
		CHECK_ROW(i, s->name, k.unanswered == s->unanswered);
		CHECK_ROW(i, s->name, k.since_ns == s->since);
	}
}

/* The hold of a peer that comes and goes doubles up to its bound, and no further. */
static void test_hold_is_bounded(void **state)
{
	struct keepalive k = {.state = KEEPALIVE_UNKNOWN};
	uint32_t held[] = {3, 6, 12, 24, 48, 48, 48};
	uint64_t now = 1;

	(void)state;
	keepalive_set(&k, 1, 3, true, now);
	for (size_t i = 0; i < COUNT(held); i++) {
		while (k.state != KEEPALIVE_DOWN)
			keepalive_step(&k, KEEPALIVE_TIMER, now++);
		keepalive_step(&k, KEEPALIVE_ANSWER, now);
		assert_int_equal(k.state, KEEPALIVE_HOLD);
		assert_int_equal(k.hold_left, held[i]);
	}
}

/* A year of silence at the shortest interval does not wrap into an answer. */
static void test_saturates(void **state)
{
	struct keepalive k = {
		.state = KEEPALIVE_DOWN, .retries = 3, .unanswered = UINT32_MAX, .since_ns = 5};

	(void)state;
	assert_int_equal(keepalive_step(&k, KEEPALIVE_TIMER, 9), KEEPALIVE_ASK);
	assert_true(k.unanswered == UINT32_MAX && k.since_ns == 5);
}

static void test_meter(void **state)
{
	struct kameter m = {.asked = 0};

	(void)state;
	assert_int_equal(kameter_patience(&m), 0);
	assert_int_equal(kameter_loss_permille(&m), 0);
	for (unsigned i = 0; i < 300; i++)
		kameter_sample(&m, 20 * MS);
	assert_in_range(m.srtt_ns, 19 * MS, 20 * MS);
	assert_in_range(m.jitter_ns, 0, MS);
	for (unsigned i = 0; i < 300; i++)
		kameter_sample(&m, (i % 2 ? 30 : 10) * MS);
	assert_in_range(m.srtt_ns, 17 * MS, 23 * MS);
	assert_in_range(m.jitter_ns, 19 * MS, 20 * MS);
}

static void test_loss(void **state)
{
	struct kameter m = {.asked = 0};

	(void)state;
	kameter_ask(&m);
	assert_int_equal(kameter_loss_permille(&m), 0); /* it may still be answered */
	kameter_ask(&m);
	assert_int_equal(kameter_loss_permille(&m), 1000);
	kameter_answer(&m, 0);
	assert_int_equal(kameter_loss_permille(&m), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t number = kameter_ask(&m);

		if (number % 8 != 0)
			kameter_answer(&m, number);
	}
	assert_in_range(kameter_loss_permille(&m), 120, 130);
	/* an answer to a question that is long out of the window */
	kameter_answer(&m, 0);
	assert_in_range(kameter_loss_permille(&m), 120, 130);
	for (unsigned i = 0; i < KAMETER_WINDOW; i++)
		kameter_answer(&m, kameter_ask(&m));
	assert_int_equal(kameter_loss_permille(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_of_verdict),
		cmocka_unit_test(test_long_round_trips),
		cmocka_unit_test(test_sudden_delay),
		cmocka_unit_test(test_late_timer),
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_hold_is_bounded),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_meter),
		cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
