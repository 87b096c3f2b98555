/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes that several tunnels have to do with: backups and groups. What is planned is compared as
 * the text that people read. */
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

#define ENDS "local = 172.19.1.1\nremote = 172.19.1.2\nnotrack = no\n"
#define TO   "route = 20.0.0.0/8\n"
#define TO6  "route = fd20::/16\n"
#define A    "[tunnel A]\nkey = 1\n" ENDS
#define B    "[tunnel B]\nkey = 2\n" ENDS
#define C    "[tunnel C]\nkey = 3\n" ENDS
#define G    "group = g\n"
#define R    "return-path = same-tunnel\n"
#define A4   "address = 10.1.0.1/31\n"
#define B4   "address = 10.2.0.1/31\n"
#define A6   "address = fd01::1/127\n"

static void none(struct host *host)
{
	(void)host;
}
static void link_gone(struct host *host)
{
	struct link_info *link = host_find(host, "B");

	*link = host->links[--host->actual.link_count];
	host->actual.lane_count--; /* B is the last */
}
static void other_weight(struct host *host)
{
	host->hops[0][1].weight = 9;
}
static void hash_set(struct host *host)
{
	strcpy(host->actual.switches[SWITCH_HASH4], "2");
}
static void other_src(struct host *host)
{
	host->routes[0].src = net("10.9.9.9").addr;
}
static void by_gateway(struct host *host)
{
	host->routes[0].gateway = net("10.9.9.9").addr;
}
static void theirs(struct host *host)
{
	host->routes[host->actual.route_count++] = (struct route_info){.to = net("20.9.0.0/16"),
								       .table = 254,
								       .oif = UNDERLAY,
								       .protocol = OS_PROTOCOL,
								       .type = RTN_UNICAST};
}

/* What a pin of the way to the peer leaves behind. */
static void pinned(struct host *host)
{
	host->ways[0].way.match = net("172.19.1.2/32");
	host->ways[0].way.protocol = OS_PROTOCOL;
	host->routes[host->actual.route_count++] =
		(struct route_info){.to = net("172.19.1.2/32"),
				    .table = 254,
				    .oif = UNDERLAY,
				    .gateway = net("172.19.1.254").addr,
				    .protocol = OS_PROTOCOL,
				    .type = RTN_UNICAST};
}
static void gateway_moved(struct host *host)
{
	pinned(host);
	host->ways[0].beneath.gateway = net("172.19.1.253").addr;
	host->ways[0].beneath.route_mtu = 1400;
}
static void gateway_gone(struct host *host)
{
	pinned(host);
	host->ways[0].beneath_error = -ENETUNREACH;
}
static void pin_gone(struct host *host)
{
	host->ways[0].way.oif = FIRST_TUNNEL;
	host->ways[0].way.protocol = OS_PROTOCOL;
}
static void on_link(struct host *host)
{
	host->ways[0].beneath.gateway = (struct ip_addr){0};
}

static void table_gone(struct host *host)
{
	host->actual.route_count--; /* the one behind the default route */
}
static void other_rule(struct host *host)
{
	host->policies[0].priority = 9;
}
static void number_lost(struct host *host)
{
	memset(host->state.returns, 0, sizeof(host->state.returns));
}

