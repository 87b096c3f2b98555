/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of the tunnels: what is missing, and what is ours and not wanted. */
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>

#include "ctl/plan_make.h"

static const char *address_text(const struct ip_prefix *local, const struct ip_addr *peer,
				char buf[2 * PREFIX_TEXT_SIZE + 8])
{
	char first[PREFIX_TEXT_SIZE], second[ADDR_TEXT_SIZE];

	if (peer->family != IP_NONE)
		sprintf(buf, "%s peer %s", addr_format(&local->addr, first),
			addr_format(peer, second));
	else
		sprintf(buf, "%s", prefix_format(local, first));
	return buf;
}

static bool address_matches(const struct conf_address *conf, const struct address_info *address)
{
	return prefix_equal(&conf->local, &address->local) &&
	       addr_equal(&conf->peer, &address->peer);
}

static bool is_address_wanted(const struct conf_tunnel *tunnel, const struct address_info *address)
{
	for (size_t i = 0; i < tunnel->address_count; i++)
		if (address_matches(&tunnel->addresses[i], address))
			return true;
	return false;
}

/* Whether an address on a link of ours is to go. */
static bool is_leaving(const struct planner *planner, const struct link_info *link,
		       const struct address_info *address)
{
	return address->protocol == OS_PROTOCOL &&
	       (plan_is_doomed(planner, link) ||
		!is_address_wanted(plan_wanted(planner, link)->tunnel->conf, address));
}

/* With the first address of a network the kernel takes the others of it away. */
static bool goes_along(const struct planner *planner, const struct link_info *link,
		       const struct address_info *address)
{
	size_t count;
	const struct address_info *addresses =
		actual_addresses(planner->actual, link->index, &count);

	if (address->local.addr.family != IP_V4 || !(address->flags & IFA_F_SECONDARY))
		return false;
	for (size_t i = 0; i < count; i++)
		if (addresses[i].local.len == address->local.len &&
		    prefix_contains(&addresses[i].local, &address->local.addr) &&
		    is_leaving(planner, link, &addresses[i]))
			return true;
	return false;
}

bool plan_loses_ipv4(const struct planner *planner, const struct link_info *link)
{
	size_t count;
	const struct address_info *addresses =
		actual_addresses(planner->actual, link->index, &count);
	bool lost = false;

	for (size_t i = 0; i < count; i++) {
		if (addresses[i].local.addr.family != IP_V4)
			continue;
		if (!is_leaving(planner, link, &addresses[i]) &&
		    !goes_along(planner, link, &addresses[i]))
			return false;
		lost = true;
	}
	return lost;
}

void plan_address_dels(struct planner *planner)
{
	const struct actual *actual = planner->actual;

	for (size_t i = 0; i < actual->address_count; i++) {
		const struct address_info *address = &actual->addresses[i];
		const struct link_info *link = actual_link_at(actual, address->index);
		char text[2 * PREFIX_TEXT_SIZE + 8];
		struct step *step;

		if (!link || !is_leaving(planner, link, address))
			continue;
		step = plan_step(planner, STEP_ADDRESS_DEL, link->name, "delete address %s from %s",
				 address_text(&address->local, &address->peer, text), link->name);
		if (step)
			step->address = *address;
	}
}

static bool has_address(const struct planner *planner, const struct link_info *link,
			const struct conf_address *conf)
{
	size_t count;
	const struct address_info *addresses =
		actual_addresses(planner->actual, link->index, &count);

	for (size_t i = 0; i < count; i++)
		if (address_matches(conf, &addresses[i]))
			return !goes_along(planner, link, &addresses[i]);
	return false;
}

void plan_address_adds(struct planner *planner)
{
	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		const struct wanted *wanted = &planner->wanted[i];
		const struct conf_tunnel *conf = wanted->tunnel->conf;
		bool restarts = plan_restarts(planner, wanted);

		for (size_t j = 0; j < conf->address_count; j++) {
			const struct conf_address *address = &conf->addresses[j];
			char text[2 * PREFIX_TEXT_SIZE + 8];
			struct step *step;

			if (wanted->fate == FATE_KEEP &&
			    !(restarts && address->local.addr.family == IP_V6) &&
			    has_address(planner, wanted->link, address))
				continue;
			step = plan_step(
				planner, STEP_ADDRESS_ADD, conf->name, "add address %s to %s",
				address_text(&address->local, &address->peer, text), conf->name);
			if (step)
				step->address = (struct address_info){.local = address->local,
								      .peer = address->peer};
		}
	}
}
