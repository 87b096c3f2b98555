/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the nftables text of a configuration must and must not have in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/return_path.h"
#include "ctl/rules.h"

#define T  "[tunnel t0]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define T6 "[tunnel t6]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n"
#define F  "[forward]\nenable = yes\n"

#define TA T "address = 192.168.8.1 peer 192.168.8.11\n"

static char *text_of(const char *file, bool notrack)
{
	struct conf *conf;
	uint8_t *numbers;
	char *text;

	assert_int_equal(conf_load_text("test", file, stderr, &conf), 0);
	assert_int_equal(return_numbers(conf, NULL, &numbers), 0);
	assert_int_equal(rules_text(conf, notrack, numbers, &text), 0);
	free(numbers);
	conf_free(conf);
	return text;
}

static const struct {
	const char *file;
	const char *has[4], *has_not[3];
} cases[] = {
	/* 1: notrack, both ways */
	{T,
	 {"172.19.1.1 . 172.19.1.2",
	  "hook prerouting priority raw\n\t\tmeta l4proto 47 ip daddr . "
	  "ip saddr @outer4 notrack",
	  "hook output priority raw\n\t\tmeta l4proto 47 ip saddr . ip daddr @outer4 notrack"},
	 {"outer6", "hook forward", "nat"}},
	/* 2: IPv6 outer */
	{T6, {"2001:db8::1 . 2001:db8::2", "ip6 daddr . ip6 saddr @outer6 notrack"}, {"outer4"}},
	/* 3: somebody's NAT covers the outer address: it must be tracked */
	{T F "masquerade = 172.19.0.0/16 out bond0\n",
	 {"ip saddr 172.19.0.0/16 oifname \"bond0\" masquerade"},
	 {"notrack", "outer4"}},
	/* 4: of two tunnels over one pair one wants tracking */
	{T "key = 1\n[tunnel t1]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\nnotrack = no\n"
	   "[tunnel t2]\nlocal = 172.19.1.1\nremote = 172.19.1.3\n",
	 {"172.19.1.1 . 172.19.1.3"},
	 {"172.19.1.1 . 172.19.1.2"}},
	/* copies of frames are not for this host */
	{T "mode = erspan\nerspan-type = 1\n[tunnel t1]\nmode = erspan\nerspan-session = 1\n"
	   "local = 172.19.1.1\nremote = 172.19.1.2\n[tunnel t2]\nlocal = 172.19.1.1\n"
	   "remote = 172.19.1.2\n",
	 {"hook prerouting priority -310\n\t\tiifname { \"t0\", \"t1\" } counter drop"},
	 {"\"t2\""}},
	/* 5: without allow nothing is judged */
	{T F, {"notrack"}, {"hook forward", "drop"}},
	/* 6: one direction */
	{T F "allow = 10.10.1.0/24 -> 20.10.1.0/24\n",
	 {"ct state established,related accept",
	  "ip saddr 10.10.1.0/24 ip daddr 20.10.1.0/24 accept",
	  "counter name " RULES_DROP_COUNTER " drop", "iifname @tunnels goto judge"},
	 {"ip saddr 20.10.1.0/24"}},
	/* 7: both */
	{T F "allow = 10.10.1.0/24 <-> 20.10.1.0/24\n",
	 {"ip saddr 20.10.1.0/24 ip daddr 10.10.1.0/24 accept"},
	 {NULL}},
	/* in a VRF the device of arrival has another name */
	{T "vrf = blue\naddress = 192.168.8.1 peer 192.168.8.11\n" F
	   "allow = 10.10.1.0/24 <-> 20.10.1.0/24\nmasquerade = 192.168.8.11 out eth1\n"
	   "publish = tcp/80 in t0 to 10.10.1.5\n",
	 {"oifname @tunnels goto judge\n\t\tmeta sdifname @tunnels goto judge",
	  "meta sdifname \"t0\" ip saddr 192.168.8.11/32 oifname \"eth1\" ip daddr @open4 "
	  "accept",
	  "meta sdifname \"t0\" ip daddr 10.10.1.5/32 tcp dport 80 ct status dnat accept",
	  "iifname \"t0\" meta nfproto ipv4 fib daddr . iif type local tcp dport 80 dnat"},
	 {NULL}},
	{T F "allow = 10.10.1.0/24 <-> 20.10.1.0/24\npublish = tcp/80 in t0 to 10.10.1.5\n",
	 {"iifname @tunnels"},
	 {"sdifname", "daddr . iif"}},
	/* 8: everything to one place, and IPv6 */
	{T F "allow = 0.0.0.0/0 -> 20.10.1.0/24\nallow = ::/0 <-> ::/0\n",
	 {"\t\tip daddr 20.10.1.0/24 accept", "\t\tmeta nfproto ipv6 accept"},
	 {"0.0.0.0/0", "::/0"}},
	/* 9: source NAT to an address; everything */
	{T F "snat = 10.10.1.0/24 out eth0 to 192.0.2.9\nmasquerade = ::/0 out eth1\n",
	 {"ip saddr 10.10.1.0/24 oifname \"eth0\" snat ip to 192.0.2.9",
	  "meta nfproto ipv6 oifname \"eth1\" masquerade"},
	 {"0.0.0.0"}},
	/* 10: publish with another port, and what the forward hook then sees */
	{T F "publish = tcp/443 in eth1 to 10.10.1.5:8443\nallow = 10.0.0.0/8 -> 20.0.0.0/8\n",
	 {"iifname \"eth1\" meta nfproto ipv4 fib daddr type local tcp dport 443 dnat ip to "
	  "10.10.1.5:8443",
	  "iifname \"eth1\" ip daddr 10.10.1.5/32 tcp dport 8443 ct status dnat accept"},
	 {NULL}},
	/* 11: a range keeps its numbers; IPv6 needs brackets only with a port */
	{T F "publish = udp/8000-8010 in eth1 to 10.10.1.5\n"
	     "publish = tcp/80 in eth1 to [2001:db8::5]:81\n"
	     "publish = tcp/82 in eth1 to 2001:db8::5\n",
	 {"udp dport 8000-8010 dnat ip to 10.10.1.5\n", "dnat ip6 to [2001:db8::5]:81\n",
	  "dnat ip6 to 2001:db8::5\n"},
	 {"hook forward"}},
	/* 12: the peer masquerades: its inner address may open what is allowed to be opened */
	{TA F "allow = 10.10.1.0/24 <-> 20.10.1.0/24\nmasquerade = 10.10.1.0/24 out t0\n"
	      "masquerade = 192.168.8.11 out eth1\n",
	 {"iifname \"t0\" ip saddr 192.168.8.11/32 oifname \"eth1\" ip daddr @open4 accept",
	  "elements = {\n\t\t\t20.10.1.0/24,\n\t\t\t10.10.1.0/24\n\t\t}"},
	 {"ip saddr 10.10.1.0/24 oifname \"t0\" ip daddr"}},
	/* 13: one direction opens one side */
	{TA F "allow = 20.10.1.0/24 -> 10.10.1.0/24\nmasquerade = 192.168.8.11 out eth1\n",
	 {"elements = {\n\t\t\t10.10.1.0/24\n\t\t}"},
	 {"\t20.10.1.0/24"}},
	/* return paths, each with a number of its own */
	{T "return-path = same-tunnel\n[tunnel t1]\nlocal = 172.19.1.1\nremote = 172.19.1.3\n"
	   "return-path = same-tunnel\n",
	 {"iifname \"t1\" ct direction original ct mark set ct mark and 0x00ffffff or 0x02000000",
	  "ct mark and 0xff000000 == 0x01000000 meta mark set meta mark and 0x00ffffff or "
	  "0x01000000",
	  "type route hook output priority mangle\n\t\tct direction != reply return"},
	 {"hook forward"}},
	/* 14: a prefix that is more than the peer is no such line */
	{TA F "allow = 10.0.0.0/8 -> 0.0.0.0/0\nmasquerade = 0.0.0.0/0 out eth1\n",
	 {"chain judge"},
	 {"open4"}},
	/* 15: nothing to judge, nothing to open */
	{TA F "masquerade = 192.168.8.11 out eth1\n", {"masquerade"}, {"open4", "judge"}},
	/* 16: in UDP: the port is the destination's in both directions */
	{T "udp = yes\n" T6 "udp = 5000\n",
	 {"172.19.1.1 . 172.19.1.2 . 4754",
	  "hook prerouting priority raw\n\t\tmeta l4proto 17 ip daddr . ip saddr . udp dport "
	  "@outer_udp4 notrack\n\t\tmeta l4proto 17 ip6 daddr . ip6 saddr . udp dport "
	  "@outer_udp6 notrack",
	  "hook output priority raw\n\t\tmeta l4proto 17 ip saddr . ip daddr . udp dport "
	  "@outer_udp4 notrack",
	  "2001:db8::1 . 2001:db8::2 . 5000"},
	 {"@outer4", "@outer6", "l4proto 47"}},
	/* 17: one pair both ways */
	{T "[tunnel u]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nudp = yes\nnotrack = no\n",
	 {"@outer4"},
	 {"@outer_udp4"}},
	/* 18: a learned peer may be anywhere: what comes to our port, and what leaves by it */
	{"[tunnel t]\nlocal = 172.19.1.1\nremote = any\nudp = yes\nkey = 1\n"
	 "address = 10.0.0.1 peer 10.0.0.2\nkeepalive = 10s 3\nkeepalive-form = inside\n"
	 "nat-secret = 000102030405060708090a0b0c0d0e0f\n",
	 {"set outer_any4 {\n\t\ttype ipv4_addr . inet_service\n\t\telements = "
	  "{\n\t\t\t172.19.1.1 . 4754\n",
	  "prerouting priority raw\n\t\tmeta l4proto 17 ip daddr . udp dport @outer_any4 notrack\n",
	  "output priority raw\n\t\tmeta l4proto 17 ip saddr . udp sport @outer_any4 notrack\n"},
	 {"@outer4", "@outer_udp4"}},
};

