/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook.h: runs the commands `on-up` and `on-down` of tunnels, beside everything else.
 *
 * A tunnel has at most one command running. What becomes of it meanwhile is remembered as one
 * state, the latest, and its command is run afterwards if it is another state than the one that was
 * told. HOOKS_AT_ONCE of all tunnels run at a time, the others wait in the order in which they
 * came.
 */
#ifndef CTL_HOOK_H
#define CTL_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HOOKS_AT_ONCE 16
#define HOOK_LIMIT_MS 10000 /* of a command; then its whole process group is killed */
#define HOOK_LINES    50    /* of its output are logged */
#define HOOK_ENV_MAX  16

/* What a command is to be told: "NAME=value" strings, NULL at the end, owned. */
struct hook_env {
	char *items[HOOK_ENV_MAX + 1];
	size_t count;
};
void hook_env_set(struct hook_env *env, const char *name, const char *value);
void hook_env_free(struct hook_env *env);

/* How a command ended. */
struct hook_end {
	const char *tunnel;
	bool up;	  /* it was on-up */
	bool killed;	  /* for taking too long */
	int error;	  /* -errno: it could not be started */
	int exit, signal; /* signal 0: it exited */
	uint64_t ms;
};

/* Where output and ends are told; called on the main thread. */
struct hook_sink {
	void *arg;
	void (*line)(void *arg, const char *tunnel, bool up, const char *text);
	void (*end)(void *arg, const struct hook_end *end);
};

struct hooks;

/* `limit_ms`: how long a command may run; HOOK_LIMIT_MS, except in a test. */
int hooks_open(uv_loop_t *loop, uint64_t limit_ms, const struct hook_sink *sink,
	       struct hooks **out);
/* The tunnel is up or not; `command` (NULL: none) is run for that. Takes what `env` has. */
void hooks_note(struct hooks *hooks, const char *tunnel, bool up, const char *command,
		struct hook_env *env);
/* True while a command runs or waits. */
bool hooks_busy(const struct hooks *hooks);
/* Kills what runs, forgets what waits. Memory is given back by the next turns of the loop. */
void hooks_close(struct hooks *hooks);

#endif
