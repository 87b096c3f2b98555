/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/conf_ways.h"
#include "ctl/return_path.h"
#include "ctl/rules.h"
#include "proto/nvgre.h"
#include "proto/overhead.h"

/* What is assumed of a path that cannot be looked up yet. */
#define MTU_UNKNOWN 1500
/* The largest IP packet. */
#define MTU_LARGEST 65535

static unsigned family_bit(uint8_t family)
{
	return 1U << (family == IP_V6 ? SWITCH_FORWARD6 : SWITCH_FORWARD4);
}

static unsigned tunnel_families(const struct conf_tunnel *tunnel)
{
	unsigned families = 0;

	for (size_t i = 0; i < tunnel->address_count; i++)
		families |= family_bit(tunnel->addresses[i].local.addr.family);
	for (size_t i = 0; i < tunnel->route_count; i++)
		families |= family_bit(tunnel->routes[i].to.addr.family);
	return families;
}

unsigned site_families(const struct conf *conf)
{
	const struct conf_forward *forward = &conf->forward;
	unsigned families = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		families |= tunnel_families(&conf->tunnels[i]);
	for (size_t i = 0; i < forward->allow_count; i++)
		families |= family_bit(forward->allows[i].from.addr.family);
	for (size_t i = 0; i < forward->snat_count; i++)
		families |= family_bit(forward->snats[i].from.addr.family);
	for (size_t i = 0; i < forward->publish_count; i++)
		families |= family_bit(forward->publishes[i].to.family);
	return families;
}

/* The other of the two hosts of a /31, /30 or /127; false when there is more than one. */
static bool other_host(const struct ip_prefix *local, struct ip_addr *out)
{
	unsigned bits = addr_size(local->addr.family) * 8, last = bits / 8 - 1;

	*out = local->addr;
	if (local->len == bits - 1)
		out->bytes[last] ^= 1;
	else if (bits == 32 && local->len == 30)
		out->bytes[last] ^= 3;
	else
		return false;
	return true;
}

/* The inner addresses of both ends: of each family those of the first `address` line that tells the
 * peer's, or else of the first line. */
static void set_inner(const struct conf_tunnel *tunnel, struct dp_params *params)
{
	for (size_t i = 0; i < tunnel->address_count; i++) {
		const struct conf_address *address = &tunnel->addresses[i];
		bool v6 = address->local.addr.family == IP_V6;
		struct ip_addr *near = v6 ? &params->near6 : &params->near4;
		struct ip_addr *peer = v6 ? &params->peer6 : &params->peer4;

		if (peer->family != IP_NONE)
			continue;
		if (address->peer.family != IP_NONE)
			*peer = address->peer;
		else if (!other_host(&address->local, peer))
			*peer = (struct ip_addr){0};
		if (peer->family != IP_NONE || near->family == IP_NONE)
			*near = address->local.addr;
	}
}

/* The same of a peer of a multipoint tunnel. */
static void set_inner_of_peer(const struct conf_tunnel *tunnel, struct dp_params *params)
{
	params->near4 = tunnel->inner[0].local.addr;
	params->peer4 = tunnel->inner[0].peer;
	params->near6 = tunnel->inner[1].local.addr;
	params->peer6 = tunnel->inner[1].peer;
}

/* Who asks: the address of the network that the probe's target lies in, if there is one. */
static struct ip_addr probe_source(const struct conf_tunnel *tunnel, const struct dp_params *params)
{
	for (size_t i = 0; i < tunnel->address_count; i++) {
		const struct conf_address *address = &tunnel->addresses[i];

		if (addr_equal(&address->peer, &tunnel->probe) ||
		    prefix_contains(&address->local, &tunnel->probe))
			return address->local.addr;
	}
	return tunnel->probe.family == IP_V6 ? params->near6 : params->near4;
}

