/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's messages about its own GRE interfaces and their routes say, without a kernel
 * that has any: the messages are made here as ip_gre and ip6_gre fill them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_tunnel.h>

#include "os/grelink.h"
#include "os/linkroute.h"

static char buffer[2048];
static struct nlattr *info, *data;

/* A link of a kind up to where its data begin. */
static struct nlmsghdr *begin(const char *name, const char *kind)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = RTM_NEWLINK;
	header->ifi_index = 7;
	header->ifi_flags = IFF_UP | IFF_POINTOPOINT | IFF_NOARP;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_MTU, 1476);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	return message;
}

static void end(struct nlmsghdr *message)
{
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static void put_addr(struct nlmsghdr *message, uint16_t type, const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	nl_put_addr(message, type, &addr);
}

static void put_flags(struct nlmsghdr *message, unsigned in, unsigned out)
{
	mnl_attr_put_u16(message, IFLA_GRE_IFLAGS, htons((uint16_t)in));
	mnl_attr_put_u16(message, IFLA_GRE_OFLAGS, htons((uint16_t)out));
}

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

/* ip tunnel add My_Tunnel mode gre remote 172.19.1.1 local 172.19.1.2 ttl 64 ikey 1 okey 0x10203
 * icsum oseq tos b8 dev #3 */
static struct nlmsghdr *gre_message(void)
{
	struct nlmsghdr *message = begin("My_Tunnel", "gre");

	mnl_attr_put_u32(message, IFLA_GRE_LINK, 3);
	put_flags(message, 0x2000 | 0x8000, 0x2000 | 0x1000);
	mnl_attr_put_u32(message, IFLA_GRE_IKEY, htonl(1));
	mnl_attr_put_u32(message, IFLA_GRE_OKEY, htonl(0x10203));
	put_addr(message, IFLA_GRE_LOCAL, "172.19.1.2");
	put_addr(message, IFLA_GRE_REMOTE, "172.19.1.1");
	mnl_attr_put_u8(message, IFLA_GRE_TTL, 64);
	mnl_attr_put_u8(message, IFLA_GRE_TOS, 0xb8);
	mnl_attr_put_u8(message, IFLA_GRE_PMTUDISC, 1);
	mnl_attr_put_u32(message, IFLA_GRE_FWMARK, 16);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_TYPE, 0);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_SPORT, 0);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_DPORT, 0);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_FLAGS, 0);
	mnl_attr_put_u8(message, IFLA_GRE_IGNORE_DF, 0);
	end(message);
	return message;
}

static void test_gre(void **state)
{
	struct ip_addr local = ip("172.19.1.2"), remote = ip("172.19.1.1");
	struct gre_link gre;

	(void)state;
	assert_int_equal(gre_link_decode(gre_message(), &gre), 0);
	assert_string_equal(gre.link.name, "My_Tunnel");
	assert_string_equal(gre.link.kind, "gre");
	assert_int_equal(gre.link.index, 7);
	assert_int_equal(gre.link.mtu, 1476);
	assert_int_equal(gre.family, IP_V4);
	assert_true(addr_equal(&gre.local, &local) && addr_equal(&gre.remote, &remote));
	assert_int_equal(gre.bind, 3);
	assert_true(gre.has_ikey && gre.has_okey);
	assert_int_equal(gre.ikey, 1);
	assert_int_equal(gre.okey, 0x10203);
	assert_true(gre.icsum && gre.oseq && !gre.ocsum && !gre.iseq);
	assert_int_equal(gre.ttl, 64);
	assert_int_equal(gre.tos, 0xb8);
	assert_false(gre.tos_inherit);
	assert_true(gre.pmtudisc && !gre.ignore_df);
	assert_int_equal(gre.fwmark, 16);
	assert_false(gre.external || gre.encap || gre.elsewhere);
}

/* What a fallback device and one for many peers have: no addresses. */
static void test_any(void **state)
{
	struct nlmsghdr *message = begin("gre0", "gre");
	struct gre_link gre;

	(void)state;
	put_addr(message, IFLA_GRE_LOCAL, "0.0.0.0");
	put_addr(message, IFLA_GRE_REMOTE, "0.0.0.0");
	mnl_attr_put_u8(message, IFLA_GRE_TOS, 1);
	mnl_attr_put(message, IFLA_GRE_COLLECT_METADATA, 0, NULL);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_TYPE, TUNNEL_ENCAP_GUE);
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_DPORT, htons(5555));
	mnl_attr_put_u16(message, IFLA_GRE_ENCAP_FLAGS,
			 TUNNEL_ENCAP_FLAG_CSUM6 | TUNNEL_ENCAP_FLAG_REMCSUM);
	end(message);
	mnl_attr_put_u32(message, IFLA_LINK_NETNSID, 0);
	assert_int_equal(gre_link_decode(message, &gre), 0);
	assert_int_equal(gre.local.family, IP_NONE);
	assert_int_equal(gre.remote.family, IP_NONE);
	assert_true(gre.tos_inherit && gre.external && gre.elsewhere);
	assert_int_equal(gre.encap, GRE_ENCAP_GUE);
	assert_int_equal(gre.encap_dport, 5555);
	assert_true(gre.encap_csum6 && gre.encap_remcsum);
	assert_false(gre.pmtudisc);
}

