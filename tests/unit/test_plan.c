/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planner without a kernel: a host is made up in which a first configuration is in place, the
 * host or the configuration is changed, and the plan is compared with the steps that it must have.
 */
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

#define A                                                                 \
	"[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 1\n"  \
	"address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n" \
	"route = 2001:db8:20::/48\n"
#define B "[tunnel B]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n"
#define HUB                                                                            \
	"[tunnel H]\nlocal = 172.19.1.1\naddress = 192.168.8.1/24\nkeepalive = 1s 3\n" \
	"route = 10.9.0.0/16 via 192.168.8.12\n"
#define P12 "peer = 192.168.8.12 at 172.19.1.12\n"
#define P13 "peer = 192.168.8.13 at 172.19.1.13\n"
#define F   "[forward]\nenable = yes\nallow = 10.0.0.0/8 <-> 20.0.0.0/8\n"
#define C   "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define CB  "[tunnel C]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nbridge = br0\n"

static void none(struct host *host)
{
	(void)host;
}
static void no_lane(struct host *host)
{
	host->actual.lane_asked = false;
	host->actual.lane_count = 0;
}
static void new_daemon(struct host *host)
{
	host->actual.lane_count = 0;
}
static void link_gone(struct host *host)
{
	struct link_info *link = host_find(host, "A");

	*link = host->links[--host->actual.link_count];
	host->actual.address_count = host->actual.route_count = 0;
}
static void link_down(struct host *host)
{
	host_find(host, "A")->flags = 0;
	host->actual.route_count = 0;
}
static void wrong_mtu(struct host *host)
{
	host_find(host, "A")->mtu = 1400;
}
static void alias_gone(struct host *host)
{
	host_find(host, "A")->alias[0] = '\0';
}
static void address_gone(struct host *host)
{
	host->actual.address_count = 0;
}
static void address_theirs(struct host *host)
{
	host->addresses[0].protocol = 0;
}
static void more_theirs(struct host *host)
{
	host->addresses[host->actual.address_count++] =
		(struct address_info){.index = FIRST_TUNNEL, .local = net("10.99.0.1/24")};
}
static void more_ours(struct host *host)
{
	more_theirs(host);
	host->addresses[host->actual.address_count - 1].protocol = OS_PROTOCOL;
	host->routes[host->actual.route_count++] = (struct route_info){.to = net("20.99.0.0/16"),
								       .table = 254,
								       .oif = FIRST_TUNNEL,
								       .protocol = OS_PROTOCOL,
								       .type = RTN_UNICAST};
}
static void other_metric(struct host *host)
{
	host->routes[0].metric = 9;
}
static void path_smaller(struct host *host)
{
	host->ways[0].path_mtu = 1400;
}
static void peer_path_smaller(struct host *host)
{
	host->ways[2].path_mtu = 1400;
}
static void rules_gone(struct host *host)
{
	host->actual.rules_present = false;
}
static void rules_touched(struct host *host)
{
	host->actual.rules_listed = 1;
}
static void state_lost(struct host *host)
{
	state_free(&host->state);
}
static void forward_off(struct host *host)
{
	strcpy(host->actual.switches[SWITCH_FORWARD4], "0");
}
static void cut_short(struct host *host)
{
	alias_gone(host);
	new_daemon(host);
	host->state.pending = calloc(1, sizeof(*host->state.pending));
	strcpy(host->state.pending[host->state.pending_count++], "A");
}
static void is_tap(struct host *host)
{
	host_find(host, "A")->tun = LINK_TAP;
}

static void linkdown_off(struct host *host)
{
	host->settings[0].ignore_linkdown6 = false;
}
static void small_mtu(struct host *host)
{
	host_find(host, "A")->mtu = 1000;
	host->settings[0].has6 = false;
	host->settings[0].ignore_linkdown6 = false;
}
static void strict(struct host *host)
{
	host->actual.rp_filter_all = 1;
}
static void strict_own(struct host *host)
{
	host->settings[0].rp_filter = 1;
}
static void loose(struct host *host)
{
	host->actual.rp_filter_all = 1;
	host->settings[0].rp_filter = 2;
}

static void a_bridge(struct host *host)
{
	strcpy(host_link(host, "br0", 50)->kind, "bridge");
}

