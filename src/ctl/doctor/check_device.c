/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel's interface as others left it. */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor/doctor.h"

void check_multicast(struct doctor *d)
{
	if (!d->link || d->link->flags & IFF_MULTICAST)
		return;
	doctor_found(d, DOCTOR_DEGRADED,
		     "the interface %s takes no multicast: OSPF, PIM and IPv6's neighbours need it",
		     d->link->name);
	doctor_mend(d, "ip link set dev %s multicast on", d->link->name);
}

/* Frames that the other ports of the bridge carry whole do not fit. */
void check_bridge_mtu(struct doctor *d)
{
	if (!d->link || !d->link->master || !d->actual || d->tunnel->vrf[0])
		return;
	for (size_t i = 0; i < d->actual->link_count; i++) {
		const struct link_info *port = &d->actual->links[i];

		if (port->master != d->link->master || port->mtu <= d->link->mtu)
			continue;
		doctor_found(d, DOCTOR_DEGRADED,
			     "the bridge carries frames of %" PRIu32 " octets on %s, and %s takes "
			     "%" PRIu32 ": larger ones are lost without a word",
			     port->mtu, port->name, d->link->name, d->link->mtu);
		doctor_mend(d,
			    "mtu = %" PRIu32 " and df = clear for the tunnel, or a smaller MTU on "
			    "every host of the bridge",
			    port->mtu);
		return;
	}
}
