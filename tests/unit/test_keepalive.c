/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keepalive: its packets, octet by octet, and its judgement on a virtual clock. */
#include "proto_test.h"

#include "proto/csum.h"
#include "proto/kapkt.h"
#include "proto/keepalive.h"

#define A4 " 0aac4006 "
#define B4 " 0aac4007 "
#define A6 " 20010db8000000000000000000000001 "
#define B6 " 20010db8000000000000000000000002 "

static const uint8_t b4[] = {10, 172, 64, 7}, a4[] = {10, 172, 64, 6};
static const uint8_t a6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t b6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

#define KEY(n)	    .has_key = true, .key = (n)
#define SEQUENCE(n) .has_sequence = true, .sequence = (n)

/* Questions from B to A. The first is what the octets of a capture become without the metadata that
 * only some routers put in front; the second was computed by hand with the same addresses. */
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
	for (unsigned bits = 0; bits < 128; bits++) {
		bool v6 = bits & 64;
		struct kapkt k = {
			.family = v6 ? IP_V6 : IP_V4,
			.local = v6 ? a6 : a4,
			.remote = v6 ? b6 : b4,
			.id = 1,
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

		assert_int_equal(gre_decode(p + ip_len, end, &ask), DROP_NONE);
		inner = p + ip_len + ask.length;
		assert_int_equal(kapkt_question(inner, end, &peer), end - inner);
		assert_int_equal(gre_decode(inner + ip_len, end, &back), DROP_NONE);
		assert_true(kapkt_is_answer(k.family, &back, 0));
		assert_ptr_equal(inner + ip_len + back.length, end);
		if (ask.has_checksum)
			assert_int_equal(csum_fold(csum_partial(p + ip_len, len - ip_len, 0)), 0);
		if (back.has_checksum)
			assert_int_equal(csum_fold(csum_partial(inner + ip_len, back.length, 0)),
					 0);
		kapkt_turn(inner, k.family);
		assert_int_equal(inner[v6 ? 7 : 8], 254);
		assert_true(v6 || ip4_checksum_good(inner, end, ip_len));
	}
}

static void test_turn(void **state)
{
	uint8_t p[24], want[24];

	(void)state;
	hex_decode("45c0001800a30000ff2f24ef" A4 B4 "00000000", p, sizeof p);
	hex_decode("45c0001800a30000fe2f25ef" A4 B4 "00000000", want, sizeof want);
	kapkt_turn(p, IP_V4);
	assert_memory_equal(p, want, sizeof p);
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

		CHECK_ROW(i, row->name, kapkt_question(p, p + len, &tunnel) == row->len);
		exact_free(p, len);
	}
}

static void test_is_answer(void **state)
{
	static const struct {
		const char *name;
		uint8_t family;
		uint16_t protocol;
		uint32_t body;
		bool answer;
	} rows[] = {
		{"IPv4", IP_V4, 0, 0, true},
		{"IPv6", IP_V6, 0, 0, true},
		{"own type", IP_V6, 0x86dd, 0, true},
		{"empty IPv6 in IPv4", IP_V4, 0x86dd, 0, false},
		{"body", IP_V4, 0, 1, false},
		{"passenger", IP_V6, 0x86dd, 40, false},
		{"IPv4 type", IP_V4, 0x0800, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gre_header h = {.protocol = rows[i].protocol, .length = 4};

		CHECK_ROW(i, rows[i].name,
			  kapkt_is_answer(rows[i].family, &h, rows[i].body) == rows[i].answer);
	}
}

/* Stories: at each second one letter. t: tick; T: tick that changes the state; a: answer; A: answer
 * that changes the state; s: answer that answers nothing; .: nothing. A small letter claims that
 * the state stays. */
static const struct story {
	const char *name;
	uint8_t retries;
	const char *events;
	uint8_t state;
	uint32_t unanswered;
	uint64_t since;
} stories[] = {
	{"nothing yet", 3, "", KEEPALIVE_UNKNOWN, 0, 0},
	{"asked", 3, ".t", KEEPALIVE_UNKNOWN, 1, 1},
	{"answered", 3, ".tA", KEEPALIVE_UP, 0, 0},
	{"stays up", 3, ".tAtatata", KEEPALIVE_UP, 0, 0},
	{"never answered", 3, ".tttT", KEEPALIVE_DOWN, 4, 1},
	{"the third question has its time", 3, ".ttt", KEEPALIVE_UNKNOWN, 3, 1},
	{"the last moment", 3, ".tAtttatt", KEEPALIVE_UP, 2, 7},
	{"lost", 3, ".tA.tttT", KEEPALIVE_DOWN, 4, 4},
	{"asks on while down", 3, ".tA.tttTtttt", KEEPALIVE_DOWN, 8, 4},
	{"one retry", 1, ".tAtT", KEEPALIVE_DOWN, 2, 3},
	{"comes back at the first answer", 3, ".tA.tttTttA", KEEPALIVE_UP, 0, 0},
	{"and is lost again", 3, ".tttTAtttT", KEEPALIVE_DOWN, 4, 6},
	{"two losses between answers", 3, ".tAttattatta", KEEPALIVE_UP, 0, 0},
	{"an answer before any question", 3, "ss", KEEPALIVE_UNKNOWN, 0, 0},
	{"a doubled answer", 3, ".tAss", KEEPALIVE_UP, 0, 0},
	{"one answer closes all questions", 3, ".ttAs", KEEPALIVE_UP, 0, 0},
	{"unasked answers do not keep it up", 1, ".tAsstTt", KEEPALIVE_DOWN, 3, 5},
};

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		const struct story *s = &stories[i];
		struct keepalive k = {.state = KEEPALIVE_UNKNOWN, .retries = s->retries};

		for (unsigned at = 0; s->events[at]; at++) {
			char c = s->events[at];
			unsigned want = (c == 'T' || c == 'A' ? KEEPALIVE_VERDICT : 0) |
					(c == 't' || c == 'T' ? KEEPALIVE_ASK : 0) |
					(c == 's' ? KEEPALIVE_STRAY : 0);
			enum keepalive_event event =
				c == 't' || c == 'T' ? KEEPALIVE_TICK : KEEPALIVE_ANSWER;

			if (c != '.')
				CHECK_ROW(i, s->name, keepalive_step(&k, event, at) == want);
		}
		CHECK_ROW(i, s->name, k.state == s->state);
		CHECK_ROW(i, s->name, k.unanswered == s->unanswered);
		CHECK_ROW(i, s->name, k.since_ns == s->since);
	}
}

/* A year of silence at the shortest interval does not wrap into an answer. */
static void test_saturates(void **state)
{
	struct keepalive k = {
		.state = KEEPALIVE_DOWN, .retries = 3, .unanswered = UINT32_MAX, .since_ns = 5};

	(void)state;
	assert_int_equal(keepalive_step(&k, KEEPALIVE_TICK, 9), KEEPALIVE_ASK);
	assert_true(k.unanswered == UINT32_MAX && k.since_ns == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),	  cmocka_unit_test(test_build_all_fields),
		cmocka_unit_test(test_turn),	  cmocka_unit_test(test_question),
		cmocka_unit_test(test_is_answer), cmocka_unit_test(test_stories),
		cmocka_unit_test(test_saturates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
