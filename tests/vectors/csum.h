/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internet checksums with known answers. */
#ifndef VECTORS_CSUM_H
#define VECTORS_CSUM_H

#include <stdbool.h>
#include <stdint.h>

struct csum_vector {
	const char *hex;
	uint16_t check;
};

struct csum_update_vector {
	bool wide;
	uint16_t check;
	uint32_t from, to;
	uint16_t result;
};

struct csum_pseudo_vector {
	const char *name;
	const char *packet; /* its checksum is right */
};

/* clang-format off */
static const struct csum_vector csum_vectors[] = {
	/*  1 */ {"", 0xffff},
	/*  2 */ {"0001 f203 f4f5 f6f7", 0x220d}, /* RFC 1071 3 */
	/*  3 */ {"45c0003000a40000ff2f0000 0aac40070aac4006", 0x24d6},
	/*  4 */ {"45c0001800a30000ff2f0000 0aac40060aac4007", 0x24ef},
	/*  5 */ {"45c0001800a30000ff2f24ef 0aac40060aac4007", 0},
	/*  6 */ {"01", 0xfeff}, /* an odd octet counts as the high one */
	/*  7 */ {"ffff", 0},
	/*  8 */ {"ffff ffff ffff", 0},
	/*  9 */ {"ffff 0001", 0xfffe},
};

static const struct csum_update_vector csum_update_vectors[] = {
	/*  1 */ {false, 0xdd2f, 0x5555, 0x3285, 0x0000}, /* RFC 1624 4: not 0xffff */
	/*  2 */ {false, 0x24ef, 0xff2f, 0xfe2f, 0x25ef}, /* one hop less */
	/*  3 */ {false, 0x1234, 0xabcd, 0xabcd, 0x1234},
	/*  4 */ {false, 0x0000, 0x0001, 0x0000, 0x0001},
	/*  5 */ {false, 0xfffe, 0x0000, 0xfffe, 0x0000},
	/*  6 */ {true, 0x24ef, 0x00a30000, 0x00a30001, 0x24ee},
	/*  7 */ {true, 0x24ef, 0xff2f0000, 0xfe2f0000, 0x25ef},
	/*  8 */ {true, 0x24ef, 0x0aac4006, 0x0aac4006, 0x24ef},
};

static const struct csum_pseudo_vector csum_pseudo_vectors[] = {
	/*  1 */ {"TCP over IPv4",
	 "4500002b0001000040065ab50a0a0102140a010200010002000000000000000050022000ab620000"
	 "616263"},
	/*  2 */ {"UDP over IPv4",
	 "450000200001000040115ab50a0a0102140a010200010002000c1af561626364"},
	/*  3 */ {"TCP over IPv6",
	 "600000000017064020010db800010000000000000000000220010db8000200000000000000000002"
	 "0001000200000000000000005002200070010000616263"},
	/*  4 */ {"UDP over IPv6",
	 "60000000000c114020010db800010000000000000000000220010db8000200000000000000000002"
	 "00010002000cdf9361626364"},
	/*  5 */ {"ICMPv6",
	 "60000000000b3a4020010db800010000000000000000000220010db8000200000000000000000002"
	 "800031c40001000278797a"},
};
/* clang-format on */

#endif
