/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sample.h: a few packets that arrive on a device, looked at and left alone. */
#ifndef OS_SAMPLE_H
#define OS_SAMPLE_H

#include <stdint.h>

#include "proto/addr.h"

/* The IP packets that arrive from now on. Returns the socket, which is the caller's to close, or
 * -errno. */
int sample_open(uint32_t ifindex);
/* Waits for the next, at most `timeout_ms`. 1 with its addresses, 0 when there was none, -errno. */
int sample_next(int fd, int timeout_ms, struct ip_addr *from, struct ip_addr *to);

#endif
