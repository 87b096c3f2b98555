/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_hooks.c: what the commands of `on-up` and `on-down` are told, and what is told of them.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl/event.h"
#include "ctl/hook.h"
#include "ctl/session.h"

static const char *key_name(bool up)
{
	return up ? "on-up" : "on-down";
}

static void on_line(void *arg, const char *tunnel, bool up, const char *text)
{
	(void)arg;
	log_info("tunnel %s: %s: %s", tunnel, key_name(up), text);
}

static void describe(const struct hook_end *end, char *out, size_t size)
{
	if (end->error)
		snprintf(out, size, "could not be started: %s", strerror(-end->error));
	else if (end->killed)
		snprintf(out, size, "was killed after %d s", HOOK_LIMIT_MS / 1000);
	else if (end->signal)
		snprintf(out, size, "was ended by signal %d", end->signal);
	else
		snprintf(out, size, "ended with exit code %d after %" PRIu64 " ms", end->exit,
			 end->ms);
}

static void on_end(void *arg, const struct hook_end *end)
{
	char text[128];
	bool good = !end->error && !end->killed && !end->signal && end->exit == 0;
	describe(end, text, sizeof text);
	json_t *details = json_pack(
		"{s:s, s:b, s:o, s:i, s:b, s:I}", "hook", key_name(end->up), "started", !end->error,
		"exit", end->error || end->signal ? json_null() : json_integer(end->exit), "signal",
		end->signal, "killed", end->killed, "ms", (json_int_t)end->ms);
	session_event(arg, EVENT_HOOK, end->tunnel, details, good ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		      "tunnel %s: %s %s", end->tunnel, key_name(end->up), text);
}

int session_hooks_open(struct session *s)
{
	return hooks_open(s->loop, HOOK_LIMIT_MS, &(struct hook_sink){s, on_line, on_end},
			  &s->hooks);
}

/* Nothing of the daemon's own environment goes on. */
static void fill_env(const struct session *s, const struct conf_tunnel *tunnel, bool up,
		     const char *reason, struct hook_env *env)
{
	const struct lane_ops *lane = s->lane ? lane_ops(s->lane) : NULL;
	const struct dp_params *p = lane ? lane->params(lane->arg, tunnel->name) : NULL;
	char text[ADDR_TEXT_SIZE];
	hook_env_set(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	hook_env_set(env, "GRETEL_RUN_DIR", s->run_dir);
	hook_env_set(env, "GRETEL_TUNNEL", tunnel->name);
	hook_env_set(env, "GRETEL_INTERFACE", tunnel->name);
	hook_env_set(env, "GRETEL_MODE", conf_mode_name(tunnel->mode));
	hook_env_set(env, "GRETEL_STATE", up ? "up" : "down");
	hook_env_set(env, "GRETEL_REASON", reason);
	const struct ip_addr *local = p ? &p->local : &tunnel->local;
	const struct ip_addr *remote = p ? &p->remote : &tunnel->remote;
	hook_env_set(env, "GRETEL_LOCAL", local->family ? addr_format(local, text) : "");
	hook_env_set(env, "GRETEL_REMOTE", remote->family ? addr_format(remote, text) : "");
	if (tunnel->remote_name)
		hook_env_set(env, "GRETEL_REMOTE_NAME", tunnel->remote_name);
	if (p) {
		snprintf(text, sizeof text, "%" PRIu32, p->mtu);
		hook_env_set(env, "GRETEL_MTU", text);
	}
}

void session_hooks_note(struct session *s, const struct conf_tunnel *tunnel, bool up,
			const char *reason)
{
	const char *command = up ? tunnel->on_up : tunnel->on_down;
	struct hook_env env = {.count = 0};
	if (!s->hooks)
		return;
	if (command)
		fill_env(s, tunnel, up, reason, &env);
	hooks_note(s->hooks, tunnel->name, up, command, &env);
}

static void on_late(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

void session_hooks_finish(struct session *s)
{
	static uv_timer_t late; /* closing takes a turn of the loop */
	uv_timer_init(s->loop, &late);
	uv_timer_start(&late, on_late, HOOK_LIMIT_MS, 0);
	while (s->hooks && hooks_busy(s->hooks) && uv_is_active((uv_handle_t *)&late))
		uv_run(s->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&late, NULL);
}

void session_hooks_close(struct session *s)
{
	if (s->hooks)
		hooks_close(s->hooks);
	s->hooks = NULL;
}
