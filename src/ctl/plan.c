/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/plan_make.h"
#include "ctl/rules.h"

const char *step_kind_name(enum step_kind kind)
{
	static const char *const names[STEP_KIND_COUNT] = {
		[STEP_RULES_SET] = "rules-set",
		[STEP_FORWARD_ON] = "forward-on",
		[STEP_POLICY_DEL] = "policy-del",
		[STEP_ROUTE_DEL] = "route-del",
		[STEP_ADDRESS_DEL] = "address-del",
		[STEP_PEER_DEL] = "peer-del",
		[STEP_TUNNEL_DEL] = "tunnel-del",
		[STEP_TUNNEL_CREATE] = "tunnel-create",
		[STEP_TUNNEL_ADOPT] = "tunnel-adopt",
		[STEP_TUNNEL_CHANGE] = "tunnel-change",
		[STEP_PEER_ADD] = "peer-add",
		[STEP_PEER_CHANGE] = "peer-change",
		[STEP_MTU] = "mtu",
		[STEP_MASTER] = "master",
		[STEP_SETTINGS] = "settings",
		[STEP_UP] = "up",
		[STEP_ADDRESS_ADD] = "address-add",
		[STEP_ROUTE_ADD] = "route-add",
		[STEP_ROUTE_CHANGE] = "route-change",
		[STEP_POLICY_ADD] = "policy-add",
		[STEP_FORWARD_RESTORE] = "forward-restore",
		[STEP_RULES_DEL] = "rules-del",
	};

	return names[kind];
}

static struct step *new_step(struct planner *planner)
{
	struct plan *plan = planner->plan;

	if (plan->step_count == plan->step_room) {
		size_t room = plan->step_room ? plan->step_room * 2 : 16;
		struct step *steps = reallocarray(plan->steps, room, sizeof(*steps));

		if (!steps)
			return NULL;
		plan->steps = steps;
		plan->step_room = room;
	}
	plan->steps[plan->step_count] = (struct step){0};
	return &plan->steps[plan->step_count];
}

struct step *plan_step(struct planner *planner, enum step_kind kind, const char *object,
		       const char *format, ...)
{
	struct step *step = planner->err ? NULL : new_step(planner);
	va_list args;

	if (step) {
		va_start(args, format);
		if (vasprintf(&step->text, format, args) < 0)
			step = NULL;
		va_end(args);
	}
	if (!step) {
		planner->err = -ENOMEM;
		return NULL;
	}
	step->kind = kind;
	snprintf(step->object, sizeof(step->object), "%s", object);
	planner->plan->step_count++;
	return step;
}

static void say(struct planner *planner, char ***list, size_t *count, struct conf_place at,
		const char *format, va_list args)
{
	char **grown = reallocarray(*list, *count + 1, sizeof(**list));
	char *text, *line;

	if (grown)
		*list = grown;
	if (!grown || vasprintf(&text, format, args) < 0) {
		planner->err = -ENOMEM;
		return;
	}
	if (asprintf(&line, "%s:%d: %s", at.file ? at.file : "", at.line, text) < 0)
		planner->err = -ENOMEM;
	else
		(*list)[(*count)++] = line;
	free(text);
}

void plan_refuse(struct planner *planner, struct conf_place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(planner, &planner->plan->refusals, &planner->plan->refusal_count, at, format, args);
	va_end(args);
}

void plan_set_aside(struct planner *planner, const struct conf_tunnel *tunnel, const char *format,
		    ...)
{
	struct plan *plan = planner->plan;
	struct plan_aside *asides =
		reallocarray(plan->asides, plan->aside_count + 1, sizeof(*asides));
	struct plan_aside *aside;
	va_list args;

	if (!asides) {
		planner->err = -ENOMEM;
		return;
	}
	plan->asides = asides;
	aside = &asides[plan->aside_count];
	aside->index = (size_t)(tunnel - planner->site->conf->tunnels);
	va_start(args, format);
	if (vasprintf(&aside->why, format, args) < 0)
		planner->err = -ENOMEM;
	else
		plan->aside_count++;
	va_end(args);
}

void plan_note(struct planner *planner, struct conf_place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(planner, &planner->plan->notes, &planner->plan->note_count, at, format, args);
	va_end(args);
}

const struct wanted *plan_wanted(const struct planner *planner, const struct link_info *link)
{
	return planner->of_links[link - planner->actual->links];
}

bool plan_is_doomed(const struct planner *planner, const struct link_info *link)
{
	const struct wanted *wanted = plan_wanted(planner, link);

	return !wanted || wanted->fate != FATE_KEEP;
}

/* Whether the interface was made for copies of frames: those are silent (link_set_silent()). */
static bool has_copies(const struct link_info *link)
{
	static const char begin[] = CONF_ALIAS_PREFIX "erspan ";

	return strncmp(link->alias, begin, strlen(begin)) == 0;
}

