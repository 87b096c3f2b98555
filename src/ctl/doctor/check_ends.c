/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An outer address that has to be found, and was not: a name that nobody answers for, a device
 * without an address. */
#include <string.h>

#include "ctl/doctor/doctor.h"

void check_ends(struct doctor *d)
{
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE], place[DOCTOR_PLACE_SIZE];
	const struct conf_tunnel *t = d->tunnel;
	const char *why;

	if (!d->way || !conf_is_moving(t))
		return;
	if (!d->way->why[0]) {
		doctor_saw(d, "local is %s now, and remote %s", addr_format(&t->local, local),
			   addr_format(&t->remote, remote));
		return;
	}
	/* The daemon knows what the name servers said. */
	why = d->status ? doctor_text(d->status, "reason") : "";
	doctor_found(d, DOCTOR_BROKEN, "%s", why[0] ? why : d->way->why);
	if (t->remote.family == IP_NONE && t->remote_name)
		doctor_mend(
			d,
			"see that a name server answers for %s (getent ahosts %s), or write the "
			"peer's address as remote at %s",
			t->remote_name, t->remote_name, doctor_place(d, TUNNEL_REMOTE, place));
	else
		doctor_mend(d, "give %s an address (ip address show dev %s), or write local at %s",
			    t->local_device, t->local_device, doctor_place(d, TUNNEL_LOCAL, place));
}
