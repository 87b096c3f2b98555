/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FortiOS 7: commands for its CLI. The devices wan1 and internal are those of a box as delivered.
 */
#include <inttypes.h>

#include "ctl/peer/box.h"

#define WAN "wan1"
#define LAN "internal"

static const struct box_limits limits = {
	.title = "FortiOS",
	.key = BOX_EACH,
	.checksum = BOX_EACH,
	.sequence = BOX_EACH,
	.outer6 = true,
	.tos = true,
	.tos_inherit = true,
	.df_copy = true,
	.keepalive_max = 32767,
};

static const char *switch_word(bool on)
{
	return on ? "enable" : "disable";
}

static void print_tunnel(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned keepalive = box_keepalive(view, &limits);
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	const char *six = peer_over6(t) ? "6" : "";

	peer_say(out, "The tunnel.");
	peer_line(out, "config system gre-tunnel\n edit \"%s\"\n  set interface \"" WAN "\"",
		  t->name);
	peer_line(out, "  set ip-version %u", peer_over6(t) ? 6u : 4u);
	peer_line(out, "  set local-gw%s %s\n  set remote-gw%s %s", six, peer_local(t, local), six,
		  peer_remote(t, remote));
	if (t->ikey.present)
		peer_line(out, "  set key-inbound %" PRIu32, t->ikey.value);
	if (t->okey.present)
		peer_line(out, "  set key-outbound %" PRIu32, t->okey.value);
	peer_line(out, "  set checksum-transmission %s", switch_word(view->csum_send));
	peer_line(out, "  set checksum-reception %s", switch_word(view->csum_require));
	peer_line(out, "  set sequence-number-transmission %s", switch_word(view->seq_send));
	peer_line(out, "  set sequence-number-reception %s", switch_word(view->seq_receive));
	peer_line(out, "  set dscp-copying %s", switch_word(t->tos_inherit));
	if (t->tos) {
		char bits[7] = "000000";

		for (int i = 0; i < 6; i++)
			bits[i] = t->tos & 0x80 >> i ? '1' : '0';
		peer_line(out, "  set diffservcode %s", bits);
	}
	if (keepalive)
		peer_line(out, "  set keepalive-interval %u\n  set keepalive-failtimes %u",
			  keepalive, t->keepalive_retries);
	peer_line(out, " next\nend");
}

static void print_address6(const struct conf_tunnel *t, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];
	const char *sub = "";

	for (size_t i = 0; i < t->address_count; i++) {
		struct ip_prefix network = box_network(&t->addresses[i]);

		if (network.addr.family != IP_V6)
			continue;
		if (!*sub)
			peer_line(out, "  config ipv6\n   set ip6-address %s",
				  prefix_format(&network, text));
		else
			peer_note(out, "a second IPv6 address is left out: %s",
				  prefix_format(&network, text));
		sub = "   end";
	}
	if (*sub)
		peer_line(out, "   set ip6-allowaccess ping\n  end");
}

static void print_interface(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char text[ADDR_TEXT_SIZE];
	bool done = false;

	peer_say(out, "Addresses inside the tunnel, and what fits it.");
	peer_line(out, "config system interface\n edit \"%s\"", t->name);
	for (size_t i = 0; i < t->address_count; i++) {
		const struct ip_addr *local = &t->addresses[i].local.addr;

		if (local->family != IP_V4)
			continue;
		if (done) {
			peer_note(out, "a second IPv4 address is left out: %s",
				  addr_format(local, text));
			continue;
		}
		peer_line(out, "  set ip %s 255.255.255.255", addr_format(local, text));
		peer_line(out, "  set remote-ip %s 255.255.255.255",
			  addr_format(&view->far[i], text));
		done = true;
	}
	peer_line(out, "  set allowaccess ping");
	peer_line(out, "  set mtu-override enable\n  set mtu %u", view->mtu);
	if (view->inside4 && view->mss4)
		peer_line(out, "  set tcp-mss %u", view->mss4);
	print_address6(t, out);
	peer_line(out, " next\nend");
}

