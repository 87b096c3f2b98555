/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MikroTik RouterOS 7: commands for its terminal. */
#include "ctl/peer/box.h"

static const struct box_limits limits = {
	.title = "RouterOS",
	.outer6 = true,
	.tos = true,
	.tos_inherit = true,
	.df_copy = true,
	.df_clear = true,
	.keepalive_max = 32767,
	.keepalive6 = true,
};

static const char *menu(uint8_t family)
{
	return family == IP_V6 ? "ipv6" : "ip";
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned keepalive = box_keepalive(view, &limits);
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	bool v6 = peer_over6(t);

	peer_say(out, "The tunnel; %u octets are left of a path of %u.", view->mtu, view->path_mtu);
	fprintf(out->out, "/interface/%s/add name=%s local-address=%s remote-address=%s mtu=%u",
		v6 ? "gre6" : "gre", t->name, peer_local(t, local), peer_remote(t, remote),
		view->mtu);
	if (t->tos_inherit)
		fprintf(out->out, " dscp=inherit");
	else
		fprintf(out->out, " dscp=%u", (unsigned)t->tos >> 2);
	if (!v6)
		fprintf(out->out, " dont-fragment=%s", t->df == DF_CLEAR ? "no" : "inherit");
	fprintf(out->out, " clamp-tcp-mss=%s", t->mss_auto ? "yes" : "no");
	if (keepalive)
		fprintf(out->out, " keepalive=%us,%u\n", keepalive, t->keepalive_retries);
	else
		fprintf(out->out, " !keepalive\n");
}

static void print_addresses(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[PREFIX_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	if (t->address_count)
		peer_say(out, "Addresses inside the tunnel.");
	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];
		struct ip_prefix network = box_network(a);

		if (a->local.addr.family == IP_V6)
			peer_line(out, "/ipv6/address/add address=%s advertise=no interface=%s",
				  prefix_format(&network, local), t->name);
		else if (a->peer.family != IP_NONE)
			peer_line(out, "/ip/address/add address=%s network=%s interface=%s",
				  prefix_format(&a->local, local), addr_format(&a->peer, peer),
				  t->name);
		else
			peer_line(out, "/ip/address/add address=%s interface=%s",
				  prefix_format(&a->local, local), t->name);
	}
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
		peer_line(out, "/%s/route/add dst-address=%s gateway=%s",
			  r->to.addr.family == IP_V6 ? "ipv6" : "ip", prefix_format(&r->to, to),
			  t->name);
	}
}

static void print_rule(const struct peer_out *out, const char *name, const struct ip_prefix *from,
		       const struct ip_prefix *to)
{
	char saddr[PREFIX_TEXT_SIZE], daddr[PREFIX_TEXT_SIZE];

	peer_line(out,
		  "/%s/firewall/filter/add chain=forward src-address=%s dst-address=%s "
		  "action=accept comment=%s",
		  menu(from->addr.family), prefix_format(from, saddr), prefix_format(to, daddr),
		  name);
}

static void print_judge(const struct peer_view *view, const struct peer_out *out, uint8_t family)
{
	const char *name = view->tunnel->name;

	peer_line(out,
		  "/%s/firewall/filter/add chain=forward connection-state=established,related "
		  "action=accept comment=%s",
		  menu(family), name);
	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (pair->far.addr.family != family)
			continue;
		if (pair->far_opens)
			print_rule(out, name, &pair->far, &pair->near);
		if (pair->near_opens)
			print_rule(out, name, &pair->near, &pair->far);
	}
	peer_line(out,
		  "/%s/firewall/filter/add chain=forward in-interface=%s action=drop comment=%s",
		  menu(family), name, name);
	peer_line(out,
		  "/%s/firewall/filter/add chain=forward out-interface=%s action=drop comment=%s",
		  menu(family), name, name);
}

static void print_filter(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char remote[ADDR_TEXT_SIZE];

	peer_say(out, "Rules are added at the end: move them in front of those that drop.");
	peer_line(out,
		  "/%s/firewall/filter/add chain=input protocol=gre src-address=%s action=accept "
		  "comment=%s",
		  menu(peer_over6(t) ? IP_V6 : IP_V4), peer_remote(t, remote), t->name);
	if (!view->pair_count)
		return;
	peer_say(out, "What may pass into and out of the tunnel.");
	if (box_has_pairs(view, IP_V4))
		print_judge(view, out, IP_V4);
	if (box_has_pairs(view, IP_V6))
		print_judge(view, out, IP_V6);
}

static void print_mss(const struct peer_view *view, const struct peer_out *out)
{
	static const char *const directions[] = {"in", "out"};
	const struct conf_tunnel *t = view->tunnel;

	if (t->mss_auto || !t->mss)
		return;
	peer_say(out, "TCP agrees on segments of this size at most.");
	for (size_t i = 0; i < 4; i++) {
		uint8_t family = i < 2 ? IP_V4 : IP_V6;

		if (family == IP_V6 ? !view->inside6 : !view->inside4)
			continue;
		peer_line(out,
			  "/%s/firewall/mangle/add chain=forward %s-interface=%s protocol=tcp "
			  "tcp-flags=syn tcp-mss=%u-65535 action=change-mss new-mss=%u "
			  "passthrough=yes comment=%s",
			  menu(family), directions[i % 2], t->name, t->mss + 1u, t->mss, t->name);
	}
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;
	char from[PREFIX_TEXT_SIZE];

	if (box_masquerades(view, IP_V4) || box_masquerades(view, IP_V6))
		peer_say(out, "These hosts are seen under the tunnel's address.");
	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];

		if (box_is_towards_us(view, snat))
			peer_line(out,
				  "/%s/firewall/nat/add chain=srcnat src-address=%s "
				  "out-interface=%s action=masquerade comment=%s",
				  menu(snat->from.addr.family), prefix_format(&snat->from, from),
				  view->tunnel->name, view->tunnel->name);
	}
}

void peer_for_mikrotik(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	print_interface(view, out);
	print_addresses(view, out);
	print_routes(view->tunnel, out);
	if (view->forward && view->inside4) {
		peer_say(out, "This router forwards.");
		peer_line(out, "/ip/settings/set ip-forward=yes");
	}
	print_filter(view, out);
	print_mss(view, out);
	print_nat(view, out);
}
