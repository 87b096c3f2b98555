/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor looks with, against the kernel: a router with a LAN on lan0 and another network
 * on out0, in a namespace of the test's own. Needs root; skipped (77) without.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include <cmocka.h>

#include "os/conntrack.h"
#include "os/echosock.h"
#include "os/inject.h"
#include "os/link.h"
#include "os/neighbour.h"
#include "os/nft.h"
#include "os/nfttrace.h"
#include "os/procfile.h"
#include "os/route.h"
#include "os/sysctl.h"

enum { ID = 0x4711 };

static struct nl nl, netfilter;
static uint32_t lan, out;

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(system("ip link set lo up\n"
				"ip link add lan0 type veth peer name lan1\n"
				"ip link add out0 type veth peer name out1\n"
				"for d in lan0 lan1 out0 out1; do ip link set $d up; done\n"
				"ip address add 10.1.0.1/24 dev lan0\n"
				"ip address add 10.2.0.1/24 dev out0\n"
				"ip neigh replace 10.2.0.9 lladdr 02:00:00:00:00:09 dev out0\n"),
			 0);
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	lan = link_index("lan0");
	out = link_index("out0");
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE), 0);
	return conntrack_open(&netfilter);
}

static int tear_down(void **state)
{
	(void)state;
	nl_close(&nl);
	nl_close(&netfilter);
	return 0;
}

/* An echo request of 10.1.0.9 to 10.2.0.9, as if it came in on lan0. */
static int inject(uint16_t sequence)
{
	uint8_t packet[128];
	struct echo_request request = {.from = ip("10.1.0.9"),
				       .to = ip("10.2.0.9"),
				       .ttl = 64,
				       .id = ID,
				       .sequence = sequence};

	return inject_packet("lan0", packet, echo_packet(packet, &request));
}

static bool seen_on(struct echosock *sock, enum echo_where where, uint32_t ifindex)
{
	struct echo_event event;

	while (echosock_next(sock, 1000, &event) == 1)
		if (event.where == where && event.ifindex == ifindex)
			return true;
	return false;
}

static void injected_is_forwarded(void **state)
{
	struct echosock sock;

	(void)state;
	assert_int_equal(echosock_open(&sock, ID), 0);
	assert_int_equal(inject(1), 0);
	assert_true(seen_on(&sock, ECHO_ARRIVED, lan));
	assert_true(seen_on(&sock, ECHO_LEFT, out));
	assert_int_equal(inject_packet("none", (const uint8_t *)"E", 1), -ENODEV);
	echosock_close(&sock);
}

static void echo_to_itself(void **state)
{
	struct echosock sock;
	struct echo_event event;
	const char *addresses[] = {"127.0.0.1", "::1"};

	(void)state;
	assert_int_equal(echosock_open(&sock, ID), 0);
	for (uint16_t i = 0; i < 2; i++) {
		struct echo_request request = {
			.from = ip(addresses[i]), .to = ip(addresses[i]), .sequence = i};

		assert_int_equal(echosock_send(&sock, &request, 0), 0);
		do
			assert_int_equal(echosock_next(&sock, 1000, &event), 1);
		while (event.where != ECHO_DELIVERED || event.seen.kind != ECHO_REPLY);
		assert_int_equal(event.seen.sequence, i);
		assert_true(addr_equal(&event.seen.src, &request.to));
	}
	echosock_close(&sock);
}

static void trace_names_the_rule(void **state)
{
	struct nft_trace *trace;
	struct nft_drop drop;
	struct nft *nft;

	(void)state;
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(
		nft_run(nft,
			"table ip evil {\n"
			"chain sink { ip daddr 10.2.0.0/24 counter drop\n }\n"
			"chain mean { type filter hook forward priority 5\n jump sink\n }\n"
			"}",
			NULL),
		0);
	assert_int_equal(nft_trace_open("icmp id 18193", &trace), 0);
	assert_int_equal(inject(2), 0);
	assert_int_equal(nft_trace_next(trace, 1000, &drop), 1);
	assert_string_equal(nft_family_name(drop.family), "ip");
	assert_string_equal(drop.table, "evil");
	assert_string_equal(drop.chain, "sink");
	assert_true(addr_equal(&drop.from, &(struct ip_addr){IP_V4, {10, 1, 0, 9}}));
	assert_true(addr_equal(&drop.to, &(struct ip_addr){IP_V4, {10, 2, 0, 9}}));
	assert_string_equal(drop.rule, "ip daddr 10.2.0.0/24 counter drop");
	nft_trace_close(trace);
	assert_int_equal(nft_run(nft, "delete table ip evil", NULL), 0);
	nft_close(nft);
	assert_int_equal(system("nft list tables | grep -q doctor"), 256);
}

static void trace_names_the_policy(void **state)
{
	struct nft_trace *trace;
	struct nft_drop drop;
	struct nft *nft;

	(void)state;
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(nft_run(nft,
				 "table inet shut { chain f { type filter hook forward priority 5\n"
				 "policy drop\n }\n }",
				 NULL),
			 0);
	assert_int_equal(nft_trace_open("icmp id 18193", &trace), 0);
	assert_int_equal(nft_trace_next(trace, 0, &drop), 0);
	assert_int_equal(inject(3), 0);
	assert_int_equal(nft_trace_next(trace, 1000, &drop), 1);
	assert_string_equal(drop.table, "shut");
	assert_int_equal(drop.handle, 0);
	nft_trace_close(trace);
	assert_int_equal(nft_run(nft, "delete table inet shut", NULL), 0);
	nft_close(nft);
}

