/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure parts of the doctor: which finding is the cause, and the ladder of sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/doctor/doctor.h"
#include "ctl/doctor/ladder.h"

static const struct doctor_check *check(const char *name)
{
	for (size_t i = 0; i < doctor_check_count; i++)
		if (strcmp(doctor_checks[i].name, name) == 0)
			return &doctor_checks[i];
	fail_msg("no check %s", name);
	return NULL;
}

#define F(name, verdict)                                  \
	{                                                 \
		check(name), DOCTOR_##verdict, NULL, NULL \
	}

static void expect(struct finding *findings, size_t count, const char *first, const char *last)
{
	doctor_sort(findings, count);
	assert_string_equal(findings[0].check->name, first);
	assert_string_equal(findings[count - 1].check->name, last);
}

static void test_order(void **state)
{
	(void)state;
	/* What is below breaks what is above. */
	expect((struct finding[]){F("silent", BROKEN), F("no-route", BROKEN)}, 2, "no-route",
	       "silent");
	/* Broken before degraded, wherever it is. */
	expect((struct finding[]){F("file-differs", DEGRADED), F("forwarding", BROKEN)}, 2,
	       "forwarding", "file-differs");
	/* A symptom comes behind what may be its cause, but before what is less bad. */
	expect((struct finding[]){F("state", BROKEN), F("path-mtu", DEGRADED),
				  F("far-host", BROKEN)},
	       3, "far-host", "path-mtu");
	/* Notes are last. */
	expect((struct finding[]){F("stranger", HEALTHY), F("drops", DEGRADED)}, 2, "drops",
	       "stranger");
}

/* Two of one check stay as they were found. */
static void test_order_is_stable(void **state)
{
	struct finding findings[] = {F("options", BROKEN), F("key", BROKEN), F("options", BROKEN)};

	(void)state;
	findings[0].cause = (char[]){"first"};
	findings[2].cause = (char[]){"second"};
	doctor_sort(findings, 3);
	assert_string_equal(findings[0].check->name, "key");
	assert_string_equal(findings[1].cause, "first");
	assert_string_equal(findings[2].cause, "second");
}

/* Names are what programs go by. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < doctor_check_count; i++) {
		assert_true(doctor_checks[i].finds[0] != '\0');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(doctor_checks[i].name, doctor_checks[k].name);
	}
}

/* Rounds until a path of exactly `mtu` is known. */
static unsigned climb(uint32_t least, uint32_t most, uint32_t mtu)
{
	struct ladder ladder = ladder_start(least, most);
	uint32_t sizes[LADDER_RUNGS];
	bool passed[LADDER_RUNGS];
	unsigned count, rounds = 0;

	while ((count = ladder_next(&ladder, sizes))) {
		assert_in_range(count, 1, LADDER_RUNGS);
		for (unsigned i = 0; i < count; i++) {
			assert_true(sizes[i] > least && sizes[i] <= most);
			assert_true(i == 0 || sizes[i] > sizes[i - 1]);
			passed[i] = sizes[i] <= mtu;
		}
		ladder_round(&ladder, sizes, passed, count);
		assert_in_range(++rounds, 1, 8);
	}
	assert_int_equal(ladder.passes, mtu > most ? most : mtu < least ? least : mtu);
	return rounds;
}

static void test_ladder(void **state)
{
	(void)state;
	for (uint32_t mtu = 68; mtu <= 1500; mtu++)
		climb(68, 1499, mtu);
	for (uint32_t mtu = 1280; mtu <= 9000; mtu += 7)
		climb(1280, 8999, mtu);
	for (uint32_t mtu = 1400; mtu <= 1500; mtu++)
		climb(1400, 1500, mtu);
	assert_int_equal(climb(1499, 1499, 1400), 0);
	/* Usual sizes are exact after two rounds: one of them and one octet above are asked. */
	assert_in_range(climb(68, 1499, 1400), 1, 3);
}

/* A probe that was lost by chance makes the result smaller, never larger than what passed. */
static void test_ladder_with_loss(void **state)
{
	struct ladder ladder = ladder_start(68, 1499);

	(void)state;
	ladder_round(&ladder, (uint32_t[]){576, 1400, 1499}, (bool[]){true, false, false}, 3);
	assert_int_equal(ladder.passes, 576);
	assert_int_equal(ladder.fails, 1400);
	ladder_round(&ladder, (uint32_t[]){700, 800, 900}, (bool[]){true, false, true}, 3);
	assert_int_equal(ladder.passes, 900);
	assert_int_equal(ladder.fails, 1400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_is_stable),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_ladder_with_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
