/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cisco IOS and IOS XE. The interface is Tunnel0; its access list keeps no state. */
#include <inttypes.h>

#include "ctl/peer/box.h"

static const struct box_limits limits = {
	.title = "Cisco IOS",
	.key = BOX_BOTH,
	.checksum = BOX_BOTH,
	.sequence = BOX_BOTH,
	.outer6 = true,
	.ttl = true,
	.tos = true,
	.df_set = true,
	.df_copy = true,
	.keepalive_max = 32767,
};

/* The largest sizes that IOS takes. */
#define MSS4_MAX 1460
#define MSS6_MAX 1440

static unsigned at_most(unsigned value, unsigned limit)
{
	return value < limit ? value : limit;
}

static void print_addresses(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[PREFIX_TEXT_SIZE], mask[ADDR_TEXT_SIZE];
	const char *secondary = "";

	for (size_t i = 0; i < t->address_count; i++) {
		struct ip_prefix network = box_network(&t->addresses[i]);

		if (network.addr.family == IP_V6) {
			peer_line(out, " ipv6 address %s", prefix_format(&network, text));
			continue;
		}
		peer_line(out, " ip address %s %s%s", addr_format(&network.addr, text),
			  box_mask(network.len, mask), secondary);
		secondary = " secondary";
	}
}

static void print_sizes(const struct peer_view *view, const struct peer_out *out)
{
	if (view->inside4)
		peer_line(out, " ip mtu %u", view->mtu);
	if (view->inside4 && view->mss4)
		peer_line(out, " ip tcp adjust-mss %u", at_most(view->mss4, MSS4_MAX));
	if (view->inside6)
		peer_line(out, " ipv6 mtu %u", view->mtu);
	if (view->inside6 && view->mss6)
		peer_line(out, " ipv6 tcp adjust-mss %u", at_most(view->mss6, MSS6_MAX));
}

static void print_tunnel(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned keepalive = box_keepalive(view, &limits);
	char text[ADDR_TEXT_SIZE];

	if (keepalive)
		peer_line(out, " keepalive %u %u", keepalive, t->keepalive_retries);
	peer_line(out, " tunnel source %s", peer_local(t, text));
	peer_line(out, " tunnel destination %s", peer_remote(t, text));
	peer_line(out, " tunnel mode gre %s", peer_over6(t) ? "ipv6" : "ip");
	if (t->okey.present)
		peer_line(out, " tunnel key %" PRIu32, t->okey.value);
	if (view->csum_send)
		peer_line(out, " tunnel checksum");
	if (view->seq_send)
		peer_line(out, " tunnel sequence-datagrams");
	if (!t->ttl_inherit)
		peer_line(out, " tunnel ttl %u", t->ttl);
	if (t->tos)
		peer_line(out, " tunnel tos %u", t->tos);
	if (t->df == DF_SET && !peer_over6(t))
		peer_line(out, " tunnel path-mtu-discovery");
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const char *name = view->tunnel->name;

	peer_say(out, "The tunnel; if the router has a Tunnel0 already, take another number "
		      "throughout.");
	if (view->inside6)
		peer_line(out, "ipv6 unicast-routing");
	peer_line(out, "interface Tunnel0");
	peer_line(out, " description %s", name);
	print_addresses(view, out);
	print_sizes(view, out);
	print_tunnel(view, out);
	if (box_masquerades(view, IP_V4))
		peer_line(out, " ip nat outside");
	if (box_has_pairs(view, IP_V4))
		peer_line(out, " ip access-group %s-in in", name);
	if (box_has_pairs(view, IP_V6))
		peer_line(out, " ipv6 traffic-filter %s-in6 in", name);
	peer_line(out, " no shutdown");
	peer_line(out, "exit");
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out)
{
	char to[PREFIX_TEXT_SIZE], mask[ADDR_TEXT_SIZE];
	bool begun = false;

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		if (r->table != 254)
			continue;
		if (!begun)
			peer_say(out, "Networks behind the other end.");
		begun = true;
		if (r->to.addr.family == IP_V6)
			peer_line(out, "ipv6 route %s Tunnel0", prefix_format(&r->to, to));
		else
			peer_line(out, "ip route %s %s Tunnel0", addr_format(&r->to.addr, to),
				  box_mask(r->to.len, mask));
	}
}