static void named_counter(void **state)
{
	uint64_t packets = 9;
	struct nft *nft;

	(void)state;
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(nft_run(nft,
				 "table ip c {\ncounter n { packets 4711 bytes 5\n }\n"
				 "chain f { type filter hook forward priority 5\n"
				 "counter name n\n }\n }",
				 NULL),
			 0);
	assert_int_equal(inject(5), 0);
	assert_int_equal(nft_read_counter(nft, "ip c n", &packets), 0);
	assert_int_equal(packets, 4712);
	assert_int_equal(nft_read_counter(nft, "ip c none", &packets), -ENOENT);
	assert_int_equal(nft_run(nft, "delete table ip c", NULL), 0);
	nft_close(nft);
}

static int find_entry(void *arg, const struct conntrack_entry *entry)
{
	struct conntrack_entry *found = arg;
	struct ip_addr to = ip("10.2.0.9");

	if (entry->protocol == IPPROTO_ICMP && addr_equal(&entry->original.to, &to))
		*found = *entry;
	return 0;
}

static void translated_entry(void **state)
{
	struct conntrack_entry found = {.protocol = 0};
	struct ip_addr lan_host = ip("10.1.0.9"), router = ip("10.2.0.1");
	uint32_t count = 0, max = 0;
	struct nft *nft;

	(void)state;
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(nft_run(nft,
				 "table ip nat { chain p { type nat hook postrouting priority 100\n"
				 "oifname out0 masquerade\n }\n }",
				 NULL),
			 0);
	assert_int_equal(inject(4), 0);
	assert_int_equal(conntrack_each(&netfilter, IP_V4, find_entry, &found), 0);
	assert_int_equal(found.protocol, IPPROTO_ICMP);
	assert_int_equal(found.original.from_port, ID);
	assert_true(addr_equal(&found.original.from, &lan_host));
	assert_true(addr_equal(&found.reply.to, &router));
	assert_true(found.status & CONNTRACK_SRC_NAT);
	assert_false(found.status & CONNTRACK_SEEN_REPLY);
	assert_in_range(found.timeout, 1, 30);
	assert_int_equal(conntrack_fill(&count, &max), 0);
	assert_true(count >= 1 && max > count);
	assert_int_equal(nft_run(nft, "delete table ip nat", NULL), 0);
	nft_close(nft);
}

static void ways_of_arriving_packets(void **state)
{
	struct route_question question = {.to = ip("10.2.0.9"), .from = ip("10.1.0.9"), .iif = lan};
	struct route_way way;
	int err;

	(void)state;
	assert_int_equal(route_ask(&nl, &question, &way), 0);
	assert_int_equal(way.oif, out);
	/* The reverse path filter: 10.2.0.0/24 is not behind lan0. */
	assert_int_equal(sysctl_write("net/ipv4/conf/lan0/rp_filter", "1"), 0);
	question.from = ip("10.2.0.8");
	question.to = ip("10.1.0.9");
	err = route_ask(&nl, &question, &way);
	assert_true(err == -EXDEV || err == -EINVAL);
	assert_int_equal(sysctl_write("net/ipv4/conf/lan0/rp_filter", "0"), 0);
	/* No forwarding. */
	assert_int_equal(sysctl_write("net/ipv4/conf/lan0/forwarding", "0"), 0);
	question =
		(struct route_question){.to = ip("10.2.0.9"), .from = ip("10.1.0.9"), .iif = lan};
	assert_int_equal(route_ask(&nl, &question, &way), -EHOSTUNREACH);
	assert_int_equal(sysctl_write("net/ipv4/conf/lan0/forwarding", "1"), 0);
	/* A mark that a rule sends elsewhere. */
	assert_int_equal(system("ip rule add fwmark 7 unreachable"), 0);
	question.mark = 7;
	assert_int_not_equal(route_ask(&nl, &question, &way), 0);
	assert_int_equal(system("ip rule del fwmark 7 unreachable"), 0);
}

static int find_neighbour(void *arg, const struct neighbour_info *neighbour)
{
	struct ip_addr wanted = ip("10.2.0.9");

	*(bool *)arg |= neighbour->index == out && addr_equal(&neighbour->addr, &wanted) &&
			neighbour_is_known(neighbour);
	return 0;
}

static void neighbours(void **state)
{
	bool found = false;

	(void)state;
	assert_int_equal(neighbour_each(&nl, IP_V4, find_neighbour, &found), 0);
	assert_true(found);
}

static void counters(void **state)
{
	static const char text[] = "TcpExt: SyncookiesSent IPReversePathFilter Last\n"
				   "TcpExt: 1 -2 33\n"
				   "IpExt: InNoRoutes\nIpExt: 4\n";

	(void)state;
	assert_int_equal(proc_counter(text, "TcpExt", "IPReversePathFilter"), -2);
	assert_int_equal(proc_counter(text, "TcpExt", "Last"), 33);
	assert_int_equal(proc_counter(text, "IpExt", "InNoRoutes"), 4);
	assert_int_equal(proc_counter(text, "TcpExt", "IPReverse"), -1);
	assert_int_equal(proc_counter(text, "Tcp", "Last"), -1);
	assert_int_equal(proc_counter("TcpExt: A", "TcpExt", "A"), -1);
	assert_true(proc_net_counter("netstat", "TcpExt", "IPReversePathFilter") >= 0);
	assert_true(proc_net_counter("snmp", "Ip", "InReceives") > 0);
	assert_int_equal(proc_net_counter("none", "Ip", "InReceives"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(injected_is_forwarded),
		cmocka_unit_test(echo_to_itself),
		cmocka_unit_test(trace_names_the_rule),
		cmocka_unit_test(trace_names_the_policy),
		cmocka_unit_test(named_counter),
		cmocka_unit_test(translated_entry),
		cmocka_unit_test(ways_of_arriving_packets),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(counters),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
