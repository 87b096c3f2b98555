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

#define INJECT_MAX 1514 /* octets of a frame */

/* `frame` begins with an Ethernet header, which a device without one (TUN) strips; its destination
 * has to be the device's address, or the packet is somebody else's. Returns 0 or -errno (-EPERM:
 * the kernel lets nobody load programs, -ENETDOWN: the device is down). */
int inject_frame(uint32_t ifindex, const uint8_t *frame, size_t len);

#endif
