/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huawei VRP: commands for the system view. The interface is Tunnel0/0/1. */
#include <inttypes.h>

#include "ctl/peer/box.h"

/* Numbers of lists that the device does not use by itself. */
#define LIST_IN	 3998
#define LIST_NAT 3999

static const struct box_limits limits = {
	.title = "Huawei VRP",
	.key = BOX_BOTH,
	.checksum = BOX_BOTH,
	.df_copy = true,
	.keepalive_max = 32767,
};

static void print_addresses(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[PREFIX_TEXT_SIZE], mask[ADDR_TEXT_SIZE];
	const char *sub = "";

	if (view->inside6)
		peer_line(out, " ipv6 enable");
	for (size_t i = 0; i < t->address_count; i++) {
		struct ip_prefix network = box_network(&t->addresses[i]);

		if (network.addr.family == IP_V6) {
			peer_line(out, " ipv6 address %s", prefix_format(&network, text));
			continue;
		}
		peer_line(out, " ip address %s %s%s", addr_format(&network.addr, text),
			  box_mask(network.len, mask), sub);
		sub = " sub";
	}
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned keepalive = box_keepalive(view, &limits);
	char text[ADDR_TEXT_SIZE];

	peer_say(out,
		 "The tunnel; if there is a Tunnel0/0/1 already, take another number throughout.");
	if (view->inside6)
		peer_line(out, "ipv6");
	peer_line(out, "interface Tunnel0/0/1");
	peer_line(out, " description %s", t->name);
	peer_line(out, " tunnel-protocol gre");
	peer_line(out, " source %s", peer_local(t, text));
	peer_line(out, " destination %s", peer_remote(t, text));
	if (t->okey.present)
		peer_line(out, " gre key plain %" PRIu32, t->okey.value);
	if (view->csum_send)
		peer_line(out, " gre checksum");
	if (keepalive)
		peer_line(out, " keepalive period %u retry-times %u", keepalive,
			  t->keepalive_retries);
	print_addresses(view, out);
	peer_line(out, " mtu %u", view->mtu);
	if (view->inside6)
		peer_line(out, " ipv6 mtu %u", view->mtu);
	if (view->inside4 && view->mss4)
		peer_line(out, " tcp adjust-mss %u", view->mss4);
	if (box_has_pairs(view, IP_V4))
		peer_line(out, " traffic-filter inbound acl %u", LIST_IN);
	if (box_masquerades(view, IP_V4))
		peer_line(out, " nat outbound %u", LIST_NAT);
	peer_line(out, " quit");
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out)
{
	char to[ADDR_TEXT_SIZE];
	bool begun = false;

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		if (r->table != 254)
			continue;
		if (!begun)
			peer_say(out, "Networks behind the other end.");
		begun = true;
		peer_line(out, "%s route-static %s %u Tunnel0/0/1",
			  r->to.addr.family == IP_V6 ? "ipv6" : "ip", addr_format(&r->to.addr, to),
			  r->to.len);
	}
}

static void print_end(FILE *out, const char *word, const struct ip_prefix *prefix)
{
	char text[ADDR_TEXT_SIZE], wildcard[ADDR_TEXT_SIZE];

	if (prefix->len)
		fprintf(out, " %s %s %s", word, addr_format(&prefix->addr, text),
			box_wildcard(prefix->len, wildcard));
}

static void print_permit(const struct peer_out *out, const struct ip_prefix *from,
			 const struct ip_prefix *to)
{
	fprintf(out->out, " rule permit ip");
	print_end(out->out, "source", from);
	print_end(out->out, "destination", to);
	fputc('\n', out->out);
}

static void print_list(const struct peer_view *view, const struct peer_out *out)
{
	static const struct ip_prefix any;
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	if (!box_has_pairs(view, IP_V4))
		return;
	peer_say(out,
		 "What may come in by the tunnel: keepalives, what is for the router, and what our "
		 "rules let pass.");
	peer_line(out, "acl number %u", LIST_IN);
	peer_line(out, " rule permit ip source %s 0.0.0.0 destination %s 0.0.0.0",
		  peer_local(t, local), peer_remote(t, remote));
	for (size_t i = 0; i < t->address_count; i++) {
		const struct ip_addr *addr = &t->addresses[i].local.addr;

		if (addr->family == IP_V4)
			print_permit(out, &any, &(struct ip_prefix){*addr, 32});
	}
	for (size_t i = 0; i < view->pair_count; i++)
		if (view->pairs[i].far.addr.family == IP_V4)
			print_permit(out, &view->pairs[i].far, &view->pairs[i].near);
	peer_line(out, " rule deny ip");
	peer_line(out, " quit");
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;
	static const struct ip_prefix any;

	if (!box_masquerades(view, IP_V4))
		return;
	peer_say(out, "These hosts are seen under the tunnel's address.");
	peer_line(out, "acl number %u", LIST_NAT);
	for (size_t i = 0; i < forward->snat_count; i++)
		if (box_is_towards_us(view, &forward->snats[i]) &&
		    forward->snats[i].from.addr.family == IP_V4)
			print_permit(out, &forward->snats[i].from, &any);
	peer_line(out, " quit");
}

static void print_notes(const struct peer_view *view, const struct peer_out *out)
{
	if (box_masquerades(view, IP_V6))
		peer_note(out, "Huawei VRP does not masquerade IPv6: give the peer's hosts "
			       "addresses that we "
			       "may see");
	if (box_keeps_no_state(view))
		peer_note(out,
			  "the access list keeps no state: it lets our side begin what only the "
			  "peer's may; our own rules do not");
	if (box_has_pairs(view, IP_V6))
		peer_note(out, "rules for IPv6 are not printed for Huawei VRP: our own rules hold");
	if (view->inside6 && view->mss6)
		peer_note(out, "the segment size of TCP over IPv6 is left to our own rules");
}

void peer_for_huawei(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	print_notes(view, out);
	print_list(view, out);
	print_nat(view, out);
	print_interface(view, out);
	print_routes(view->tunnel, out);
}