/* The first file is in place, `change` happens, the second is wanted. */
static const struct {
	const char *first;
	void (*change)(struct host *host);
	const char *second;
	const char *steps;
} cases[] = {
	/* 1 */ {A TO B "backup-of = A\n", none, A TO B "backup-of = A\n", ""},
	/* 2: a backup comes */
	{A TO TO6 B, none, A TO TO6 B "backup-of = A\n",
	 "add route 20.0.0.0/8 over B metric 1000; add route fd20::/16 over B metric 2024"},
	/* 3: a chain; its own line takes the place of the copy */
	{A "route = 20.0.0.0/8 metric 5 src 10.1.1.1\n" TO6 B C, none,
	 A "route = 20.0.0.0/8 metric 5 src 10.1.1.1\n" TO6 B
	   "backup-of = A\nroute = 20.0.0.0/8 metric 700\n" C "backup-of = B\n",
	 "add route 20.0.0.0/8 over B metric 700; add route fd20::/16 over B metric 2024; "
	 "add route 20.0.0.0/8 over C metric 1700; add route fd20::/16 over C metric 3024"},
	/* 4: the backup stands in no more */
	{A TO B "backup-of = A\n", none, A TO B, "delete route 20.0.0.0/8 over B metric 1000"},
	/* 5 */ {A G TO B G TO, none, A G TO B G TO, ""},
	/* 6 */ {A G TO6 B G TO6, none, A G TO6 B G TO6, ""},
	/* 7: a group comes about */
	{A TO B, none, A G TO B "group = g weight 3\n" TO,
	 "set net.ipv4.fib_multipath_hash_policy = 1; "
	 "change route 20.0.0.0/8 over A and B weight 3"},
	/* 8: with IPv6 a gateway comes with it */
	{A TO6 B, none, A G TO6 B, "change route fd20::/16 over A"},
	/* 9 */
	{A G TO6 B G TO6, none, A TO6 B,
	 "change route fd20::/16 over A; restore net.ipv6.fib_multipath_hash_policy = 0"},
	/* 10: a member leaves, before its link does */
	{A G TO B G TO C G TO, none, A G TO C G TO,
	 "change route 20.0.0.0/8 over A and C; delete B"},
	/* 11: a member comes, after its link does */
	{A G TO C G TO, none, A G TO B G TO C G TO,
	 "create B: gre local 172.19.1.1 remote 172.19.1.2 key 2; set the MTU of B to 1472; "
	 "bring up B; change route 20.0.0.0/8 over A and B and C"},
	/* 12: one leaves, one comes */
	{A G TO B G TO, none, A G TO C G TO,
	 "change route 20.0.0.0/8 over A; delete B; "
	 "create C: gre local 172.19.1.1 remote 172.19.1.2 key 3; set the MTU of C to 1472; "
	 "bring up C; change route 20.0.0.0/8 over A and C"},
	/* 13: no member stays */
	{A G TO B G TO C, none, A B C TO,
	 "delete route 20.0.0.0/8 over A and B; "
	 "add route 20.0.0.0/8 over C; restore net.ipv4.fib_multipath_hash_policy = 0"},
	/* 14 */
	{A G TO B "group = g weight 2\n" TO, none, A G TO B "group = g weight 7\n" TO,
	 "change route 20.0.0.0/8 over A and B weight 7"},
	/* 15 */
	{A G TO B G TO, other_weight, A G TO B G TO, "change route 20.0.0.0/8 over A and B"},
	/* 16: somebody deleted a link: the kernel left its hop, or the route went with it */
	{A G TO B G TO, link_gone, A G TO B G TO,
	 "create B: gre local 172.19.1.1 remote 172.19.1.2 key 2; set the MTU of B to 1472; "
	 "bring up B; change route 20.0.0.0/8 over A and B"},
	/* 17: the host has chosen a hash */
	{A TO B, hash_set, A G TO B G TO, "change route 20.0.0.0/8 over A and B"},
	/* 18: another metric is another place */
	{A G TO B G "route = 20.0.0.0/8 metric 2\n", none, A G TO B G TO,
	 "set net.ipv4.fib_multipath_hash_policy = 1; delete route 20.0.0.0/8 over B metric 2; "
	 "change route 20.0.0.0/8 over A and B"},
	/* 19: backups of a group's members are a group, or not */
	{A G TO B G TO C, none, A G TO B G TO C "backup-of = B\n",
	 "add route 20.0.0.0/8 over C metric 1000"},
	/* 20 */ {A TO, other_src, A TO, "change route 20.0.0.0/8 over A"},
	/* 21 */ {A TO, by_gateway, A TO, "change route 20.0.0.0/8 over A"},
	/* 22: our number on a route that nobody wants */
	{A TO, theirs, A TO, "delete route 20.9.0.0/16 over eth0"},
	/* 23: the tunnel carries everything: its peer is pinned first */
	{A, none, A "route = 0.0.0.0/0\n",
	 "pin the way to 172.19.1.2, the peer of A: via 172.19.1.254 dev eth0; "
	 "add route 0.0.0.0/0 over A"},
	/* 24 */ {A "route = 0.0.0.0/0\n", pinned, A "route = 0.0.0.0/0\n", ""},
	/* 25 */
	{A "route = 0.0.0.0/0\n", gateway_moved, A "route = 0.0.0.0/0\n",
	 "change the way to 172.19.1.2, the peer of A: via 172.19.1.253 dev eth0"},
	/* 26 */
	{A "route = 0.0.0.0/0\n", gateway_gone, A "route = 0.0.0.0/0\n",
	 "change the way to 172.19.1.2, the peer of A: unreachable"},
	/* 27: somebody deleted it, and the packets go round */
	{A "route = 0.0.0.0/1\nroute = 128.0.0.0/1\n", pin_gone,
	 A "route = 0.0.0.0/1\nroute = 128.0.0.0/1\n",
	 "pin the way to 172.19.1.2, the peer of A: via 172.19.1.254 dev eth0"},
	/* 28 */
	{A "route = 0.0.0.0/0\n", on_link, A "route = 0.0.0.0/0\n",
	 "pin the way to 172.19.1.2, the peer of A: dev eth0"},
	/* 29: one peer, one pin; a backup's route covers the peers as well */
	{A "route = 0.0.0.0/0\n" B, pinned, A "route = 0.0.0.0/0\n" B "backup-of = A\n",
	 "add route 0.0.0.0/0 over B metric 1000"},
	/* 30: and it goes when nothing covers the peer any more, and last of all */
	{A "route = 0.0.0.0/0\n", pinned, A,
	 "delete route 0.0.0.0/0 over A; unpin the way to 172.19.1.2: via 172.19.1.254 dev eth0"},
	/* 31 */
	{A "route = 0.0.0.0/0\n", pinned, NULL,
	 "delete route 0.0.0.0/0 over A; delete A; "
	 "unpin the way to 172.19.1.2: via 172.19.1.254 dev eth0"},
	/* 32: replies keep to the tunnel */
	{A A4, none, A A4 R,
	 "load nftables table inet gretel: 1 return path; "
	 "add route 0.0.0.0/0 over A table 7101; "
	 "add route 0.0.0.0/0 unreachable metric 4294967295 table 7101; "
	 "add rule fwmark 0x01000000/0xff000000 lookup 7101 (IPv4) for A"},
	/* 33 */ {A A4 A6 R, none, A A4 A6 R, ""},
	/* 34: the numbers stay, whatever comes before them in the file */
	{B B4 R C A6 R, none, A R B B4 R C A6 R,
	 "replace nftables table inet gretel: 3 return path; "
	 "create A: gre local 172.19.1.1 remote 172.19.1.2 key 1; set the MTU of A to 1472; "
	 "bring up A; add route 0.0.0.0/0 over A table 7103; "
	 "add route 0.0.0.0/0 unreachable metric 4294967295 table 7103; "
	 "add rule fwmark 0x03000000/0xff000000 lookup 7103 (IPv4) for A"},
	/* 35 */
	{A A4 R B A6 R, none, A A4 B A6 R,
	 "replace nftables table inet gretel: 1 return path; "
	 "delete rule fwmark 0x01000000/0xff000000 lookup 7101 (IPv4); "
	 "delete route 0.0.0.0/0 over A table 7101; "
	 "delete route 0.0.0.0/0 unreachable metric 4294967295 table 7101"},
	/* 36 */
	{A A4 R, table_gone, A A4 R,
	 "add route 0.0.0.0/0 unreachable metric 4294967295 table 7101"},
	/* 37 */
	{A A4 R, other_rule, A A4 R,
	 "delete rule fwmark 0x01000000/0xff000000 lookup 7101 (IPv4); "
	 "add rule fwmark 0x01000000/0xff000000 lookup 7101 (IPv4) for A"},
	/* 38: without the state they are given out anew */
	{A A4 R B B4 R, number_lost, B B4 R,
	 "replace nftables table inet gretel: 1 return path; "
	 "delete rule fwmark 0x02000000/0xff000000 lookup 7102 (IPv4); "
	 "delete route 0.0.0.0/0 over A table 7101; "
	 "delete route 0.0.0.0/0 over B table 7102; "
	 "delete route 0.0.0.0/0 unreachable metric 4294967295 table 7102; "
	 "delete address 10.1.0.1/31 from A; delete A; "
	 "add route 0.0.0.0/0 over B table 7101"},
	/* 39: down */
	{A G TO B G TO, none, NULL,
	 "delete route 20.0.0.0/8 over A and B; delete A; delete B; "
	 "restore net.ipv4.fib_multipath_hash_policy = 0"},
};

