/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/apply_steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/rules.h"

/* Keeps the kernel's words about a request that failed. */
static int told(struct apply *apply, int err)
{
	if (err)
		memcpy(apply->text, apply->kernel->route.text, sizeof(apply->text));
	return err;
}

static struct nl *nl(struct apply *apply)
{
	return &apply->kernel->route;
}

/* ---- rules ---- */

static int load_rules(struct apply *apply, const char *text)
{
	char *error = NULL;
	int err = nft_run(apply->kernel->nft, text, &error);

	if (error)
		snprintf(apply->text, sizeof(apply->text), "%s", error);
	free(error);
	return err;
}

static int keep_rules(struct apply *apply)
{
	int err;

	if (apply->rules_before)
		return 0;
	err = nft_list_table(apply->kernel->nft, RULES_TABLE, &apply->rules_before);
	return err == -ENOENT ? 0 : err;
}

static int do_rules_set(struct apply *apply, const struct step *step)
{
	char *listing;
	int err = keep_rules(apply);

	if (!err)
		err = load_rules(apply, step->rules.text);
	if (err)
		return err;
	/* A listing that fails costs one needless loading at the next start. */
	apply->state->rules_known = nft_list_table(apply->kernel->nft, RULES_TABLE, &listing) == 0;
	if (apply->state->rules_known) {
		apply->state->rules_wanted = step->rules.hash;
		apply->state->rules_listed = rules_hash(listing);
		free(listing);
	}
	return 0;
}

static int do_rules_del(struct apply *apply, const struct step *step)
{
	int err = keep_rules(apply);

	(void)step;
	if (!err)
		err = load_rules(apply, "delete table " RULES_TABLE);
	if (!err)
		apply->state->rules_known = false;
	return err == -ENOENT ? 0 : err;
}

static int undo_rules(struct apply *apply, const struct step *step)
{
	char *text;
	int err;

	(void)step;
	if (asprintf(&text, "add table %s\ndelete table %s\n%s", RULES_TABLE, RULES_TABLE,
		     apply->rules_before ? apply->rules_before : "") < 0)
		return -ENOMEM;
	err = load_rules(apply, text);
	free(text);
	return err;
}

/* ---- forwarding ---- */

/* Writes those that differ, in order; goes on after a failure and returns the first. */
static int write_values(struct apply *apply, const struct sysctl_list *list)
{
	int first = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct sysctl_value *item = &list->items[i];
		char value[SYSCTL_VALUE_SIZE];
		int err = sysctl_read(item->path, value);

		if (!err && strcmp(value, item->value) != 0)
			err = sysctl_write(item->path, item->value);
		/* An interface that went away took its values with it. */
		if (err && err != -ENOENT && !first) {
			snprintf(apply->text, sizeof(apply->text), "%s", item->path);
			first = err;
		}
	}
	return first;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int turn_on(struct apply *apply, const struct sysctl_list *list)
{
	int err = 0;

	/* First, or the kernel drops its default route in between. */
	for (size_t i = 0; !err && i < list->count; i++)
		if (ends_with(list->items[i].path, "/accept_ra"))
			err = sysctl_write(list->items[i].path, "2");
	if (!err)
		err = sysctl_write(list->items[0].path, "1");
	if (err)
		snprintf(apply->text, sizeof(apply->text), "%s", list->items[0].path);
	return err;
}

static int do_forward_on(struct apply *apply, const struct step *step)
{
	int err = turn_on(apply, step->forward.values);

	if (err)
		write_values(apply, step->forward.values);
	return err;
}

static int do_forward_restore(struct apply *apply, const struct step *step)
{
	return write_values(apply, step->forward.values);
}

static int undo_forward_on(struct apply *apply, const struct step *step)
{
	return write_values(apply, step->forward.values);
}

static int undo_forward_restore(struct apply *apply, const struct step *step)
{
	return turn_on(apply, step->forward.values);
}

/* ---- tunnels ---- */

