/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encaplimit.h: the tunnel encapsulation limit that an IPv6 packet carries (RFC 2473 4.1.1): how
 * often it may still be put into a tunnel. User space only. */
#ifndef PROTO_ENCAPLIMIT_H
#define PROTO_ENCAPLIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Looks for the option among the extension headers before any fragment or transport header of the
 * packet [p, end). True with the offset from p of the octet that is the limit: what a parameter
 * problem points to when it is 0. False where there is no such option, or its header is cut short
 * or inconsistent.
 */
bool encaplimit_find(const uint8_t *p, const uint8_t *end, uint32_t *at);

#endif
