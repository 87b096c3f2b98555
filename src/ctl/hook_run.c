/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/hook_run.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 256
/* How long output may come of a process that has left the killed group and holds the pipe open. */
#define REST_MS 200

struct hook_run {
	uv_process_t process;
	uv_pipe_t output;
	uv_timer_t limit;
	unsigned handles; /* not closed yet */
	struct hook_watch watch;
	struct hook_end end;
	uint64_t begun_ms;
	bool exited, drained, done;
	unsigned lines;
	char text[LINE_MAX_OCTETS + 1]; /* of the line that is being read */
	size_t len;
};

static void on_closed(uv_handle_t *handle)
{
	struct hook_run *run = handle->data;
	if (--run->handles == 0)
		free(run);
}

static void close_all(struct hook_run *run)
{
	uv_handle_t *all[] = {(uv_handle_t *)&run->process, (uv_handle_t *)&run->output,
			      (uv_handle_t *)&run->limit};
	for (size_t i = 0; i < 3; i++)
		if (all[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(all[i]))
			uv_close(all[i], on_closed);
}

static void finish(struct hook_run *run)
{
	if (run->done)
		return;
	run->done = true;
	run->watch.done(run->watch.arg, &run->end);
	close_all(run);
}

/* The line is whole, or as long as it may be. */
static void tell_line(struct hook_run *run)
{
	char text[64];
	run->text[run->len] = '\0';
	run->len = 0;
	if (++run->lines <= HOOK_LINES) {
		run->watch.line(run->watch.arg, run->text);
	} else if (run->lines == HOOK_LINES + 1) {
		snprintf(text, sizeof text, "(more than %d lines: the rest is not logged)",
			 HOOK_LINES);
		run->watch.line(run->watch.arg, text);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char part[4096]; /* one thread, and used up before the next read */
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(part, sizeof part);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct hook_run *run = stream->data;
	for (ssize_t i = 0; i < n; i++) {
		if (buf->base[i] != '\n')
			run->text[run->len++] = buf->base[i];
		if (buf->base[i] == '\n' || run->len == LINE_MAX_OCTETS)
			tell_line(run);
	}
	if (n >= 0)
		return;
	if (run->len > 0)
		tell_line(run);
	uv_read_stop(stream);
	run->drained = true;
	if (run->exited)
		finish(run);
}

static void kill_group(const struct hook_run *run)
{
	/* It leads a session, so its pid is the number of its group. */
	if (run->process.pid > 0)
		kill(-run->process.pid, SIGKILL);
}

static void on_rest(uv_timer_t *timer)
{
	finish(timer->data);
}

static void on_limit(uv_timer_t *timer)
{
	struct hook_run *run = timer->data;
	run->end.killed = true;
	kill_group(run);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct hook_run *run = process->data;
	run->exited = true;
	run->end.exit = (int)status;
	run->end.signal = signal;
	run->end.ms = uv_now(process->loop) - run->begun_ms;
	kill_group(run);
	if (run->drained)
		finish(run);
	else
		uv_timer_start(&run->limit, on_rest, REST_MS, 0);
}

/* `fd` becomes both its standard output and its standard error. */
static int spawn(struct hook_run *run, const char *command, const struct hook_env *env, int fd)
{
	char shell[] = "/bin/sh", option[] = "-c", *copy = strdup(command);
	char *words[] = {shell, option, copy, NULL};
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = fd},
		{.flags = UV_INHERIT_FD, .data.fd = fd},
	};
	uv_process_options_t options = {
		.exit_cb = on_ended,
		.file = shell,
		.args = words,
		.env = (char **)(uintptr_t)env->items,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = 3,
	};
	/* A library may have opened a socket that would be inherited. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	int e = copy ? uv_spawn(run->limit.loop, &run->process, &options) : -ENOMEM;
	free(copy);
	return e;
}

static int start(struct hook_run *run, const char *command, const struct hook_env *env)
{
	uv_file fds[2];
	int e = uv_pipe(fds, UV_NONBLOCK_PIPE, 0);
	if (e)
		return e;
	e = uv_pipe_open(&run->output, fds[0]);
	if (e) {
		close(fds[0]);
		close(fds[1]);
		return e;
	}
	e = spawn(run, command, env, fds[1]);
	close(fds[1]);
	if (e)
		return e;
	uv_read_start((uv_stream_t *)&run->output, on_alloc, on_output);
	return uv_timer_start(&run->limit, on_limit, run->watch.limit_ms, 0);
}

int hook_run(uv_loop_t *loop, const char *command, const struct hook_env *env,
	     const struct hook_watch *watch, struct hook_run **out)
{
	struct hook_run *run = calloc(1, sizeof *run);
	if (!run)
		return -ENOMEM;
	run->watch = *watch;
	run->begun_ms = uv_now(loop);
	uv_timer_init(loop, &run->limit);
	uv_pipe_init(loop, &run->output, 0);
	run->limit.data = run->output.data = run->process.data = run;
	run->handles = 3;
	int e = start(run, command, env);
	/* A handle that uv_spawn() did not get as far as is closed like the others. */
	if (run->process.type == UV_UNKNOWN_HANDLE)
		run->handles--;
	if (e) {
		run->done = true;
		close_all(run);
		return e;
	}
	*out = run;
	return 0;
}

void hook_run_abandon(struct hook_run *run)
{
	run->done = true;
	if (!run->exited)
		kill_group(run);
	close_all(run);
}
