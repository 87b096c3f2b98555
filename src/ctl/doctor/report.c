/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/report.h"

#include <string.h>

static const char *const outcomes[] = {
	[CHECK_DONE] = "done",
	[CHECK_NOT_SOUND] = "not made: what is below is broken",
	[CHECK_NO_RIGHTS] = "not made: it sends packets, which needs root (CAP_NET_RAW)",
	[CHECK_NO_TIME] = "not made: the time was over",
};

static void print_finding(const struct finding *finding, FILE *out)
{
	fprintf(out, "%s%s%s\n", finding->cause ? finding->cause : finding->check->finds,
		finding->mend ? ": " : "", finding->mend ? finding->mend : "");
}

/* The verdict of the check alone. */
static enum doctor_verdict verdict_of(const struct doctor *d, const struct doctor_check *check)
{
	enum doctor_verdict worst = DOCTOR_HEALTHY;

	for (size_t i = 0; i < d->finding_count; i++)
		if (d->findings[i].check == check && d->findings[i].verdict > worst)
			worst = d->findings[i].verdict;
	return worst;
}

static const char *mark(const struct doctor *d, size_t i)
{
	static const char *const marks[] = {[DOCTOR_HEALTHY] = "ok",
					    [DOCTOR_DEGRADED] = "degraded",
					    [DOCTOR_BROKEN] = "broken"};

	if (d->results[i].outcome != CHECK_DONE)
		return "-";
	return marks[verdict_of(d, &doctor_checks[i])];
}

/* Each line of the evidence behind the check's name. */
static void print_seen(const char *verdict, const char *name, const char *seen, FILE *out)
{
	while (*seen) {
		size_t len = strcspn(seen, "\n");

		fprintf(out, "  %-8s  %-18s  %.*s\n", verdict, name, (int)len, seen);
		seen += len + (seen[len] == '\n');
		verdict = name = "";
	}
}

/* In one line: there may be many. */
static const char *const lead[] = {
	[CHECK_NOT_SOUND] = "  not made, since what is below is broken: ",
	[CHECK_NO_RIGHTS] = "  not made, since they send packets, which needs root (CAP_NET_RAW): ",
	[CHECK_NO_TIME] = "  not made, since the time was over: ",
};

static void print_not_made(const struct doctor *d, enum check_outcome outcome, FILE *out)
{
	unsigned count = 0;

	for (size_t i = 0; i < doctor_check_count; i++)
		if (d->results[i].outcome == outcome)
			fprintf(out, "%s%s", count++ ? ", " : lead[outcome], doctor_checks[i].name);
	if (count)
		fputc('\n', out);
}

void report_text(const struct doctor *d, FILE *out)
{
	enum doctor_verdict verdict = doctor_verdict(d);

	fprintf(out, "%s: %s", d->tunnel->name, doctor_verdict_name(verdict));
	if (verdict == DOCTOR_HEALTHY) {
		fputs("\n", out);
	} else {
		fputs(": ", out);
		print_finding(&d->findings[0], out);
	}
	for (size_t i = verdict == DOCTOR_HEALTHY ? 0 : 1; i < d->finding_count; i++) {
		bool note = d->findings[i].verdict == DOCTOR_HEALTHY;

		fprintf(out, "  %s: ", note ? "note" : doctor_verdict_name(d->findings[i].verdict));
		print_finding(&d->findings[i], out);
	}
	for (size_t i = 0; i < doctor_check_count; i++)
		if (d->results[i].outcome == CHECK_DONE && d->results[i].seen)
			print_seen(mark(d, i), doctor_checks[i].name, d->results[i].seen, out);
	for (enum check_outcome outcome = CHECK_NOT_SOUND; outcome <= CHECK_NO_TIME; outcome++)
		print_not_made(d, outcome, out);
}

static json_t *finding_json(const struct finding *finding)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "check", finding->check->name, "layer",
			 doctor_layer_name(finding->check->layer), "verdict",
			 doctor_verdict_name(finding->verdict), "cause", finding->cause, "mend",
			 finding->mend);
}

static json_t *check_json(const struct doctor *d, size_t i)
{
	const struct check_result *result = &d->results[i];

	return json_pack("{s:s, s:s, s:s, s:s, s:s?}", "check", doctor_checks[i].name, "layer",
			 doctor_layer_name(doctor_checks[i].layer), "verdict",
			 doctor_verdict_name(verdict_of(d, &doctor_checks[i])), "outcome",
			 outcomes[result->outcome], "evidence", result->seen);
}

json_t *report_json(const struct doctor *d)
{
	json_t *findings = json_array(), *checks = json_array();

	for (size_t i = 0; i < d->finding_count; i++)
		json_array_append_new(findings, finding_json(&d->findings[i]));
	for (size_t i = 0; i < doctor_check_count; i++)
		json_array_append_new(checks, check_json(d, i));
	return json_pack("{s:s, s:s, s:o, s:o}", "name", d->tunnel->name, "verdict",
			 doctor_verdict_name(doctor_verdict(d)), "findings", findings, "checks",
			 checks);
}
