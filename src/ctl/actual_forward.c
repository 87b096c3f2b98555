/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turning net.ipv4.ip_forward also sets the forwarding of every interface and of "default", and
 * all/accept_redirects to the opposite; net.ipv6.conf.all.forwarding sets every interface's and
 * default's. What they were has to be read before. The other switches change nothing besides.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ctl/actual_read.h"
#include "ctl/site.h"

static const struct {
	const char *path, *folder;
} switches[SWITCH_COUNT] = {
	[SWITCH_FORWARD4] = {"net/ipv4/ip_forward", "net/ipv4/conf"},
	[SWITCH_FORWARD6] = {"net/ipv6/conf/all/forwarding", "net/ipv6/conf"},
	[SWITCH_HASH4] = {"net/ipv4/fib_multipath_hash_policy", NULL},
	[SWITCH_HASH6] = {"net/ipv6/fib_multipath_hash_policy", NULL},
	[SWITCH_LIBERAL] = {"net/netfilter/nf_conntrack_tcp_be_liberal", NULL},
};

struct around {
	struct actual *actual;
	enum state_switch which;
};

static int keep_value(struct sysctl_list *list, const char *folder, const char *name,
		      const char *leaf, const char *only)
{
	char path[SYSCTL_NAME_SIZE], value[SYSCTL_VALUE_SIZE];
	int err;

	if (snprintf(path, sizeof(path), "%s/%s/%s", folder, name, leaf) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = sysctl_read(path, value);
	/* The interface went away while we read. */
	if (err == -ENOENT || (!err && only && strcmp(value, only) != 0))
		return 0;
	return err ? err : sysctl_list_add(list, path, value);
}

static int keep_forwarding(void *arg, const char *name)
{
	struct around *around = arg;
	const struct link_info *link = actual_link(around->actual, name);

	/* "all" is the switch itself; what we made goes away before the values are restored. */
	if (strcmp(name, "all") == 0 || (link && actual_is_ours(around->actual, link)))
		return 0;
	return keep_value(&around->actual->around[around->which], switches[around->which].folder,
			  name, "forwarding", NULL);
}

/*
 * A host that forwards IPv6 ignores router advertisements where accept_ra is 1, and would lose the
 * default route that it has from one. 2 means: even so.
 */
static int keep_accept_ra(void *arg, const struct route_info *route)
{
	struct actual *actual = arg;
	const struct link_info *link = actual_link_at(actual, route->oif);
	struct sysctl_list *list = &actual->around[SWITCH_FORWARD6];
	char path[SYSCTL_NAME_SIZE];

	if (!link)
		return 0;
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/accept_ra", link->name);
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].path, path) == 0)
			return 0;
	return keep_value(list, "net/ipv6/conf", link->name, "accept_ra", "1");
}

static int read_around(struct nl *nl, enum state_switch which, struct actual *actual)
{
	struct sysctl_list *list = &actual->around[which];
	struct around around = {actual, which};
	int err = sysctl_list_add(list, switches[which].path, actual->switches[which]);

	if (!err && which == SWITCH_FORWARD4)
		err = keep_value(list, "net/ipv4/conf", "all", "accept_redirects", NULL);
	if (!err && switches[which].folder)
		err = sysctl_each(switches[which].folder, keep_forwarding, &around);
	if (!err && which == SWITCH_FORWARD6)
		err = route_each(nl, AF_INET6, RTPROT_RA, keep_accept_ra, actual);
	return err;
}

int actual_read_forward(struct nl *nl, const struct conf *conf, struct actual *actual)
{
	/* Whether there is a route of several hops is known later, and reading costs nothing. */
	unsigned wanted = 1U << SWITCH_HASH4 | 1U << SWITCH_HASH6 | 1U << SWITCH_LIBERAL;

	if (conf && conf->forward.enable)
		wanted |= site_families(conf);
	for (int i = 0; i < SWITCH_COUNT; i++) {
		int err = sysctl_read(switches[i].path, actual->switches[i]);

		if (err == -ENOENT) {
			actual->switches[i][0] = '\0';
			continue;
		}
		if (!err && wanted & 1U << i && strcmp(actual->switches[i], "0") == 0)
			err = read_around(nl, (enum state_switch)i, actual);
		if (err)
			return err;
	}
	return 0;
}
