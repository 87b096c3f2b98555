/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keepalive's packets in all their forms, octet by octet. */
#include "proto_test.h"

#include "proto/csum.h"
#include "proto/kaquest.h"

#define A4 " 0aac4006 "
#define B4 " 0aac4007 "
#define A6 " 20010db8000000000000000000000001 "
#define B6 " 20010db8000000000000000000000002 "

static const uint8_t b4[] = {10, 172, 64, 7}, a4[] = {10, 172, 64, 6};
static const uint8_t a6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t b6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

#define IN_A4 " 0a000006 "
#define IN_B4 " 0a000007 "
#define BODY  "0102030405060708090a0b0c0d0e0f10"

static const uint8_t in_a4[] = {10, 0, 0, 6}, in_b4[] = {10, 0, 0, 7};
static const uint8_t body[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

#define KEY(n)	    .has_key = true, .key = (n)
#define SEQUENCE(n) .has_sequence = true, .sequence = (n)

/* Questions from B to A. The one with metadata is a capture of two Cisco routers; the first is what
 * its octets become without; "plain" was computed by hand with the same addresses. */
static const struct build_row {
	const char *name;
	struct kapkt k;
	const char *hex;
} build_rows[] = {
	/* clang-format off */
	{"key 40", {.family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .ask = {KEY(40)}, .back = {KEY(40)}},
	 "45c0003800a40000ff2f24ce" B4 A4 "20000800 00000028"
	 "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000028"},
	{"plain", {.family = IP_V4, .local = b4, .remote = a4, .id = 0xa4},
	 "45c0003000a40000ff2f24d6" B4 A4 "00000800"
	 "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"two keys", {.family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .ask = {KEY(1)}, .back = {KEY(2)}},
	 "45c0003800a40000ff2f24ce" B4 A4 "20000800 00000001"
	 "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000002"},
	{"key one way", {.family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .ask = {KEY(0)}},
	 "45c0003400a40000ff2f24d2" B4 A4 "20000800 00000000"
	 "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"sequence numbers", {.family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .ask = {SEQUENCE(7)}, .back = {SEQUENCE(9)}},
	 "45c0003800a40000ff2f24ce" B4 A4 "10000800 00000007"
	 "45c0001c00a30000ff2f24eb" A4 B4 "10000000 00000009"},
	{"IPv6", {.family = IP_V6, .local = b6, .remote = a6, .id = 0xa4, .ask = {KEY(40)}, .back = {KEY(40)}},
	 "6c00000000382fff" B6 A6 "200086dd 00000028"
	 "6c00000000082fff" A6 B6 "20000000 00000028"},
	{"metadata in front, as captured", {.form = KEEPALIVE_CISCO_CMD, .family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .ask = {KEY(40)}, .back = {KEY(40)}},
	 "45c0004000a40000ff2f24c6" B4 A4 "20008909 00000028 0800010100010000"
	 "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000028"},
	{"metadata, IPv6", {.form = KEEPALIVE_CISCO_CMD, .family = IP_V6, .local = b6, .remote = a6},
	 "6c00000000382fff" B6 A6 "00008909 86dd010100010000"
	 "6c00000000042fff" A6 B6 "00000000"},
	{"Huawei", {.form = KEEPALIVE_HUAWEI, .family = IP_V4, .local = b4, .remote = a4, .id = 0xa4},
	 "45c0003000a40000ff2f24d6" B4 A4 "00000004"
	 "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"MikroTik, IPv4", {.form = KEEPALIVE_MIKROTIK, .family = IP_V4, .local = b4, .remote = a4, .id = 0xa4},
	 "45c0003000a40000ff2f24d6" B4 A4 "00000800"
	 "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"MikroTik, IPv6", {.form = KEEPALIVE_MIKROTIK, .family = IP_V6, .local = b6, .remote = a6},
	 "6c00000000302fff" B6 A6 "000086dd"
	 "6c00000000042fff" A6 B6 "000086dd"},
	{"OpenBSD", {.form = KEEPALIVE_OPENBSD, .family = IP_V4, .local = b4, .remote = a4, .id = 0xa4, .body = body},
	 "45c0004000a40000ff2f24c6" B4 A4 "00000800"
	 "45c0002800a30000ff2f24df" A4 B4 "00000000 " BODY},
	{"OpenBSD, IPv6", {.form = KEEPALIVE_OPENBSD, .family = IP_V6, .local = b6, .remote = a6, .body = body},
	 "6c00000000402fff" B6 A6 "000086dd"
	 "6c00000000142fff" A6 B6 "00000000 " BODY},
	{"inside", {.form = KEEPALIVE_INSIDE, .family = IP_V4, .local = b4, .remote = a4, .inside = IP_V4, .near = in_b4, .far = in_a4, .id = 0xa4},
	 "45c0003000a40000ff2f24d6" B4 A4 "00000800"
	 "45c0001800a30000ff2fa647" IN_A4 IN_B4 "00000000"},
	{"inside, IPv6 over IPv4", {.form = KEEPALIVE_INSIDE, .family = IP_V4, .local = b4, .remote = a4, .inside = IP_V6, .near = b6, .far = a6, .id = 0xa4},
	 "45c0004400a40000ff2f24c2" B4 A4 "000086dd"
	 "6c00000000042fff" A6 B6 "00000000"},
	/* clang-format on */
};

static void test_build(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(build_rows); i++) {
		const struct build_row *row = &build_rows[i];
		uint8_t want[KAPKT_LENGTH_MAX], got[KAPKT_LENGTH_MAX];
		size_t len = hex_decode(row->hex, want, sizeof want);

		CHECK_ROW(i, row->name, kapkt_build(got, &row->k) == len);
		CHECK_ROW(i, row->name, memcmp(got, want, len) == 0);
	}
}

