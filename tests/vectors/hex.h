/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hex.h: octets written as text in the tables of this folder. */
#ifndef VECTORS_HEX_H
#define VECTORS_HEX_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower-case digits, spaces between octets are skipped. A faulty table ends the program. */
static inline size_t hex_decode(const char *hex, uint8_t *out, size_t size)
{
	size_t len = 0;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (len == size || hex_digit(hex[0]) < 0 || hex_digit(hex[1]) < 0) {
			fprintf(stderr, "bad hex in a test table at \"%.20s\"\n", hex);
			abort();
		}
		out[len++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex += 2;
	}
	return len;
}

#endif
