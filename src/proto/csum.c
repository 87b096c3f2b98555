/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/csum.h"

#include <string.h>

/*
 * The sum is the same whatever the word size and, but for a swap of its two octets, whatever the
 * byte order (RFC 1071 2). So words of 64 bits are loaded as the machine has them, their halves
 * are counted in 64-bit lanes, where 2^32 of them fit before a carry is lost, and the order is put
 * right once at the end. Written with vectors of the compiler, which become SSE2, NEON or, where
 * there is none, plain words.
 */
typedef uint64_t lanes __attribute__((vector_size(16)));

struct block {
	lanes v[4];
};

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t sum_word(uint64_t w)
{
	return (w & 0xffffffff) + (w >> 32);
}

/* Blocks of 64 octets; advances *p and *len. */
static uint64_t sum_blocks(const uint8_t **p, size_t *len)
{
	const lanes low = {0xffffffff, 0xffffffff};
	lanes a = {0}, b = {0}, c = {0}, d = {0};
	const uint8_t *at = *p;
	size_t left = *len;

	for (; left >= sizeof(struct block); left -= sizeof(struct block)) {
		struct block w;

		memcpy(&w, at, sizeof w);
		a += (w.v[0] & low) + (w.v[1] & low);
		b += (w.v[0] >> 32) + (w.v[1] >> 32);
		c += (w.v[2] & low) + (w.v[3] & low);
		d += (w.v[2] >> 32) + (w.v[3] >> 32);
		at += sizeof w;
	}
	*p = at;
	*len = left;
	a += b;
	c += d;
	a += c;
	return a[0] + a[1];
}

/* The last `len` < 8 octets, as if zeros followed up to an even number. */
static uint64_t sum_tail(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t four;
	uint16_t two;

	if (len & 4) {
		memcpy(&four, p, sizeof four);
		sum += four;
		p += 4;
	}
	if (len & 2) {
		memcpy(&two, p, sizeof two);
		sum += two;
		p += 2;
	}
	if (len & 1) {
		two = 0;
		memcpy(&two, p, 1);
		sum += two;
	}
	return sum;
}

static uint16_t from_native(uint64_t sum)
{
	uint16_t folded = csum_fold16(sum);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	folded = __builtin_bswap16(folded);
#endif
	return folded;
}

uint64_t csum_partial(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint64_t native = 0;

	if (len >= sizeof(struct block))
		native = sum_blocks(&p, &len);
	for (; len >= 8; len -= 8, p += 8)
		native += sum_word(load64(p));
	return sum + from_native(native + sum_tail(p, len));
}