/* Every set of optional fields, both families: both GRE headers are whole, their checksums right
 * over all that follows, and what was asked is what the peer takes for a question. */
static void test_build_all_fields(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 256; bits++) {
		bool v6 = bits & 64;
		struct kapkt k = {
			.family = v6 ? IP_V6 : IP_V4,
			.local = v6 ? a6 : a4,
			.remote = v6 ? b6 : b4,
			.id = 1,
			.body = bits & 128 ? body : NULL,
			.ask = {.has_checksum = bits & 1,
				.has_key = bits & 2,
				.has_sequence = bits & 4,
				.key = bits & 2 ? 0xffffffff : 0},
			.back = {.has_checksum = bits & 8,
				 .has_key = bits & 16,
				 .has_sequence = bits & 32,
				 .key = bits & 16 ? 0x80000001 : 0},
		};
		struct kapkt_tunnel peer = {.family = k.family,
					    .local = k.remote,
					    .remote = k.local,
					    .has_key = k.back.has_key,
					    .key = k.back.key};
		uint8_t p[KAPKT_LENGTH_MAX];
		unsigned len = kapkt_build(p, &k), ip_len = ip_outer_length(k.family);
		struct gre_header ask = {0}, back = {0};
		uint8_t *inner, *end = p + len;
		uint32_t inner_body;

		assert_int_equal(gre_decode(p + ip_len, end, &ask), DROP_NONE);
		inner = p + ip_len + ask.length;
		assert_int_equal(kapkt_question(ask.protocol, inner, end, &peer).len, end - inner);
		assert_int_equal(gre_decode(inner + ip_len, end, &back), DROP_NONE);
		inner_body = (uint32_t)(end - inner - ip_len - back.length);
		assert_int_equal(inner_body, k.body ? KABODY_LENGTH : 0);
		assert_int_equal(kapkt_answer(k.family, &back, inner_body),
				 k.body ? KAPKT_SIGNED : KAPKT_PLAIN);
		if (ask.has_checksum)
			assert_int_equal(csum_fold(csum_partial(p + ip_len, len - ip_len, 0)), 0);
		if (back.has_checksum)
			assert_int_equal(csum_fold(csum_partial(inner + ip_len,
								back.length + inner_body, 0)),
					 0);
		kapkt_turn(inner, k.family);
		assert_int_equal(inner[v6 ? 7 : 8], 254);
		assert_true(v6 || ip4_checksum_good(inner, end, ip_len));
	}
}

