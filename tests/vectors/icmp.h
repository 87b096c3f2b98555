/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets an ICMP error may answer, and ICMP errors about GRE packets. */
#ifndef VECTORS_ICMP_H
#define VECTORS_ICMP_H

#include <stdbool.h>

#include "proto/addr.h"
#include "proto/icmp.h"

struct icmp_answer_vector {
	const char *name;
	const char *hex;
	bool answer, answer_too_big;
};

struct icmp_quote_vector {
	const char *name;
	uint8_t family;
	const char *hex; /* from the ICMP type on; an IPv4 checksum of 0 is filled in */
	bool good;
	struct icmp_quote want;
};

/* Headers with a payload of 8 octets; fragment word, protocol, addresses. */
#define IP4(fragment, protocol, src, dst) "4500001c0000" fragment "40" protocol "0000" src dst
#define IP6_FROM(length, next, src, dst)  "60000000" length next "40" src dst
#define IP6_HEAD(length, next)		  IP6_FROM(length, next, SRC6, DST6)
#define SRC4				  "0a0a0102"
#define DST4				  "140a0102"
#define SRC6				  "20010db8000100000000000000000002"
#define DST6				  "20010db8000200000000000000000002"
#define ZERO8				  "0000000000000000"

/* clang-format off */
static const struct icmp_answer_vector icmp_answer_vectors[] = {
	/*  1 */ {"UDP", IP4("4000", "11", SRC4, DST4) ZERO8, true, true},
	/*  2 */ {"echo request", IP4("4000", "01", SRC4, DST4) "0800000000000000", true, true},
	/*  3 */ {"echo reply", IP4("4000", "01", SRC4, DST4) ZERO8, true, true},
	/*  4 */ {"unreachable", IP4("4000", "01", SRC4, DST4) "0301000000000000", false, false},
	/*  5 */ {"source quench", IP4("4000", "01", SRC4, DST4) "0400000000000000", false, false},
	/*  6 */ {"redirect", IP4("4000", "01", SRC4, DST4) "0501000000000000", false, false},
	/*  7 */ {"time exceeded", IP4("4000", "01", SRC4, DST4) "0b00000000000000", false, false},
	/*  8 */ {"parameter problem", IP4("4000", "01", SRC4, DST4) "0c00000000000000", false, false},
	/*  9 */ {"ICMP without a type", "450000140000400040010000" SRC4 DST4, false, false},
	/* 10 */ {"first fragment", IP4("2000", "11", SRC4, DST4) ZERO8, true, true},
	/* 11 */ {"later fragment", IP4("00b9", "11", SRC4, DST4) ZERO8, false, false},
	/* 12 */ {"to multicast", IP4("4000", "11", SRC4, "e0000005") ZERO8, false, false},
	/* 13 */ {"to broadcast", IP4("4000", "11", SRC4, "ffffffff") ZERO8, false, false},
	/* 14 */ {"to no address", IP4("4000", "11", SRC4, "00000000") ZERO8, false, false},
	/* 15 */ {"from no address", IP4("4000", "11", "00000000", DST4) ZERO8, false, false},
	/* 16 */ {"from loopback", IP4("4000", "11", "7f000001", DST4) ZERO8, false, false},
	/* 17 */ {"from multicast", IP4("4000", "11", "e0000001", DST4) ZERO8, false, false},
	/* 18 */ {"from broadcast", IP4("4000", "11", "ffffffff", DST4) ZERO8, false, false},
	/* 19 */ {"from class E", IP4("4000", "11", "f0000001", DST4) ZERO8, false, false},
	/* 20 */ {"truncated", "4500001c00004000401100000a0a0102140a0102", false, false},
	/* 21 */ {"empty", "", false, false},
	/* 22 */ {"IPv6 UDP", IP6_HEAD("0008", "11") ZERO8, true, true},
	/* 23 */ {"IPv6 echo request", IP6_HEAD("0008", "3a") "8000000000000000", true, true},
	/* 24 */ {"IPv6 neighbour solicitation", IP6_HEAD("0008", "3a") "8700000000000000", true, true},
	/* 25 */ {"IPv6 redirect", IP6_HEAD("0008", "3a") "8900000000000000", false, false},
	/* 26 */ {"IPv6 too big", IP6_HEAD("0008", "3a") "0200000000000000", false, false},
	/* 27 */ {"IPv6 unknown error", IP6_HEAD("0008", "3a") "7f00000000000000", false, false},
	/* 28 */ {"IPv6 error behind options", IP6_HEAD("0010", "3c") "3a00010400000000" "0100000000000000", false, false},
	/* 29 */ {"IPv6 to multicast", IP6_FROM("0008", "11", SRC6, "ff020000000000000000000000000005") ZERO8, false, true},
	/* 30 */ {"IPv6 from nobody", IP6_FROM("0008", "11", "00000000000000000000000000000000", DST6) ZERO8, false, false},
	/* 31 */ {"IPv6 from loopback", IP6_FROM("0008", "11", "00000000000000000000000000000001", DST6) ZERO8, false, false},
	/* 32 */ {"IPv6 from multicast", IP6_FROM("0008", "11", "ff020000000000000000000000000001", DST6) ZERO8, false, false},
	/* 33 */ {"IPv6 first fragment", IP6_HEAD("0010", "2c") "1100000100000001" ZERO8, true, true},
	/* 34 */ {"IPv6 later fragment", IP6_HEAD("0010", "2c") "110005a800000001" ZERO8, false, false},
};