static void decide(const struct planner *planner, struct wanted *wanted)
{
	uint8_t form = wanted->tunnel->params.form;
	const char *name = wanted->tunnel->params.name;
	const struct link_info *link = actual_link(planner->actual, name);
	bool tap = form_is_ethernet(form) || wanted->tunnel->params.multipoint;
	enum link_tun tun = tap ? LINK_TAP : LINK_TUN;

	wanted->namesake = link;
	if (link)
		planner->of_links[link - planner->actual->links] = wanted;
	if (link && actual_is_ours(planner->actual, link))
		wanted->link = link;
	wanted->lane = actual_lane(planner->actual, name);
	if (wanted->lane)
		planner->of_lanes[wanted->lane - planner->actual->lane] = wanted;
	wanted->fate = wanted->link && wanted->link->tun == tun &&
				       has_copies(wanted->link) == form_is_erspan(form)
			       ? FATE_KEEP
			       : FATE_CREATE;
}

static int match_tunnels(struct planner *planner)
{
	size_t count = planner->site->tunnel_count;

	planner->wanted = calloc(count + 1, sizeof(*planner->wanted));
	planner->of_links = calloc(planner->actual->link_count + 1, sizeof(struct wanted *));
	planner->of_lanes = calloc(planner->actual->lane_count + 1, sizeof(struct wanted *));
	if (!planner->wanted || !planner->of_links || !planner->of_lanes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		planner->wanted[i].tunnel = &planner->site->tunnels[i];
		decide(planner, &planner->wanted[i]);
	}
	return 0;
}

static void plan_rules_set(struct planner *planner)
{
	const struct state *state = planner->actual->state;
	const char *text = planner->site->rules;
	char summary[128];
	struct step *step;
	uint64_t hash;

	if (!text)
		return;
	hash = rules_hash(text);
	if (planner->actual->rules_present && state && state->rules_known &&
	    state->rules_wanted == hash && state->rules_listed == planner->actual->rules_listed)
		return;
	rules_summary(planner->site->conf, summary, sizeof(summary));
	step = plan_step(planner, STEP_RULES_SET, "", "%s nftables table %s: %s",
			 planner->actual->rules_present ? "replace" : "load", RULES_TABLE, summary);
	if (step) {
		step->rules.text = text;
		step->rules.hash = hash;
	}
}

static void plan_rules_del(struct planner *planner)
{
	if (!planner->site->rules && planner->actual->rules_present)
		plan_step(planner, STEP_RULES_DEL, "", "delete nftables table %s", RULES_TABLE);
}

static const char *const switch_names[SWITCH_COUNT] = {
	"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.fib_multipath_hash_policy",
	"net.ipv6.fib_multipath_hash_policy", "net.netfilter.nf_conntrack_tcp_be_liberal"};

static void plan_forward_on(struct planner *planner)
{
	for (int i = 0; i < SWITCH_COUNT; i++) {
		struct step *step;

		if (!planner->site->switches[i] || strcmp(planner->actual->switches[i], "0") != 0)
			continue;
		step = plan_step(planner, STEP_FORWARD_ON, "",
				 i >= SWITCH_HASH4 ? "set %s = 1" : "turn on %s", switch_names[i]);
		if (step) {
			step->forward.which = (enum state_switch)i;
			step->forward.values = &planner->actual->around[i];
		}
	}
}

static void plan_forward_restore(struct planner *planner)
{
	const struct state *state = planner->actual->state;

	for (int i = 0; state && i < SWITCH_COUNT; i++) {
		struct step *step;

		if (planner->site->switches[i] || !state->saved[i].count)
			continue;
		step = plan_step(planner, STEP_FORWARD_RESTORE, "", "restore %s = %s",
				 switch_names[i], state->saved[i].items[0].value);
		if (step) {
			step->forward.which = (enum state_switch)i;
			step->forward.values = &state->saved[i];
		}
	}
}

static bool is_leaving(const struct planner *planner, const struct link_info *link)
{
	return actual_is_ours(planner->actual, link) && plan_is_doomed(planner, link);
}

/* Whether all that is in our group goes, and nothing of somebody else is in it. */
static bool group_leaves(const struct planner *planner)
{
	for (size_t i = 0; i < planner->actual->link_count; i++) {
		const struct link_info *link = &planner->actual->links[i];

		if (link->group == LINK_GROUP && !is_leaving(planner, link))
			return false;
	}
	return true;
}

static void plan_tunnel_dels(struct planner *planner)
{
	bool together = group_leaves(planner);
	size_t last = 0; /* index of its step + 1 */

	for (size_t i = 0; i < planner->actual->link_count; i++) {
		const struct link_info *link = &planner->actual->links[i];
		struct step *step;

		if (!is_leaving(planner, link))
			continue;
		step = plan_step(planner, STEP_TUNNEL_DEL, link->name, "delete %s", link->name);
		if (step)
			step->tunnel = (struct step_tunnel){
				.old_params = actual_lane(planner->actual, link->name),
				.old_alias = link->alias,
				.old_mtu = link->mtu,
				.old_up = link->flags & IFF_UP,
				.settings = plan_settings_now(planner, link),
			};
		if (step && together && link->group == LINK_GROUP) {
			step->tunnel.leave = LEAVE_WITH_LAST;
			last = planner->plan->step_count;
		}
	}
	if (last)
		planner->plan->steps[last - 1].tunnel.leave = LEAVE_LAST;
}

