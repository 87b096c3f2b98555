/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/address.h"
#include "os/bpfattach.h"
#include "os/link.h"
#include "os/neighbour.h"
#include "os/netconf.h"
#include "os/route.h"
#include "os/rule.h"

#define MESSAGE_SIZE 32768
/* Room for the announcements of some ten thousand changes while we are busy with our own. */
#define QUEUE_SIZE (4 << 20)

struct watch {
	struct mnl_socket *socket;
	char table[64];	    /* of RULES; "" for a watch on rtnetlink */
	bool touched, gone; /* what the transaction that is being told did to the table */
	watch_fn each;
	void *arg;
	char buffer[MESSAGE_SIZE];
};

static int open_on(int bus, const int *groups, size_t count, struct watch **out)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int queue = QUEUE_SIZE, err = 0;

	if (!watch)
		return -ENOMEM;
	watch->socket = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->socket || mnl_socket_bind(watch->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		err = -errno;
	for (size_t i = 0; !err && i < count; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(watch->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			err = -errno;
	}
	if (err) {
		watch_close(watch);
		return err;
	}
	(void)setsockopt(watch_fd(watch), SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	*out = watch;
	return 0;
}

int watch_open(struct watch **out)
{
	static const int groups[] = {
		RTNLGRP_LINK,	      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE,   RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
		RTNLGRP_IPV6_NETCONF, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,
		RTNLGRP_NEIGH,	      RTNLGRP_TC};

	return open_on(NETLINK_ROUTE, groups, sizeof(groups) / sizeof(groups[0]), out);
}

int watch_open_rules(const char *table, struct watch **out)
{
	static const int group = NFNLGRP_NFTABLES;
	int err = open_on(NETLINK_NETFILTER, &group, 1, out);

	if (!err)
		snprintf((*out)->table, sizeof((*out)->table), "%s", table);
	return err;
}

void watch_close(struct watch *watch)
{
	if (watch && watch->socket)
		mnl_socket_close(watch->socket);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return mnl_socket_get_fd(watch->socket);
}

const char *watch_process(const struct watch_event *event, char buf[16])
{
	char path[32];
	ssize_t length = -1;
	int fd;

	snprintf(buf, 16, "%s", event->process);
	if (buf[0] || !event->port)
		return buf;
	snprintf(path, sizeof(path), "/proc/%u/comm", event->port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, buf, 15);
		close(fd);
	}
	buf[length > 0 ? length : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static void set_name(struct watch_event *event)
{
	if (event->index && !if_indextoname(event->index, event->name))
		event->name[0] = '\0';
}

static bool decode_link(const struct nlmsghdr *message, struct watch_event *event)
{
	struct link_info link;

	link_decode(message, &link);
	event->what = WATCH_LINK;
	event->deleted = message->nlmsg_type == RTM_DELLINK;
	event->index = link.index;
	memcpy(event->name, link.name, sizeof(event->name));
	return true;
}

static bool decode_address(const struct nlmsghdr *message, struct watch_event *event)
{
	struct address_info address;

	if (address_decode(message, &address))
		return false;
	event->what = WATCH_ADDRESS;
	event->deleted = message->nlmsg_type == RTM_DELADDR;
	event->index = address.index;
	event->prefix = address.local;
	event->protocol = address.protocol;
	set_name(event);
	return true;
}

static bool decode_route(const struct nlmsghdr *message, struct watch_event *event)
{
	struct route_info route;

	if (route_decode(message, &route))
		return false;
	event->what = WATCH_ROUTE;
	event->deleted = message->nlmsg_type == RTM_DELROUTE;
	event->index = route.oif;
	event->prefix = route.to;
	event->table = route.table;
	event->protocol = route.protocol;
	set_name(event);
	return true;
}

static bool decode_netconf(const struct nlmsghdr *message, struct watch_event *event)
{
	struct netconf_info info;

	if (netconf_decode(message, &info))
		return false;
	event->what = WATCH_NETCONF;
	event->deleted = message->nlmsg_type == RTM_DELNETCONF;
	event->index = info.index > 0 ? (uint32_t)info.index : 0;
	set_name(event);
	return info.has;
}

static bool decode_policy(const struct nlmsghdr *message, struct watch_event *event)
{
	struct rule_info rule;

	event->what = WATCH_POLICY;
	event->deleted = message->nlmsg_type == RTM_DELRULE;
	return rule_decode(message, &rule, &event->protocol) == 0;
}

/* Of a neighbour whose link address is known; one that is being asked for has none yet. Nobody asks
 * for a group, or on an interface without link addresses, where the kernel makes and forgets
 * entries as it likes: thousands a second with thousands of tunnels. */
static bool decode_neighbour(const struct nlmsghdr *message, struct watch_event *event)
{
	static const uint8_t none[6];
	struct neighbour_info info;

	if (!neighbour_decode(message, &info))
		return false;
	if (info.state & NUD_NOARP && (info.mac[0] & 1 || memcmp(info.mac, none, sizeof none) == 0))
		return false;
	event->what = WATCH_NEIGHBOUR;
	event->deleted = message->nlmsg_type == RTM_DELNEIGH || info.state & NUD_FAILED;
	event->index = info.index;
	event->prefix = (struct ip_prefix){info.addr, (uint8_t)(8 * addr_size(info.addr.family))};
	memcpy(event->mac, info.mac, sizeof(event->mac));
	return event->deleted || neighbour_is_known(&info);
}

/* A filter that is not ours, or the place for filters, which all of them are gone with. */
static bool decode_filter(const struct nlmsghdr *message, struct watch_event *event)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof *tc)
		return false;
	event->what = WATCH_FILTER;
	event->index = (uint32_t)tc->tcm_ifindex;
	event->deleted = message->nlmsg_type != RTM_NEWTFILTER;
	return message->nlmsg_type == RTM_DELQDISC ? tc->tcm_parent == TC_H_CLSACT
						   : tc->tcm_info >> 16 != BPF_FILTER_PRIORITY;
}

static bool decode(const struct nlmsghdr *message, struct watch_event *event)
{
	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return decode_neighbour(message, event);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return decode_link(message, event);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return decode_address(message, event);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return decode_route(message, event);
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
	case RTM_DELQDISC:
		return decode_filter(message, event);
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		return decode_netconf(message, event);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return decode_policy(message, event);
	}
	return false;
}

