/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h: the answer, for people and for programs. */
#ifndef CTL_DOCTOR_REPORT_H
#define CTL_DOCTOR_REPORT_H

#include <stdio.h>

#include "ctl/doctor/doctor.h"

/* One tunnel: the cause and what mends it in the first line, then the other findings, then what
 * the checks saw. */
void report_text(const struct doctor *d, FILE *out);
/* The same as an object. */
json_t *report_json(const struct doctor *d);

#endif
