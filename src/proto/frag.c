/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/frag.h"

#include <string.h>

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_COPIED = 0x80 };

/* Copies the options that every fragment carries; returns their octets, padded to a multiple of 4
 * with zeros, which end the list. A malformed list ends where it is malformed. */
static unsigned copied_options(uint8_t *out, const uint8_t *options, unsigned len)
{
	unsigned at = 0, length = 0, written = 0;

	for (; at < len && options[at] != OPTION_END; at += length) {
		if (options[at] == OPTION_NOP) {
			length = 1;
			continue;
		}
		if (at + 2 > len || options[at + 1] < 2 || at + options[at + 1] > len)
			break;
		length = options[at + 1];
		if (options[at] & OPTION_COPIED) {
			memcpy(out + written, options + at, length);
			written += length;
		}
	}
	while (written % 4)
		out[written++] = OPTION_END;
	return written;
}

/* Four rounds of a Feistel network make a permutation of any keyed function. */
uint32_t frag6_id(const struct siphash_key *key, uint32_t n)
{
	uint16_t left = (uint16_t)(n >> 16), right = (uint16_t)n;

	for (uint8_t round = 0; round < 4; round++) {
		const uint8_t in[3] = {round, (uint8_t)(right >> 8), (uint8_t)right};
		uint16_t mixed = (uint16_t)(left ^ siphash24(key, in, sizeof in));

		left = right;
		right = mixed;
	}
	return (uint32_t)left << 16 | right;
}

unsigned frag4_header(uint8_t *out, const uint8_t *header, unsigned header_len,
		      const struct frag_piece *piece)
{
	unsigned len = header_len;

	memcpy(out, header, IP4_HEADER_LENGTH);
	if (piece->offset == 0)
		memcpy(out + IP4_HEADER_LENGTH, header + IP4_HEADER_LENGTH,
		       header_len - IP4_HEADER_LENGTH);
	else
		len = IP4_HEADER_LENGTH + copied_options(out + IP4_HEADER_LENGTH,
							 header + IP4_HEADER_LENGTH,
							 header_len - IP4_HEADER_LENGTH);
	out[0] = (uint8_t)(0x40 | len / 4);
	put_be16(out + 2, (uint16_t)(len + piece->length));
	put_be16(out + 6, (uint16_t)((piece->more ? 0x2000 : 0) | piece->offset / 8));
	put_be16(out + 10, 0);
	put_be16(out + 10, csum_fold(csum_ip4_header(out, out + len, len)));
	return len;
}
