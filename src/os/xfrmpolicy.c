/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/xfrmpolicy.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <string.h>

#include "os/netlink.h"

struct walk {
	xfrm_policy_each_fn each;
	void *arg;
};

static struct ip_prefix read_prefix(uint16_t family, const xfrm_address_t *addr, uint8_t len)
{
	struct ip_prefix out = {.addr = {.family = (uint8_t)family}, .len = len};

	memcpy(out.addr.bytes, addr, addr_size((uint8_t)family));
	return out;
}

static int walk_policy(void *arg, const struct nlmsghdr *answer)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(answer);
	const struct xfrm_selector *sel = &info->sel;
	const struct walk *walk = arg;

	/* A family of 0 stands for a socket's policy. */
	if (mnl_nlmsg_get_payload_len(answer) < sizeof *info ||
	    (sel->family != IP_V4 && sel->family != IP_V6))
		return 0;
	struct xfrm_policy policy = {
		.from = read_prefix(sel->family, &sel->saddr, sel->prefixlen_s),
		.to = read_prefix(sel->family, &sel->daddr, sel->prefixlen_d),
		.protocol = sel->proto,
		.out = info->dir == XFRM_POLICY_OUT,
		.block = info->action == XFRM_POLICY_BLOCK,
	};
	return walk->each(walk->arg, &policy);
}

int xfrm_policy_each(xfrm_policy_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct walk walk = {each, arg};
	struct nl nl;
	int err = nl_open(&nl, NETLINK_XFRM);

	if (err)
		return err;
	err = nl_ask(&nl, nl_begin(buffer, XFRM_MSG_GETPOLICY, NLM_F_DUMP, 0, 0), walk_policy,
		     &walk);
	nl_close(&nl);
	return err;
}
