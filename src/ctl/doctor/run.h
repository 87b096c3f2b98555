/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h: `greteld --doctor`. */
#ifndef CTL_DOCTOR_RUN_H
#define CTL_DOCTOR_RUN_H

#include <stdbool.h>

#include "ctl/pass.h"

/* Examines `tunnel`, or all (NULL), the worst first. The first three are those of oneshot.h.
 * `far`: the address of a host behind the peer that should answer; NULL: none is told.
 * `verbose`: tells on stderr what it is doing. Returns an enum msg_exit: EXIT_OK, EXIT_DEGRADED,
 * EXIT_BROKEN, or EXIT_FAILED when there is no such tunnel,
 * EXIT_USAGE when `far` is no address. */
int doctor_run(const char *config, const char *added, const char *run_dir, const char *tunnel,
	       const char *far, bool json, bool verbose, const struct report *report);

#endif
