/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/hook.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/hook_run.h"

/* A tunnel with something to run. */
struct hook {
	struct hooks *hooks;
	struct hook *next;
	char tunnel[IFNAMSIZ];
	struct hook_run *run; /* NULL: none runs */
	bool ran_up;	      /* what the run is for */
	/* The state that is to be told next. */
	bool waits, up;
	char *command; /* NULL: nothing is run for it */
	struct hook_env env;
};

struct hooks {
	uv_loop_t *loop;
	uint64_t limit_ms;
	struct hook_sink sink;
	struct hook *first; /* in the order in which they came */
	unsigned running;
};

void hook_env_set(struct hook_env *env, const char *name, const char *value)
{
	char *item;
	if (env->count == HOOK_ENV_MAX || asprintf(&item, "%s=%s", name, value) < 0)
		return;
	env->items[env->count++] = item;
	env->items[env->count] = NULL;
}

void hook_env_free(struct hook_env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->items[i]);
	*env = (struct hook_env){.count = 0};
}

static void forget_next(struct hook *hook)
{
	hook->waits = false;
	free(hook->command);
	hook->command = NULL;
	hook_env_free(&hook->env);
}

static void drop(struct hook *hook)
{
	struct hook **at = &hook->hooks->first;
	while (*at != hook)
		at = &(*at)->next;
	*at = hook->next;
	forget_next(hook);
	free(hook);
}

static void run_waiting(struct hooks *hooks);

static void on_line(void *arg, const char *text)
{
	const struct hook *hook = arg;
	const struct hook_sink *sink = &hook->hooks->sink;
	sink->line(sink->arg, hook->tunnel, hook->ran_up, text);
}

static void tell_end(const struct hook *hook, const struct hook_end *end)
{
	struct hook_end told = *end;
	told.tunnel = hook->tunnel;
	told.up = hook->ran_up;
	hook->hooks->sink.end(hook->hooks->sink.arg, &told);
}

static void on_done(void *arg, const struct hook_end *end)
{
	struct hook *hook = arg;
	struct hooks *hooks = hook->hooks;
	hook->run = NULL;
	hooks->running--;
	tell_end(hook, end);
	if (hook->waits && (hook->up == hook->ran_up || !hook->command))
		forget_next(hook);
	if (!hook->waits)
		drop(hook);
	run_waiting(hooks);
}

/* Runs what waits; false when it could not be started, which is told. */
static bool run(struct hook *hook)
{
	struct hook_watch watch = {hook, hook->hooks->limit_ms, on_line, on_done};
	hook->ran_up = hook->up;
	int e = hook_run(hook->hooks->loop, hook->command, &hook->env, &watch, &hook->run);
	forget_next(hook);
	if (e)
		tell_end(hook, &(struct hook_end){.error = e});
	else
		hook->hooks->running++;
	return e == 0;
}

static void run_waiting(struct hooks *hooks)
{
	struct hook *next;
	for (struct hook *hook = hooks->first; hook && hooks->running < HOOKS_AT_ONCE;
	     hook = next) {
		next = hook->next;
		if (hook->waits && !hook->run && !run(hook))
			drop(hook);
	}
}

int hooks_open(uv_loop_t *loop, uint64_t limit_ms, const struct hook_sink *sink, struct hooks **out)
{
	struct hooks *hooks = calloc(1, sizeof *hooks);
	if (!hooks)
		return -ENOMEM;
	hooks->loop = loop;
	hooks->limit_ms = limit_ms;
	hooks->sink = *sink;
	*out = hooks;
	return 0;
}

/* The tunnel's entry, made at the end of the list when there is none. */
static struct hook *entry(struct hooks *hooks, const char *tunnel)
{
	struct hook **at = &hooks->first;
	while (*at && strcmp((*at)->tunnel, tunnel) != 0)
		at = &(*at)->next;
	if (!*at)
		*at = calloc(1, sizeof **at);
	if (*at) {
		(*at)->hooks = hooks;
		snprintf((*at)->tunnel, sizeof(*at)->tunnel, "%s", tunnel);
	}
	return *at;
}

static bool is_known(const struct hooks *hooks, const char *tunnel)
{
	const struct hook *hook = hooks->first;
	while (hook && strcmp(hook->tunnel, tunnel) != 0)
		hook = hook->next;
	return hook != NULL;
}

void hooks_note(struct hooks *hooks, const char *tunnel, bool up, const char *command,
		struct hook_env *env)
{
	/* A state without a command still replaces one that waits. */
	bool matters = command || is_known(hooks, tunnel);
	struct hook *hook = matters ? entry(hooks, tunnel) : NULL;
	if (!hook) {
		hook_env_free(env);
		return;
	}
	forget_next(hook);
	hook->waits = true;
	hook->up = up;
	hook->command = command ? strdup(command) : NULL;
	hook->env = *env;
	*env = (struct hook_env){.count = 0};
	if (!hook->run && !hook->command)
		drop(hook);
	else
		run_waiting(hooks);
}

bool hooks_busy(const struct hooks *hooks)
{
	return hooks->first != NULL;
}

void hooks_close(struct hooks *hooks)
{
	while (hooks->first) {
		if (hooks->first->run)
			hook_run_abandon(hooks->first->run);
		drop(hooks->first);
	}
	free(hooks);
}
