/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c: makes the checks of one tunnel and keeps what they say. */
#include "ctl/doctor/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/doctor/ask.h"
#include "ctl/doctor/inside.h"
#include "ctl/doctor/probes.h"

/* All probes of one tunnel together. */
#define TIME_MS 15000

#define ROW(id, name, layer, flags, finds) {name, LAYER_##layer, flags, check_##id, finds},
const struct doctor_check doctor_checks[] = {DOCTOR_CHECKS(ROW)};
#undef ROW
const size_t doctor_check_count = sizeof doctor_checks / sizeof doctor_checks[0];

static const char *const layers[] = {
#define NAME(id, name) [LAYER_##id] = name,
	DOCTOR_LAYERS(NAME)
#undef NAME
};

static const char *const verdicts[] = {
	[DOCTOR_HEALTHY] = "healthy", [DOCTOR_DEGRADED] = "degraded", [DOCTOR_BROKEN] = "broken"};

const char *doctor_layer_name(enum doctor_layer layer)
{
	return layers[layer];
}

const char *doctor_verdict_name(enum doctor_verdict verdict)
{
	return verdicts[verdict];
}

unsigned doctor_time_left(const struct doctor *d, unsigned wish)
{
	uint64_t now = clock_now_ns();
	uint64_t left = now < d->deadline_ns ? (d->deadline_ns - now) / 1000000u : 0;

	return left < wish ? (unsigned)left : wish;
}

/* NULL without memory: the sentence is lost, the verdict is not. */
static char *print(const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void doctor_found(struct doctor *d, enum doctor_verdict verdict, const char *format, ...)
{
	struct finding *grown = realloc(d->findings, (d->finding_count + 1) * sizeof *d->findings);
	va_list args;

	if (!grown)
		return;
	d->findings = grown;
	va_start(args, format);
	d->findings[d->finding_count++] =
		(struct finding){.check = d->now, .verdict = verdict, .cause = print(format, args)};
	va_end(args);
}

void doctor_mend(struct doctor *d, const char *format, ...)
{
	struct finding *last = &d->findings[d->finding_count - 1];
	va_list args;

	if (d->finding_count == 0)
		return;
	free(last->mend);
	va_start(args, format);
	last->mend = print(format, args);
	va_end(args);
}

void doctor_saw(struct doctor *d, const char *format, ...)
{
	char **seen = &d->results[d->now - doctor_checks].seen;
	va_list args;
	char *line, *whole = NULL;

	va_start(args, format);
	line = print(format, args);
	va_end(args);
	if (!line)
		return;
	if (*seen && asprintf(&whole, "%s\n%s", *seen, line) >= 0) {
		free(*seen);
		free(line);
		line = whole;
	}
	*seen = line;
}

void doctor_progress(const struct doctor *d, const char *format, ...)
{
	va_list args;

	if (!d->verbose)
		return;
	fprintf(stderr, "%s: ", d->tunnel->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

enum doctor_verdict doctor_verdict(const struct doctor *d)
{
	enum doctor_verdict worst = DOCTOR_HEALTHY;

	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].verdict > worst)
			worst = d->findings[i].verdict;
	return worst;
}

bool doctor_has(const struct doctor *d, const char *check)
{
	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].verdict > DOCTOR_HEALTHY &&
		    strcmp(d->findings[i].check->name, check) == 0)
			return true;
	return false;
}

const char *doctor_place(const struct doctor *d, enum conf_tunnel_key key,
			 char buf[DOCTOR_PLACE_SIZE])
{
	const struct conf_tunnel *written = d->tunnel;

	/* The daemon's own words have no lines; the file's have, where it has the tunnel too. */
	if (d->host->file && conf_find_tunnel(d->host->file, d->tunnel->name))
		written = conf_find_tunnel(d->host->file, d->tunnel->name);
	snprintf(buf, DOCTOR_PLACE_SIZE, "%s:%d", written->at.file,
		 key < TUNNEL_KEY_COUNT && written->lines[key] ? written->lines[key]
							       : written->at.line);
	return buf;
}

json_t *doctor_status_now(const struct doctor *d, bool whole)
{
	json_t *status = ask_status(d->host->run_dir), *one = NULL;
	size_t i;
	json_t *tunnel;

	if (whole || !status)
		return status;
	json_array_foreach (json_object_get(status, "tunnels"), i, tunnel)
		if (strcmp(doctor_text(tunnel, "name"), d->tunnel->name) == 0)
			one = json_incref(tunnel);
	json_decref(status);
	return one;
}

