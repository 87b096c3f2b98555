/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gretel import without a machine: tests/import/NAME has files of systemd-networkd and either
 * out.conf, what is printed of them, or err, why they are refused. What is printed is always a
 * configuration that is accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/import/import.h"

#define FILES_MAX 16

struct folder {
	char *names[FILES_MAX], *texts[FILES_MAX];
	size_t count;
};

static char *slurp(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(in);
	return text;
}

static bool is_unit(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".netdev") == 0 || strcmp(dot, ".network") == 0);
}

/* The units of the working directory in the order of their names. */
static void read_folder(struct folder *folder)
{
	struct dirent **entries;
	int count = scandir(".", &entries, NULL, alphasort);

	*folder = (struct folder){0};
	for (int i = 0; i < count; i++) {
		if (is_unit(entries[i]->d_name)) {
			assert_true(folder->count < FILES_MAX);
			folder->names[folder->count] = strdup(entries[i]->d_name);
			folder->texts[folder->count++] = slurp(entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
}

static void free_folder(struct folder *folder)
{
	for (size_t i = 0; i < folder->count; i++) {
		free(folder->names[i]);
		free(folder->texts[i]);
	}
}

/* What `gretel import` prints; it must be accepted. */
static char *printed(const struct import *import)
{
	char *text = NULL, *valid = NULL;
	struct conf *conf = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	import_print(import, memory);
	fclose(memory);
	assert_true(import_valid(text, &valid) >= 0);
	free(text);
	assert_int_equal(conf_load_text("printed", valid, stderr, &conf), 0);
	conf_free(conf);
	return valid;
}

/* What is said of the folder's files: the configuration, or the faults. */
static char *answer(const struct folder *folder, int *faults)
{
	struct import import = {0};
	char *said = NULL, *text;
	size_t size;
	FILE *errors = open_memstream(&said, &size);

	*faults = import_units(&import, (const char *const *)folder->names,
			       (const char *const *)folder->texts, folder->count, folder->count,
			       errors);
	fclose(errors);
	assert_false(import.lost);
	text = *faults ? strdup(said) : printed(&import);
	import_free(&import);
	free(said);
	return text;
}

static bool check_folder(const char *name)
{
	struct folder folder;
	char *wanted, *got;
	int faults;
	bool good;

	assert_int_equal(chdir(name), 0);
	read_folder(&folder);
	got = answer(&folder, &faults);
	wanted = slurp(faults ? "err" : "out.conf");
	good = wanted && strcmp(wanted, got) == 0;
	if (!good)
		print_error("%s: wanted\n%s\ngot\n%s", name, wanted ? wanted : "(nothing)", got);
	assert_int_equal(chdir(".."), 0);
	free_folder(&folder);
	free(wanted);
	free(got);
	return good;
}

static void test_folders(void **state)
{
	struct dirent **entries;
	int count, seen = 0, wrong = 0;

	(void)state;
	assert_int_equal(chdir(getenv("GRETEL_SOURCE")), 0);
	assert_int_equal(chdir("tests/import"), 0);
	count = scandir(".", &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') {
			seen++;
			wrong += !check_folder(entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(wrong, 0);
	assert_true(seen >= 15);
}

/* Files that nobody named are passed over, whatever is wrong with them, unless they match. */
static void test_files_beside(void **state)
{
	static const char *const names[] = {"a.netdev", "other.network", "a.network"};
	static const char *const texts[] = {
		"[NetDev]\nName=a\nKind=gre\n[Tunnel]\nLocal=192.0.2.1\nRemote=192.0.2.2\n",
		"[Match]\nName=b\nnonsense\n",
		"[Match]\nName=a\n[Network]\nAddress=192.168.8.1/30\n"};
	struct import import = {0};
	char *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);

	(void)state;
	assert_int_equal(import_units(&import, names, texts, 3, 1, errors), 0);
	fclose(errors);
	assert_string_equal(said, "");
	assert_int_equal(import.tunnel_count, 1);
	assert_int_equal(import.tunnels[0].address_count, 1);
	import_free(&import);
	free(said);
}

/* What is wrong behind the first refusal is found too, and a section goes with its head. */
static void test_valid(void **state)
{
	static const char *const before =
		"[tunnel a]\nlocal = 192.0.2.1\nremote = 192.0.2.1\nkey = 1\n"
		"[tunnel b]\nlocal = 192.0.2.1\nremote = 192.0.2.2\nmtu = 9\nttl = 0\n";
	static const char *const after =
		"#[tunnel a]   # refused: local and remote are both 192.0.2.1: write the peer's "
		"address as remote\n#local = 192.0.2.1\n#remote = 192.0.2.1\n#key = 1\n"
		"[tunnel b]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n"
		"#mtu = 9   # refused: mtu = 9 is not understood: write auto, or a number from 68 "
		"to "
		"65511\n#ttl = 0   # refused: ttl = 0 is not understood: write a number from 1 to "
		"255, or inherit\n";
	char *out = NULL;

	(void)state;
	assert_int_equal(import_valid(before, &out), 3);
	assert_string_equal(out, after);
	free(out);
	assert_int_equal(import_valid("# nothing\n", &out), 0);
	assert_string_equal(out, "# nothing\n");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_files_beside),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
