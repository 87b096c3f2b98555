/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oneshot.h: what greteld does without staying. `config` is the main file, NULL for none; `added`
 * the file of `gretel add`, which need not exist. All return an enum msg_exit.
 */
#ifndef CTL_ONESHOT_H
#define CTL_ONESHOT_H

#include "ctl/pass.h"

/* Reads the file and tells its faults. */
int oneshot_check(const char *config, const struct report *report);
/* Prints the effective configuration. */
int oneshot_config(const char *config, const char *added, const struct report *report);
/* Prints what the peer of a tunnel needs, in the words of its system; either name may be unknown,
 * and `system` NULL. */
int oneshot_peer(const char *config, const char *added, const char *run_dir, const char *tunnel,
		 const char *system, const struct report *report);
/* Prints the steps that would be made. EXIT_CHANGES when there are any. */
int oneshot_plan(const char *config, const char *added, const char *run_dir,
		 const struct report *report);
/* Removes what a daemon that is no more has left. */
int oneshot_down(const char *run_dir, const char *added, const struct report *report);

#endif
