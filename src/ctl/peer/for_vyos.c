/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VyOS 1.4 and later: commands for configure mode. The interface is tun0. */
#include <inttypes.h>

#include "ctl/peer/box.h"

#define TUNNEL "set interfaces tunnel tun0 "

static const struct box_limits limits = {
	.title = "VyOS",
	.key = BOX_BOTH,
	.ethernet = true,
	.outer6 = true,
	.ttl = true,
	.ttl_inherit = true,
	.tos_inherit = true,
	.df_set = true,
	.df_copy = true,
	.df_clear = true,
};

static void print_header(const struct conf_tunnel *t, const struct peer_out *out)
{
	bool v6 = peer_over6(t);

	if (t->okey.present)
		peer_line(out, TUNNEL "parameters ip key %" PRIu32, t->okey.value);
	peer_line(out, TUNNEL "parameters %s %u", v6 ? "ipv6 hoplimit" : "ip ttl",
		  t->ttl_inherit ? 0 : t->ttl);
	if (t->tos_inherit)
		peer_line(out, TUNNEL "parameters %s inherit", v6 ? "ipv6 tclass" : "ip tos");
	if (v6)
		peer_line(out, TUNNEL "parameters ipv6 encaplimit none");
	else if (t->df != DF_SET)
		peer_line(out, TUNNEL "parameters ip no-pmtu-discovery");
	if (!v6 && t->df == DF_CLEAR)
		peer_line(out, TUNNEL "parameters ip ignore-df");
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[PREFIX_TEXT_SIZE];

	peer_say(out, "The tunnel; if there is a tun0 already, take another number throughout.");
	peer_line(out, TUNNEL "description %s", t->name);
	peer_line(out, TUNNEL "encapsulation %s", linux_kind(t));
	peer_line(out, TUNNEL "source-address %s", peer_local(t, text));
	peer_line(out, TUNNEL "remote %s", peer_remote(t, text));
	if (t->bind[0])
		peer_line(out, TUNNEL "source-interface %s", t->bind);
	print_header(t, out);
	peer_line(out, TUNNEL "mtu %u", view->mtu);
	if (view->inside4 && view->mss4)
		peer_line(out, TUNNEL "ip adjust-mss %u", view->mss4);
	if (view->inside6 && view->mss6)
		peer_line(out, TUNNEL "ipv6 adjust-mss %u", view->mss6);
	peer_line(out, TUNNEL "enable-multicast");
	for (size_t i = 0; i < t->address_count; i++) {
		struct ip_prefix network = box_network(&t->addresses[i]);

		peer_line(out, TUNNEL "address %s", prefix_format(&network, text));
	}
	if (t->bridge[0])
		peer_line(out, "set interfaces bridge %s member interface tun0", t->bridge);
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
		peer_line(out, "set protocols static %s %s interface tun0",
			  r->to.addr.family == IP_V6 ? "route6" : "route",
			  prefix_format(&r->to, to));
	}
}

static void print_answers(const struct peer_view *view, const struct peer_out *out)
{
	if (!linux_answers(view) || peer_over6(view->tunnel))
		return;
	peer_say(out,
		 "Keepalives of the other end are packets with our own source address: they are "
		 "taken, and forwarded back.");
	peer_line(out, "set system sysctl parameter net.ipv4.conf.tun0.accept_local value 1");
	peer_line(out, TUNNEL "ip source-validation %s", view->inside4 ? "loose" : "disable");
}

static void print_rule(const struct peer_out *out, const char *list, unsigned number,
		       const struct ip_prefix *from, const struct ip_prefix *to)
{
	char text[PREFIX_TEXT_SIZE];

	peer_line(out, "%s rule %u action accept", list, number);
	peer_line(out, "%s rule %u source address %s", list, number, prefix_format(from, text));
	peer_line(out, "%s rule %u destination address %s", list, number, prefix_format(to, text));
}

static void print_list(const struct peer_view *view, const struct peer_out *out, uint8_t family)
{
	static const char *const directions[] = {"inbound", "outbound"};
	const struct conf_tunnel *t = view->tunnel;
	unsigned number = 30, version = family == IP_V6 ? 6 : 4;
	char list[64];

	snprintf(list, sizeof list, "set firewall ipv%u name peer-tun0", version);
	peer_line(out, "%s default-action drop", list);
	peer_line(out, "%s rule 10 action accept", list);
	peer_line(out, "%s rule 10 state established", list);
	peer_line(out, "%s rule 10 state related", list);
	if (linux_answers(view) && (peer_over6(t) ? IP_V6 : IP_V4) == family) {
		peer_line(out, "%s rule 20 action accept", list);
		peer_line(out, "%s rule 20 protocol gre", list);
	}
	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (pair->far.addr.family != family)
			continue;
		if (pair->far_opens)
			print_rule(out, list, number++, &pair->far, &pair->near);
		if (pair->near_opens)
			print_rule(out, list, number++, &pair->near, &pair->far);
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(list, sizeof list, "set firewall ipv%u forward filter rule %u", version,
			 4700 + i);
		peer_line(out, "%s action jump", list);
		peer_line(out, "%s jump-target peer-tun0", list);
		peer_line(out, "%s %s-interface name tun0", list, directions[i]);
	}
}

static void print_filter(const struct peer_view *view, const struct peer_out *out)
{
	if (!view->pair_count)
		return;
	peer_say(out, "What may pass into and out of the tunnel.");
	if (box_has_pairs(view, IP_V4))
		print_list(view, out, IP_V4);
	if (box_has_pairs(view, IP_V6))
		print_list(view, out, IP_V6);
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;
	unsigned number = 4700;
	char from[PREFIX_TEXT_SIZE];

	if (box_masquerades(view, IP_V4) || box_masquerades(view, IP_V6))
		peer_say(out, "These hosts are seen under the tunnel's address.");
	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];
		const char *nat = snat->from.addr.family == IP_V6 ? "nat66" : "nat";

		if (!box_is_towards_us(view, snat))
			continue;
		peer_line(out, "set %s source rule %u outbound-interface name tun0", nat, number);
		peer_line(out, "set %s source rule %u source %s %s", nat, number,
			  snat->from.addr.family == IP_V6 ? "prefix" : "address",
			  prefix_format(&snat->from, from));
		peer_line(out, "set %s source rule %u translation address masquerade", nat, number);
		number++;
	}
}

void peer_for_vyos(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	if (view->tunnel->bind[0])
		peer_note(out, "%s is our device towards the peer: write the peer's towards us",
			  view->tunnel->bind);
	if (view->tunnel->bridge[0])
		peer_note(out, "%s is our bridge: write the name of the peer's",
			  view->tunnel->bridge);
	print_interface(view, out);
	print_routes(view->tunnel, out);
	print_answers(view, out);
	print_filter(view, out);
	print_nat(view, out);
}
