/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/ecn.h"
#include "proto/ip.h"

static void test_encapsulate(void **state)
{
	(void)state;
	for (unsigned tos = 0; tos < 256; tos++) {
		assert_int_equal(ecn_encapsulate((uint8_t)tos, true), tos & 3);
		assert_int_equal(ecn_encapsulate((uint8_t)tos, false), 0);
	}
}

static void test_decapsulate(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ecn_vectors); i++) {
		const struct ecn_vector *v = &ecn_vectors[i];
		uint8_t result = 0xee;

		CHECK_ROW(i, "cell", ecn_decapsulate(v->inner, v->outer, &result) == v->reason);
		CHECK_ROW(i, "cell", result == (v->reason ? 0xee : v->result));
	}
}

/* Every class and every mark: only the two bits change, and the header checksum is that of the new
 * header. */
static void test_apply4(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256 * 4; i++) {
		uint8_t p[20], want;
		size_t len = hex_decode(PASSENGER4, p, sizeof p);

		p[1] = (uint8_t)(i >> 2);
		want = (uint8_t)((p[1] & 0xfc) | (i & 3));
		put_be16(p + 10, csum_fold(csum_ip4_header(p, p + len, 20)));
		assert_true(ecn_apply(p, p + len, i & 3));
		assert_int_equal(p[1], want);
		assert_int_equal(p[0], 0x45);
		assert_true(ip4_checksum_good(p, p + len, 20));
	}
}

static void test_apply6(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256 * 4; i++) {
		uint8_t p[40], before[40], tc = (uint8_t)(i >> 2);
		size_t len = hex_decode(PASSENGER6, p, sizeof p);
		uint8_t want = (uint8_t)((tc & 0xfc) | (i & 3));

		put_be16(p, (uint16_t)(0x600a | tc << 4));
		memcpy(before, p, len);
		assert_true(ecn_apply(p, p + len, i & 3));
		assert_int_equal(get_be16(p), 0x600a | want << 4);
		assert_memory_equal(p + 2, before + 2, len - 2);
	}
}

static void test_apply_refuses(void **state)
{
	uint8_t p[20] = {0x55}, untouched[20] = {0x55};

	(void)state;
	assert_false(ecn_apply(p, p + 20, 3));
	p[0] = untouched[0] = 0x45;
	assert_false(ecn_apply(p, p + 19, 3));
	assert_memory_equal(p, untouched, sizeof p);
}

static void test_outer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(outer_vectors); i++) {
		const struct outer_vector *v = &outer_vectors[i];
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(v->passenger, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);
		struct outer_fields f = outer_fields(&v->policy, v->protocol, p, p + len);

		CHECK_ROW(i, v->name, f.tos == v->fields.tos);
		CHECK_ROW(i, v->name, f.ttl == v->fields.ttl);
		CHECK_ROW(i, v->name, f.df == v->fields.df);
		exact_free(p, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encapsulate),   cmocka_unit_test(test_decapsulate),
		cmocka_unit_test(test_apply4),	      cmocka_unit_test(test_apply6),
		cmocka_unit_test(test_apply_refuses), cmocka_unit_test(test_outer),
	};

	return cmocka_run_group_tests_name("ecn", tests, NULL, NULL);
}
