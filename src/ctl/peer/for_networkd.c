/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of systemd-networkd, each behind a line "### PATH". The device does not hang on the
 * underlay's .network file (Independent=yes). What networkd does not do is left to sysctl.d and to
 * a service that loads a table of nftables.
 */
#include <inttypes.h>

#include "ctl/peer/print.h"

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void print_notes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	bool v6 = peer_over6(t);

	linux_notes(view, out);
	if (view->csum_send || view->csum_require)
		peer_note(out,
			  "systemd-networkd has no checksums for GRE: write checksum = no here");
	if (view->seq_send != view->seq_receive || (v6 && view->seq_send))
		peer_note(out,
			  "systemd-networkd has sequence numbers in both directions%s: "
			  "write sequence = %s here",
			  v6 ? ", and over IPv4 only" : " only", v6 ? "no" : "yes");
	if ((t->ikey.present && !t->ikey.value) || (t->okey.present && !t->okey.value))
		peer_note(out, "systemd-networkd takes key 0 for none: write another key here");
	if (t->tos_inherit || (v6 && t->tos))
		peer_note(out,
			  "systemd-networkd cannot set this class of service: here tos = %s%02x",
			  t->tos_inherit ? "inherit, 0x" : "0x", t->tos);
	if (t->df == DF_CLEAR)
		peer_note(out,
			  "systemd-networkd cannot ignore the passenger's DF bit: here df = clear");
	if (t->bind[0])
		peer_note(out,
			  "add Tunnel=%s to the [Network] of the device that leads to us there, "
			  "and delete Independent=yes",
			  t->name);
}

static void print_netdev(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[ADDR_TEXT_SIZE];
	bool v6 = peer_over6(t);

	linux_begin_file(out, "/etc/systemd/network/25-", t->name, ".netdev");
	peer_say(out, "The interface; %u octets are left of a path of %u.", view->mtu,
		 view->path_mtu);
	peer_line(out, "[NetDev]\nName=%s\nKind=%s\nMTUBytes=%u\n", t->name, linux_kind(t),
		  view->mtu);
	peer_say(out, "Outer addresses, keys and header as the other end expects them.");
	peer_line(out, "[Tunnel]\nIndependent=yes");
	peer_line(out, "Local=%s", peer_local(t, text));
	peer_line(out, "Remote=%s", peer_remote(t, text));
	if (t->ikey.present)
		peer_line(out, "InputKey=%" PRIu32, t->ikey.value);
	if (t->okey.present)
		peer_line(out, "OutputKey=%" PRIu32, t->okey.value);
	peer_line(out, "TTL=%u", t->ttl_inherit ? 0 : t->ttl);
	if (t->tos && !v6)
		peer_line(out, "TOS=%u", t->tos);
	if (view->seq_send && view->seq_receive && !v6)
		peer_line(out, "SerializeTunneledPackets=yes");
	if (v6)
		peer_line(out, "EncapsulationLimit=none");
	else
		peer_line(out, "DiscoverPathMTU=%s", yes_no(t->df == DF_SET));
}

static void print_addresses(const struct conf_tunnel *t, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];
		struct ip_prefix peer = {a->peer, a->local.len};

		if (i == 0) {
			fputc('\n', out->out);
			peer_say(out, "Addresses inside the tunnel.");
		}
		peer_line(out, "[Address]\nAddress=%s", prefix_format(&a->local, text));
		if (a->peer.family != IP_NONE)
			peer_line(out, "Peer=%s", prefix_format(&peer, text));
	}
}

static void print_route(const struct peer_out *out, const struct ip_prefix *to, uint32_t table)
{
	char text[PREFIX_TEXT_SIZE];

	peer_line(out, "[Route]\nDestination=%s", prefix_format(to, text));
	if (to->addr.family == IP_V4)
		peer_line(out, "Scope=link");
	if (table != 254)
		peer_line(out, "Table=%" PRIu32, table);
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out)
{
	if (t->route_count) {
		fputc('\n', out->out);
		peer_say(out, "Networks behind the other end.");
	}
	for (size_t i = 0; i < t->route_count; i++)
		print_route(out, &t->routes[i].to, t->routes[i].table);
}

static void print_sources(const struct peer_view *view, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	if (view->source_count) {
		fputc('\n', out->out);
		peer_say(out,
			 "These hosts take the default route of table %" PRIu32
			 ", where the main table has no other route for them.",
			 view->table);
	}
	for (size_t i = 0; i < view->source_count; i++) {
		prefix_format(&view->sources[i], text);
		peer_line(out,
			  "[RoutingPolicyRule]\nPriority=%d\nFrom=%s\nTable=254\n"
			  "SuppressPrefixLength=0",
			  PEER_PRIORITY_MAIN, text);
		peer_line(out, "[RoutingPolicyRule]\nPriority=%d\nFrom=%s\nTable=%" PRIu32,
			  PEER_PRIORITY_FROM, text, view->table);
	}
}

static void print_return_path(const struct peer_view *view, const struct peer_out *out)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	if (!view->return_path)
		return;
	fputc('\n', out->out);
	peer_say(out, "Answers to connections that came in by the tunnel leave by it.");
	for (size_t i = 0; i < 2; i++) {
		const struct ip_prefix any = {.addr.family = families[i]};

		if (linux_lacks_default(view, families[i]))
			print_route(out, &any, view->table);
		if (linux_returns(view, families[i]))
			peer_line(out,
				  "[RoutingPolicyRule]\nPriority=%d\nFamily=ipv%d\n"
				  "FirewallMark=%" PRIu32 "/%u\nTable=%" PRIu32,
				  PEER_PRIORITY_MARK, families[i] == IP_V6 ? 6 : 4,
				  linux_mark(view), PEER_MARK_MASK, view->table);
	}
}

static void print_network(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;

	linux_begin_file(out, "/etc/systemd/network/25-", t->name, ".network");
	peer_line(out, "[Match]\nName=%s\n", t->name);
	peer_say(out, "A tunnel is there whether its peer is or not.");
	peer_line(out, "[Network]\nConfigureWithoutCarrier=yes\nLinkLocalAddressing=no");
	if (linux_answers(view) && !peer_over6(t))
		peer_line(out, "IPv4AcceptLocal=yes");
	if (t->bridge[0])
		peer_line(out, "Bridge=%s", t->bridge);
	print_addresses(t, out);
	print_routes(t, out);
	print_sources(view, out);
	print_return_path(view, out);
}

/* networkd joins a device only to a bridge that one of its files makes. The name sorts behind those
 * of others, so that theirs counts where there is one; a bridge that is there already is taken. */
static void print_bridge(const struct conf_tunnel *t, const struct peer_out *out)
{
	if (!t->bridge[0])
		return;
	linux_begin_file(out, "/etc/systemd/network/99-", t->bridge, ".netdev");
	peer_say(out, "The bridge, where no other file of networkd makes it.");
	peer_line(out, "[NetDev]\nName=%s\nKind=bridge", t->bridge);
}

void peer_for_networkd(const struct peer_view *view, const struct peer_out *out)
{
	peer_say(out, "Each file begins at a line ### PATH. Then: networkctl reload");
	print_notes(view, out);
	print_netdev(view, out);
	print_network(view, out);
	print_bridge(view->tunnel, out);
	linux_files(view, out, false);
}
