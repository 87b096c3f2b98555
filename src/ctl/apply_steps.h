/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply_steps.h: one step made, and taken back. */
#ifndef CTL_APPLY_STEPS_H
#define CTL_APPLY_STEPS_H

#include "ctl/plan.h"

struct apply {
	struct kernel *kernel;
	const struct lane_ops *lane; /* NULL: none */
	struct state *state;
	bool take_back;		 /* as in the plan */
	char *rules_before;	 /* the table as it was listed before this run replaced it */
	char text[NL_TEXT_SIZE]; /* what the kernel said about the last failure */
};

/* apply_routes.c */
int apply_route_add(struct apply *apply, const struct step *step);
int apply_route_del(struct apply *apply, const struct step *step);
int apply_route_change(struct apply *apply, const struct step *step);
int apply_route_change_back(struct apply *apply, const struct step *step);
int apply_policy_add(struct apply *apply, const struct step *step);
int apply_policy_del(struct apply *apply, const struct step *step);

/* 0, or -errno and apply->text. Nothing remains of a step that failed. */
int apply_do(struct apply *apply, const struct step *step);
/* Takes back a step that was made. */
int apply_undo(struct apply *apply, const struct step *step);

#endif
