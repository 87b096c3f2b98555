/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel interfaces of src/os against the kernel, in a network namespace of the test's own with
 * lo, a TUN device ut0 and a TAP device ut1. Needs root; skipped (77) without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
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

#include "os/address.h"
#include "os/link.h"
#include "os/nft.h"
#include "os/route.h"
#include "os/sysctl.h"
#include "os/watch.h"

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
	make_tun("ut1", IFF_TAP | IFF_NO_PI);
	return link_set_up(&nl, "lo", true);
}

static int tear_down(void **unused)
{
	(void)unused;
	nl_close(&nl);
	return 0;
}

static int count_links(void *arg, const struct link_info *link)
{
	(void)link;
	(*(int *)arg)++;
	return 0;
}

static void links(void **unused)
{
	struct link_info link;
	char alias[LINK_ALIAS_SIZE + 1];
	int count = 0;

	(void)unused;
	assert_int_equal(link_each(&nl, count_links, &count), 0);
	assert_true(count >= 3);
	assert_int_equal(link_get(&nl, "ut0", &link), 0);
	assert_string_equal(link.kind, "tun");
	assert_int_equal(link.tun, LINK_TUN);
	assert_true(link.persist);
	assert_int_equal(link.index, link_index("ut0"));
	assert_int_equal(link.mtu, 1500);
	assert_string_equal(link.alias, "");
	assert_int_equal(link_get(&nl, "ut1", &link), 0);
	assert_int_equal(link.tun, LINK_TAP);
	assert_int_equal(link_get(&nl, "ut9", &link), -ENODEV);
	assert_int_equal(link_set_mtu(&nl, "ut9", 1400), -ENODEV);

	assert_int_equal(link_set_mtu(&nl, "ut0", 1476), 0);
	assert_int_equal(link_set_mtu(&nl, "ut0", 20), -EINVAL);
	assert_string_not_equal(nl.text, ""); /* the kernel says why */
	memset(alias, 'x', LINK_ALIAS_SIZE);
	alias[LINK_ALIAS_SIZE] = '\0';
	assert_int_equal(link_set_alias(&nl, "ut0", alias), -EINVAL);
	alias[LINK_ALIAS_SIZE - 1] = '\0';
	assert_int_equal(link_set_alias(&nl, "ut0", alias), 0);
	assert_int_equal(link_set_up(&nl, "ut0", true), 0);
	assert_int_equal(link_get(&nl, "ut0", &link), 0);
	assert_string_equal(link.alias, alias);
	assert_int_equal(link.mtu, 1476);
	assert_true(link.flags & IFF_UP);
}

struct find {
	uint32_t index;
	struct address_info found[4];
	size_t count;
};

static int find_address(void *arg, const struct address_info *address)
{
	struct find *find = arg;

	if (address->index == find->index && !addr_is_link_local(&address->local.addr))
		find->found[find->count++] = *address;
	return 0;
}