/* The first file is in place, `change` happens, the second is wanted. */
static const struct {
	const char *first;
	void (*change)(struct host *host);
	const char *second;
	const char *steps;
} cases[] = {
	/* 1 */ {A F, none, A F, ""},
	/* 2 */ {A F, no_lane, A F, ""},
	/* 3 */ {A F, none, A F B, "rules-set; tunnel-create B; mtu B; up B"},
	/* 4: only the key */
	{A, none,
	 "[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 9\n"
	 "address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n"
	 "route = 2001:db8:20::/48\n",
	 "tunnel-change A"},
	/* 5: the key goes: four octets more for passengers */
	{B, none, "[tunnel B]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n",
	 "tunnel-change B; mtu B"},
	/* 6: down, in an order that takes the rules last */
	{A F, none, NULL,
	 "route-del A; route-del A; address-del A; tunnel-del A; forward-restore; "
	 "forward-restore; rules-del"},
	/* 7 */ {A B, none, A, "tunnel-del B"},
	/* 8 */ {A, new_daemon, A, "tunnel-adopt A"},
	/* 9 */
	{A, link_gone, A,
	 "tunnel-create A; mtu A; up A; address-add A; route-add A; "
	 "route-add A"},
	/* 10 */ {A, link_down, A, "up A; route-add A; route-add A"},
	/* 11 */ {A, wrong_mtu, A, "mtu A"},
	/* 12: the mark was taken off, but we carry it */ {A, alias_gone, A, "tunnel-change A"},
	/* 13 */ {A, address_gone, A, "address-add A"},
	/* 14: somebody else's address will do */ {A, address_theirs, A, ""},
	/* 15: and is left alone */ {A, more_theirs, A, ""},
	/* 16 */ {A, more_ours, A, "route-del A; address-del A"},
	/* 17 */ {A, other_metric, A, "route-del A; route-add A"},
	/* 18 */ {A, path_smaller, A, "tunnel-change A; mtu A"},
	/* 19 */ {A F, rules_gone, A F, "rules-set"},
	/* 20 */ {A F, rules_touched, A F, "rules-set"},
	/* 21: loaded again, for nothing */ {A F, state_lost, A F, "rules-set"},
	/* 22: without what was saved forwarding stays as it is */
	{A F, state_lost, NULL, "route-del A; route-del A; address-del A; tunnel-del A; rules-del"},
	/* 23 */ {A F, forward_off, A F, "forward-on"},
	/* 24 */ {A F, none, A, "rules-set; forward-restore; forward-restore"},
	/* 25: killed between the interface and its mark */ {A, cut_short, A, "tunnel-adopt A"},
	/* 26: another kind of interface */
	{B, none, "[tunnel B]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n",
	 "tunnel-del B; tunnel-create B; mtu B; up B"},
	/* 27 */
	{A, is_tap, A,
	 "route-del A; route-del A; address-del A; tunnel-del A; tunnel-create A; mtu A; "
	 "up A; address-add A; route-add A; route-add A"},
	/* 28: a route moves from one tunnel to the other */
	{A B, none,
	 "[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 1\n"
	 "address = 192.168.8.1 peer 192.168.8.11\nroute = 2001:db8:20::/48\n" B
	 "route = 20.10.1.0/24\n",
	 "route-del A; route-add B"},
	/* 29: nothing was there and nothing is wanted */ {"", none, NULL, ""},
	/* 30 */ {B "notrack = no\n", none, NULL, "tunnel-del B"},
	/* 31 */ {A, linkdown_off, A, "settings A"},
	/* 32: IPv6 comes back with the MTU */ {A, small_mtu, A, "mtu A; settings A"},
	/* 33: a tunnel alone keeps what the host has */ {A, strict, A, ""},
	/* 34 */ {B "backup-of = C\n" C, strict, B "backup-of = C\n" C, "settings B; settings C"},
	/* 35 */ {B "group = g\n", strict_own, B "group = g\n", "settings B"},
	/* 36 */ {B "group = g\n", loose, B "group = g\n", ""},
	/* 37 */ {B "group = g\n", none, B "group = g\n", ""},
	/* 38 */ {HUB P12 P13, none, HUB P12 P13, ""},
	/* 39 */ {HUB P12 P13, no_lane, HUB P12 P13, ""},
	/* 40: a peer comes, and changes no other one */
	{HUB P12, none, HUB P13 P12, "rules-set; tunnel-change H; peer-add H/192.168.8.13"},
	/* 41 */
	{HUB P12 P13, none, HUB P12, "rules-set; peer-del H/192.168.8.13; tunnel-change H"},
	/* 42: one moves */
	{HUB P12 P13, none, HUB P12 "peer = 192.168.8.13 at 172.19.1.14\n",
	 "rules-set; tunnel-change H; peer-change H/192.168.8.13"},
	/* 43: its other family */
	{HUB P12, none, HUB P12 "peer = fd08::12 at 172.19.1.12\naddress = fd08::1/64\n",
	 "tunnel-change H; peer-change H/192.168.8.12; address-add H"},
	/* 44 */
	{"", none, HUB P12,
	 "rules-set; tunnel-create H; peer-add H/192.168.8.12; mtu H; up H; address-add H; "
	 "route-add H"},
	/* 45 */
	{HUB P12, none, NULL,
	 "route-del H; address-del H; peer-del H/192.168.8.12; tunnel-del H; rules-del"},
	/* 46 */
	{HUB P12, new_daemon, HUB P12, "tunnel-adopt H; peer-add H/192.168.8.12"},
	/* 47: the next hop of a route */
	{HUB P12 P13 "route = 10.8.0.0/16 via 192.168.8.13\n", none,
	 HUB P12 P13 "route = 10.8.0.0/16 via 192.168.8.12\n", "route-change H"},
	/* 48: the narrowest way is the interface's */
	{HUB P12 P13, peer_path_smaller, HUB P12 P13,
	 "tunnel-change H; peer-change H/192.168.8.13; mtu H"},
	/* 49: into a tunnel to one peer */
	{HUB P12, none, "[tunnel H]\nlocal = 172.19.1.1\nremote = 172.19.1.12\n",
	 "route-del H; address-del H; peer-del H/192.168.8.12; tunnel-del H; tunnel-create H; mtu "
	 "H; up H"},
};