static void test_ipv6(void **state)
{
	struct nlmsghdr *message = begin("six", "ip6gretap");
	struct ip_addr remote = ip("2001:db8:19::1");
	struct gre_link gre;

	(void)state;
	put_addr(message, IFLA_GRE_REMOTE, "2001:db8:19::1");
	mnl_attr_put_u8(message, IFLA_GRE_TTL, 64);
	mnl_attr_put_u8(message, IFLA_GRE_ENCAP_LIMIT, 4);
	mnl_attr_put_u32(message, IFLA_GRE_FLOWINFO, htonl(0x0b812345));
	mnl_attr_put_u32(message, IFLA_GRE_FLAGS, 0);
	end(message);
	assert_int_equal(gre_link_decode(message, &gre), 0);
	assert_int_equal(gre.family, IP_V6);
	assert_true(addr_equal(&gre.remote, &remote));
	assert_int_equal(gre.encap_limit, 4);
	assert_int_equal(gre.tos, 0xb8);
	assert_int_equal(gre.flow_label, 0x12345);
	assert_false(gre.tos_inherit);

	/* `encaplimit none tclass inherit` */
	message = begin("six", "ip6gre");
	mnl_attr_put_u8(message, IFLA_GRE_ENCAP_LIMIT, 4);
	mnl_attr_put_u32(message, IFLA_GRE_FLAGS, 0x1 | 0x2);
	end(message);
	assert_int_equal(gre_link_decode(message, &gre), 0);
	assert_int_equal(gre.encap_limit, 0);
	assert_true(gre.tos_inherit);
}

static void test_other_kinds(void **state)
{
	static const char *const kinds[] = {"ipip", "sit", "vti", "ip6tnl", "tun", ""};
	struct gre_link gre;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct nlmsghdr *message = begin("x", kinds[i]);

		end(message);
		assert_int_equal(gre_link_decode(message, &gre), -ENOENT);
	}
}

/* A copy in memory of its own size, so that a look behind its end is noticed. */
static int decode_exactly(const struct nlmsghdr *message, uint32_t length)
{
	struct nlmsghdr *copy = malloc(length);
	struct gre_link gre;
	int err;

	memcpy(copy, message, length);
	copy->nlmsg_len = length;
	err = gre_link_decode(copy, &gre);
	free(copy);
	return err;
}

static void test_damaged(void **state)
{
	struct nlmsghdr *message = gre_message();
	uint32_t whole = message->nlmsg_len;
	struct nlattr *attribute;

	(void)state;
	for (uint32_t length = NLMSG_LENGTH(sizeof(struct ifinfomsg)); length <= whole; length++)
		decode_exactly(message, length);
	assert_int_equal(decode_exactly(message, whole), 0);
	/* every value one octet shorter than it must be */
	for (attribute = mnl_attr_get_payload(data);
	     (char *)attribute < (char *)data + data->nla_len;
	     attribute = (struct nlattr *)((char *)attribute + MNL_ALIGN(attribute->nla_len))) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == IFLA_GRE_ENCAP_FLAGS)
			continue;
		attribute->nla_len--;
		assert_int_equal(decode_exactly(message, whole), -EINVAL);
		attribute->nla_len++;
	}
}

static struct nlmsghdr *begin_route(const char *to, uint8_t len)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct ip_addr addr = ip(to);

	message->nlmsg_type = RTM_NEWROUTE;
	header->rtm_family = addr.family;
	header->rtm_dst_len = len;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_type = RTN_UNICAST;
	nl_put_addr(message, RTA_DST, &addr);
	return message;
}

static void test_route(void **state)
{
	struct nlmsghdr *message = begin_route("10.10.1.0", 24);
	struct link_route route;

	(void)state;
	mnl_attr_put_u32(message, RTA_OIF, 7);
	assert_int_equal(link_route_decode(message, 7, &route), 0);
	assert_int_equal(route.route.to.len, 24);
	assert_false(route.shared || route.metrics);
	assert_int_equal(link_route_decode(message, 8, &route), -ENOENT);
	mnl_attr_put_u32(message, RTA_NH_ID, 5);
	assert_int_equal(link_route_decode(message, 7, &route), 0);
	assert_true(route.shared);
}

static void test_multipath(void **state)
{
	struct nlmsghdr *message = begin_route("10.10.1.0", 24);
	struct rtnexthop hops[2] = {
		{.rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 6},
		{.rtnh_len = sizeof(hops[0]), .rtnh_ifindex = 7, .rtnh_hops = 2}};
	struct link_route route;

	(void)state;
	mnl_attr_put(message, RTA_MULTIPATH, sizeof(hops), hops);
	assert_int_equal(link_route_decode(message, 7, &route), 0);
	assert_true(route.shared);
	assert_int_equal(route.weight, 3);
	assert_int_equal(route.hop_count, 2);
	assert_int_equal(route.hops[0], 6);
	assert_int_equal(route.hops[1], 7);
	assert_int_equal(link_route_decode(message, 6, &route), 0);
	assert_int_equal(link_route_decode(message, 5, &route), -ENOENT);
	hops[0].rtnh_len = 2;
	message = begin_route("10.10.1.0", 24);
	mnl_attr_put(message, RTA_MULTIPATH, sizeof(hops), hops);
	assert_int_equal(link_route_decode(message, 7, &route), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gre),	  cmocka_unit_test(test_any),
		cmocka_unit_test(test_ipv6),	  cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_damaged),	  cmocka_unit_test(test_route),
		cmocka_unit_test(test_multipath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
