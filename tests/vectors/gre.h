/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRE headers: what the decoder says to them. */
#ifndef VECTORS_GRE_H
#define VECTORS_GRE_H

#include "proto/gre.h"

struct gre_vector {
	const char *name;
	const char *hex; /* from the GRE header on */
	enum drop_reason reason;
	struct gre_header header; /* when the reason is DROP_NONE */
};

/* clang-format off */
static const struct gre_vector gre_vectors[] = {
	/*  1 */ {"no option", "0000 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/*  2 */ {"C", "8000 0800 1234 0000", DROP_NONE, {.protocol = 0x0800, .has_checksum = true, .checksum = 0x1234, .length = 8}},
	/*  3 */ {"K", "2000 86dd c0ffee01", DROP_NONE, {.protocol = 0x86dd, .has_key = true, .key = 0xc0ffee01, .length = 8}},
	/*  4 */ {"S", "1000 8847 fffffffe", DROP_NONE, {.protocol = 0x8847, .has_sequence = true, .sequence = 0xfffffffe, .length = 8}},
	/*  5 */ {"CK", "a000 6558 5678 0000 00000028", DROP_NONE, {.protocol = 0x6558, .has_checksum = true, .has_key = true, .checksum = 0x5678, .key = 40, .length = 12}},
	/*  6 */ {"CS", "9000 0800 9abc 0000 00000007", DROP_NONE, {.protocol = 0x0800, .has_checksum = true, .has_sequence = true, .checksum = 0x9abc, .sequence = 7, .length = 12}},
	/*  7 */ {"KS", "3000 0800 ffffffff 00000000", DROP_NONE, {.protocol = 0x0800, .has_key = true, .has_sequence = true, .key = 0xffffffff, .length = 12}},
	/*  8 */ {"CKS", "b000 8848 def0 0000 01020304 05060708", DROP_NONE, {.protocol = 0x8848, .has_checksum = true, .has_key = true, .has_sequence = true, .checksum = 0xdef0, .key = 0x01020304, .sequence = 0x05060708, .length = 16}},
	/*  9 */ {"key 0 is a key", "2000 0800 00000000", DROP_NONE, {.protocol = 0x0800, .has_key = true, .length = 8}},
	/* 10 */ {"reserved1 set", "8000 0800 0000 ffff", DROP_NONE, {.protocol = 0x0800, .has_checksum = true, .length = 8}},
	/* 11 */ {"R", "4000 0800 0000 0000", DROP_RX_ROUTING, {0}},
	/* 12 */ {"R with C, K, S", "f000 0800 0000 0000 00000000 00000000", DROP_RX_ROUTING, {0}},
	/* 13 */ {"bit 4", "0800 0800", DROP_RX_RESERVED, {0}},
	/* 14 */ {"bit 5", "0400 0800", DROP_RX_RESERVED, {0}},
	/* 15 */ {"bit 5 with K", "2400 0800 00000001", DROP_RX_RESERVED, {0}},
	/* 16 */ {"bit 6", "0200 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 17 */ {"bit 7", "0100 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 18 */ {"bit 8", "0080 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 19 */ {"bit 9", "0040 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 20 */ {"bit 10", "0020 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 21 */ {"bit 11", "0010 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 22 */ {"bit 12", "0008 0800", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 23 */ {"bits 6 to 12 with K", "23f8 0800 00000009", DROP_NONE, {.protocol = 0x0800, .has_key = true, .key = 9, .length = 8}},
	/* 24 */ {"version 1", "2001 880b 00000000", DROP_RX_VERSION, {0}},
	/* 25 */ {"version 2", "0002 0800", DROP_RX_VERSION, {0}},
	/* 26 */ {"version 3", "0003 0800", DROP_RX_VERSION, {0}},
	/* 27 */ {"version 4", "0004 0800", DROP_RX_VERSION, {0}},
	/* 28 */ {"version 5", "0005 0800", DROP_RX_VERSION, {0}},
	/* 29 */ {"version 6", "0006 0800", DROP_RX_VERSION, {0}},
	/* 30 */ {"version 7", "0007 0800", DROP_RX_VERSION, {0}},
	/* 31 */ {"version before routing and reserved", "4c01 0800", DROP_RX_VERSION, {0}},
	/* 32 */ {"routing before reserved", "4c00 0800", DROP_RX_ROUTING, {0}},
	/* 33 */ {"empty", "", DROP_RX_TRUNCATED, {0}},
	/* 34 */ {"one octet short", "000008", DROP_RX_TRUNCATED, {0}},
	/* 35 */ {"reserved before truncated options", "2800 0800", DROP_RX_RESERVED, {0}},
	/* 36 */ {"all octets set", "ffff ffff ffff ffff", DROP_RX_VERSION, {0}},
	/* 37 */ {"protocol 0, reply to a keepalive", "0000 0000", DROP_NONE, {.protocol = 0, .length = 4}},
	/* 38 */ {"unknown protocol", "0000 1234 ff", DROP_NONE, {.protocol = 0x1234, .length = 4}},
	/* 39 */ {"keepalive request", "0000 0800 45c0001800a30000ff2f24ef0aac40060aac4007 00000000", DROP_NONE, {.protocol = 0x0800, .length = 4}},
	/* 40 */ {"keepalive request with key and CMD", "2000 8909 00000028 0800010100010000 45c0001c00a30000ff2f24eb0aac40060aac4007 2000000000000028", DROP_NONE, {.protocol = 0x8909, .has_key = true, .key = 40, .length = 8}},
};
/* clang-format on */

#endif
