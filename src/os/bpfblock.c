/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpfblock.c: the filter that the interfaces of tunnels share. A block lives as long as an
 * interface has it, and ends with its filters when the last one goes. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "os/bpfattach.h"
#include "os/netlink.h"

/* Numbers of the two blocks in a network namespace. */
enum { BLOCK_OUT = 0x6772, BLOCK_IN };

static int ask(struct nlmsghdr *request, nl_each_fn each, void *arg)
{
	struct nl nl;
	int err = nl_open(&nl, NETLINK_ROUTE);

	if (err)
		return err;
	err = nl_ask(&nl, request, each, arg);
	nl_close(&nl);
	return err;
}

static struct nlmsghdr *begin(char buffer[NL_REQUEST_SIZE], uint16_t type, uint16_t flags,
			      uint32_t ifindex, uint32_t parent)
{
	struct nlmsghdr *request = nl_begin(buffer, type, flags, sizeof(struct tcmsg), AF_UNSPEC);
	struct tcmsg *header = mnl_nlmsg_get_payload(request);

	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = parent;
	return request;
}

int bpf_tunnel_prepare(uint32_t ifindex)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin(
		buffer, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex, TC_H_CLSACT);
	struct tcmsg *header = mnl_nlmsg_get_payload(request);

	header->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(request, TCA_KIND, "clsact");
	mnl_attr_put_u32(request, TCA_INGRESS_BLOCK, BLOCK_IN);
	mnl_attr_put_u32(request, TCA_EGRESS_BLOCK, BLOCK_OUT);
	return ask(request, NULL, NULL);
}

/* NLM_F_EXCL: where there is none (-EEXIST); NLM_F_REPLACE: in the place of the one there. */
static int fill_block(int program, uint16_t flags)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = begin(buffer, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | flags,
					 TCM_IFINDEX_MAGIC_BLOCK, BLOCK_OUT);
	struct tcmsg *header = mnl_nlmsg_get_payload(request);
	struct nlattr *options;

	header->tcm_handle = 1;
	header->tcm_info = TC_H_MAKE((uint32_t)BPF_FILTER_PRIORITY << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(request, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(request, TCA_OPTIONS);
	mnl_attr_put_u32(request, TCA_BPF_FD, (uint32_t)program);
	mnl_attr_put_strz(request, TCA_BPF_NAME, "gretel");
	mnl_attr_put_u32(request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(request, options);
	return ask(request, NULL, NULL);
}

struct place {
	uint32_t ifindex;
	bool shared;
};

static int note_place(void *arg, const struct nlmsghdr *answer)
{
	const struct tcmsg *header = mnl_nlmsg_get_payload(answer);
	struct nl_cursor cursor = nl_attributes(answer, sizeof *header);
	const struct nlattr *attribute;
	struct place *place = arg;

	if (answer->nlmsg_type != RTM_NEWQDISC || header->tcm_parent != TC_H_CLSACT ||
	    header->tcm_ifindex != (int)place->ifindex)
		return 0;
	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == TCA_EGRESS_BLOCK &&
		    mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) &&
		    mnl_attr_get_u32(attribute) == BLOCK_OUT)
			place->shared = true;
	return 0;
}

/* Whether the interface has the blocks. */
static bool has_blocks(uint32_t ifindex)
{
	struct place place = {.ifindex = ifindex};
	char buffer[NL_REQUEST_SIZE];
	/* The answer to this question comes as an echo. */
	struct nlmsghdr *request =
		begin(buffer, RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO, ifindex, TC_H_CLSACT);

	return ask(request, note_place, &place) == 0 && place.shared;
}

int bpf_tunnel_attach(uint32_t ifindex, int program)
{
	int err = bpf_tunnel_prepare(ifindex);

	if (err && err != -EEXIST)
		return err;
	if (err && !has_blocks(ifindex))
		return bpf_attach_egress(ifindex, program);
	err = fill_block(program, NLM_F_EXCL);
	return err == -EEXIST ? 0 : err;
}

void bpf_tunnel_detach(uint32_t ifindex)
{
	char buffer[NL_REQUEST_SIZE];

	if (!has_blocks(ifindex)) {
		bpf_detach_tc(ifindex);
		return;
	}
	(void)ask(begin(buffer, RTM_DELQDISC, NLM_F_ACK, ifindex, TC_H_CLSACT), NULL, NULL);
}

bool bpf_tunnel_attached(uint32_t ifindex)
{
	return has_blocks(ifindex) || bpf_filters(ifindex) & BPF_FILTER_OUT;
}

void bpf_tunnel_renew(int program)
{
	(void)fill_block(program, NLM_F_REPLACE); /* there may be no block yet */
}