static void fill_tunnel(const struct planner *planner, struct step *step,
			const struct wanted *wanted)
{
	if (step)
		step->tunnel = (struct step_tunnel){
			.params = &wanted->tunnel->params,
			.alias = wanted->tunnel->alias,
			.old_params = wanted->lane,
			.old_alias = wanted->fate == FATE_KEEP ? wanted->link->alias : NULL,
			.settings = plan_settings_of_new(planner, wanted->tunnel),
		};
}

static void plan_change(struct planner *planner, const struct wanted *wanted)
{
	const struct dp_params *params = &wanted->tunnel->params;
	const char *words = wanted->tunnel->alias + strlen(ACTUAL_ALIAS_MARK);
	bool same_text = strcmp(wanted->link->alias, wanted->tunnel->alias) == 0;
	struct step *step = NULL;

	if (!same_text && (wanted->lane || !planner->actual->lane_asked))
		step = plan_step(planner, STEP_TUNNEL_CHANGE, params->name, "change %s to %s",
				 params->name, words);
	else if (!wanted->lane && planner->actual->lane_asked)
		step = plan_step(planner, STEP_TUNNEL_ADOPT, params->name, "take over %s: %s",
				 params->name, words);
	else if (wanted->lane && memcmp(wanted->lane, params, sizeof(*params)) != 0)
		step = plan_step(planner, STEP_TUNNEL_CHANGE, params->name,
				 "change %s to path MTU %u, MSS %u", params->name, params->path_mtu,
				 params->mss4);
	fill_tunnel(planner, step, wanted);
}

static void plan_tunnels(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		const struct wanted *wanted = &planner->wanted[i];
		const struct site_tunnel *tunnel = wanted->tunnel;

		if (tunnel->conf->hub)
			continue;
		if (wanted->fate == FATE_KEEP)
			plan_change(planner, wanted);
		else
			fill_tunnel(planner,
				    plan_step(planner, STEP_TUNNEL_CREATE, tunnel->params.name,
					      "create %s: %s", tunnel->params.name,
					      tunnel->alias + strlen(ACTUAL_ALIAS_MARK)),
				    wanted);
	}
}

static void plan_mtus(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		const struct wanted *wanted = &planner->wanted[i];
		const struct dp_params *params = &wanted->tunnel->params;
		uint32_t old = wanted->fate == FATE_KEEP ? wanted->link->mtu : 0;
		struct step *step;

		if (wanted->tunnel->conf->hub || old == params->mtu)
			continue;
		step = plan_step(planner, STEP_MTU, params->name, "set the MTU of %s to %u",
				 params->name, params->mtu);
		if (step) {
			step->mtu.mtu = params->mtu;
			step->mtu.old = old;
		}
	}
}

static void plan_ups(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		const struct wanted *wanted = &planner->wanted[i];
		const char *name = wanted->tunnel->params.name;

		if (wanted->tunnel->conf->hub)
			continue;
		if (wanted->fate != FATE_KEEP || !(wanted->link->flags & IFF_UP))
			plan_step(planner, STEP_UP, name, "bring up %s", name);
	}
}

/* Addresses come to interfaces that are up: what an IPv6 address brings along, the route to its
 * peer, the kernel adds a moment later, and not at all when the interface is down at that moment.
 */
int plan_make(const struct site *site, const struct actual *actual, struct plan *out)
{
	static void (*const phases[])(struct planner *) = {
		plan_check,	  plan_check_recursion, plan_rules_set,
		plan_forward_on,  plan_pin_sets,	plan_policy_dels,
		plan_route_dels,  plan_address_dels,	plan_peer_dels,
		plan_tunnel_dels, plan_tunnels,		plan_peers,
		plan_mtus,	  plan_masters,		plan_settings,
		plan_ups,	  plan_address_adds,	plan_route_adds,
		plan_policy_adds, plan_pin_dels,	plan_forward_restore,
		plan_rules_del,
	};
	struct planner planner = {.site = site, .actual = actual, .plan = out};

	*out = (struct plan){.site = site};
	planner.err = match_tunnels(&planner);
	for (size_t i = 0; !planner.err && i < sizeof(phases) / sizeof(phases[0]); i++)
		phases[i](&planner);
	free(planner.wanted);
	free(planner.of_links);
	free(planner.of_lanes);
	free(planner.pins);
	if (planner.err)
		plan_free(out);
	return planner.err;
}

static void free_lines(char **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		struct step *step = &plan->steps[i];

		if (step->kind == STEP_ROUTE_ADD || step->kind == STEP_ROUTE_DEL ||
		    step->kind == STEP_ROUTE_CHANGE) {
			free(step->route.now.hops);
			free(step->route.old.hops);
		}
		free(step->text);
	}
	free(plan->steps);
	free_lines(plan->refusals, plan->refusal_count);
	free_lines(plan->notes, plan->note_count);
	for (size_t i = 0; i < plan->aside_count; i++)
		free(plan->asides[i].why);
	free(plan->asides);
	*plan = (struct plan){0};
}
