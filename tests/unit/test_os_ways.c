/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several tunnels need of the kernel (routes of several hops, rules of policy routing,
 * settings of interfaces), in a network namespace of the test's own with lo and a TUN device ut0.
 * Needs root; skipped (77) without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/link.h"
#include "os/netconf.h"
#include "os/route.h"
#include "os/rule.h"
#include "os/sysctl.h"

static struct nl nl;

static void make_tun(const char *name, short flags)
{
	struct ifreq request = {.ifr_flags = flags};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

static struct ip_prefix net(const char *text)
{
	struct ip_prefix prefix;

	assert_true(prefix_parse(text, &prefix));
	return prefix;
}

static int set_up(void **unused)
{
	(void)unused;
	if (nl_open(&nl, NETLINK_ROUTE))
		return -1;
	make_tun("ut0", IFF_TUN | IFF_NO_PI);
	return link_set_up(&nl, "lo", true) || link_set_up(&nl, "ut0", true);
}

static int tear_down(void **unused)
{
	(void)unused;
	nl_close(&nl);
	return 0;
}

struct routes {
	struct route_info found[8];
	size_t count;
};

static int keep_route(void *arg, const struct route_info *route)
{
	struct routes *routes = arg;

	routes->found[routes->count++] = *route;
	return 0;
}

static struct route_hop kept_hops[ROUTE_HOPS_MAX];

static int keep_hops(void *arg, const struct route_info *route)
{
	memcpy(kept_hops, route->hops, route->hop_count * sizeof(*kept_hops));
	return keep_route(arg, route);
}

/* Routes of several hops: as many as fit, read back as they were written. */
static void several_hops(void **unused)
{
	uint32_t index = link_index("ut0");
	struct route_hop hops[ROUTE_HOPS_MAX];
	struct route_info v4 = {.to = net("20.12.0.0/16"), .table = 254, .hops = hops};
	struct route_info v6 = {.to = net("2001:db8:12::/48"), .table = 254, .hops = hops};
	struct routes list = {0};

	(void)unused;
	for (uint8_t i = 0; i < ROUTE_HOPS_MAX; i++)
		hops[i] = (struct route_hop){.oif = index, .weight = i ? i : 256};
	v4.hop_count = ROUTE_HOPS_MAX;
	assert_int_equal(route_add(&nl, &v4), 0);
	assert_int_equal(route_each(&nl, AF_INET, OS_PROTOCOL, keep_hops, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.found[0].hop_count, ROUTE_HOPS_MAX);
	assert_int_equal(list.found[0].oif, 0);
	for (uint8_t i = 0; i < ROUTE_HOPS_MAX; i++) {
		assert_int_equal(kept_hops[i].oif, index);
		assert_int_equal(kept_hops[i].weight, hops[i].weight);
		hops[i].gateway = ip("fe80::9:0");
		hops[i].gateway.bytes[15] = i;
	}
	v4.hop_count = 0;
	v4.oif = index;
	assert_int_equal(route_replace(&nl, &v4), 0);
	assert_int_equal(route_del(&nl, &v4), 0);
	v6.hop_count = ROUTE_HOPS_MAX;
	assert_int_equal(route_add(&nl, &v6), 0);
	v6.hop_count = 2;
	assert_int_equal(route_replace(&nl, &v6), 0);
	list.count = 0;
	assert_int_equal(route_each(&nl, AF_INET6, OS_PROTOCOL, keep_hops, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.found[0].hop_count, 2);
	assert_true(addr_equal(&kept_hops[1].gateway, &hops[1].gateway));
	v6.hop_count = 0;
	assert_int_equal(route_del(&nl, &v6), 0);
}

static void ends_of_ways(void **unused)
{
	static const char *const nets[] = {"20.13.0.0/16", "2001:db8:13::/48"};

	(void)unused;
	for (int i = 0; i < 2; i++) {
		struct route_info end = {.to = net(nets[i]),
					 .table = 7101,
					 .metric = UINT32_MAX,
					 .type = RTN_UNREACHABLE};
		struct routes list = {0};

		assert_int_equal(route_add(&nl, &end), 0);
		assert_int_equal(
			route_each(&nl, end.to.addr.family, OS_PROTOCOL, keep_route, &list), 0);
		assert_int_equal(list.count, 1);
		assert_int_equal(list.found[0].type, RTN_UNREACHABLE);
		assert_int_equal(list.found[0].oif, 0);
		assert_int_equal(route_compare(&list.found[0], &end), 0);
		assert_int_equal(route_del(&nl, &end), 0);
	}
}

static int count_rules(void *arg, const struct rule_info *rule)
{
	assert_int_equal(rule->mark, 0x2000000);
	assert_int_equal(rule->mask, 0xff000000);
	assert_int_equal(rule->table, 7102);
	assert_int_equal(rule->priority, 7100);
	++*(int *)arg;
	return 0;
}

static void policies(void **unused)
{
	struct rule_info rule = {
		.priority = 7100, .mark = 0x2000000, .mask = 0xff000000, .table = 7102};

	(void)unused;
	assert_int_equal(system("ip rule add priority 9 fwmark 5 lookup 9"), 0);
	for (int i = 0; i < 2; i++) {
		int count = 0;

		rule.family = i ? IP_V6 : IP_V4;
		assert_int_equal(rule_add(&nl, &rule), 0);
		assert_int_equal(rule_add(&nl, &rule), -EEXIST);
		assert_int_equal(rule_each(&nl, rule.family, count_rules, &count), 0);
		assert_int_equal(count, 1);
		assert_int_equal(rule_del(&nl, &rule), 0);
		assert_int_equal(rule_del(&nl, &rule), -ENOENT);
		assert_int_equal(rule_forget_ways6(&nl), 0);
		assert_int_equal(rule_each(&nl, rule.family, count_rules, &count), 0);
		assert_int_equal(count, 1);
	}
	assert_int_equal(system("ip rule del priority 9"), 0);
}

struct found_setting {
	int32_t index;
	struct netconf_info info;
};

static int find_setting(void *arg, const struct netconf_info *info)
{
	struct found_setting *find = arg;

	if (info->index == find->index)
		find->info = *info;
	return 0;
}

static void settings(void **unused)
{
	struct found_setting own = {.index = (int32_t)link_index("ut0")};
	struct found_setting all = {.index = NETCONF_ALL};

	(void)unused;
	assert_int_equal(sysctl_write("net/ipv4/conf/ut0/ignore_routes_with_linkdown", "1"), 0);
	assert_int_equal(sysctl_write("net/ipv4/conf/ut0/rp_filter", "2"), 0);
	assert_int_equal(netconf_each(&nl, IP_V4, find_setting, &own), 0);
	assert_true(own.info.has && own.info.ignore_linkdown);
	assert_int_equal(own.info.rp_filter, 2);
	assert_int_equal(netconf_each(&nl, IP_V6, find_setting, &own), 0);
	assert_true(own.info.has && !own.info.ignore_linkdown);
	assert_int_equal(netconf_each(&nl, IP_V4, find_setting, &all), 0);
	assert_true(all.info.has);
	assert_int_equal(sysctl_write("net/ipv4/conf/ut0/ignore_routes_with_linkdown", "0"), 0);
	assert_int_equal(sysctl_write("net/ipv4/conf/ut0/rp_filter", "0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_hops),
		cmocka_unit_test(ends_of_ways),
		cmocka_unit_test(policies),
		cmocka_unit_test(settings),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
