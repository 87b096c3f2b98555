/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * docs/gretel.conf.5 and the table of keys say the same. In the page the keys of a section are the
 * ".It Cm KEY No = ..." items below its ".Sh SECTION"; an item says "The default is" with ".Cm
 * VALUE" on the next line, or "Required.", or "There is no default", and "May be repeated." where
 * that is so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf.h"

#define ITEMS_MAX 100

struct item {
	char section[32], name[32], fallback[32]; /* fallback "": none is told */
	bool required, repeatable, no_default;
};

static struct item items[ITEMS_MAX];
static size_t item_count;

/* The word behind `start`, when the line begins with it. */
static bool word_behind(const char *line, const char *start, char out[32])
{
	if (strncmp(line, start, strlen(start)) != 0)
		return false;
	return sscanf(line + strlen(start), "%31s", out) == 1;
}

static void read_line(const char *line, char section[32], bool *default_follows)
{
	struct item *item = item_count ? &items[item_count - 1] : NULL;
	char word[32];

	if (word_behind(line, ".Sh ", word)) {
		for (size_t i = 0; i < sizeof word; i++)
			section[i] = (char)tolower((unsigned char)word[i]);
	} else if (word_behind(line, ".It Cm ", word)) {
		assert_true(item_count < ITEMS_MAX);
		item = &items[item_count++];
		strcpy(item->section, section);
		strcpy(item->name, word);
	} else if (item && *default_follows) {
		assert_true(word_behind(line, ".Cm ", item->fallback));
	} else if (item) {
		item->required |= strcmp(line, "Required.\n") == 0;
		item->repeatable |= strcmp(line, "May be repeated.\n") == 0;
		item->no_default |= strncmp(line, "There is no default", 19) == 0;
	}
	*default_follows = strcmp(line, "The default is\n") == 0;
}

static int read_page(void **state)
{
	char path[1000], section[32] = "", *line = NULL;
	bool default_follows = false;
	size_t size = 0;
	FILE *in;

	(void)state;
	snprintf(path, sizeof path, "%s/docs/gretel.conf.5", getenv("GRETEL_SOURCE"));
	in = fopen(path, "r");
	if (!in)
		return -1;
	while (getline(&line, &size, in) >= 0)
		read_line(line, section, &default_follows);
	free(line);
	fclose(in);
	return 0;
}

static const struct item *find_item(const struct conf_key_doc *doc)
{
	for (size_t i = 0; i < item_count; i++)
		if (strcmp(items[i].section, doc->section) == 0 &&
		    strcmp(items[i].name, doc->name) == 0)
			return &items[i];
	return NULL;
}

static void test_every_key_is_described(void **state)
{
	const struct conf_key_doc *doc;

	(void)state;
	for (size_t i = 0; (doc = conf_key_doc(i)); i++) {
		const struct item *item = find_item(doc);

		if (!item)
			fail_msg("[%s] %s is not in the page", doc->section, doc->name);
		if (strcmp(item->fallback, doc->fallback ? doc->fallback : "") != 0)
			fail_msg("[%s] %s: the default is another", doc->section, doc->name);
		if (item->required != doc->required || item->repeatable != doc->repeatable ||
		    item->no_default != (!doc->fallback && !doc->required))
			fail_msg("[%s] %s: required, repeated or without default?", doc->section,
				 doc->name);
	}
}

static void test_every_description_has_a_key(void **state)
{
	const struct conf_key_doc *doc;
	size_t keys = 0;

	(void)state;
	for (; (doc = conf_key_doc(keys)); keys++)
		if (find_item(doc) != &items[keys])
			fail_msg("[%s] %s is out of order", doc->section, doc->name);
	/* every key has its item, once and in order, so a surplus would show in the count */
	assert_int_equal(keys, item_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_is_described),
		cmocka_unit_test(test_every_description_has_a_key),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