static void steps(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *first = load(cases[i].first);
		struct planned planned;
		struct host host;

		host_done(&host, first);
		cases[i].change(&host);
		host_plan(&host, cases[i].second, &planned);
		if (planned.plan.refusal_count)
			fail_msg("case %zu: %s", i + 1, planned.plan.refusals[0]);
		if (strcmp(planned.steps, cases[i].steps) != 0)
			fail_msg("case %zu:\nplanned  %s\nexpected %s", i + 1, planned.steps,
				 cases[i].steps);
		planned_drop(&planned);
		host_drop(&host);
		conf_free(first);
	}
}

/* From nothing: rules before forwarding before interfaces, routes after the interface is up. */
static void first_up(void **unused)
{
	struct conf *conf = load(A F);
	struct planned planned;
	struct host host;

	(void)unused;
	host_bare(&host, conf);
	host_plan(&host, A F, &planned);
	assert_string_equal(planned.steps,
			    "rules-set; forward-on; forward-on; tunnel-create A; mtu A; "
			    "up A; address-add A; route-add A; route-add A");
	assert_string_equal(planned.plan.steps[1].text, "turn on net.ipv4.ip_forward");
	assert_string_equal(planned.plan.steps[3].text,
			    "create A: gre local 172.19.1.1 remote 172.19.1.2 key 1");
	assert_string_equal(planned.plan.steps[4].text, "set the MTU of A to 1472");
	assert_string_equal(planned.plan.steps[6].text,
			    "add address 192.168.8.1 peer 192.168.8.11 to A");
	assert_string_equal(planned.plan.steps[7].text, "add route 20.10.1.0/24 over A");
	planned_drop(&planned);
	host_drop(&host);
	conf_free(conf);
}

static void bridges(void **unused)
{
	struct conf *conf = load("");
	struct planned planned;
	struct host host;

	(void)unused;
	host_done(&host, conf);
	a_bridge(&host);
	host_plan(&host, CB, &planned);
	assert_string_equal(planned.steps, "rules-set; tunnel-create C; mtu C; master C; up C");
	assert_int_equal(planned.plan.steps[3].master.index, 50);
	host_put(&host, &planned.site.tunnels[0], FIRST_TUNNEL);
	host_find(&host, "C")->master = 50;
	planned_drop(&planned);
	host_plan(&host, CB, &planned);
	assert_string_equal(planned.steps, "rules-set");
	planned_drop(&planned);
	/* The line is taken out of the file. */
	host_plan(&host, "[tunnel C]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\n",
		  &planned);
	assert_string_equal(planned.steps, "rules-set; tunnel-change C; master C");
	assert_int_equal(planned.plan.steps[2].master.index, 0);
	planned_drop(&planned);
	host_drop(&host);
	conf_free(conf);
}

