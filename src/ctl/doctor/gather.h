/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gather.h: what is asked once, whatever the number of tunnels. */
#ifndef CTL_DOCTOR_GATHER_H
#define CTL_DOCTOR_GATHER_H

#include "ctl/doctor/doctor.h"

/* Never fails: what could not be learnt is missing in *out, with the reason. The strings are
 * borrowed. */
void gather(const char *config, const char *added, const char *run_dir, struct doctor_host *out);
void gather_free(struct doctor_host *host);

#endif
