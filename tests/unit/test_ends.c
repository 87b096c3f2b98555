/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which outer addresses are in effect where the file has a name or a device, on a made-up host, and
 * what is said when there are none; the names that state.json keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/conf_params.h"
#include "ctl/conf_parse.h"
#include "ctl/ends.h"

enum { ETH0 = 2, ETH1 = 3 };

/* The host's addresses of a case: at most six, the first with index 0 ends the list. */
struct given {
	uint32_t index;
	const char *text;
	uint32_t flags;
};

/* What names stand for: "NAME ADDRESS", or "NAME 4|6 !ERROR". */
typedef const char *known[4];

#define NAMED  "[tunnel C]\nlocal = 192.0.2.1\nremote = peer.test\n"
#define OF     "[tunnel C]\nlocal = address-of eth0\nremote = 192.0.2.9\n"
#define OF6    "[tunnel C]\nlocal = address-of eth0\nremote = 2001:db8::9\n"
#define BOTH   "[tunnel C]\nlocal = address-of eth0\nremote = peer.test\n"
#define DEV(x) "[tunnel C]\nlocal = address-of " x "\nremote = 192.0.2.9\n"
#define V4(a)              \
	{                  \
		ETH0, a, 0 \
	}
#define TEMP IFA_F_SECONDARY
#define OLD  IFA_F_DEPRECATED

/* The ends of the last tunnel of `file`, and what is said, which begins with `why`. */
static const struct {
	const char *file;
	struct given given[6];
	known names;
	const char *local, *remote, *why;
} cases[] = {
	/* 1 */ {NAMED, {{0}}, {"peer.test 192.0.2.2"}, "192.0.2.1", "192.0.2.2", ""},
	/* 2: the family of local */
	{NAMED,
	 {{0}},
	 {"peer.test 2001:db8::2"},
	 "192.0.2.1",
	 "none",
	 "peer.test has not been looked"},
	/* 3 */
	{NAMED,
	 {{0}},
	 {"peer.test 4 !No data"},
	 "192.0.2.1",
	 "none",
	 "peer.test cannot be looked up: No data"},
	/* 4 */
	{NAMED,
	 {{0}},
	 {"peer.test 192.0.2.1"},
	 "192.0.2.1",
	 "none",
	 "192.0.2.1, which peer.test stands for, is the local address, too"},
	/* 5 */
	{NAMED,
	 {{0}},
	 {"peer.test 127.0.0.1"},
	 "192.0.2.1",
	 "none",
	 "127.0.0.1, which peer.test stands for, is a loopback address"},
	/* 6 */ {OF, {V4("192.0.2.7")}, {0}, "192.0.2.7", "192.0.2.9", ""},
	/* 7 */
	{OF, {{ETH1, "192.0.2.7", 0}}, {0}, "none", "192.0.2.9", "eth0 has no IPv4 address yet"},
	/* 8 */ {DEV("ppp0"), {{0}}, {0}, "none", "192.0.2.9", "there is no interface ppp0 yet"},
	/* 9: the first of its kind */
	{OF, {V4("192.0.2.7"), V4("192.0.2.8")}, {0}, "192.0.2.7", "192.0.2.9", ""},
	/* 10 */
	{OF, {{ETH0, "192.0.2.7", TEMP}, V4("192.0.2.8")}, {0}, "192.0.2.8", "192.0.2.9", ""},
	/* 11: a secondary one is better than a deprecated one */
	{OF,
	 {{ETH0, "192.0.2.7", OLD}, {ETH0, "192.0.2.8", TEMP}},
	 {0},
	 "192.0.2.8",
	 "192.0.2.9",
	 ""},
	/* 12 */ {OF, {{ETH0, "192.0.2.7", OLD}}, {0}, "192.0.2.7", "192.0.2.9", ""},
	/* 13 */
	{OF, {V4("169.254.7.7"), V4("192.0.2.8")}, {0}, "192.0.2.8", "192.0.2.9", ""},
	/* 14 */ {OF, {V4("127.0.0.1")}, {0}, "none", "192.0.2.9", "eth0 has no IPv4"},
	/* 15 */
	{OF6,
	 {V4("192.0.2.7"), V4("fe80::7")},
	 {0},
	 "none",
	 "2001:db8::9",
	 "eth0 has no IPv6 address yet"},
	/* 16 */
	{OF6,
	 {V4("fe80::7"), {ETH0, "2001:db8::7", IFA_F_TENTATIVE}, V4("2001:db8::8")},
	 {0},
	 "2001:db8::8",
	 "2001:db8::9",
	 ""},
	/* 17 */
	{OF6,
	 {{ETH0, "2001:db8::7", IFA_F_DADFAILED},
	  {ETH0, "2001:db8::8", IFA_F_TENTATIVE | IFA_F_OPTIMISTIC}},
	 {0},
	 "2001:db8::8",
	 "2001:db8::9",
	 ""},
	/* 18: a link-local peer is reached from the link-local address */
	{"[tunnel C]\nlocal = address-of eth0\nremote = fe80::9\nbind = eth0\n",
	 {V4("2001:db8::8"), V4("fe80::7")},
	 {0},
	 "fe80::7",
	 "fe80::9",
	 ""},
	/* 19: both families could be: IPv4 */
	{BOTH,
	 {V4("192.0.2.7"), V4("2001:db8::7")},
	 {"peer.test 192.0.2.2", "peer.test 2001:db8::2"},
	 "192.0.2.7",
	 "192.0.2.2",
	 ""},
	/* 20: the one that both have */
	{BOTH,
	 {V4("2001:db8::7")},
	 {"peer.test 192.0.2.2", "peer.test 2001:db8::2"},
	 "2001:db8::7",
	 "2001:db8::2",
	 ""},
	/* 21 */
	{BOTH,
	 {V4("2001:db8::7")},
	 {"peer.test 192.0.2.2", "peer.test 6 !No data"},
	 "none",
	 "192.0.2.2",
	 "eth0 has no IPv4 address yet"},
	/* 22 */
	{BOTH, {V4("192.0.2.7")}, {0}, "none", "none", "peer.test has not been looked up yet"},
	/* 23: the later of two with the same ends waits */
	{"[tunnel A]\nlocal = 192.0.2.1\nremote = other.test\n" NAMED,
	 {{0}},
	 {"other.test 192.0.2.2", "peer.test 192.0.2.2"},
	 "192.0.2.1",
	 "none",
	 "its peer is 192.0.2.2, as that of A: received packets could not be told apart"},
	/* 24: with a key of its own it does not */
	{"[tunnel A]\nlocal = 192.0.2.1\nremote = other.test\n" NAMED "key = 1\n",
	 {{0}},
	 {"other.test 192.0.2.2", "peer.test 192.0.2.2"},
	 "192.0.2.1",
	 "192.0.2.2",
	 ""},
	/* 25: nor where a device of its own tells them apart */
	{"[tunnel A]\nlocal = 192.0.2.1\nremote = other.test\n" NAMED "bind = eth0\n",
	 {{0}},
	 {"other.test 192.0.2.2", "peer.test 192.0.2.2"},
	 "192.0.2.1",
	 "192.0.2.2",
	 ""},
	/* 26: what the file says outright goes first, wherever it stands */
	{NAMED "[tunnel A]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n",
	 {{0}},
	 {"peer.test 192.0.2.2"},
	 "192.0.2.1",
	 "192.0.2.2",
	 ""},
	/* 27: two that nothing is known of do not clash */
	{"[tunnel A]\nlocal = 192.0.2.1\nremote = other.test\n" NAMED,
	 {{0}},
	 {0},
	 "192.0.2.1",
	 "none",
	 "peer.test has not been looked up yet"},
	/* 28: many tunnels of one device */
	{"[tunnel A]\nlocal = address-of eth0\nremote = 192.0.2.8\n"
	 "[tunnel B]\nlocal = address-of eth1\nremote = 192.0.2.8\n" OF,
	 {V4("192.0.2.7"), {ETH1, "192.0.2.6", 0}},
	 {0},
	 "192.0.2.7",
	 "192.0.2.9",
	 ""},
};

