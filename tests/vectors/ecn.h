/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 6040: the 16 cells of figure 4, and the outer fields of tunnels that inherit or fix them. */
#ifndef VECTORS_ECN_H
#define VECTORS_ECN_H

#include "proto/ecn.h"
#include "proto/outer.h"

struct ecn_vector {
	uint8_t inner, outer;
	enum drop_reason reason;
	uint8_t result;
};

struct outer_vector {
	const char *name;
	struct outer_policy policy;
	uint16_t protocol;
	const char *passenger;
	struct outer_fields fields;
};

#define PASSENGER4    "45aa00140000400003000000 0a0a0102 140a0102" /* TOS 0xaa, DF, TTL 3 */
#define PASSENGER4_CE "450300140000000040000000 0a0a0102 140a0102" /* TOS 0x03, TTL 64 */
#define PASSENGER6 \
	"6b90000000003b07 20010db8000100000000000000000002 20010db8000200000000000000000002"

/* clang-format off */
static const struct ecn_vector ecn_vectors[] = {
	/*  1 */ {0, 0, DROP_NONE, 0},
	/*  2 */ {0, 1, DROP_NONE, 0},
	/*  3 */ {0, 2, DROP_NONE, 0},
	/*  4 */ {0, 3, DROP_RX_ECN, 0},
	/*  5 */ {1, 0, DROP_NONE, 1},
	/*  6 */ {1, 1, DROP_NONE, 1},
	/*  7 */ {1, 2, DROP_NONE, 1},
	/*  8 */ {1, 3, DROP_NONE, 3},
	/*  9 */ {2, 0, DROP_NONE, 2},
	/* 10 */ {2, 1, DROP_NONE, 1},
	/* 11 */ {2, 2, DROP_NONE, 2},
	/* 12 */ {2, 3, DROP_NONE, 3},
	/* 13 */ {3, 0, DROP_NONE, 3},
	/* 14 */ {3, 1, DROP_NONE, 3},
	/* 15 */ {3, 2, DROP_NONE, 3},
	/* 16 */ {3, 3, DROP_NONE, 3},
	/* 17 */ {0xfc, 0xff, DROP_RX_ECN, 0},
	/* 18 */ {0xfe, 0xfd, DROP_NONE, 1},
};

static const struct outer_vector outer_vectors[] = {
	/*  1 */ {"fixed", {.ttl = 64, .tos = 0xb8, .df = OUTER_DF_SET}, 0x0800, PASSENGER4, {.tos = 0xb8, .ttl = 64, .df = true}},
	/*  2 */ {"all inherited", {.ttl_inherit = true, .tos_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x0800, PASSENGER4, {.tos = 0xaa, .ttl = 3, .df = true}},
	/*  3 */ {"DSCP inherited without ECN", {.tos_inherit = true, .ttl = 255}, 0x0800, PASSENGER4, {.tos = 0xa8, .ttl = 255, .df = true}},
	/*  4 */ {"DSCP fixed with ECN", {.ttl = 255, .tos = 0x20, .ecn = true}, 0x0800, PASSENGER4, {.tos = 0x22, .ttl = 255, .df = true}},
	/*  5 */ {"low bits of a fixed TOS are not ours to set", {.ttl = 9, .tos = 0xff}, 0x0800, PASSENGER4, {.tos = 0xfc, .ttl = 9, .df = true}},
	/*  6 */ {"DF cleared", {.ttl = 9, .df = OUTER_DF_CLEAR}, 0x0800, PASSENGER4, {.ttl = 9}},
	/*  7 */ {"DF copied, passenger without", {.ttl = 9, .df = OUTER_DF_COPY}, 0x0800, PASSENGER4_CE, {.ttl = 9}},
	/*  8 */ {"CE is copied", {.ttl_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x0800, PASSENGER4_CE, {.tos = 3, .ttl = 64}},
	/*  9 */ {"CE is not copied without ECN", {.ttl_inherit = true, .tos_inherit = true, .df = OUTER_DF_COPY}, 0x0800, PASSENGER4_CE, {.ttl = 64}},
	/* 10 */ {"IPv6 inherited", {.ttl_inherit = true, .tos_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x86dd, PASSENGER6, {.tos = 0xb9, .ttl = 7}},
	/* 11 */ {"IPv6 with DF set", {.ttl = 64, .df = OUTER_DF_SET}, 0x86dd, PASSENGER6, {.ttl = 64, .df = true}},
	/* 12 */ {"MPLS inherits the defaults", {.ttl_inherit = true, .tos_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x8847, PASSENGER4, {.ttl = 64}},
	/* 13 */ {"MPLS with fixed fields", {.ttl = 7, .tos = 0x88, .ecn = true, .df = OUTER_DF_SET}, 0x8847, PASSENGER4, {.tos = 0x88, .ttl = 7, .df = true}},
	/* 14 */ {"frame", {.ttl_inherit = true, .tos_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x6558, "ffffffffffff 020000000001 0800" PASSENGER4, {.ttl = 64}},
	/* 15 */ {"too short to tell", {.ttl_inherit = true, .tos_inherit = true, .ecn = true, .df = OUTER_DF_COPY}, 0x0800, "45aa001400004000", {.ttl = 64}},
	/* 16 */ {"empty", {.ttl_inherit = true, .tos = 0x10, .df = OUTER_DF_SET}, 0x86dd, "", {.tos = 0x10, .ttl = 64, .df = true}},
};
/* clang-format on */

#endif
