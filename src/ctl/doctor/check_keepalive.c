/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer's silence, as the daemon has found it. */
#include <string.h>

#include "ctl/doctor/probes.h"

static void say_hold(struct doctor *d, const struct probes_reach *r)
{
	char place[DOCTOR_PLACE_SIZE];

	doctor_found(d, DOCTOR_BROKEN, "the peer %s is back, and its tunnel waits: %s", d->remote,
		     doctor_text(r->after, "reason"));
	doctor_mend(d, "wait, or write keepalive-hold = no at %s",
		    doctor_place(d, TUNNEL_KEEPALIVE_HOLD, place));
}

void check_keepalive(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	const json_t *keepalive = json_object_get(r->after, "keepalive");
	const char *state = doctor_text(keepalive, "state");
	bool down = strcmp(state, "down") == 0;
	char place[DOCTOR_PLACE_SIZE];

	if (!keepalive || strcmp(state, "off") == 0)
		return;
	doctor_saw(d, "%lld sent, %lld answered, %lld open%s",
		   (long long)doctor_number(keepalive, "sent", 0),
		   (long long)doctor_number(keepalive, "received", 0),
		   (long long)doctor_number(keepalive, "unanswered", 0),
		   down ? ": the peer counts as gone" : "");
	if (strcmp(state, "hold") == 0)
		say_hold(d, r);
	if (!down)
		return;
	doctor_place(d, TUNNEL_KEEPALIVE, place);
	if (r->gre_answers || r->inner_answers || r->gre_arrived) {
		doctor_found(
			d, DOCTOR_BROKEN,
			"the peer %s carries packets, but does not send keepalives of this form "
			"back",
			d->remote);
		doctor_mend(d, "another form, probe = icmp ADDRESS, or no keepalive, at %s", place);
	} else {
		doctor_found(d, DOCTOR_BROKEN, "the peer %s does not answer: %s", d->remote,
			     doctor_text(r->after, "reason"));
		doctor_mend(d, "run gretel doctor there");
	}
}
