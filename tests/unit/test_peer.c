/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of a tunnel: what the mirrored configuration has and has not, its numbers and pairs
 * of networks, and that mirroring twice gives the first one again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_same.h"
#include "ctl/peer/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ENDS "[tunnel t0]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define T    ENDS "address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n"
#define NAT                                                                   \
	"udp = yes\nkey = 7\nnat-secret = 000102030405060708090a0b0c0d0e0f\n" \
	"address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n"     \
	"keepalive = 10s 3\nkeepalive-form = inside\n"
#define F    "[forward]\n"
#define US   "10.10.1.0/24"
#define THEM "20.10.1.0/24"

static struct conf *load(const char *text)
{
	struct conf *conf;

	assert_int_equal(conf_load_text("test", text, stderr, &conf), 0);
	return conf;
}

static struct peer_view mirror(const char *text)
{
	struct conf *conf = load(text);
	struct peer_view view;

	assert_int_equal(peer_mirror(conf, &conf->tunnels[0], 0, &view), 0);
	conf_free(conf);
	return view;
}

static char *printed(const struct conf *conf)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	conf_print(conf, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const struct {
	const char *file;
	const char *has[4], *has_not[4];
	const char *note; /* a part of a note; NULL: there is none */
} cases[] = {
	/* 0: what crosses over */
	{T F "allow = " US " <-> " THEM "\n",
	 {"local = 172.19.1.2\nremote = 172.19.1.1\nfwmark = 0\naddress = 192.168.8.11 peer "
	  "192.168.8.1\n",
	  "route = " US "\n", "allow = " THEM " <-> " US "\n"},
	 {"route = " THEM, "key", "masquerade"},
	 NULL},
	/* 1: one direction stays as it is */
	{T F "allow = " US " -> " THEM "\n",
	 {"route = " US, "allow = " US " -> " THEM},
	 {"<->"},
	 NULL},
	/* 2: the peer opens */
	{T F "allow = " THEM " -> " US "\n",
	 {"route = " US, "allow = " THEM " -> " US},
	 {"<->"},
	 NULL},
	/* 3: keys */
	{T "ikey = 7\nokey = 8\n" F "allow = " US " <-> " THEM "\n",
	 {"ikey = 8\nokey = 7\n"},
	 {NULL},
	 NULL},
	/* 4: one key only */
	{T "okey = 8\n" F "allow = " US " <-> " THEM "\n", {"\nikey = 8\n"}, {"okey"}, NULL},
	/* 5: sent becomes asked for */
	{T "checksum = yes\nsequence = send\n" F "allow = " US " <-> " THEM "\n",
	 {"checksum = receive\nsequence = receive\n"},
	 {NULL},
	 NULL},
	/* 6: and the reverse */
	{T "checksum = receive\nsequence = receive\n" F "allow = " US " <-> " THEM "\n",
	 {"checksum = yes\nsequence = send\n"},
	 {NULL},
	 NULL},
	/* 7: the other of two hosts */
	{ENDS "address = 10.0.0.1/31\naddress = 10.0.1.2/30\naddress = fd00::/127\nroute = " THEM
	      "\n" F "allow = " US " <-> " THEM "\n",
	 {"address = 10.0.0.0/31\naddress = 10.0.1.1/30\naddress = fd00::1/127\n"},
	 {NULL},
	 NULL},
	/* 8: one of many hosts is chosen, and that is told */
	{ENDS "address = 10.0.0.1/24\nroute = " THEM "\n" F "allow = " US " <-> " THEM "\n",
	 {"address = 10.0.0.2/24\n"},
	 {NULL},
	 "10.0.0.1/24 is the peer's: 10.0.0.2"},
	/* 9: unless the file names it */
	{ENDS "address = 10.0.0.1/24\nroute = " THEM "\n" F "allow = " US " <-> " THEM
	      "\nmasquerade = 10.0.0.9 out eth1\n",
	 {"address = 10.0.0.9/24\n", "masquerade = " THEM " out t0\n"},
	 {"out eth1"},
	 NULL},
	/* 10: a host's address has no other end; it is a route there */
	{ENDS "address = 10.0.0.1\nroute = " THEM "\n" F "allow = " US " <-> " THEM "\n",
	 {"route = 10.0.0.1\nroute = " US "\n"},
	 {"address"},
	 "no address for the peer beside 10.0.0.1"},
	/* 11: what is masqueraded is seen as our inner address, and needs no route */
	{T F "allow = " US " -> " THEM "\nmasquerade = " US " out t0\n",
	 {"allow = 192.168.8.1 -> " THEM "\n"},
	 {"route", US, "masquerade"},
	 NULL},
	/* 12: unless the peer may open connections to it */
	{T F "allow = " US " <-> " THEM "\nmasquerade = " US " out t0\n",
	 {"route = " US, "allow = " THEM " <-> " US "\n", "allow = 192.168.8.1 -> " THEM "\n"},
	 {"masquerade"},
	 NULL},
	/* 13: with both lines, both sides hide */
	{T F "allow = " US " <-> " THEM "\nmasquerade = " US
	     " out t0\nmasquerade = 192.168.8.11 out eth1\n",
	 {"masquerade = " THEM " out t0\nmasquerade = 192.168.8.1 out eth1\n"},
	 {"allow = 192.168.8.1"},
	 NULL},
	/* 14: snat to an address of our own */
	{T F "allow = " US " -> " THEM "\nsnat = " US " out t0 to 192.0.2.9\n",
	 {"route = 192.0.2.9\n", "allow = 192.0.2.9 -> " THEM "\n"},
	 {US},
	 NULL},
	/* 15: translation elsewhere is ours alone */
	{T F "allow = " US " <-> " THEM "\nmasquerade = " US " out eth0\nmasquerade = " THEM
	     " out eth0\n",
	 {"route = " US},
	 {"masquerade"},
	 NULL},
	/* 16: rules between our own networks are ours alone */
	{T F "allow = " US " <-> " THEM "\nallow = " US " <-> 10.10.2.0/24\n",
	 {"route = " US},
	 {"10.10.2.0"},
	 NULL},
	/* 17: and so are those between the peer's */
	{T "route = 20.10.2.0/24\n" F "allow = " US " <-> " THEM "\nallow = " THEM
	   " <-> 20.10.2.0/24\n",
	 {"route = " US},
	 {"20.10.2.0"},
	 NULL},
	/* 18: what is behind another tunnel is, for the peer, behind us */
	{T "[tunnel t1]\nlocal = 172.19.1.1\nremote = 172.19.1.3\nroute = 30.10.1.0/24\n" F
	   "allow = " THEM " <-> 30.10.1.0/24\n",
	 {"route = 30.10.1.0/24"},
	 {"t1"},
	 NULL},
	/* 19: the longer route decides whose a network is */
	{T "route = 30.0.0.0/8\n"
	   "[tunnel t1]\nlocal = 172.19.1.1\nremote = 172.19.1.3\nroute = 30.10.1.0/24\n" F
	   "allow = 30.0.0.0/8 <-> 30.10.1.0/24\n",
	 {"route = 30.10.1.0/24"},
	 {NULL},
	 NULL},
	/* 20: the internet behind the peer, for a network that the same route holds */
	{ENDS "address = 10.0.0.0/31\nroute = 0.0.0.0/0 table 50\n" F "allow = " US
	      " -> 0.0.0.0/0\nmasquerade = " US " out t0\n",
	 {"allow = 10.0.0.0 -> 0.0.0.0/0\n"},
	 {"route", US},
	 "packets from 10.0.0.0/32 go on to the internet"},
	/* 21: the internet behind us: a default route that the outer packets do not take */
	{T F "allow = " THEM " -> 0.0.0.0/0\n",
	 {"route = 0.0.0.0/0 table 72706\n", "allow = " THEM " -> 0.0.0.0/0\n"},
	 {NULL},
	 NULL},
	/* 22: "0.0.0.0/0" as whoever is behind the tunnel */
	{T F "allow = 0.0.0.0/0 -> " US "\n", {"route = " US}, {"table"}, NULL},
	/* 23: published at our inner address */
	{T F "allow = " US " <-> " THEM "\npublish = tcp/80 in t0 to 10.10.1.5\n",
	 {"allow = " THEM " -> 192.168.8.1\n"},
	 {"publish", "10.10.1.5"},
	 NULL},
	/* 24: a published host behind the peer */
	{T F "allow = " US " <-> " THEM "\npublish = tcp/80 in eth0 to 20.10.1.5\n",
	 {"allow = 0.0.0.0/0 -> 20.10.1.5\n"},
	 {"publish"},
	 NULL},
	/* 25: no rules */
	{T, {"local = 172.19.1.2"}, {"[forward]", "route"}, "no allow line"},
	/* 26: forwarding without rules */
	{T F "masquerade = " US " out t0\n", {"[forward]\nenable = yes\n"}, {"allow"}, NULL},
	/* 27: Ethernet */
	{ENDS "mode = gretap\nbridge = br0\nmtu = 1500\ndf = clear\n",
	 {"mode = gretap", "bridge = br0\n", "mtu = 1500"},
	 {"[forward]"},
	 NULL},
	/* 28: clients of any address come in by the tunnel */
	{T F "publish = tcp/80 in eth0 to 20.10.1.5\n",
	 {"return-path = same-tunnel"},
	 {"allow"},
	 "no allow"},
	/* 29: which an Ethernet cannot lead back by itself */
	{T "mode = gretap\n" F "publish = tcp/80 in eth0 to 20.10.1.5\n",
	 {"return-path = no"},
	 {NULL},
	 "have the answers of what is published leave by it"},
	/* 30: what asks, and what is ours alone */
	{T "keepalive = 1s 3\nkeepalive-form = cisco\nprobe = icmp 192.168.8.11\necho-reply = "
	   "return\n"
	   "on-up = true\non-down = true\nreturn-path = same-tunnel\n" F "allow = " US " <-> " THEM
	   "\n",
	 {"keepalive = 1s 3\nkeepalive-form = cisco\n", "probe = icmp 192.168.8.1\n",
	  "echo-reply = deliver", "return-path = no"},
	 {"on-up", "on-down"},
	 "does not say what of ours the peer publishes"},
	/* 31: a peer behind a NAT has another local */
	{T "keepalive-nat = yes\nkeepalive = 1s 3\n" F "allow = " US " <-> " THEM "\n",
	 {"keepalive-nat = no"},
	 {NULL},
	 "behind a NAT"},
	/* 32: a backup has the routes of the other; each is printed by itself */
	{ENDS "address = 10.0.0.0/31\nbackup-of = t1\n[tunnel t1]\nlocal = 172.19.1.1\n"
	      "remote = 172.19.1.3\nroute = " THEM "\n" F "allow = " US " <-> " THEM "\n",
	 {"route = " US "\n", "allow = " THEM " <-> " US "\n"},
	 {"backup-of", "t1"},
	 "backup of t1"},
	/* 33: our outer address is not reached through the tunnel */
	{T F "allow = 172.19.1.1 <-> " THEM "\n",
	 {"allow = " THEM " <-> 172.19.1.1\n"},
	 {"route"},
	 "no allow"},
	/* 34: outer addresses are no inner ones */
	{"[tunnel t0]\nlocal = 10.0.0.2\nremote = 10.0.0.1\naddress = 10.0.0.3/24\n",
	 {"address = 10.0.0.4/24\n"},
	 {NULL},
	 "10.0.0.3/24"},
	/* 35: more headers that way */
	{T "checksum = receive\nmtu = 65511\n",
	 {"checksum = yes", "mtu = 65507\n"},
	 {NULL},
	 "no allow"},
	/* 36: who is reached is reached there, too; where the peer is in its network nobody knows
	 */
	{"[tunnel t0]\nlocal = 172.19.1.1\nremote = any\n" NAT F "allow = " US " <-> " THEM "\n",
	 {"local = address-of DEVICE\nremote = 172.19.1.1\n",
	  "nat-secret = 000102030405060708090a0b0c0d0e0f\n", "keepalive-form = inside\n"},
	 {"remote = any"},
	 NULL},
	/* 37: and the reverse: our address there is the NAT's */
	{"[tunnel t0]\nlocal = 10.0.0.7\nremote = 172.19.1.1\n" NAT F "allow = " US " <-> " THEM
	 "\n",
	 {"local = 172.19.1.1\nremote = any\n", "nat-secret = 000102030405060708090a0b0c0d0e0f\n"},
	 {"10.0.0.7"},
	 "this side is behind a NAT"},
	/* 38: a device of ours needs no name there */
	{"[tunnel t0]\nlocal = address-of eth0\nremote = 172.19.1.1\n" NAT F "allow = " US
	 " <-> " THEM "\n",
	 {"local = 172.19.1.1\nremote = any\n"},
	 {"eth0", "this-site"},
	 "this side is behind a NAT"},
	/* 39: what a provider prescribes is written out */
	{"[tunnel t0]\nprofile = ddos-guard\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
	 "address = 10.0.0.0/31\nroute = " THEM "\n" F "allow = " US " <-> " THEM "\n",
	 {"local = 172.19.1.2"},
	 {"profile"},
	 NULL},
};

static void check(size_t i, const char *text, const char *notes)
{
	for (size_t j = 0; j < 4; j++) {
		if (cases[i].has[j] && !strstr(text, cases[i].has[j]))
			fail_msg("case %zu lacks: %s\nin %s", i, cases[i].has[j], text);
		if (cases[i].has_not[j] && strstr(text, cases[i].has_not[j]))
			fail_msg("case %zu has: %s\nin %s", i, cases[i].has_not[j], text);
	}
	if (cases[i].note ? !strstr(notes, cases[i].note) : notes[0])
		fail_msg("case %zu notes: %s", i, notes);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer_view view = mirror(cases[i].file);
		char *text = printed(view.conf);
		struct conf *again;

		check(i, text, view.notes);
		/* What is printed is a configuration without a fault. */
		if (conf_load_text("mirror", text, stderr, &again) != 0)
			fail_msg("case %zu is refused: %s", i, text);
		conf_free(again);
		free(text);
		peer_view_free(&view);
	}
}

