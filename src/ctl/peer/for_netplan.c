/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netplan: a file of YAML, and what it does not do as files beside it, each behind "### PATH". */
#include <inttypes.h>

#include "ctl/peer/print.h"

static const uint8_t families[] = {IP_V4, IP_V6};

static void print_notes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;

	linux_notes(view, out);
	if (view->csum_send || view->csum_require)
		peer_note(out, "netplan has no checksums for GRE: write checksum = no here");
	if (view->seq_send || view->seq_receive)
		peer_note(out, "netplan has no sequence numbers for GRE: write sequence = no here");
	if ((t->ikey.present && !t->ikey.value) || (t->okey.present && !t->okey.value))
		peer_note(out, "netplan takes key 0 for none: write another key here");
	if (t->ttl_inherit)
		peer_note(out, "netplan leaves the TTL out where it is inherited, which is the "
			       "kernel's choice over IPv4 only");
	if (t->tos || t->tos_inherit)
		peer_note(out, "netplan cannot set the outer class of service: here tos = %s",
			  t->tos_inherit ? "inherit" : "a number");
	if (t->df != DF_SET && !peer_over6(t))
		peer_note(out, "netplan always sets the outer DF bit: here df = %s",
			  t->df == DF_COPY ? "copy" : "clear");
	if (view->source_count)
		peer_note(out, "netplan cannot ask the main table first: give each other network "
			       "that the peer has a route to a rule like the one with table 254");
	if (view->return_path)
		peer_note(out, "netplan has no masks for marks: nothing else at the peer may mark "
			       "the answers to what came in by the tunnel");
	if (peer_over6(t))
		peer_note(out,
			  "netplan leaves the kernel's encapsulation limit on: large packets have "
			  "8 octets less, which the MTU allows for");
}

static void print_header(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	uint32_t mtu = view->mtu;
	char text[ADDR_TEXT_SIZE];

	peer_line(out, "    %s:\n      mode: %s", t->name, linux_kind(t));
	peer_line(out, "      local: %s", peer_local(t, text));
	peer_line(out, "      remote: %s", peer_remote(t, text));
	if (!t->ttl_inherit)
		peer_line(out, "      ttl: %u", t->ttl);
	if (t->ikey.present || t->okey.present)
		peer_line(out, "      keys:");
	if (t->ikey.present)
		peer_line(out, "        input: %" PRIu32, t->ikey.value);
	if (t->okey.present)
		peer_line(out, "        output: %" PRIu32, t->okey.value);
	if (peer_over6(t) && !t->mtu)
		mtu -= 8;
	peer_line(out, "      mtu: %u\n      link-local: []", mtu);
}

static void print_addresses(const struct conf_tunnel *t, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	if (t->address_count)
		peer_line(out, "      addresses:");
	for (size_t i = 0; i < t->address_count; i++)
		peer_line(out, "        - %s", prefix_format(&t->addresses[i].local, text));
}

static void print_route(const struct peer_out *out, const struct ip_prefix *to, uint32_t table)
{
	char text[PREFIX_TEXT_SIZE];

	peer_line(out, "        - to: %s\n          scope: link", prefix_format(to, text));
	if (table != 254)
		peer_line(out, "          table: %" PRIu32, table);
}

/* netplan has no address of the other end; a route to it does the same. */
static void print_routes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	bool any = t->route_count || view->return_path;

	for (size_t i = 0; i < t->address_count; i++)
		any |= t->addresses[i].peer.family != IP_NONE;
	if (!any)
		return;
	peer_line(out, "      routes:");
	for (size_t i = 0; i < t->address_count; i++)
		if (t->addresses[i].peer.family != IP_NONE)
			print_route(out,
				    &(struct ip_prefix){t->addresses[i].peer,
							t->addresses[i].local.len},
				    254);
	for (size_t i = 0; i < t->route_count; i++)
		print_route(out, &t->routes[i].to, t->routes[i].table);
	for (size_t i = 0; i < 2; i++)
		if (linux_lacks_default(view, families[i]))
			print_route(out, &(struct ip_prefix){.addr.family = families[i]},
				    view->table);
}

static void print_policy(const struct peer_view *view, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	if (!view->source_count && !view->return_path)
		return;
	peer_line(out, "      routing-policy:");
	for (size_t i = 0; i < view->source_count; i++) {
		prefix_format(&view->sources[i], text);
		peer_line(out, "        - to: %s\n          table: 254\n          priority: %d",
			  text, PEER_PRIORITY_MAIN);
		peer_line(out,
			  "        - from: %s\n          table: %" PRIu32
			  "\n          priority: %d",
			  text, view->table, PEER_PRIORITY_FROM);
	}
	for (size_t i = 0; i < 2; i++)
		if (linux_returns(view, families[i]))
			peer_line(out,
				  "        - from: %s\n          mark: %" PRIu32
				  "\n          table: %" PRIu32 "\n          priority: %d",
				  families[i] == IP_V6 ? "::/0" : "0.0.0.0/0", linux_mark(view),
				  view->table, PEER_PRIORITY_MARK);
}

void peer_for_netplan(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;

	peer_say(out, "Each file begins at a line ### PATH. Then: netplan apply");
	print_notes(view, out);
	linux_begin_file(out, "/etc/netplan/60-", t->name, ".yaml");
	peer_say(out, "The tunnel, its addresses, and the networks behind the other end.");
	peer_line(out, "network:\n  version: 2\n  renderer: networkd\n  tunnels:");
	print_header(view, out);
	print_addresses(t, out);
	print_routes(view, out);
	print_policy(view, out);
	if (t->bridge[0])
		peer_line(out, "  bridges:\n    %s:\n      interfaces: [%s]", t->bridge, t->name);
	linux_files(view, out, true);
}