static void know(struct state *state, const char *text)
{
	char name[64], what[64], error[64];
	struct ip_addr addr;

	if (sscanf(text, "%63s %63s !%63[^\n]", name, what, error) == 3) {
		struct state_name *found =
			state_add_name(state, name, what[0] == '6' ? IP_V6 : IP_V4);

		snprintf(found->error, sizeof(found->error), "%s", error);
		return;
	}
	assert_true(addr_parse(what, &addr));
	state_add_name(state, name, addr.family)->addr = addr;
}

static size_t add_addresses(const struct given *given, struct address_info *out)
{
	size_t count = 0;

	for (; count < 6 && given[count].index; count++) {
		out[count] = (struct address_info){.index = given[count].index,
						   .flags = given[count].flags};
		assert_true(prefix_parse(given[count].text, &out[count].local));
	}
	return count;
}

static void settled(void **unused)
{
	struct link_info links[] = {{.index = ETH0, .name = "eth0"},
				    {.index = ETH1, .name = "eth1"}};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address_info addresses[6];
		struct state state = {0};
		struct actual actual = {.links = links,
					.link_count = 2,
					.host_addresses = addresses,
					.state = &state};
		struct conf_tunnel tunnels[4];
		struct actual_way ways[4] = {0};
		char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
		struct conf *conf;
		size_t last;

		assert_int_equal(conf_load_text("t", cases[i].file, stderr, &conf), 0);
		actual.host_address_count = add_addresses(cases[i].given, addresses);
		for (size_t k = 0; k < 4 && cases[i].names[k]; k++)
			know(&state, cases[i].names[k]);
		memcpy(tunnels, conf->tunnels, conf->tunnel_count * sizeof(tunnels[0]));
		assert_true(ends_are_moving(conf));
		assert_int_equal(ends_settle(conf, &actual, tunnels, ways), 0);
		last = conf->tunnel_count - 1;
		addr_format(&tunnels[last].local, local);
		addr_format(&tunnels[last].remote, remote);
		if (strcmp(local, cases[i].local) != 0 || strcmp(remote, cases[i].remote) != 0 ||
		    strncmp(ways[last].why, cases[i].why, strlen(cases[i].why)) != 0 ||
		    !cases[i].why[0] != !ways[last].why[0])
			fail_msg("case %zu: %s, %s, \"%s\"", i + 1, local, remote, ways[last].why);
		state_free(&state);
		conf_free(conf);
	}
}

