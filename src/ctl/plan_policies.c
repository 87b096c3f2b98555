/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of policy routing, for tunnels with return-path: they come after the routes that they lead
 * to and go before them. */
#include <sys/socket.h>

#include "ctl/plan_make.h"
#include "ctl/return_path.h"

static bool same_rule(const struct rule_info *a, const struct rule_info *b)
{
	return a->family == b->family && a->priority == b->priority && a->mark == b->mark &&
	       a->mask == b->mask && a->table == b->table;
}

static void plan_policy(struct planner *planner, enum step_kind kind, const char *object,
			const struct rule_info *rule)
{
	struct step *step = plan_step(
		planner, kind, object, "%s rule fwmark 0x%08x/0x%08x lookup %u (IPv%c)%s%s",
		kind == STEP_POLICY_ADD ? "add" : "delete", rule->mark, rule->mask, rule->table,
		rule->family == IP_V6 ? '6' : '4', object[0] ? " for " : "", object);

	if (step)
		step->policy = *rule;
}

static bool is_there(const struct actual *actual, const struct rule_info *rule)
{
	for (size_t i = 0; i < actual->policy_count; i++)
		if (same_rule(&actual->policies[i], rule))
			return true;
	return false;
}

static bool is_wanted(const struct site *site, const struct rule_info *rule)
{
	for (size_t i = 0; i < site->tunnel_count; i++) {
		struct rule_info wanted = return_rule(site->return_numbers[i], rule->family);

		if (site->return_numbers[i] && same_rule(&wanted, rule) &&
		    site_returns(site, i, rule->family))
			return true;
	}
	return false;
}

void plan_policy_dels(struct planner *planner)
{
	for (size_t i = 0; i < planner->actual->policy_count; i++)
		if (!is_wanted(planner->site, &planner->actual->policies[i]))
			plan_policy(planner, STEP_POLICY_DEL, "", &planner->actual->policies[i]);
}

void plan_policy_adds(struct planner *planner)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		for (int j = 0; j < 2; j++) {
			struct rule_info rule =
				return_rule(planner->site->return_numbers[i], families[j]);

			if (site_returns(planner->site, i, families[j]) &&
			    !is_there(planner->actual, &rule))
				plan_policy(planner, STEP_POLICY_ADD,
					    planner->site->tunnels[i].params.name, &rule);
		}
	}
}
