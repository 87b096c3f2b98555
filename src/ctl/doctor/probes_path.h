/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probes_path.h: what the files of the probes share. */
#ifndef CTL_DOCTOR_PROBES_PATH_H
#define CTL_DOCTOR_PROBES_PATH_H

#include "ctl/doctor/probes.h"
#include "os/probesock.h"

/* What is sent leaves as the tunnel's own packets do. d->site is there. 0 or -errno. */
int probes_open(const struct doctor *d, struct probesock *out);
/* Whether a GRE probe can be made for the tunnel. */
bool probe_can_ask_gre(const struct doctor *d);
/* A probe as the tunnel sends its packets. d->site is there. */
struct probe probe_for(const struct doctor *d, uint16_t number, uint32_t length);

/* Sends, and once more when there was an error: it may be of an earlier packet, queued on the
 * socket.
 */
int probe_send(const struct probesock *sock, bool gre, const uint8_t *packet, uint32_t len);

/* Finds *out by packets that may not be fragmented. */
void measure_path(struct doctor *d, const struct probes_reach *reach, struct probes_path *out);

#endif
