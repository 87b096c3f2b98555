/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of `ip tunnel`, read and printed, and the file of added tunnels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/added.h"
#include "ctl/iptunnel.h"
#include "ctl/msg.h"

#define ENDS	   "g1 mode gre remote 192.0.2.2 local 192.0.2.1"
#define SHOWN	   "g1: gre/ip remote 192.0.2.2 local 192.0.2.1"
#define WORDS_ROOM 32

static size_t split(char *text, const char **words)
{
	size_t count = 0;
	for (char *word = strtok(text, " "); word && count < WORDS_ROOM; word = strtok(NULL, " "))
		words[count++] = word;
	return count;
}

/* The text of added.conf after `line`, or NULL and what was said in *errors. */
static char *edit(const char *path, enum added_verb verb, const char *line,
		  const struct conf *desired, char **errors)
{
	char copy[512];
	const char *words[WORDS_ROOM];
	char *text = NULL;
	size_t size;
	snprintf(copy, sizeof copy, "%s", line);
	size_t count = split(copy, words);
	FILE *stream = open_memstream(errors, &size);
	int e = added_edit(path, verb, words, count, desired, stream, &text);
	fclose(stream);
	assert_true((e == 0) == (text != NULL));
	assert_true((e == 0) == ((*errors)[0] == '\0'));
	return text;
}

/* What `show` prints of the only tunnel of a text. */
static void show(const char *text, char out[512])
{
	struct conf *conf = NULL;
	FILE *stream = fmemopen(out, 512, "w");
	assert_int_equal(conf_load_text("added.conf", text, stderr, &conf), 0);
	assert_int_equal(conf->tunnel_count, 1);
	iptunnel_print(&conf->tunnels[0], stream);
	fclose(stream);
	conf_free(conf);
}

