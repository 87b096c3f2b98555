/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A script for sh(1) with ip(8) and nft(8). It can be run again: it begins by undoing itself. */
#include <inttypes.h>

#include "ctl/peer/print.h"

static void print_header(const struct peer_view *view, FILE *out)
{
	const struct conf_tunnel *t = view->tunnel;

	if (t->ikey.present)
		fprintf(out, " ikey %" PRIu32, t->ikey.value);
	if (t->okey.present)
		fprintf(out, " okey %" PRIu32, t->okey.value);
	fputs(view->csum_require ? " icsum" : "", out);
	fputs(view->csum_send ? " ocsum" : "", out);
	fputs(view->seq_receive ? " iseq" : "", out);
	fputs(view->seq_send ? " oseq" : "", out);
}

static void print_link(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	bool v6 = peer_over6(t);

	peer_say(out,
		 "The tunnel: outer addresses, keys and header as the other end expects them.");
	fprintf(out->out, "ip link add dev %s type %s local %s remote %s", t->name, linux_kind(t),
		peer_local(t, local), peer_remote(t, remote));
	if (t->bind[0])
		fprintf(out->out, " dev %s", t->bind);
	print_header(view, out->out);
	if (t->ttl_inherit)
		fprintf(out->out, " ttl inherit");
	else
		fprintf(out->out, " ttl %u", t->ttl);
	if (t->tos_inherit)
		fprintf(out->out, v6 ? " tclass inherit" : " tos inherit");
	else if (t->tos)
		fprintf(out->out, v6 ? " tclass 0x%02x" : " tos 0x%02x", t->tos);
	if (v6)
		fprintf(out->out, " encaplimit none");
	else if (t->df == DF_SET)
		fprintf(out->out, " pmtudisc");
	else
		fprintf(out->out, t->df == DF_CLEAR ? " nopmtudisc ignore-df" : " nopmtudisc");
	fputc('\n', out->out);
	peer_say(out, "%u octets are left of a path of %u.", view->mtu, view->path_mtu);
	peer_line(out, "ip link set dev %s mtu %u", t->name, view->mtu);
	if (t->bridge[0])
		peer_line(out, "ip link set dev %s master %s", t->name, t->bridge);
	peer_line(out, "ip link set dev %s multicast on", t->name);
	peer_line(out, "ip link set dev %s up", t->name);
}

static void print_addresses(const struct conf_tunnel *t, const struct peer_out *out)
{
	char local[PREFIX_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	if (t->address_count)
		peer_say(out, "Addresses inside the tunnel.");
	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];
		const char *nodad = a->local.addr.family == IP_V6 ? " nodad" : "";

		if (a->peer.family == IP_NONE)
			peer_line(out, "ip address add %s dev %s%s",
				  prefix_format(&a->local, local), t->name, nodad);
		else
			peer_line(out, "ip address add %s peer %s dev %s%s",
				  addr_format(&a->local.addr, local), addr_format(&a->peer, peer),
				  t->name, nodad);
	}
}

static const char *family_option(uint8_t family)
{
	return family == IP_V6 ? "-6" : "-4";
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out)
{
	char to[PREFIX_TEXT_SIZE];

	if (t->route_count)
		peer_say(out, "Networks behind the other end.");
	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		fprintf(out->out, "ip %s route replace %s dev %s", family_option(r->to.addr.family),
			prefix_format(&r->to, to), t->name);
		if (r->table != 254)
			fprintf(out->out, " table %" PRIu32, r->table);
		fputc('\n', out->out);
	}
}

static void print_rules_of_routing(const struct peer_view *view, const struct peer_out *out)
{
	char from[PREFIX_TEXT_SIZE];

	if (view->source_count)
		peer_say(out, "These hosts take the default route of table %d.", PEER_TABLE);
	for (size_t i = 0; i < view->source_count; i++) {
		const char *family = family_option(view->sources[i].addr.family);

		prefix_format(&view->sources[i], from);
		peer_line(out, "ip %s rule del from %s lookup %d 2>/dev/null || true", family, from,
			  PEER_TABLE);
		peer_line(out, "ip %s rule add from %s lookup %d", family, from, PEER_TABLE);
	}
	if (!view->return_path)
		return;
	peer_say(out, "Answers to connections that came in by the tunnel leave by it.");
	for (int v6 = 0; v6 < 2; v6++) {
		const char *family = family_option(v6 ? IP_V6 : IP_V4);

		if (v6 ? !view->inside6 : !view->inside4)
			continue;
		peer_line(out, "ip %s route replace default dev %s table %d", family,
			  view->tunnel->name, PEER_TABLE);
		peer_line(out, "ip %s rule del fwmark %d lookup %d 2>/dev/null || true", family,
			  PEER_TABLE, PEER_TABLE);
		peer_line(out, "ip %s rule add fwmark %d lookup %d", family, PEER_TABLE,
			  PEER_TABLE);
	}
}

static void print_switches(const struct peer_view *view, const struct peer_out *out)
{
	const char *name = view->tunnel->name;

	if (linux_forwards4(view) || linux_forwards6(view))
		peer_say(out, "This machine forwards.");
	if (linux_forwards4(view))
		peer_line(out, "echo 1 >/proc/sys/net/ipv4/ip_forward");
	if (linux_forwards6(view))
		peer_line(out, "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	if (linux_answers(view) && !peer_over6(view->tunnel)) {
		peer_say(out,
			 "Keepalives of the other end are packets with our own source address: "
			 "they are taken,");
		peer_say(out, "and forwarded back.");
		peer_line(out, "echo 1 >/proc/sys/net/ipv4/conf/%s/accept_local", name);
	}
	if (view->return_path || linux_answers(view)) {
		peer_say(out, "Sources that are routed elsewhere are taken from the tunnel.");
		peer_line(out, "echo %d >/proc/sys/net/ipv4/conf/%s/rp_filter",
			  view->inside4 ? 2 : 0, name);
	}
}

void peer_for_iproute2(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char table[IFNAMSIZ + 8];

	linux_table(t, table);
	peer_say(out, "Run it as root, as often as you like. To undo it:");
	if (linux_has_rules(view))
		peer_say(out, "  ip link del dev %s; nft delete table inet %s", t->name, table);
	else
		peer_say(out, "  ip link del dev %s", t->name);
	linux_notes(view, out);
	peer_line(out, "set -eu");
	peer_say(out, "What an earlier run has left.");
	peer_line(out, "ip link del dev %s 2>/dev/null || true", t->name);
	print_link(view, out);
	print_addresses(t, out);
	print_routes(t, out);
	print_rules_of_routing(view, out);
	print_switches(view, out);
	if (!linux_has_rules(view))
		return;
	peer_line(out, "nft -f - <<'EOF'");
	linux_rules(view, out, table);
	peer_line(out, "EOF");
}
