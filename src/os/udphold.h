/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udphold.h: a UDP port whose packets a raw socket reads. While it is held no other program gets
 * it, and the kernel does not answer its packets with "port unreachable". What arrives there is
 * thrown away, which the kernel counts as UdpInErrors.
 */
#ifndef OS_UDPHOLD_H
#define OS_UDPHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/udp.h"

/* Destination ports that this host receives GRE at, host order. */
struct udp_ports {
	unsigned count;
	uint16_t ports[UDP_PORTS_MAX];
};

bool udp_receives_at(const struct udp_ports *ports, uint16_t port);

/* Holds the port on all addresses of the family until the descriptor is closed. Returns it, or
 * -errno (-EADDRINUSE: somebody has it; -EAFNOSUPPORT: the kernel has no IPv6). */
int udp_hold(uint8_t family, uint16_t port);

#endif