/* The answers that were captured and computed, and one that a NAT made necessary. */
static void test_turn(void **state)
{
	static const struct {
		const char *question, *answer;
		bool alien;
	} rows[] = {
		{"45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000028",
		 "45c0001c00a30000fe2f25eb" A4 B4 "20000000 00000028"},
		{"45c0001800a30000ff2f24ef" A4 B4 "00000000",
		 "45c0001800a30000fe2f25ef" A4 B4 "00000000"},
		{"45c0001800a30000ff2fadf4" A4 "c0a80105 00000000",
		 "45c0001800a30000fe2f25ef" A4 B4 "00000000", true},
	};
	uint8_t p[28], want[28];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = hex_decode(rows[i].question, p, sizeof p);

		hex_decode(rows[i].answer, want, sizeof want);
		assert_true(ip4_checksum_good(p, p + len, IP4_HEADER_LENGTH));
		kapkt_turn(p, IP_V4);
		if (rows[i].alien)
			kapkt_readdress(p, IP_V4, b4);
		assert_memory_equal(p, want, len);
	}
}

/* What A, whose key towards B is 40, takes for a question of B. The length expected, or 0. */
static const struct question_row {
	const char *name;
	uint8_t family;
	bool keyless;
	unsigned len;
	const char *hex;
} question_rows[] = {
	/* clang-format off */
	{"keyed", IP_V4, false, 28, "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000028"},
	{"keyless", IP_V4, true, 24, "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"padding behind", IP_V4, true, 24, "45c0001800a30000ff2f24ef" A4 B4 "00000000 ffff"},
	{"16 octets of body", IP_V4, true, 40, "45c0002800a30000ff2f24df" A4 B4 "00000000 0102030405060708090a0b0c0d0e0f10"},
	{"17 octets of body", IP_V4, true, 0, "45c0002900a30000ff2f24de" A4 B4 "00000000 0102030405060708090a0b0c0d0e0f1011"},
	{"DF set", IP_V4, true, 24, "45c0001800a34000ff2fe4ee" A4 B4 "00000000"},
	{"TTL 2", IP_V4, true, 24, "45c0001800a30000022f21f0" A4 B4 "00000000"},
	{"TTL 1", IP_V4, true, 0, "45c0001800a30000012f22f0" A4 B4 "00000000"},
	{"header checksum wrong", IP_V4, true, 0, "45c0001800a30000ff2f24ee" A4 B4 "00000000"},
	{"not swapped", IP_V4, true, 0, "45c0001800a30000ff2f24ef" B4 A4 "00000000"},
	{"another source", IP_V4, true, 0, "45c0001800a30000ff2f24ee 0aac4007" B4 "00000000"},
	{"another destination", IP_V4, true, 0, "45c0001800a30000ff2f24ee" A4 "0aac4008 00000000"},
	{"not GRE", IP_V4, true, 0, "45c0001800a30000ff11250d" A4 B4 "00000000"},
	{"fragment", IP_V4, true, 0, "45c0001800a32000ff2f04ef" A4 B4 "00000000"},
	{"options", IP_V4, true, 0, "46c0001c00a30000ff2f21ea" A4 B4 "01010100 00000000"},
	{"carries IPv4", IP_V4, true, 0, "45c0001800a30000ff2f24ef" A4 B4 "00000800"},
	{"protocol 0x86dd in IPv4", IP_V4, true, 0, "45c0001800a30000ff2f24ef" A4 B4 "000086dd"},
	{"another key", IP_V4, false, 0, "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000029"},
	{"no key", IP_V4, false, 0, "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"key unexpected", IP_V4, true, 0, "45c0001c00a30000ff2f24eb" A4 B4 "20000000 00000028"},
	{"GRE version 1", IP_V4, true, 0, "45c0001800a30000ff2f24ef" A4 B4 "00010000"},
	{"GRE header cut", IP_V4, false, 0, "45c0001800a30000ff2f24ef" A4 B4 "20000000"},
	{"packet cut", IP_V4, true, 0, "45c0001800a30000ff2f24ef" A4 B4 "0000"},
	{"empty", IP_V4, true, 0, ""},
	{"IPv6", IP_V6, true, 44, "6c00000000042fff" A6 B6 "00000000"},
	{"IPv6 keyed", IP_V6, false, 48, "6c00000000082fff" A6 B6 "20000000 00000028"},
	{"IPv6 with its protocol type", IP_V6, true, 44, "6c00000000042fff" A6 B6 "000086dd"},
	{"IPv6 with a passenger", IP_V6, true, 0, "6c00000000082fff" A6 B6 "000086dd 60000000"},
	{"IPv6 not swapped", IP_V6, true, 0, "6c00000000042fff" B6 A6 "00000000"},
	{"IPv6 hop limit 1", IP_V6, true, 0, "6c00000000042f01" A6 B6 "00000000"},
	{"IPv6 with an extension header", IP_V6, true, 0, "6c000000000c3cff" A6 B6 "2f00010400000000 00000000"},
	{"IPv6 cut", IP_V6, true, 0, "6c00000000042fff" A6 "2001"},
	{"IPv4 in a tunnel of IPv6", IP_V6, true, 0, "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	/* clang-format on */
};

static void test_question(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(question_rows); i++) {
		const struct question_row *row = &question_rows[i];
		bool v6 = row->family == IP_V6;
		struct kapkt_tunnel tunnel = {.family = row->family,
					      .local = v6 ? a6 : a4,
					      .remote = v6 ? b6 : b4,
					      .has_key = !row->keyless,
					      .key = row->keyless ? 0 : 40};
		uint8_t octets[128];
		size_t len = hex_decode(row->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);
		struct kapkt_question q = kapkt_question(v6 ? GRE_PROTOCOL_IPV6 : GRE_PROTOCOL_IPV4,
							 p, p + len, &tunnel);

		CHECK_ROW(i, row->name, (q.way == KAPKT_NOT ? 0 : q.len) == row->len);
		exact_free(p, len);
	}
}

/* What the same tunnel makes of the other forms, with inner addresses and perhaps a NAT. */
static const struct form_row {
	const char *name;
	uint16_t protocol;
	uint8_t way;
	bool nat;
	const char *hex;
} form_rows[] = {
	/* clang-format off */
	{"metadata", GRE_PROTOCOL_CMD, KAPKT_OUTSIDE, false, "0800010100010000 45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"metadata, tag 16", GRE_PROTOCOL_CMD, KAPKT_OUTSIDE, false, "0800010100010010 45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"metadata of another version", GRE_PROTOCOL_CMD, KAPKT_NOT, false, "0800020100010000 45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"metadata of another length", GRE_PROTOCOL_CMD, KAPKT_NOT, false, "0800010200010000 45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"metadata in metadata", GRE_PROTOCOL_CMD, KAPKT_NOT, false, "8909010100010000 45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"metadata cut", GRE_PROTOCOL_CMD, KAPKT_NOT, false, "08000101000100"},
	{"Huawei", KAPKT_TYPE_HUAWEI, KAPKT_OUTSIDE, false, "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	{"a body", GRE_PROTOCOL_IPV4, KAPKT_OUTSIDE, false, "45c0002800a30000ff2f24df" A4 B4 "00000000 " BODY},
	{"inside", GRE_PROTOCOL_IPV4, KAPKT_THROUGH, false, "45c0001800a30000ff2fa647" IN_A4 IN_B4 "00000000"},
	{"inside, not swapped", GRE_PROTOCOL_IPV4, KAPKT_NOT, false, "45c0001800a30000ff2fa647" IN_B4 IN_A4 "00000000"},
	{"inside with a passenger", GRE_PROTOCOL_IPV4, KAPKT_NOT, false, "45c0001800a30000ff2fa647" IN_A4 IN_B4 "00000800"},
	{"inside, IPv6", GRE_PROTOCOL_IPV6, KAPKT_THROUGH, false, "6c00000000042fff" A6 B6 "00000000"},
	{"a private address", GRE_PROTOCOL_IPV4, KAPKT_NOT, false, "45c0001800a30000ff2fadf4" A4 "c0a80105 00000000"},
	{"a private address behind NAT", GRE_PROTOCOL_IPV4, KAPKT_ALIEN, true, "45c0001800a30000ff2fadf4" A4 "c0a80105 00000000"},
	{"a public address behind NAT", GRE_PROTOCOL_IPV4, KAPKT_NOT, true, "45c0001800a30000ff2f5f92" A4 "08080808 00000000"},
	{"ARP", 0x0806, KAPKT_NOT, false, "45c0001800a30000ff2f24ef" A4 B4 "00000000"},
	/* clang-format on */
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(form_rows); i++) {
		const struct form_row *row = &form_rows[i];
		struct kapkt_tunnel tunnel = {.family = IP_V4,
					      .local = a4,
					      .remote = b4,
					      .near = {in_a4, a6},
					      .far = {in_b4, b6},
					      .nat = row->nat};
		uint8_t octets[128];
		size_t len = hex_decode(row->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		CHECK_ROW(i, row->name,
			  kapkt_question(row->protocol, p, p + len, &tunnel).way == row->way);
		exact_free(p, len);
	}
}

/* B's question of form inside, after A's kernel or ours has turned it. */
static void test_inner_answer(void **state)
{
	struct kapkt_tunnel b = {.family = IP_V4,
				 .local = b4,
				 .remote = a4,
				 .near = {in_b4, b6},
				 .far = {in_a4, a6},
				 .has_key = true,
				 .key = 40};
	uint8_t p[KAPKT_LENGTH_MAX];

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct kapkt k = {.form = KEEPALIVE_INSIDE,
				  .family = IP_V4,
				  .inside = v6 ? IP_V6 : IP_V4,
				  .near = b.near[v6],
				  .far = b.far[v6],
				  .back = {KEY(40)}};
		unsigned len = kapkt_build_back(p, &k);
		uint16_t type = v6 ? GRE_PROTOCOL_IPV6 : GRE_PROTOCOL_IPV4;

		kapkt_turn(p, k.inside);
		assert_true(kapkt_is_inner_answer(type, p, p + len, &b));
		assert_false(kapkt_is_inner_answer(type, p, p + len - 1, &b));
		assert_false(kapkt_is_inner_answer(KAPKT_TYPE_HUAWEI, p, p + len, &b));
		p[len - 1] ^= 1; /* the key */
		assert_false(kapkt_is_inner_answer(type, p, p + len, &b));
	}
}

static void test_answer(void **state)
{
	static const struct {
		const char *name;
		uint8_t family;
		uint16_t protocol;
		uint32_t body;
		enum kapkt_answer answer;
	} rows[] = {
		{"IPv4", IP_V4, 0, 0, KAPKT_PLAIN},
		{"IPv6", IP_V6, 0, 0, KAPKT_PLAIN},
		{"own type", IP_V6, 0x86dd, 0, KAPKT_PLAIN},
		{"empty IPv6 in IPv4", IP_V4, 0x86dd, 0, KAPKT_NO_ANSWER},
		{"a body", IP_V4, 0, KABODY_LENGTH, KAPKT_SIGNED},
		{"a body over IPv6", IP_V6, 0, KABODY_LENGTH, KAPKT_SIGNED},
		{"a short body", IP_V4, 0, 1, KAPKT_NO_ANSWER},
		{"a long body", IP_V4, 0, KABODY_LENGTH + 1, KAPKT_NO_ANSWER},
		{"passenger", IP_V6, 0x86dd, 40, KAPKT_NO_ANSWER},
		{"body of IPv6", IP_V6, 0x86dd, KABODY_LENGTH, KAPKT_NO_ANSWER},
		{"IPv4 type", IP_V4, 0x0800, 0, KAPKT_NO_ANSWER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gre_header h = {.protocol = rows[i].protocol, .length = 4};

		CHECK_ROW(i, rows[i].name,
			  kapkt_answer(rows[i].family, &h, rows[i].body) == rows[i].answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),  cmocka_unit_test(test_build_all_fields),
		cmocka_unit_test(test_turn),   cmocka_unit_test(test_question),
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_inner_answer),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
