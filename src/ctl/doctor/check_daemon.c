/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody carries packets. */
#include <errno.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

void check_daemon(struct doctor *d)
{
	const struct doctor_host *host = d->host;

	if (host->status) {
		doctor_saw(d, "greteld answers: pid %lld, up for %lld s",
			   (long long)doctor_number(host->status, "pid", 0),
			   (long long)doctor_number(host->status, "uptime_ms", 0) / 1000);
		return;
	}
	if (host->daemon_error == -ENOENT) {
		doctor_found(d, DOCTOR_BROKEN, "greteld is not running, so nobody carries packets");
		if (host->config)
			doctor_mend(d, "gretel -c %s up", host->config);
		else
			doctor_mend(d, "gretel up");
	} else if (host->daemon_error == -EACCES) {
		doctor_found(d, DOCTOR_HEALTHY, "greteld answers root only, so it was not asked");
		doctor_mend(d, "run gretel doctor as root");
	} else if (host->daemon_error) {
		doctor_found(d, DOCTOR_BROKEN, "greteld does not answer on %s: %s", host->run_dir,
			     strerror(-host->daemon_error));
		doctor_mend(d, "look at its log (journalctl -u gretel), and start it again");
	} else {
		doctor_found(d, DOCTOR_BROKEN, "%s", host->daemon_said);
	}
}

/* Waiting and failed are told with the reason; the causes are other checks' to name. */
void check_state(struct doctor *d)
{
	const char *state = doctor_text(d->status, "state"), *reason;

	if (state[0] == '\0')
		return;
	reason = doctor_text(d->status, "reason");
	doctor_saw(d, "%s%s%s", state, reason[0] ? ": " : "", reason);
	if (strcmp(state, "waiting") == 0 || strcmp(state, "failed") == 0)
		doctor_found(d, DOCTOR_BROKEN, "the tunnel is %s: %s", state, reason);
}
