/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where outer packets begin and which way they take, by the kernel's own answers. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

void check_local_address(struct doctor *d)
{
	char local[ADDR_TEXT_SIZE], place[DOCTOR_PLACE_SIZE];

	if (!d->way || d->way->why[0])
		return;
	addr_format(&d->tunnel->local, local);
	if (!d->way->local_missing) {
		doctor_saw(d, "%s is an address of this host", local);
		return;
	}
	doctor_found(d, DOCTOR_BROKEN, "the local address %s is on no interface of this host",
		     local);
	doctor_mend(
		d, "write an address of this host as local at %s, or: ip address add %s dev DEVICE",
		doctor_place(d, TUNNEL_LOCAL, place), local);
}

void check_no_route(struct doctor *d)
{
	char remote[ADDR_TEXT_SIZE], gateway[ADDR_TEXT_SIZE] = "";
	const struct link_info *link;

	if (!d->way || d->way->why[0])
		return;
	addr_format(&d->tunnel->remote, remote);
	if (d->way->error) {
		doctor_found(d, DOCTOR_BROKEN, "there is no route to the peer %s (%s)", remote,
			     strerror(-d->way->error));
		doctor_mend(d, "ip route add %s via GATEWAY dev DEVICE", remote);
		return;
	}
	link = actual_link_at(d->actual, d->way->way.oif);
	if (d->way->way.gateway.family != IP_NONE)
		addr_format(&d->way->way.gateway, gateway);
	doctor_saw(d, "%s is reached by %s%s%s", remote, link ? link->name : "?",
		   gateway[0] ? " via " : ", on the link", gateway);
}
