/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/csum.h"
#include "proto/csum.h"

/* As RFC 1071 states it, word by word. */
static uint16_t slow(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void fill(uint8_t *p, size_t len, uint32_t random)
{
	for (size_t i = 0; i < len; i++) {
		random = random * 1664525 + 1013904223;
		p[i] = (uint8_t)(random >> 24);
	}
}

static void test_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(csum_vectors); i++) {
		uint8_t p[OCTETS_MAX];
		size_t len = hex_decode(csum_vectors[i].hex, p, sizeof p);

		CHECK_ROW(i, csum_vectors[i].hex,
			  csum_fold(csum_partial(p, len, 0)) == csum_vectors[i].check);
	}
}

/* Every length and alignment around the block size, on exact blocks. */
static void test_lengths(void **state)
{
	uint8_t data[400];

	(void)state;
	fill(data, sizeof data, 7);
	for (size_t from = 0; from < 17; from++) {
		for (size_t len = 0; len <= 300; len++) {
			uint8_t *p = exact_copy(data + from, len);

			assert_int_equal(csum_fold(csum_partial(p, len, 0)), slow(p, len));
			assert_int_equal(csum_fold(csum_partial(data + from, len, 0)),
					 slow(p, len));
			exact_free(p, len);
		}
	}
}

/* The largest packets, of the octets that carry most. */
static void test_carries(void **state)
{
	static uint8_t data[65536];

	(void)state;
	memset(data, 0xff, sizeof data);
	for (size_t len = 65471; len <= 65536; len++)
		assert_int_equal(csum_fold(csum_partial(data, len, 0)), slow(data, len));
	fill(data, sizeof data, 9);
	assert_int_equal(csum_fold(csum_partial(data, 65535, 0)), slow(data, 65535));
	assert_int_equal(csum_fold(UINT64_MAX), 0);
	assert_int_equal(csum_fold(0), 0xffff);
}

/* A sum of two pieces, cut anywhere, is the sum of the whole. */
static void test_pieces(void **state)
{
	uint8_t data[150];

	(void)state;
	fill(data, sizeof data, 3);
	for (size_t cut = 0; cut <= sizeof data; cut++) {
		uint64_t first = csum_partial(data, cut, 0);
		uint64_t second = csum_partial(data + cut, sizeof data - cut, 0);

		assert_int_equal(csum_fold(csum_block_add(first, second, cut)),
				 slow(data, sizeof data));
		if (cut % 2 == 0)
			assert_int_equal(
				csum_fold(csum_partial(data + cut, sizeof data - cut, first)),
				slow(data, sizeof data));
	}
}

static void test_updates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(csum_update_vectors); i++) {
		const struct csum_update_vector *v = &csum_update_vectors[i];

		CHECK_ROW(i, "update",
			  (v->wide ? csum_update32(v->check, v->from, v->to)
				   : csum_update16(v->check, (uint16_t)v->from, (uint16_t)v->to)) ==
				  v->result);
	}
}

/* A changed field and the whole sum anew agree, for all values of 16 bits. */
static void test_update_is_recomputation(void **state)
{
	uint8_t p[20];

	(void)state;
	fill(p, sizeof p, 5);
	for (unsigned to = 0; to <= 0xffff; to++) {
		uint16_t check = slow(p, sizeof p), from = get_be16(p + 4);
		uint32_t from32 = get_be32(p + 8), to32 = to * 0x9e3779b1u;

		put_be16(p + 4, (uint16_t)to);
		check = csum_update16(check, from, (uint16_t)to);
		assert_int_equal(check, slow(p, sizeof p));
		put_be32(p + 8, to32);
		assert_int_equal(csum_update32(check, from32, to32), slow(p, sizeof p));
	}
}

static void test_pseudo(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(csum_pseudo_vectors); i++) {
		const struct csum_pseudo_vector *v = &csum_pseudo_vectors[i];
		uint8_t p[OCTETS_MAX];
		size_t len = hex_decode(v->packet, p, sizeof p);
		bool v4 = p[0] >> 4 == 4;
		size_t header = v4 ? 20 : 40;
		uint32_t upper = (uint32_t)(len - header);
		uint64_t sum = v4 ? csum_pseudo4(p + 12, p + 16, p[9], upper)
				  : csum_pseudo6(p + 8, p + 24, p[6], upper);

		CHECK_ROW(i, v->name, csum_fold(csum_partial(p + header, upper, sum)) == 0);
		CHECK_ROW(i, v->name, csum_pseudo(p, v4 ? 4 : 6, v4 ? p[9] : p[6], upper) == sum);
	}
}

static void test_ip4_header(void **state)
{
	(void)state;
	for (unsigned len = 20; len <= 60; len += 4) {
		uint8_t data[60], *p;

		fill(data, sizeof data, len);
		p = exact_copy(data, len);
		assert_int_equal(csum_fold(csum_ip4_header(p, p + len, len)), slow(p, len));
		exact_free(p, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_carries),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_update_is_recomputation),
		cmocka_unit_test(test_pseudo),
		cmocka_unit_test(test_ip4_header),
	};

	return cmocka_run_group_tests_name("csum", tests, NULL, NULL);
}
