/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/bpfattach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "os/netlink.h"

/* Behind everybody else's: automatic priorities begin at 49152 and go down. */
enum { PRIORITY = BPF_FILTER_PRIORITY, HANDLE = 1 };

/* Debian 12's headers are older than these (Linux 6.6). */
enum { ATTACH_TCX_INGRESS = 46, ATTACH_TCX_EGRESS = 47 };

/* Filters. */

static int make_place(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err = bpf_tc_hook_create(&hook);

	return err == -EEXIST ? 0 : err;
}

static int attach_tc(uint32_t ifindex, int program, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY, .prog_fd = program,
		    .flags = BPF_TC_F_REPLACE);
	int err = make_place(ifindex);

	return err ? err : bpf_tc_attach(&hook, &filter);
}

int bpf_attach_ingress(uint32_t ifindex, int program)
{
	return attach_tc(ifindex, program, BPF_TC_INGRESS);
}

int bpf_attach_egress(uint32_t ifindex, int program)
{
	return attach_tc(ifindex, program, BPF_TC_EGRESS);
}

struct seen_filters {
	unsigned ours, seen;
};

static int note_filter(void *arg, const struct nlmsghdr *answer)
{
	const struct tcmsg *filter = mnl_nlmsg_get_payload(answer);
	struct seen_filters *s = arg;

	if (answer->nlmsg_type == RTM_NEWTFILTER)
		s->seen |= filter->tcm_info >> 16 == PRIORITY ? s->ours : BPF_FILTER_FOREIGN;
	return 0;
}

unsigned bpf_filters(uint32_t ifindex)
{
	static const uint32_t sides[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	struct seen_filters s = {.seen = 0};
	char buffer[NL_REQUEST_SIZE];
	struct nl nl;

	if (nl_open(&nl, NETLINK_ROUTE) != 0)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		struct nlmsghdr *request = nl_begin(buffer, RTM_GETTFILTER, NLM_F_DUMP,
						    sizeof(struct tcmsg), AF_UNSPEC);
		struct tcmsg *header = mnl_nlmsg_get_payload(request);

		header->tcm_ifindex = (int)ifindex;
		header->tcm_parent = TC_H_MAKE(TC_H_CLSACT, sides[i]);
		s.ours = i ? BPF_FILTER_OUT : BPF_FILTER_IN;
		(void)nl_ask(&nl, request, note_filter, &s);
	}
	nl_close(&nl);
	return s.seen;
}

static bool detach_one(uint32_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);

	return bpf_tc_detach(&hook, &filter) == 0;
}

void bpf_detach_tc(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	bool in = detach_one(ifindex, BPF_TC_INGRESS), out = detach_one(ifindex, BPF_TC_EGRESS);

	if ((in || out) && !bpf_filters(ifindex))
		(void)bpf_tc_hook_destroy(&hook);
}

/* Links. */

/* The one that the last process has left, with another program in it. */
static int take_over(const char *pin, uint32_t ifindex, int program)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof info;
	int link = pin[0] ? bpf_obj_get(pin) : -1;

	if (link < 0)
		return -ENOENT;
	/* The index stands in the same place for XDP and TC. */
	if (bpf_obj_get_info_by_fd(link, &info, &size) == 0 && info.xdp.ifindex == ifindex &&
	    bpf_link_update(link, program, NULL) == 0)
		return link;
	close(link);
	(void)unlink(pin);
	return -ENOENT;
}

int bpf_attach_link(uint32_t ifindex, int program, enum bpf_place place, const char *pin)
{
	static const int types[] = {[BPF_PLACE_XDP] = BPF_XDP,
				    [BPF_PLACE_TC_IN] = ATTACH_TCX_INGRESS,
				    [BPF_PLACE_TC_OUT] = ATTACH_TCX_EGRESS};
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = place == BPF_PLACE_XDP ? XDP_FLAGS_DRV_MODE : 0);
	int link = take_over(pin, ifindex, program);

	if (link >= 0)
		return link;
	link = bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)types[place], &options);
	if (link < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	if (pin[0])
		(void)bpf_obj_pin(link, pin);
	return link;
}

void bpf_detach_link(int link, const char *pin)
{
	if (pin[0])
		(void)unlink(pin);
	(void)bpf_link_detach(link);
	close(link);
}
