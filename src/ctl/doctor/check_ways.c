/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way this host sends what belongs into the tunnel. */
#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "ctl/doctor/inside.h"

#define LOOPBACK_TABLES 255

static const struct inside_family *family_of(const struct inside *inside, uint8_t family)
{
	for (size_t i = 0; inside && i < INSIDE_FAMILIES; i++)
		if (inside->families[i].family == family)
			return &inside->families[i];
	return NULL;
}

static bool is_one_of_ours(const struct doctor *d, uint32_t index)
{
	const struct link_info *link = actual_link_at(d->actual, index);

	return link && actual_is_ours(d->actual, link);
}

/* A packet of the LAN where there is one, else of this host, to the network. */
static int ask(struct doctor *d, const struct ip_prefix *to, struct route_way *way)
{
	const struct inside_family *f = family_of(inside_get(d), to->addr.family);
	struct route_question question = {.to = inside_first_host(to, &to->addr)};
	int err;

	if (f && f->has_lan) {
		question.from = f->lan_host;
		question.iif = f->lan_index;
		err = route_ask(d->nl, &question, way);
		/* Else the device does not forward, or the source may not come from there. */
		if (err != -EHOSTUNREACH && err != -EXDEV && err != -EINVAL)
			return err;
		question.from.family = IP_NONE;
		question.iif = 0;
	}
	question.oif = doctor_vrf(d);
	return route_ask(d->nl, &question, way);
}

static void found_elsewhere(struct doctor *d, const struct conf_route *route,
			    const struct route_way *way)
{
	const struct link_info *link = actual_link_at(d->actual, way->oif);
	char to[PREFIX_TEXT_SIZE], match[PREFIX_TEXT_SIZE];
	const char *device = link ? link->name : "another device";

	prefix_format(&route->to, to);
	prefix_format(&way->match, match);
	if (way->table != d->site->table && way->table != LOOPBACK_TABLES) {
		doctor_found(d, DOCTOR_BROKEN,
			     "packets to %s leave by %s: a rule of others (ip rule) sends them to "
			     "table %" PRIu32 ", where %s is not this tunnel's",
			     to, device, way->table, match);
		doctor_mend(d, "ip rule, and take out what looks up table %" PRIu32 " for them",
			    way->table);
		return;
	}
	doctor_found(d, DOCTOR_BROKEN,
		     "packets to %s leave by %s: the route to %s (protocol %u, metric %" PRIu32
		     ") is preferred to this tunnel's",
		     to, device, match, way->protocol, way->metric);
	if (way->protocol == RTPROT_KERNEL)
		doctor_mend(d, "give %s at one of the two ends other addresses", match);
	else
		doctor_mend(d, "if it is not meant to be: ip route del %s dev %s", match, device);
}

static void look_route(struct doctor *d, const struct conf_route *route)
{
	char to[PREFIX_TEXT_SIZE], match[PREFIX_TEXT_SIZE];
	struct route_way way;
	int err = ask(d, &route->to, &way);

	prefix_format(&route->to, to);
	if (err) {
		doctor_found(d, DOCTOR_BROKEN, "no route leads to %s (%s), though the file has one",
			     to, strerror(-err));
		doctor_mend(d, "gretel reload puts it back");
	} else if (way.oif == d->link->index) {
		doctor_saw(d, "%s leads into the tunnel", to);
	} else if (is_one_of_ours(d, way.oif)) {
		doctor_saw(d, "%s leads into another tunnel", to);
	} else if (way.protocol == RTPROT_KERNEL && way.match.len > route->to.len) {
		/* A network of this host lies in the one that the tunnel is for: as it should. */
		doctor_saw(d, "%s leads into the tunnel, but for %s", to,
			   prefix_format(&way.match, match));
	} else {
		found_elsewhere(d, route, &way);
	}
}

/* In that which the kernel asks first for packets of the tunnel's surroundings. */
static bool is_in_own_table(const struct doctor *d, const struct conf_route *route)
{
	return route->table == 0 || route->table == d->site->table;
}

/* Without carrier the kernel rightly takes another way, and a route in a table of its own is for
 * those whom a rule sends there. */
void check_tunnel_route(struct doctor *d)
{
	const struct conf_tunnel *t = d->tunnel;

	if (!inside_get(d) || !(d->link->flags & IFF_RUNNING))
		return;
	for (size_t i = 0; i < t->route_count; i++)
		if (t->routes[i].to.len && is_in_own_table(d, &t->routes[i]))
			look_route(d, &t->routes[i]);
}

/* Whether some tunnel of the file leads to it. */
static bool is_routed(const struct conf *conf, const struct ip_prefix *to)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		for (size_t k = 0; k < conf->tunnels[i].route_count; k++)
			if (prefix_overlaps(&conf->tunnels[i].routes[k].to, to))
				return true;
	return false;
}

