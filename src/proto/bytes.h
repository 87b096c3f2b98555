/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bytes.h: big-endian integers in octet strings, at any alignment. Compiles unchanged as C11 and
 * for BPF; the headers that include it keep the same rules: no call that is not inlined, every
 * bound written `p + n > end`, because that is the form the verifier understands.
 */
#ifndef PROTO_BYTES_H
#define PROTO_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#define PROTO_INLINE static inline __attribute__((always_inline, unused))

#ifdef __bpf__

/* The verifier knows whether this processor takes words at any address, and refuses the program
 * where it does not. Octet by octet, as below, costs several nanoseconds a header. */
PROTO_INLINE uint16_t get_be16(const void *p)
{
	return __builtin_bswap16(*(const uint16_t *)p);
}

PROTO_INLINE uint32_t get_be32(const void *p)
{
	return __builtin_bswap32(*(const uint32_t *)p);
}

PROTO_INLINE void put_be16(void *p, uint16_t v)
{
	*(uint16_t *)p = __builtin_bswap16(v);
}

PROTO_INLINE void put_be32(void *p, uint32_t v)
{
	*(uint32_t *)p = __builtin_bswap32(v);
}

#else

PROTO_INLINE uint16_t get_be16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

PROTO_INLINE uint32_t get_be32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

PROTO_INLINE void put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

PROTO_INLINE void put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 24);
	b[1] = (uint8_t)(v >> 16);
	b[2] = (uint8_t)(v >> 8);
	b[3] = (uint8_t)v;
}

#endif

#endif
