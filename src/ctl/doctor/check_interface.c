/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel's interface, and whatever else the file wants of the kernel. */
#include <net/if.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

void check_foreign_interface(struct doctor *d)
{
	if (!d->actual || !d->link || actual_is_ours(d->actual, d->link))
		return;
	doctor_found(d, DOCTOR_BROKEN, "the interface %s is somebody else's (%s)", d->link->name,
		     d->link->kind[0] ? d->link->kind : "a device");
	doctor_mend(d, "give the tunnel another name, or, if nobody needs it: ip link delete %s",
		    d->link->name);
}

/* Greteld turns the carrier off while the peer does not answer; that is told elsewhere. */
void check_interface(struct doctor *d)
{
	const char *state = doctor_text(d->status, "state");
	const struct link_info *master =
		d->actual && d->link ? actual_link_at(d->actual, d->link->master) : NULL;

	if (!d->actual || strcmp(state, "waiting") == 0 || strcmp(state, "failed") == 0)
		return;
	if (!d->link) {
		doctor_found(d, DOCTOR_BROKEN, "there is no interface %s", d->tunnel->name);
		doctor_mend(d, "gretel reload");
		return;
	}
	doctor_saw(d, "%s is %s, MTU %u%s%s", d->link->name,
		   d->link->flags & IFF_UP
			   ? d->link->flags & IFF_RUNNING ? "up" : "up, without carrier"
			   : "down",
		   d->link->mtu, master ? ", a part of " : "", master ? master->name : "");
	if (!(d->link->flags & IFF_UP)) {
		doctor_found(d, DOCTOR_BROKEN, "somebody has set the interface %s down",
			     d->link->name);
		doctor_mend(d, "ip link set %s up", d->link->name);
	}
}

/* What is there and need not be is in nobody's way; sizes follow the path in a moment. */
static bool is_missing(const struct doctor *d, const struct step *step)
{
	switch (step->kind) {
	case STEP_ROUTE_DEL:
	case STEP_ADDRESS_DEL:
	case STEP_TUNNEL_DEL:
	case STEP_TUNNEL_CHANGE:
	case STEP_MTU:
	case STEP_FORWARD_RESTORE:
	case STEP_RULES_DEL:
		return false;
	default:
		break;
	}
	return step->object[0] == '\0' || strcmp(step->object, d->tunnel->name) == 0;
}

/* A refusal is about every tunnel that it names. It begins with a place, which nobody can look at
 * where the text is the daemon's. */
static const char *concerning(const struct doctor *d, const char *text)
{
	const char *said = strstr(text, ": ");

	if (!strstr(text, d->tunnel->name))
		return NULL;
	return strncmp(text, "greteld:", 8) == 0 && said ? said + 2 : text;
}

void check_not_in_place(struct doctor *d)
{
	const struct plan *plan = &d->host->pass.plan;
	unsigned count = 0;

	if (!d->host->pass_made) {
		doctor_saw(d, "the kernel could not be read: %s",
			   d->host->pass_error ? d->host->pass_error : "out of memory");
		return;
	}
	for (size_t i = 0; i < plan->refusal_count; i++) {
		const char *text = concerning(d, plan->refusals[i]);

		if (!text)
			continue;
		doctor_found(d, DOCTOR_BROKEN, "something stands in the way of the file: %s", text);
		return;
	}
	for (size_t i = 0; i < plan->step_count; i++)
		if (is_missing(d, &plan->steps[i])) {
			doctor_saw(d, "to be done: %s", plan->steps[i].text);
			count++;
		}
	if (count == 0)
		return;
	doctor_found(d, DOCTOR_BROKEN,
		     "something that the file wants is not there: %u step%s to be made again",
		     count, count == 1 ? " has" : "s have");
	doctor_mend(d, "gretel reload");
}
