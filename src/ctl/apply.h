/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.h: makes the steps of a plan, and takes back what it did when one of them fails. */
#ifndef CTL_APPLY_H
#define CTL_APPLY_H

#include "ctl/plan.h"

struct apply_report {
	size_t done;		   /* steps made */
	const struct step *failed; /* NULL: none */
	size_t undone;		   /* steps taken back after the failure */
	size_t stuck;		   /* steps that could not be taken back */
	char text[512]; /* "add route ...: the kernel's words", and what could not be taken back */
};

/*
 * `state` is changed and stored as the steps need it. `lane` NULL (a one-shot command): interfaces
 * are deleted by netlink, and steps that need a packet path fail with -ENOTSUP. Returns 0, or
 * the -errno of the step that failed.
 */
int apply_plan(struct kernel *kernel, const struct plan *plan, const struct lane_ops *lane,
	       struct state *state, struct apply_report *report);

#endif