/* The last message of a transaction says whose it was. */
static bool decode_generation(struct watch *watch, const struct nlmsghdr *message,
			      struct watch_event *event)
{
	struct nl_cursor cursor = nl_attributes(message, sizeof(struct nfgenmsg));
	const struct nlattr *attribute;

	event->what = watch->touched ? WATCH_RULES : WATCH_FOREIGN_RULES;
	event->deleted = watch->gone;
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_PID)
			event->port = ntohl(mnl_attr_get_u32(attribute));
		else if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_NAME)
			snprintf(event->process, sizeof(event->process), "%.*s",
				 (int)mnl_attr_get_payload_len(attribute),
				 mnl_attr_get_str(attribute));
	}
	watch->touched = false;
	watch->gone = false;
	return true;
}

static bool decode_rules(struct watch *watch, const struct nlmsghdr *message,
			 struct watch_event *event)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct nl_cursor cursor = nl_attributes(message, sizeof(*header));
	unsigned type = message->nlmsg_type & 0xff;
	const struct nlattr *attribute;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return false;
	if (type == NFT_MSG_NEWGEN)
		return decode_generation(watch, message, event);
	if (header->nfgen_family != NFPROTO_INET)
		return false;
	/* Tables, chains, rules, sets, elements and objects all name their table in attribute 1. */
	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME &&
		    strncmp(mnl_attr_get_str(attribute), watch->table,
			    mnl_attr_get_payload_len(attribute)) == 0) {
			watch->touched = true;
			watch->gone = type == NFT_MSG_DELTABLE ||
				      (watch->gone && type != NFT_MSG_NEWTABLE);
		}
	return false;
}

static void tell(struct watch *watch, ssize_t length)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)watch->buffer;
	int left = (int)length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		struct watch_event event = {.port = message->nlmsg_pid};
		bool of_interest = watch->table[0] ? decode_rules(watch, message, &event)
						   : decode(message, &event);

		if (of_interest)
			watch->each(watch->arg, &event);
	}
}

int watch_read(struct watch *watch, watch_fn each, void *arg)
{
	watch->each = each;
	watch->arg = arg;
	for (;;) {
		ssize_t length =
			mnl_socket_recvfrom(watch->socket, watch->buffer, sizeof(watch->buffer));

		if (length >= 0) {
			tell(watch, length);
		} else if (errno == ENOBUFS || errno == ENOSPC) {
			/* Announcements were dropped (ENOBUFS), or one was cut (ENOSPC). */
			struct watch_event lost = {.what = WATCH_LOST};

			watch->touched = false;
			each(arg, &lost);
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}