static void contents(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = text_of(cases[i].file, true);

		assert_non_null(text);
		for (size_t j = 0; j < 4 && cases[i].has[j]; j++)
			if (!strstr(text, cases[i].has[j]))
				fail_msg("case %zu: no \"%s\" in\n%s", i + 1, cases[i].has[j],
					 text);
		for (size_t j = 0; j < 3 && cases[i].has_not[j]; j++)
			if (strstr(text, cases[i].has_not[j]))
				fail_msg("case %zu: \"%s\" in\n%s", i + 1, cases[i].has_not[j],
					 text);
		free(text);
	}
}

static void nothing(void **unused)
{
	(void)unused;
	assert_null(text_of(T "notrack = no\n", true));
	assert_null(text_of(T, false));
	assert_null(text_of(T "notrack = no\n" F, true));
}

/* The transaction replaces the table and touches no other. */
static void one_table(void **unused)
{
	char *text = text_of(T F "allow = 10.0.0.0/8 <-> 20.0.0.0/8\n", true);
	const char *start = "add table inet gretel\ndelete table inet gretel\ntable inet gretel {";

	(void)unused;
	assert_memory_equal(text, start, strlen(start));
	assert_null(strstr(text + strlen(start), "table"));
	free(text);
}

static void hashes(void **unused)
{
	(void)unused;
	assert_true(rules_hash("") == 0xcbf29ce484222325);
	assert_true(rules_hash("a") == 0xaf63dc4c8601ec8c);
	assert_true(rules_hash("foobar") == 0x85944171f73967e8);
}

static void summaries(void **unused)
{
	struct conf *conf;
	char text[64], small[8];

	(void)unused;
	assert_int_equal(conf_load_text("test",
					T F "masquerade = 10.0.0.0/8 out a\n"
					    "snat = 11.0.0.0/8 out a to 1.2.3.4\n"
					    "allow = 10.0.0.0/8 -> 20.0.0.0/8\n",
					stderr, &conf),
			 0);
	rules_summary(conf, text, sizeof(text));
	assert_string_equal(text, "1 allow, 1 masquerade, 1 snat");
	rules_summary(conf, small, sizeof(small));
	assert_string_equal(small, "1 allow");
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),  cmocka_unit_test(nothing),
		cmocka_unit_test(one_table), cmocka_unit_test(hashes),
		cmocka_unit_test(summaries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
