/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values, the alias of an interface, the files that make a configuration, and what needs more than
 * a file of tests/conf to be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/conf_params.h"
#include "ctl/conf_value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TUNNEL "[tunnel a]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n"

static void test_u32(void **state)
{
	static const struct {
		const char *text;
		uint32_t min, max;
		bool good;
		uint32_t value;
	} cases[] = {
		/* 0 */ {"0", 0, 10, true, 0},
		/* 1 */ {"10", 0, 10, true, 10},
		/* 2 */ {"11", 0, 10, false, 0},
		/* 3 */ {"1", 2, 10, false, 0},
		/* 4 */ {"4294967295", 0, UINT32_MAX, true, UINT32_MAX},
		/* 5 */ {"4294967296", 0, UINT32_MAX, false, 0},
		/* 6 */ {"18446744073709551616", 0, UINT32_MAX, false, 0},
		/* 7 */ {"0x1f", 0, 255, true, 31},
		/* 8 */ {"0XAb", 0, 255, true, 171},
		/* 9 */ {"0x", 0, 255, false, 0},
		/* 10 */ {"010", 0, 255, false, 0},
		/* 11 */ {"", 0, 255, false, 0},
		/* 12 */ {"-1", 0, 255, false, 0},
		/* 13 */ {"+1", 0, 255, false, 0},
		/* 14 */ {" 1", 0, 255, false, 0},
		/* 15 */ {"1 ", 0, 255, false, 0},
		/* 16 */ {"1a", 0, 255, false, 0},
		/* 17 */ {"0x0000000001", 0, 255, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t value = 77;

		if (value_u32(cases[i].text, cases[i].min, cases[i].max, &value) != cases[i].good)
			fail_msg("case %zu", i);
		assert_int_equal(value, cases[i].good ? cases[i].value : 77);
	}
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t ms;
	} cases[] = {
		{"10s", true, 10000},	{"10", true, 10000},
		{"100ms", true, 100},	{"0", true, 0},
		{"ms", false, 0},	{"s", false, 0},
		{"", false, 0},		{"10m", false, 0},
		{"10 s", false, 0},	{"1.5s", false, 0},
		{"-1s", false, 0},	{"4294967s", true, 4294967000},
		{"4294968s", false, 0}, {"4294967296ms", false, 0},
		{"010s", false, 0},	{"11111111111111111111s", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t ms = 0;

		if (value_duration(cases[i].text, &ms) != cases[i].good || ms != cases[i].ms)
			fail_msg("case %zu: %s gives %u", i, cases[i].text, ms);
	}
}

static void test_name(void **state)
{
	static const char *const good[] = {"a", "eth0.100", "My_Tunnel", "a-b+c@d",
					   "123456789012345"};
	static const char *const bad[] = {
		"",    "1234567890123456", "a b", "a/b", "..", ".", "-a", "a:b", "a\"b", "a*",
		"a%d", "\xc3\xbc"};
	char name[IFNAMSIZ];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_null(value_name(good[i], name));
		assert_string_equal(name, good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(value_name(bad[i], name));
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(value_distance("remote", "remote"), 0);
	assert_int_equal(value_distance("remote", "remtoe"), 1);
	assert_int_equal(value_distance("remote", "remot"), 1);
	assert_int_equal(value_distance("remote", "REMOTE"), 0);
	assert_int_equal(value_distance("", "abc"), 3);
	assert_int_equal(value_distance("ttl", "tos"), 2);
	assert_true(value_distance("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") >= 100);
}

static struct conf *load(const char *text)
{
	struct conf *conf = NULL;

	if (conf_load_text("test", text, stderr, &conf) != 0)
		fail_msg("refused:\n%s", text);
	return conf;
}

/* A line of [tunnel], and what the alias has behind the addresses for it. */
static void test_alias(void **state)
{
	static const struct {
		const char *lines, *alias;
	} cases[] = {
		{"", ""},
		{"mode = gre\nttl = 64\ntos = 0\necn = yes\ndf = set\nmss = auto\n", ""},
		{"key = 7\n", " key 7"},
		{"ikey = 7\nokey = 7\n", " key 7"},
		{"ikey = 7\n", " ikey 7"},
		{"okey = 0.0.1.0\n", " okey 256"},
		{"ikey = 7\nokey = 8\n", " ikey 7 okey 8"},
		{"checksum = yes\n", " csum yes"},
		{"checksum = require\n", " csum require"},
		{"checksum = receive\n", " csum receive"},
		{"sequence = yes\n", " seq yes"},
		{"sequence = send\n", " seq send"},
		{"sequence = receive\n", " seq receive"},
		{"udp = no\n", ""},
		{"udp = yes\n", " udp 4754"},
		{"udp = 5000\nudp-checksum = no\n", " udp 5000 udp-csum no"},
		{"udp = yes\nkey = 1\nnat-secret = 000102030405060708090a0b0c0d0e0f\n"
		 "address = 10.0.0.1/30\nkeepalive = 10s 3\nkeepalive-form = inside\n",
		 " key 1 udp 4754 nat ~f05be358 ka 10000ms 3 ka-inside"},
		{"ttl = 1\n", " ttl 1"},
		{"ttl = inherit\n", " ttl inherit"},
		{"tos = 0xb8\n", " tos 0xb8"},
		{"tos = inherit\n", " tos inherit"},
		{"ecn = no\n", " ecn no"},
		{"df = copy\n", " df copy"},
		{"df = clear\n", " df clear"},
		{"mss = 1300\n", " mss 1300"},
		{"mss = no\n", " mss no"},
		{"keepalive = 10s 3\n", " ka 10000ms 3"},
		{"keepalive-form = cisco-cmd\n", " ka-cmd"},
		{"keepalive-hold = no\nkeepalive-nat = yes\n", " ka-free ka-nat"},
		{"keepalive = 1s 3\naddress = fd00::1/64\nprobe = icmp fd00::2\n",
		 " ka 1000ms 3 icmp fd00::2"},
		{"echo-reply = return\n", " echo"},
		{"bind = eth0\n", " dev eth0"},
		{"bind = eth0\nfwmark = 42\n", " dev eth0 fwmark 0x2a"},
		{"fwmark = 0xffffffff\n", " fwmark 0xffffffff"},
		{"fwmark = 0\n", ""},
		/* what the kernel shows elsewhere */
		{"mtu = 1400\nroute = 10.0.0.0/8\naddress = 10.0.0.1\nnotrack = no\n", ""},
	};
	char text[400], wanted[CONF_ALIAS_SIZE], alias[CONF_ALIAS_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf *conf;

		snprintf(text, sizeof text, TUNNEL "%s", cases[i].lines);
		snprintf(wanted, sizeof wanted, "gretel: gre local 192.0.2.1 remote 192.0.2.2%s",
			 cases[i].alias);
		conf = load(text);
		conf_alias(&conf->tunnels[0], alias);
		assert_string_equal(alias, wanted);
		conf_free(conf);
	}
}

/* Two tunnels whose texts differ only where the room has ended. */
static void test_alias_fits(void **state)
{
	static const char address[] = "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fff";
	static const char *const ends[] = {"deliver", "return"};
	char text[1000], alias[2][CONF_ALIAS_SIZE];

	(void)state;
	for (unsigned i = 0; i < COUNT(ends); i++) {
		struct conf *conf;

		snprintf(text, sizeof text,
			 "[tunnel abcdefghijklmno]\nlocal = %s1\nremote = %s2\n"
			 "bind = 123456789012345\nikey = 4294967295\nokey = 4294967294\n"
			 "checksum = require\nsequence = receive\nttl = inherit\ntos = inherit\n"
			 "ecn = no\ndf = clear\nmss = 65495\nkeepalive = 32766999ms 255\n"
			 "keepalive-form = mikrotik\nkeepalive-hold = no\nkeepalive-nat = yes\n"
			 "address = fd00::1/64\nprobe = icmp %s3\necho-reply = %s\n",
			 address, address, address, ends[i]);
		conf = load(text);
		conf_alias(&conf->tunnels[0], alias[i]);
		assert_int_equal(strlen(alias[i]), CONF_ALIAS_SIZE - 1);
		conf_free(conf);
	}
	assert_string_not_equal(alias[0], alias[1]);
}

static void test_overhead(void **state)
{
	static const struct {
		const char *text;
		unsigned octets;
	} cases[] = {
		{TUNNEL, 24},
		{TUNNEL "key = 1\n", 28},
		{TUNNEL "ikey = 1\n", 24},
		{TUNNEL "okey = 1\nchecksum = yes\nsequence = yes\n", 36},
		{TUNNEL "checksum = receive\nsequence = receive\n", 24},
		{TUNNEL "checksum = require\nsequence = send\n", 32},
		{TUNNEL "mode = gretap\n", 38},
		{TUNNEL "udp = yes\nkey = 1\n", 36},
		{TUNNEL "mode = nvgre\nvsid = 5000\n", 42},
		{TUNNEL "mode = erspan\nerspan-type = 1\n", 38},
		{TUNNEL "mode = erspan\nerspan-session = 1\n", 50},
		{TUNNEL "mode = erspan\nerspan-type = 3\nerspan-session = 1\n", 54},
		{"[tunnel a]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n", 44},
		{"[tunnel a]\nlocal = address-of eth0\nremote = 2001:db8::2\n", 44},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf *conf = load(cases[i].text);

		assert_int_equal(conf_overhead(&conf->tunnels[0]), cases[i].octets);
		assert_int_equal(conf_fits(&conf->tunnels[0], 1500), 1500 - cases[i].octets);
		assert_int_equal(conf_fits(&conf->tunnels[0], cases[i].octets), 0);
		conf_free(conf);
	}
}

static void test_values(void **state)
{
	struct conf *conf = load(TUNNEL "address = 192.168.8.1 peer 192.168.8.11\n"
					"route = 20.10.1.0/24 metric 5 table 7\nkey = 1.2.3.4\n"
					"keepalive = 100ms 3\n\n[forward]\n"
					"publish = udp/8000-8010 in eth1 to 10.1.0.5\n");
	const struct conf_tunnel *t = conf_find_tunnel(conf, "a");

	(void)state;
	assert_non_null(t);
	assert_null(conf_find_tunnel(conf, "b"));
	assert_string_equal(t->at.file, "test");
	assert_int_equal(t->at.line, 1);
	assert_int_equal(t->lines[TUNNEL_REMOTE], 3);
	assert_int_equal(t->lines[TUNNEL_TTL], 0);
	assert_int_equal(t->ttl, 64);
	assert_true(t->ecn && t->notrack && t->mss_auto && !t->ttl_inherit);
	assert_int_equal(t->ikey.value, 0x01020304);
	assert_int_equal(t->okey.value, 0x01020304);
	assert_int_equal(t->keepalive_interval_ms, 100);
	assert_int_equal(t->keepalive_retries, 3);
	assert_int_equal(t->addresses[0].local.len, 32);
	assert_int_equal(t->addresses[0].peer.bytes[3], 11);
	assert_int_equal(t->routes[0].at.line, 5);
	assert_int_equal(t->routes[0].metric, 5);
	assert_int_equal(t->routes[0].table, 7);
	assert_true(conf->forward.present && conf->forward.enable);
	assert_int_equal(conf->forward.publishes[0].protocol, 17);
	assert_int_equal(conf->forward.publishes[0].port_end, 8010);
	assert_int_equal(conf->workers, 0);
	conf_free(conf);
}

static void test_no_forward(void **state)
{
	struct conf *conf = load(TUNNEL);

	(void)state;
	assert_false(conf->forward.present || conf->forward.enable);
	conf_free(conf);
}

/* A folder of its own for files, left by leave_folder(). */
static int enter_folder(void **state)
{
	static char path[] = "/tmp/gretel-conf-XXXXXX";

	memcpy(path + sizeof path - 7, "XXXXXX", 6);

	*state = mkdtemp(path);
	return *state && chdir(path) == 0 && mkdir("gretel.d", 0700) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	static const char *const names[] = {"gretel.conf",	 "other.conf",
					    "added.conf",	 "gretel.d/10-b.conf",
					    "gretel.d/9-a.conf", "gretel.d/.hidden.conf",
					    "gretel.d/readme"};

	for (size_t i = 0; i < COUNT(names); i++)
		unlink(names[i]);
	if (rmdir("gretel.d") && errno != ENOENT)
		return -1;
	return chdir("/") == 0 ? rmdir(*state) : -1;
}

static void put(const char *name, const char *text, size_t len)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	fclose(out);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* Loads files and compares what is said of them, "" for nothing. */
static struct conf *load_files(const char *file, const char *extra, const char *wanted)
{
	struct conf *conf = NULL;
	char *got = NULL;
	size_t size = 0;
	FILE *errors = open_memstream(&got, &size);
	int count = conf_load(file, extra, errors, &conf);

	fclose(errors);
	assert_string_equal(got, wanted);
	assert_int_equal(count == 0, *wanted == 0);
	free(got);
	return conf;
}

static void test_files(void **state)
{
	struct conf *conf;

	(void)state;
	put_text("gretel.conf", TUNNEL "\n[forward]\nallow = 10.1.0.0/16 -> 10.2.0.0/16\n");
	put_text("gretel.d/10-b.conf", "[tunnel b]\nlocal = 192.0.2.1\nremote = 192.0.2.3\n"
				       "[forward]\nallow = 10.1.0.0/16 -> 10.3.0.0/16\n");
	put_text("gretel.d/9-a.conf", "[tunnel c]\nlocal = 192.0.2.1\nremote = 192.0.2.4\n");
	put_text("gretel.d/.hidden.conf", "nonsense\n");
	put_text("gretel.d/readme", "nonsense\n");
	put_text("added.conf", "[tunnel d]\nlocal = 192.0.2.1\nremote = 192.0.2.5\n");
	conf = load_files("gretel.conf", "added.conf", "");
	assert_int_equal(conf->file_count, 4);
	assert_string_equal(conf->files[1], "./gretel.d/10-b.conf");
	assert_int_equal(conf->tunnel_count, 4);
	assert_string_equal(conf->tunnels[1].name, "b");
	assert_string_equal(conf->tunnels[1].at.file, "./gretel.d/10-b.conf");
	assert_string_equal(conf->tunnels[3].name, "d");
	assert_int_equal(conf->forward.allow_count, 2);
	conf_free(conf);
}

static void test_files_optional(void **state)
{
	struct conf *conf;

	(void)state;
	put_text("other.conf", TUNNEL);
	put_text("gretel.d/10-b.conf", "nonsense\n"); /* goes with gretel.conf only */
	conf = load_files("other.conf", "added.conf", "");
	assert_int_equal(conf->tunnel_count, 1);
	conf_free(conf);
	conf = load_files(NULL, "added.conf", "");
	assert_int_equal(conf->tunnel_count, 0);
	conf_free(conf);
	conf = load_files(NULL, NULL, "");
	conf_free(conf);
	unlink("gretel.d/10-b.conf");
	rmdir("gretel.d");
	put_text("gretel.conf", TUNNEL);
	conf = load_files("gretel.conf", NULL, "");
	conf_free(conf);
}

static void test_files_unreadable(void **state)
{
	(void)state;
	load_files("gretel.conf", NULL,
		   "gretel.conf: the file cannot be read (No such file or directory): name "
		   "another, or make it readable\n");
	load_files(".", NULL,
		   ".: the file cannot be read (Is a directory): name another, or make it "
		   "readable\n");
	put_text("gretel.conf", TUNNEL);
	load_files("gretel.conf", "gretel.d",
		   "gretel.d: the file cannot be read (Is a directory): name another, or make it "
		   "readable\n");
	rmdir("gretel.d");
	put_text("gretel.d", "not a folder\n");
	load_files("gretel.conf", NULL,
		   "./gretel.d: the folder cannot be read (Not a directory): make it readable, or "
		   "remove it\n");
	unlink("gretel.d");
}

/* Faults are told in the order of files, and clashes between files name both. */
static void test_files_clash(void **state)
{
	(void)state;
	put_text("gretel.conf", TUNNEL "[forward]\nenable = yes\n[daemon]\nworkers = 1\n");
	put_text("gretel.d/10-b.conf", "[forward]\nenable = no\n[daemon]\nworkers = 2\nx\n");
	put_text("added.conf", "[tunnel a]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n");
	load_files("gretel.conf", "added.conf",
		   "./gretel.d/10-b.conf:2: enable is already at gretel.conf:5: write it once\n"
		   "./gretel.d/10-b.conf:4: workers is already at gretel.conf:7: write it once\n"
		   "./gretel.d/10-b.conf:5: \"x\" has no =: write KEY = VALUE\n"
		   "added.conf:1: tunnel a is already at gretel.conf:1: choose another name, or "
		   "delete one\n"
		   "added.conf:1: received packets cannot be told from those of tunnel a at "
		   "gretel.conf:1: give each its own key\n");
}

/* What a text editor of another system may save. */
static void test_utf16(void **state)
{
	static const char text[] = "\xff\xfe[\0t\0u\0n\0n\0e\0l\0 \0a\0]\0\n\0x\0\n\0";

	(void)state;
	put("other.conf", text, sizeof text - 1);
	load_files("other.conf", NULL,
		   "other.conf:1: the line has a zero octet: save the file as text in UTF-8\n");
}

/* No cut of a good file, and no octet too many, does more harm than a message. */
static void test_cuts(void **state)
{
	static const char text[] =
		TUNNEL "address = 192.168.8.1 peer 192.168.8.11\nroute = 10.0.0.0/8 metric 1\n"
		       "keepalive = 10s 3\n[forward]\npublish = tcp/1-2 in a to [fd00::1]:3\n";
	FILE *sink = fopen("/dev/null", "w");
	char cut[sizeof text];

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		for (const char *c = "\n=[ #\xff"; *c; c++) {
			struct conf *conf = NULL;

			memcpy(cut, text, sizeof text);
			cut[len] = *c;
			if (len + 1 < sizeof text && *c == '#')
				cut[len + 1] = 0;
			cut[sizeof text - 1] = 0;
			if (conf_load_text("cut", cut, sink, &conf) == 0)
				conf_free(conf);
			else
				assert_null(conf);
		}
	}
	fclose(sink);
}

static void test_key_docs(void **state)
{
	size_t count = 0;

	(void)state;
	for (const struct conf_key_doc *doc; (doc = conf_key_doc(count)); count++) {
		assert_true(strlen(doc->name) > 0 && strlen(doc->help) > 0);
		assert_false(doc->required && doc->fallback);
		for (size_t i = 0; i < count; i++)
			assert_false(strcmp(conf_key_doc(i)->name, doc->name) == 0 &&
				     strcmp(conf_key_doc(i)->section, doc->section) == 0);
	}
	assert_true(count > TUNNEL_KEY_COUNT);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u32),	   cmocka_unit_test(test_duration),
		cmocka_unit_test(test_name),	   cmocka_unit_test(test_distance),
		cmocka_unit_test(test_alias),	   cmocka_unit_test(test_alias_fits),
		cmocka_unit_test(test_overhead),   cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_forward), IN_FOLDER(test_files),
		IN_FOLDER(test_files_optional),	   IN_FOLDER(test_files_unreadable),
		IN_FOLDER(test_files_clash),	   IN_FOLDER(test_utf16),
		cmocka_unit_test(test_cuts),	   cmocka_unit_test(test_key_docs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