static void print_routes(const struct conf_tunnel *t, const struct peer_out *out, uint8_t family)
{
	char to[PREFIX_TEXT_SIZE], mask[ADDR_TEXT_SIZE];
	bool begun = false;

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		if (r->table != 254 || r->to.addr.family != family)
			continue;
		if (!begun) {
			peer_say(out, "Networks behind the other end.");
			peer_line(out, "config router static%s", family == IP_V6 ? "6" : "");
		}
		begun = true;
		if (family == IP_V6)
			peer_line(out, " edit 0\n  set dst %s", prefix_format(&r->to, to));
		else
			peer_line(out, " edit 0\n  set dst %s %s", addr_format(&r->to.addr, to),
				  box_mask(r->to.len, mask));
		peer_line(out, "  set device \"%s\"\n next", t->name);
	}
	if (begun)
		peer_line(out, "end");
}

/* Addresses are objects; "all" is there already. */
static const char *object(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE])
{
	if (!prefix->len)
		return "all";
	return prefix_format(prefix, buf);
}

static void print_object(const struct peer_out *out, const struct ip_prefix *prefix)
{
	char name[PREFIX_TEXT_SIZE], text[ADDR_TEXT_SIZE], mask[ADDR_TEXT_SIZE];

	if (!prefix->len)
		return;
	object(prefix, name);
	if (prefix->addr.family == IP_V6)
		peer_line(out, "config firewall address6\n edit \"%s\"\n  set ip6 %s\n next\nend",
			  name, name);
	else
		peer_line(out,
			  "config firewall address\n edit \"%s\"\n  set subnet %s %s\n next\nend",
			  name, addr_format(&prefix->addr, text), box_mask(prefix->len, mask));
}

/* Whether the peer hides these hosts behind its inner address. */
static bool is_hidden(const struct peer_view *view, const struct ip_prefix *near)
{
	const struct conf_forward *forward = &view->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++)
		if (box_is_towards_us(view, &forward->snats[i]) &&
		    prefix_equal(&forward->snats[i].from, near))
			return true;
	return false;
}

static void print_policy(const struct peer_out *out, const char *in, const char *to_device,
			 const struct ip_prefix *from, const struct ip_prefix *to, bool nat)
{
	const char *six = from->addr.family == IP_V6 ? "6" : "";
	char text[PREFIX_TEXT_SIZE];

	peer_line(out, "config firewall policy\n edit 0");
	peer_line(out, "  set srcintf \"%s\"\n  set dstintf \"%s\"", in, to_device);
	peer_line(out, "  set srcaddr%s \"%s\"", six, object(from, text));
	peer_line(out, "  set dstaddr%s \"%s\"", six, object(to, text));
	peer_line(out, "  set action accept\n  set schedule \"always\"\n  set service \"ALL\"");
	if (nat)
		peer_line(out, "  set nat enable");
	peer_line(out, " next\nend");
}

static void print_policies(const struct peer_view *view, const struct peer_out *out)
{
	static const struct ip_prefix any = {.addr.family = IP_V4};
	const char *name = view->tunnel->name;

	peer_say(out, "What may pass into and out of the tunnel.");
	for (size_t i = 0; i < view->pair_count; i++) {
		const struct peer_pair *pair = &view->pairs[i];

		if (box_is_new(view, i, true))
			print_object(out, &pair->far);
		if (box_is_new(view, i, false))
			print_object(out, &pair->near);
		if (pair->far_opens)
			print_policy(out, name, LAN, &pair->far, &pair->near, false);
		if (pair->near_opens)
			print_policy(out, LAN, name, &pair->near, &pair->far,
				     is_hidden(view, &pair->near));
	}
	if (view->pair_count)
		return;
	print_policy(out, name, LAN, &any, &any, false);
	print_policy(out, LAN, name, &any, &any,
		     (box_masquerades(view, IP_V4) || box_masquerades(view, IP_V6)));
}

void peer_for_fortios(const struct peer_view *view, const struct peer_out *out)
{
	if (!box_notes(view, out, &limits))
		return;
	peer_say(out, WAN " leads to us, " LAN " to the peer's hosts: write the names of the box.");
	if (view->inside6 && view->mss6)
		peer_note(out, "the segment size of TCP over IPv6 is left to our own rules");
	print_tunnel(view, out);
	print_interface(view, out);
	print_routes(view->tunnel, out, IP_V4);
	print_routes(view->tunnel, out, IP_V6);
	print_policies(view, out);
}
