/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from a configuration on a host: sizes, inner peers, families. */
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

#define C "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"

static const struct {
	const char *file;
	uint32_t path, mtu;
	uint16_t mss4, mss6;
} sizes[] = {
	/* 1 */ {C, 1500, 1476, 1436, 1416},
	/* 2 */ {C "key = 1\n", 1500, 1472, 1432, 1412},
	/* 3 */ {C "key = 1\nchecksum = yes\nsequence = yes\n", 1500, 1464, 1424, 1404},
	/* 4: only what is sent costs */
	{C "ikey = 1\nchecksum = receive\nsequence = receive\n", 1500, 1476, 1436, 1416},
	/* 5 */ {"[tunnel C]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n", 1500, 1456, 1416, 1396},
	/* 6 */
	{"[tunnel C]\nmode = gretap\nlocal = 1.1.1.1\nremote = 1.1.1.2\n", 1500, 1462, 1422, 1402},
	/* 7: never below what IPv6 needs; TCP keeps to what fits */
	{C "address = 2001:db8::1/64\n", 1280, 1280, 1216, 1196},
	/* 8 */ {C "mtu = 1400\n", 1500, 1400, 1360, 1340},
	/* 9: too large on purpose */ {C "mtu = 1500\n", 1500, 1500, 1436, 1416},
	/* 10 */ {C "mss = 1200\n", 1500, 1476, 1200, 1200},
	/* 11 */ {C "mss = no\n", 1500, 1476, 0, 0},
	/* 12: not known yet */ {C, 0, 1476, 1436, 1416},
	/* 13 */ {C, 65536, 65511, 65471, 65451},
	/* 14 */ {C "mode = nvgre\nvsid = 0x1000\n", 1500, 1458, 1418, 1398},
	/* 15: the kernel's own erspan has the same sizes; copies are not clamped */
	{C "mode = erspan\nerspan-type = 1\n", 1500, 1462, 0, 0},
	/* 16 */ {C "mode = erspan\nerspan-session = 5\n", 1500, 1450, 0, 0},
	/* 17 */ {C "mode = erspan\nerspan-type = 3\nerspan-session = 5\n", 1500, 1446, 0, 0},
	/* 18 */ {C "udp = yes\n", 1500, 1468, 1428, 1408},
};

static void mtu_and_mss(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct conf *conf = load(sizes[i].file);
		struct actual_way way = {.path_mtu = sizes[i].path};
		struct actual actual = {.ways = &way, .way_count = 1};
		struct site site;
		const struct dp_params *params;

		assert_int_equal(site_build(conf, &actual, &site), 0);
		params = &site.tunnels[0].params;
		if (params->mtu != sizes[i].mtu || params->mss4 != sizes[i].mss4 ||
		    params->mss6 != sizes[i].mss6)
			fail_msg("size %zu: MTU %u MSS %u %u", i + 1, params->mtu, params->mss4,
				 params->mss6);
		site_free(&site);
		conf_free(conf);
	}
}

static const struct {
	const char *address, *peer4, *peer6;
} peers[] = {
	/* 1 */ {"192.168.8.1 peer 192.168.8.11", "192.168.8.11", NULL},
	/* 2 */ {"10.0.0.1/30", "10.0.0.2", NULL},
	/* 3 */ {"10.0.0.2/30", "10.0.0.1", NULL},
	/* 4 */ {"10.0.0.0/31", "10.0.0.1", NULL},
	/* 5 */ {"10.0.0.1/24", NULL, NULL},
	/* 6 */ {"2001:db8::1/127", NULL, "2001:db8::"},
	/* 7 */ {"2001:db8::1/64", NULL, NULL},
	/* 8 */ {"10.0.0.1", NULL, NULL},
};

static void peer_addresses(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		char file[256];
		struct conf *conf;
		struct actual actual = {0};
		struct ip_addr peer4 = {0}, peer6 = {0};
		struct site site;

		snprintf(file, sizeof(file), C "address = %s\n", peers[i].address);
		conf = load(file);
		if (peers[i].peer4)
			peer4 = net(peers[i].peer4).addr;
		if (peers[i].peer6)
			peer6 = net(peers[i].peer6).addr;
		assert_int_equal(site_build(conf, &actual, &site), 0);
		if (!addr_equal(&site.tunnels[0].params.peer4, &peer4) ||
		    !addr_equal(&site.tunnels[0].params.peer6, &peer6))
			fail_msg("peer %zu", i + 1);
		site_free(&site);
		conf_free(conf);
	}
}

static const struct {
	const char *file;
	unsigned families;
} families[] = {
	/* 1 */ {C, 0},
	/* 2 */ {C "address = 10.0.0.1/30\n", 1},
	/* 3 */ {C "address = 2001:db8::1/64\n", 2},
	/* 4 */ {C "route = 2001:db8::/64\nroute = 10.0.0.0/8\n", 3},
	/* 5 */ {C "[forward]\nmasquerade = 10.0.0.0/8 out a\n", 1},
	/* 6 */ {C "[forward]\nallow = ::/0 <-> ::/0\n", 2},
	/* 7 */ {C "[forward]\npublish = tcp/80 in a to 2001:db8::5\n", 2},
};

static void forwarded_families(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct conf *conf = load(families[i].file);

		if (site_families(conf) != families[i].families)
			fail_msg("families %zu: %u", i + 1, site_families(conf));
		conf_free(conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mtu_and_mss),
		cmocka_unit_test(peer_addresses),
		cmocka_unit_test(forwarded_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