static void test_good(void **state)
{
	static const struct {
		const char *words, *shown;
	} cases[] = {
		/* 0 */ {ENDS, SHOWN " ttl 64"},
		/* 1 */ {ENDS " ttl 255", SHOWN " ttl 255"},
		/* 2 */ {ENDS " ttl inherit", SHOWN " ttl inherit"},
		/* 3 */ {ENDS " ttl 0", SHOWN " ttl inherit"},
		/* 4 */ {ENDS " hoplimit 9", SHOWN " ttl 9"},
		/* 5 */ {ENDS " tos inherit", SHOWN " ttl 64 tos inherit"},
		/* 6 */ {ENDS " tos 1", SHOWN " ttl 64 tos inherit"},
		/* 7 */ {ENDS " tos 10", SHOWN " ttl 64 tos 0x10"},
		/* 8 */ {ENDS " tos 0xb8", SHOWN " ttl 64 tos 0xb8"},
		/* 9 */ {ENDS " tos EF", SHOWN " ttl 64 tos 0xb8"},
		/* 10 */ {ENDS " dsfield CS6", SHOWN " ttl 64 tos 0xc0"},
		/* 11 */ {ENDS " tos AF21", SHOWN " ttl 64 tos 0x48"},
		/* 12 */ {ENDS " key 42", SHOWN " ttl 64 key 42"},
		/* 13 */ {ENDS " key 0xC0FFEE01", SHOWN " ttl 64 key 3237998081"},
		/* 14 */ {ENDS " key 10.0.0.1", SHOWN " ttl 64 key 167772161"},
		/* 15 */ {ENDS " ikey 1 okey 2", SHOWN " ttl 64 ikey 1 okey 2"},
		/* 16 */ {ENDS " ikey 7 okey 7", SHOWN " ttl 64 key 7"},
		/* 17 */ {ENDS " okey 2", SHOWN " ttl 64 okey 2"},
		/* 18 */ {ENDS " key 3 nookey", SHOWN " ttl 64 ikey 3"},
		/* 19 */ {ENDS " csum", SHOWN " ttl 64 csum"},
		/* 20 */ {ENDS " icsum", SHOWN " ttl 64 icsum"},
		/* 21 */ {ENDS " ocsum", SHOWN " ttl 64 ocsum"},
		/* 22 */ {ENDS " icsum ocsum", SHOWN " ttl 64 csum"},
		/* 23 */ {ENDS " seq", SHOWN " ttl 64 seq"},
		/* 24 */ {ENDS " iseq", SHOWN " ttl 64 iseq"},
		/* 25 */ {ENDS " oseq", SHOWN " ttl 64 oseq"},
		/* 26 */ {ENDS " csum seq key 1", SHOWN " ttl 64 key 1 csum seq"},
		/* 27 */ {ENDS " pmtudisc", SHOWN " ttl 64"},
		/* 28 */ {ENDS " nopmtudisc", SHOWN " ttl 64 nopmtudisc"},
		/* 29 */ {ENDS " nopmtudisc ignore-df", SHOWN " ttl 64 nopmtudisc ignore-df"},
		/* 30 */
		{ENDS " dev eth0", "g1: gre/ip remote 192.0.2.2 local 192.0.2.1 dev eth0 ttl 64"},
		/* 31 */ {ENDS " mtu 1400 fwmark 42", SHOWN " ttl 64 fwmark 0x2a mtu 1400"},
		/* 32 */ {"name g1 rem 192.0.2.2 loc 192.0.2.1", SHOWN " ttl 64"},
		/* 33 */
		{"dev g1 type gre remote 192.0.2.2 local 192.0.2.1 dev eth0",
		 SHOWN " dev eth0 ttl 64"},
		/* 34 */ {"mode gre name g1 local 192.0.2.1 remote 192.0.2.2", SHOWN " ttl 64"},
		/* 35 */
		{"t6 mode ip6gre remote 2001:db8::2 local 2001:db8::1 hlim 7 tclass 0x20",
		 "t6: gre/ipv6 remote 2001:db8::2 local 2001:db8::1 ttl 7 tos 0x20"},
		/* 36 */
		{"tap type gretap remote 192.0.2.2 local 192.0.2.1",
		 "tap: gretap remote 192.0.2.2 local 192.0.2.1 ttl 64"},
		/* 37 */
		{"tap type ip6gretap remote 2001:db8::2 local 2001:db8::1 key 5",
		 "tap: ip6gretap remote 2001:db8::2 local 2001:db8::1 ttl 64 key 5"},
		/* 38: a name that is the beginning of a word */
		{"rem mode gre remote 192.0.2.2 local 192.0.2.1",
		 "rem: gre/ip remote 192.0.2.2 local 192.0.2.1 ttl 64"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *errors, shown[512];
		char *text =
			edit("/nonexistent/added.conf", ADDED_ADD, cases[i].words, NULL, &errors);
		if (!text)
			fail_msg("case %zu: %s", i, errors);
		show(text, shown);
		shown[strcspn(shown, "\n")] = '\0';
		if (strcmp(shown, cases[i].shown) != 0)
			fail_msg("case %zu: \"%s\" instead of \"%s\"", i, shown, cases[i].shown);
		/* What is shown can be given to add again. */
		char again[512], *text2;
		size_t colon = strcspn(shown, ":");
		snprintf(again, sizeof again, "%.*s mode%s", (int)colon, shown, shown + colon + 1);
		free(errors);
		text2 = edit("/nonexistent/added.conf", ADDED_ADD, again, NULL, &errors);
		if (!text2)
			fail_msg("case %zu: again: %s", i, errors);
		assert_string_equal(text, text2);
		free(errors);
		free(text);
		free(text2);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *words, *said;
	} cases[] = {
		/* 0 */ {"", "the tunnel has no name: write NAME first"},
		/* 1 */ {"mode gre", "the tunnel has no name"},
		/* 2 */ {"g1", "\"remote\" is missing: write remote ADDRESS"},
		/* 3 */ {"g1 remote 192.0.2.2", "\"local\" is missing: write local ADDRESS"},
		/* 4 */ {"g1 g2 mode gre", "unknown word \"g2\""},
		/* 5 */ {ENDS " name g2", "two names, \"g1\" and \"g2\""},
		/* 6 */ {"averyveryverylongname mode gre", "is longer than 15 characters"},
		/* 7 */ {"a/b mode gre", "interface name \"a/b\""},
		/* 8 */ {"g1 mode ipip", "\"mode ipip\" is wrong: modes are gre"},
		/* 9 */ {ENDS " mode gretap", "two modes, \"gre\" and \"gretap\""},
		/* 10 */ {"g1 remote any", "a tunnel has one address at each end"},
		/* 11 */ {"g1 local 0.0.0.0", "a tunnel has one address at each end"},
		/* 12 */ {"g1 remote 300.1.1.1", "\"remote 300.1.1.1\" is wrong"},
		/* 13 */ {"g1 remote peer.example", "write an IPv4 or IPv6 address"},
		/* 14 */ {"g1 remote 192.0.2.2 local 2001:db8::1", "of different families"},
		/* 15 */
		{"g1 mode ip6gre remote 192.0.2.2 local 192.0.2.1",
		 "this mode runs over IPv6, but the addresses are IPv4"},
		/* 16 */ {ENDS " ttl 256", "\"ttl 256\" is wrong: write 1 to 255, or inherit"},
		/* 17 */ {ENDS " ttl -1", "\"ttl -1\" is wrong"},
		/* 18 */ {ENDS " ttl", "\"ttl\" is the last word: write a value after it"},
		/* 19 */ {ENDS " ttl 1 ttl 2", "\"ttl\" is written twice"},
		/* 20 */ {ENDS " tos 0x03", "\"tos 0x03\" is wrong"},
		/* 21 */ {ENDS " tos 256", "\"tos 256\" is wrong"},
		/* 22 */ {ENDS " tos AF51", "\"tos AF51\" is wrong"},
		/* 23 */ {ENDS " key 4294967296", "\"key 4294967296\" is wrong"},
		/* 24 */ {ENDS " key my", "write a number of 0 to 4294967295, or a dotted quad"},
		/* 25 */ {ENDS " key ::1", "\"key ::1\" is wrong"},
		/* 26 */ {ENDS " dev a/b fwmark 1", "\"dev a/b\" is wrong"},
		/* 27 */ {ENDS " mtu 67", "\"mtu 67\" is wrong"},
		/* 28 */ {ENDS " i 1", "\"i\" can be \"ikey\" or \"icsum\": write it out"},
		/* 29 */ {ENDS " encap fou", "with udp = yes or gue"},
		/* 30 */ {ENDS " external", "\"external\" is not supported"},
		/* 31 */ {ENDS " pmtudisc ignore-df", "contradict each other"},
		/* 32 */ {ENDS " nonsense", "unknown word \"nonsense\": the words are mode"},
		/* 33 */ {"g1 mode gre remote 192.0.2.1 local 192.0.2.1", "192.0.2.1"},
		/* 34 */ {"g1 mode gre remote 224.0.0.1 local 192.0.2.1", "224.0.0.1"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *errors;
		char *text =
			edit("/nonexistent/added.conf", ADDED_ADD, cases[i].words, NULL, &errors);
		if (text)
			fail_msg("case %zu was accepted", i);
		if (!strstr(errors, cases[i].said))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, errors, cases[i].said);
		if (strchr(errors, '\n') != errors + strlen(errors) - 1 || errors[0] == ':')
			fail_msg("case %zu: not one line: \"%s\"", i, errors);
		free(errors);
	}
}

/* Adds, changes and deletes, each time writing the file and reading it again. */
static void test_file(void **state)
{
	static const struct {
		enum added_verb verb;
		const char *words, *said, *holds;
	} steps[] = {
		/* 0 */ {ADDED_CHANGE, "g1 ttl 9", "there is no tunnel g1", NULL},
		/* 1 */ {ADDED_ADD, ENDS " key 1", NULL, "[tunnel g1]"},
		/* 2 */ {ADDED_ADD, ENDS " key 1", "tunnel g1 exists", NULL},
		/* 3 */
		{ADDED_ADD, "g2 remote 192.0.2.3 local 192.0.2.1 key 2", NULL, "[tunnel g2]"},
		/* 4 */ {ADDED_CHANGE, "g1 ttl 9 nokey", NULL, "ttl = 9\n"},
		/* 5 */ {ADDED_CHANGE, "g1 local 2001:db8::1", "different families", NULL},
		/* 6 */ {ADDED_CHANGE, "g1 ttl 0", NULL, "ttl = inherit\n"},
		/* 7 */ {ADDED_DEL, "g3", "there is no tunnel g3", NULL},
		/* 8 */ {ADDED_DEL, "g1 mode gre", NULL, "[tunnel g2]"},
		/* 9 */ {ADDED_DEL, "name g2", NULL, ""},
		/* 10 */ {ADDED_DEL, "g2", "there is no tunnel g2", NULL},
	};
	char directory[] = "/tmp/test_iptunnel.XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/added.conf", directory);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		char *errors;
		char *text = edit(path, steps[i].verb, steps[i].words, NULL, &errors);
		if ((text == NULL) != (steps[i].said != NULL))
			fail_msg("step %zu: %s", i, errors);
		if (steps[i].said && !strstr(errors, steps[i].said))
			fail_msg("step %zu: %s", i, errors);
		if (text && !strstr(text, steps[i].holds))
			fail_msg("step %zu: %s", i, text);
		if (text)
			assert_int_equal(added_write(path, text), 0);
		free(text);
		free(errors);
	}
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(directory), 0);
}

