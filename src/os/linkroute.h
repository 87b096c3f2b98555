/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linkroute.h: the routes that lead to a link, whoever made them, by rtnetlink. */
#ifndef OS_LINKROUTE_H
#define OS_LINKROUTE_H

#include "os/route.h"

#define LINK_ROUTE_HOPS 8

struct link_route {
	struct route_info route;
	bool shared; /* one next hop of several, or a next hop object */
	/* The links of all next hops in their order, of a route that lists them; 0: it does not, or
	 * has more than there is room for. */
	uint32_t hops[LINK_ROUTE_HOPS];
	unsigned hop_count;
	unsigned weight; /* of the hop on this link, 1 to 256 */
	bool metrics;	 /* it has an MTU, an MSS or the like of its own */
};

/* What a message of type RTM_NEWROUTE says, as far as it concerns the link with this index. 0,
 * -ENOENT when it does not, or -EINVAL. */
int link_route_decode(const struct nlmsghdr *message, uint32_t index, struct link_route *out);

typedef int (*link_route_each_fn)(void *arg, const struct link_route *route);
/* Both families, all tables but that of local addresses. */
int link_route_each(struct nl *nl, uint32_t index, link_route_each_fn each, void *arg);

#endif