#define OUTER4(ihl, length, fragment, protocol) ihl "00" length "a400" fragment "40" protocol "0000 ac130101 ac130102 "
#define OUTER6(length, next) "60000000" length next "40 20010db8000000000000000000000001 20010db8000000000000000000000002 "

static const struct icmp_quote_vector icmp_quote_vectors[] = {
	/*  1 */ {"frag needed, least quote", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "00000800 45000000", true, {.type = 3, .code = 4, .mtu = 1400, .total_len = 1500, .protocol = 0x0800}},
	/*  2 */ {"frag needed, key", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "20000800 0000002a", true, {.type = 3, .code = 4, .mtu = 1400, .total_len = 1500, .flags = 0x2000, .protocol = 0x0800, .has_key = true, .key = 42}},
	/*  3 */ {"key behind a checksum, cut", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "a0000800 12340000", true, {.type = 3, .code = 4, .mtu = 1400, .total_len = 1500, .flags = 0xa000, .protocol = 0x0800}},
	/*  4 */ {"key behind a checksum", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "a0000800 12340000 0000002a", true, {.type = 3, .code = 4, .mtu = 1400, .total_len = 1500, .flags = 0xa000, .protocol = 0x0800, .has_key = true, .key = 42}},
	/*  5 */ {"old router: plateau", IP_V4, "0304 0000 0000 0000" OUTER4("45", "05dc", "4000", "2f") "00000800 45000000", true, {.type = 3, .code = 4, .mtu = 1492, .total_len = 1500, .protocol = 0x0800}},
	/*  6 */ {"old router: next plateau", IP_V4, "0304 0000 0000 0000" OUTER4("45", "05d4", "4000", "2f") "00000800 45000000", true, {.type = 3, .code = 4, .mtu = 1006, .total_len = 1492, .protocol = 0x0800}},
	/*  7 */ {"host unreachable has no MTU", IP_V4, "0301 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "000086dd 60000000", true, {.type = 3, .code = 1, .total_len = 1500, .protocol = 0x86dd}},
	/*  8 */ {"time exceeded", IP_V4, "0b00 0000 0000 0000" OUTER4("45", "0030", "4000", "2f") "00000800 45000000", true, {.type = 11, .total_len = 48, .protocol = 0x0800}},
	/*  9 */ {"quoted options", IP_V4, "0304 0000 0000 0578" OUTER4("46", "05dc", "4000", "2f") "94040000 00000800 45000000", true, {.type = 3, .code = 4, .mtu = 1400, .total_len = 1500, .protocol = 0x0800}},
	/* 10 */ {"echo", IP_V4, "0800 0000 0000 0000" OUTER4("45", "05dc", "4000", "2f") "00000800 45000000", false, {0}},
	/* 11 */ {"wrong checksum", IP_V4, "0304 1234 0000 0578" OUTER4("45", "05dc", "4000", "2f") "00000800 45000000", false, {0}},
	/* 12 */ {"about UDP", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "11") "00000800 45000000", false, {0}},
	/* 13 */ {"about a later fragment", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "00b9", "2f") "00000800 45000000", false, {0}},
	/* 14 */ {"quoted IHL 4", IP_V4, "0304 0000 0000 0578" OUTER4("44", "05dc", "4000", "2f") "00000800 45000000", false, {0}},
	/* 15 */ {"IHL beyond the quote", IP_V4, "0304 0000 0000 0578" OUTER4("4f", "05dc", "4000", "2f") "00000800 45000000", false, {0}},
	/* 16 */ {"quote of IPv6", IP_V4, "0304 0000 0000 0578" OUTER6("05b4", "2f") "00000800 45000000", false, {0}},
	/* 17 */ {"no quote", IP_V4, "0304 0000 0000 0578", false, {0}},
	/* 18 */ {"shorter than its header", IP_V4, "0304 0000 00", false, {0}},
	/* 19 */ {"version we never send", IP_V4, "0304 0000 0000 0578" OUTER4("45", "05dc", "4000", "2f") "2001880b 00000000", false, {0}},
	/* 20 */ {"too big", IP_V6, "0200 0000 00000500" OUTER6("05b4", "2f") "200086dd 0000002a", true, {.type = 2, .mtu = 1280, .total_len = 1500, .flags = 0x2000, .protocol = 0x86dd, .has_key = true, .key = 42}},
	/* 21 */ {"too big, fragment header", IP_V6, "0200 0000 00000500" OUTER6("05b4", "2c") "2f00000112345678 00000800", true, {.type = 2, .mtu = 1280, .total_len = 1500, .protocol = 0x0800}},
	/* 22 */ {"too big, later fragment", IP_V6, "0200 0000 00000500" OUTER6("05b4", "2c") "2f0005a812345678 00000800", false, {0}},
	/* 23 */ {"IPv6 unreachable", IP_V6, "0103 0000 00000000" OUTER6("05b4", "2f") "00000800", true, {.type = 1, .code = 3, .total_len = 1500, .protocol = 0x0800}},
	/* 24 */ {"IPv6 about TCP", IP_V6, "0200 0000 00000500" OUTER6("05b4", "06") "00000800", false, {0}},
	/* 25 */ {"IPv6 echo", IP_V6, "8000 0000 00000500" OUTER6("05b4", "2f") "00000800", false, {0}},
	/* 26 */ {"IPv6 quote of IPv4", IP_V6, "0200 0000 00000500" OUTER4("45", "05dc", "4000", "2f") "00000800 000000000000000000000000 00000000", false, {0}},
};
/* clang-format on */

#endif