static void addresses(void **unused)
{
	uint32_t index = link_index("ut0");
	const struct address_info table[] = {
		{.index = index, .local = net("192.168.8.1"), .peer = ip("192.168.8.11")},
		{.index = index, .local = net("10.9.0.1/30")},
		{.index = index, .local = net("2001:db8::1/127")},
	};
	struct find find = {.index = index};

	(void)unused;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(address_add(&nl, &table[i]), 0);
	assert_int_equal(address_add(&nl, &table[0]), -EEXIST);
	assert_int_equal(address_each(&nl, find_address, &find), 0);
	assert_int_equal(find.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(prefix_equal(&find.found[i].local, &table[i].local));
		assert_true(addr_equal(&find.found[i].peer, &table[i].peer));
		assert_int_equal(find.found[i].protocol, OS_PROTOCOL);
		assert_false(find.found[i].flags & IFA_F_TENTATIVE);
	}
	assert_int_equal(address_del(&nl, &table[1]), 0);
	assert_int_equal(address_del(&nl, &table[1]), -EADDRNOTAVAIL);
	find.count = 0;
	assert_int_equal(address_each(&nl, find_address, &find), 0);
	assert_int_equal(find.count, 2);
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

static void routes(void **unused)
{
	uint32_t index = link_index("ut0");
	struct route_info v4 = {.to = net("20.10.1.0/24"), .table = 254, .oif = index};
	struct route_info v4b = {.to = net("20.10.1.0/24"),
				 .table = 254,
				 .oif = index,
				 .metric = 50,
				 .src = ip("192.168.8.1")};
	struct route_info v6 = {.to = net("2001:db8:20::/48"), .table = 300, .oif = index};
	struct routes list = {0};

	(void)unused;
	assert_int_equal(route_add(&nl, &v4), 0);
	assert_int_equal(route_add(&nl, &v4), -EEXIST);
	assert_int_equal(route_add(&nl, &v4b), 0);
	assert_int_equal(route_add(&nl, &v6), 0);
	assert_int_equal(route_each(&nl, AF_INET, OS_PROTOCOL, keep_route, &list), 0);
	assert_int_equal(list.count, 2);
	assert_true(prefix_equal(&list.found[0].to, &v4.to));
	assert_int_equal(list.found[1].metric, 50);
	assert_true(addr_equal(&list.found[1].src, &v4b.src));
	list.count = 0;
	assert_int_equal(route_each(&nl, AF_INET6, OS_PROTOCOL, keep_route, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.found[0].table, 300);
	assert_int_equal(list.found[0].metric, 1024);
	v4b.src = (struct ip_addr){0};
	assert_int_equal(route_replace(&nl, &v4b), 0);
	assert_int_equal(route_del(&nl, &v4), 0);
	list.count = 0;
	assert_int_equal(route_each(&nl, AF_INET, OS_PROTOCOL, keep_route, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.found[0].src.family, IP_NONE);
	assert_int_equal(route_del(&nl, &v4b), 0);
	assert_int_equal(route_del(&nl, &v4b), -ESRCH);
	assert_int_equal(route_del(&nl, &v6), 0);
}

static void ways(void **unused)
{
	uint32_t index = link_index("ut0");
	struct route_info route = {.to = net("20.10.0.0/16"), .table = 254, .oif = index};
	struct ip_addr to = ip("20.10.1.7"), from = ip("192.168.8.1"), alien = ip("9.9.9.9");
	struct ip_addr to6 = ip("2001:db8::"), far6 = ip("2001:db8:7::1");
	struct route_way way;

	(void)unused;
	assert_int_equal(route_add(&nl, &route), 0);
	assert_int_equal(route_find(&nl, &to, &from, 0, &way), 0);
	assert_true(prefix_equal(&way.match, &route.to));
	assert_int_equal(way.oif, index);
	assert_int_equal(way.table, 254);
	assert_int_equal(way.protocol, OS_PROTOCOL);
	assert_int_equal(way.type, RTN_UNICAST);
	assert_true(addr_equal(&way.src, &from));
	assert_int_equal(way.mtu, 0);
	assert_int_equal(route_find(&nl, &to, NULL, index, &way), 0);
	assert_int_equal(route_find(&nl, &to, &alien, 0, &way), -ENETUNREACH);
	assert_int_equal(route_find(&nl, &alien, NULL, 0, &way), -ENETUNREACH);
	assert_int_equal(route_find(&nl, &from, NULL, 0, &way), 0);
	assert_int_equal(way.type, RTN_LOCAL);
	assert_int_equal(route_del(&nl, &route), 0);
	assert_int_equal(route_find(&nl, &to6, NULL, 0, &way), 0);
	assert_int_equal(way.match.len, 127);
	assert_int_equal(way.oif, index);
	assert_int_equal(route_find(&nl, &far6, NULL, 0, &way), -ENETUNREACH);
}

/* Writes what a router on the way says about `packet`: larger than `mtu` (RFC 1191 4). */
static void write_too_big(int tun, const uint8_t *packet, uint16_t mtu)
{
	uint8_t answer[56] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1};
	uint32_t sum = 0;

	memcpy(answer + 12, packet + 16, 4);
	memcpy(answer + 16, packet + 12, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(answer[i] << 8 | answer[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	answer[10] = (uint8_t)(sum >> 8);
	answer[11] = (uint8_t)sum;
	answer[20] = 3;
	answer[21] = 4;
	answer[26] = (uint8_t)(mtu >> 8);
	answer[27] = (uint8_t)mtu;
	memcpy(answer + 28, packet, 28);
	sum = 0;
	for (int i = 20; i < 56; i += 2)
		sum += (uint32_t)(answer[i] << 8 | answer[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	answer[22] = (uint8_t)(sum >> 8);
	answer[23] = (uint8_t)sum;
	assert_int_equal(write(tun, answer, sizeof(answer)), sizeof(answer));
}

/* What the kernel learnt about a path is in the answer. */
static void learnt_path_mtu(void **unused)
{
	struct ifreq request = {.ifr_name = "ut0", .ifr_flags = IFF_TUN | IFF_NO_PI};
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 0x0900};
	struct ip_addr far = ip("192.168.8.11");
	int discover = IP_PMTUDISC_DO;
	uint8_t packet[2000];
	struct route_way way;

	(void)unused;
	assert_true(udp >= 0);
	assert_int_equal(ioctl(tun, TUNSETIFF, &request), 0);
	memcpy(&to.sin_addr, far.bytes, 4);
	assert_int_equal(setsockopt(udp, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)),
			 0);
	memset(packet, 0, sizeof(packet));
	/* The kernel starts the device's queue some time after we have attached to it, and drops
	 * what is sent before: send until it comes. */
	do {
		struct pollfd readable = {.fd = tun, .events = POLLIN};

		assert_int_equal(sendto(udp, packet, 1400, 0, (struct sockaddr *)&to, sizeof(to)),
				 1400);
		if (poll(&readable, 1, 100) == 1)
			assert_true(read(tun, packet, sizeof(packet)) > 0);
	} while (packet[0] >> 4 != 4 || packet[9] != IPPROTO_UDP);
	assert_int_equal(route_find(&nl, &far, NULL, 0, &way), 0);
	assert_int_equal(way.mtu, 0);
	write_too_big(tun, packet, 1300);
	assert_int_equal(route_find(&nl, &far, NULL, 0, &way), 0);
	assert_int_equal(way.mtu, 1300);
	assert_int_equal(way.match.len, 32);
	close(udp);
	close(tun);
}

static void sysctls(void **unused)
{
	char value[SYSCTL_VALUE_SIZE], name[SYSCTL_NAME_SIZE];

	(void)unused;
	make_tun("ut.7", IFF_TUN | IFF_NO_PI);
	assert_int_equal(sysctl_write("net/ipv4/conf/ut.7/forwarding", "1"), 0);
	assert_int_equal(sysctl_read("net/ipv4/conf/ut.7/forwarding", value), 0);
	assert_string_equal(value, "1");
	assert_string_equal(sysctl_name("net/ipv4/conf/ut.7/forwarding", name),
			    "net.ipv4.conf.ut/7.forwarding");
	assert_int_equal(sysctl_read("net/ipv4/conf/nowhere/forwarding", value), -ENOENT);
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "many"), -EINVAL);
	assert_int_equal(link_delete(&nl, "ut.7"), 0);
}

static void rules(void **unused)
{
	struct nft *nft;
	char *error = NULL, *first, *again, *text;

	(void)unused;
	assert_int_equal(nft_probe(), 0);
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(nft_list_table(nft, "inet gretel", &first), -ENOENT);
	assert_int_equal(nft_run(nft,
				 "table inet gretel { chain a { tcp dport 443 counter accept; }; "
				 "chain b { ct state established accept; }; }",
				 &error),
			 0);
	assert_null(error);
	assert_int_equal(nft_list_table(nft, "inet gretel", &first), 0);
	assert_non_null(strstr(first, "chain b"));
	assert_null(strstr(first, "packets"));
	/* One bad command, and nothing is done. */
	assert_int_equal(
		nft_run(nft, "delete table inet gretel\nadd rule inet nowhere a accept", &error),
		-ENOENT);
	assert_non_null(error);
	assert_null(strchr(error, '\n'));
	free(error);
	assert_int_equal(nft_run(nft, "what is this", NULL), -EINVAL);
	/* A listing can be loaded again, and is the same then. */
	assert_int_equal(nft_list_table(nft, "inet gretel", &again), 0);
	assert_string_equal(first, again);
	assert_true(asprintf(&text, "delete table inet gretel\n%s", first) > 0);
	assert_int_equal(nft_run(nft, text, NULL), 0);
	free(again);
	assert_int_equal(nft_list_table(nft, "inet gretel", &again), 0);
	assert_string_equal(first, again);
	assert_int_equal(nft_run(nft, "delete table inet gretel", NULL), 0);
	free(text);
	free(first);
	free(again);
	nft_close(nft);
}

struct seen {
	struct watch_event events[16];
	size_t count;
};

static void keep_event(void *arg, const struct watch_event *event)
{
	struct seen *seen = arg;

	if (seen->count < 16)
		seen->events[seen->count++] = *event;
}

/* Reads until `wanted` events have come, five seconds at most. */
static void wait_for(struct watch *watch, size_t wanted, struct seen *seen)
{
	struct pollfd poll_fd = {.fd = watch_fd(watch), .events = POLLIN};

	while (seen->count < wanted) {
		assert_int_equal(poll(&poll_fd, 1, 5000), 1);
		assert_int_equal(watch_read(watch, keep_event, seen), 0);
	}
}

static void announcements(void **unused)
{
	uint32_t index = link_index("ut0");
	struct route_info route = {.to = net("20.11.0.0/16"), .table = 254, .oif = index};
	struct seen seen = {0};
	struct watch *watch;

	(void)unused;
	assert_int_equal(watch_open(&watch), 0);
	assert_int_equal(route_add(&nl, &route), 0);
	assert_int_equal(route_del(&nl, &route), 0);
	wait_for(watch, 2, &seen);
	assert_int_equal(seen.events[0].what, WATCH_ROUTE);
	assert_false(seen.events[0].deleted);
	assert_string_equal(seen.events[0].name, "ut0");
	assert_int_equal(seen.events[0].protocol, OS_PROTOCOL);
	assert_int_equal(seen.events[0].port, nl.port);
	assert_true(seen.events[1].deleted);
	assert_true(prefix_equal(&seen.events[1].prefix, &route.to));

	seen.count = 0;
	assert_int_equal(sysctl_write("net/ipv4/conf/ut1/forwarding", "1"), 0);
	wait_for(watch, 1, &seen);
	assert_int_equal(seen.events[0].what, WATCH_NETCONF);
	assert_string_equal(seen.events[0].name, "ut1");
	assert_int_equal(sysctl_write("net/ipv4/conf/ut1/forwarding", "0"), 0);

	seen.count = 0;
	assert_int_equal(watch_read(watch, keep_event, &seen), 0);
	seen.count = 0;
	assert_int_equal(link_delete(&nl, "ut1"), 0);
	wait_for(watch, 1, &seen);
	assert_string_equal(seen.events[0].name, "ut1");
	watch_close(watch);
}

static void rule_announcements(void **unused)
{
	struct seen seen = {0};
	struct watch *watch;
	struct nft *nft;
	char name[16];

	(void)unused;
	assert_int_equal(nft_open(&nft), 0);
	assert_int_equal(watch_open_rules("gretel", &watch), 0);
	assert_int_equal(nft_run(nft, "add table inet other", NULL), 0);
	assert_int_equal(nft_run(nft, "add table ip gretel", NULL), 0);
	assert_int_equal(nft_run(nft, "add table inet gretel", NULL), 0);
	wait_for(watch, 3, &seen);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.events[0].what, WATCH_FOREIGN_RULES);
	assert_int_equal(seen.events[1].what, WATCH_FOREIGN_RULES);
	assert_int_equal(seen.events[2].what, WATCH_RULES);
	assert_false(seen.events[2].deleted);
	assert_int_equal(seen.events[2].port, getpid());
	assert_string_equal(watch_process(&seen.events[2], name), "test_os");
	seen.count = 0;
	assert_int_equal(system("nft flush ruleset"), 0);
	wait_for(watch, 1, &seen);
	assert_true(seen.events[0].deleted);
	assert_int_not_equal(seen.events[0].port, getpid());
	assert_string_equal(watch_process(&seen.events[0], name), "nft");
	watch_close(watch);
	nft_close(nft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),
		cmocka_unit_test(addresses),
		cmocka_unit_test(routes),
		cmocka_unit_test(ways),
		cmocka_unit_test(learnt_path_mtu),
		cmocka_unit_test(sysctls),
		cmocka_unit_test(rules),
		cmocka_unit_test(announcements),
		cmocka_unit_test(rule_announcements),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
