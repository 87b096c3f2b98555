/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/icmp.h"
#include "../vectors/packet.h"
#include "proto/encaplimit.h"

/* A packet by its next header and what follows the IPv6 header. */
struct limit_vector {
	const char *name, *next, *rest;
	uint32_t at; /* 0: no limit */
};

/* clang-format off */
static const struct limit_vector vectors[] = {
	/*  0 */ {"as Linux writes it", "3c", "3b00 040104 010100", 44},
	/*  1 */ {"a limit of 0", "3c", "3b00 040100 010100", 44},
	/*  2 */ {"its value behind its header", "3c", "3b00 0000 0100 0401 00", 0},
	/*  3 */ {"behind Pad1", "3c", "3b00 000000 040102", 47},
	/*  4 */ {"behind PadN", "3c", "3b01 0106000000000000 040107 00 0000", 52},
	/*  5 */ {"behind hop-by-hop options", "00", "3c00 010400000000 3b00 040109 010100", 52},
	/*  6 */ {"behind a routing header", "2b", "3c00 040000000000 3b00 040109 010100", 52},
	/*  7 */ {"the second header of its kind", "3c", "3c00 010400000000 3b00 040109 010100", 52},
	/*  8 */ {"behind a fragment header", "2c", "3c00 000000000000 3b00 040109 010100", 0},
	/*  9 */ {"an option of hop-by-hop is another", "00", "3b00 040109 010100", 0},
	/* 10 */ {"of two octets", "3c", "3b00 04020000 0000", 0},
	/* 11 */ {"of no octet", "3c", "3b00 0400 01020000", 0},
	/* 12 */ {"cut by the end of its header", "3c", "3b00 0000000000 04 01 00", 0},
	/* 13 */ {"longer than its header", "3c", "3b00 010a 040100 00", 0},
	/* 14 */ {"header longer than the packet", "3c", "3b01 040100 010100", 0},
	/* 15 */ {"header cut short", "3c", "3b00 0401", 0},
	/* 16 */ {"no options", "11", "0000 0401 0001 0100", 0},
	/* 17 */ {"nothing behind", "3c", "", 0},
};
/* clang-format on */

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct limit_vector *v = &vectors[i];
		uint8_t octets[OCTETS_MAX], *p;
		uint32_t at = 0;
		size_t len = hex_decode(IP6_HEAD("0000", "3b"), octets, sizeof octets);

		hex_decode(v->next, octets + 6, 1);
		len += hex_decode(v->rest, octets + len, sizeof octets - len);
		p = exact_copy(octets, len);
		CHECK_ROW(i, v->name, encaplimit_find(p, p + len, &at) == (v->at != 0));
		CHECK_ROW(i, v->name, at == v->at);
		exact_free(p, len);
	}
}

/* Neither IPv4 nor less than a header is looked at. */
static void test_no_ipv6(void **state)
{
	uint8_t octets[48] = {0x45, [6] = 60, [40] = 59, 0, 4, 1, 0, 1, 1, 0};
	uint32_t at;

	(void)state;
	assert_false(encaplimit_find(octets, octets + sizeof octets, &at));
	octets[0] = 0x60;
	assert_true(encaplimit_find(octets, octets + sizeof octets, &at));
	for (size_t len = 0; len < sizeof octets; len++) {
		uint8_t *p = exact_copy(octets, len);

		assert_false(encaplimit_find(p, p + len, &at));
		exact_free(p, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_ipv6),
	};

	return cmocka_run_group_tests_name("encaplimit", tests, NULL, NULL);
}
