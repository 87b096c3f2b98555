/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpfattach.h: where the programs run: as TC filters with a priority of ours, behind anybody
 * else's, and as XDP programs of devices that have none. Both stay when the process ends. A program
 * in the same place is replaced at once, without a packet that meets neither.
 */
#ifndef OS_BPFATTACH_H
#define OS_BPFATTACH_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the place for filters. That takes the device's queue out of use for a moment, and what is
 * sent in it is lost, so it is better done before the device is up. 0 or -errno. */
int bpf_attach_prepare(uint32_t ifindex);
/* 0 or -errno. */
int bpf_attach_ingress(uint32_t ifindex, int program);
int bpf_attach_egress(uint32_t ifindex, int program);
/* Takes ours away from both sides of the device, and the place for filters if nobody else has one
 * there. A device that is gone, or had none, is no error. */
void bpf_detach_tc(uint32_t ifindex);
/* Whether somebody else has a filter on that side of the device. */
bool bpf_others_filter(uint32_t ifindex, bool ingress);

/* In the driver, not behind it. `pin` is the file that keeps it ("": it ends with the process).
 * Returns a descriptor that the caller closes, or -errno: -EBUSY when somebody else's program is
 * there, -EOPNOTSUPP when the driver has no XDP. */
int bpf_attach_xdp(uint32_t ifindex, int program, const char *pin);
/* Closes it, and takes it away. */
void bpf_detach_xdp(int link, const char *pin);

#endif
