/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "proto/addr.h"
#include "proto/bytes.h"
#include "proto/csum.h"
#include "proto/echo.h"

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

static struct echo_request request(const char *from, const char *to)
{
	return (struct echo_request){.from = ip(from),
				     .to = ip(to),
				     .ttl = 7,
				     .id = 0x4711,
				     .sequence = 3,
				     .payload = 5};
}

static void test_packet4(void **state)
{
	struct echo_request r = request("10.10.1.1", "20.10.1.10");
	struct echo_seen seen;
	uint8_t p[64];

	(void)state;
	assert_int_equal(echo_packet(p, &r), 20 + 8 + 5);
	assert_int_equal(csum_fold(csum_partial(p, 20, 0)), 0);
	assert_int_equal(csum_fold(csum_partial(p + 20, 13, 0)), 0);
	assert_int_equal(p[20], 8);
	assert_true(echo_decode(0x4711, p, 33, &seen));
	assert_int_equal(seen.kind, ECHO_REQUEST);
	assert_int_equal(seen.sequence, 3);
	assert_int_equal(seen.ttl, 7);
	assert_true(addr_equal(&seen.src, &r.from));
	assert_true(addr_equal(&seen.dst, &r.to));
	assert_false(echo_decode(0x4712, p, 33, &seen));
	p[20] = 0;
	assert_true(echo_decode(0x4711, p, 33, &seen));
	assert_int_equal(seen.kind, ECHO_REPLY);
}

static void test_packet6(void **state)
{
	struct echo_request r = request("fd00::1", "fd00::2");
	struct echo_seen seen;
	uint8_t p[64];
	uint64_t pseudo;

	(void)state;
	assert_int_equal(echo_packet(p, &r), 40 + 8 + 5);
	pseudo = csum_partial(p + 8, 32, 0) + 58 + 13;
	assert_int_equal(csum_fold(csum_partial(p + 40, 13, pseudo)), 0);
	assert_int_equal(p[40], 128);
	assert_true(echo_decode(0x4711, p, 53, &seen));
	assert_int_equal(seen.kind, ECHO_REQUEST);
	assert_true(addr_equal(&seen.dst, &r.to));
	p[40] = 129;
	assert_true(echo_decode_message(0x4711, IP_V6, p + 40, 13, &seen));
	assert_int_equal(seen.kind, ECHO_REPLY);
}

/* An error quotes the header and eight octets of the request, which says that it is longer. */
static void test_error(void **state)
{
	struct echo_request r = request("10.10.1.1", "20.10.1.10");
	uint8_t p[20 + 8 + 28] = {0x45, [8] = 64, [9] = 1, [12] = 192, 168, 8, 11, 10, 10, 1, 1};
	uint8_t quoted[64], *exact;
	struct echo_seen seen;

	(void)state;
	echo_packet(quoted, &r);
	memcpy(p + 28, quoted, 28);
	p[20] = 11;
	exact = exact_copy(p, sizeof p);
	assert_true(echo_decode(0x4711, exact, sizeof p, &seen));
	assert_int_equal(seen.kind, ECHO_ERROR);
	assert_int_equal(seen.type, 11);
	assert_int_equal(seen.sequence, 3);
	assert_true(addr_equal(&seen.src, &(struct ip_addr){IP_V4, {192, 168, 8, 11}}));
	assert_false(echo_decode(1, exact, sizeof p, &seen));
	exact_free(exact, sizeof p);
}

/* No length makes it read past the end, and too little is no message. */
static void test_short(void **state)
{
	struct echo_request requests[] = {request("10.10.1.1", "20.10.1.10"),
					  request("fd00::1", "fd00::2")};

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		uint8_t p[64];
		size_t whole = echo_packet(p, &requests[i]);
		struct echo_seen seen;

		for (size_t len = 0; len < whole; len++) {
			uint8_t *exact = exact_copy(p, len);
			bool enough = len >= whole - requests[i].payload;

			assert_int_equal(echo_decode(0x4711, exact, len, &seen), enough);
			exact_free(exact, len);
		}
		p[0] = 0x4f; /* a header of 60 octets */
		assert_false(echo_decode(0x4711, p, 50, &seen));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet4),
		cmocka_unit_test(test_packet6),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