static int set_alias(struct apply *apply, const struct step *step, const char *alias)
{
	return told(apply, link_set_alias(nl(apply), step->object, alias));
}

/* The only address of a tunnel that can be in use is its UDP port. */
static int told_port(struct apply *apply, const struct dp_params *params, int err)
{
	if (err == -EADDRINUSE)
		snprintf(apply->text, sizeof(apply->text), "another program has UDP port %u",
			 params->udp_port);
	return err;
}

static int carry(struct apply *apply, const struct step *step, const struct dp_params *params)
{
	const struct lane_ops *lane = apply->lane;
	int err;

	if (!lane)
		return -ENOTSUP;
	err = lane->add(lane->arg, params);
	/* The lane still has what it carried over an interface that is no more. */
	if (err == -EEXIST) {
		lane->del(lane->arg, step->object, false);
		err = lane->add(lane->arg, params);
	}
	return told_port(apply, params, err);
}

/* A family that the interface does not have yet has no settings; when it comes, the next look sets
 * them. */
static int write_setting(struct apply *apply, const struct step *step, unsigned setting,
			 const char *value)
{
	char path[SYSCTL_NAME_SIZE];
	int err;

	snprintf(path, sizeof(path), "net/%s/conf/%.*s/%s",
		 setting == SETTING_LINKDOWN6 ? "ipv6" : "ipv4", IFNAMSIZ - 1, step->object,
		 setting == SETTING_RP_LOOSE ? "rp_filter" : "ignore_routes_with_linkdown");
	err = sysctl_write(path, value);
	if (err && err != -ENOENT)
		snprintf(apply->text, sizeof(apply->text), "%s", path);
	return err == -ENOENT ? 0 : err;
}

static int write_settings(struct apply *apply, const struct step *step, unsigned set)
{
	int err = 0;

	if (set & SETTING_LINKDOWN4)
		err = write_setting(apply, step, SETTING_LINKDOWN4, "1");
	if (!err && set & SETTING_LINKDOWN6)
		err = write_setting(apply, step, SETTING_LINKDOWN6, "1");
	if (!err && set & SETTING_RP_LOOSE)
		err = write_setting(apply, step, SETTING_RP_LOOSE, "2");
	return err;
}

static int undo_settings(struct apply *apply, const struct step *step)
{
	char old[4];
	int err = 0;

	snprintf(old, sizeof(old), "%u", step->settings.old_rp_filter);
	if (step->settings.set & SETTING_LINKDOWN4)
		err = write_setting(apply, step, SETTING_LINKDOWN4, "0");
	if (!err && step->settings.set & SETTING_LINKDOWN6)
		err = write_setting(apply, step, SETTING_LINKDOWN6, "0");
	if (!err && step->settings.set & SETTING_RP_LOOSE)
		err = write_setting(apply, step, SETTING_RP_LOOSE, old);
	return err;
}

static int do_settings(struct apply *apply, const struct step *step)
{
	int err = write_settings(apply, step, step->settings.set);

	if (err)
		undo_settings(apply, step);
	return err;
}

/* Costs memory only where the kernel cannot. */
static int queueless(struct apply *apply, const struct step *step)
{
	int err = told(apply, link_set_queueless(nl(apply), step->object));

	return err == -ENOENT || err == -EOPNOTSUPP ? 0 : err;
}

/* Nothing else that a tunnel is made of can be missing. */
static void explain_missing(struct apply *apply, int err)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		snprintf(apply->text, sizeof(apply->text),
			 "/dev/net/tun: load the module tun, or give the container this device");
}

static int do_create(struct apply *apply, const struct step *step)
{
	int err;

	if (apply->lane && step->tunnel.old_params)
		apply->lane->del(apply->lane->arg, step->object, false);
	err = carry(apply, step, step->tunnel.params);
	explain_missing(apply, err);
	if (err)
		return err;
	err = set_alias(apply, step, step->tunnel.alias);
	if (!err)
		err = queueless(apply, step);
	if (!err && form_is_erspan(step->tunnel.params->form))
		err = told(apply, link_set_silent(nl(apply), step->object));
	if (!err)
		err = write_settings(apply, step, step->tunnel.settings);
	if (err)
		apply->lane->del(apply->lane->arg, step->object, true);
	return err;
}

