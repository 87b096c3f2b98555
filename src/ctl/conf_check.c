/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be refused by looking at one item of the configuration. Values that were refused while
 * reading are absent here (family IP_NONE, empty text) and are passed over, so that a mistake is
 * told once.
 */
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/conf_parse.h"

#define MTU_IPV6_MIN 1280 /* RFC 8200 section 5 */

struct conf_place conf_key_place(const struct conf_tunnel *t, enum conf_tunnel_key key)
{
	return (struct conf_place){t->at.file, t->lines[key] ? t->lines[key] : t->at.line};
}

static bool same_addr(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family != IP_NONE && addr_equal(a, b);
}

static bool is_full_length(const struct ip_prefix *prefix)
{
	return prefix->len == addr_size(prefix->addr.family) * 8;
}

const char *conf_not_a_host(const struct ip_addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = addr->family == IP_V4;

	if (addr_is_any(addr))
		return "is the unspecified address";
	if (v4 && addr->bytes[0] == 0)
		return "lies in 0.0.0.0/8, which no machine has";
	if (addr_is_multicast(addr))
		return "is a multicast address";
	if (addr_is_loopback(addr))
		return "is a loopback address";
	if (v4 && memcmp(addr->bytes, "\xff\xff\xff\xff", 4) == 0)
		return "is the broadcast address";
	if (!v4 && memcmp(addr->bytes, mapped, sizeof mapped) == 0)
		return "is an IPv4 address written as IPv6";
	return NULL;
}

static void check_name(const struct conf_tunnel *t, struct conf_faults *faults)
{
	static const char *const reserved[] = {"gre0",	"gretap0", "erspan0", "ip6gre0", "ip6tnl0",
					       "tunl0", "sit0",	   "ip_vti0", "lo"};

	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		if (strcmp(t->name, reserved[i]) == 0)
			conf_fault(faults, t->at,
				   "the kernel makes an interface %s itself: choose another name",
				   t->name);
	if (strcmp(t->name, "all") == 0 || strcmp(t->name, "default") == 0)
		conf_fault(faults, t->at,
			   "%s stands for every interface in /proc/sys/net: choose another name",
			   t->name);
}

static void check_outer(const struct conf_tunnel *t, enum conf_tunnel_key key,
			const struct ip_addr *addr, struct conf_faults *faults)
{
	const char *name = key == TUNNEL_LOCAL ? "local" : "remote";
	const char *whose = key == TUNNEL_LOCAL ? "this machine" : "the peer";
	char text[ADDR_TEXT_SIZE];
	const char *wrong;

	if (!t->lines[key])
		conf_fault(faults, t->at,
			   "the tunnel has no %s: write %s = the outer address of %s", name, name,
			   whose);
	if (addr->family == IP_NONE)
		return;
	wrong = conf_not_a_host(addr);
	if (wrong)
		conf_fault(faults, conf_key_place(t, key), "%s %s %s: write an address of %s", name,
			   addr_format(addr, text), wrong, whose);
	else if (addr->family == IP_V6 && addr_is_link_local(addr) && !t->lines[TUNNEL_BIND])
		conf_fault(faults, conf_key_place(t, key),
			   "%s %s is valid on one link only: write bind = the device of that link",
			   name, addr_format(addr, text));
}

static void check_outer_pair(const struct conf_tunnel *t, struct conf_faults *faults)
{
	char text[ADDR_TEXT_SIZE];

	check_outer(t, TUNNEL_LOCAL, &t->local, faults);
	if (!t->peer_count && !t->lines[TUNNEL_PEER])
		check_outer(t, TUNNEL_REMOTE, &t->remote, faults);
	if (strcmp(t->local_device, t->name) == 0 && t->name[0])
		conf_fault(faults, conf_key_place(t, TUNNEL_LOCAL),
			   "the tunnel cannot have its own address outside: write the device that "
			   "leads to the remote");
	if (!conf_has_ends(t))
		return;
	if (t->local.family != t->remote.family)
		conf_fault(faults, conf_key_place(t, TUNNEL_REMOTE),
			   "local is an %s address and remote an %s one: write two of one family",
			   t->local.family == IP_V4 ? "IPv4" : "IPv6",
			   t->remote.family == IP_V4 ? "IPv4" : "IPv6");
	else if (addr_equal(&t->local, &t->remote))
		conf_fault(faults, conf_key_place(t, TUNNEL_REMOTE),
			   "local and remote are both %s: write the peer's address as remote",
			   addr_format(&t->remote, text));
}

