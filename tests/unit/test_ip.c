/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/ip.h"

static bool same_info(const struct ip_info *a, const struct ip_info *b)
{
	return a->version == b->version && a->protocol == b->protocol && a->tos == b->tos &&
	       a->ttl == b->ttl && a->df == b->df && a->fragment == b->fragment &&
	       a->more_fragments == b->more_fragments && a->has_transport == b->has_transport &&
	       a->header_len == b->header_len && a->frag_offset == b->frag_offset &&
	       a->total_len == b->total_len && a->id == b->id;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ip_vectors); i++) {
		const struct ip_vector *v = &ip_vectors[i];
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(v->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);
		struct ip_info info;

		CHECK_ROW(i, v->name, ip_decode(p, p + len, &info) == v->good);
		if (v->good) {
			CHECK_ROW(i, v->name, same_info(&info, &v->info));
			CHECK_ROW(i, v->name, info.src == p + (info.version == 4 ? 12 : 8));
			CHECK_ROW(i, v->name, info.dst == p + (info.version == 4 ? 16 : 24));
		}
		exact_free(p, len);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ip_vectors); i++) {
		uint8_t octets[OCTETS_MAX];

		hex_decode(ip_vectors[i].hex, octets, sizeof octets);
		for (size_t len = 0; len < ip_vectors[i].info.total_len; len++) {
			uint8_t *p = exact_copy(octets, len);
			struct ip_info info;

			CHECK_ROW(i, ip_vectors[i].name, !ip_decode(p, p + len, &info));
			exact_free(p, len);
		}
	}
}

/* What is written is read again. */
static void test_outer(void **state)
{
	const uint8_t src[16] = {192, 0, 2, 1, [15] = 9}, dst[16] = {192, 0, 2, 2, [15] = 7};

	(void)state;
	for (int i = 0; i < 64; i++) {
		struct ip_outer o = {
			.family = i & 1 ? IP_V6 : IP_V4,
			.protocol = IP_PROTOCOL_GRE,
			.tos = (uint8_t)(i * 37),
			.ttl = (uint8_t)(255 - i),
			.df = i & 2,
			.id = (uint16_t)(i * 4099),
			.payload_len = (uint32_t)i * 30,
			.flow_label = 0xabcde,
			.src = src,
			.dst = dst,
		};
		uint8_t p[OCTETS_MAX];
		unsigned len = ip_outer_encode(p, &o);
		struct ip_info info;

		assert_int_equal(len, i & 1 ? 40 : 20);
		assert_true(ip_decode(p, p + len + o.payload_len, &info));
		assert_int_equal(info.total_len, len + o.payload_len);
		assert_int_equal(info.protocol, IP_PROTOCOL_GRE);
		assert_int_equal(info.tos, o.tos);
		assert_int_equal(info.ttl, o.ttl);
		assert_memory_equal(info.src, src, i & 1 ? 16 : 4);
		assert_memory_equal(info.dst, dst, i & 1 ? 16 : 4);
		if (i & 1) {
			assert_int_equal(get_be32(p) & 0xfffff, 0xabcde);
			continue;
		}
		assert_int_equal(info.df, o.df);
		assert_int_equal(info.id, o.id);
		assert_false(info.fragment);
		assert_true(ip4_checksum_good(p, p + len, len));
	}
}

static void test_outer_too_long(void **state)
{
	const uint8_t address[16] = {1};
	struct ip_outer o = {.family = IP_V4, .payload_len = 65516, .src = address, .dst = address};
	uint8_t p[40] = {0};

	(void)state;
	assert_int_equal(ip_outer_encode(p, &o), 0);
	assert_int_equal(p[0], 0);
	o.payload_len = 65515;
	assert_int_equal(ip_outer_encode(p, &o), 20);
	assert_int_equal(get_be16(p + 2), 65535);
	o.family = IP_V6;
	o.payload_len = 65536;
	assert_int_equal(ip_outer_encode(p, &o), 0);
	o.payload_len = 65535;
	assert_int_equal(ip_outer_encode(p, &o), 40);
	assert_int_equal(get_be16(p + 4), 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_outer_too_long),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
