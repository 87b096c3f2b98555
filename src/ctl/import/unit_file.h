/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit_file.h: files of systemd (sections that may be repeated, keys that may be repeated, lines
 * that go on behind a backslash) as a list of assignments in their order. */
#ifndef CTL_IMPORT_UNIT_FILE_H
#define CTL_IMPORT_UNIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct unit_entry {
	unsigned ordinal;	     /* of the section in the file: two [Route] have two */
	int line;		     /* 1-based */
	char *section, *key, *value; /* value "": an assignment that empties a list */
};

struct unit_file {
	const char *name; /* the caller's */
	struct unit_entry *entries;
	size_t count;
	int faults; /* told on `errors` as NAME:LINE: what is wrong: what to write instead */
	FILE *errors;
};

/* Returns how many faults were told; *out is to be freed in any case. */
int unit_file_read(const char *name, const char *text, FILE *errors, struct unit_file *out);
void unit_file_free(struct unit_file *file);

/* One more fault, at `line` (0: of the file as a whole). */
void unit_file_fault(struct unit_file *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The last assignment of a key in any section of the name, or NULL. */
const struct unit_entry *unit_file_find(const struct unit_file *file, const char *section,
					const char *key);

#endif