static void check_devices(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (t->bind[0] && strcmp(t->bind, t->name) == 0)
		conf_fault(faults, conf_key_place(t, TUNNEL_BIND),
			   "the tunnel cannot be bound to itself: write the device that leads to "
			   "the remote");
	if (!t->bridge[0])
		return;
	if (strcmp(t->bridge, t->name) == 0)
		conf_fault(faults, conf_key_place(t, TUNNEL_BRIDGE),
			   "the tunnel cannot be its own bridge: write the name of a bridge");
	if (t->mode == MODE_GRE)
		conf_fault(faults, conf_key_place(t, TUNNEL_BRIDGE),
			   "a bridge takes Ethernet frames: write mode = gretap, or leave out "
			   "bridge");
	if (t->address_count || t->route_count)
		conf_fault(faults, conf_key_place(t, TUNNEL_BRIDGE),
			   "an interface in a bridge has no addresses or routes of its own: give "
			   "them to the bridge, or leave out bridge");
}

static bool carries_ipv6(const struct conf_tunnel *t)
{
	for (size_t i = 0; i < t->address_count; i++)
		if (t->addresses[i].local.addr.family == IP_V6)
			return true;
	for (size_t i = 0; i < t->route_count; i++)
		if (t->routes[i].to.addr.family == IP_V6)
			return true;
	return false;
}

static void check_sizes(const struct conf_tunnel *t, struct conf_faults *faults)
{
	unsigned largest = 65535 - conf_overhead(t);

	if (!t->mtu)
		return;
	if (t->mtu > largest && t->local.family != IP_NONE)
		conf_fault(faults, conf_key_place(t, TUNNEL_MTU),
			   "mtu = %u and %u octets of headers exceed 65535: write %u or less, or "
			   "auto",
			   t->mtu, conf_overhead(t), largest);
	if (t->mtu < MTU_IPV6_MIN && carries_ipv6(t))
		conf_fault(faults, conf_key_place(t, TUNNEL_MTU),
			   "mtu = %u is too small for the IPv6 address or route of the tunnel: "
			   "write 1280 or more, or auto",
			   t->mtu);
	if (!t->mss_auto && t->mss && t->mss + 40u > t->mtu)
		conf_fault(faults, conf_key_place(t, TUNNEL_MSS),
			   "mss = %u does not fit mtu = %u with 40 octets of headers: write %u or "
			   "less, or auto",
			   t->mss, t->mtu, t->mtu - 40);
}

/* True for the first and, in IPv4, the last address of a prefix that has more than two. */
static bool is_network_address(const struct ip_prefix *local)
{
	struct ip_prefix network = prefix_network(local);

	return local->len + 2u <= addr_size(local->addr.family) * 8 &&
	       addr_equal(&network.addr, &local->addr);
}

static bool is_broadcast_address(const struct ip_prefix *local)
{
	const uint8_t *b = local->addr.bytes;
	uint32_t value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	uint32_t host = local->len >= 31 ? 0 : UINT32_MAX >> local->len;

	return local->addr.family == IP_V4 && host && (value & host) == host;
}

static void check_inner(const struct conf_tunnel *t, const struct conf_address *a,
			const struct ip_addr *addr, struct conf_faults *faults)
{
	const char *wrong = conf_not_a_host(addr);
	char text[ADDR_TEXT_SIZE];

	addr_format(addr, text);
	if (wrong)
		conf_fault(faults, a->at, "address %s %s: write an address of one machine", text,
			   wrong);
	else if (same_addr(&t->local, addr) || same_addr(&t->remote, addr))
		conf_fault(faults, a->at,
			   "address %s is the %s of the tunnel: write an address of the inner "
			   "network",
			   text, addr_equal(&t->local, addr) ? "local" : "remote");
}

static void check_address(const struct conf_tunnel *t, const struct conf_address *a,
			  struct conf_faults *faults)
{
	char text[PREFIX_TEXT_SIZE];

	check_inner(t, a, &a->local.addr, faults);
	if (a->peer.family != IP_NONE && a->peer.family != a->local.addr.family)
		conf_fault(faults, a->at,
			   "the address and its peer are of two families: write two of one family");
	else if (same_addr(&a->peer, &a->local.addr))
		conf_fault(faults, a->at,
			   "the address and its peer are the same: write the other end as peer");
	else if (a->peer.family != IP_NONE)
		check_inner(t, a, &a->peer, faults);
	if (conf_not_a_host(&a->local.addr))
		return;
	if (is_network_address(&a->local))
		conf_fault(faults, a->at, "address %s names the network: write one of its hosts",
			   prefix_format(&a->local, text));
	else if (is_broadcast_address(&a->local))
		conf_fault(faults, a->at,
			   "address %s is the broadcast address of its network: write one of its "
			   "hosts",
			   prefix_format(&a->local, text));
}

