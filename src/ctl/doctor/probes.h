/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probes.h: what the doctor sent and what came back; each made once, when the first check asks. */
#ifndef CTL_DOCTOR_PROBES_H
#define CTL_DOCTOR_PROBES_H

#include "ctl/doctor/doctor.h"

/* NULL without memory. */
struct probes *probes_new(void);
void probes_free(struct probes *probes);

#endif
