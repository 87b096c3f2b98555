/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gretel import. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/import/import.h"
#include "ctl/msg.h"

/* A file rather than an interface: interfaces have no slash in their name. */
static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return strchr(word, '/') || import_is_netdev(word) ||
	       (len > 8 && strcmp(word + len - 8, ".network") == 0);
}

static int tell_kernel(int err, const char *name, const char *kind, FILE *errors)
{
	if (err == -ENODEV && name)
		fprintf(errors,
			"there is no interface %s: \"ip tunnel\" and \"ip link\" list them\n",
			name);
	else if (err == -ENODEV)
		fputs("there is no GRE interface of the kernel here: name one, or a .netdev file\n",
		      errors);
	else if (err == -ENOENT)
		fprintf(errors,
			"%s is not a GRE interface of the kernel but %s%s: name one of kind gre, "
			"gretap, ip6gre or ip6gretap\n",
			name, *kind ? "of kind " : "a device", kind);
	else
		fprintf(errors, "reading the kernel's interfaces: %s\n", strerror(-err));
	return EXIT_FAILED;
}

static int from_kernel(struct import *import, const char *const *words, size_t count, FILE *errors)
{
	const char *name = count && strcmp(words[0], "all") != 0 ? words[0] : NULL;
	char kind[LINK_KIND_SIZE] = "";
	int err;

	if (count > 1) {
		fprintf(errors, "\"%.64s\" is too much: name one interface, or all\n", words[1]);
		return EXIT_USAGE;
	}
	err = import_kernel(import, name, kind);
	return err ? tell_kernel(err, name, kind, errors) : EXIT_OK;
}

static int from_files(struct import *import, const char *const *words, size_t count, FILE *errors)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= import_is_netdev(words[i]);
	if (!any) {
		fputs("there is no .netdev file among the words: name the one of the tunnel\n",
		      errors);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < count; i++) {
		if (is_file(words[i]))
			continue;
		fprintf(errors, "\"%.64s\" is no file: name .netdev and .network files\n",
			words[i]);
		return EXIT_USAGE;
	}
	return import_networkd(import, words, count, errors) ? EXIT_CONFIG : EXIT_OK;
}

/* The text of the import, refused lines made comments; NULL when memory ran out. */
static char *make_text(const struct import *import, FILE *errors)
{
	char *text = NULL, *valid = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	int refused;

	if (!memory)
		return NULL;
	import_print(import, memory);
	fclose(memory);
	refused = import_valid(text, &valid);
	if (refused > 0)
		fprintf(errors,
			"%d line%s of the import %s refused and stand%s there as %s: see "
			"\"refused\"\n",
			refused, refused == 1 ? "" : "s", refused == 1 ? "is" : "are",
			refused == 1 ? "s" : "", refused == 1 ? "a comment" : "comments");
	free(text);
	return valid;
}

int import_run(const char *const *words, size_t count, const struct report *report)
{
	struct import import = {0};
	char *text;
	int code;

	if (count && is_file(words[0]))
		code = from_files(&import, words, count, report->errors);
	else
		code = from_kernel(&import, words, count, report->errors);
	if (code == EXIT_OK) {
		text = make_text(&import, report->errors);
		if (text) {
			fputs(text, report->lines);
		} else {
			fputs("out of memory: free some\n", report->errors);
			code = EXIT_FAILED;
		}
		free(text);
	}
	import_free(&import);
	return code;
}