static int undo_create(struct apply *apply, const struct step *step)
{
	return apply->lane->del(apply->lane->arg, step->object, true);
}

static int do_adopt(struct apply *apply, const struct step *step)
{
	int err = carry(apply, step, step->tunnel.params);

	if (err || strcmp(step->tunnel.alias, step->tunnel.old_alias) == 0)
		return err;
	err = set_alias(apply, step, step->tunnel.alias);
	if (err)
		apply->lane->del(apply->lane->arg, step->object, false);
	return err;
}

static int undo_adopt(struct apply *apply, const struct step *step)
{
	int err = apply->lane->del(apply->lane->arg, step->object, false);

	return err ? err : set_alias(apply, step, step->tunnel.old_alias);
}

static int do_change(struct apply *apply, const struct step *step)
{
	const struct lane_ops *lane = apply->lane;
	int err = lane ? lane->change(lane->arg, step->tunnel.params) : -ENOTSUP;

	told_port(apply, step->tunnel.params, err);
	if (err || strcmp(step->tunnel.alias, step->tunnel.old_alias) == 0)
		return err;
	err = set_alias(apply, step, step->tunnel.alias);
	if (err)
		lane->change(lane->arg, step->tunnel.old_params);
	return err;
}

static int undo_change(struct apply *apply, const struct step *step)
{
	int err = apply->lane->change(apply->lane->arg, step->tunnel.old_params);

	return err ? err : set_alias(apply, step, step->tunnel.old_alias);
}

/* The lane lets go of each; the kernel deletes them together with the last. */
static int leave_together(struct apply *apply, const struct step *step)
{
	const struct lane_ops *lane = apply->lane;
	int err = lane ? lane->del(lane->arg, step->object, false) : 0;

	if (err == -ENOENT)
		err = 0;
	if (!err && step->tunnel.leave == LEAVE_LAST)
		err = told(apply, link_delete_group(nl(apply), LINK_GROUP));
	return err == -ENODEV ? 0 : err;
}

static int do_delete(struct apply *apply, const struct step *step)
{
	const struct lane_ops *lane = apply->lane;
	int err;

	if (step->tunnel.leave != LEAVE_ALONE)
		return leave_together(apply, step);
	err = lane ? lane->del(lane->arg, step->object, true) : -ENOENT;

	if (err == -ENOENT)
		err = told(apply, link_delete(nl(apply), step->object));
	return err == -ENODEV ? 0 : err;
}

static int undo_delete(struct apply *apply, const struct step *step)
{
	int err = step->tunnel.old_params ? carry(apply, step, step->tunnel.old_params) : -ENOTSUP;

	if (!err)
		err = set_alias(apply, step, step->tunnel.old_alias);
	if (!err)
		err = queueless(apply, step);
	if (!err)
		err = told(apply, link_set_mtu(nl(apply), step->object, step->tunnel.old_mtu));
	if (!err)
		err = write_settings(apply, step, step->tunnel.settings);
	if (!err && step->tunnel.old_up)
		err = told(apply, link_set_up(nl(apply), step->object, true));
	return err;
}

/* ---- peers of multipoint tunnels ---- */

static int do_peer_add(struct apply *apply, const struct step *step)
{
	return carry(apply, step, step->tunnel.params);
}

static int undo_peer_add(struct apply *apply, const struct step *step)
{
	return apply->lane->del(apply->lane->arg, step->object, false);
}

static int do_peer_change(struct apply *apply, const struct step *step)
{
	return apply->lane ? apply->lane->change(apply->lane->arg, step->tunnel.params) : -ENOTSUP;
}

static int undo_peer_change(struct apply *apply, const struct step *step)
{
	return apply->lane->change(apply->lane->arg, step->tunnel.old_params);
}

