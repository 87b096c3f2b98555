/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_fault.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>

static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

void conf_fault(struct conf_faults *faults, struct conf_place at, const char *format, ...)
{
	struct conf_fault *list =
		reallocarray(faults->list, faults->count + 1, sizeof *faults->list);
	struct conf_fault fault = {.at = at};
	va_list args;

	if (!list) {
		faults->lost = true;
		return;
	}
	faults->list = list;
	va_start(args, format);
	if (vasprintf(&fault.text, format, args) < 0)
		fault.text = NULL;
	va_end(args);
	if (fault.text)
		make_printable(fault.text);
	list[faults->count++] = fault;
}

static size_t file_index(const struct conf *conf, const char *file)
{
	size_t i = 0;

	while (i < conf->file_count && conf->files[i] != file)
		i++;
	return i;
}

/* True when `a` is to be told before `b`. */
static bool before(const struct conf *conf, const struct conf_fault *a, const struct conf_fault *b)
{
	size_t fa = file_index(conf, a->at.file), fb = file_index(conf, b->at.file);

	return fa != fb ? fa < fb : a->at.line < b->at.line;
}

/* Insertion sort: stable, and nearly in order already. */
static void sort_faults(struct conf_faults *faults, const struct conf *conf)
{
	for (size_t i = 1; i < faults->count; i++) {
		struct conf_fault moved = faults->list[i];
		size_t j = i;

		for (; j > 0 && before(conf, &moved, &faults->list[j - 1]); j--)
			faults->list[j] = faults->list[j - 1];
		faults->list[j] = moved;
	}
}

int conf_faults_print(struct conf_faults *faults, const struct conf *conf, FILE *out)
{
	sort_faults(faults, conf);
	for (size_t i = 0; i < faults->count; i++) {
		const struct conf_fault *fault = &faults->list[i];
		const char *text = fault->text ? fault->text : "out of memory: free some";

		if (fault->at.line)
			fprintf(out, "%s:%d: %s\n", fault->at.file, fault->at.line, text);
		else
			fprintf(out, "%s: %s\n", fault->at.file, text);
	}
	if (faults->lost)
		fprintf(out, "out of memory: there are more faults than are shown\n");
	if (faults->count > INT_MAX - 1)
		return INT_MAX;
	return (int)faults->count + (faults->lost ? 1 : 0);
}

void conf_faults_free(struct conf_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		free(faults->list[i].text);
	free(faults->list);
	*faults = (struct conf_faults){0};
}