static int is_local(void *arg, const struct address_info *address)
{
	const struct ip_prefix *prefix = arg;

	return prefix_contains(prefix, &address->local.addr) ? -EEXIST : 0;
}

static void look_side(struct doctor *d, const struct ip_prefix *to, const struct ip_prefix *from)
{
	char there[PREFIX_TEXT_SIZE], here[PREFIX_TEXT_SIZE], where[64];
	const struct link_info *link;
	struct route_way way;
	int err;

	/* Between two networks of which one is here, the other is to be reached. */
	if (to->len == 0 || is_routed(d->conf, to) ||
	    address_each(d->nl, is_local, (void *)(uintptr_t)to) != 0 ||
	    address_each(d->nl, is_local, (void *)(uintptr_t)from) == 0)
		return;
	err = ask(d, to, &way);
	link = err ? NULL : actual_link_at(d->actual, way.oif);
	if (link && (is_one_of_ours(d, way.oif) || !d->way || way.oif != d->way->way.oif))
		return;
	if (link)
		snprintf(where, sizeof where, "it leaves by %s, in clear", link->name);
	else
		snprintf(where, sizeof where, "%s", strerror(-err));
	doctor_found(d, DOCTOR_BROKEN,
		     "no route leads %s into a tunnel, though an allow line lets %s go there: %s",
		     prefix_format(to, there), prefix_format(from, here), where);
	doctor_mend(d, "route = %s in [tunnel %s]", there, d->tunnel->name);
}

void check_allow_route(struct doctor *d)
{
	const struct conf_forward *forward = &d->conf->forward;

	if (!inside_get(d) || d->conf->tunnel_count != 1)
		return;
	for (size_t i = 0; i < forward->allow_count; i++) {
		look_side(d, &forward->allows[i].to, &forward->allows[i].from);
		/* What only answers may be sent by the way that the file says for answers. */
		if (forward->allows[i].both)
			look_side(d, &forward->allows[i].from, &forward->allows[i].to);
	}
}

struct overlap {
	struct doctor *d;
	const struct ip_prefix *to;
};

static int take_overlap(void *arg, const struct address_info *address)
{
	struct overlap *overlap = arg;
	struct doctor *d = overlap->d;
	struct ip_prefix here = prefix_network(&address->local);
	const struct link_info *link = actual_link_at(d->actual, address->index);
	char there_text[PREFIX_TEXT_SIZE], here_text[PREFIX_TEXT_SIZE];
	unsigned bits = addr_size(here.addr.family) * 8;

	if (!link || is_one_of_ours(d, address->index) || link->flags & IFF_LOOPBACK ||
	    !doctor_in_same_vrf(d, link) || here.len >= bits || overlap->to->len < here.len ||
	    !prefix_contains(&here, &overlap->to->addr) || addr_is_link_local(&address->local.addr))
		return 0;
	doctor_found(
		d, DOCTOR_BROKEN,
		"both ends have the same network: %s is to be reached by the tunnel, and %s is "
		"on %s here",
		prefix_format(overlap->to, there_text), prefix_format(&here, here_text),
		link->name);
	doctor_mend(d, "give one end other addresses, or translate them there (snat and publish)");
	return -EEXIST;
}

void check_overlap(struct doctor *d)
{
	const struct conf_tunnel *t = d->tunnel;

	if (!inside_get(d))
		return;
	for (size_t i = 0; i < t->route_count; i++) {
		struct overlap overlap = {d, &t->routes[i].to};

		if (t->routes[i].to.len && is_in_own_table(d, &t->routes[i]) &&
		    address_each(d->nl, take_overlap, &overlap) != 0)
			return;
	}
}

/* Below this the cause is an attack or an error of a router: no link is narrower. */
#define LEARNT_MTU_MIN 1280

void check_path_cache(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		const struct ip_addr *targets[] = {&f->peer, &f->far, &f->other};

		for (size_t k = 0; k < sizeof targets / sizeof targets[0]; k++) {
			char to[ADDR_TEXT_SIZE];
			struct route_way way;

			if (targets[k]->family == IP_NONE ||
			    route_find(d->nl, targets[k], NULL, doctor_vrf(d), &way) != 0 ||
			    way.oif != d->link->index || way.mtu == 0 || way.mtu >= d->link->mtu)
				continue;
			addr_format(targets[k], to);
			doctor_found(d, way.mtu < LEARNT_MTU_MIN ? DOCTOR_DEGRADED : DOCTOR_HEALTHY,
				     "the kernel has learnt that packets to %s may have %" PRIu32
				     " octets only, and the tunnel carries %" PRIu32,
				     to, way.mtu, d->link->mtu);
			doctor_mend(d,
				    "ip route flush cache, and look who sends \"fragmentation "
				    "needed\" for %s",
				    to);
			break;
		}
	}
}
