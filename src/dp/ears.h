/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ears.h: what ICMP errors say about the path of packets that are marked or bound to a device. The
 * kernel learns a path's MTU for the route that the socket's own mark and device lead to, and those
 * of the workers have neither, since they serve all tunnels. So for each pair in use there is a
 * socket that has it, and does nothing.
 */
#ifndef DP_EARS_H
#define DP_EARS_H

#include "dp/dp.h"

struct ear;

/* A tunnel with these parameters begins, or ends; one without mark and device, or ends, needs
 * nothing. Take returns 0 or -errno, and what was taken is released once. */
int ears_take(struct ear **ears, const struct dp_params *params);
void ears_release(struct ear **ears, const struct dp_params *params);

#endif
