/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule.h: rules of policy routing ("fwmark 0x1000000/0xff000000 lookup 7101"), by rtnetlink. */
#ifndef OS_RULE_H
#define OS_RULE_H

#include <stdint.h>

#include "os/netlink.h"

/* A rule that sends marked packets to a routing table. */
struct rule_info {
	uint8_t family; /* IP_V4, IP_V6 */
	uint32_t priority;
	uint32_t mark, mask;
	uint32_t table;
};

/* What a message of type RTM_NEWRULE or RTM_DELRULE says: its family and its protocol number.
 * -EINVAL when it is no rule for IP. */
int rule_decode(const struct nlmsghdr *message, struct rule_info *out, uint8_t *protocol);

typedef int (*rule_each_fn)(void *arg, const struct rule_info *rule);
/* Rules of one family with our protocol number, whatever they match besides a mark. */
int rule_each(struct nl *nl, uint8_t family, rule_each_fn each, void *arg);
/* Adds a rule with our protocol number. -EEXIST when there is that very one. */
int rule_add(struct nl *nl, const struct rule_info *rule);
/* -ENOENT when there is none. */
int rule_del(struct nl *nl, const struct rule_info *rule);

/*
 * Makes every IPv6 socket of the host look for its way anew. When an interface loses its carrier
 * the kernel does that for IPv4 only: a connected IPv6 socket keeps sending into it. A change of
 * the rules has that effect, so a rule that matches nothing is added and taken away.
 */
int rule_forget_ways6(struct nl *nl);

#endif
