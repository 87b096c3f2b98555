/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenBSD: hostname.if(5), sysctl.conf(5) and pf.conf(5), each behind a line "### PATH". The
 * interface is gre0, for Ethernet egre0. */
#include <inttypes.h>

#include "ctl/peer/box.h"

static const struct box_limits limits = {
	.title = "OpenBSD",
	.key = BOX_BOTH,
	.ethernet = true,
	.outer6 = true,
	.ttl = true,
	.ttl_inherit = true,
	.tos_inherit = true,
	.df_set = true,
	.df_clear = true,
	.keepalive_max = 86400,
	.keepalive6 = true,
};

static const char *device(const struct peer_view *view)
{
	return view->tunnel->mode == MODE_GRETAP ? "egre0" : "gre0";
}

static void print_addresses(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], peer[ADDR_TEXT_SIZE], mask[ADDR_TEXT_SIZE];
	const char *alias = "";

	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];

		addr_format(&a->local.addr, local);
		if (a->local.addr.family == IP_V6) {
			peer_line(out, "inet6 %s %u", local, box_network(a).len);
			continue;
		}
		peer_line(out, "inet %s%s %s NONE", alias, local, box_mask(a->local.len, mask));
		peer_line(out, "dest %s", addr_format(&view->far[i], peer));
		alias = "alias ";
	}
}

/* The next hop of a family: our address inside. */
static const struct ip_addr *gateway(const struct peer_view *view, uint8_t family)
{
	for (size_t i = 0; i < view->far_count; i++)
		if (view->far[i].family == family)
			return &view->far[i];
	return NULL;
}

static void print_routes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char to[PREFIX_TEXT_SIZE], via[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];
		const struct ip_addr *hop = gateway(view, r->to.addr.family);

		if (r->table != 254)
			continue;
		if (hop)
			peer_line(out, "!route -qn add %s%s %s",
				  r->to.addr.family == IP_V6 ? "-inet6 " : "",
				  prefix_format(&r->to, to), addr_format(hop, via));
		else
			peer_note(out, "no address inside for the route to %s: give both ends one",
				  prefix_format(&r->to, to));
	}
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned keepalive = box_keepalive(view, &limits);
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	peer_line(out, "\n### /etc/hostname.%s", device(view));
	peer_say(out, "The tunnel; if there is a %s already, take another number throughout.",
		 device(view));
	peer_line(out, "description \"%s\"", t->name);
	if (t->okey.present)
		peer_line(out, "vnetid %" PRIu32, t->okey.value);
	peer_line(out, "tunnel %s %s", peer_local(t, local), peer_remote(t, remote));
	if (t->ttl_inherit)
		peer_line(out, "tunnelttl copy");
	else
		peer_line(out, "tunnelttl %u", t->ttl);
	if (!peer_over6(t))
		peer_line(out, t->df == DF_SET ? "tunneldf" : "-tunneldf");
	peer_line(out, "mtu %u", view->mtu);
	if (keepalive)
		peer_line(out, "keepalive %u %u", keepalive, t->keepalive_retries);
	print_addresses(view, out);
	peer_line(out, "up");
	print_routes(view, out);
	if (!t->bridge[0])
		return;
	peer_note(out, "%s is our bridge: write the name of the peer's", t->bridge);
	peer_line(out, "\n### /etc/hostname.bridge0");
	peer_line(out, "add %s\nup", device(view));
}

static void print_sysctl(const struct peer_view *view, const struct peer_out *out)
{
	peer_line(out, "\n### /etc/sysctl.conf");
	peer_say(out, "GRE is off until it is allowed, and so is forwarding.");
	peer_line(out, "net.inet.gre.allow=1");
	if (linux_forwards4(view))
		peer_line(out, "net.inet.ip.forwarding=1");
	if (linux_forwards6(view))
		peer_line(out, "net.inet6.ip6.forwarding=1");
}

static void print_end(FILE *out, const char *word, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	fprintf(out, " %s %s", word, prefix->len ? peer_prefix(prefix, text) : "any");
}

static void print_pass(const struct peer_view *view, const struct peer_out *out,
		       const char *direction, const struct ip_prefix *from,
		       const struct ip_prefix *to)
{
	fprintf(out->out, "pass %s on %s %s", direction, device(view),
		from->addr.family == IP_V6 ? "inet6" : "inet");
	print_end(out->out, "from", from);
	print_end(out->out, "to", to);
	fputc('\n', out->out);
}

static void print_judge(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	if (!view->pair_count)
		return;
	peer_say(out,
		 "What may pass into and out of the tunnel, keepalives, and this machine itself.");
	peer_line(out, "block on %s", device(view));
	peer_line(out, "pass in on %s proto gre from %s to %s no state", device(view),
		  peer_local(t, local), peer_remote(t, remote));
	peer_line(out, "pass in on %s to (%s)", device(view), device(view));
	peer_line(out, "pass out on %s from (%s)", device(view), device(view));
	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (pair->far_opens)
			print_pass(view, out, "in", &pair->far, &pair->near);
		if (pair->near_opens)
			print_pass(view, out, "out", &pair->near, &pair->far);
	}
}

static void print_pf(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	const struct conf_forward *forward = &view->conf->forward;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	peer_line(out, "\n### /etc/pf.conf");
	peer_say(out, "Outer packets.");
	peer_line(out, "pass proto gre from %s to %s", peer_local(t, local),
		  peer_remote(t, remote));
	peer_line(out, "pass proto gre from %s to %s", peer_remote(t, remote),
		  peer_local(t, local));
	if (view->inside4 && view->mss4)
		peer_line(out, "match on %s inet scrub (max-mss %u)", device(view), view->mss4);
	if (view->inside6 && view->mss6)
		peer_line(out, "match on %s inet6 scrub (max-mss %u)", device(view), view->mss6);
	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];

		if (!box_is_towards_us(view, snat))
			continue;
		fprintf(out->out, "match out on %s %s", device(view),
			snat->from.addr.family == IP_V6 ? "inet6" : "inet");
		print_end(out->out, "from", &snat->from);
		peer_line(out, " nat-to (%s)", device(view));
	}
	print_judge(view, out);
}

void peer_for_openbsd(const struct peer_view *view, const struct peer_out *out)
{
	peer_say(out, "Each file begins at a line ### PATH; add the lines of /etc/sysctl.conf and "
		      "/etc/pf.conf to yours.");
	if (!box_notes(view, out, &limits))
		return;
	print_interface(view, out);
	print_sysctl(view, out);
	print_pf(view, out);
}
