/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strays.h: what the daemon remembers of packets that it did not take, as far as it tells something
 * about a tunnel now. */
#ifndef CTL_DOCTOR_STRAYS_H
#define CTL_DOCTOR_STRAYS_H

#include "ctl/doctor/probes.h"

/* The kind of packets, from the peer to this tunnel, dropped for `reason` ("rx-key-wrong"), whose
 * last one is the latest; NULL when there is none, or when good packets came after it. */
const json_t *stray_of_peer(struct doctor *d, const char *reason);
/* The same, of those with the tunnel's key, where others may have the same ends and port. */
const json_t *stray_of_tunnel(struct doctor *d, const char *reason);
/* The same of the last minute, whatever good packets came after it. */
const json_t *stray_beside_good(struct doctor *d, const char *reason);
/* The same of any source but the peer, to the tunnel's local address and with its key. */
const json_t *stray_of_stranger(struct doctor *d);

#endif
