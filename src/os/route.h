/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h: routes and route lookups, by rtnetlink. */
#ifndef OS_ROUTE_H
#define OS_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/address.h"
#include "os/netlink.h"

#define ROUTE_TABLE_MAIN  254
#define ROUTE_TABLE_LOCAL 255

/* One of several ways that the packets of a route are spread over. */
struct route_hop {
	uint32_t oif;
	uint32_t weight; /* 1..256 */
	/* Family IP_NONE when on link. IPv6 has no hops without one. */
	struct ip_addr gateway;
	bool dead; /* its device is down or gone */
};
/* More than that are neither read nor written. */
#define ROUTE_HOPS_MAX 32

struct route_info {
	struct ip_prefix to;
	uint32_t table;
	uint32_t metric;	/* as the kernel shows it: IPv6 has 1024 where none was given */
	uint32_t oif;		/* 0 for a route of several hops, or of none (RTN_UNREACHABLE) */
	struct ip_addr gateway; /* family IP_NONE when on link */
	struct ip_addr src;	/* preferred source; family IP_NONE when not given */
	uint32_t mtu;		/* octets; 0: that of the device */
	uint8_t protocol;	/* RTPROT_* */
	uint8_t type;		/* RTN_*; when adding, 0: RTN_UNICAST */
	bool selective;		/* only for some sources, or one class of service */
	bool dead;		/* its device is down */
	/* Two or more, or none. What was read keeps them until the callback returns. */
	const struct route_hop *hops;
	size_t hop_count;
};

/* Order by the place that a route takes: table, prefix and metric, of which the kernel has one
 * each, as far as it is ours. */
int route_compare(const struct route_info *a, const struct route_info *b);

/* What a message of type RTM_NEWROUTE or RTM_DELROUTE says, without the hops. 0, or -EINVAL when it
 * is no IP route. */
int route_decode(const struct nlmsghdr *message, struct route_info *out);

typedef int (*route_each_fn)(void *arg, const struct route_info *route);
/* Routes of one family and one protocol number, in all tables; filtered by the kernel, so that a
 * full Internet table beside ours costs nothing. Protocol 0: of all. */
int route_each(struct nl *nl, uint8_t family, uint8_t protocol, route_each_fn each, void *arg);
/* Adds a route with our protocol number. -EEXIST when the table has one with that prefix and
 * metric.
 */
int route_add(struct nl *nl, const struct route_info *route);
/* The same where somebody else's has that prefix and metric, and stays: IPv4 puts ours before it,
 * IPv6 behind it, and IPv6 makes one route of both where both have gateways. -EEXIST when there is
 * that very route. */
int route_add_beside(struct nl *nl, const struct route_info *route);
/* The same, in the place of one with that prefix and metric if there is one: at no time is there
 * none. */
int route_replace(struct nl *nl, const struct route_info *route);
/* Whatever its hops are. -ESRCH when there is none. */
int route_del(struct nl *nl, const struct route_info *route);

/* The way that packets to an address would take. */
struct route_way {
	struct ip_prefix match; /* the prefix of the route that was chosen */
	uint32_t table;
	uint32_t metric;
	uint32_t oif;
	uint8_t protocol;
	uint8_t type;		/* RTN_UNICAST, RTN_LOCAL, ... */
	struct ip_addr gateway; /* family IP_NONE when on link */
	struct ip_addr src;	/* the address that the kernel would send from */
	uint32_t mtu;		/* path MTU: of the route, or learnt; 0: that of the device */
	uint32_t route_mtu;	/* the route's own; 0: none */
};

/* A packet whose way is asked for; what is zero (family IP_NONE) is not told. With `iif` it is a
 * packet that comes in there, and the answer is that of forwarding and of the reverse path filter.
 */
struct route_question {
	struct ip_addr to, from;
	uint32_t oif, iif; /* indexes of links */
	uint32_t mark;	   /* firewall mark, host order */
};
/* The kernel's answer. -ENETUNREACH, -EHOSTUNREACH, ...: no route; with `iif` also: the device does
 * not forward (-EHOSTUNREACH), the source may not come in there (-EXDEV, -EINVAL). Without it IPv4
 * says -EINVAL or -ENETUNREACH when `from` is no address of this host. */
int route_ask(struct nl *nl, const struct route_question *question, struct route_way *out);

/* The kernel's answer for a packet to `to`, from `from` (NULL, or family IP_NONE: any) and out of
 * the link `oif` (0: any). -ENETUNREACH, -EHOSTUNREACH, ...: no route, or (IPv4) `from` is
 * no address of this host. */
int route_find(struct nl *nl, const struct ip_addr *to, const struct ip_addr *from, uint32_t oif,
	       struct route_way *out);

#endif