static void print_ends(FILE *out, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE], wildcard[ADDR_TEXT_SIZE];

	if (!prefix->len)
		fprintf(out, " any");
	else if (prefix->addr.family == IP_V6)
		fprintf(out, " %s", prefix_format(prefix, text));
	else if (prefix->len == 32)
		fprintf(out, " host %s", addr_format(&prefix->addr, text));
	else
		fprintf(out, " %s %s", addr_format(&prefix->addr, text),
			box_wildcard(prefix->len, wildcard));
}

static void print_list(const struct peer_view *view, const struct peer_out *out, uint8_t family)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	bool v6 = family == IP_V6;

	if (!box_has_pairs(view, family))
		return;
	peer_say(out,
		 "What may come in by the tunnel: keepalives, what is for the router, and what our "
		 "rules let pass.");
	peer_line(out, v6 ? "ipv6 access-list %s-in6" : "ip access-list extended %s-in", t->name);
	if ((peer_over6(t) ? IP_V6 : IP_V4) == family)
		peer_line(out, " permit %s host %s host %s", v6 ? "47" : "gre",
			  peer_local(t, local), peer_remote(t, remote));
	for (size_t i = 0; i < t->address_count; i++) {
		if (t->addresses[i].local.addr.family != family)
			continue;
		peer_line(out, " permit %s any host %s", v6 ? "ipv6" : "ip",
			  addr_format(&t->addresses[i].local.addr, local));
	}
	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (pair->far.addr.family != family)
			continue;
		fprintf(out->out, " permit %s", v6 ? "ipv6" : "ip");
		print_ends(out->out, &pair->far);
		print_ends(out->out, &pair->near);
		fputc('\n', out->out);
	}
	peer_line(out, "exit");
}

static void print_notes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;

	if ((view->inside4 && view->mss4 > MSS4_MAX) || (view->inside6 && view->mss6 > MSS6_MAX))
		peer_note(out, "Cisco IOS clamps TCP to %d and %d octets at most", MSS4_MAX,
			  MSS6_MAX);
	if (box_masquerades(view, IP_V6))
		peer_note(out, "Cisco IOS does not masquerade IPv6: give the peer's hosts "
			       "addresses that we "
			       "may see");
	if (box_keeps_no_state(view))
		peer_note(out,
			  "the access list keeps no state: it lets our side begin what only the "
			  "peer's may; our own rules do not");
	for (size_t i = 0; i < forward->snat_count; i++) {
		if (!box_is_towards_us(view, &forward->snats[i]) ||
		    forward->snats[i].from.addr.family != IP_V4)
			continue;
		peer_note(out,
			  "Cisco IOS translates answers, too: what we begin with masqueraded hosts "
			  "of the peer gets no answer that we know");
		return;
	}
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;

	if (!box_masquerades(view, IP_V4))
		return;
	peer_say(out, "These hosts are seen under the tunnel's address; their interface needs "
		      "\"ip nat inside\".");
	peer_line(out, "ip access-list standard %s-nat", view->tunnel->name);
	for (size_t i = 0; i < forward->snat_count; i++) {
		if (!box_is_towards_us(view, &forward->snats[i]) ||
		    forward->snats[i].from.addr.family != IP_V4)
			continue;
		fprintf(out->out, " permit");
		print_ends(out->out, &forward->snats[i].from);
		fputc('\n', out->out);
	}
	peer_line(out, "exit");
	peer_line(out, "ip nat inside source list %s-nat interface Tunnel0 overload",
		  view->tunnel->name);
}

void peer_for_cisco(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	print_notes(view, out);
	print_interface(view, out);
	print_routes(view->tunnel, out);
	print_list(view, out, IP_V4);
	print_list(view, out, IP_V6);
	print_nat(view, out);
}
