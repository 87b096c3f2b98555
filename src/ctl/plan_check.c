/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in the way of a site on this host: found before the first step is made. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/plan_make.h"
#include "ctl/return_path.h"
#include "ctl/site.h"

static void check_name(struct planner *planner, const struct conf_tunnel *tunnel,
		       const struct link_info *link)
{
	if (link && !actual_is_ours(planner->actual, link))
		plan_refuse(planner, tunnel->at,
			    "there is an interface %s already that is not gretel's (%s): delete it "
			    "(ip link delete %s), or give the tunnel another name",
			    tunnel->name, link->kind[0] ? link->kind : "a device", tunnel->name);
}

static void check_vrf(struct planner *planner, const struct conf_tunnel *tunnel)
{
	const struct link_info *vrf =
		tunnel->vrf[0] ? actual_link(planner->actual, tunnel->vrf) : NULL;

	if (tunnel->vrf[0] && !vrf)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_VRF),
			    "there is no VRF %s: make it (ip link add %s type vrf table NUMBER, ip "
			    "link set %s up)",
			    tunnel->vrf, tunnel->vrf, tunnel->vrf);
	else if (vrf && !vrf->vrf_table)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_VRF),
			    "%s is not a VRF: write the name of one (`ip link show type vrf`)",
			    tunnel->vrf);
}

/* An underlay in a VRF, named itself or by a device in it. */
static void check_bind(struct planner *planner, const struct conf_tunnel *tunnel,
		       const struct link_info *bind)
{
	const struct actual *actual = planner->actual;
	const struct link_info *master = actual_link_at(actual, bind->master);
	uint32_t members[DP_BIND_MEMBERS];
	char text[ADDR_TEXT_SIZE];

	if (bind->vrf_table && site_vrf_members(actual, bind, members) > DP_BIND_MEMBERS)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_BIND),
			    "the VRF %s has more than %d devices: write the one that leads to the "
			    "peer (`ip link show master %s`)",
			    bind->name, DP_BIND_MEMBERS, bind->name);
	if (bind->vrf_table && tunnel->remote.family == IP_V6 &&
	    addr_is_link_local(&tunnel->remote))
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_BIND),
			    "%s is valid on one link only, and the VRF %s may have many: write "
			    "bind = the device of that link",
			    addr_format(&tunnel->remote, text), bind->name);
	if (!bind->vrf_table && !(master && master->vrf_table))
		return;
	if (actual->raw_deaf)
		plan_note(planner, conf_key_place(tunnel, TUNNEL_BIND),
			  "net.ipv4.raw_l3mdev_accept is 0, so nothing that comes in by a VRF "
			  "reaches greteld: set it to 1");
	if (actual->udp_deaf && tunnel->udp_port)
		plan_note(planner, conf_key_place(tunnel, TUNNEL_BIND),
			  "net.ipv4.udp_l3mdev_accept is 0, so this host answers what comes in by "
			  "a VRF for udp with \"port unreachable\": set it to 1");
}

static void check_devices(struct planner *planner, const struct conf_tunnel *tunnel)
{
	const struct actual *actual = planner->actual;
	const struct link_info *bind = tunnel->bind[0] ? actual_link(actual, tunnel->bind) : NULL;
	const struct link_info *bridge =
		tunnel->bridge[0] ? actual_link(actual, tunnel->bridge) : NULL;

	if (tunnel->bind[0] && !bind)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_BIND),
			    "there is no interface %s to bind %s to: write one that `ip link` "
			    "shows, or leave out bind",
			    tunnel->bind, tunnel->name);
	else if (bind)
		check_bind(planner, tunnel, bind);
	check_vrf(planner, tunnel);
	if (tunnel->bridge[0] && !bridge)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_BRIDGE),
			    "there is no bridge %s: make it (ip link add %s type bridge)",
			    tunnel->bridge, tunnel->bridge);
	else if (bridge && strcmp(bridge->kind, "bridge") != 0)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_BRIDGE),
			    "%s is not a bridge: write the name of one", tunnel->bridge);
}

