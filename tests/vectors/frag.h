/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Into which pieces packets are cut. */
#ifndef VECTORS_FRAG_H
#define VECTORS_FRAG_H

#include "proto/frag.h"

struct frag_vector {
	const char *name;
	uint32_t header_len, payload_len, mtu;
	uint16_t base;
	bool more;
	uint32_t pieces; /* 0: it cannot be done */
	struct frag_piece first, last;
};

/* clang-format off */
static const struct frag_vector frag_vectors[] = {
	/*  1 */ {"fits", 20, 100, 1500, 0, false, 1, {0, 100, 0, false}, {0, 100, 0, false}},
	/*  2 */ {"fits exactly", 20, 1480, 1500, 0, false, 1, {0, 1480, 0, false}, {0, 1480, 0, false}},
	/*  3 */ {"one octet too many", 20, 1481, 1500, 0, false, 2, {0, 1480, 0, true}, {1480, 1, 1480, false}},
	/*  4 */ {"room rounded down to 8", 20, 1480, 1476, 0, false, 2, {0, 1456, 0, true}, {1456, 24, 1456, false}},
	/*  5 */ {"the last needs no multiple of 8", 20, 1456 + 1455, 1476, 0, false, 2, {0, 1456, 0, true}, {1456, 1455, 1456, false}},
	/*  6 */ {"header with options", 60, 1000, 576, 0, false, 2, {0, 512, 0, true}, {512, 488, 512, false}},
	/*  7 */ {"smallest MTU", 60, 20, 68, 0, false, 3, {0, 8, 0, true}, {16, 4, 16, false}},
	/*  8 */ {"no room", 60, 20, 67, 0, false, 0, {0}, {0}},
	/*  9 */ {"no payload", 20, 0, 1500, 0, false, 0, {0}, {0}},
	/* 10 */ {"largest packet", 20, 65515, 576, 0, false, 119, {0, 552, 0, true}, {65136, 379, 65136, false}},
	/* 11 */ {"cut again: middle", 20, 1480, 1000, 1480, true, 2, {0, 976, 1480, true}, {976, 504, 2456, true}},
	/* 12 */ {"cut again: last", 20, 1001, 1000, 2960, false, 2, {0, 976, 2960, true}, {976, 25, 3936, false}},
	/* 13 */ {"cut again: a middle with an odd end", 20, 1001, 576, 0, true, 0, {0}, {0}},
	/* 14 */ {"offset beyond the largest packet", 20, 1480, 1000, 65528, false, 0, {0}, {0}},
	/* 15 */ {"offset up to the largest packet", 20, 7, 28, 65528, false, 1, {0, 7, 65528, false}, {0, 7, 65528, false}},
	/* 16 */ {"IPv6", 48, 1452 + 24, 1500, 0, false, 2, {0, 1448, 0, true}, {1448, 28, 1448, false}},
	/* 17 */ {"IPv6 at its least MTU", 48, 1300, 1280, 0, false, 2, {0, 1232, 0, true}, {1232, 68, 1232, false}},
	/* 18 */ {"exact multiple", 20, 2960, 1500, 0, false, 2, {0, 1480, 0, true}, {1480, 1480, 1480, false}},
};
/* clang-format on */

#endif
