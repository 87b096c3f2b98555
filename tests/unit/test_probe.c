/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's probes: what is sent, what an answer looks like, what ICMP errors quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/csum.h"
#include "proto/icmp.h"
#include "proto/kapkt.h"
#include "proto/probe.h"

static const uint8_t local4[4] = {172, 19, 1, 1}, remote4[4] = {172, 19, 1, 2};
static const uint8_t local6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
static const uint8_t remote6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 2};
static const struct ip_addr peer4 = {IP_V4, {172, 19, 1, 2}};
static const struct ip_addr peer6 = {IP_V6, {0x20, 1, 0x0d, 0xb8, [15] = 2}};

static struct probe probe_of(uint8_t family, uint32_t length)
{
	bool v4 = family == IP_V4;

	return (struct probe){.family = family,
			      .local = v4 ? local4 : local6,
			      .remote = v4 ? remote4 : remote6,
			      .ttl = 64,
			      .df = true,
			      .id = 0x1234,
			      .number = 7,
			      .length = length,
			      .ask = {.has_key = true, .key = 42, .has_checksum = true},
			      .back = {.has_key = true, .key = 43, .has_checksum = true}};
}

/* The question as the peer reads it: a passenger that goes back to us with its key. */
static void check_question(uint8_t family, uint32_t length)
{
	uint8_t p[PROBE_PACKET_MAX];
	struct probe probe = probe_of(family, length);
	uint32_t len = probe_build_gre(p, &probe), ip = ip_outer_length(family);
	struct gre_header ask = {0}, back = {0};
	uint16_t id, number;
	uint8_t *inner, *gre = p + ip;

	assert_true(len == length || (length < 100 && len > length));
	assert_int_equal(gre_decode(gre, p + len, &ask), DROP_NONE);
	assert_int_equal(ask.key, 42);
	assert_int_equal(csum_fold(csum_partial(gre, len - ip, 0)), 0);
	inner = gre + ask.length;
	assert_memory_equal(inner + ip - (family == IP_V4 ? 4 : 16), probe.local,
			    family == IP_V4 ? 4 : 16);
	assert_int_equal(gre_decode(inner + ip, p + len, &back), DROP_NONE);
	assert_int_equal(back.key, 43);
	assert_int_equal(back.protocol, GRE_PROTOCOL_KEEPALIVE);
	assert_int_equal(csum_fold(csum_partial(inner + ip, len - 2 * ip - ask.length, 0)), 0);
	assert_true(probe_body(inner + ip + back.length, p + len, &id, &number));
	assert_int_equal(id, 0x1234);
	assert_int_equal(number, 7);
	if (family == IP_V4) {
		assert_true(ip4_checksum_good(p, p + len, ip));
		assert_true(ip4_checksum_good(inner, p + len, ip));
		assert_int_equal(get_be16(inner + 6), 0x4000);
	}
}

static void test_question(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		check_question(i ? IP_V6 : IP_V4, 0);
		check_question(i ? IP_V6 : IP_V4, 1400);
		check_question(i ? IP_V6 : IP_V4, 1501);
	}
}

/* What forwarding the inside of a question gives is read as the answer. */
static void test_answer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = i ? IP_V6 : IP_V4, p[PROBE_PACKET_MAX];
		struct probe probe = probe_of(family, 1000);
		uint32_t len = probe_build_gre(p, &probe), outer = ip_outer_length(family) + 12;
		struct probe_seen seen;

		kapkt_turn(p + outer, family);
		/* Only the beginning is there. */
		probe_read(p + outer, 200, i ? &peer6 : &peer4, &seen);
		assert_int_equal(seen.kind, PROBE_GRE_ANSWER);
		assert_int_equal(seen.id, 0x1234);
		assert_int_equal(seen.number, 7);
		assert_int_equal(seen.key, 43);
		assert_int_equal(seen.length, len - outer);
		assert_false(seen.more_fragments);
		assert_true(addr_equal(&seen.from, i ? &peer6 : &peer4));
	}
}

/* A frame is put in front of the inside, for a peer that carries frames. */
static void test_ethernet(void **state)
{
	uint8_t p[PROBE_PACKET_MAX];
	struct probe probe = probe_of(IP_V4, 0);
	struct gre_header h = {0};
	uint32_t len;

	(void)state;
	probe.ethernet = true;
	len = probe_build_gre(p, &probe);
	assert_int_equal(gre_decode(p + 20, p + len, &h), DROP_NONE);
	assert_int_equal(h.protocol, GRE_PROTOCOL_TEB);
	assert_int_equal(get_be16(p + 20 + h.length + 12), GRE_PROTOCOL_IPV4);
	assert_true(ip4_checksum_good(p + 20 + h.length + 14, p + len, 20));
}

