/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Juniper Junos: set commands. The interface is gr-0/0/0.0; zones, policies and NAT are those of an
 * SRX, whose inner zone is called trust as it is delivered. */
#include <inttypes.h>

#include "ctl/peer/box.h"

#define UNIT "set interfaces gr-0/0/0 unit 0 "

static const struct box_limits limits = {
	.title = "Junos",
	.key = BOX_BOTH,
	.outer6 = true,
	.ttl = true,
	.tos_inherit = true,
	.df_set = true,
	.df_clear = true,
	.keepalive_max = 50,
};

static void print_family(const struct peer_view *view, const struct peer_out *out, uint8_t family)
{
	const struct conf_tunnel *t = view->tunnel;
	const char *word = family == IP_V6 ? "inet6" : "inet";
	uint16_t mss = family == IP_V6 ? view->mss6 : view->mss4;
	char text[PREFIX_TEXT_SIZE];

	peer_line(out, UNIT "family %s mtu %u", word, view->mtu);
	if (mss)
		peer_line(out, UNIT "family %s tcp-mss %u", word, mss);
	for (size_t i = 0; i < t->address_count; i++) {
		struct ip_prefix network = box_network(&t->addresses[i]);

		if (network.addr.family == family)
			peer_line(out, UNIT "family %s address %s", word,
				  prefix_format(&network, text));
	}
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[ADDR_TEXT_SIZE];

	peer_say(out, "The tunnel; if the device has a gr-0/0/0.0 already, take another unit "
		      "throughout.");
	peer_line(out, UNIT "description %s", t->name);
	peer_line(out, UNIT "tunnel source %s", peer_local(t, text));
	peer_line(out, UNIT "tunnel destination %s", peer_remote(t, text));
	if (t->okey.present)
		peer_line(out, UNIT "tunnel key %" PRIu32, t->okey.value);
	if (!t->ttl_inherit)
		peer_line(out, UNIT "tunnel ttl %u", t->ttl);
	if (!peer_over6(t) && t->df == DF_SET)
		peer_line(out, UNIT "tunnel do-not-fragment");
	if (!peer_over6(t) && t->df == DF_CLEAR)
		peer_line(out, UNIT "tunnel allow-fragmentation");
	if (t->tos_inherit)
		peer_line(out, UNIT "copy-tos-to-outer-ip-header");
	if (view->inside4)
		print_family(view, out, IP_V4);
	if (view->inside6)
		print_family(view, out, IP_V6);
}

static void print_keepalive(const struct peer_view *view, const struct peer_out *out)
{
	unsigned seconds = box_keepalive(view, &limits);
	unsigned hold = seconds * view->tunnel->keepalive_retries;

	if (!seconds)
		return;
	/* The hold time is at least twice the interval and at most 250 seconds. */
	if (hold < 2 * seconds)
		hold = 2 * seconds;
	if (hold > 250)
		hold = 250;
	peer_say(out, "The device asks us, too.");
	peer_line(
		out,
		"set protocols oam gre-tunnel interface gr-0/0/0.0 keepalive-time %u hold-time %u",
		seconds, hold);
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out)
{
	char to[PREFIX_TEXT_SIZE];
	bool begun = false;

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		if (r->table != 254)
			continue;
		if (!begun)
			peer_say(out, "Networks behind the other end.");
		begun = true;
		peer_line(out, "set routing-options %sstatic route %s next-hop gr-0/0/0.0",
			  r->to.addr.family == IP_V6 ? "rib inet6.0 " : "",
			  prefix_format(&r->to, to));
	}
}

static void print_object(const struct peer_out *out, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	if (!prefix->len)
		return;
	prefix_format(prefix, text);
	peer_line(out, "set security address-book global address %s %s", text, text);
}

static void print_policy(const struct peer_out *out, const char *zones, size_t number,
			 const struct ip_prefix *from, const struct ip_prefix *to)
{
	static const char *const words[] = {"source-address", "destination-address"};
	const struct ip_prefix *ends[] = {from, to};
	char policy[96], text[PREFIX_TEXT_SIZE];

	snprintf(policy, sizeof policy, "set security policies %s policy peer-%zu", zones, number);
	for (size_t i = 0; i < 2; i++) {
		if (ends[i]->len)
			peer_line(out, "%s match %s %s", policy, words[i],
				  prefix_format(ends[i], text));
		else
			peer_line(out, "%s match %s any-ipv%c", policy, words[i],
				  ends[i]->addr.family == IP_V6 ? '6' : '4');
	}
	peer_line(out, "%s match application any", policy);
	peer_line(out, "%s then permit", policy);
}

static void print_policies(const struct peer_view *view, const struct peer_out *out)
{
	static const char in[] = "from-zone tunnel to-zone trust";
	static const char away[] = "from-zone trust to-zone tunnel";
	static const struct ip_prefix any4 = {.addr.family = IP_V4}, any6 = {.addr.family = IP_V6};

	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (box_is_new(view, i, true))
			print_object(out, &pair->far);
		if (box_is_new(view, i, false))
			print_object(out, &pair->near);
		if (pair->far_opens)
			print_policy(out, in, i, &pair->far, &pair->near);
		if (pair->near_opens)
			print_policy(out, away, i, &pair->near, &pair->far);
	}
	if (view->pair_count)
		return;
	peer_say(out, "Our rules let everything pass.");
	print_policy(out, in, 4, &any4, &any4);
	print_policy(out, away, 4, &any4, &any4);
	if (!view->inside6)
		return;
	print_policy(out, in, 6, &any6, &any6);
	print_policy(out, away, 6, &any6, &any6);
}

static void print_zone(const struct peer_view *view, const struct peer_out *out)
{
	peer_say(out,
		 "SRX only, up to the end: the tunnel is a zone of its own, \"trust\" is that of "
		 "the hosts.");
	peer_line(out, "set security zones security-zone tunnel interfaces gr-0/0/0.0 "
		       "host-inbound-traffic system-services ping");
	if (view->mss4) {
		peer_line(out, "set security flow tcp-mss gre-in mss %u", view->mss4);
		peer_line(out, "set security flow tcp-mss gre-out mss %u", view->mss4);
	}
	print_policies(view, out);
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	static const char rules[] = "set security nat source rule-set tunnel";
	const struct conf_forward *forward = &view->conf->forward;
	char from[PREFIX_TEXT_SIZE];

	if (!(box_masquerades(view, IP_V4) || box_masquerades(view, IP_V6)))
		return;
	peer_say(out, "These hosts are seen under the tunnel's address.");
	peer_line(out, "%s from zone trust", rules);
	peer_line(out, "%s to zone tunnel", rules);
	for (size_t i = 0; i < forward->snat_count; i++) {
		if (!box_is_towards_us(view, &forward->snats[i]))
			continue;
		peer_line(out, "%s rule peer-%zu match source-address %s", rules, i,
			  prefix_format(&forward->snats[i].from, from));
		peer_line(out, "%s rule peer-%zu then source-nat interface", rules, i);
	}
}

void peer_for_junos(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	print_interface(view, out);
	print_keepalive(view, out);
	print_routes(view->tunnel, out);
	print_zone(view, out);
	print_nat(view, out);
}
