/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vrf =`: the domain of routing that a tunnel's interface is in. */
#include <string.h>

#include "ctl/conf_parse.h"

#define RT_TABLE_MAIN_ID 254

void conf_key_vrf(struct conf_reader *reader, char *value)
{
	conf_parse_device(reader, value, reader->tunnel->vrf);
}

void conf_vrf_tables(struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		struct conf_tunnel *t = &conf->tunnels[i];

		for (size_t k = 0; !t->vrf[0] && k < t->route_count; k++)
			if (!t->routes[k].table)
				t->routes[k].table = RT_TABLE_MAIN_ID;
	}
}

/* A route of the one has to be one of the other, which no route of two domains is. */
static void check_partner(const struct conf_tunnel *t, enum conf_tunnel_key key,
			  const struct conf_tunnel *other, struct conf_faults *faults)
{
	if (strcmp(t->vrf, other->vrf) == 0)
		return;
	conf_fault(faults, conf_key_place(t, key),
		   "%s is in %s%s and %s in %s%s, which share no routes: write the same vrf in "
		   "both, or leave out %s",
		   t->name, t->vrf[0] ? "the VRF " : "no VRF", t->vrf, other->name,
		   other->vrf[0] ? "the VRF " : "no VRF", other->vrf,
		   key == TUNNEL_GROUP ? "group" : "backup-of");
}

static void check_partners(const struct conf *conf, const struct conf_tunnel *t,
			   struct conf_faults *faults)
{
	const struct conf_tunnel *from =
		t->backup_of[0] ? conf_find_tunnel(conf, t->backup_of) : NULL;

	if (from)
		check_partner(t, TUNNEL_BACKUP_OF, from, faults);
	for (size_t i = 0; t->group[0] && i < conf->tunnel_count; i++) {
		const struct conf_tunnel *first = &conf->tunnels[i];

		if (strcmp(first->group, t->group) != 0)
			continue;
		check_partner(t, TUNNEL_GROUP, first, faults);
		return;
	}
}

static void check_tunnel(const struct conf *conf, const struct conf_tunnel *t,
			 struct conf_faults *faults)
{
	struct conf_place at = conf_key_place(t, TUNNEL_VRF);
	const struct conf_tunnel *other = conf_find_tunnel(conf, t->vrf);

	if (strcmp(t->vrf, t->name) == 0)
		conf_fault(faults, at, "the tunnel cannot be its own VRF: write the name of a VRF");
	else if (other)
		conf_fault(faults, at, "vrf %s is a tunnel, at %s:%d: write the name of a VRF",
			   t->vrf, other->at.file, other->at.line);
	if (t->bridge[0])
		conf_fault(faults, at,
			   "an interface in a bridge is in no VRF: put the bridge there (ip link "
			   "set %s master %s), and leave out vrf",
			   t->bridge, t->vrf);
	if (t->return_path)
		conf_fault(faults, conf_key_place(t, TUNNEL_RETURN_PATH),
			   "answers stay in the VRF, whose table says how they leave: leave out "
			   "return-path, or vrf");
}

bool conf_has_vrfs(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].vrf[0])
			return true;
	return false;
}

void conf_check_vrfs(const struct conf *conf, struct conf_faults *faults)
{
	if (!conf_has_vrfs(conf))
		return;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		if (t->hub)
			continue;
		if (t->vrf[0])
			check_tunnel(conf, t, faults);
		check_partners(conf, t, faults);
	}
}
