/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tunnel that the kernel accepts can have what our file refuses: an address that is a broadcast
 * address, two tunnels that cannot be told apart, a name that is not allowed. So that the import is
 * a file that can be used, the configuration itself is asked, and what it refuses becomes a comment
 * with its words. Taking one line out can make another wrong or right, so it is asked again.
 */
#include "ctl/import/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME	   "import"
#define ROUNDS_MAX 50

struct text {
	char **lines;
	size_t count;
};

static int cut(const char *from, struct text *text)
{
	*text = (struct text){0};
	while (*from) {
		size_t len = strcspn(from, "\n");
		char **grown = reallocarray(text->lines, text->count + 1, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		text->lines = grown;
		grown[text->count] = strndup(from, len);
		if (!grown[text->count++])
			return -ENOMEM;
		from += len + (from[len] == '\n');
	}
	return 0;
}

static void text_free(struct text *text)
{
	for (size_t i = 0; i < text->count; i++)
		free(text->lines[i]);
	free(text->lines);
}

/* The lines that are not NULL, as one text; NULL when memory ran out. */
static char *join(const struct text *text)
{
	char *out = NULL;
	size_t size;
	FILE *memory = open_memstream(&out, &size);

	if (!memory)
		return NULL;
	for (size_t i = 0; i < text->count; i++)
		fprintf(memory, "%s\n", text->lines[i]);
	if (fclose(memory)) {
		free(out);
		return NULL;
	}
	return out;
}

/* Makes the line a comment, with `why` behind it, or as it is when `why` is NULL. */
static int comment_out(struct text *text, size_t at, const char *why)
{
	char *line = text->lines[at], *commented;
	int len = why ? asprintf(&commented, "#%s   # refused: %s", line, why)
		      : asprintf(&commented, "#%s", line);

	if (len < 0)
		return -ENOMEM;
	free(line);
	text->lines[at] = commented;
	return 0;
}

/* Without these lines there is no tunnel. */
static bool carries_the_section(const char *line)
{
	return line[0] == '[' || strncmp(line, "local ", 6) == 0 ||
	       strncmp(line, "remote ", 7) == 0 || strncmp(line, "mode ", 5) == 0;
}

static int refuse_section(struct text *text, size_t at, const char *why)
{
	size_t begin = at;
	int err;

	while (begin > 0 && text->lines[begin][0] != '[')
		begin--;
	err = comment_out(text, begin, why);
	for (size_t i = begin + 1; !err && i < text->count && text->lines[i][0] != '['; i++)
		if (text->lines[i][0] && text->lines[i][0] != '#')
			err = comment_out(text, i, NULL);
	return err;
}

/* Makes comments of what `said`, lines of NAME:LINE: TEXT, refuses. Returns how many or -ENOMEM. */
static int refuse(struct text *text, char *said)
{
	char *save = NULL;
	int done = 0;

	for (char *line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t at = 0;
		int skip = 0, err;

		if (sscanf(line, NAME ":%zu: %n", &at, &skip) < 1 || !skip || at < 1 ||
		    at > text->count)
			continue;
		at--;
		/* one before may have taken it with its section */
		if (text->lines[at][0] == '#')
			continue;
		err = carries_the_section(text->lines[at]) ? refuse_section(text, at, line + skip)
							   : comment_out(text, at, line + skip);
		if (err)
			return err;
		done++;
	}
	return done;
}

/* One look: how many lines were refused, 0 when the text is good, or -ENOMEM. */
static int round_of(struct text *text)
{
	char *whole = join(text), *said = NULL;
	size_t size;
	FILE *errors = open_memstream(&said, &size);
	struct conf *conf = NULL;
	int result = -ENOMEM;

	if (whole && errors) {
		bool good = conf_load_text(NAME, whole, errors, &conf) == 0;

		fclose(errors);
		errors = NULL;
		result = good ? 0 : refuse(text, said);
		/* a fault without a line: nothing that can be taken out */
		if (!good && result == 0)
			result = -ENOMEM;
		if (good)
			conf_free(conf);
	}
	if (errors)
		fclose(errors);
	free(said);
	free(whole);
	return result;
}

int import_valid(const char *from, char **out)
{
	struct text text;
	int refused = 0, result = cut(from, &text);

	for (int i = 0; result >= 0 && i < ROUNDS_MAX; i++) {
		result = round_of(&text);
		if (result <= 0)
			break;
		refused += result;
	}
	*out = result < 0 ? NULL : join(&text);
	text_free(&text);
	return *out ? refused : -ENOMEM;
}
