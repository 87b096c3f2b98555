/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* A route as a message has it, with what only some readers want. */
struct raw {
	struct route_info route;
	uint32_t mtu;
};

static uint32_t read_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	cursor = nl_nested(metrics);
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == RTAX_MTU)
			return mnl_attr_get_u32(attribute);
	}
	return 0;
}

static int read_attribute(const struct nlattr *attribute, uint8_t family, struct raw *out)
{
	struct route_info *route = &out->route;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		return nl_get_addr(attribute, family, &route->to.addr);
	case RTA_GATEWAY:
		return nl_get_addr(attribute, family, &route->gateway);
	case RTA_VIA: { /* an IPv4 route by an IPv6 gateway */
		const struct rtvia *via = mnl_attr_get_payload(attribute);

		route->gateway.family = (uint8_t)via->rtvia_family;
		if (mnl_attr_get_payload_len(attribute) < sizeof(*via) + addr_size(IP_V6))
			return -EINVAL;
		memcpy(route->gateway.bytes, via->rtvia_addr, addr_size(IP_V6));
		return 0;
	}
	case RTA_PREFSRC:
		return nl_get_addr(attribute, family, &route->src);
	case RTA_OIF:
		route->oif = mnl_attr_get_u32(attribute);
		return 0;
	case RTA_PRIORITY:
		route->metric = mnl_attr_get_u32(attribute);
		return 0;
	case RTA_TABLE:
		route->table = mnl_attr_get_u32(attribute);
		return 0;
	case RTA_METRICS:
		out->mtu = read_mtu(attribute);
		return 0;
	}
	return 0;
}

static int read_route(const struct nlmsghdr *answer, struct raw *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(answer);
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	*out = (struct raw){.route = {.to = {.addr = {.family = header->rtm_family},
					     .len = header->rtm_dst_len},
				      .table = header->rtm_table,
				      .protocol = header->rtm_protocol,
				      .type = header->rtm_type}};
	cursor = nl_attributes(answer, sizeof(*header));
	while ((attribute = nl_next(&cursor))) {
		int err = read_attribute(attribute, header->rtm_family, out);

		if (err)
			return err;
	}
	return 0;
}

int route_decode(const struct nlmsghdr *message, struct route_info *out)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct raw raw;
	int err;

	if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6)
		return -EINVAL;
	err = read_route(message, &raw);
	if (!err)
		*out = raw.route;
	return err;
}

struct walk {
	route_each_fn each;
	void *arg;
	uint8_t protocol;
};

static int walk_route(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	const struct rtmsg *header = mnl_nlmsg_get_payload(answer);
	struct raw raw;
	int err;

	/* A kernel without strict checking (before 4.20) does not filter, and lists the cache. */
	if (answer->nlmsg_type != RTM_NEWROUTE || header->rtm_protocol != walk->protocol ||
	    header->rtm_flags & RTM_F_CLONED)
		return 0;
	err = read_route(answer, &raw);
	return err ? err : walk->each(walk->arg, &raw.route);
}

int route_each(struct nl *nl, uint8_t family, uint8_t protocol, route_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg), family);
	struct rtmsg *header = mnl_nlmsg_get_payload(request);
	struct walk walk = {each, arg, protocol};
	int err;

	header->rtm_protocol = protocol;
	err = nl_ask(nl, request, walk_route, &walk);
	/* -ENOENT: there is no table yet; -EOPNOTSUPP: the kernel does not have the family. */
	return err == -ENOENT || err == -EOPNOTSUPP ? 0 : err;
}

