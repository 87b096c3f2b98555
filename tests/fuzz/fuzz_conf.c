/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text is refused with messages that have a place, or is accepted, and then what is printed is
 * accepted too, means the same and prints the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/conf_same.h"
#include "ctl/conf_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(conf, out);
	fclose(out);
	return text;
}

static void check_accepted(const struct conf *conf)
{
	char *once = print(conf), *twice, alias[CONF_ALIAS_SIZE];
	struct conf *again = NULL;

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		conf_alias(&conf->tunnels[i], alias);
		if (strlen(alias) > CONF_ALIAS_SIZE - 2)
			abort();
	}
	if (conf_load_text("printed", once, stderr, &again) != 0)
		abort();
	twice = print(again);
	if (strcmp(once, twice) != 0 || !conf_same(conf, again))
		abort();
	conf_free(again);
	free(twice);
	free(once);
}

/* Every line of the messages begins with the name of the file, and there are as many as faults. */
static void check_refused(const char *said, int count)
{
	for (; *said; said = strchr(said, '\n') + 1, count--)
		if (strncmp(said, "fuzz:", 5) != 0 || !strchr(said, '\n'))
			abort();
	if (count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *said = NULL;
	size_t said_size = 0;
	FILE *errors = open_memstream(&said, &said_size);
	struct conf *conf = NULL;
	int count;

	memcpy(text, data, size);
	text[size] = 0;
	count = conf_load_text("fuzz", text, errors, &conf);
	fclose(errors);
	if (count)
		check_refused(said, count);
	else
		check_accepted(conf);
	if (!count)
		conf_free(conf);
	free(said);
	free(text);
	return 0;
}
