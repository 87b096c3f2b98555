/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/pass.h"

#include <string.h>

#include "ctl/ends.h"

static int plan_once(struct pass *pass)
{
	int e = site_build(pass->actual.conf, &pass->actual, &pass->site);
	if (e)
		return e;
	e = plan_make(&pass->site, &pass->actual, &pass->plan);
	if (e)
		site_free(&pass->site);
	return e;
}

/* Ends, since a tunnel that was set aside has no peer any more that could be. */
static int plan_all(struct pass *pass)
{
	int e = plan_once(pass);
	while (e == 0 && pass->plan.aside_count > 0) {
		for (size_t i = 0; i < pass->plan.aside_count; i++)
			ends_set_aside(&pass->actual, pass->plan.asides[i].index,
				       pass->plan.asides[i].why);
		plan_free(&pass->plan);
		site_free(&pass->site);
		e = plan_once(pass);
	}
	return e;
}

int pass_make(struct kernel *kernel, const struct conf *conf, const struct state *state,
	      const struct lane_ops *lane, FILE *errors, struct pass *out)
{
	char error[ACTUAL_ERROR_SIZE];
	*out = (struct pass){0};
	int e = actual_read(kernel, conf, state, lane, &out->actual, error);
	if (e) {
		fprintf(errors, "%s\n", error);
		return e;
	}
	e = plan_all(out);
	if (e) {
		actual_free(&out->actual);
		fprintf(errors, "planning: %s\n", strerror(-e));
	}
	return e;
}

void pass_free(struct pass *pass)
{
	plan_free(&pass->plan);
	site_free(&pass->site);
	actual_free(&pass->actual);
}

size_t pass_print_refusals(const struct pass *pass, FILE *errors)
{
	for (size_t i = 0; i < pass->plan.refusal_count; i++)
		fprintf(errors, "%s\n", pass->plan.refusals[i]);
	return pass->plan.refusal_count;
}

void pass_print_steps(const struct pass *pass, FILE *out)
{
	for (size_t i = 0; i < pass->plan.step_count; i++)
		fprintf(out, "%s\n", pass->plan.steps[i].text);
	for (size_t i = 0; i < pass->plan.note_count; i++)
		fprintf(out, "note: %s\n", pass->plan.notes[i]);
}
