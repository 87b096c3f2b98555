/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ERSPAN headers, as they stand behind GRE: what the decoder says to them. */
#ifndef VECTORS_ERSPAN_H
#define VECTORS_ERSPAN_H

#include "proto/erspan.h"

struct erspan_vector {
	const char *name;
	uint8_t form;
	const char *hex; /* from behind the GRE header on */
	enum drop_reason reason;
	struct erspan_header header; /* when the reason is DROP_NONE */
	bool foreign;		     /* has what we do not write: not encoded again */
};

/* clang-format off */
static const struct erspan_vector erspan_vectors[] = {
	/*  1 */ {"I has no header", FORM_ERSPAN1, "ffffffffffff", DROP_NONE, {.length = 0}},
	/*  2 */ {"I of nothing", FORM_ERSPAN1, "", DROP_NONE, {.length = 0}},
	/*  3 */ {"II, all zero", FORM_ERSPAN2, "1000 0000 00000000", DROP_NONE, {.length = 8}},
	/*  4 */ {"II", FORM_ERSPAN2, "1123 baab 00012345", DROP_NONE, {.vlan = 0x123, .cos = 5, .tag = ERSPAN_TAGGED, .session = 0x2ab, .index = 0x12345, .length = 8}},
	/*  5 */ {"II, largest", FORM_ERSPAN2, "1fff ffff 000fffff", DROP_NONE, {.vlan = 0xfff, .cos = 7, .tag = 3, .truncated = true, .session = 0x3ff, .index = 0xfffff, .length = 8}},
	/*  6 */ {"II, T alone", FORM_ERSPAN2, "1000 0400 00000000", DROP_NONE, {.truncated = true, .length = 8}},
	/*  7 */ {"II, reserved bits", FORM_ERSPAN2, "1000 0001 fff00002", DROP_NONE, {.session = 1, .index = 2, .length = 8}, true},
	/*  8 */ {"II of version 0", FORM_ERSPAN2, "0000 0001 00000000", DROP_RX_ERSPAN, {0}},
	/*  9 */ {"II of version 2", FORM_ERSPAN2, "2000 0001 00000000 00000000", DROP_RX_ERSPAN, {0}},
	/* 10 */ {"III, all zero", FORM_ERSPAN3, "2000 0000 00000000 0000 0000", DROP_NONE, {.length = 12}},
	/* 11 */ {"III", FORM_ERSPAN3, "2123 4fff deadbeef 1234 815c", DROP_NONE, {.vlan = 0x123, .cos = 2, .tag = 1, .truncated = true, .session = 0x3ff, .timestamp = 0xdeadbeef, .group = 0x1234, .pdu = true, .hardware = 0x15, .egress = true, .granularity = 2, .length = 12}},
	/* 12 */ {"III, largest", FORM_ERSPAN3, "2fff ffff ffffffff ffff 83fe", DROP_NONE, {.vlan = 0xfff, .cos = 7, .tag = 3, .truncated = true, .session = 0x3ff, .timestamp = 0xffffffff, .group = 0xffff, .pdu = true, .hardware = 0x3f, .egress = true, .granularity = 3, .length = 12}},
	/* 13 */ {"III, platform's own", FORM_ERSPAN3, "2000 0007 00000001 0000 8001 1122334455667788", DROP_NONE, {.session = 7, .timestamp = 1, .pdu = true, .length = 20}, true},
	/* 14 */ {"III of an IP packet", FORM_ERSPAN3, "2000 0007 00000001 0000 0800", DROP_RX_ERSPAN, {0}},
	/* 15 */ {"III of version 1", FORM_ERSPAN3, "1000 0007 00000001 0000 8000", DROP_RX_ERSPAN, {0}},
};
/* clang-format on */

#endif
