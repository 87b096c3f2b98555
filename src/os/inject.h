/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject.h: a packet that arrives without having been sent: a BPF program, run once by the kernel's
 * own test call, hands it to the receiving side of a device. From there on it meets all that a
 * packet of that device meets: prerouting rules, reverse path filter, routing, forward rules, NAT.
 */
#ifndef OS_INJECT_H
#define OS_INJECT_H

#include <stddef.h>
#include <stdint.h>

#define INJECT_MAX 1500 /* octets */

/* `packet` begins with its IP header. Returns 0 or -errno: -EPERM: this process may load no
 * programs, -ENODEV: no such device, -ENETDOWN: it takes nothing. */
int inject_packet(const char *device, const uint8_t *packet, size_t len);

#endif
