/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_run.h: one run of a command: its process, the time that it has, and its output. */
#ifndef CTL_HOOK_RUN_H
#define CTL_HOOK_RUN_H

#include "ctl/hook.h"

struct hook_run;

/* `line` is called for each line of output, `done` once and last: the run is then over, and frees
 * itself when the loop has turned. end->tunnel and end->up are left to the caller. */
struct hook_watch {
	void *arg;
	uint64_t limit_ms;
	void (*line)(void *arg, const char *text);
	void (*done)(void *arg, const struct hook_end *end);
};

/* Runs /bin/sh -c `command` with just this environment, in a session of its own, its input empty.
 * When it has not ended after limit_ms, or when it ends and leaves something running, its
 * process group is killed. Returns 0, or -errno and calls nothing. */
int hook_run(uv_loop_t *loop, const char *command, const struct hook_env *env,
	     const struct hook_watch *watch, struct hook_run **out);
/* Kills the process group, and calls nothing more. */
void hook_run_abandon(struct hook_run *run);

#endif
