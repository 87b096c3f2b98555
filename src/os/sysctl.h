/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl.h: values under /proc/sys, named by path ("net/ipv4/conf/eth0.10/forwarding"), because
 * interface names may have dots.
 */
#ifndef OS_SYSCTL_H
#define OS_SYSCTL_H

#include <stddef.h>

#define SYSCTL_VALUE_SIZE 64
#define SYSCTL_NAME_SIZE  96

/* Without the newline. Returns 0 or -errno: -ENOENT when there is none, -EFBIG when the value is
 * longer. */
int sysctl_read(const char *path, char value[SYSCTL_VALUE_SIZE]);
int sysctl_write(const char *path, const char *value);
/* As sysctl(8) prints the name: "net.ipv4.conf.eth0/10.forwarding". Returns buf. */
const char *sysctl_name(const char *path, char buf[SYSCTL_NAME_SIZE]);

/* Calls `each` with the name of each directory in `path`, for example the interfaces of
 * net/ipv4/conf. A value below zero from `each` ends the walk and is returned. */
int sysctl_each(const char *path, int (*each)(void *arg, const char *name), void *arg);

#endif
