/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/run.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/doctor/gather.h"
#include "ctl/doctor/report.h"
#include "ctl/msg.h"

static const int exits[] = {[DOCTOR_HEALTHY] = EXIT_OK,
			    [DOCTOR_DEGRADED] = EXIT_DEGRADED,
			    [DOCTOR_BROKEN] = EXIT_BROKEN};

/* Neither a daemon nor a file says what there should be. */
static int tell_nothing(const struct doctor_host *host, bool json, const struct report *report)
{
	const char *faults = host->file_faults ? host->file_faults : "out of memory\n";

	if (json) {
		json_t *object = json_pack("{s:i, s:s, s:s, s:[]}", "exit", EXIT_BROKEN, "verdict",
					   "broken", "cause", faults, "tunnels");
		json_dumpf(object, report->lines, JSON_INDENT(2));
		fputc('\n', report->lines);
		json_decref(object);
	} else {
		fprintf(report->lines, "broken: %s", faults);
	}
	return EXIT_BROKEN;
}

static int no_such_tunnel(const char *name, bool json, const struct report *report)
{
	if (json)
		fprintf(report->lines, "{\"exit\": %d, \"error\": \"there is no such tunnel\"}\n",
			EXIT_FAILED);
	else
		fprintf(report->errors,
			"there is no tunnel %s: \"gretel config\" lists what there is\n", name);
	return EXIT_FAILED;
}

/* The worst first, else in the file's order. */
static void tell(const struct doctor *all, size_t count, const struct report *report)
{
	bool first = true;

	for (int verdict = DOCTOR_BROKEN; verdict >= DOCTOR_HEALTHY; verdict--)
		for (size_t i = 0; i < count; i++) {
			if ((int)doctor_verdict(&all[i]) != verdict)
				continue;
			if (!first)
				fputc('\n', report->lines);
			report_text(&all[i], report->lines);
			first = false;
		}
	if (count == 0)
		fputs("healthy: there is no tunnel to one peer\n", report->lines);
}

static void tell_json(const struct doctor *all, size_t count, enum doctor_verdict worst,
		      const struct report *report)
{
	json_t *tunnels = json_array(), *object;

	for (int verdict = DOCTOR_BROKEN; verdict >= DOCTOR_HEALTHY; verdict--)
		for (size_t i = 0; i < count; i++)
			if ((int)doctor_verdict(&all[i]) == verdict)
				json_array_append_new(tunnels, report_json(&all[i]));
	object = json_pack("{s:i, s:s, s:o}", "exit", exits[worst], "verdict",
			   doctor_verdict_name(worst), "tunnels", tunnels);
	json_dumpf(object, report->lines, JSON_INDENT(2));
	fputc('\n', report->lines);
	json_decref(object);
}

/* The checks know one peer for each interface. */
static bool is_examined(const struct conf_tunnel *tunnel)
{
	return !tunnel->peer_count && !tunnel->hub;
}

static void tell_left_out(const struct conf *conf, const struct report *report)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].peer_count)
			fprintf(report->errors,
				"%s has several peers and is not examined: \"gretel status %s\" "
				"tells of each\n",
				conf->tunnels[i].name, conf->tunnels[i].name);
}

static int examine(struct doctor_host *host, const char *name, bool json, bool verbose,
		   const struct report *report)
{
	struct doctor *all = calloc(host->conf->tunnel_count + 1, sizeof *all);
	enum doctor_verdict worst = DOCTOR_HEALTHY;
	size_t count = 0;

	for (size_t i = 0; all && i < host->conf->tunnel_count; i++) {
		if ((name && strcmp(name, host->conf->tunnels[i].name) != 0) ||
		    !is_examined(&host->conf->tunnels[i]))
			continue;
		if (doctor_examine(host, i, verbose, &all[count]) != 0)
			break;
		if (doctor_verdict(&all[count]) > worst)
			worst = doctor_verdict(&all[count]);
		count++;
	}
	if (json)
		tell_json(all, count, worst, report);
	else
		tell(all, count, report);
	for (size_t i = 0; i < count; i++)
		doctor_free(&all[i]);
	free(all);
	return exits[worst];
}

int doctor_run(const char *config, const char *added, const char *run_dir, const char *tunnel,
	       const char *far, bool json, bool verbose, const struct report *report)
{
	struct ip_addr address = {.family = IP_NONE};
	struct doctor_host host;
	int e;

	if (far && !addr_parse(far, &address)) {
		fprintf(report->errors,
			"--host \"%.64s\" is not an address: write one as 20.10.1.10\n", far);
		return EXIT_USAGE;
	}
	gather(config, added, run_dir, &host);
	host.far = address;
	if (!host.conf)
		e = tell_nothing(&host, json, report);
	else if (tunnel && !conf_find_tunnel(host.conf, tunnel))
		e = no_such_tunnel(tunnel, json, report);
	else if (tunnel && !is_examined(conf_find_tunnel(host.conf, tunnel)))
		e = EXIT_USAGE;
	else
		e = examine(&host, tunnel, json, verbose, report);
	if (host.conf)
		tell_left_out(host.conf, report);
	gather_free(&host);
	return e;
}
