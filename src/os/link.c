/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void copy_text(char *out, size_t size, const struct nlattr *attribute)
{
	snprintf(out, size, "%.*s", (int)mnl_attr_get_payload_len(attribute),
		 mnl_attr_get_str(attribute));
}

static void read_tun(const struct nlattr *data, struct link_info *out)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	cursor = nl_nested(data);
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == IFLA_TUN_TYPE)
			out->tun = mnl_attr_get_u8(attribute) == IFF_TAP ? LINK_TAP : LINK_TUN;
		else if (mnl_attr_get_type(attribute) == IFLA_TUN_PERSIST)
			out->persist = mnl_attr_get_u8(attribute) != 0;
	}
}

static void read_vrf(const struct nlattr *data, struct link_info *out)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	cursor = nl_nested(data);
	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == IFLA_VRF_TABLE)
			out->vrf_table = mnl_attr_get_u32(attribute);
}

static void read_kind(const struct nlattr *info, struct link_info *out)
{
	const struct nlattr *attribute, *data = NULL;
	struct nl_cursor cursor;

	cursor = nl_nested(info);
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
			copy_text(out->kind, sizeof(out->kind), attribute);
		else if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA)
			data = attribute;
	}
	if (data && strcmp(out->kind, "tun") == 0)
		read_tun(data, out);
	if (data && strcmp(out->kind, "vrf") == 0)
		read_vrf(data, out);
}

void link_decode(const struct nlmsghdr *message, struct link_info *out)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	*out = (struct link_info){.index = (uint32_t)header->ifi_index,
				  .flags = header->ifi_flags,
				  .type = header->ifi_type};
	cursor = nl_attributes(message, sizeof(*header));
	while ((attribute = nl_next(&cursor))) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			copy_text(out->name, sizeof(out->name), attribute);
			break;
		case IFLA_IFALIAS:
			copy_text(out->alias, sizeof(out->alias), attribute);
			break;
		case IFLA_MTU:
			out->mtu = mnl_attr_get_u32(attribute);
			break;
		case IFLA_GROUP:
			out->group = mnl_attr_get_u32(attribute);
			break;
		case IFLA_MASTER:
			out->master = mnl_attr_get_u32(attribute);
			break;
		case IFLA_QDISC:
			copy_text(out->qdisc, sizeof(out->qdisc), attribute);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attribute) == sizeof(out->mac))
				memcpy(out->mac, mnl_attr_get_payload(attribute), sizeof(out->mac));
			break;
		case IFLA_OPERSTATE:
			out->operstate = mnl_attr_get_u8(attribute);
			break;
		case IFLA_LINKINFO:
			read_kind(attribute, out);
			break;
		}
	}
}

struct walk {
	link_each_fn each;
	void *arg;
};

static int walk_link(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct link_info link;

	if (answer->nlmsg_type != RTM_NEWLINK)
		return 0;
	link_decode(answer, &link);
	return walk->each(walk->arg, &link);
}

int link_dump(struct nl *nl, nl_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), AF_UNSPEC);

	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl_ask(nl, request, each, arg);
}

int link_each(struct nl *nl, link_each_fn each, void *arg)
{
	struct walk walk = {each, arg};

	return link_dump(nl, walk_link, &walk);
}

static int keep(void *arg, const struct link_info *link)
{
	*(struct link_info *)arg = *link;
	return 0;
}

int link_get(struct nl *nl, const char *name, struct link_info *out)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg), AF_UNSPEC);
	struct walk walk = {keep, out};

	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl_ask(nl, request, walk_link, &walk);
}

void link_driver(const char *name, char driver[32])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	driver[0] = '\0';
	if (fd < 0)
		return;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(driver, 32, "%.31s", info.driver);
	close(fd);
}

uint32_t link_index(const char *name)
{
	return if_nametoindex(name);
}

static struct nlmsghdr *begin_change(char buffer[NL_REQUEST_SIZE], uint16_t type, const char *name)
{
	struct nlmsghdr *request =
		nl_begin(buffer, type, NLM_F_ACK, sizeof(struct ifinfomsg), AF_UNSPEC);

	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return request;
}

int link_set_alias(struct nl *nl, const char *name, const char *alias)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);

	if (strlen(alias) >= LINK_ALIAS_SIZE)
		return -EINVAL;
	mnl_attr_put_str(request, IFLA_IFALIAS, alias);
	mnl_attr_put_u32(request, IFLA_GROUP, LINK_GROUP);
	return nl_ask(nl, request, NULL, NULL);
}

int link_set_mtu(struct nl *nl, const char *name, uint32_t mtu)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);

	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	return nl_ask(nl, request, NULL, NULL);
}

int link_set_up(struct nl *nl, const char *name, bool up)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);
	struct ifinfomsg *header = mnl_nlmsg_get_payload(request);

	header->ifi_flags = up ? IFF_UP : 0;
	header->ifi_change = IFF_UP;
	return nl_ask(nl, request, NULL, NULL);
}

static int set_noarp(struct nl *nl, const char *name)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);
	struct ifinfomsg *header = mnl_nlmsg_get_payload(request);

	header->ifi_flags = header->ifi_change = IFF_NOARP;
	return nl_ask(nl, request, NULL, NULL);
}

int link_set_silent(struct nl *nl, const char *name)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);
	struct nlattr *families = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(request, AF_INET6);
	int err;

	mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(request, inet6);
	mnl_attr_nest_end(request, families);
	err = nl_ask(nl, request, NULL, NULL);
	if (err && err != -EAFNOSUPPORT) /* a kernel without IPv6 */
		return err;
	return set_noarp(nl, name);
}

int link_set_master(struct nl *nl, const char *name, uint32_t master)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin_change(buffer, RTM_SETLINK, name);

	mnl_attr_put_u32(request, IFLA_MASTER, master);
	return nl_ask(nl, request, NULL, NULL);
}

int link_delete(struct nl *nl, const char *name)
{
	char buffer[NL_REQUEST_SIZE];

	return nl_ask(nl, begin_change(buffer, RTM_DELLINK, name), NULL, NULL);
}

int link_delete_group(struct nl *nl, uint32_t group)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_DELLINK, NLM_F_ACK, sizeof(struct ifinfomsg), AF_UNSPEC);

	mnl_attr_put_u32(request, IFLA_GROUP, group);
	return nl_ask(nl, request, NULL, NULL);
}

int link_set_queueless(struct nl *nl, const char *name)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = nl_begin(buffer, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE,
					    sizeof(struct tcmsg), AF_UNSPEC);
	struct tcmsg *header = mnl_nlmsg_get_payload(request);

	header->tcm_ifindex = (int)link_index(name);
	header->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(request, TCA_KIND, "noqueue");
	return nl_ask(nl, request, NULL, NULL);
}
