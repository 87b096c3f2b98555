/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any words are refused with one line, or are a tunnel that the configuration language accepts;
 * then what `gretel show` prints of it can be given to `gretel add` again, and is the same tunnel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/added.h"
#include "ctl/iptunnel.h"

#define WORDS_MAX 64
#define NO_FILE	  "/nonexistent/added.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t split(char *text, const char **words)
{
	size_t count = 0;
	char *rest = text, *word;
	while (count < WORDS_MAX && (word = strsep(&rest, " \n")))
		words[count++] = word;
	return count;
}

/* The section that `gretel add` writes, or NULL. */
static char *add(char *line)
{
	const char *words[WORDS_MAX];
	size_t count = split(line, words), size;
	char *text = NULL, *said = NULL;
	FILE *errors = open_memstream(&said, &size);
	int e = added_edit(NO_FILE, ADDED_ADD, words, count, NULL, errors, &text);
	fclose(errors);
	if ((e == 0) != (text != NULL) || (e == 0) != (said[0] == '\0'))
		abort();
	if (e && said[strlen(said) - 1] != '\n')
		abort();
	free(said);
	return text;
}

/* "NAME: MODE ..." as `gretel show` prints it, turned into words of `add`. */
static char *shown(const char *section)
{
	struct conf *conf = NULL;
	char *line = NULL;
	size_t size;
	if (conf_load_text("section", section, stderr, &conf) != 0 || conf->tunnel_count != 1)
		abort();
	FILE *out = open_memstream(&line, &size);
	fputs(conf->tunnels[0].name, out);
	fputs(" mode ", out);
	char *whole = NULL;
	FILE *stream = open_memstream(&whole, &size);
	iptunnel_print(&conf->tunnels[0], stream);
	fclose(stream);
	fprintf(out, "%.*s", (int)strcspn(strchr(whole, ':') + 2, "\n"), strchr(whole, ':') + 2);
	fclose(out);
	free(whole);
	conf_free(conf);
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	memcpy(line, data, size);
	line[size] = '\0';
	char *once = add(line);
	free(line);
	if (once) {
		char *again = shown(once);
		char *twice = add(again);
		if (!twice || strcmp(once, twice) != 0)
			abort();
		free(twice);
		free(again);
	}
	free(once);
	return 0;
}
