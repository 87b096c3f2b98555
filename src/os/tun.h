/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tun.h: TUN and TAP devices. Every frame that crosses a descriptor of ours is
 *     struct tun_frame_header, then the packet (TUN) or the Ethernet frame (TAP).
 * The packet-information word is kept (no IFF_NO_PI), because a passenger need not be IP.
 */
#ifndef OS_TUN_H
#define OS_TUN_H

#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* What precedes a packet: EtherType in network order, then the offload header in host order. */
struct tun_frame_header {
	struct tun_pi pi;
	struct virtio_net_hdr vnet;
};
_Static_assert(sizeof(struct tun_frame_header) == 14, "no padding");

/* Attaches one more queue of the device `name`, creating it (persistent, POINTOPOINT MULTICAST
 * NOARP for a TUN) when there is none, and turns on checksum, TSO and, where the kernel has it,
 * USO. The descriptor is non-blocking and closed on exec. Returns it, or -errno: -EINVAL when a
 * device of that name is of another kind, -EBUSY when another process holds a single-queue device.
 */
int tun_attach(const char *name, bool ethernet, bool *uso);
/* The link address of a TAP; zero for a TUN, which has none. */
void tun_address(int fd, uint8_t mac[6]);
/* Stops or starts the kernel's use of this descriptor's queue; the descriptor stays open. */
int tun_queue_enable(int fd, bool enable);
/* The carrier that the interface shows, and that its routes go by, when the call returns (before
 * Linux 6.8: a second later at most). */
int tun_set_carrier(int fd, bool on);
/* The device goes with its last descriptor instead of staying. */
int tun_forget(int fd);

#endif
