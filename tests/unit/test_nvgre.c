/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "proto/nvgre.h"

/* The drawing of RFC 7637 3.2: 24 bits and 8. */
static void test_key(void **state)
{
	uint8_t octets[16];
	struct gre_header h = {
		.protocol = GRE_PROTOCOL_TEB, .has_key = true, .key = nvgre_key(0x123456, 0xab)};

	(void)state;
	assert_int_equal(gre_encode(octets, &h), 8);
	assert_memory_equal(octets, "\x20\x00\x65\x58\x12\x34\x56\xab", 8);
	assert_int_equal(nvgre_vsid(h.key), 0x123456);
	assert_int_equal(nvgre_vsid(nvgre_key(NVGRE_VSID_MAX, 0xff)), 0xfffffe);
}

#define MACS "020000000002 020000000001 "
#define IP4  MACS "0800 45000020 00010000 4011 0000 c0000201 c0000202 "
#define IP6                                                              \
	MACS "86dd 60000000 000c 1140 20010db8000000000000000000000001 " \
	     "20010db8000000000000000000000002 "

static const struct {
	const char *name, *one, *other;
	bool same; /* flow */
} flows[] = {
	/*  1 */ {"payload", IP4 "03e8 07d0 000c 0000 01020304", IP4 "03e8 07d0 000c 0000 05060708",
		  true},
	/*  2 */
	{"source port", IP4 "03e8 07d0 000c 0000 01020304", IP4 "03e9 07d0 000c 0000 01020304",
	 false},
	/*  3 */
	{"destination port", IP4 "03e8 07d0 000c 0000 01020304", IP4 "03e8 07d1 000c 0000 01020304",
	 false},
	/*  4 */
	{"destination",
	 MACS "0800 45000020 00010000 4011 0000 c0000201 c0000202 03e8 07d0 000c 0000 01020304",
	 MACS "0800 45000020 00010000 4011 0000 c0000201 c0000203 03e8 07d0 000c 0000 01020304",
	 false},
	/*  5 */
	{"ports of a piece are octets like others",
	 MACS "0800 45000020 00010002 4011 0000 c0000201 c0000202 03e8 07d0 000c 0000 01020304",
	 MACS "0800 45000020 00010002 4011 0000 c0000201 c0000202 03e9 07d1 000c 0000 01020304",
	 true},
	/*  6 */
	{"the first piece goes with the others",
	 MACS "0800 45000020 00012000 4011 0000 c0000201 c0000202 03e8 07d0 000c 0000 01020304",
	 MACS "0800 45000020 00010001 4011 0000 c0000201 c0000202 03e9 07d1 000c 0000 01020304",
	 true},
	/*  7 */
	{"IPv6 source port", IP6 "03e8 07d0 000c 0000 01020304", IP6 "03e9 07d0 000c 0000 01020304",
	 false},
	/*  8 */
	{"IPv6 payload", IP6 "03e8 07d0 000c 0000 01020304", IP6 "03e8 07d0 000c 0000 01020305",
	 true},
	/*  9 */ {"station", MACS "0806 0001", "020000000003 020000000001 0806 0001", false},
	/* 10 */ {"body of what is no IP", MACS "0806 0001", MACS "0806 0002", true},
};

static uint8_t flow_of(const char *hex)
{
	uint8_t octets[OCTETS_MAX], flow;
	size_t len = hex_decode(hex, octets, sizeof octets);
	uint8_t *p = exact_copy(octets, len);

	flow = nvgre_flow(p, p + len);
	exact_free(p, len);
	return flow;
}

static void test_flow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(flows); i++)
		CHECK_ROW(i, flows[i].name,
			  (flow_of(flows[i].one) == flow_of(flows[i].other)) == flows[i].same);
}

/* Cut at each octet: nothing is read beyond the end. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(flows); i++) {
		uint8_t octets[OCTETS_MAX];
		size_t whole = hex_decode(flows[i].one, octets, sizeof octets);

		for (size_t len = 0; len <= whole; len++) {
			uint8_t *p = exact_copy(octets, len);

			nvgre_flow(p, p + len);
			ethernet_is_tagged(p, p + len);
			exact_free(p, len);
		}
	}
}

/* A thousand flows between two hosts meet nearly all 256 numbers: no bits are wasted. */
static void test_spread(void **state)
{
	uint8_t frame[OCTETS_MAX];
	bool seen[256] = {false};
	unsigned distinct = 0;

	(void)state;
	assert_int_equal(hex_decode(IP4 "03e8 07d0 000c 0000 01020304", frame, sizeof frame), 46);
	for (uint16_t port = 0; port < 1000; port++) {
		put_be16(frame + 34, port);
		seen[nvgre_flow(frame, frame + 46)] = true;
	}
	for (unsigned i = 0; i < 256; i++)
		distinct += seen[i];
	assert_true(distinct > 230);
}

static void test_tagged(void **state)
{
	static const struct {
		const char *hex;
		bool tagged;
	} rows[] = {
		/* 1 */ {MACS "8100 0005 0800", true},
		/* 2 */ {MACS "88a8 0005 8100 0006 0800", true},
		/* 3 */ {MACS "8100", true},
		/* 4 */ {MACS "0800 4500", false},
		/* 5 */ {"020000000002", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(rows[i].hex, octets, sizeof octets);

		CHECK_ROW(i, "tag", ethernet_is_tagged(octets, octets + len) == rows[i].tagged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),    cmocka_unit_test(test_flow),
		cmocka_unit_test(test_cut),    cmocka_unit_test(test_spread),
		cmocka_unit_test(test_tagged),
	};

	return cmocka_run_group_tests_name("nvgre", tests, NULL, NULL);
}
