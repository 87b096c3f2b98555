/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libinih takes assignments apart. What it does not know of these files is done before it sees a
 * line: sections that come twice, a backslash at the end, comments at the start only. So it is
 * handed one assignment at a time, and the reader knows line and section.
 */
#include "ctl/import/unit_file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The longest assignment; libinih cuts what is longer than its buffer of 200. */
#define ASSIGNMENT_MAX 190

#define SPACE " \t\r"

struct source {
	struct unit_file *file;
	const char *at;
	int line;	  /* of the last line that was read */
	int begun;	  /* where the assignment begins that libinih has now */
	unsigned ordinal; /* 0: before the first section */
	char section[64];
};

void unit_file_fault(struct unit_file *file, int line, const char *format, ...)
{
	va_list args;

	file->faults++;
	if (line)
		fprintf(file->errors, "%s:%d: ", file->name, line);
	else
		fprintf(file->errors, "%s: ", file->name);
	va_start(args, format);
	vfprintf(file->errors, format, args);
	va_end(args);
	fputc('\n', file->errors);
}

/* Texts in messages come from a file that may be anything. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

static void read_section(struct source *source, char *text)
{
	char *close = strchr(text, ']');

	make_printable(text);
	source->ordinal++;
	source->section[0] = 0;
	if (!close || close[1])
		unit_file_fault(source->file, source->line,
				"the section name \"%.60s\" does not end with ]: write [Section]",
				text);
	else
		snprintf(source->section, sizeof source->section, "%.*s", (int)(close - text - 1),
			 text + 1);
}

static void out_of_memory(struct unit_file *file)
{
	unit_file_fault(file, 0, "out of memory: free some");
}

/* The next line without the space around it, the caller's to free; NULL at the end. */
static char *next_line(struct source *source)
{
	size_t len = strcspn(source->at, "\n");
	const char *start = source->at;
	char *line;

	if (!*start)
		return NULL;
	source->at += len + (start[len] == '\n');
	source->line++;
	while (len && strchr(SPACE, *start)) {
		start++;
		len--;
	}
	while (len && strchr(SPACE, start[len - 1]))
		len--;
	line = strndup(start, len);
	if (!line)
		out_of_memory(source->file);
	return line;
}

static bool is_comment(const char *line)
{
	return line[0] == '#' || line[0] == ';';
}

/* Takes a backslash off the end of a line that may go on in the next. */
static bool goes_on(char *line)
{
	size_t len = strlen(line);

	if (!len || line[len - 1] != '\\' || is_comment(line))
		return false;
	line[len - 1] = 0;
	return true;
}

/* Frees both; NULL when memory ran out. */
static char *joined(struct source *source, char *line, char *more)
{
	char *whole;

	if (asprintf(&whole, "%s %s", line, more) < 0) {
		whole = NULL;
		out_of_memory(source->file);
	}
	free(line);
	free(more);
	return whole;
}

/* The next line that is no comment. */
static char *line_behind(struct source *source)
{
	char *line = next_line(source);

	while (line && is_comment(line)) {
		free(line);
		line = next_line(source);
	}
	return line;
}

/* A line with what follows it behind backslashes. Comments in between are passed over. */
static char *whole_line(struct source *source)
{
	char *line = next_line(source), *more;

	source->begun = source->line;
	while (line && goes_on(line)) {
		more = line_behind(source);
		if (!more)
			break;
		line = joined(source, line, more);
	}
	return line;
}

/* Sections of which a long line may not be passed over. */
static bool is_read(const char *section)
{
	static const char *const names[] = {"NetDev", "Tunnel", "Match", "Address", "Route"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(section, names[i]) == 0)
			return true;
	return false;
}

/* True when libinih may have the line. */
static bool is_assignment(struct source *source, char *line)
{
	size_t key = strcspn(line, "=");

	make_printable(line);
	if (!line[key])
		unit_file_fault(source->file, source->begun, "\"%.60s\" has no =: write KEY=VALUE",
				line);
	else if (key == 0)
		unit_file_fault(source->file, source->begun,
				"there is no key before the =: write KEY=VALUE");
	else if (strcspn(line, ":") < key)
		unit_file_fault(source->file, source->begun,
				"the key \"%.*s\" has a colon: write KEY=VALUE",
				(int)(key < 60 ? key : 60), line);
	else if (source->ordinal == 0)
		unit_file_fault(source->file, source->begun,
				"\"%.60s\" stands before the first section: write [NetDev] or "
				"[Match] above it",
				line);
	else if (strlen(line) > ASSIGNMENT_MAX && !is_read(source->section))
		return false;
	else if (strlen(line) > ASSIGNMENT_MAX)
		unit_file_fault(source->file, source->begun,
				"the assignment has more than %d characters: write it as several",
				ASSIGNMENT_MAX);
	else
		return source->section[0] != 0;
	return false;
}

/* ini_reader: the next assignment, or an empty line for what is none. */
static char *take_line(char *buf, int size, void *arg)
{
	struct source *source = arg;
	char *line = whole_line(source);

	if (!line)
		return NULL;
	if (line[0] == '[')
		read_section(source, line);
	if (line[0] == '[' || !line[0] || is_comment(line) || !is_assignment(source, line))
		line[0] = 0;
	snprintf(buf, (size_t)size, "%s\n", line);
	free(line);
	return buf;
}

/* ini_handler */
static int take_value(void *arg, const char *section, const char *key, const char *value)
{
	struct source *source = arg;
	struct unit_file *file = source->file;
	struct unit_entry entry = {source->ordinal, source->begun, strdup(source->section),
				   strdup(key), strdup(value)};
	struct unit_entry *grown =
		reallocarray(file->entries, file->count + 1, sizeof *file->entries);

	(void)section;
	if (grown)
		file->entries = grown;
	if (grown && entry.section && entry.key && entry.value) {
		grown[file->count++] = entry;
		return 1;
	}
	free(entry.section);
	free(entry.key);
	free(entry.value);
	out_of_memory(file);
	return 1;
}

int unit_file_read(const char *name, const char *text, FILE *errors, struct unit_file *out)
{
	struct source source = {.file = out, .at = text};

	*out = (struct unit_file){.name = name, .errors = errors};
	/* is_assignment() lets nothing through that libinih would refuse */
	if (ini_parse_stream(take_line, &source, take_value, &source) != 0 && !out->faults)
		unit_file_fault(out, 0, "the file is not understood: write KEY=VALUE lines");
	return out->faults;
}

void unit_file_free(struct unit_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		free(file->entries[i].section);
		free(file->entries[i].key);
		free(file->entries[i].value);
	}
	free(file->entries);
	file->entries = NULL;
	file->count = 0;
}

const struct unit_entry *unit_file_find(const struct unit_file *file, const char *section,
					const char *key)
{
	for (size_t i = file->count; i > 0; i--)
		if (strcmp(file->entries[i - 1].section, section) == 0 &&
		    strcmp(file->entries[i - 1].key, key) == 0)
			return &file->entries[i - 1];
	return NULL;
}