#define ANY                                                                                \
	"[tunnel C]\nremote = any\nudp = yes\nkey = 1\naddress = 10.0.0.1 peer 10.0.0.2\n" \
	"keepalive = 10s 3\nkeepalive-form = inside\n"                                     \
	"nat-secret = 000102030405060708090a0b0c0d0e0f\nlocal = "
#define UNPROVED "the peer behind its NAT has not proved itself yet"

/* A peer that is learned: before, with nothing but an end of ours; and when it has proved to be at
 * `at`, to what this file says or (`old`) another one did. */
static void a_peer_is_learned(void **unused)
{
	static const struct {
		const char *local;
		struct given given[3];
		const char *at;
		bool old;
		const char *our, *remote, *why;
	} rows[] = {
		/* 0 */ {"192.0.2.1", {{0}}, NULL, false, "192.0.2.1", "none", UNPROVED},
		/* 1 */ {"192.0.2.1", {{0}}, "203.0.113.7", false, "192.0.2.1", "203.0.113.7", ""},
		/* 2 */ {"192.0.2.1", {{0}}, "203.0.113.7", true, "192.0.2.1", "none", UNPROVED},
		/* 3: of the other family it cannot be */
		{"192.0.2.1", {{0}}, "2001:db8::7", false, "192.0.2.1", "none", UNPROVED},
		/* 4: nor ourselves; it is still to be heard */
		{"192.0.2.1",
		 {{0}},
		 "192.0.2.1",
		 false,
		 "192.0.2.1",
		 "none",
		 "192.0.2.1, which remote = any stands for, is the local address, too"},
		/* 5: heard by IPv4, if there is */
		{"address-of eth0",
		 {V4("2001:db8::7"), V4("192.0.2.7")},
		 NULL,
		 false,
		 "192.0.2.7",
		 "none",
		 UNPROVED},
		/* 6 */
		{"address-of eth0",
		 {V4("2001:db8::7")},
		 NULL,
		 false,
		 "2001:db8::7",
		 "none",
		 UNPROVED},
		/* 7 */
		{"address-of eth0",
		 {V4("2001:db8::7"), V4("192.0.2.7")},
		 "2001:db8::9",
		 false,
		 "2001:db8::7",
		 "2001:db8::9",
		 ""},
		/* 8 */
		{"address-of eth0",
		 {{0}},
		 NULL,
		 false,
		 "none",
		 "none",
		 "eth0 has no IPv4 address yet"},
	};
	struct link_info links[] = {{.index = ETH0, .name = "eth0"}};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address_info addresses[6];
		struct state state = {0};
		struct actual actual = {.links = links,
					.link_count = 1,
					.host_addresses = addresses,
					.state = &state};
		struct state_peer peer = {.tunnel = "C", .port = 61000};
		struct conf_tunnel tunnel;
		struct actual_way way = {0};
		char text[512], local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
		struct conf *conf;

		snprintf(text, sizeof text, ANY "%s\n", rows[i].local);
		assert_int_equal(conf_load_text("t", text, stderr, &conf), 0);
		actual.host_address_count = add_addresses(rows[i].given, addresses);
		peer.digest = conf_nat_digest(conf->tunnels) + rows[i].old;
		if (rows[i].at) {
			assert_true(addr_parse(rows[i].at, &peer.addr));
			assert_int_equal(state_set_peer(&state, &peer), 0);
		}
		tunnel = conf->tunnels[0];
		assert_true(ends_are_moving(conf));
		assert_int_equal(ends_settle(conf, &actual, &tunnel, &way), 0);
		addr_format(&tunnel.local, local);
		addr_format(&tunnel.remote, remote);
		if (strcmp(local, rows[i].our) != 0 || strcmp(remote, rows[i].remote) != 0 ||
		    strcmp(way.why, rows[i].why) != 0 ||
		    tunnel.remote_port != (strcmp(remote, "none") ? 61000 : 0))
			fail_msg("row %zu: %s, %s port %u, \"%s\"", i, local, remote,
				 tunnel.remote_port, way.why);
		state_free(&state);
		conf_free(conf);
	}
}