static struct nlmsghdr *begin_change(char buffer[NL_REQUEST_SIZE], uint16_t type, uint16_t flags,
				     const struct route_info *route)
{
	struct nlmsghdr *request = nl_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags),
					    sizeof(struct rtmsg), route->to.addr.family);
	struct rtmsg *header = mnl_nlmsg_get_payload(request);

	*header = (struct rtmsg){
		.rtm_family = route->to.addr.family,
		.rtm_dst_len = route->to.len,
		.rtm_protocol = OS_PROTOCOL,
		.rtm_type = RTN_UNICAST,
		.rtm_scope = route->gateway.family == IP_NONE && route->to.addr.family == IP_V4
				     ? RT_SCOPE_LINK
				     : RT_SCOPE_UNIVERSE,
	};
	nl_put_addr(request, RTA_DST, &route->to.addr);
	mnl_attr_put_u32(request, RTA_TABLE, route->table);
	mnl_attr_put_u32(request, RTA_OIF, route->oif);
	if (route->gateway.family != IP_NONE)
		nl_put_addr(request, RTA_GATEWAY, &route->gateway);
	if (route->metric)
		mnl_attr_put_u32(request, RTA_PRIORITY, route->metric);
	if (route->src.family != IP_NONE)
		nl_put_addr(request, RTA_PREFSRC, &route->src);
	return request;
}

int route_add(struct nl *nl, const struct route_info *route)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		begin_change(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);

	return nl_ask(nl, request, NULL, NULL);
}

int route_replace(struct nl *nl, const struct route_info *route)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		begin_change(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);

	return nl_ask(nl, request, NULL, NULL);
}

int route_del(struct nl *nl, const struct route_info *route)
{
	char buffer[NL_REQUEST_SIZE];

	return nl_ask(nl, begin_change(buffer, RTM_DELROUTE, 0, route), NULL, NULL);
}

static int keep(void *arg, const struct nlmsghdr *answer)
{
	return answer->nlmsg_type == RTM_NEWROUTE ? read_route(answer, arg) : 0;
}

static int ask_way(struct nl *nl, const struct route_question *question, uint32_t flags,
		   struct raw *out)
{
	char buffer[NL_REQUEST_SIZE];
	const struct ip_addr *to = &question->to, *from = &question->from;
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETROUTE, NLM_F_ACK, sizeof(struct rtmsg), to->family);
	struct rtmsg *header = mnl_nlmsg_get_payload(request);

	header->rtm_dst_len = (uint8_t)(addr_size(to->family) * 8);
	header->rtm_flags = flags;
	nl_put_addr(request, RTA_DST, to);
	if (from->family != IP_NONE) {
		header->rtm_src_len = header->rtm_dst_len;
		nl_put_addr(request, RTA_SRC, from);
	}
	if (question->oif)
		mnl_attr_put_u32(request, RTA_OIF, question->oif);
	if (question->iif)
		mnl_attr_put_u32(request, RTA_IIF, question->iif);
	if (question->mark)
		mnl_attr_put_u32(request, RTA_MARK, question->mark);
	return nl_ask(nl, request, keep, out);
}

/* Two questions: the route that matched is told without what was learnt about the path, and the
 * path without the prefix that matched. */
int route_ask(struct nl *nl, const struct route_question *question, struct route_way *out)
{
	struct raw path, match;
	/* IPv6 tells the table of its own accord and refuses the flag. */
	uint32_t table = question->to.family == IP_V4 ? RTM_F_LOOKUP_TABLE : 0;
	int err = ask_way(nl, question, table, &path);

	if (err)
		return err;
	err = ask_way(nl, question, table | RTM_F_FIB_MATCH, &match);
	if (err)
		return err;
	*out = (struct route_way){
		.match = match.route.to,
		.table = match.route.table,
		.metric = match.route.metric,
		.oif = path.route.oif,
		.protocol = match.route.protocol,
		.type = path.route.type,
		.gateway = path.route.gateway,
		.src = question->from.family != IP_NONE ? question->from : path.route.src,
		.mtu = path.mtu,
	};
	return 0;
}

int route_find(struct nl *nl, const struct ip_addr *to, const struct ip_addr *from, uint32_t oif,
	       struct route_way *out)
{
	struct route_question question = {.to = *to, .oif = oif};

	if (from)
		question.from = *from;
	return route_ask(nl, &question, out);
}