static void set_live(const struct conf_tunnel *tunnel, struct dp_params *params)
{
	params->keepalive_interval_ms = tunnel->keepalive_interval_ms;
	params->keepalive_retries = tunnel->keepalive_retries;
	params->keepalive_form = (uint8_t)tunnel->keepalive_form;
	params->keepalive_hold = tunnel->keepalive_hold;
	params->keepalive_nat = tunnel->keepalive_nat;
	params->echo_return = tunnel->echo_return;
	params->probe = tunnel->probe;
	if (tunnel->probe.family != IP_NONE)
		params->probe_from = probe_source(tunnel, params);
}

static void set_erspan(const struct conf_tunnel *tunnel, struct dp_params *params)
{
	params->ikey = tunnel->erspan_session;
	params->erspan_index = tunnel->erspan_index;
	params->erspan_egress = tunnel->erspan_egress;
	params->erspan_hardware = tunnel->erspan_hardware;
}

static void set_header(const struct conf_tunnel *tunnel, struct dp_params *params)
{
	params->has_ikey = tunnel->ikey.present;
	params->has_okey = tunnel->okey.present;
	params->ikey = tunnel->ikey.present ? tunnel->ikey.value : 0;
	params->okey = tunnel->okey.present ? tunnel->okey.value : 0;
	if (tunnel->mode == MODE_NVGRE) {
		params->has_ikey = params->has_okey = true;
		params->ikey = params->okey = nvgre_key(tunnel->vsid, 0);
	}
	if (tunnel->mode == MODE_ERSPAN)
		set_erspan(tunnel, params);
	params->csum_send =
		tunnel->checksum == CHECKSUM_YES || tunnel->checksum == CHECKSUM_REQUIRE;
	params->csum_require =
		tunnel->checksum == CHECKSUM_REQUIRE || tunnel->checksum == CHECKSUM_RECEIVE;
	params->seq_send = conf_sends_sequence(tunnel);
	params->seq_receive =
		tunnel->sequence == SEQUENCE_YES || tunnel->sequence == SEQUENCE_RECEIVE;
	params->udp_port = tunnel->udp_port;
	params->gue = tunnel->gue;
	params->udp_checksum = tunnel->udp_port && tunnel->udp_checksum;
	params->remote_port = tunnel->remote_port ? tunnel->remote_port : tunnel->udp_port;
	params->nat = tunnel->nat;
	params->nat_any = tunnel->remote_any;
	params->nat_secret = tunnel->nat_secret;
	params->nat_digest = tunnel->nat ? conf_nat_digest(tunnel) : 0;
	params->ttl_inherit = tunnel->ttl_inherit;
	params->tos_inherit = tunnel->tos_inherit;
	/* A copy does not answer to congestion, and nobody reads its marks where it ends. */
	params->ecn = tunnel->ecn && tunnel->mode != MODE_ERSPAN;
	params->ttl = tunnel->ttl_inherit ? 0 : tunnel->ttl;
	params->tos = tunnel->tos_inherit ? 0 : tunnel->tos;
	params->df = (uint8_t)tunnel->df;
}

_Static_assert((int)CONF_NAME_SIZE == DP_NAME_SIZE, "a name is a name");
_Static_assert((int)LANE_XDP == DP_LANE_XDP, "the words of the file are those of the packet paths");

/*
 * The interface's MTU is what fits the path, but never below what its passengers need by standard:
 * then the lane has to split outer packets. The MSS goes by what fits, so that TCP is spared that.
 */
static void set_sizes(const struct conf_tunnel *tunnel, bool v6, uint32_t path_mtu,
		      struct dp_params *params)
{
	uint32_t least = v6 ? IP6_MTU_MIN : IP4_MTU_MIN, fits;

