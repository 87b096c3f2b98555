/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker remembers of packets that it did not take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dp/stray.h"
#include "dp/worker.h"

/* None that is answered: there is no socket. */
static struct dp_stray kind_of(uint32_t key)
{
	return (struct dp_stray){.local = {IP_V4, {172, 19, 1, 1}},
				 .remote = {IP_V4, {172, 19, 1, 2}},
				 .has_key = true,
				 .key = key,
				 .reason = DROP_RX_SEQUENCE};
}

static void note(struct worker *worker, uint32_t key, bool known, uint64_t now_ns)
{
	struct dp_stray kind = kind_of(key);
	const uint8_t nothing[1] = {0};

	stray_note(worker, &(struct stray_packet){&kind, known, nothing, 0}, now_ns);
}

static const struct dp_stray *find(const struct worker *worker, uint32_t key)
{
	for (unsigned i = 0; i < STRAYS_KNOWN + STRAYS_STRANGE; i++)
		if (worker->stray_table.items[i].packets && worker->stray_table.items[i].key == key)
			return &worker->stray_table.items[i];
	return NULL;
}

static void test_kinds(void **state)
{
	struct worker *worker = calloc(1, sizeof *worker);

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		note(worker, 7, true, i * 10);
	note(worker, 8, true, 60);
	assert_int_equal(find(worker, 7)->packets, 5);
	assert_int_equal(find(worker, 7)->first_ns, 10);
	assert_int_equal(find(worker, 7)->last_ns, 50);
	assert_int_equal(find(worker, 8)->packets, 1);
	free(worker);
}

/* Strangers push out strangers, never what comes between the addresses of a tunnel. */
static void test_strangers(void **state)
{
	struct worker *worker = calloc(1, sizeof *worker);

	(void)state;
	note(worker, 7, true, 1);
	for (uint32_t i = 0; i < 1000; i++)
		note(worker, 1000 + i, false, 2 + i);
	assert_non_null(find(worker, 7));
	assert_null(find(worker, 1000));
	for (uint32_t i = 0; i < STRAYS_STRANGE; i++)
		assert_non_null(find(worker, 1999 - i));
	free(worker);
}

/* The kind whose last packet is the oldest goes. */
static void test_oldest_goes(void **state)
{
	struct worker *worker = calloc(1, sizeof *worker);

	(void)state;
	for (uint32_t i = 0; i < STRAYS_KNOWN; i++)
		note(worker, i + 1, true, i + 1);
	note(worker, 1, true, 100);
	note(worker, 999, true, 101);
	assert_non_null(find(worker, 1));
	assert_null(find(worker, 2));
	assert_int_equal(find(worker, 999)->packets, 1);
	assert_int_equal(find(worker, 999)->first_ns, 101);
	free(worker);
}

static void test_refusals(void **state)
{
	struct worker *worker = calloc(1, sizeof *worker);
	struct dp_refusal refusal = {.remote = {IP_V4, {172, 19, 1, 2}}, .type = 3};

	(void)state;
	for (uint32_t i = 0; i < 3 * REFUSALS; i++) {
		refusal.code = (uint8_t)i;
		refusal_note(&worker->stray_table, &refusal, i + 1);
		refusal_note(&worker->stray_table, &refusal, i + 1);
	}
	for (unsigned i = 0; i < REFUSALS; i++) {
		assert_int_equal(worker->stray_table.refusals[i].packets, 2);
		assert_in_range(worker->stray_table.refusals[i].code, 2 * REFUSALS,
				3 * REFUSALS - 1);
	}
	free(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_oldest_goes),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
