/* SPDX-License-Identifier: GPL-2.0-or-later */
/* csum.h: the Internet checksum of whole packets, fast; user space only. Words as in csum_inc.h. */
#ifndef PROTO_CSUM_H
#define PROTO_CSUM_H

#include <stddef.h>

#include "proto/csum_inc.h"

/*
 * `sum` plus the sum of `len` octets at any alignment; an odd length counts as if a zero octet
 * followed. The data is taken to begin at an even offset of what is summed: where it does not, sum
 * it alone and combine with csum_block_add().
 *
 *   put_be16(gre + 4, csum_fold(csum_partial(payload, len, csum_partial(gre, gre_len, 0))));
 */
uint64_t csum_partial(const void *data, size_t len, uint64_t sum);

#endif
