/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/icmp.h"
#include "../vectors/packet.h"
#include "proto/csum.h"
#include "proto/icmp.h"
#include "proto/ip.h"

static const uint8_t router4[4] = {192, 168, 8, 1};
static const uint8_t router6[16] = {0xfd, 0, [15] = 1};

static void test_may_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(icmp_answer_vectors); i++) {
		const struct icmp_answer_vector *v = &icmp_answer_vectors[i];
		uint8_t octets[OCTETS_MAX], out[ICMP_ERROR_MAX];
		size_t len = hex_decode(v->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		CHECK_ROW(i, v->name, icmp_may_answer(p, len, false) == v->answer);
		CHECK_ROW(i, v->name, icmp_may_answer(p, len, true) == v->answer_too_big);
		CHECK_ROW(i, v->name,
			  (icmp4_frag_needed(out, p, len, router4, 1476) > 0) ==
				  (v->answer && octets[0] >> 4 == 4));
		CHECK_ROW(i, v->name,
			  (icmp6_packet_too_big(out, p, len, router6, 1456) > 0) ==
				  (v->answer_too_big && octets[0] >> 4 == 6));
		exact_free(p, len);
	}
}

/* A UDP packet of `len` octets, its payload not zero. */
static uint8_t *big_packet(int version, size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	memset(p, 0x5a, len);
	if (version == 4) {
		hex_decode("450000000000400040110000 0a0a0102 140a0102", p, len);
		put_be16(p + 2, (uint16_t)len);
	} else {
		hex_decode(IP6_HEAD("0000", "11"), p, len);
		put_be16(p + 4, (uint16_t)(len - 40));
	}
	return p;
}

static void test_frag_needed(void **state)
{
	(void)state;
	for (size_t len = 28; len <= 1600; len += 131) {
		uint8_t *p = big_packet(4, len), *out = malloc(ICMP4_ERROR_MAX);
		size_t got = icmp4_frag_needed(out, p, len, router4, 1400);
		size_t want = len + 28 > ICMP4_ERROR_MAX ? ICMP4_ERROR_MAX : len + 28;
		struct ip_info ip;

		assert_int_equal(got, want);
		assert_true(ip_decode(out, out + got, &ip));
		assert_int_equal(ip.total_len, got);
		assert_int_equal(ip.protocol, IP_PROTOCOL_ICMP);
		assert_true(ip4_checksum_good(out, out + got, 20));
		assert_memory_equal(ip.src, router4, 4);
		assert_memory_equal(ip.dst, p + 12, 4);
		assert_int_equal(get_be16(out + 20), 3 << 8 | 4);
		assert_int_equal(get_be32(out + 24), 1400);
		assert_int_equal(csum_fold(csum_partial(out + 20, got - 20, 0)), 0);
		assert_memory_equal(out + 28, p, got - 28);
		free(out);
		free(p);
	}
}

static void test_packet_too_big(void **state)
{
	(void)state;
	for (size_t len = 48; len <= 2000; len += 131) {
		uint8_t *p = big_packet(6, len), *out = malloc(ICMP6_ERROR_MAX);
		size_t got = icmp6_packet_too_big(out, p, len, router6, 1456);
		size_t want = len + 48 > ICMP6_ERROR_MAX ? ICMP6_ERROR_MAX : len + 48;
		uint64_t pseudo;
		struct ip_info ip;

		assert_int_equal(got, want);
		assert_true(ip_decode(out, out + got, &ip));
		assert_int_equal(ip.total_len, got);
		assert_int_equal(ip.protocol, IP_PROTOCOL_ICMPV6);
		assert_memory_equal(ip.src, router6, 16);
		assert_memory_equal(ip.dst, p + 8, 16);
		assert_int_equal(get_be16(out + 40), 2 << 8);
		assert_int_equal(get_be32(out + 44), 1456);
		pseudo = csum_pseudo6(out + 8, out + 24, 58, (uint32_t)(got - 40));
		assert_int_equal(csum_fold(csum_partial(out + 40, got - 40, pseudo)), 0);
		assert_memory_equal(out + 48, p, got - 48);
		free(out);
		free(p);
	}
}

