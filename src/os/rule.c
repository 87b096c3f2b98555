/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/rule.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "os/address.h"

int rule_decode(const struct nlmsghdr *message, struct rule_info *out, uint8_t *protocol)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	struct nl_cursor cursor = nl_attributes(message, sizeof(*header));
	const struct nlattr *attribute;

	if (header->family != AF_INET && header->family != AF_INET6)
		return -EINVAL;
	*out = (struct rule_info){.family = header->family, .table = header->table};
	*protocol = 0;
	while ((attribute = nl_next(&cursor))) {
		switch (mnl_attr_get_type(attribute)) {
		case FRA_PRIORITY:
			out->priority = mnl_attr_get_u32(attribute);
			break;
		case FRA_FWMARK:
			out->mark = mnl_attr_get_u32(attribute);
			break;
		case FRA_FWMASK:
			out->mask = mnl_attr_get_u32(attribute);
			break;
		case FRA_TABLE:
			out->table = mnl_attr_get_u32(attribute);
			break;
		case FRA_PROTOCOL:
			*protocol = mnl_attr_get_u8(attribute);
			break;
		}
	}
	return 0;
}

struct walk {
	rule_each_fn each;
	void *arg;
};

static int walk_rule(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct rule_info rule;
	uint8_t protocol;

	if (answer->nlmsg_type != RTM_NEWRULE || rule_decode(answer, &rule, &protocol) ||
	    protocol != OS_PROTOCOL)
		return 0;
	return walk->each(walk->arg, &rule);
}

int rule_each(struct nl *nl, uint8_t family, rule_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request =
		nl_begin(buffer, RTM_GETRULE, NLM_F_DUMP, sizeof(struct fib_rule_hdr), family);
	struct walk walk = {each, arg};
	int err = nl_ask(nl, request, walk_rule, &walk);

	/* The kernel does not have the family, or no policy routing. */
	return err == -EAFNOSUPPORT || err == -EOPNOTSUPP ? 0 : err;
}

static int change(struct nl *nl, uint16_t type, uint16_t flags, const struct rule_info *rule)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request = nl_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags),
					    sizeof(struct fib_rule_hdr), rule->family);
	struct fib_rule_hdr *header = mnl_nlmsg_get_payload(request);

	header->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(request, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(request, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(request, FRA_FWMASK, rule->mask);
	mnl_attr_put_u32(request, FRA_TABLE, rule->table);
	mnl_attr_put_u8(request, FRA_PROTOCOL, OS_PROTOCOL);
	return nl_ask(nl, request, NULL, NULL);
}

int rule_add(struct nl *nl, const struct rule_info *rule)
{
	return change(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int rule_del(struct nl *nl, const struct rule_info *rule)
{
	return change(nl, RTM_DELRULE, 0, rule);
}

int rule_forget_ways6(struct nl *nl)
{
	/* Behind all others, and to the table that is asked last anyway. */
	const struct rule_info nothing = {.family = IP_V6,
					  .priority = 32767,
					  .mark = 1,
					  .mask = UINT32_MAX,
					  .table = RT_TABLE_DEFAULT};
	int err = rule_add(nl, &nothing);

	if (err == -EAFNOSUPPORT || err == -EOPNOTSUPP)
		return 0;
	return err && err != -EEXIST ? err : rule_del(nl, &nothing);
}
