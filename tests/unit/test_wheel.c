/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timing wheel against a plain list of due times. */
#include "proto_test.h"

#include "dp/wheel.h"

#define MS	 1000000ull
#define MANY	 2000
#define ROUND_MS 4295 /* of the wheel */

static struct wheel wheel;
static struct wheel_entry entries[MANY];
static uint32_t random_state;

static uint32_t random_number(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static int reset(void **state)
{
	(void)state;
	wheel = (struct wheel){.done = 0};
	memset(entries, 0, sizeof entries);
	random_state = 1;
	return 0;
}

static void test_one(void **state)
{
	(void)state;
	assert_true(wheel_next(&wheel) == UINT64_MAX);
	wheel_put(&wheel, &entries[0], 100 * MS);
	assert_in_range(wheel_next(&wheel), 98 * MS, 100 * MS);
	assert_null(wheel_take(&wheel, 98 * MS));
	assert_ptr_equal(wheel_take(&wheel, 100 * MS), &entries[0]);
	assert_null(entries[0].next);
	assert_true(wheel_next(&wheel) == UINT64_MAX);
}

/* What is past is due at once; what was moved is due once; what was removed is not. */
static void test_put_again(void **state)
{
	(void)state;
	wheel_take(&wheel, 1000 * MS);
	wheel_put(&wheel, &entries[0], 10 * MS);
	assert_ptr_equal(wheel_take(&wheel, 1003 * MS), &entries[0]);
	wheel_put(&wheel, &entries[0], 1100 * MS);
	wheel_put(&wheel, &entries[0], 1200 * MS);
	assert_null(wheel_take(&wheel, 1150 * MS));
	wheel_remove(&wheel, &entries[0]);
	wheel_remove(&wheel, &entries[0]);
	assert_null(wheel_take(&wheel, 2000 * MS));
	assert_int_equal(wheel.count, 0);
}

/* Due in turns to come: not taken when their slot passes earlier. */
static void test_later_turns(void **state)
{
	(void)state;
	wheel_put(&wheel, &entries[0], 3 * ROUND_MS * MS);
	for (uint64_t at = 0; at < 3 * ROUND_MS - 2; at += 50)
		assert_null(wheel_take(&wheel, at * MS));
	assert_ptr_equal(wheel_take(&wheel, 3 * ROUND_MS * MS), &entries[0]);
}

/* A look after long sleep takes all that is due and leaves the rest. */
static void test_long_sleep(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		wheel_put(&wheel, &entries[i], (uint64_t)(i + 1) * 1000 * MS);
	wheel_take(&wheel, 50500 * MS);
	assert_int_equal(wheel.count, 50);
	assert_in_range(wheel_next(&wheel), 50000 * MS, 51000 * MS);
}

static void test_against_list(void **state)
{
	uint64_t due[MANY], now = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		due[i] = random_number() % 20000 * MS;
		wheel_put(&wheel, &entries[i], due[i]);
	}
	for (unsigned step = 0; step < 3000; step++) {
		now += random_number() % 30 * MS;
		for (struct wheel_entry *next, *e = wheel_take(&wheel, now); e; e = next) {
			unsigned i = (unsigned)(e - entries);

			next = e->next;
			assert_in_range(due[i], 0, now + 2 * MS);
			due[i] = now + random_number() % 20000 * MS;
			wheel_put(&wheel, e, due[i]);
		}
		for (unsigned i = 0; i < MANY; i++)
			assert_true(due[i] + 2 * MS > now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one, reset),
		cmocka_unit_test_setup(test_put_again, reset),
		cmocka_unit_test_setup(test_later_turns, reset),
		cmocka_unit_test_setup(test_long_sleep, reset),
		cmocka_unit_test_setup(test_against_list, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
