/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

int route_compare(const struct route_info *a, const struct route_info *b)
{
	int order;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	order = memcmp(&a->to.addr, &b->to.addr, sizeof(a->to.addr));
	if (order || a->to.len != b->to.len)
		return order ? order : a->to.len - b->to.len;
	return a->metric < b->metric ? -1 : a->metric > b->metric;
}

/* A route as a message has it, with what only some readers want. */
struct raw {
	struct route_info route;
	struct route_hop hops[ROUTE_HOPS_MAX];
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

static int read_via(const struct nlattr *attribute, struct ip_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) < sizeof(*via) + addr_size(IP_V6))
		return -EINVAL;
	out->family = (uint8_t)via->rtvia_family;
	memcpy(out->bytes, via->rtvia_addr, addr_size(IP_V6));
	return 0;
}

static int read_hop(const struct rtnexthop *hop, uint8_t family, struct route_hop *out)
{
	struct nl_cursor cursor = {(const struct nlattr *)(hop + 1), hop->rtnh_len - sizeof(*hop)};
	const struct nlattr *attribute;
	int err = 0;

	*out = (struct route_hop){.oif = (uint32_t)hop->rtnh_ifindex,
				  .weight = hop->rtnh_hops + 1u,
				  .dead = hop->rtnh_flags & RTNH_F_DEAD};
	while (!err && (attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			err = nl_get_addr(attribute, family, &out->gateway);
		else if (mnl_attr_get_type(attribute) == RTA_VIA)
			err = read_via(attribute, &out->gateway);
	}
	return err;
}

static int read_hops(const struct nlattr *attribute, uint8_t family, struct raw *out)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute), length;
	int err = 0;

	while (!err && left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) &&
	       hop->rtnh_len <= left && out->route.hop_count < ROUTE_HOPS_MAX) {
		err = read_hop(hop, family, &out->hops[out->route.hop_count++]);
		length = RTNH_ALIGN(hop->rtnh_len);
		left -= length < left ? length : left;
		hop = (const struct rtnexthop *)((const char *)hop + length);
	}
	out->route.hops = out->hops;
	return err;
}

static int read_attribute(const struct nlattr *attribute, uint8_t family, struct raw *out)
{
	struct route_info *route = &out->route;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		return nl_get_addr(attribute, family, &route->to.addr);
	case RTA_GATEWAY:
		return nl_get_addr(attribute, family, &route->gateway);
	case RTA_VIA: /* an IPv4 route by an IPv6 gateway */
		return read_via(attribute, &route->gateway);
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
		route->mtu = read_mtu(attribute);
		return 0;
	case RTA_MULTIPATH:
		return read_hops(attribute, family, out);
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
				      .type = header->rtm_type,
				      .selective = header->rtm_src_len || header->rtm_tos,
				      .dead = header->rtm_flags & RTNH_F_DEAD}};
	cursor = nl_attributes(answer, sizeof(*header));
	while ((attribute = nl_next(&cursor))) {
		int err = read_attribute(attribute, header->rtm_family, out);

		if (err)
			return err;
	}
	/* IPv6 shows a route that leads nowhere as one over lo. */
	if (header->rtm_type == RTN_UNREACHABLE)
		out->route.oif = 0;
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
	if (err)
		return err;
	*out = raw.route;
	out->hops = NULL;
	out->hop_count = 0;
	return 0;
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
	if (answer->nlmsg_type != RTM_NEWROUTE || header->rtm_flags & RTM_F_CLONED ||
	    (walk->protocol && header->rtm_protocol != walk->protocol))
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

static uint8_t scope_of(const struct route_info *route)
{
	bool on_link = route->type != RTN_UNREACHABLE && route->gateway.family == IP_NONE;

	return route->to.addr.family == IP_V4 && on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static void put_gateway(struct nlmsghdr *request, const struct route_info *route,
			const struct ip_addr *gateway)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = {gateway->family, {0}};

	if (gateway->family == IP_NONE)
		return;
	if (gateway->family == route->to.addr.family) {
		nl_put_addr(request, RTA_GATEWAY, gateway);
		return;
	}
	memcpy(via.addr, gateway->bytes, sizeof(via.addr));
	mnl_attr_put(request, RTA_VIA, sizeof(via), &via);
}

static void put_hops(struct nlmsghdr *request, const struct route_info *route)
{
	struct nlattr *list = mnl_attr_nest_start(request, RTA_MULTIPATH);

	for (size_t i = 0; i < route->hop_count && i < ROUTE_HOPS_MAX; i++) {
		const struct route_hop *hop = &route->hops[i];
		struct rtnexthop *out = mnl_nlmsg_get_payload_tail(request);

		*out = (struct rtnexthop){.rtnh_ifindex = (int)hop->oif,
					  .rtnh_hops = (uint8_t)(hop->weight - 1)};
		request->nlmsg_len += sizeof(*out);
		put_gateway(request, route, &hop->gateway);
		out->rtnh_len =
			(uint16_t)((char *)mnl_nlmsg_get_payload_tail(request) - (char *)out);
	}
	mnl_attr_nest_end(request, list);
}

static void put_mtu(struct nlmsghdr *request, uint32_t mtu)
{
	struct nlattr *metrics = mnl_attr_nest_start(request, RTA_METRICS);

	mnl_attr_put_u32(request, RTAX_MTU, mtu);
	mnl_attr_nest_end(request, metrics);
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
		.rtm_type = route->type ? route->type : RTN_UNICAST,
		.rtm_scope = scope_of(route),
	};
	nl_put_addr(request, RTA_DST, &route->to.addr);
	mnl_attr_put_u32(request, RTA_TABLE, route->table);
	if (route->oif)
		mnl_attr_put_u32(request, RTA_OIF, route->oif);
	put_gateway(request, route, &route->gateway);
	if (route->metric)
		mnl_attr_put_u32(request, RTA_PRIORITY, route->metric);
	if (route->src.family != IP_NONE)
		nl_put_addr(request, RTA_PREFSRC, &route->src);
	return request;
}

static int put_route(struct nl *nl, const struct route_info *route, uint16_t flags)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		begin_change(buffer, RTM_NEWROUTE, (uint16_t)(NLM_F_CREATE | flags), route);

	if (route->hop_count)
		put_hops(request, route);
	if (route->mtu)
		put_mtu(request, route->mtu);
	return nl_ask(nl, request, NULL, NULL);
}

int route_add(struct nl *nl, const struct route_info *route)
{
	return put_route(nl, route, NLM_F_EXCL);
}

int route_add_beside(struct nl *nl, const struct route_info *route)
{
	return put_route(nl, route, 0);
}

int route_replace(struct nl *nl, const struct route_info *route)
{
	return put_route(nl, route, NLM_F_REPLACE);
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
		.mtu = path.route.mtu,
		.route_mtu = match.route.mtu,
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