/* A tunnel of the main file is not the business of `gretel add`. */
static void test_main_file(void **state)
{
	struct conf *conf = NULL;
	char *errors;
	(void)state;
	assert_int_equal(conf_load_text("gretel.conf",
					"\n[tunnel g1]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n",
					stderr, &conf),
			 0);
	assert_null(edit("/nonexistent/added.conf", ADDED_DEL, "g1", conf, &errors));
	assert_non_null(strstr(errors, "tunnel g1 comes from gretel.conf:2"));
	free(errors);
	assert_null(edit("/nonexistent/added.conf", ADDED_ADD, ENDS, conf, &errors));
	assert_non_null(strstr(errors, "tunnel g1 exists, from gretel.conf:2"));
	free(errors);
	conf_free(conf);
}

/* A tunnel of the file, which `add` could not have made. */
static void test_shows_udp(void **state)
{
	char shown[512];

	(void)state;
	show("[tunnel g1]\nlocal = 192.0.2.1\nremote = 192.0.2.2\nudp = yes\n", shown);
	assert_string_equal(shown, "g1: gre/ip remote 192.0.2.2 local 192.0.2.1 ttl 64 encap fou "
				   "encap-dport 4754\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_shows_udp),
		cmocka_unit_test(test_bad),	  cmocka_unit_test(test_file),
		cmocka_unit_test(test_main_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
