/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure parts of what the doctor does inside the tunnel. */
#include "proto_test.h"

#include "ctl/doctor/inside.h"

static struct ip_prefix net(const char *text)
{
	struct ip_prefix prefix;

	assert_true(prefix_parse(text, &prefix));
	return prefix;
}

static const char *text(struct ip_addr addr, char buf[ADDR_TEXT_SIZE])
{
	return addr.family == IP_NONE ? "none" : addr_format(&addr, buf);
}

static void mates(void **state)
{
	static const struct {
		const char *local, *mate;
	} rows[] = {
		{"10.0.6.0/31", "10.0.6.1"},	 {"10.0.6.1/31", "10.0.6.0"},
		{"10.255.7.1/30", "10.255.7.2"}, {"10.255.7.2/30", "10.255.7.1"},
		{"10.255.7.3/30", "none"},	 {"10.255.7.4/30", "none"},
		{"10.0.0.1/24", "none"},	 {"10.0.0.1/32", "none"},
		{"fd00:6::/127", "fd00:6::1"},	 {"fd00:6::1/127", "fd00:6::"},
		{"fd00:6::1/126", "none"},	 {"fd00:6::1/64", "none"},
	};
	char buf[ADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip_prefix local = net(rows[i].local);

		CHECK_ROW(i, rows[i].local,
			  strcmp(text(inside_mate(&local), buf), rows[i].mate) == 0);
	}
}

static void hosts(void **state)
{
	static const struct {
		const char *prefix, *but, *first, *last;
	} rows[] = {
		{"20.10.1.0/24", "0.0.0.0", "20.10.1.1", "20.10.1.254"},
		{"20.10.1.0/24", "20.10.1.1", "20.10.1.2", "20.10.1.254"},
		{"20.10.1.0/24", "20.10.1.254", "20.10.1.1", "20.10.1.253"},
		{"20.10.0.0/15", "0.0.0.0", "20.10.0.1", "20.11.255.254"},
		{"20.10.1.4/30", "20.10.1.6", "20.10.1.5", "20.10.1.6"},
		{"20.10.1.4/31", "0.0.0.0", "20.10.1.4", "20.10.1.4"},
		{"20.10.1.9/32", "0.0.0.0", "20.10.1.9", "20.10.1.9"},
		{"fd00:20:1::/64", "::", "fd00:20:1::1", "fd00:20:1:0:ffff:ffff:ffff:fffe"},
		{"fd00:20:1::7/128", "::", "fd00:20:1::7", "fd00:20:1::7"},
	};
	char buf[ADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip_prefix prefix = net(rows[i].prefix);
		struct ip_addr but = net(rows[i].but).addr;

		CHECK_ROW(i, rows[i].prefix,
			  strcmp(text(inside_first_host(&prefix, &but), buf), rows[i].first) == 0);
		CHECK_ROW(i, rows[i].prefix,
			  strcmp(text(inside_last_host(&prefix, &but), buf), rows[i].last) == 0);
	}
}

static void tracked_connections(void **state)
{
	(void)state;
	assert_int_equal(inside_judge_fill(0, 0), DOCTOR_HEALTHY);
	assert_int_equal(inside_judge_fill(249036, 262144), DOCTOR_HEALTHY);
	assert_int_equal(inside_judge_fill(249037, 262144), DOCTOR_DEGRADED);
	assert_int_equal(inside_judge_fill(262143, 262144), DOCTOR_DEGRADED);
	assert_int_equal(inside_judge_fill(262144, 262144), DOCTOR_BROKEN);
	assert_int_equal(inside_judge_fill(UINT32_MAX, UINT32_MAX), DOCTOR_BROKEN);
}

static void names_of_drops(void **state)
{
	struct nft_drop drop = {.family = 1,
				.table = "gretel",
				.chain = "judge",
				.handle = 7,
				.rule = "counter drop"};
	char buf[INSIDE_DROP_SIZE];

	(void)state;
	assert_string_equal(inside_say_drop(&drop, buf),
			    "rule \"counter drop\" (handle 7) of chain "
			    "judge in table inet gretel");
	assert_true(inside_drop_is_ours(&drop));
	drop.family = 2;
	drop.handle = 0;
	assert_string_equal(inside_say_drop(&drop, buf),
			    "the policy of chain judge in table ip gretel");
	assert_false(inside_drop_is_ours(&drop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mates),
		cmocka_unit_test(hosts),
		cmocka_unit_test(tracked_connections),
		cmocka_unit_test(names_of_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
