/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "proto/drop.h"
#include "proto/overhead.h"

/* All sets of options, outer families and passengers. */
struct overhead_row {
	uint8_t family;
	bool ethernet, checksum, key, sequence;
	unsigned overhead;
};

/* clang-format off */
static const struct overhead_row overhead_rows[] = {
	/*  1 */ {IP_V4, false, false, false, false, 24},
	/*  2 */ {IP_V4, false, true, false, false, 28},
	/*  3 */ {IP_V4, false, false, true, false, 28},
	/*  4 */ {IP_V4, false, false, false, true, 28},
	/*  5 */ {IP_V4, false, true, true, false, 32},
	/*  6 */ {IP_V4, false, true, false, true, 32},
	/*  7 */ {IP_V4, false, false, true, true, 32},
	/*  8 */ {IP_V4, false, true, true, true, 36},
	/*  9 */ {IP_V4, true, false, false, false, 38},
	/* 10 */ {IP_V4, true, true, false, false, 42},
	/* 11 */ {IP_V4, true, false, true, false, 42},
	/* 12 */ {IP_V4, true, false, false, true, 42},
	/* 13 */ {IP_V4, true, true, true, false, 46},
	/* 14 */ {IP_V4, true, true, false, true, 46},
	/* 15 */ {IP_V4, true, false, true, true, 46},
	/* 16 */ {IP_V4, true, true, true, true, 50},
	/* 17 */ {IP_V6, false, false, false, false, 44},
	/* 18 */ {IP_V6, false, true, false, false, 48},
	/* 19 */ {IP_V6, false, false, true, false, 48},
	/* 20 */ {IP_V6, false, false, false, true, 48},
	/* 21 */ {IP_V6, false, true, true, false, 52},
	/* 22 */ {IP_V6, false, true, false, true, 52},
	/* 23 */ {IP_V6, false, false, true, true, 52},
	/* 24 */ {IP_V6, false, true, true, true, 56},
	/* 25 */ {IP_V6, true, false, false, false, 58},
	/* 26 */ {IP_V6, true, true, false, false, 62},
	/* 27 */ {IP_V6, true, false, true, false, 62},
	/* 28 */ {IP_V6, true, false, false, true, 62},
	/* 29 */ {IP_V6, true, true, true, false, 66},
	/* 30 */ {IP_V6, true, true, false, true, 66},
	/* 31 */ {IP_V6, true, false, true, true, 66},
	/* 32 */ {IP_V6, true, true, true, true, 70},
};
/* clang-format on */

static void test_overhead(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(overhead_rows); i++) {
		const struct overhead_row *r = &overhead_rows[i];

		CHECK_ROW(i, "overhead",
			  tunnel_overhead(r->family, 0, r->ethernet, r->checksum, r->key,
					  r->sequence) == r->overhead);
		CHECK_ROW(i, "in UDP",
			  tunnel_overhead(r->family, 8, r->ethernet, r->checksum, r->key,
					  r->sequence) == r->overhead + 8u);
	}
}

static void test_mss(void **state)
{
	(void)state;
	assert_int_equal(mss_for_mtu(IP_V4, 1476), 1436);
	assert_int_equal(mss_for_mtu(IP_V6, 1476), 1416);
	assert_int_equal(mss_for_mtu(IP_V4, 40), 0);
	assert_int_equal(mss_for_mtu(IP_V4, 41), 1);
	assert_int_equal(mss_for_mtu(IP_V6, 60), 0);
	assert_int_equal(mss_for_mtu(IP_V6, 0), 0);
	assert_int_equal(mss_for_mtu(IP_V4, 70000), 65535);
}

/* Each reason has a name of its own, made of small letters and hyphens, and a text. */
static void test_drop_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		const char *name = drop_name((enum drop_reason)i);

		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		assert_true(i == DROP_NONE || !strncmp(name, "rx-", 3) || !strncmp(name, "tx-", 3));
		assert_true(strlen(drop_text((enum drop_reason)i)) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(name, drop_name((enum drop_reason)k));
	}
	assert_string_equal(drop_name(DROP_RX_KEY_WRONG), "rx-key-wrong");
	assert_string_equal(drop_name(DROP_REASON_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_drop_names),
	};

	return cmocka_run_group_tests_name("overhead", tests, NULL, NULL);
}
