/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tests/conf/bad/X.conf must be refused with exactly the lines of X.err; tests/conf/good/X.conf
 * printed as X.ok; every file of examples/ accepted. What is printed is parsed again, must mean the
 * same and print the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_same.h"
#include "ctl/conf.h"

static const char *source_root(void)
{
	const char *root = getenv("GRETEL_SOURCE");

	assert_non_null(root);
	return root;
}

/* The contents of a file; the caller frees them. */
static char *slurp(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		fail_msg("%s is not there", path);
	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(in);
	return text;
}

static bool expect(const char *file, const char *wanted, const char *got)
{
	if (strcmp(wanted, got) == 0)
		return true;
	print_error("%s: wanted\n%sgot\n%s\n", file, wanted, got);
	return false;
}

/* The file beside `file` with another ending. */
static char *partner(const char *file, const char *ending)
{
	char path[300];

	snprintf(path, sizeof path, "%.*s%s", (int)(strlen(file) - strlen(".conf")), file, ending);
	return slurp(path);
}

static bool refused_as_written(const char *file)
{
	char *wanted = partner(file, ".err"), *got = NULL;
	size_t size = 0;
	FILE *errors = open_memstream(&got, &size);
	struct conf *conf = NULL;
	int count = conf_load(file, NULL, errors, &conf), lines = 0;
	bool good;

	fclose(errors);
	for (const char *c = got; *c; c++)
		lines += *c == '\n';
	good = expect(file, wanted, got) && count == lines && count > 0 && !conf;
	free(wanted);
	free(got);
	return good;
}

/* Printed text; the caller frees it. */
static char *print(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(conf, out);
	fclose(out);
	return text;
}

static bool reads_back(const char *file, const struct conf *conf, const char *text)
{
	struct conf *again = NULL;
	char *printed;
	bool good;

	if (conf_load_text("printed", text, stderr, &again) != 0)
		return false;
	printed = print(again);
	good = expect(file, text, printed) && conf_same(conf, again);
	if (!conf_same(conf, again))
		print_error("%s: means something else after printing\n", file);
	free(printed);
	conf_free(again);
	return good;
}

static bool accepted(const char *file)
{
	struct conf *conf = NULL;
	char *text;
	bool good;

	if (conf_load(file, NULL, stderr, &conf) != 0)
		return false;
	text = print(conf);
	good = reads_back(file, conf, text);
	free(text);
	conf_free(conf);
	return good;
}

static bool accepted_as_written(const char *file)
{
	char *wanted = partner(file, ".ok"), *text;
	struct conf *conf = NULL;
	bool good = false;

	if (conf_load(file, NULL, stderr, &conf) == 0) {
		text = print(conf);
		good = expect(file, wanted, text) && reads_back(file, conf, text);
		free(text);
	}
	free(wanted);
	conf_free(conf);
	return good;
}

/* Messages name files as they were given, so the tests are run inside the folder. */
static void walk(const char *folder, bool (*judge)(const char *), size_t at_least)
{
	struct dirent **entries;
	size_t seen = 0, wrong = 0;
	int count;

	assert_int_equal(chdir(source_root()), 0);
	assert_int_equal(chdir(folder), 0);
	count = scandir(".", &entries, NULL, alphasort);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name, *dot = strrchr(name, '.');

		if (dot && strcmp(dot, ".conf") == 0) {
			seen++;
			wrong += !judge(name);
		}
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(wrong, 0);
	assert_true(seen >= at_least);
}

static void test_bad(void **state)
{
	(void)state;
	walk("tests/conf/bad", refused_as_written, 60);
}

static void test_good(void **state)
{
	(void)state;
	walk("tests/conf/good", accepted_as_written, 10);
}

static void test_examples(void **state)
{
	(void)state;
	walk("examples", accepted, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
