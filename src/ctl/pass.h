/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pass.h: one look at the kernel and what follows from it: actual, site and plan together. */
#ifndef CTL_PASS_H
#define CTL_PASS_H

#include <stdio.h>

#include "ctl/plan.h"

/* Where a command's words go: `lines` say what is done, `errors` what is wrong. */
struct report {
	FILE *lines, *errors;
};

struct pass {
	struct actual actual;
	struct site site;
	struct plan plan;
};

/* Reads and plans; changes nothing. The arguments are those of actual_read(), and must outlive
 * *out. Returns 0, or -errno and a line on `errors`. Refusals are not an error here. */
int pass_make(struct kernel *kernel, const struct conf *conf, const struct state *state,
	      const struct lane_ops *lane, FILE *errors, struct pass *out);
void pass_free(struct pass *pass);

/* Prints the refusals; returns how many there are. */
size_t pass_print_refusals(const struct pass *pass, FILE *errors);
/* Prints the steps, one a line, and the notes. */
void pass_print_steps(const struct pass *pass, FILE *out);

#endif
