/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own GRE interfaces with their addresses and routes. */
#include "ctl/import/import.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "os/linkroute.h"
#include "proto/gue.h"

/* A dump that the kernel changed under our eyes is asked for again. */
#define DUMP_TRIES 3

#define PLAIN_IPV4 24 /* an IPv4 header and four octets of GRE */
#define PLAIN_IPV6 44
#define ETHERNET   14
#define LIMIT_SIZE 8	/* the destination option of RFC 2473, padded */
#define METRIC_V6  1024 /* what the kernel shows of an IPv6 route that was given none */

/* Interfaces that the kernel makes itself for packets that nobody else wants. */
static bool is_fallback(const char *name)
{
	static const char *const names[] = {"gre0", "gretap0", "erspan0", "ip6gre0"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

struct search {
	struct import *import;
	const char *name;	      /* NULL: all */
	struct import_tunnel *tunnel; /* whose routes are read */
};

static int take_link(void *arg, const struct gre_link *gre)
{
	struct search *search = arg;
	struct import_tunnel *tunnel;

	if (search->name ? strcmp(search->name, gre->link.name) != 0 : is_fallback(gre->link.name))
		return 0;
	tunnel = import_add_tunnel(search->import);
	if (!tunnel)
		return -ENOMEM;
	tunnel->gre = *gre;
	return 0;
}

/* Addresses that the kernel derived itself come back by themselves. */
static int take_address(void *arg, const struct address_info *address)
{
	struct import *import = arg;

	if (addr_is_link_local(&address->local.addr))
		return 0;
	for (size_t i = 0; i < import->tunnel_count; i++)
		if (import->tunnels[i].gre.link.index == address->index)
			import_add_address(import, &import->tunnels[i], address);
	return 0;
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case RTPROT_RA:
		return "router advertisements";
	case RTPROT_DHCP:
		return "DHCP";
	case RTPROT_ZEBRA:
	case RTPROT_BGP:
	case RTPROT_ISIS:
	case RTPROT_OSPF:
	case RTPROT_RIP:
	case RTPROT_EIGRP:
		return "FRR";
	case RTPROT_BIRD:
		return "BIRD";
	case RTPROT_BABEL:
		return "babeld";
	case RTPROT_KEEPALIVED:
		return "keepalived";
	default:
		return NULL;
	}
}

/* Routes of routing daemons and of the kernel go on without us. True when one does. */
static bool comes_by_itself(struct import *import, struct import_tunnel *tunnel,
			    const struct route_info *route)
{
	const char *who = protocol_name(route->protocol);
	char text[PREFIX_TEXT_SIZE];

	if (route->protocol == RTPROT_KERNEL || route->protocol == RTPROT_REDIRECT)
		return true;
	if (who)
		import_note(import, &tunnel->notes,
			    "the route to %s is of %s, which goes on making it",
			    prefix_format(&route->to, text), who);
	return who != NULL;
}

static const struct import_tunnel *tunnel_at(const struct import *import, uint32_t index)
{
	for (size_t i = 0; i < import->tunnel_count; i++)
		if (import->tunnels[i].gre.link.index == index)
			return &import->tunnels[i];
	return NULL;
}

/* A route over several of the tunnels makes them a group. False when that cannot say it: a next hop
 * is something else, or the tunnel is in another group already. */
static bool join_group(struct import *import, struct import_tunnel *tunnel,
		       const struct link_route *found)
{
	const struct import_tunnel *first =
		found->hop_count ? tunnel_at(import, found->hops[0]) : NULL;

	for (unsigned i = 0; i < found->hop_count; i++) {
		const struct import_tunnel *other = tunnel_at(import, found->hops[i]);

		if (!other || strstr(other->gre.link.kind, "tap"))
			return false;
	}
	if (!first || found->weight > 255 ||
	    (tunnel->group &&
	     (strcmp(tunnel->group, first->gre.link.name) != 0 || tunnel->weight != found->weight)))
		return false;
	if (!tunnel->group)
		tunnel->group = import_keep(import, first->gre.link.name);
	tunnel->weight = found->weight;
	return true;
}

static int take_route(void *arg, const struct link_route *found)
{
	struct search *search = arg;
	struct import *import = search->import;
	struct import_tunnel *tunnel = search->tunnel;
	struct route_info route = found->route;
	bool ethernet = strstr(tunnel->gre.link.kind, "tap") != NULL;
	char text[PREFIX_TEXT_SIZE];

	if (comes_by_itself(import, tunnel, &route))
		return 0;
	prefix_format(&route.to, text);
	if (found->shared && !join_group(import, tunnel, found)) {
		import_note(import, &tunnel->notes,
			    "the route to %s has several next hops: not all of them tunnels of "
			    "this import",
			    text);
		return 0;
	}
	if (route.type != RTN_UNICAST) {
		import_note(import, &tunnel->notes,
			    "the route to %s is not a plain one: write it by hand", text);
		return 0;
	}
	if (ethernet && route.gateway.family != IP_NONE) {
		char gateway[ADDR_TEXT_SIZE];

		import_note(import, &tunnel->notes,
			    "the route to %s goes by the gateway %s: make it on the interface, "
			    "with ip route",
			    text, addr_format(&route.gateway, gateway));
		return 0;
	}
	if (found->metrics)
		import_note(import, &tunnel->notes,
			    "the route to %s has an MTU or the like of its own, which is left out",
			    text);
	if (route.to.addr.family == IP_V6 && route.metric == METRIC_V6)
		route.metric = 0;
	import_add_route(import, tunnel, &route);
	return 0;
}

bool import_mtu_is_auto(const struct gre_link *gre, uint32_t underlay)
{
	uint32_t overhead = gre->family == IP_V6 ? PLAIN_IPV6 : PLAIN_IPV4;
	uint32_t optional = gre->encap_limit ? LIMIT_SIZE : 0;

	overhead += (gre->has_okey ? 4u : 0) + (gre->ocsum ? 4u : 0) + (gre->oseq ? 4u : 0);
	if (gre->encap)
		overhead += gue_udp_length(gre->encap_dport, gre->encap == GRE_ENCAP_GUE);
	if (strstr(gre->link.kind, "tap"))
		overhead += ETHERNET;
	return gre->link.mtu + overhead == underlay ||
	       gre->link.mtu + overhead + optional == underlay;
}

/* The MTU of the way to the remote: of the path, or else of the device that leads there. */
static uint32_t underlay_mtu(struct nl *nl, const struct route_way *way)
{
	char name[IFNAMSIZ];
	struct link_info link;

	if (way->mtu)
		return way->mtu;
	if (!if_indextoname(way->oif, name) || link_get(nl, name, &link) != 0)
		return 0;
	return link.mtu;
}

void import_fill_local(struct import *import, struct nl *nl, struct import_tunnel *tunnel)
{
	struct gre_link *gre = &tunnel->gre;
	struct route_way way;
	char text[ADDR_TEXT_SIZE];
	uint32_t mtu;

	if (gre->remote.family == IP_NONE ||
	    route_find(nl, &gre->remote, &gre->local, gre->bind, &way) != 0)
		return;
	mtu = underlay_mtu(nl, &way);
	if (gre->link.mtu && mtu && import_mtu_is_auto(gre, mtu))
		tunnel->mtu_auto = true;
	if (gre->local.family != IP_NONE || way.src.family == IP_NONE ||
	    (tunnel->follows_bind && tunnel->bind[0]))
		return;
	gre->local = way.src;
	import_note(import, &tunnel->notes,
		    "local was open: %s is the address that this machine sends from to the remote",
		    addr_format(&gre->local, text));
}

/* What more is told of it than its name may be missing. */
static int find_link(struct nl *nl, uint32_t index, struct link_info *out)
{
	char name[IFNAMSIZ];

	if (!if_indextoname(index, name))
		return -ENODEV;
	if (link_get(nl, name, out) != 0)
		*out = (struct link_info){.index = index};
	memcpy(out->name, name, sizeof name);
	return 0;
}

static void read_devices(struct import *import, struct nl *nl, struct import_tunnel *tunnel)
{
	uint32_t master = tunnel->gre.link.master;
	struct link_info link;

	if (tunnel->gre.elsewhere)
		import_note(import, &tunnel->notes,
			    "its outer packets belong to another network namespace: greteld must "
			    "run where they are");
	else if (tunnel->gre.bind && find_link(nl, tunnel->gre.bind, &link) == 0)
		memcpy(tunnel->bind, link.name, sizeof link.name);
	if (!master || find_link(nl, master, &link) != 0)
		return;
	tunnel->vrf_table = link.vrf_table;
	if (link.vrf_table)
		memcpy(tunnel->vrf, link.name, sizeof link.name);
	else if (strcmp(link.kind, "bridge") == 0)
		memcpy(tunnel->bridge, link.name, sizeof link.name);
	else
		import_note(import, &tunnel->notes,
			    "it is a part of %s (%s): put it there again, with ip link set master",
			    link.name, link.kind);
}

/* The kernel filters the routes. */
static int read_details(struct import *import, struct nl *nl, struct import_tunnel *tunnel)
{
	struct search search = {.import = import, .tunnel = tunnel};
	int err = link_route_each(nl, tunnel->gre.link.index, take_route, &search);

	if (err)
		return err;
	tunnel->source = "the interface of the kernel";
	read_devices(import, nl, tunnel);
	import_fill_local(import, nl, tunnel);
	if (!(tunnel->gre.link.flags & IFF_UP))
		import_note(import, &tunnel->notes,
			    "the interface is down; with gretel it comes up");
	return 0;
}

static int read_all(struct import *import, struct nl *nl, const char *name)
{
	struct search search = {.import = import, .name = name};
	int err = gre_link_each(nl, take_link, &search);

	if (!err)
		err = address_each(nl, take_address, import);
	for (size_t i = 0; !err && i < import->tunnel_count; i++)
		err = read_details(import, nl, &import->tunnels[i]);
	return err;
}

/* Why there is nothing of that name. */
static int look_for(struct nl *nl, const char *name, char kind[LINK_KIND_SIZE])
{
	struct link_info link;
	int err = link_get(nl, name, &link);

	if (err)
		return err;
	memcpy(kind, link.kind, LINK_KIND_SIZE);
	return -ENOENT;
}

int import_kernel(struct import *import, const char *name, char kind[LINK_KIND_SIZE])
{
	struct nl nl;
	int err = nl_open(&nl, NETLINK_ROUTE);

	if (err)
		return err;
	err = -EINTR;
	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		import_free(import);
		err = read_all(import, &nl, name);
	}
	if (!err && import->tunnel_count == 0)
		err = name ? look_for(&nl, name, kind) : -ENODEV;
	if (!err)
		import_host(import, &nl);
	nl_close(&nl);
	return err ? err : import->lost ? -ENOMEM : 0;
}