static void check_way(struct planner *planner, const struct conf_tunnel *tunnel,
		      const struct actual_way *way)
{
	char text[ADDR_TEXT_SIZE];

	if (way->local_missing)
		plan_note(planner, conf_key_place(tunnel, TUNNEL_LOCAL),
			  "%s is on no interface of this host: answers of the peer will not arrive",
			  addr_format(&tunnel->local, text));
	if (way->why[0]) {
		plan_note(planner, tunnel->at, "%s: packets are dropped until that changes",
			  way->why);
		return;
	}
	if (!way->error && way->way.type == RTN_LOCAL)
		plan_refuse(planner, conf_key_place(tunnel, TUNNEL_REMOTE),
			    "%s is an address of this host: write the peer's",
			    addr_format(&tunnel->remote, text));
	else if (way->leaves_vrf)
		plan_note(planner, conf_key_place(tunnel, TUNNEL_BIND),
			  "the VRF %s has no route to %s, and the kernel then takes one outside of "
			  "it: add one, and an end to the table (ip route add vrf %s unreachable "
			  "default metric 4278198272)",
			  tunnel->bind, addr_format(&tunnel->remote, text), tunnel->bind);
	else if (way->error && way->error != -ENODEV)
		plan_note(planner, conf_key_place(tunnel, TUNNEL_REMOTE),
			  "there is no way to %s now (%s): packets are dropped until there is",
			  addr_format(&tunnel->remote, text), strerror(-way->error));
}

static void check_mtu(struct planner *planner, const struct site_tunnel *tunnel)
{
	const struct dp_params *params = &tunnel->params;
	uint32_t fits = conf_fits(tunnel->conf, params->path_mtu);

	if (tunnel->conf->mtu > fits && conf_has_ends(tunnel->conf))
		plan_note(planner, conf_key_place(tunnel->conf, TUNNEL_MTU),
			  "the path to the peer carries %u octets, which leaves %u for the tunnel: "
			  "larger packets are split, or refused where they may not be",
			  params->path_mtu, fits);
}

static bool is_family_missing(const struct planner *planner, const struct conf_tunnel *tunnel)
{
	if (planner->actual->switches[SWITCH_FORWARD6][0])
		return false;
	if (tunnel->local.family == IP_V6)
		return true;
	for (size_t i = 0; i < tunnel->address_count; i++)
		if (tunnel->addresses[i].local.addr.family == IP_V6)
			return true;
	for (size_t i = 0; i < tunnel->route_count; i++)
		if (tunnel->routes[i].to.addr.family == IP_V6)
			return true;
	return false;
}

/* The place of the first line that needs a rule. */
static struct conf_place rules_place(const struct conf *conf)
{
	const struct conf_forward *forward = &conf->forward;
	const struct conf_tunnel *returning = return_first(conf);

	if (returning)
		return conf_key_place(returning, TUNNEL_RETURN_PATH);
	if (forward->allow_count)
		return forward->allows[0].at;
	return forward->snat_count ? forward->snats[0].at : forward->publishes[0].at;
}

static void check_rules(struct planner *planner)
{
	if (planner->actual->nft_error && planner->site->rules)
		plan_refuse(planner, rules_place(planner->site->conf),
			    "this needs nftables, which the kernel does not have (%s): load the "
			    "module nf_tables, or leave the line out",
			    strerror(-planner->actual->nft_error));
}

void plan_check(struct planner *planner)
{
	if (!planner->site->conf)
		return;
	check_rules(planner);
	for (size_t i = 0; i < planner->site->tunnel_count; i++) {
		const struct site_tunnel *tunnel = &planner->site->tunnels[i];

		if (!tunnel->conf->hub) {
			check_name(planner, tunnel->conf, planner->wanted[i].namesake);
			check_devices(planner, tunnel->conf);
		}
		if (i < planner->actual->way_count)
			check_way(planner, tunnel->conf, &planner->actual->ways[i]);
		check_mtu(planner, tunnel);
		if (is_family_missing(planner, tunnel->conf))
			plan_refuse(planner, tunnel->conf->at,
				    "%s needs IPv6, which this kernel does not have: leave out its "
				    "IPv6 lines, or start the kernel without ipv6.disable",
				    tunnel->conf->name);
	}
}