/* Another secret, key or port is another digest. */
static void digests_differ(void **unused)
{
	struct conf_tunnel one = {.nat_secret = {1, 2}, .udp_port = 4754}, other = one;

	(void)unused;
	assert_true(conf_nat_digest(&one) == conf_nat_digest(&other));
	other.nat_secret.k1++;
	assert_true(conf_nat_digest(&one) != conf_nat_digest(&other));
	other = one;
	other.ikey.value = 1;
	assert_true(conf_nat_digest(&one) != conf_nat_digest(&other));
	other = one;
	other.okey.value = 1;
	assert_true(conf_nat_digest(&one) != conf_nat_digest(&other));
	other = one;
	other.udp_port++;
	assert_true(conf_nat_digest(&one) != conf_nat_digest(&other));
}

static bool is_even(void *arg, const char *tunnel)
{
	(void)arg;
	return atoi(tunnel + 1) % 2 == 0;
}

/* Many learned peers, in any order, some of them twice. */
static void peers_are_kept(void **unused)
{
	char folder[] = "/tmp/gretel-ends-XXXXXX";
	struct state state, again;

	(void)unused;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(state_load(folder, &state), 0);
	for (int i = 0; i < 400; i++) {
		struct state_peer peer = {.digest = 0xfedcba9876543210u + (unsigned)i,
					  .addr = {IP_V4, {192, 0, 2, 7}},
					  .port = (uint16_t)(1 + i)};

		snprintf(peer.tunnel, sizeof peer.tunnel, "n%d", i * 73 % 200);
		assert_int_equal(state_set_peer(&state, &peer), 0);
	}
	assert_int_equal(state.peer_count, 200);
	assert_false(state_is_empty(&state));
	assert_int_equal(state_store(&state), 0);
	assert_int_equal(state_load(folder, &again), 0);
	assert_int_equal(again.peer_count, 200);
	assert_true(state_keep_peers(&again, is_even, NULL));
	assert_false(state_keep_peers(&again, is_even, NULL));
	for (int i = 200; i < 400; i++) {
		const struct state_peer *found;
		char name[IFNAMSIZ];

		snprintf(name, sizeof name, "n%d", i * 73 % 200);
		found = state_find_peer(&again, name);
		if (i * 73 % 2) {
			assert_null(found);
			continue;
		}
		assert_int_equal(found->port, 1 + i);
		assert_true(found->digest == 0xfedcba9876543210u + (unsigned)i);
		assert_int_equal(found->addr.bytes[3], 7);
	}
	assert_int_equal(state_remove(&again), 0);
	state_free(&state);
	state_free(&again);
	rmdir(folder);
}

static void nothing_moves(void **unused)
{
	struct conf *conf;

	(void)unused;
	assert_int_equal(conf_load_text("t", "[tunnel C]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n",
					stderr, &conf),
			 0);
	assert_false(ends_are_moving(conf));
	conf_free(conf);
}

/* Many names, in any order; those without an address are not kept. */
static void names_are_kept(void **unused)
{
	char folder[] = "/tmp/gretel-ends-XXXXXX", name[32], text[32];
	struct state state, again;

	(void)unused;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(state_load(folder, &state), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "n%d.test", i * 73 % 200);
		snprintf(text, sizeof text, "10.0.0.%d", i * 73 % 200);
		assert_true(addr_parse(text, &state_add_name(&state, name, IP_V4)->addr));
		state_add_name(&state, name, IP_V6);
	}
	assert_int_equal(state.name_count, 400);
	state_del_name(&state, "n7.test", IP_V4);
	state_del_name(&state, "n7.test", IP_V4);
	assert_int_equal(state_store(&state), 0);
	assert_int_equal(state_load(folder, &again), 0);
	assert_int_equal(again.name_count, 199);
	for (int i = 0; i < 200; i++) {
		const struct state_name *found;

		snprintf(name, sizeof name, "n%d.test", i);
		found = state_find_name(&again, name, IP_V4);
		if (i == 7)
			assert_null(found);
		else
			assert_int_equal(found->addr.bytes[3], i);
		assert_null(state_find_name(&again, name, IP_V6));
	}
	assert_int_equal(state_remove(&again), 0);
	state_free(&state);
	state_free(&again);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled),	  cmocka_unit_test(a_peer_is_learned),
		cmocka_unit_test(digests_differ), cmocka_unit_test(peers_are_kept),
		cmocka_unit_test(nothing_moves),  cmocka_unit_test(names_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