/* A wider route than the remote's own is no fault: the kernel may know a better way to the remote,
 * which the plan looks up. */
static void check_route(const struct conf_tunnel *t, const struct conf_route *r,
			struct conf_faults *faults)
{
	char text[PREFIX_TEXT_SIZE];

	if (is_full_length(&r->to) && same_addr(&t->remote, &r->to.addr) && r->table == 254)
		conf_fault(faults, r->at,
			   "the route leads the tunnel's own remote %s into the tunnel: leave it "
			   "out",
			   addr_format(&t->remote, text));
	if (addr_is_loopback(&r->to.addr))
		conf_fault(faults, r->at,
			   "%s does not leave this machine: write a network behind the peer",
			   prefix_format(&r->to, text));
	if (r->src.family != IP_NONE && r->src.family != r->to.addr.family)
		conf_fault(faults, r->at,
			   "the route and its src are of two families: write two of one family");
	else if (r->src.family != IP_NONE && conf_not_a_host(&r->src))
		conf_fault(faults, r->at, "src %s %s: write an address of this machine",
			   addr_format(&r->src, text), conf_not_a_host(&r->src));
}

static void check_udp(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (!t->udp_port && !t->udp_checksum)
		conf_fault(faults, conf_key_place(t, TUNNEL_UDP_CHECKSUM),
			   "the tunnel is not in UDP, so there is no such checksum: write udp = "
			   "yes, or leave out udp-checksum");
	if (t->udp_port && t->mode != MODE_GRE && t->mode != MODE_GRETAP)
		conf_fault(faults, conf_key_place(t, TUNNEL_UDP),
			   "only mode = gre and mode = gretap go in UDP: leave out udp");
	if (t->udp_port && t->peer_count)
		conf_fault(
			faults, conf_key_place(t, TUNNEL_UDP),
			"a tunnel with several peers does not go in UDP: leave out udp, or write "
			"a tunnel with remote for each");
}

static void check_tunnel(const struct conf_tunnel *t, struct conf_faults *faults)
{
	/* What its lines say is judged with the multipoint tunnel. */
	if (t->hub)
		return;
	check_name(t, faults);
	check_outer_pair(t, faults);
	conf_check_multipoint(t, faults);
	check_devices(t, faults);
	check_sizes(t, faults);
	check_udp(t, faults);
	conf_check_mode(t, faults);
	conf_check_profile(t, faults);
	conf_check_live(t, faults);
	conf_check_nat(t, faults);
	for (size_t i = 0; i < t->address_count; i++)
		check_address(t, &t->addresses[i], faults);
	for (size_t i = 0; i < t->route_count; i++)
		check_route(t, &t->routes[i], faults);
}

static void check_snat(const struct conf_snat *s, struct conf_faults *faults)
{
	char text[ADDR_TEXT_SIZE];

	if (s->to.family == IP_NONE)
		return;
	if (s->to.family != s->from.addr.family)
		conf_fault(faults, s->at,
			   "the snat leads from one family to the other: write two of one family");
	else if (conf_not_a_host(&s->to))
		conf_fault(faults, s->at, "%s %s: write the address that the packets are to have",
			   addr_format(&s->to, text), conf_not_a_host(&s->to));
}

static void check_publish(const struct conf_publish *p, struct conf_faults *faults)
{
	char text[ADDR_TEXT_SIZE];

	if (conf_not_a_host(&p->to))
		conf_fault(faults, p->at, "%s %s: write the address of the machine inside",
			   addr_format(&p->to, text), conf_not_a_host(&p->to));
	if (p->port != p->port_end && p->to_port)
		conf_fault(faults, p->at,
			   "a range of ports keeps its numbers: leave out the :%u of the target",
			   p->to_port);
}

void conf_check(const struct conf *conf, struct conf_faults *faults)
{
	const struct conf_forward *forward = &conf->forward;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		check_tunnel(&conf->tunnels[i], faults);
	for (size_t i = 0; i < forward->allow_count; i++)
		if (forward->allows[i].from.addr.family != forward->allows[i].to.addr.family)
			conf_fault(
				faults, forward->allows[i].at,
				"the allow joins two families: write two prefixes of one family");
	for (size_t i = 0; i < forward->snat_count; i++)
		check_snat(&forward->snats[i], faults);
	for (size_t i = 0; i < forward->publish_count; i++)
		check_publish(&forward->publishes[i], faults);
}
