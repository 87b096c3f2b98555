/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An outer address that has to be found, and was not: a name that nobody answers for, a device
 * without an address, a peer behind a NAT that has not proved itself. */
#include <string.h>

#include "ctl/doctor/doctor.h"

/* Where addresses were found. */
static void tell_found(struct doctor *d)
{
	const struct conf_tunnel *t = d->tunnel;

	if (t->remote_any)
		doctor_saw(d, "local is %s now, and the peer has proved to be at %s port %u",
			   d->local, d->remote, t->remote_port);
	else
		doctor_saw(d, "local is %s now, and remote %s", d->local, d->remote);
}

/* The latest kind of packets that came for this tunnel, or for another key of its address and port;
 * NULL: none did. */
static const json_t *latest_stray(const struct doctor *d)
{
	const json_t *found = NULL;
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(d->host->status, "strays"), i, one)
		if (doctor_number(one, "udp_port", 0) == d->tunnel->udp_port &&
		    strcmp(doctor_text(one, "local"), d->local) == 0 &&
		    (!found || doctor_number(one, "last_ms", INT64_MAX) <
				       doctor_number(found, "last_ms", INT64_MAX)))
			found = one;
	return found;
}

/* Why nobody has proved to be the peer. */
static void mend_unproved(struct doctor *d)
{
	const json_t *stray = latest_stray(d);
	const char *from = doctor_text(stray, "remote"), *reason = doctor_text(stray, "reason");
	int64_t key = doctor_number(stray, "key", -1);

	if (!stray) {
		doctor_mend(
			d,
			"let UDP to %s port %u in here, and see that the peer runs and has this "
			"address as remote (gretel peer %s --for gretel)",
			d->local, d->tunnel->udp_port, d->tunnel->name);
	} else if (key == (int64_t)d->tunnel->ikey.value) {
		doctor_saw(d, "the latest packets with its key came from %s: %s", from, reason);
		doctor_mend(d,
			    "write the same nat-secret at both ends (gretel peer %s --for gretel)",
			    d->tunnel->name);
	} else {
		doctor_saw(d, "the latest packets to this port came from %s: %s", from, reason);
		doctor_mend(d, "if %s is the peer: it sends key %lld, and this side expects key %u",
			    from, (long long)key, d->tunnel->ikey.value);
	}
}

static void mend(struct doctor *d)
{
	const struct conf_tunnel *t = d->tunnel;
	char place[DOCTOR_PLACE_SIZE];

	if (t->remote_any && t->local.family != IP_NONE && !d->way->local_missing)
		mend_unproved(d);
	else if (t->remote.family == IP_NONE && t->remote_name)
		doctor_mend(
			d,
			"see that a name server answers for %s (getent ahosts %s), or write the "
			"peer's address as remote at %s",
			t->remote_name, t->remote_name, doctor_place(d, TUNNEL_REMOTE, place));
	else if (t->local_device[0])
		doctor_mend(d, "give %s an address (ip address show dev %s), or write local at %s",
			    t->local_device, t->local_device, doctor_place(d, TUNNEL_LOCAL, place));
}

/* The side behind the NAT is asked, and cannot answer. */
static void check_questions(struct doctor *d)
{
	char place[DOCTOR_PLACE_SIZE];
	int64_t forged = doctor_number(d->status, "drops.rx-proof-forged", 0);

	if (!d->tunnel->nat || d->tunnel->remote_any || forged == 0)
		return;
	doctor_saw(d, "%lld questions of the peer were not signed with this side's secret",
		   (long long)forged);
	if (strcmp(doctor_text(json_object_get(d->status, "keepalive"), "state"), "up") == 0)
		return;
	doctor_found(d, DOCTOR_BROKEN,
		     "%s asks who this side is, but with another nat-secret than this side has",
		     d->remote);
	doctor_mend(d, "write the same nat-secret at both ends, here at %s",
		    doctor_place(d, TUNNEL_NAT_SECRET, place));
}

void check_ends(struct doctor *d)
{
	const char *why;

	check_questions(d);
	if (!d->way || !conf_is_moving(d->tunnel))
		return;
	if (!d->way->why[0]) {
		tell_found(d);
		return;
	}
	/* The daemon knows what the name servers said. */
	why = d->status ? doctor_text(d->status, "reason") : "";
	doctor_found(d, DOCTOR_BROKEN, "%s", why[0] ? why : d->way->why);
	mend(d);
}