	params->path_mtu = path_mtu ? path_mtu : MTU_UNKNOWN;
	if (params->path_mtu > MTU_LARGEST)
		params->path_mtu = MTU_LARGEST;
	fits = conf_fits(tunnel, params->path_mtu);
	params->mtu = tunnel->mtu ? tunnel->mtu : fits;
	if (params->mtu < least)
		params->mtu = least;
	if (fits > params->mtu)
		fits = params->mtu;
	if (tunnel->mode == MODE_ERSPAN)
		return; /* copies keep the MSS that they have */
	params->mss4 = tunnel->mss_auto ? mss_for_mtu(IP_V4, fits) : tunnel->mss;
	params->mss6 = tunnel->mss_auto ? mss_for_mtu(IP_V6, fits) : tunnel->mss;
}

void site_master_mark(const struct conf_tunnel *tunnel, char buf[SITE_MASTER_SIZE])
{
	buf[0] = '\0';
	if (tunnel->bridge[0])
		snprintf(buf, SITE_MASTER_SIZE, " bridge %s", tunnel->bridge);
	else if (tunnel->vrf[0])
		snprintf(buf, SITE_MASTER_SIZE, " vrf %s", tunnel->vrf);
}

/* A VRF that is not there is refused by the plan. */
static uint32_t table_of(const struct conf_tunnel *tunnel, const struct actual *actual)
{
	const struct link_info *vrf = tunnel->vrf[0] ? actual_link(actual, tunnel->vrf) : NULL;

	return vrf && vrf->vrf_table ? vrf->vrf_table : ROUTE_TABLE_MAIN;
}

size_t site_vrf_members(const struct actual *actual, const struct link_info *vrf,
			uint32_t members[DP_BIND_MEMBERS])
{
	size_t count = 0;

	for (size_t i = 0; i < actual->link_count; i++) {
		const struct link_info *link = actual->links_by_index[i].link;

		if (link->master != vrf->index || actual_is_ours(actual, link))
			continue;
		if (count < DP_BIND_MEMBERS)
			members[count] = link->index;
		count++;
	}
	return count;
}

static void set_alias(const struct conf_tunnel *tunnel, char alias[LINK_ALIAS_SIZE])
{
	size_t used;

	conf_alias(tunnel, alias);
	used = strlen(alias);
	/* Who put the interface into a bridge or a VRF cannot be read from the kernel. */
	if (used + SITE_MASTER_SIZE < LINK_ALIAS_SIZE)
		site_master_mark(tunnel, alias + used);
}

/* Packets of a flow that a fast lane carries are not seen by conntrack, whose idea of TCP's window
 * stands still meanwhile: without this it takes the ones that it does see for invalid. */
static bool flies(const struct conf *conf, const struct actual *actual)
{
	for (size_t i = 0; actual->fast && i < conf->tunnel_count; i++)
		if (conf->tunnels[i].lane != LANE_USER)
			return true;
	return false;
}

/* The path's, of a multipoint tunnel the narrowest's; 0: not known. */
static uint32_t path_mtu(const struct conf *conf, const struct actual *actual, size_t index)
{
	uint32_t least = 0;

	if (index >= actual->way_count)
		return 0;
	if (!conf->tunnels[index].peer_count)
		return actual->ways[index].path_mtu;
	for (size_t i = index + 1; i < actual->way_count; i++) {
		uint32_t mtu = actual->ways[i].path_mtu;

		if (conf->tunnels[i].hub == index + 1 && mtu && (!least || mtu < least))
			least = mtu;
	}
	return least;
}

