/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP headers: what ip_decode() says of them. */
#ifndef VECTORS_IP_H
#define VECTORS_IP_H

#include "proto/ip.h"

struct ip_vector {
	const char *name;
	const char *hex;
	bool good;
	struct ip_info info; /* src and dst are checked apart */
};

#define A4 " 0a0a0102 140a0102 "
#define A6 " 20010db8000100000000000000000002 20010db8000200000000000000000002 "

/* clang-format off */
static const struct ip_vector ip_vectors[] = {
	/*  1 */ {"least IPv4", "45b80014123440003f060000" A4, true, {.version = 4, .protocol = 6, .tos = 0xb8, .ttl = 63, .df = true, .has_transport = true, .header_len = 20, .total_len = 20, .id = 0x1234}},
	/*  2 */ {"IPv4 with options", "4600001800000000012f0000" A4 "94040000", true, {.version = 4, .protocol = 47, .ttl = 1, .has_transport = true, .header_len = 24, .total_len = 24}},
	/*  3 */ {"first fragment", "4500001c0001200040110000" A4 "0000000000000000", true, {.version = 4, .protocol = 17, .ttl = 64, .fragment = true, .more_fragments = true, .has_transport = true, .header_len = 20, .total_len = 28, .id = 1}},
	/*  4 */ {"middle fragment", "4500001c000120b940110000" A4 "0000000000000000", true, {.version = 4, .protocol = 17, .ttl = 64, .fragment = true, .more_fragments = true, .header_len = 20, .total_len = 28, .id = 1, .frag_offset = 1480}},
	/*  5 */ {"last fragment", "45000015000100b940110000" A4 "00", true, {.version = 4, .protocol = 17, .ttl = 64, .fragment = true, .header_len = 20, .total_len = 21, .id = 1, .frag_offset = 1480}},
	/*  6 */ {"padding behind", "450000150000000040110000" A4 "00 ffffff", true, {.version = 4, .protocol = 17, .ttl = 64, .has_transport = true, .header_len = 20, .total_len = 21}},
	/*  7 */ {"total length beyond the end", "450000160000000040110000" A4 "00", false, {0}},
	/*  8 */ {"total length below the header", "450000130000000040110000" A4, false, {0}},
	/*  9 */ {"total length 0", "450000000000000040110000" A4, false, {0}},
	/* 10 */ {"IHL 4", "440000140000000040110000" A4, false, {0}},
	/* 11 */ {"IHL beyond the total length", "460000140000000040110000" A4, false, {0}},
	/* 12 */ {"IHL beyond the end", "4f0000140000000040110000" A4, false, {0}},
	/* 13 */ {"one octet short", "450000140000000040110000 0a0a0102 140a01", false, {0}},
	/* 14 */ {"empty", "", false, {0}},
	/* 15 */ {"version 5", "550000140000000040110000" A4, false, {0}},
	/* 16 */ {"version 0", "050000140000000040110000" A4, false, {0}},
	/* 17 */ {"IPv6 without payload", "6b9abcde00003b07" A6, true, {.version = 6, .protocol = 59, .tos = 0xb9, .ttl = 7, .header_len = 40, .total_len = 40}},
	/* 18 */ {"IPv6 UDP", "6000000000081140" A6 "0000000000000000", true, {.version = 6, .protocol = 17, .ttl = 64, .has_transport = true, .header_len = 40, .total_len = 48}},
	/* 19 */ {"IPv6 payload beyond the end", "6000000000091140" A6 "0000000000000000", false, {0}},
	/* 20 */ {"IPv6 header cut", "6000000000003b40 20010db8", false, {0}},
	/* 21 */ {"IPv6 hop-by-hop", "60000000000a0040" A6 "0600010400000000 ffff", true, {.version = 6, .protocol = 6, .ttl = 64, .has_transport = true, .header_len = 48, .total_len = 50}},
	/* 22 */ {"IPv6 chain of four", "6000000000280040" A6 "2b00010400000000 3c00000000000000 3300010400000000 2f02000000000000 00000000 00000000", true, {.version = 6, .protocol = 47, .ttl = 64, .has_transport = true, .header_len = 80, .total_len = 80}},
	/* 23 */ {"IPv6 first fragment", "6000000000102c40" A6 "2f00000112345678 0000080000000000", true, {.version = 6, .protocol = 47, .ttl = 64, .fragment = true, .more_fragments = true, .has_transport = true, .header_len = 48, .total_len = 56, .id = 0x12345678}},
	/* 24 */ {"IPv6 later fragment", "6000000000102c40" A6 "3c0005a812345678 2f00010400000000", true, {.version = 6, .protocol = 60, .ttl = 64, .fragment = true, .header_len = 48, .total_len = 56, .id = 0x12345678, .frag_offset = 1448}},
	/* 25 */ {"IPv6 atomic fragment", "6000000000082c40" A6 "0600000000000001", true, {.version = 6, .protocol = 6, .ttl = 64, .fragment = true, .has_transport = true, .header_len = 48, .total_len = 48, .id = 1}},
	/* 26 */ {"IPv6 extension longer than the packet", "6000000000083c40" A6 "2f01010400000000", true, {.version = 6, .protocol = 60, .ttl = 64, .header_len = 40, .total_len = 48}},
	/* 27 */ {"IPv6 extension cut short", "6000000000043c40" A6 "2f000104", true, {.version = 6, .protocol = 60, .ttl = 64, .header_len = 40, .total_len = 44}},
	/* 28 */ {"IPv6 extension in the padding", "6000000000003c40" A6 "2f00010400000000", true, {.version = 6, .protocol = 60, .ttl = 64, .header_len = 40, .total_len = 40}},
};
/* clang-format on */

#undef A4
#undef A6

#endif
