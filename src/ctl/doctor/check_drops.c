/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is dropped while the doctor looks, and has no check of its own. */
#include <string.h>

#include "ctl/doctor/probes.h"

/* The doctor's own probes, and what answers them. */
static bool is_own(const char *reason)
{
	return strcmp(reason, "rx-probe") == 0 || strcmp(reason, "rx-keepalive-unasked") == 0;
}

static const char *explain(const char *reason)
{
	for (int i = DROP_NONE + 1; i < DROP_REASON_COUNT; i++)
		if (strcmp(reason, drop_name((enum drop_reason)i)) == 0)
			return drop_text((enum drop_reason)i);
	return reason;
}

void check_drops(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	const json_t *before = json_object_get(d->status, "drops");
	const json_t *after = json_object_get(r->after, "drops");
	const char *reason;
	json_t *n;

	json_object_foreach ((json_t *)(uintptr_t)after, reason, n) {
		json_int_t rose = json_integer_value(n) - doctor_number(before, reason, 0);

		if (json_integer_value(n))
			doctor_saw(d, "%s: %lld since greteld started", reason,
				   (long long)json_integer_value(n));
		if (rose <= 0 || is_own(reason))
			continue;
		doctor_found(d, DOCTOR_DEGRADED,
			     "packets are being dropped, %lld just now: %s (%s)", (long long)rose,
			     explain(reason), reason);
		doctor_mend(d, "see \"Every drop reason\" in docs/troubleshooting.md");
	}
}