int64_t doctor_number(const json_t *object, const char *path, int64_t none)
{
	const char *dot = strchr(path, '.');
	char name[64];

	if (!dot) {
		const json_t *number = json_object_get(object, path);
		return json_is_integer(number) ? json_integer_value(number) : none;
	}
	snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
	return doctor_number(json_object_get(object, name), dot + 1, none);
}

const char *doctor_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Where two say the same of the order, the place in the table decides. */
static int rank(const struct finding *finding)
{
	return -2 * (int)finding->verdict + ((finding->check->flags & CHECK_SYMPTOM) != 0);
}

static bool is_before(const struct finding *a, const struct finding *b)
{
	return rank(a) != rank(b) ? rank(a) < rank(b) : a->check < b->check;
}

/* By insertion, so that findings of one check stay in their order. */
void doctor_sort(struct finding *findings, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct finding moved = findings[i];
		size_t at = i;

		for (; at > 0 && is_before(&moved, &findings[at - 1]); at--)
			findings[at] = findings[at - 1];
		findings[at] = moved;
	}
}

static enum check_outcome may_run(const struct doctor *d, const struct doctor_check *check)
{
	if (check->flags & CHECK_SOUND && doctor_verdict(d) == DOCTOR_BROKEN)
		return CHECK_NOT_SOUND;
	if (check->flags & CHECK_PROBE && !d->host->may_send)
		return CHECK_NO_RIGHTS;
	if (check->flags & CHECK_PROBE && doctor_time_left(d, 1) == 0)
		return CHECK_NO_TIME;
	return CHECK_DONE;
}

static void set_kernel(struct doctor *d)
{
	struct doctor_host *host = d->host;

	if (host->kernel_opened)
		d->nl = &host->kernel.route;
	if (!host->pass_made)
		return;
	d->actual = &host->pass.actual;
	/* With the addresses that are in effect where the file has a name or a device. */
	d->conf = d->actual->conf;
	d->tunnel = &d->conf->tunnels[d->index];
	d->way = &d->actual->ways[d->index];
	d->site = &host->pass.site.tunnels[d->index];
	d->link = actual_link(d->actual, d->tunnel->name);
}

int doctor_examine(struct doctor_host *host, size_t index, bool verbose, struct doctor *out)
{
	size_t i;
	json_t *tunnel;

	*out = (struct doctor){.host = host,
			       .conf = host->conf,
			       .tunnel = &host->conf->tunnels[index],
			       .index = index,
			       .deadline_ns = clock_now_ns() + TIME_MS * 1000000ull,
			       .verbose = verbose};
	out->results = calloc(doctor_check_count, sizeof *out->results);
	out->probes = probes_new();
	if (!out->results || !out->probes) {
		doctor_free(out);
		return -ENOMEM;
	}
	set_kernel(out);
	addr_format(&out->tunnel->local, out->local);
	addr_format(&out->tunnel->remote, out->remote);
	json_array_foreach (json_object_get(host->status, "tunnels"), i, tunnel)
		if (strcmp(doctor_text(tunnel, "name"), out->tunnel->name) == 0)
			out->status = tunnel;
	for (i = 0; i < doctor_check_count; i++) {
		out->now = &doctor_checks[i];
		out->results[i].outcome = may_run(out, out->now);
		if (out->results[i].outcome == CHECK_DONE)
			out->now->run(out);
	}
	doctor_sort(out->findings, out->finding_count);
	return 0;
}

void doctor_free(struct doctor *d)
{
	for (size_t i = 0; i < d->finding_count; i++) {
		free(d->findings[i].cause);
		free(d->findings[i].mend);
	}
	free(d->findings);
	for (size_t i = 0; d->results && i < doctor_check_count; i++)
		free(d->results[i].seen);
	free(d->results);
	probes_free(d->probes);
	inside_free(d->inside);
}

uint32_t doctor_vrf(const struct doctor *d)
{
	const struct link_info *vrf =
		d->actual && d->tunnel->vrf[0] ? actual_link(d->actual, d->tunnel->vrf) : NULL;

	return vrf && vrf->vrf_table ? vrf->index : 0;
}

bool doctor_in_same_vrf(const struct doctor *d, const struct link_info *link)
{
	const struct link_info *master = actual_link_at(d->actual, link->master);
	uint32_t vrf = link->vrf_table ? link->index : 0;

	if (master && master->vrf_table)
		vrf = master->index;
	return vrf == doctor_vrf(d);
}
