/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/address.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/*
 * IFA_LOCAL is the host's own address. IFA_ADDRESS is the peer's on a point-to-point link and the
 * same as IFA_LOCAL else; IPv6 leaves IFA_LOCAL out where there is no peer.
 */
int address_decode(const struct nlmsghdr *message, struct address_info *out)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct nl_cursor cursor;
	struct ip_addr local = {0}, address = {0};
	int err = 0;

	*out = (struct address_info){.index = header->ifa_index, .flags = header->ifa_flags};
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return -EINVAL;
	cursor = nl_attributes(message, sizeof(*header));
	while ((attribute = nl_next(&cursor))) {
		switch (mnl_attr_get_type(attribute)) {
		case IFA_LOCAL:
			err = nl_get_addr(attribute, header->ifa_family, &local);
			break;
		case IFA_ADDRESS:
			err = nl_get_addr(attribute, header->ifa_family, &address);
			break;
		case IFA_FLAGS:
			out->flags = mnl_attr_get_u32(attribute);
			break;
		case IFA_PROTO:
			out->protocol = mnl_attr_get_u8(attribute);
			break;
		}
		if (err)
			return err;
	}
	out->local.len = header->ifa_prefixlen;
	out->local.addr = local.family != IP_NONE ? local : address;
	if (local.family != IP_NONE && address.family != IP_NONE && !addr_equal(&local, &address))
		out->peer = address;
	return 0;
}

struct walk {
	address_each_fn each;
	void *arg;
};

static int walk_address(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(answer);
	struct address_info address;
	int err;

	if (answer->nlmsg_type != RTM_NEWADDR ||
	    (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return 0;
	err = address_decode(answer, &address);
	return err ? err : walk->each(walk->arg, &address);
}

int address_each(struct nl *nl, address_each_fn each, void *arg)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct walk walk = {each, arg};

	for (size_t i = 0; i < sizeof(families); i++) {
		char buffer[NL_REQUEST_SIZE];
		struct nlmsghdr *request = nl_begin(buffer, RTM_GETADDR, NLM_F_DUMP,
						    sizeof(struct ifaddrmsg), families[i]);
		int err = nl_ask(nl, request, walk_address, &walk);

		/* -EOPNOTSUPP: the kernel does not have the family, so there is none to list. */
		if (err && err != -EOPNOTSUPP)
			return err;
	}
	return 0;
}

static struct nlmsghdr *begin_change(char buffer[NL_REQUEST_SIZE], uint16_t type, uint16_t flags,
				     const struct address_info *address)
{
	struct nlmsghdr *request = nl_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags),
					    sizeof(struct ifaddrmsg), address->local.addr.family);
	struct ifaddrmsg *header = mnl_nlmsg_get_payload(request);

	header->ifa_prefixlen = address->local.len;
	header->ifa_index = address->index;
	nl_put_addr(request, IFA_LOCAL, &address->local.addr);
	nl_put_addr(request, IFA_ADDRESS,
		    address->peer.family != IP_NONE ? &address->peer : &address->local.addr);
	return request;
}

/* The broadcast address of an IPv4 prefix that has one. */
static void put_broadcast(struct nlmsghdr *request, const struct address_info *address)
{
	struct ip_addr broadcast = address->local.addr;

	if (broadcast.family != IP_V4 || address->peer.family != IP_NONE || address->local.len > 30)
		return;
	for (unsigned bit = address->local.len; bit < 32; bit++)
		broadcast.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	nl_put_addr(request, IFA_BROADCAST, &broadcast);
}

int address_add(struct nl *nl, const struct address_info *address)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		begin_change(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
	struct ifaddrmsg *header = mnl_nlmsg_get_payload(request);

	if (addr_is_loopback(&address->local.addr))
		header->ifa_scope = RT_SCOPE_HOST;
	else if (addr_is_link_local(&address->local.addr))
		header->ifa_scope = RT_SCOPE_LINK;
	put_broadcast(request, address);
	if (address->local.addr.family == IP_V6)
		mnl_attr_put_u32(request, IFA_FLAGS, IFA_F_NODAD);
	mnl_attr_put_u8(request, IFA_PROTO, OS_PROTOCOL);
	return nl_ask(nl, request, NULL, NULL);
}

int address_del(struct nl *nl, const struct address_info *address)
{
	char buffer[NL_REQUEST_SIZE];

	return nl_ask(nl, begin_change(buffer, RTM_DELADDR, 0, address), NULL, NULL);
}
