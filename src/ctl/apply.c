/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be known after a SIGKILL is written to the state before the first step: which
 * interfaces are about to be created, and what forwarding was. What is forgotten is written after
 * the last step. So a run that was cut short leaves a state that says too much, never too little.
 */
#include "ctl/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/apply_steps.h"
#include "ctl/rules.h"

/* What the state keeps of the rules, to be put back when they are. */
struct before {
	bool rules_known;
	uint64_t rules_wanted, rules_listed;
	char returns[STATE_RETURNS][IFNAMSIZ];
	bool saved[SWITCH_COUNT]; /* there were saved values before this run */
};

static bool needs_state(const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		switch (plan->steps[i].kind) {
		case STEP_RULES_SET:
		case STEP_RULES_DEL:
		case STEP_FORWARD_ON:
		case STEP_FORWARD_RESTORE:
		case STEP_TUNNEL_CREATE:
		case STEP_POLICY_ADD:
		case STEP_POLICY_DEL:
			return true;
		default:
			break;
		}
	return false;
}

static void forget_pending(struct state *state)
{
	free(state->pending);
	state->pending = NULL;
	state->pending_count = 0;
}

static int note_pending(struct state *state, const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->step_count; i++)
		count += plan->steps[i].kind == STEP_TUNNEL_CREATE;
	forget_pending(state);
	if (!count)
		return 0;
	state->pending = calloc(count, sizeof(*state->pending));
	if (!state->pending)
		return -ENOMEM;
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == STEP_TUNNEL_CREATE)
			memcpy(state->pending[state->pending_count++], plan->steps[i].object,
			       IFNAMSIZ);
	return 0;
}

/* Values that were saved by an earlier run stay: they are older than what we have done. */
static int note_forwarding(struct state *state, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct step *step = &plan->steps[i];
		int err;

		if (step->kind != STEP_FORWARD_ON || state->saved[step->forward.which].count)
			continue;
		err = sysctl_list_copy(step->forward.values, &state->saved[step->forward.which]);
		if (err)
			return err;
	}
	return 0;
}

/* Until the plan is made the numbers of before are kept besides: flows bear them. */
static void note_returns(struct state *state, const struct site *site)
{
	for (size_t i = 0; i < site->tunnel_count; i++)
		if (site->return_numbers[i])
			memcpy(state->returns[site->return_numbers[i]],
			       site->tunnels[i].params.name, IFNAMSIZ);
}

static void remember(const struct state *state, struct before *out)
{
	*out = (struct before){.rules_known = state->rules_known,
			       .rules_wanted = state->rules_wanted,
			       .rules_listed = state->rules_listed};
	memcpy(out->returns, state->returns, sizeof(out->returns));
	for (int i = 0; i < SWITCH_COUNT; i++)
		out->saved[i] = state->saved[i].count != 0;
}

static int store(const struct state *state)
{
	return state_is_empty(state) ? state_remove(state) : state_store(state);
}

/* After the last step: what was restored need not be kept. */
static int conclude(struct state *state, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == STEP_FORWARD_RESTORE)
			sysctl_list_free(&state->saved[plan->steps[i].forward.which]);
	forget_pending(state);
	memset(state->returns, 0, sizeof(state->returns));
	note_returns(state, plan->site);
	return store(state);
}

/* After a failure and the undoing; where that got stuck the next start needs to know. */
static int revert(struct state *state, const struct before *before, bool stuck)
{
	state->rules_known = before->rules_known && !stuck;
	state->rules_wanted = before->rules_wanted;
	state->rules_listed = before->rules_listed;
	if (!stuck) {
		forget_pending(state);
		memcpy(state->returns, before->returns, sizeof(state->returns));
		for (int i = 0; i < SWITCH_COUNT; i++)
			if (!before->saved[i])
				sysctl_list_free(&state->saved[i]);
	}
	return store(state);
}

static void append(struct apply_report *report, const char *what, const struct apply *apply,
		   int err)
{
	size_t used = strlen(report->text);

	snprintf(report->text + used, sizeof(report->text) - used, "%s%s: %s%s%s%s",
		 used ? "; " : "", what, strerror(-err), apply->text[0] ? " (" : "", apply->text,
		 apply->text[0] ? ")" : "");
}

static void undo_all(struct apply *apply, const struct plan *plan, struct apply_report *report)
{
	for (size_t i = report->done; i-- > 0;) {
		char what[256];
		int err = apply_undo(apply, &plan->steps[i]);

		if (!err) {
			report->undone++;
			continue;
		}
		report->stuck++;
		snprintf(what, sizeof(what), "taking back \"%s\"", plan->steps[i].text);
		append(report, what, apply, err);
	}
}

static int run_steps(struct apply *apply, const struct plan *plan, struct apply_report *report)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct step *step = &plan->steps[i];
		int err = apply_do(apply, step);

		log_debug("%s: %s", step->text, err ? strerror(-err) : "done");
		if (err) {
			report->failed = step;
			append(report, step->text, apply, err);
			return err;
		}
		report->done++;
	}
	return 0;
}

int apply_plan(struct kernel *kernel, const struct plan *plan, const struct lane_ops *lane,
	       struct state *state, struct apply_report *report)
{
	struct apply apply = {
		.kernel = kernel, .lane = lane, .state = state, .take_back = plan->take_back};
	bool stateful = needs_state(plan) || state->pending_count;
	struct before before;
	int err, store_err = 0;

	*report = (struct apply_report){0};
	remember(state, &before);
	err = stateful ? note_pending(state, plan) : 0;
	if (stateful)
		note_returns(state, plan->site);
	if (!err)
		err = note_forwarding(state, plan);
	if (!err && stateful)
		err = store(state);
	if (err) {
		append(report, state->path, &apply, err);
		revert(state, &before, false);
		return err;
	}
	err = run_steps(&apply, plan, report);
	if (err)
		undo_all(&apply, plan, report);
	if (err && stateful)
		store_err = revert(state, &before, report->stuck != 0);
	else if (stateful)
		store_err = conclude(state, plan);
	apply.text[0] = '\0';
	if (store_err)
		append(report, state->path, &apply, store_err);
	free(apply.rules_before);
	return err ? err : store_err;
}
