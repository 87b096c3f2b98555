/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A script for sh(1) with ip(8) and nft(8). It can be run again: it begins by undoing itself. */
#include <inttypes.h>
#include <stdarg.h>

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

/* The kernel takes GRE out of UDP ("foo over UDP", or GUE) for all tunnels that have the port. */
static void print_fou(const struct conf_tunnel *t, const struct peer_out *out)
{
	const char *option = peer_over6(t) ? "-6 " : "";

	peer_say(out,
		 t->gue ? "GRE comes in UDP to port %u, behind a header of GUE."
			: "GRE comes in UDP (RFC 8086) to port %u.",
		 t->udp_port);
	peer_line(out, "modprobe %s 2>/dev/null || true", peer_over6(t) ? "fou6" : "fou");
	peer_line(out, "ip %sfou del port %u 2>/dev/null || true", option, t->udp_port);
	peer_line(out, "ip %sfou add port %u %s", option, t->udp_port,
		  t->gue ? "gue" : "ipproto 47");
}

/* For IPv6 the word is another than what ip(8) shows. */
static void print_encap(const struct conf_tunnel *t, FILE *out)
{
	const char *checksum = peer_over6(t) ? "encap-udp6-csum" : "encap-csum";

	if (t->udp_port)
		fprintf(out, " encap %s encap-sport auto encap-dport %u %s%s",
			t->gue ? "gue" : "fou", t->udp_port, t->udp_checksum ? "" : "no", checksum);
}

static void print_link(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	bool v6 = peer_over6(t);

	if (t->udp_port)
		print_fou(t, out);
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
	print_encap(t, out->out);
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

		fprintf(out->out, "ip %s route add %s dev %s", family_option(r->to.addr.family),
			prefix_format(&r->to, to), t->name);
		if (r->table != 254)
			fprintf(out->out, " table %" PRIu32, r->table);
		fputc('\n', out->out);
	}
}

/* A rule, which an earlier run may have left. */
__attribute__((format(printf, 3, 4))) static void
print_rule(const struct peer_out *out, uint8_t family, const char *format, ...)
{
	char rule[128];
	va_list words;

	va_start(words, format);
	vsnprintf(rule, sizeof rule, format, words);
	va_end(words);
	peer_line(out, "ip %s rule del %s 2>/dev/null || true", family_option(family), rule);
	peer_line(out, "ip %s rule add %s", family_option(family), rule);
}

static void print_sources(const struct peer_view *view, const struct peer_out *out)
{
	char from[PREFIX_TEXT_SIZE];

	if (view->source_count)
		peer_say(out,
			 "These hosts take the default route of table %" PRIu32
			 ", where the main table has no other route for them.",
			 view->table);
	for (size_t i = 0; i < view->source_count; i++) {
		uint8_t family = view->sources[i].addr.family;

		prefix_format(&view->sources[i], from);
		print_rule(out, family, "from %s lookup main suppress_prefixlength 0 priority %d",
			   from, PEER_PRIORITY_MAIN);
		print_rule(out, family, "from %s lookup %" PRIu32 " priority %d", from, view->table,
			   PEER_PRIORITY_FROM);
	}
}

static void print_return_path(const struct peer_view *view, const struct peer_out *out)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	if (view->return_path)
		peer_say(out, "Answers to connections that came in by the tunnel leave by it.");
	for (size_t i = 0; i < 2; i++) {
		if (linux_lacks_default(view, families[i]))
			peer_line(out, "ip %s route add default dev %s table %" PRIu32,
				  family_option(families[i]), view->tunnel->name, view->table);
		if (linux_returns(view, families[i]))
			print_rule(out, families[i],
				   "fwmark 0x%08" PRIx32 "/0x%08x lookup %" PRIu32 " priority %d",
				   linux_mark(view), PEER_MARK_MASK, view->table,
				   PEER_PRIORITY_MARK);
	}
}

/* A router does not hear advertisements of other routers, unless accept_ra is 2. */
static void print_forwarding6(const char *name, const struct peer_out *out)
{
	peer_say(out, "Devices that have their IPv6 routes from advertisements keep them.");
	peer_line(out, "for ra in /proc/sys/net/ipv6/conf/*/accept_ra; do");
	peer_line(out, "\tcase $ra in */all/* | */default/* | */%s/*) continue ;; esac", name);
	peer_line(out, "\t[ \"$(cat \"$ra\")\" != 1 ] || echo 2 >\"$ra\"");
	peer_line(out, "done");
	peer_line(out, "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
}

static void print_switches(const struct peer_view *view, const struct peer_out *out)
{
	const char *name = view->tunnel->name;

	if (linux_forwards4(view) || linux_forwards6(view))
		peer_say(out, "This machine forwards.");
	if (linux_forwards4(view))
		peer_line(out, "echo 1 >/proc/sys/net/ipv4/ip_forward");
	if (linux_forwards6(view))
		print_forwarding6(name, out);
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
	if (t->udp_port)
		peer_say(out, "  ip %sfou del port %u", peer_over6(t) ? "-6 " : "", t->udp_port);
	linux_notes(view, out);
	peer_line(out, "set -eu");
	peer_say(out, "What an earlier run has left.");
	peer_line(out,
		  "[ -z \"$(ip -o link show dev %s type %s 2>/dev/null)\" ] || ip link del dev %s",
		  t->name, linux_kind(t), t->name);
	print_link(view, out);
	print_addresses(t, out);
	print_routes(t, out);
	print_sources(view, out);
	print_return_path(view, out);
	print_switches(view, out);
	if (!linux_has_rules(view))
		return;
	peer_line(out, "nft -f - <<'EOF'");
	linux_rules(view, out, table);
	peer_line(out, "EOF");
}