static void test_twice(void **state)
{
	/* Cases in which the first mirror loses nothing. */
	static const size_t complete[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 27};

	(void)state;
	for (size_t i = 0; i < COUNT(complete); i++) {
		struct conf *conf = load(cases[complete[i]].file);
		struct peer_view once = mirror(cases[complete[i]].file), twice;
		char *text;

		assert_int_equal(peer_mirror(once.conf, once.tunnel, 0, &twice), 0);
		text = printed(twice.conf);
		if (!conf_same(twice.conf, conf))
			fail_msg("case %zu comes back as %s", complete[i], text);
		free(text);
		peer_view_free(&twice);
		peer_view_free(&once);
		conf_free(conf);
	}
}

static void test_numbers(void **state)
{
	struct peer_view view = mirror(T "key = 1\nchecksum = receive\nsequence = receive\n");

	(void)state;
	assert_true(view.csum_send && view.seq_send && !view.csum_require && !view.seq_receive);
	assert_int_equal(view.mtu, PEER_PATH_MTU - 20 - 16);
	assert_int_equal(view.mss4, view.mtu - 40);
	assert_int_equal(view.mss6, view.mtu - 60);
	assert_true(view.inside4 && !view.inside6 && !view.forward && !view.return_path);
	peer_view_free(&view);

	view = mirror(T "mtu = 1300\nmss = no\nchecksum = yes\n" F "allow = " US " <-> " THEM "\n");
	assert_true(!view.csum_send && view.csum_require && view.forward);
	assert_int_equal(view.mtu, 1300);
	assert_int_equal(view.mss4, 0);
	peer_view_free(&view);

	view = mirror("[tunnel t0]\nlocal = 2001:db8::1\nremote = 2001:db8::2\nmode = gretap\n"
		      "address = fd00::1/64\n");
	assert_int_equal(view.mtu, PEER_PATH_MTU - 40 - 4 - 14);
	assert_true(!view.inside4 && view.inside6);
	assert_int_equal(view.far_count, 1);
	assert_int_equal(view.far[0].bytes[15], 1);
	peer_view_free(&view);
}

