/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be refused by looking at two items that do not go together. The later one is told. */
#include <string.h>

#include "ctl/conf_parse.h"

static bool same_key(const struct conf_key *a, const struct conf_key *b)
{
	return a->present == b->present && (!a->present || a->value == b->value);
}

/* A packet from the peer could belong to both. */
static bool same_packets(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	return a->local.family != IP_NONE && a->remote.family != IP_NONE &&
	       addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote) &&
	       same_key(&a->ikey, &b->ikey) && strcmp(a->bind, b->bind) == 0;
}

static void check_tunnels(const struct conf_tunnel *a, const struct conf_tunnel *b,
			  struct conf_faults *faults)
{
	if (a->name[0] && strcmp(a->name, b->name) == 0)
		conf_fault(faults, b->at,
			   "tunnel %s is already at %s:%d: choose another name, or delete one",
			   b->name, a->at.file, a->at.line);
	if (same_packets(a, b))
		conf_fault(faults, b->at,
			   "received packets cannot be told from those of tunnel %s at %s:%d: "
			   "give each its own key",
			   a->name, a->at.file, a->at.line);
	if (a->bridge[0] && strcmp(a->bridge, b->name) == 0)
		conf_fault(faults, (struct conf_place){a->at.file, a->lines[TUNNEL_BRIDGE]},
			   "bridge %s is a tunnel, at %s:%d: write the name of a bridge", a->bridge,
			   b->at.file, b->at.line);
	if (b->bridge[0] && strcmp(b->bridge, a->name) == 0)
		conf_fault(faults, (struct conf_place){b->at.file, b->lines[TUNNEL_BRIDGE]},
			   "bridge %s is a tunnel, at %s:%d: write the name of a bridge", b->bridge,
			   a->at.file, a->at.line);
}

/* One host address may stand on many tunnels, with another peer or none. */
static bool same_address(const struct conf_address *a, const struct conf_address *b, bool one)
{
	bool host = a->local.len == addr_size(a->local.addr.family) * 8;

	if (!prefix_equal(&a->local, &b->local))
		return false;
	if (a->peer.family == IP_NONE && b->peer.family == IP_NONE)
		return one || !host;
	return addr_equal(&a->peer, &b->peer);
}

static void check_addresses(const struct conf_tunnel *a, const struct conf_tunnel *b,
			    struct conf_faults *faults)
{
	for (size_t j = 0; j < b->address_count; j++) {
		for (size_t i = 0; i < (a == b ? j : a->address_count); i++) {
			const struct conf_address *first = &a->addresses[i];

			if (!same_address(first, &b->addresses[j], a == b))
				continue;
			conf_fault(faults, b->addresses[j].at,
				   "the address is already at %s:%d: write it once", first->at.file,
				   first->at.line);
			break;
		}
	}
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
	return prefix_equal(&a->to, &b->to) && a->table == b->table && a->metric == b->metric;
}

static void check_routes(const struct conf_tunnel *a, const struct conf_tunnel *b,
			 struct conf_faults *faults)
{
	for (size_t j = 0; j < b->route_count; j++) {
		for (size_t i = 0; i < (a == b ? j : a->route_count); i++) {
			const struct conf_route *first = &a->routes[i];

			if (!same_route(first, &b->routes[j]))
				continue;
			conf_fault(faults, b->routes[j].at,
				   "the route is already at %s:%d: write it once, or give it "
				   "another metric",
				   first->at.file, first->at.line);
			break;
		}
	}
}

static void twice(struct conf_faults *faults, const char *key, struct conf_place at,
		  struct conf_place first)
{
	conf_fault(faults, at, "the %s is already at %s:%d: write it once", key, first.file,
		   first.line);
}

static void check_allows(const struct conf_forward *f, struct conf_faults *faults)
{
	for (size_t j = 1; j < f->allow_count; j++) {
		for (size_t i = 0; i < j; i++) {
			const struct conf_allow *a = &f->allows[i], *b = &f->allows[j];

			if (!prefix_equal(&a->from, &b->from) || !prefix_equal(&a->to, &b->to) ||
			    a->both != b->both)
				continue;
			twice(faults, "allow", b->at, a->at);
			break;
		}
	}
}

/* The first of two rules for the same packets would win and the second never be met. */
static void check_snats(const struct conf_forward *f, struct conf_faults *faults)
{
	for (size_t j = 1; j < f->snat_count; j++) {
		for (size_t i = 0; i < j; i++) {
			const struct conf_snat *a = &f->snats[i], *b = &f->snats[j];

			if (!prefix_equal(&a->from, &b->from) || strcmp(a->out, b->out) != 0)
				continue;
			conf_fault(faults, b->at,
				   "packets of this source out %s have their address from %s:%d: "
				   "delete one",
				   b->out, a->at.file, a->at.line);
			break;
		}
	}
}

static void check_publishes(const struct conf_forward *f, struct conf_faults *faults)
{
	for (size_t j = 1; j < f->publish_count; j++) {
		for (size_t i = 0; i < j; i++) {
			const struct conf_publish *a = &f->publishes[i], *b = &f->publishes[j];

			if (a->protocol != b->protocol || a->to.family != b->to.family ||
			    strcmp(a->in, b->in) != 0 || a->port > b->port_end ||
			    b->port > a->port_end)
				continue;
			conf_fault(faults, b->at,
				   "%s port %u in %s is already led elsewhere at %s:%d: choose "
				   "another port, or delete one",
				   b->protocol == 6 ? "tcp" : "udp",
				   a->port > b->port ? a->port : b->port, b->in, a->at.file,
				   a->at.line);
			break;
		}
	}
}

void conf_check_clashes(const struct conf *conf, struct conf_faults *faults)
{
	for (size_t j = 0; j < conf->tunnel_count; j++) {
		const struct conf_tunnel *b = &conf->tunnels[j];

		for (size_t i = 0; i <= j; i++) {
			const struct conf_tunnel *a = &conf->tunnels[i];

			if (i != j)
				check_tunnels(a, b, faults);
			check_addresses(a, b, faults);
			check_routes(a, b, faults);
		}
	}
	check_allows(&conf->forward, faults);
	check_snats(&conf->forward, faults);
	check_publishes(&conf->forward, faults);
}