/* The padding behind a short packet is not quoted. */
static void test_padding(void **state)
{
	uint8_t *p = big_packet(4, 60), out[ICMP_ERROR_MAX];

	(void)state;
	put_be16(p + 2, 30);
	assert_int_equal(icmp4_frag_needed(out, p, 60, router4, 1400), 58);
	free(p);
}

static void check_quote(size_t row, const struct icmp_quote_vector *v, const struct icmp_quote *q)
{
	CHECK_ROW(row, v->name, q->type == v->want.type && q->code == v->want.code);
	CHECK_ROW(row, v->name, q->mtu == v->want.mtu);
	CHECK_ROW(row, v->name, q->total_len == v->want.total_len);
	CHECK_ROW(row, v->name, q->flags == v->want.flags && q->protocol == v->want.protocol);
	CHECK_ROW(row, v->name, q->has_key == v->want.has_key && q->key == v->want.key);
	if (v->family == IP_V4) {
		CHECK_ROW(row, v->name, get_be32(q->src) == 0xac130101);
		CHECK_ROW(row, v->name, get_be32(q->dst) == 0xac130102);
	} else {
		CHECK_ROW(row, v->name, get_be32(q->src) == 0x20010db8 && q->src[15] == 1);
		CHECK_ROW(row, v->name, get_be32(q->dst) == 0x20010db8 && q->dst[15] == 2);
	}
}

/* Puts the checksum into an ICMPv4 message of a table, unless the row has one. */
static void complete(uint8_t *p, size_t len)
{
	if (len >= 8 && get_be16(p + 2) == 0)
		put_be16(p + 2, csum_fold(csum_partial(p, len, 0)));
}

static void test_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(icmp_quote_vectors); i++) {
		const struct icmp_quote_vector *v = &icmp_quote_vectors[i];
		uint8_t octets[OCTETS_MAX], *p;
		size_t len = hex_decode(v->hex, octets, sizeof octets);
		struct icmp_quote quote;

		if (v->family == IP_V4)
			complete(octets, len);
		p = exact_copy(octets, len);
		CHECK_ROW(i, v->name, icmp_quote_decode(v->family, p, len, &quote) == v->good);
		if (v->good)
			check_quote(i, v, &quote);
		exact_free(p, len);
	}
}

/* An error about each of our own outer packets is read back, wherever it is cut. */
static void test_quote_of_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(packet_vectors); i++) {
		const struct packet_vector *v = &packet_vectors[i];
		size_t head = v->family == IP_V4 ? 20 : 40;
		size_t key_end = head + 4 + (v->checksum ? 4 : 0) + 4;
		uint8_t octets[OCTETS_MAX] = {v->family == IP_V4 ? 3 : 2,
					      v->family == IP_V4 ? 4 : 0,
					      0,
					      0,
					      0,
					      0,
					      0x05,
					      0x78};
		size_t whole = hex_decode(v->hex, octets + 8, sizeof octets - 8);

		for (size_t len = 0; len <= whole; len++) {
			struct icmp_quote q;
			uint8_t *p;

			put_be16(octets + 2, 0);
			if (v->family == IP_V4)
				complete(octets, 8 + len);
			p = exact_copy(octets, 8 + len);
			CHECK_ROW(i, v->name,
				  icmp_quote_decode(v->family, p, 8 + len, &q) ==
					  (len >= head + 4));
			if (len >= head + 4) {
				CHECK_ROW(i, v->name, q.mtu == 1400);
				CHECK_ROW(i, v->name, q.has_key == (v->key && len >= key_end));
				CHECK_ROW(i, v->name, q.key == (q.has_key ? PACKET_KEY : 0));
			}
			exact_free(p, 8 + len);
		}
	}
}

static void test_plateau(void **state)
{
	(void)state;
	assert_int_equal(icmp_plateau(65535), 32000);
	assert_int_equal(icmp_plateau(1500), 1492);
	assert_int_equal(icmp_plateau(1492), 1006);
	assert_int_equal(icmp_plateau(576), 508);
	assert_int_equal(icmp_plateau(296), 68);
	assert_int_equal(icmp_plateau(0), 68);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may_answer),     cmocka_unit_test(test_frag_needed),
		cmocka_unit_test(test_packet_too_big), cmocka_unit_test(test_padding),
		cmocka_unit_test(test_quote),	       cmocka_unit_test(test_quote_of_ours),
		cmocka_unit_test(test_plateau),
	};

	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
