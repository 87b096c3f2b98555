/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev.h: what the kernel tells of a device's abilities, by the family "netdev" of generic
 * netlink, which is there from Linux 6.3 on. */
#ifndef OS_NETDEV_H
#define OS_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

/* Whether frames that an XDP program redirects to the device leave by it. A veth says no while its
 * other end has neither GRO nor an XDP program: such frames are lost, and no counter of the device
 * shows it. True also where the kernel does not tell. */
bool netdev_sends_xdp(uint32_t ifindex);

#endif
