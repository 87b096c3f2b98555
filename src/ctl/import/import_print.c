/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The import in the words of our file. Only what differs from a default is written. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/import/import.h"

#define ALLOWS_MAX   8
#define KEEP_CARRIER "keepalive = 10s 3"

static bool is_tap(const struct gre_link *gre)
{
	return strstr(gre->link.kind, "tap") != NULL;
}

static void print_end(const char *key, const struct ip_addr *addr, FILE *out)
{
	char text[ADDR_TEXT_SIZE];

	if (addr->family != IP_NONE)
		fprintf(out, "%s = %s\n", key, addr_format(addr, text));
}

/* The peer's prefix, where it is more than the peer, is a network behind it. */
static void print_address(const struct address_info *a, FILE *out)
{
	unsigned full = addr_size(a->local.addr.family) * 8;
	char text[PREFIX_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	if (a->peer.family != IP_NONE) {
		struct ip_prefix network = {a->peer, a->local.len};

		fprintf(out, "address = %s peer %s\n", addr_format(&a->local.addr, text),
			addr_format(&a->peer, peer));
		network = prefix_network(&network);
		if (network.len < full)
			fprintf(out, "route = %s\n", prefix_format(&network, text));
	} else if (a->local.len == full) {
		fprintf(out, "address = %s\n", addr_format(&a->local.addr, text));
	} else {
		fprintf(out, "address = %s\n", prefix_format(&a->local, text));
	}
}

/* Not named are the main table, or the VRF's. */
static void print_route(const struct route_info *r, uint32_t vrf_table, FILE *out)
{
	char to[PREFIX_TEXT_SIZE], src[ADDR_TEXT_SIZE];

	fprintf(out, "route = %s", prefix_format(&r->to, to));
	if (r->metric)
		fprintf(out, " metric %" PRIu32, r->metric);
	if (r->src.family != IP_NONE)
		fprintf(out, " src %s", addr_format(&r->src, src));
	if (r->table != (vrf_table ? vrf_table : ROUTE_TABLE_MAIN))
		fprintf(out, " table %" PRIu32, r->table);
	fprintf(out, "\n");
}

static void print_keys(const struct gre_link *gre, FILE *out)
{
	if (gre->has_ikey && gre->has_okey && gre->ikey == gre->okey) {
		fprintf(out, "key = %" PRIu32 "\n", gre->ikey);
		return;
	}
	if (gre->has_ikey)
		fprintf(out, "ikey = %" PRIu32 "\n", gre->ikey);
	if (gre->has_okey)
		fprintf(out, "okey = %" PRIu32 "\n", gre->okey);
}

/* `both` is for one that goes both ways, `in` and `out_word` for one way. */
static void print_ways(const char *key, bool in, bool out, const char *const words[3], FILE *file)
{
	if (in && out)
		fprintf(file, "%s = %s\n", key, words[0]);
	else if (in)
		fprintf(file, "%s = %s\n", key, words[1]);
	else if (out)
		fprintf(file, "%s = %s\n", key, words[2]);
}

/* A port that our file takes. */
static bool is_in_udp(const struct gre_link *gre)
{
	return (gre->encap == GRE_ENCAP_FOU || gre->encap == GRE_ENCAP_GUE) &&
	       gre->encap_dport >= 1024;
}

/* What the peer sends without a checksum over IPv6 is to be taken; over IPv4 it is in any case. */
static void print_udp(const struct gre_link *gre, FILE *out)
{
	char udp[CONF_UDP_SIZE];

	if (!is_in_udp(gre))
		return;
	fprintf(out, "udp = %s\n",
		conf_udp_text(gre->encap_dport, gre->encap == GRE_ENCAP_GUE, udp));
	if (gre->family == IP_V6 && !gre->encap_csum6)
		fprintf(out, "udp-checksum = no\n");
}

static void print_header(const struct gre_link *gre, FILE *out)
{
	static const char *const sums[] = {"require", "receive", "yes"};
	static const char *const sequences[] = {"yes", "receive", "send"};

	print_ways("checksum", gre->icsum, gre->ocsum, sums, out);
	print_ways("sequence", gre->iseq, gre->oseq, sequences, out);
	print_udp(gre, out);
	if (gre->ttl == 0)
		fprintf(out, "ttl = inherit\n");
	else if (gre->ttl != 64)
		fprintf(out, "ttl = %u\n", gre->ttl);
	if (gre->tos_inherit)
		fprintf(out, "tos = inherit\n");
	else if (gre->tos & 0xfc)
		fprintf(out, "tos = 0x%02x\n", gre->tos & 0xfc);
	if (gre->family == IP_V4 && !gre->pmtudisc)
		fprintf(out, "df = %s\n", gre->ignore_df ? "clear" : "copy");
}

static void print_tunnel(const struct import_tunnel *tunnel, FILE *out)
{
	const struct gre_link *gre = &tunnel->gre;

	fprintf(out, "[tunnel %s]\n", gre->link.name);
	if (is_tap(gre))
		fprintf(out, "mode = gretap\n");
	if (tunnel->follows_bind && tunnel->bind[0])
		fprintf(out, "local = address-of %s\n", tunnel->bind);
	else
		print_end("local", &gre->local, out);
	print_end("remote", &gre->remote, out);
	if (tunnel->bind[0])
		fprintf(out, "bind = %s\n", tunnel->bind);
	if (gre->fwmark)
		fprintf(out, "fwmark = 0x%" PRIx32 "\n", gre->fwmark);
	if (tunnel->bridge[0])
		fprintf(out, "bridge = %s\n", tunnel->bridge);
	if (tunnel->vrf[0])
		fprintf(out, "vrf = %s\n", tunnel->vrf);
	for (size_t i = 0; i < tunnel->address_count; i++)
		print_address(&tunnel->addresses[i], out);
	for (size_t i = 0; i < tunnel->route_count; i++)
		print_route(&tunnel->routes[i], tunnel->vrf_table, out);
	if (tunnel->group && tunnel->weight > 1)
		fprintf(out, "group = %s weight %u\n", tunnel->group, tunnel->weight);
	else if (tunnel->group)
		fprintf(out, "group = %s\n", tunnel->group);
	print_keys(gre, out);
	print_header(gre, out);
	if (gre->link.mtu && !tunnel->mtu_auto)
		fprintf(out, "mtu = %" PRIu32 "\n", gre->link.mtu);
}

/* What the header of a kernel's tunnel has and ours does not. */
static void print_differences(const struct gre_link *gre, FILE *out)
{
	if (gre->flow_label)
		fprintf(out, "# The flow label 0x%05" PRIx32 " of outer packets is left out.\n",
			gre->flow_label);
	if (gre->encap_limit)
		fprintf(out,
			"# The encapsulation limit %u (8 octets in each packet) is no longer sent; "
			"packets with one are taken.\n",
			gre->encap_limit);
	if (is_in_udp(gre))
		fprintf(out,
			"# The kernel has UDP port %u until \"ip %sfou del port %u\", which other "
			"tunnels may need.\n",
			gre->encap_dport, gre->family == IP_V6 ? "-6 " : "", gre->encap_dport);
	if (gre->ttl == 0)
		fprintf(out,
			"# ttl = inherit gives the TTL of 1 of some routing protocols to outer "
			"packets; ttl = 64 does not.\n");
	if (gre->iseq || gre->oseq)
		fprintf(out, "# Sequence numbers cost speed and only reject what is late; the peer "
			     "must be changed with them.\n");
}

/* Why a link of GRE is nothing for us, or NULL. */
static const char *why_unfit(const struct import_tunnel *tunnel)
{
	const struct gre_link *gre = &tunnel->gre;

	if (tunnel->unfit)
		return tunnel->unfit;
	if (strstr(gre->link.kind, "erspan"))
		return "ERSPAN sessions are not read: write them by hand, with mode = erspan";
	if (gre->external)
		return "it is external: each packet brings its own addresses, from a program or "
		       "rule";
	if (gre->encap == GRE_ENCAP_MPLS)
		return "its GRE has MPLS before it: the peer would have to do without";
	if (gre->encap == GRE_ENCAP_GUE && gre->encap_remcsum)
		return "its GUE leaves checksums to the receiver, which is not taken here: both "
		       "ends would have to have noencap-remcsum";
	if (gre->encap && !is_in_udp(gre))
		return "its GRE is in UDP to no port, or to one below 1024: both ends would have "
		       "to take one that is higher";
	if (gre->remote.family == IP_NONE)
		return "it has no remote: write a line peer = NEXT-HOP at ADDRESS for each of its "
		       "neighbours (ip neigh show dev)";
	if (gre->local.family == IP_NONE && tunnel->follows_bind && !tunnel->bind[0])
		return "its address is that of a device that is not named: write local = "
		       "address-of DEVICE";
	if (gre->local.family == IP_NONE && !tunnel->follows_bind)
		return "it has no local, and there is no way to the remote that would tell one";
	return NULL;
}

/* Each line of the section behind a #. */
static void print_as_comment(const struct import_tunnel *tunnel, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	print_tunnel(tunnel, memory);
	fclose(memory);
	for (const char *line = text; line && *line;) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "#%.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	free(text);
}

static void print_block(const struct import_tunnel *tunnel, FILE *out)
{
	const struct gre_link *gre = &tunnel->gre;
	const char *unfit = why_unfit(tunnel);

	fprintf(out, "\n# %s: from %s, of kind %s\n", gre->link.name, tunnel->source,
		gre->link.kind);
	print_differences(gre, out);
	for (size_t i = 0; i < tunnel->notes.count; i++)
		if (tunnel->notes.lines[i])
			fprintf(out, "# %s\n", tunnel->notes.lines[i]);
	if (unfit) {
		fprintf(out, "# NOT CARRIED OVER: %s\n", unfit);
		print_as_comment(tunnel, out);
		return;
	}
	print_tunnel(tunnel, out);
	fprintf(out, "# A dead peer is noticed with: " KEEP_CARRIER "\n");
}

static bool forwards(const struct import *import, uint8_t family)
{
	return family == IP_V4 ? import->forwards_v4 : import->forwards_v6;
}

/* One line for each of this machine's networks and each network behind a tunnel. */
static void print_allows(const struct import *import, FILE *out)
{
	char from[PREFIX_TEXT_SIZE], to[PREFIX_TEXT_SIZE];
	size_t printed = 0;

	for (size_t i = 0; i < import->lan_count; i++) {
		const struct import_lan *lan = &import->lans[i];

		for (size_t j = 0; j < import->tunnel_count; j++) {
			const struct import_tunnel *t = &import->tunnels[j];

			for (size_t k = 0; k < t->route_count && printed < ALLOWS_MAX; k++) {
				const struct ip_prefix *network = &t->routes[k].to;

				if (network->addr.family != lan->network.addr.family ||
				    !forwards(import, network->addr.family))
					continue;
				fprintf(out, "#allow = %s %s %s\n",
					prefix_format(&lan->network, from),
					network->len ? "<->" : "->", prefix_format(network, to));
				printed++;
			}
		}
	}
	if (!printed)
		fprintf(out, "#allow = 10.10.1.0/24 <-> 20.10.1.0/24\n");
}

static void print_forward(const struct import *import, FILE *out)
{
	if (import->forwards_v4 || import->forwards_v6)
		fprintf(out,
			"\n# This machine forwards (%s). What may pass the tunnels is for you to "
			"say; "
			"without\n# [forward] gretel leaves forwarding as it is. A suggestion from "
			"its "
			"networks and routes:\n",
			!import->forwards_v6   ? "IPv4"
			: !import->forwards_v4 ? "IPv6"
					       : "IPv4 and IPv6");
	else
		fprintf(out,
			"\n# This machine does not forward packets. For networks behind it to use "
			"the tunnels:\n");
	fprintf(out, "#[forward]\n#enable = yes\n");
	print_allows(import, out);
	for (size_t i = 0; i < import->lan_count; i++) {
		char text[PREFIX_TEXT_SIZE];
		const char *name = import->tunnels[0].gre.link.name;

		if (import->lans[i].network.addr.family != IP_V4)
			continue;
		fprintf(out, "# Where the peer has no route back to %s:\n",
			prefix_format(&import->lans[i].network, text));
		fprintf(out, "#masquerade = %s out %s\n", text, name);
		break;
	}
}

void import_print(const struct import *import, FILE *out)
{
	fprintf(out, "# Made by gretel import, which changed nothing. Two interfaces cannot have "
		     "one name:\n"
		     "# the old one must go before \"gretel up\", and must not come back at the "
		     "next start.\n");
	for (size_t i = 0; i < import->tunnel_count; i++)
		print_block(&import->tunnels[i], out);
	if (!import->tunnel_count)
		return;
	print_forward(import, out);
	if (import->asks_masquerade)
		fprintf(out,
			"# IPMasquerade= of networkd translates what came in by the tunnel and "
			"leaves by "
			"another device:\n#masquerade = NETWORK BEHIND THE TUNNEL out DEVICE\n");
	if (import->rules.count)
		fprintf(out, "\n# Rules of others that name a tunnel; they stay, and match our "
			     "interface "
			     "too:\n");
	for (size_t i = 0; i < import->rules.count; i++)
		if (import->rules.lines[i])
			fprintf(out, "# %s\n", import->rules.lines[i]);
}
