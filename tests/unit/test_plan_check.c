/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the planner refuses, and what it notes. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan_host.h"

#define B  "[tunnel B]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n"
#define F  "[forward]\nenable = yes\nallow = 10.0.0.0/8 <-> 20.0.0.0/8\n"
#define C  "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define CB "[tunnel C]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nbridge = br0\n"

static void none(struct host *host)
{
	(void)host;
}
static void way_by_tunnel(struct host *host)
{
	host->ways[0].way.oif = FIRST_TUNNEL;
	host->ways[0].way.match = net("172.0.0.0/8");
	host->ways[0].way.protocol = RTPROT_STATIC;
}
static void old_route_goes(struct host *host)
{
	host->ways[0].way.oif = FIRST_TUNNEL;
	host->ways[0].way.match = net("172.0.0.0/8");
	host->ways[0].way.protocol = OS_PROTOCOL;
}
static void host_route(struct host *host)
{
	host->ways[0].way.match = net("172.19.1.2/32");
	host->ways[0].beneath = host->ways[0].way;
}
static void high_metric(struct host *host)
{
	host->ways[0].way.metric = 100;
	host->ways[0].beneath = host->ways[0].way;
}
static void no_way(struct host *host)
{
	host->ways[0] = (struct actual_way){.error = -ENETUNREACH, .beneath_error = -ENETUNREACH};
}
static void remote_is_here(struct host *host)
{
	host->ways[0].way.type = RTN_LOCAL;
}
static void local_elsewhere(struct host *host)
{
	host->ways[0].local_missing = true;
}
static void a_veth(struct host *host)
{
	strcpy(host_link(host, "C", 50)->kind, "veth");
}
static void a_tun(struct host *host)
{
	struct link_info *link = host_link(host, "C", 50);

	strcpy(link->kind, "tun");
	link->tun = LINK_TUN;
}
static void no_nft(struct host *host)
{
	host->actual.nft_error = -EPROTONOSUPPORT;
}
static void no_ipv6(struct host *host)
{
	host->actual.switches[SWITCH_FORWARD6][0] = '\0';
}
static void a_bridge(struct host *host)
{
	strcpy(host_link(host, "br0", 50)->kind, "bridge");
}

static void a_vrf(struct host *host)
{
	struct link_info *vrf = host_link(host, "blue", 50);

	strcpy(vrf->kind, "vrf");
	vrf->vrf_table = 10;
	host_find(host, "eth0")->master = 50;
}
static void a_deaf_vrf(struct host *host)
{
	a_vrf(host);
	host->actual.raw_deaf = true;
}
static void a_deaf_vrf_for_udp(struct host *host)
{
	a_vrf(host);
	host->actual.udp_deaf = true;
}
static void a_large_vrf(struct host *host)
{
	char name[IFNAMSIZ];

	a_vrf(host);
	for (unsigned i = 0; i < DP_BIND_MEMBERS; i++) {
		snprintf(name, sizeof(name), "eth%u", i + 1);
		host_link(host, name, 100 + i)->master = 50;
	}
}
/* The peer's way is looked up in the VRF. */
static void way_in_vrf(struct host *host)
{
	a_vrf(host);
	host->ways[0].way.table = host->ways[0].beneath.table = 10;
}
static void way_out_of_vrf(struct host *host)
{
	a_vrf(host);
	host->ways[0].leaves_vrf = true;
}