/* There are none without a lane. */
static int do_peer_del(struct apply *apply, const struct step *step)
{
	return apply->lane->del(apply->lane->arg, step->object, false);
}

static int undo_peer_del(struct apply *apply, const struct step *step)
{
	return carry(apply, step, step->tunnel.old_params);
}

/* ---- links, addresses ---- */

static int do_mtu(struct apply *apply, const struct step *step)
{
	return told(apply, link_set_mtu(nl(apply), step->object, step->mtu.mtu));
}

static int undo_mtu(struct apply *apply, const struct step *step)
{
	/* A tunnel that this run created goes away as a whole. */
	if (!step->mtu.old)
		return 0;
	return told(apply, link_set_mtu(nl(apply), step->object, step->mtu.old));
}

static int do_master(struct apply *apply, const struct step *step)
{
	return told(apply, link_set_master(nl(apply), step->object, step->master.index));
}

static int undo_master(struct apply *apply, const struct step *step)
{
	return told(apply, link_set_master(nl(apply), step->object, step->master.old));
}

static int do_up(struct apply *apply, const struct step *step)
{
	return told(apply, link_set_up(nl(apply), step->object, true));
}

static int undo_up(struct apply *apply, const struct step *step)
{
	return told(apply, link_set_up(nl(apply), step->object, false));
}

static int address(struct apply *apply, const struct step *step, bool add)
{
	struct address_info address = step->address;
	int err;

	address.index = link_index(step->object);
	err = told(apply,
		   add ? address_add(nl(apply), &address) : address_del(nl(apply), &address));
	if (err == (add ? -EEXIST : -EADDRNOTAVAIL))
		return 0;
	return !add && err == -ENODEV ? 0 : err;
}

static int add_address(struct apply *apply, const struct step *step)
{
	return address(apply, step, true);
}

static int del_address(struct apply *apply, const struct step *step)
{
	return address(apply, step, false);
}

typedef int (*step_fn)(struct apply *apply, const struct step *step);

static const struct {
	step_fn make, undo;
} table[STEP_KIND_COUNT] = {
	[STEP_RULES_SET] = {do_rules_set, undo_rules},
	[STEP_FORWARD_ON] = {do_forward_on, undo_forward_on},
	[STEP_POLICY_DEL] = {apply_policy_del, apply_policy_add},
	[STEP_POLICY_ADD] = {apply_policy_add, apply_policy_del},
	[STEP_ROUTE_DEL] = {apply_route_del, apply_route_add},
	[STEP_ADDRESS_DEL] = {del_address, add_address},
	[STEP_PEER_DEL] = {do_peer_del, undo_peer_del},
	[STEP_PEER_ADD] = {do_peer_add, undo_peer_add},
	[STEP_PEER_CHANGE] = {do_peer_change, undo_peer_change},
	[STEP_TUNNEL_DEL] = {do_delete, undo_delete},
	[STEP_TUNNEL_CREATE] = {do_create, undo_create},
	[STEP_TUNNEL_ADOPT] = {do_adopt, undo_adopt},
	[STEP_TUNNEL_CHANGE] = {do_change, undo_change},
	[STEP_MTU] = {do_mtu, undo_mtu},
	[STEP_MASTER] = {do_master, undo_master},
	[STEP_SETTINGS] = {do_settings, undo_settings},
	[STEP_UP] = {do_up, undo_up},
	[STEP_ADDRESS_ADD] = {add_address, del_address},
	[STEP_ROUTE_ADD] = {apply_route_add, apply_route_del},
	[STEP_ROUTE_CHANGE] = {apply_route_change, apply_route_change_back},
	[STEP_FORWARD_RESTORE] = {do_forward_restore, undo_forward_restore},
	[STEP_RULES_DEL] = {do_rules_del, undo_rules},
};

int apply_do(struct apply *apply, const struct step *step)
{
	apply->text[0] = '\0';
	return table[step->kind].make(apply, step);
}

int apply_undo(struct apply *apply, const struct step *step)
{
	apply->text[0] = '\0';
	return table[step->kind].undo(apply, step);
}
