/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/netconf.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static void read_attribute(const struct nlattr *attribute, struct netconf_info *out)
{
	uint32_t value = 0;

	if (mnl_attr_get_payload_len(attribute) >= sizeof(value))
		value = mnl_attr_get_u32(attribute);
	switch (mnl_attr_get_type(attribute)) {
	case NETCONFA_IFINDEX:
		out->index = (int32_t)value;
		return;
	case NETCONFA_FORWARDING:
		out->forwarding = value;
		break;
	case NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN:
		out->ignore_linkdown = value;
		break;
	case NETCONFA_RP_FILTER:
		out->rp_filter = (uint8_t)value;
		break;
	default:
		return;
	}
	out->has = true;
}

int netconf_decode(const struct nlmsghdr *message, struct netconf_info *out)
{
	const struct netconfmsg *header = mnl_nlmsg_get_payload(message);
	struct nl_cursor cursor = nl_attributes(message, sizeof(*header));
	const struct nlattr *attribute;

	if (header->ncm_family != AF_INET && header->ncm_family != AF_INET6)
		return -EINVAL;
	*out = (struct netconf_info){.family = header->ncm_family};
	while ((attribute = nl_next(&cursor)))
		read_attribute(attribute, out);
	return 0;
}

struct walk {
	netconf_each_fn each;
	void *arg;
};

static int walk_netconf(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct netconf_info info;

	if (answer->nlmsg_type != RTM_NEWNETCONF || netconf_decode(answer, &info))
		return 0;
	return walk->each(walk->arg, &info);
}

int netconf_each(struct nl *nl, uint8_t family, netconf_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETNETCONF, NLM_F_DUMP, sizeof(struct netconfmsg), family);
	struct walk walk = {each, arg};
	int err = nl_ask(nl, request, walk_netconf, &walk);

	/* The kernel does not have the family. */
	return err == -EAFNOSUPPORT || err == -EOPNOTSUPP ? 0 : err;
}
