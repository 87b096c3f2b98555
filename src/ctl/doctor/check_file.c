/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files say, and what runs. */
#include <stdlib.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

/* Without a daemon a faulty file is all that there is to tell (run.c). */
void check_file(struct doctor *d)
{
	const char *faults = d->host->file_faults ? d->host->file_faults : "";

	if (d->host->file) {
		doctor_saw(d, "%s is correct", d->host->config ? d->host->config : d->host->added);
		return;
	}
	doctor_found(d, DOCTOR_DEGRADED,
		     "the file has a fault, so greteld goes on with what it read before: %.*s",
		     (int)strcspn(faults, "\n"), faults);
	doctor_mend(d, "mend that line, then: gretel reload");
	doctor_saw(d, "%s", faults);
}

/* The tunnel's section as it would be printed, or NULL; the caller's to free. */
static char *print_tunnel(const struct conf *conf, const char *name)
{
	const struct conf_tunnel *tunnel = conf_find_tunnel(conf, name);
	char *text = NULL;
	size_t size;
	FILE *stream = tunnel ? open_memstream(&text, &size) : NULL;

	if (!stream)
		return NULL;
	conf_print_tunnel(tunnel, stream);
	fclose(stream);
	return text;
}

/* The whole of it without the tunnels: what is forwarded, the daemon's own settings. */
static char *print_rest(const struct conf *conf)
{
	struct conf rest = *conf;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	rest.tunnel_count = 0;
	conf_print(&rest, stream);
	fclose(stream);
	return text;
}

/* The first line of `a` that is not the same in `b`. */
static void find_difference(const char *a, const char *b, const char **line, int *len)
{
	while (*a && *a == *b) {
		const char *end = a + strcspn(a, "\n");
		size_t n = (size_t)(end - a) + (*end == '\n');

		if (strncmp(a, b, n) != 0)
			break;
		a += n;
		b += n;
	}
	*line = a + strspn(a, " \t");
	*len = (int)strcspn(*line, "\n");
}

static bool compare(struct doctor *d, char *file, char *running, const char *what)
{
	const char *wanted, *runs;
	int wanted_len, runs_len;
	bool differs = file && running && strcmp(file, running) != 0;

	if (differs) {
		find_difference(file, running, &wanted, &wanted_len);
		find_difference(running, file, &runs, &runs_len);
		doctor_found(d, DOCTOR_DEGRADED,
			     "the file was changed and not loaded: it has \"%.*s\" for %s, and "
			     "\"%.*s\" runs",
			     wanted_len, wanted, what, runs_len, runs);
		doctor_mend(d, "gretel reload");
	}
	free(file);
	free(running);
	return differs;
}

void check_file_differs(struct doctor *d)
{
	const struct doctor_host *host = d->host;
	const char *name = d->tunnel->name;

	if (!host->file || !host->running)
		return;
	if (!conf_find_tunnel(host->file, name)) {
		doctor_found(d, DOCTOR_DEGRADED, "%s runs, and is in no file any more", name);
		doctor_mend(d, "gretel reload");
		return;
	}
	if (compare(d, print_tunnel(host->file, name), print_tunnel(host->running, name), name))
		return;
	compare(d, print_rest(host->file), print_rest(host->running), "the rest");
}