/* `out` is zeroed, padding included: parameters are compared by memcmp(). */
static void build_tunnel(const struct conf *conf, struct site_tunnel *out,
			 const struct actual *actual, size_t index)
{
	const struct conf_tunnel *tunnel = out->conf;
	struct dp_params *params = &out->params;
	const struct link_info *bind = tunnel->bind[0] ? actual_link(actual, tunnel->bind) : NULL;

	memcpy(params->name, tunnel->name, sizeof(params->name));
	params->form = conf_form(tunnel);
	params->multipoint = tunnel->peer_count != 0;
	if (tunnel->hub)
		memcpy(params->hub, conf_interface(conf, tunnel)->name, sizeof(params->hub) - 1);
	if (conf_has_ends(tunnel)) {
		params->local = tunnel->local;
		params->remote = tunnel->remote;
	} else if (tunnel->remote_any) {
		params->local = tunnel->local;
	}
	params->bind_ifindex = bind ? bind->index : 0;
	if (bind && bind->vrf_table)
		site_vrf_members(actual, bind, params->bind_members);
	params->fwmark = tunnel->fwmark;
	params->lane = (uint8_t)tunnel->lane;
	params->stateless = tunnel->stateless;
	set_header(tunnel, params);
	set_sizes(tunnel, out->families & family_bit(IP_V6), path_mtu(conf, actual, index), params);
	if (tunnel->hub)
		set_inner_of_peer(tunnel, params);
	else
		set_inner(tunnel, params);
	set_live(tunnel, params);
	if (!conf_has_ends(tunnel))
		params->keepalive_interval_ms = 0; /* there is nobody to ask */
	set_alias(tunnel, out->alias);
}

/* Backups and those that they stand in for, members of groups, tunnels that keep the return path.
 */
static int set_shares(struct site *site)
{
	const struct conf_tunnel **backups;
	int err = conf_backups(site->conf, &backups);

	for (size_t i = 0; !err && i < site->tunnel_count; i++) {
		const struct conf_tunnel *tunnel = site->tunnels[i].conf;

		if (tunnel->group[0] || tunnel->return_path || backups[i])
			site->tunnels[i].shares_flows = true;
		if (backups[i])
			site->tunnels[backups[i] - site->conf->tunnels].shares_flows = true;
	}
	if (!err)
		free(backups);
	return err;
}

bool site_returns(const struct site *site, size_t tunnel, uint8_t family)
{
	unsigned families = site->tunnels[tunnel].families;

	if (!site->return_numbers[tunnel])
		return false;
	return families ? families & family_bit(family) : family == IP_V4;
}

static unsigned hashed_families(const struct site *site)
{
	unsigned families = 0;

	for (size_t i = 0; i < site->route_count; i++)
		if (site->routes[i].hop_count > 1)
			families |= site->routes[i].route.to.addr.family == IP_V6
					    ? 1U << SWITCH_HASH6
					    : 1U << SWITCH_HASH4;
	return families;
}

int site_build(const struct conf *conf, const struct actual *actual, struct site *out)
{
	unsigned switches;
	int err;

	*out = (struct site){.conf = conf};
	if (!conf)
		return 0;
	out->tunnels = calloc(conf->tunnel_count + 1, sizeof(*out->tunnels));
	if (!out->tunnels)
		return -ENOMEM;
	out->tunnel_count = conf->tunnel_count;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		out->tunnels[i].conf = &conf->tunnels[i];
		out->tunnels[i].families = tunnel_families(&conf->tunnels[i]);
		out->tunnels[i].table = table_of(&conf->tunnels[i], actual);
	}
	err = return_numbers(conf, actual->state, &out->return_numbers);
	if (!err)
		err = site_add_routes(out);
	for (size_t i = 0; !err && i < conf->tunnel_count; i++)
		build_tunnel(conf, &out->tunnels[i], actual, i);
	switches = (conf->forward.enable ? site_families(conf) : 0) | hashed_families(out);
	if (flies(conf, actual))
		switches |= 1U << SWITCH_LIBERAL;
	for (int i = 0; i < SWITCH_COUNT; i++)
		out->switches[i] = switches & 1U << i;
	if (!err)
		err = set_shares(out);
	if (!err)
		err = rules_text(conf, actual->nft_error == 0, out->return_numbers, &out->rules);
	if (err)
		site_free(out);
	return err;
}

void site_free(struct site *site)
{
	free(site->tunnels);
	free(site->routes);
	free(site->routes_in_order);
	free(site->hops);
	free(site->return_numbers);
	free(site->rules);
	*site = (struct site){0};
}
