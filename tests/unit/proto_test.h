/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proto_test.h: what the tests of src/proto share. */
#ifndef PROTO_TEST_H
#define PROTO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../vectors/hex.h"

enum { OCTETS_MAX = 2048 };

/* A copy in a block of exactly that size, so that the sanitizer sees a read of one octet more. */
static inline uint8_t *exact_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, data, len);
	return len ? copy : copy + 1;
}

static inline void exact_free(uint8_t *copy, size_t len)
{
	free(len ? copy : copy - 1);
}

/* Names the row of a table in the output before it fails; abort() is for the compiler, which does
 * not know that fail_msg() never returns. */
#define CHECK_ROW(row, name, condition)                                                    \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fail_msg("row %zu (%s): %s", (size_t)(row) + 1, name, #condition); \
			abort();                                                           \
		}                                                                          \
	} while (0)

#endif
