/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a .netdev file, and what follows a line "---" as a .network file, is refused with
 * messages that name a file, or becomes a file that our configuration accepts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "\n---\n"

static void check_refused(const char *said, int count)
{
	for (; *said; said = strchr(said, '\n') + 1, count--)
		if ((strncmp(said, "a.netdev:", 9) != 0 && strncmp(said, "a.network:", 10) != 0) ||
		    !strchr(said, '\n'))
			abort();
	if (count)
		abort();
}

static void check_accepted(const struct import *import)
{
	char *text = NULL, *valid = NULL;
	struct conf *conf = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	import_print(import, memory);
	fclose(memory);
	if (import_valid(text, &valid) < 0 || conf_load_text("import", valid, stderr, &conf) != 0)
		abort();
	conf_free(conf);
	free(valid);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const names[] = {"a.netdev", "a.network"};
	char *text = malloc(size + 1), *said = NULL, *mark;
	size_t said_size;
	FILE *errors = open_memstream(&said, &said_size);
	struct import import = {0};
	const char *texts[2];
	int faults;

	memcpy(text, data, size);
	text[size] = 0;
	mark = strstr(text, MARK);
	if (mark)
		*mark = 0;
	texts[0] = text;
	texts[1] = mark ? mark + strlen(MARK) : "";
	faults = import_units(&import, names, texts, mark ? 2 : 1, size & 1 ? 1 : 2, errors);
	fclose(errors);
	if (faults)
		check_refused(said, faults);
	else
		check_accepted(&import);
	import_free(&import);
	free(said);
	free(text);
	return 0;
}