/* With A of `first` in place, `second` is wanted: a word of the refusal, or of the note. */
static const struct {
	const char *first;
	void (*change)(struct host *host);
	const char *second;
	const char *refusal, *note;
} checks[] = {
	/* 1 */ {"", none, C, NULL, NULL},
	/* 2: such are pinned; see test_plan_ways */
	{"", none, C "route = 0.0.0.0/0\n", NULL, NULL},
	/* 3 */ {"", none, C "route = 172.16.0.0/12\n", NULL, NULL},
	/* 4 */ {"", host_route, C "route = 172.16.0.0/12\nroute = 0.0.0.0/0\n", NULL, NULL},
	/* 5 */ {"", high_metric, C "route = 0.0.0.0/0 metric 99\n", NULL, NULL},
	/* 6 */ {"", high_metric, C "route = 0.0.0.0/0 metric 101\n", NULL, NULL},
	/* 7: another table */ {"", none, C "route = 0.0.0.0/0 table 7\n", NULL, NULL},
	/* 8: the network of an address */
	{"", none, C "address = 172.19.1.9/24\n", "conf:4: 172.19.1.0/24", NULL},
	/* 9: one tunnel's route takes the other's peer */
	{"", none, C "[tunnel D]\nlocal = 10.0.0.1\nremote = 10.0.0.2\nroute = 172.19.0.0/16\n",
	 "conf:7: 172.19.0.0/16 over D would lead the outer packets of C to 172.19.1.2 into a "
	 "tunnel: first give the peer a way of its own (ip route add 172.19.1.2 via "
	 "172.19.1.254 dev eth0)",
	 NULL},
	/* 10 */ {B, way_by_tunnel, B, "which gretel did not make", NULL},
	/* 11 */ {B, old_route_goes, B, NULL, NULL},
	/* 12 */ {B, old_route_goes, B "route = 172.0.0.0/8\n", NULL, NULL},
	/* 13 */ {"", no_way, C, NULL, "conf:3: there is no way to 172.19.1.2 now"},
	/* 14: two loops, and no way to tell which is meant */
	{"", no_way,
	 "[tunnel D]\nlocal = 172.19.1.1\nremote = 10.0.0.2\n"
	 "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nroute = 10.0.0.0/8\n",
	 "GATEWAY", "there is no way"},
	/* 15: bound tunnels go by their device */
	{"", none, C "bind = eth0\nroute = 0.0.0.0/0\n", NULL, NULL},
	/* 16 */ {"", none, C "bind = eth9\n", "conf:4: there is no interface eth9", NULL},
	/* 17 */ {"", remote_is_here, C, "conf:3: 172.19.1.2 is an address of this host", NULL},
	/* 18 */ {"", local_elsewhere, C, NULL, "conf:2: 172.19.1.1 is on no interface"},
	/* 19 */ {"", a_veth, C, "conf:1: there is an interface C already", NULL},
	/* 20 */ {"", a_tun, C, "that is not gretel's (tun)", NULL},
	/* 21 */ {"", no_nft, C, NULL, NULL},
	/* 22 */ {"", no_nft, C F, "conf:6: this needs nftables", NULL},
	/* 23 */ {"", no_ipv6, C "address = 2001:db8::1/64\n", "needs IPv6", NULL},
	/* 24 */ {"", no_ipv6, C, NULL, NULL},
	/* 25 */ {"", none, CB, "conf:5: there is no bridge br0", NULL},
	/* 26 */ {"", a_bridge, CB, NULL, NULL},
	/* 27 */ {"", a_vrf, C "bind = blue\n", NULL, NULL},
	/* 28 */ {"", a_vrf, C "bind = eth0\n", NULL, NULL},
	/* 29 */ {"", none, C "mtu = 1500\n", NULL, "conf:4: the path to the peer carries 1500"},
	/* 30 */ {"", none, C "vrf = blue\n", "conf:4: there is no VRF blue", NULL},
	/* 31 */ {"", none, C "vrf = eth0\n", "conf:4: eth0 is not a VRF", NULL},
	/* 32 */
	{"", a_deaf_vrf, C "bind = blue\n", NULL, "conf:4: net.ipv4.raw_l3mdev_accept is 0"},
	/* 33 */
	{"", a_deaf_vrf, C "bind = eth0\n", NULL, "conf:4: net.ipv4.raw_l3mdev_accept is 0"},
	/* 34: nothing of the underlay is in the VRF */
	{"", a_deaf_vrf, C "vrf = blue\n", NULL, NULL},
	/* 35 */ {"", a_deaf_vrf_for_udp, C "bind = blue\n", NULL, NULL},
	/* 36 */
	{"", a_deaf_vrf_for_udp, C "bind = blue\nudp = yes\n", NULL,
	 "conf:4: net.ipv4.udp_l3mdev_accept is 0"},
	/* 37 */
	{"", a_large_vrf, C "bind = blue\n", "conf:4: the VRF blue has more than 16", NULL},
	/* 38 */ {"", a_large_vrf, C "bind = eth0\n", NULL, NULL},
	/* 39: routes of a VRF and the way beneath are in two tables, ... */
	{"", a_vrf, C "vrf = blue\nroute = 172.16.0.0/12\naddress = 172.19.1.9/24\n", NULL, NULL},
	/* 40: ... or in one, where nothing is pinned */
	{"", way_in_vrf, C "bind = blue\nvrf = blue\nroute = 0.0.0.0/0\n",
	 "conf:6: 0.0.0.0/0 over C would lead the outer packets of C to 172.19.1.2 into a tunnel: "
	 "first give the peer a way of its own (ip route add 172.19.1.2 vrf blue via 172.19.1.254 "
	 "dev eth0)",
	 NULL},
	/* 41 */
	{"", way_in_vrf, C "bind = blue\nvrf = blue\naddress = 172.19.1.9/24\n", "conf:6", NULL},
	/* 42 */ {"", way_in_vrf, C "bind = blue\nroute = 0.0.0.0/0\n", NULL, NULL},
	/* 43 */
	{"", a_vrf, "[tunnel C]\nlocal = fe80::1\nremote = fe80::2\nbind = blue\n",
	 "conf:4: fe80::2 is valid on one link only", NULL},
	/* 44 */
	{"", way_out_of_vrf, C "bind = blue\n", NULL, "conf:4: the VRF blue has no route to"},
};

static void check_lines(size_t number, const char *what, char **lines, size_t count,
			const char *wanted)
{
	if (!wanted && count)
		fail_msg("check %zu: unexpected %s: %s", number, what, lines[0]);
	if (wanted && count != 1)
		fail_msg("check %zu: %zu %ss", number, count, what);
	if (wanted && !strstr(lines[0], wanted))
		fail_msg("check %zu: %s", number, lines[0]);
}

static void refusals(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct conf *first = load(checks[i].first), *second = load(checks[i].second);
		struct planned planned;
		struct host host;

		host_done(&host, first);
		host_ways(&host, second);
		checks[i].change(&host);
		host_plan(&host, checks[i].second, &planned);
		check_lines(i + 1, "refusal", planned.plan.refusals, planned.plan.refusal_count,
			    checks[i].refusal);
		check_lines(i + 1, "note", planned.plan.notes, planned.plan.note_count,
			    checks[i].note);
		planned_drop(&planned);
		host_drop(&host);
		conf_free(first);
		conf_free(second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