static void test_ping(void **state)
{
	uint8_t p[PROBE_PACKET_MAX];
	struct probe probe = probe_of(IP_V4, 1500);
	struct probe_seen seen;

	(void)state;
	assert_int_equal(probe_build_ping(p, &probe), 1500);
	assert_int_equal(p[20], 8);
	assert_int_equal(csum_fold(csum_partial(p + 20, 1480, 0)), 0);
	memcpy(p + 12, remote4, 4);
	memcpy(p + 16, local4, 4);
	p[20] = 0;
	probe_read(p, 100, &peer4, &seen);
	assert_int_equal(seen.kind, PROBE_PING_ANSWER);
	assert_int_equal(seen.number, 7);
	assert_int_equal(seen.length, 1500);
	/* The first piece of an answer that was cut says how long it is itself. */
	put_be16(p + 2, 1396);
	put_be16(p + 6, 0x2000);
	probe_read(p, 100, &peer4, &seen);
	assert_int_equal(seen.kind, PROBE_PING_ANSWER);
	assert_true(seen.more_fragments);
	assert_int_equal(seen.length, 1396);
	put_be16(p + 6, 172);
	probe_read(p, 100, &peer4, &seen);
	assert_int_equal(seen.kind, PROBE_PIECE);
}

static void test_ping_inside(void **state)
{
	static const struct ip_addr here = {IP_V4, {192, 168, 8, 1}};
	static const struct ip_addr there = {IP_V4, {192, 168, 8, 11}};
	uint8_t p[PROBE_PACKET_MAX];
	struct probe probe = probe_of(IP_V4, 0);
	uint32_t len = probe_build_inner(p, &probe, &here, &there);
	struct probe_seen seen;

	(void)state;
	assert_int_equal(csum_fold(csum_partial(p + 20, len - 20, 0)), 0);
	memcpy(p + 12, remote4, 4);
	p[20 + 12 + 20] = 0; /* the peer's host turns the request into an answer */
	probe_read(p, len, &peer4, &seen);
	assert_int_equal(seen.kind, PROBE_INNER_ANSWER);
	assert_int_equal(seen.id, 0x1234);
}

/* type, code, what it says in its second word, and how much is quoted */
static const struct quote {
	uint8_t family, type, code;
	uint32_t rest;
	uint32_t mtu, pointer;
} quotes[] = {
	/* 0 */ {IP_V4, 3, 2, 0, 0, 0},
	/* 1 */ {IP_V4, 3, 3, 0, 0, 0},
	/* 2 */ {IP_V4, 3, 4, 1400, 1400, 0},
	/* 3 */ {IP_V4, 3, 4, 0, 1492, 0}, /* RFC 1191 5: the next plateau below 1500 */
	/* 4 */ {IP_V4, 3, 13, 0, 0, 0},
	/* 5 */ {IP_V4, 11, 0, 0, 0, 0},
	/* 6 */ {IP_V4, 12, 1, 24u << 24, 0, 24},
	/* 7 */ {IP_V6, 1, 4, 0, 0, 0},
	/* 8 */ {IP_V6, 2, 0, 1280, 1280, 0},
	/* 9 */ {IP_V6, 4, 0, 44, 0, 44},
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
		const struct quote *q = &quotes[i];
		bool v4 = q->family == IP_V4;
		uint8_t p[PROBE_PACKET_MAX], error[ICMP_ERROR_MAX];
		struct probe probe = probe_of(q->family, 1500);
		uint32_t len = probe_build_gre(p, &probe);
		struct probe_seen seen;
		size_t n = v4 ? icmp4_error(error, p, len, remote4, q->type, q->code, q->rest)
			      : icmp6_error(error, p, len, remote6, q->type, q->code, q->rest);

		assert_true(n > 0);
		probe_read(error, v4 ? 56 : 88, v4 ? &peer4 : &peer6, &seen);
		assert_int_equal(seen.kind, PROBE_ERROR);
		assert_int_equal(seen.type, q->type);
		assert_int_equal(seen.code, q->code);
		assert_int_equal(seen.quoted, IP_PROTOCOL_GRE);
		assert_int_equal(seen.mtu, q->mtu);
		assert_int_equal(seen.pointer, q->pointer);
		/* About a packet to somebody else. */
		probe_read(error, (uint32_t)n, v4 ? &(struct ip_addr){IP_V4, {1}} : &peer4, &seen);
		assert_int_equal(seen.kind, PROBE_NOTHING);
	}
}

/* Whatever arrives, and however little of it, nothing beyond its end is read. */
static void test_short(void **state)
{
	uint8_t whole[PROBE_PACKET_MAX], error[ICMP_ERROR_MAX];
	struct probe probe = probe_of(IP_V4, 200);
	uint32_t len = probe_build_gre(whole, &probe);
	size_t n = icmp4_error(error, whole, len, remote4, 3, 3, 0);
	struct probe_seen seen;

	(void)state;
	for (uint32_t i = 0; i <= len; i++) {
		uint8_t *copy = test_malloc(i + 1);

		memcpy(copy, whole, i);
		probe_read(copy, i, &peer4, &seen);
		test_free(copy);
	}
	for (uint32_t i = 0; i <= n; i++) {
		uint8_t *copy = test_malloc(i + 1);

		memcpy(copy, error, i);
		probe_read(copy, i, &peer4, &seen);
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),    cmocka_unit_test(test_answer),
		cmocka_unit_test(test_ethernet),    cmocka_unit_test(test_ping),
		cmocka_unit_test(test_ping_inside), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
