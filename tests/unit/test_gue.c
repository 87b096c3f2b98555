/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/hex.h"
#include "proto/gre.h"
#include "proto/gue.h"

/* What stands behind a UDP header. */
struct gue_row {
	const char *name, *hex;
	bool is_gue; /* with GRE in it */
	enum drop_reason reason;
};

/* clang-format off */
static const struct gue_row gue_rows[] = {
	{"as Linux sends it", "002f0000 00000800", true, DROP_NONE},
	{"with a GRE key", "002f0000 20000800 00001092", true, DROP_NONE},
	{"nothing behind it", "002f0000", true, DROP_NONE},
	{"one word of fields", "012f0000 00000000 00000800", true, DROP_RX_GUE},
	{"a control message", "202f0000 00000800", true, DROP_RX_GUE},
	{"variant 1, IP without a header", "402f0000 00000800", true, DROP_RX_GUE},
	{"private flags, as for a remote checksum", "032f0001 80000000 00140026 00000000 00000800", true, DROP_RX_GUE},
	{"another flag", "002f8000 00000800", true, DROP_RX_GUE},
	{"cut", "002f00", true, DROP_RX_GUE},
	{"GRE", "00000800", false, DROP_NONE},
	{"GRE with all it can have", "b0000800 00000000 00001092 00000001", false, DROP_NONE},
	{"GRE version 1, of PPTP", "3001880b", false, DROP_NONE},
	{"GUE with IPv4 in it", "00040000 45000014", false, DROP_NONE},
	{"one octet", "00", false, DROP_NONE},
	{"nothing", "", false, DROP_NONE},
};
/* clang-format on */

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gue_rows); i++) {
		const struct gue_row *r = &gue_rows[i];
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(r->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		CHECK_ROW(i, r->name, gue_is_gre(p, p + len) == r->is_gue);
		if (r->is_gue)
			CHECK_ROW(i, r->name, gue_decode(p, p + len) == r->reason);
		exact_free(p, len);
	}
}

/* Whatever octet 1 is: never both, GUE with GRE in it and GRE that would be taken. */
static void test_never_both(void **state)
{
	(void)state;
	for (unsigned octet = 0; octet < 256; octet++) {
		uint8_t p[] = {0, (uint8_t)octet, 0x08, 0x00};
		struct gre_header h;

		CHECK_ROW(octet, "octet 1",
			  !gue_is_gre(p, p + sizeof p) ||
				  gre_decode(p, p + sizeof p, &h) != DROP_NONE);
	}
}

static void test_encode(void **state)
{
	uint8_t p[GUE_LENGTH + 1] = {0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t expected[] = {0x00, 0x2f, 0x00, 0x00, 0xff};

	(void)state;
	gue_encode(p);
	assert_memory_equal(p, expected, sizeof expected);
	assert_true(gue_is_gre(p, p + GUE_LENGTH));
	assert_int_equal(gue_decode(p, p + GUE_LENGTH), DROP_NONE);
}

static void test_length(void **state)
{
	(void)state;
	assert_int_equal(gue_udp_length(0, false), 0);
	assert_int_equal(gue_udp_length(4754, false), 8);
	assert_int_equal(gue_udp_length(6080, true), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_never_both),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
