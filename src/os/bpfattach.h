/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpfattach.h: where the programs run. On devices they are held by links, kept in a file for the
 * next process: XDP where there is none yet, and TC (tcx, Linux 6.6). On older kernels, and where
 * somebody else has TC filters, which tcx would run before, they are filters with a priority of
 * ours, behind anybody else's; those stay when the process ends. The interfaces of tunnels, which
 * are many, share one filter. A program in the same place is replaced at once, without a packet
 * that meets neither.
 */
#ifndef OS_BPFATTACH_H
#define OS_BPFATTACH_H

#include <stdbool.h>
#include <stdint.h>

/* Of our filters; what is announced of others' is not ours. */
#define BPF_FILTER_PRIORITY 0xc7e1

/* Tunnels' interfaces: the place for filters is in blocks that all of them share, since one for
 * each would make the kernel go through all there are (flow_indr_dev_setup_offload()).
 *
 * Makes that place. 0 or -errno; -EEXIST: there is one, this or somebody else's. */
int bpf_tunnel_prepare(uint32_t ifindex);
/* Puts the program where packets leave the interface; where somebody else has made a place for
 * filters, behind theirs. 0 or -errno. */
int bpf_tunnel_attach(uint32_t ifindex, int program);
/* Takes it away. An interface that is gone is no error. */
void bpf_tunnel_detach(uint32_t ifindex);
/* Whether packets that leave the interface meet a program of ours. */
bool bpf_tunnel_attached(uint32_t ifindex);
/* Puts the program in the place of the last process's, at all interfaces at once. */
void bpf_tunnel_renew(int program);

/* The same on a device, as filters. 0 or -errno. */
int bpf_attach_ingress(uint32_t ifindex, int program);
int bpf_attach_egress(uint32_t ifindex, int program);
/* Takes ours away from both sides of the device, and the place for filters if that was the last one
 * there: where we had none, an empty place is somebody else's. A device that is gone is no error.
 */
void bpf_detach_tc(uint32_t ifindex);
/* Whose filters are on a device, on both sides together. */
enum { BPF_FILTER_IN = 1, BPF_FILTER_OUT = 2, BPF_FILTER_FOREIGN = 4 };
unsigned bpf_filters(uint32_t ifindex);

enum bpf_place { BPF_PLACE_XDP, BPF_PLACE_TC_IN, BPF_PLACE_TC_OUT };

/* XDP runs in the driver, not behind it. `pin` is the file that keeps it ("": it ends with the
 * process). Returns a descriptor, or -errno: -EBUSY when somebody else's program is there,
 * -EOPNOTSUPP when the driver has no XDP, -EINVAL when the kernel is too old for that place. */
int bpf_attach_link(uint32_t ifindex, int program, enum bpf_place place, const char *pin);
/* Closes it, and takes it away. */
void bpf_detach_link(int link, const char *pin);

#endif
