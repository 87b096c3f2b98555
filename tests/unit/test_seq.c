/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/seq.h"

enum { MILLISECOND = 1000000 };

static void run_step(size_t row, const char *name, struct seq_state *seq, uint64_t *now,
		     const struct seq_step *step)
{
	uint32_t sequence = step->first;

	*now += (uint64_t)step->wait_ms * MILLISECOND;
	for (uint32_t i = 0; i < step->count; i++) {
		enum seq_verdict want = i + 1 == step->count ? step->verdict : step->before;
		enum seq_verdict got = seq_receive(seq, sequence, *now);

		if (got != want)
			fail_msg("row %zu (%s): number %u: verdict %d, not %d", row + 1, name,
				 sequence, (int)got, (int)want);
		sequence += step->step ? step->step : 1;
		*now += MILLISECOND;
	}
}

static void test_receive(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(seq_vectors); i++) {
		const struct seq_vector *v = &seq_vectors[i];
		struct seq_state seq = {0};
		uint64_t now = MILLISECOND;

		for (size_t k = 0; k < COUNT(v->steps); k++)
			run_step(i, v->name, &seq, &now, &v->steps[k]);
	}
}

/* A path that delivers a whole second's packets twice and in any order within 512 never makes a
 * restart of it, and no number is delivered twice. */
static void test_reordering(void **state)
{
	enum { TOTAL = 200000, SPREAD = 512 };
	static uint8_t seen[TOTAL];
	uint32_t window[SPREAD], random = 1, next = 0;
	struct seq_state seq = {0};

	(void)state;
	for (uint32_t i = 0; i < SPREAD; i++)
		window[i] = next++;
	for (uint64_t now = 0; next < TOTAL; now += MILLISECOND / 10) {
		uint32_t pick, number;
		enum seq_verdict verdict;

		random = random * 1664525 + 1013904223;
		pick = random >> 16 & (SPREAD - 1);
		number = window[pick];
		verdict = seq_receive(&seq, number, now);
		assert_int_not_equal(verdict, SEQ_RESTART);
		if (verdict == SEQ_ACCEPT) {
			assert_int_equal(seen[number], 0);
			seen[number] = 1;
		}
		if (random & 0x8000) /* else it stays, to come once more */
			window[pick] = next++;
	}
}

/* However much it had sent before, a restarted peer is heard within the bound. */
static void test_restart_bound(void **state)
{
	(void)state;
	for (uint64_t sent = 1; sent < 0x80000000; sent = sent * 3 / 2 + 1) {
		struct seq_state seq = {0};
		uint64_t lost = 0, now = 0;

		seq_receive(&seq, (uint32_t)sent - 1, now);
		while (seq_receive(&seq, (uint32_t)lost, now) == SEQ_OLD) {
			lost++;
			now += MILLISECOND;
		}
		assert_true(lost <= sent && lost <= SEQ_WINDOW + SEQ_RUN_FAR);
		if (sent > SEQ_WINDOW + SEQ_RUN_FAR)
			assert_int_equal(lost, SEQ_RUN_FAR - 1);
	}
}

static void test_send(void **state)
{
	uint32_t next = 0;

	(void)state;
	assert_int_equal(seq_send(&next), 0);
	assert_int_equal(seq_send(&next), 1);
	next = UINT32_MAX;
	assert_int_equal(seq_send(&next), UINT32_MAX);
	assert_int_equal(seq_send(&next), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_reordering),
		cmocka_unit_test(test_restart_bound),
		cmocka_unit_test(test_send),
	};

	return cmocka_run_group_tests_name("seq", tests, NULL, NULL);
}