/* A host with the VRF blue, of table 10, and C of `file` in place. */
static void in_place(struct host *host, const char *file)
{
	struct conf *conf = load(file);
	struct link_info *vrf;

	host_bare(host, conf);
	vrf = host_link(host, "blue", 50);
	strcpy(vrf->kind, "vrf");
	vrf->vrf_table = 10;
	host_put_all(host, conf);
	conf_free(conf);
}

#define CV "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define CI "address = 192.168.8.1 peer 192.168.8.2\naddress = fd00::1/64\nroute = 10.1.0.0/16\n"

/* What the kernel takes away with the interface's place in the VRF comes back in the same plan. */
static void vrfs(void **unused)
{
	struct planned planned;
	struct host host;

	(void)unused;
	in_place(&host, "");
	host_plan(&host, CV "vrf = blue\n" CI, &planned);
	assert_string_equal(planned.steps, "rules-set; tunnel-create C; mtu C; master C; up C; "
					   "address-add C; address-add C; route-add C");
	assert_int_equal(planned.plan.steps[3].master.index, 50);
	assert_string_equal(planned.plan.steps[3].text, "put C into VRF blue");
	assert_string_equal(planned.plan.steps[7].text, "add route 10.1.0.0/16 over C table 10");
	planned_drop(&planned);
	host_drop(&host);

	/* In: the IPv4 address stays. */
	in_place(&host, CV CI);
	host_plan(&host, CV "vrf = blue\n" CI, &planned);
	assert_string_equal(planned.steps, "route-del C; tunnel-change C; master C; address-add C; "
					   "route-add C");
	assert_string_equal(planned.plan.steps[3].text, "add address fd00::1/64 to C");
	planned_drop(&planned);
	host_drop(&host);

	/* Nothing to do. */
	in_place(&host, CV "vrf = blue\n" CI);
	host_find(&host, "C")->master = 50;
	host_plan(&host, CV "vrf = blue\n" CI, &planned);
	assert_string_equal(planned.steps, "");
	planned_drop(&planned);
	/* Out. */
	host_plan(&host, CV CI, &planned);
	assert_string_equal(planned.steps, "route-del C; tunnel-change C; master C; address-add C; "
					   "route-add C");
	assert_string_equal(planned.plan.steps[2].text, "take C out of VRF blue");
	assert_int_equal(planned.plan.steps[2].master.index, 0);
	planned_drop(&planned);
	/* Somebody took it out, and its routes went with that. */
	host_find(&host, "C")->master = 0;
	host.actual.route_count = 0;
	host_plan(&host, CV "vrf = blue\n" CI, &planned);
	assert_string_equal(planned.steps, "master C; address-add C; route-add C");
	planned_drop(&planned);
	/* One of a name that begins like that of the file is somebody else's, ... */
	host_find(&host, "C")->master = 50;
	strcpy(host_find(&host, "C")->alias,
	       "gretel: gre local 172.19.1.1 remote 172.19.1.2 vrf blue2");
	host_plan(&host, CV, &planned);
	assert_null(strstr(planned.steps, "master"));
	planned_drop(&planned);
	/* ... and where the file names none, any is. */
	host_find(&host, "C")->master = 50;
	strcpy(host_find(&host, "C")->alias, "gretel: gre local 172.19.1.1 remote 172.19.1.2");
	host_plan(&host, CV, &planned);
	assert_null(strstr(planned.steps, "master"));
	planned_drop(&planned);
	host_drop(&host);
}

/* A route in a table of its own goes down with the interface, though the VRF is not asked. */
static void vrf_and_another_table(void **unused)
{
	struct planned planned;
	struct host host;

	(void)unused;
	in_place(&host, CV "vrf = blue\nroute = 10.1.0.0/16 table 50\n");
	host_plan(&host, CV "vrf = blue\nroute = 10.1.0.0/16 table 50\n", &planned);
	assert_string_equal(planned.steps, "master C; route-add C");
	planned_drop(&planned);
	host_drop(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),
		cmocka_unit_test(first_up),
		cmocka_unit_test(bridges),
		cmocka_unit_test(vrfs),
		cmocka_unit_test(vrf_and_another_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
