/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netconf.h: settings of interfaces under net.ipv4.conf and net.ipv6.conf, all in one dump by
 * rtnetlink. They are written by way of sysctl.h. */
#ifndef OS_NETCONF_H
#define OS_NETCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "os/netlink.h"

#define NETCONF_ALL	-1
#define NETCONF_DEFAULT -2 /* what an interface is made with */

struct netconf_info {
	uint8_t family; /* IP_V4, IP_V6 */
	int32_t index;	/* of the link, or one of the above */
	bool has;	/* says anything of the following; announcements tell single settings */
	bool forwarding;
	bool ignore_linkdown; /* ignore_routes_with_linkdown */
	uint8_t rp_filter;    /* IPv4 only */
};

/* What a message of type RTM_NEWNETCONF says. 0, or -EINVAL when it is of another family. */
int netconf_decode(const struct nlmsghdr *message, struct netconf_info *out);

typedef int (*netconf_each_fn)(void *arg, const struct netconf_info *info);
/* Of all interfaces of one family, "all" and "default" among them. */
int netconf_each(struct nl *nl, uint8_t family, netconf_each_fn each, void *arg);

#endif
