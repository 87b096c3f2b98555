/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether somebody undoes what greteld sets up, and who. */
#include <string.h>

#include "ctl/doctor/doctor.h"

#define RECENT_MS 60000

/* "nft table inet gretel, by nft (pid 4711)" */
static void say_removed(const json_t *repairs, char *buf, size_t size)
{
	const json_t *removed = json_object_get(repairs, "removed");
	const json_t *last = json_array_get(removed, json_array_size(removed) - 1);
	const char *by = doctor_text(last, "by");

	buf[0] = '\0';
	if (last)
		snprintf(buf, size, ": %s was removed by %s (pid %d)", doctor_text(last, "what"),
			 by[0] ? by : "a process that has ended",
			 (int)doctor_number(last, "pid", 0));
}

void check_undone(struct doctor *d)
{
	const json_t *repairs = json_object_get(d->host->status, "repairs");
	int64_t steps = doctor_number(repairs, "steps", 0);
	int64_t age = doctor_number(repairs, "last_ms", -1);
	char removed[256];

	if (steps == 0)
		return;
	say_removed(repairs, removed, sizeof removed);
	doctor_saw(d, "%lld changes repaired, the last %lld ms ago%s", (long long)steps,
		   (long long)age, removed);
	if (json_is_true(json_object_get(repairs, "fight"))) {
		doctor_found(d, DOCTOR_DEGRADED,
			     "something undoes again and again what greteld sets up%s", removed);
		doctor_mend(d, "find what runs that, and let it leave gretel's things alone");
	} else if (age >= 0 && age < RECENT_MS && removed[0]) {
		doctor_found(d, DOCTOR_HEALTHY, "greteld repaired what somebody undid%s", removed);
	}
}
