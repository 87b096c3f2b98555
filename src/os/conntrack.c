/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include "os/sysctl.h"

static int read_addresses(const struct nlattr *nest, struct conntrack_tuple *out)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor = nl_nested(nest);
	int err = 0;

	while (!err && (attribute = nl_next(&cursor)))
		switch (mnl_attr_get_type(attribute)) {
		case CTA_IP_V4_SRC:
			err = nl_get_addr(attribute, IP_V4, &out->from);
			break;
		case CTA_IP_V4_DST:
			err = nl_get_addr(attribute, IP_V4, &out->to);
			break;
		case CTA_IP_V6_SRC:
			err = nl_get_addr(attribute, IP_V6, &out->from);
			break;
		case CTA_IP_V6_DST:
			err = nl_get_addr(attribute, IP_V6, &out->to);
			break;
		}
	return err;
}

static void read_ports(const struct nlattr *nest, struct conntrack_tuple *out, uint8_t *protocol)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor = nl_nested(nest);

	while ((attribute = nl_next(&cursor)))
		switch (mnl_attr_get_type(attribute)) {
		case CTA_PROTO_NUM:
			*protocol = mnl_attr_get_u8(attribute);
			break;
		case CTA_PROTO_SRC_PORT:
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			out->from_port = ntohs(mnl_attr_get_u16(attribute));
			break;
		case CTA_PROTO_DST_PORT:
			out->to_port = ntohs(mnl_attr_get_u16(attribute));
			break;
		}
}

static int read_tuple(const struct nlattr *nest, struct conntrack_tuple *out, uint8_t *protocol)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor = nl_nested(nest);
	int err = 0;

	while (!err && (attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == CTA_TUPLE_IP)
			err = read_addresses(attribute, out);
		else if (mnl_attr_get_type(attribute) == CTA_TUPLE_PROTO)
			read_ports(attribute, out, protocol);
	}
	return err;
}

static int read_attribute(const struct nlattr *attribute, struct conntrack_entry *out)
{
	switch (mnl_attr_get_type(attribute)) {
	case CTA_TUPLE_ORIG:
		return read_tuple(attribute, &out->original, &out->protocol);
	case CTA_TUPLE_REPLY:
		return read_tuple(attribute, &out->reply, &out->protocol);
	case CTA_STATUS:
		out->status = ntohl(mnl_attr_get_u32(attribute));
		break;
	case CTA_MARK:
		out->mark = ntohl(mnl_attr_get_u32(attribute));
		break;
	case CTA_TIMEOUT:
		out->timeout = ntohl(mnl_attr_get_u32(attribute));
		break;
	}
	return 0;
}

struct walk {
	conntrack_each_fn each;
	void *arg;
};

static int walk_entry(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct conntrack_entry entry = {.protocol = 0};
	const struct nlattr *attribute;
	struct nl_cursor cursor = nl_attributes(answer, sizeof(struct nfgenmsg));

	while ((attribute = nl_next(&cursor))) {
		int err = read_attribute(attribute, &entry);

		if (err)
			return err;
	}
	return walk->each(walk->arg, &entry);
}

int conntrack_open(struct nl *nl)
{
	return nl_open(nl, NETLINK_NETFILTER);
}

int conntrack_each(struct nl *nl, uint8_t family, conntrack_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = nl_begin(buffer, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
					    NLM_F_DUMP, sizeof(struct nfgenmsg), family);
	struct walk walk = {each, arg};
	int err = nl_ask(nl, request, walk_entry, &walk);

	/* No such subsystem in nfnetlink. */
	return err == -EINVAL ? -EPROTONOSUPPORT : err;
}

static int read_number(const char *path, uint32_t *out)
{
	char value[SYSCTL_VALUE_SIZE];
	int err = sysctl_read(path, value);

	if (!err)
		*out = (uint32_t)strtoul(value, NULL, 10);
	return err;
}

int conntrack_fill(uint32_t *count, uint32_t *max)
{
	int err = read_number("net/netfilter/nf_conntrack_count", count);

	return err ? err : read_number("net/netfilter/nf_conntrack_max", max);
}