static void describe(const struct plan *plan, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < plan->step_count && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? "; " : "",
					 plan->steps[i].text);
}

static void ways(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *first = load(cases[i].first);
		struct planned planned;
		struct host host;
		char steps[2048];

		host_done(&host, first);
		cases[i].change(&host);
		host_plan(&host, cases[i].second, &planned);
		if (planned.plan.refusal_count)
			fail_msg("case %zu: %s", i + 1, planned.plan.refusals[0]);
		describe(&planned.plan, steps, sizeof(steps));
		if (strcmp(steps, cases[i].steps) != 0)
			fail_msg("case %zu:\nplanned  %s\nexpected %s", i + 1, steps,
				 cases[i].steps);
		planned_drop(&planned);
		host_drop(&host);
		conf_free(first);
	}
}

/* Hops that stay keep their gateway, without which IPv6 takes no two, and so does the copy that an
 * undo puts back. */
static void gateways_stay(void **unused)
{
	struct conf *first = load(A G TO6 B G TO6 C G TO6);
	const struct step *step;
	struct planned planned;
	struct host host;

	(void)unused;
	host_done(&host, first);
	host_plan(&host, A G TO6 C G TO6, &planned);
	step = &planned.plan.steps[0];
	assert_int_equal(step->kind, STEP_ROUTE_CHANGE);
	assert_int_equal(step->route.now.hop_count, 2);
	assert_int_equal(step->route.old.hop_count, 3);
	assert_int_equal(step->route.now.route.gateway.family, IP_V6);
	assert_int_equal(step->route.old.route.gateway.family, IP_V6);
	planned_drop(&planned);
	host_drop(&host);
	conf_free(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways),
		cmocka_unit_test(gateways_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
