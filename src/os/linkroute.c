/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/linkroute.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* The list of next hops; out->shared when it has the link. */
static void read_hops(const struct nlattr *attribute, uint32_t index, struct link_route *out)
{
	const char *at = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute);
	unsigned count = 0;

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const struct rtnexthop *)at;
		size_t step = (hop->rtnh_len + 3u) & ~3u;

		if (hop->rtnh_len < sizeof(*hop))
			return;
		if ((uint32_t)hop->rtnh_ifindex == index) {
			out->shared = true;
			out->weight = hop->rtnh_hops + 1u;
		}
		if (count < LINK_ROUTE_HOPS)
			out->hops[count] = (uint32_t)hop->rtnh_ifindex;
		count++;
		if (step >= left)
			break;
		at += step;
		left -= step;
	}
	out->hop_count = count <= LINK_ROUTE_HOPS ? count : 0;
}

int link_route_decode(const struct nlmsghdr *message, uint32_t index, struct link_route *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct nl_cursor cursor;
	int err;

	*out = (struct link_route){0};
	if (header->rtm_flags & RTM_F_CLONED)
		return -ENOENT;
	err = route_decode(message, &out->route);
	if (err)
		return err;
	cursor = nl_attributes(message, sizeof(*header));
	while ((attribute = nl_next(&cursor))) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == RTA_MULTIPATH)
			read_hops(attribute, index, out);
		else if (type == RTA_NH_ID && out->route.oif == index)
			out->shared = true;
		else if (type == RTA_METRICS)
			out->metrics = true;
	}
	return out->shared || out->route.oif == index ? 0 : -ENOENT;
}

struct walk {
	link_route_each_fn each;
	void *arg;
	uint32_t index;
};

static int walk_route(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct link_route route;
	int err;

	if (answer->nlmsg_type != RTM_NEWROUTE)
		return 0;
	err = link_route_decode(answer, walk->index, &route);
	if (err)
		return err == -ENOENT ? 0 : err;
	return route.route.table == ROUTE_TABLE_LOCAL ? 0 : walk->each(walk->arg, &route);
}

int link_route_each(struct nl *nl, uint32_t index, link_route_each_fn each, void *arg)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct walk walk = {each, arg, index};

	for (size_t i = 0; i < sizeof(families); i++) {
		char buffer[NL_REQUEST_SIZE];
		struct nlmsghdr *request = nl_begin(buffer, RTM_GETROUTE, NLM_F_DUMP,
						    sizeof(struct rtmsg), families[i]);
		int err;

		mnl_attr_put_u32(request, RTA_OIF, index);
		err = nl_ask(nl, request, walk_route, &walk);
		/* -ENOENT: no table, or none that has such a route; -EOPNOTSUPP: no such family */
		if (err && err != -ENOENT && err != -EOPNOTSUPP)
			return err;
	}
	return 0;
}