static void test_pairs(void **state)
{
	struct peer_view view =
		mirror(T F "allow = " US " -> " THEM "\nallow = 10.10.2.0/24 <-> " THEM
			   "\nmasquerade = 10.10.2.0/24 out t0\n"
			   "masquerade = 192.168.8.11 out eth1\n");
	char far[PREFIX_TEXT_SIZE], near[PREFIX_TEXT_SIZE];
	static const struct {
		const char *far, *near;
		bool far_opens, near_opens;
	} pairs[] = {
		{US, THEM, true, false},
		{"10.10.2.0/24", THEM, false, true},
		{"192.168.8.1/32", THEM, true, false},
	};

	(void)state;
	assert_int_equal(view.pair_count, COUNT(pairs));
	for (size_t i = 0; i < COUNT(pairs); i++) {
		assert_string_equal(prefix_format(&view.pairs[i].far, far), pairs[i].far);
		assert_string_equal(prefix_format(&view.pairs[i].near, near), pairs[i].near);
		assert_int_equal(view.pairs[i].far_opens, pairs[i].far_opens);
		assert_int_equal(view.pairs[i].near_opens, pairs[i].near_opens);
	}
	peer_view_free(&view);
}

static void test_policy(void **state)
{
	struct peer_view view = mirror(T F "allow = " THEM " -> 0.0.0.0/0\n"
					   "publish = tcp/80 in eth0 to 20.10.1.5\n");
	char text[PREFIX_TEXT_SIZE];

	(void)state;
	assert_int_equal(view.source_count, 1);
	assert_string_equal(prefix_format(&view.sources[0], text), THEM);
	assert_true(view.return_path);
	peer_view_free(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),	cmocka_unit_test(test_twice),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
