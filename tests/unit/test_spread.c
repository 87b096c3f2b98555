/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When packets are spread over CPUs, and how /proc/stat is read for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/spread.h"

enum { CPUS = 3, TICKS = 100 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Percent of a second that a CPU spends so; the rest it is idle. */
struct share {
	unsigned softirq, system, user;
};

struct second {
	unsigned times;
	struct share cpus[CPUS];
	bool on; /* after the last of them */
};

#define FULL              \
	{                 \
		90, 0, 10 \
	}
#define HALF             \
	{                \
		50, 0, 0 \
	}
#define OTHER            \
	{                \
		0, 0, 51 \
	}
#define IDLE            \
	{               \
		0, 0, 0 \
	}

/* clang-format off */
static const struct {
	const char *name;
	struct second seconds[6];
} cases[] = {
	/*  1 */ {"two seconds are too short", {{2, {FULL, IDLE, IDLE}, false}}},
	/*  2 */ {"three are not", {{3, {FULL, IDLE, IDLE}, true}}},
	/*  3 */ {"three in a row", {{2, {FULL, IDLE, IDLE}, false}, {1, {HALF, IDLE, IDLE}, false},
				     {2, {FULL, IDLE, IDLE}, false}, {1, {FULL, IDLE, IDLE}, true}}},
	/*  4 */ {"not quite full", {{90, {{89, 0, 11}, IDLE, IDLE}, false}}},
	/*  5 */ {"full of something else", {{90, {{0, 90, 10}, IDLE, IDLE}, false}}},
	/*  6 */ {"no CPU has room", {{90, {FULL, OTHER, OTHER}, false}}},
	/*  7 */ {"one has, just so", {{3, {OTHER, HALF, FULL}, true}}},
	/*  8 */ {"off after a minute", {{3, {FULL, IDLE, IDLE}, true}, {59, {{60, 0, 0}, IDLE, IDLE}, true},
					 {1, {{60, 0, 0}, IDLE, IDLE}, false}}},
	/*  9 */ {"a minute in a row", {{3, {FULL, IDLE, IDLE}, true}, {59, {IDLE, IDLE, IDLE}, true},
					{1, {{61, 0, 0}, IDLE, IDLE}, true}, {59, {IDLE, IDLE, IDLE}, true},
					{1, {IDLE, IDLE, IDLE}, false}}},
	/* 10 */ {"more than one CPU can do", {{3, {FULL, IDLE, IDLE}, true},
					       {200, {{21, 0, 0}, {20, 0, 0}, {20, 0, 0}}, true}}},
	/* 11 */ {"work on other CPUs is the kernel's time", {{3, {FULL, IDLE, IDLE}, true},
							      {200, {{5, 0, 0}, {0, 40, 0}, {0, 40, 0}}, true}}},
	/* 12 */ {"programs do not keep it on", {{3, {FULL, IDLE, IDLE}, true},
						 {60, {{9, 0, 90}, {9, 0, 90}, OTHER}, false}}},
	/* 13 */ {"on again", {{3, {FULL, IDLE, IDLE}, true}, {60, {IDLE, IDLE, IDLE}, false},
			       {2, {FULL, IDLE, IDLE}, false}, {1, {FULL, IDLE, IDLE}, true}}},
};
/* clang-format on */

static void spend(struct proc_cpu *cpu, const struct share *share)
{
	cpu->total += TICKS;
	cpu->softirq += share->softirq;
	cpu->system += share->system;
	cpu->idle += TICKS - share->softirq - share->system - share->user;
}

/* The verdict after these seconds. */
static bool run(struct spread_judge *judge, struct proc_cpu cpus[CPUS],
		const struct second *seconds)
{
	bool on = false;

	for (unsigned n = 0; n < seconds->times; n++) {
		struct proc_cpu before[CPUS];

		memcpy(before, cpus, sizeof before);
		for (unsigned i = 0; i < CPUS; i++)
			spend(&cpus[i], &seconds->cpus[i]);
		on = spread_judge(judge, before, cpus, CPUS);
		assert_int_equal(on, judge->on);
	}
	return on;
}

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spread_judge judge = {.on = false};
		struct proc_cpu cpus[CPUS] = {{.total = 5000, .idle = 300, .softirq = 4000}};

		for (size_t k = 0; cases[i].seconds[k].times; k++)
			if (run(&judge, cpus, &cases[i].seconds[k]) != cases[i].seconds[k].on)
				fail_msg("row %zu, %s: step %zu", i + 1, cases[i].name, k + 1);
	}
}

static void test_one_cpu(void **state)
{
	const struct proc_cpu before[CPUS] = {{.total = 0}};
	const struct proc_cpu now[CPUS] = {{.total = 100, .softirq = 100}};
	struct spread_judge judge = {.on = false};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_false(spread_judge(&judge, before, now, 1));
	/* The others are there and switched off. */
	for (unsigned i = 0; i < 10; i++)
		assert_false(spread_judge(&judge, before, now, CPUS));
	judge.on = true;
	assert_false(spread_judge(&judge, before, now, CPUS));
}

static void test_counters_that_go_back(void **state)
{
	const struct proc_cpu before[2] = {{.total = 100, .idle = 90}, {.total = 100, .idle = 90}};
	const struct proc_cpu now[2] = {{.total = 200, .softirq = 95, .idle = 85},
					{.total = 200, .idle = 195}};
	struct spread_judge judge = {.on = false};

	(void)state;
	assert_false(spread_judge(&judge, before, now, 2));
	assert_false(spread_judge(&judge, before, now, 2));
	assert_true(spread_judge(&judge, before, now, 2));
}

static void test_read(void **state)
{
	static const char text[] = "cpu  11 22 33 44 55 66 77 88 99 0\n"
				   "cpu0 1 2 3 4 5 6 7 8 9 10\n"
				   "cpu2 100 0 20 300 7 1 55 2 0 0\n"
				   "intr 1 2 3\ncpu1 1 1 1 1 1 1 1 1 1 1\n";
	struct proc_cpu cpus[4];

	(void)state;
	memset(cpus, 0xff, sizeof cpus);
	assert_int_equal(proc_cpus(text, cpus, 4), 3);
	assert_int_equal(cpus[0].total, 36);
	assert_int_equal(cpus[0].idle, 9);
	assert_int_equal(cpus[0].softirq, 7);
	assert_int_equal(cpus[0].system, 3);
	assert_int_equal(cpus[1].total, 0);
	assert_int_equal(cpus[2].total, 485);
	assert_int_equal(cpus[2].softirq, 55);
	assert_int_equal(cpus[3].total, 0);
	assert_int_equal(proc_cpus(text, cpus, 2), 1); /* no more than fit */
	assert_int_equal(proc_cpus("", cpus, 4), 0);
	assert_int_equal(proc_cpus("cpu0 1 2", cpus, 4), 1);
	assert_int_equal(cpus[0].total, 3);
}

static void test_read_this_host(void **state)
{
	struct proc_cpu cpus[64];
	uint64_t total = 0;
	int count = proc_cpus_read(cpus, 64);

	(void)state;
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		assert_true(cpus[i].idle + cpus[i].softirq + cpus[i].system <= cpus[i].total);
		total += cpus[i].total;
	}
	assert_true(total > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_one_cpu),
		cmocka_unit_test(test_counters_that_go_back),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_this_host),
	};

	return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}
