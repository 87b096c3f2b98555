/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dial.h"
#include "ctl/msg.h"

#define REPLY_WAIT_MS 600000
#define ARGS_MAX      (MSG_WORDS_MAX + 16)

static int send_line(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return send(fd, "\n", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Appends what arrives to `text` until its first newline, or, with `to_end`, until the other side
 * closes. -ETIMEDOUT, -errno; -EPIPE when it closes before the newline. */
static int receive(int fd, FILE *text, bool to_end)
{
	char part[16384];
	bool whole = false;
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int r = poll(&ready, 1, REPLY_WAIT_MS);
		if (r == 0)
			return -ETIMEDOUT;
		ssize_t n = r < 0 ? -1 : read(fd, part, sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		/* The daemon may end with our socket half read, which the kernel calls a reset. */
		if (n == 0 || (n < 0 && whole && errno == ECONNRESET))
			return whole ? 0 : -EPIPE;
		if (n < 0)
			return -errno;
		if (!whole)
			fwrite(part, 1, (size_t)n, text);
		whole = whole || memchr(part, '\n', (size_t)n);
		if (whole && !to_end)
			return 0;
	}
}

static int talk(int fd, const json_t *request, bool until_gone, json_t **reply)
{
	char *sent = json_dumps(request, JSON_COMPACT), *text = NULL;
	size_t size;
	if (!sent)
		return -EINVAL;
	FILE *received = open_memstream(&text, &size);
	int e = received ? send_line(fd, sent) : -ENOMEM;
	if (e == 0)
		e = receive(fd, received, until_gone);
	if (received)
		fclose(received);
	free(sent);
	if (e == 0) {
		*reply = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
		e = *reply ? 0 : -EPROTO;
	}
	free(text);
	return e;
}

int client_begin(const struct client *client, json_t *request)
{
	int fd = request ? dial(client->run_dir, MSG_SOCKET) : -ENOMEM;
	char *text = fd >= 0 ? json_dumps(request, JSON_COMPACT) : NULL;
	int e = fd < 0 ? fd : text ? send_line(fd, text) : -EINVAL;
	free(text);
	json_decref(request);
	if (e && fd >= 0)
		close(fd);
	return e ? e : fd;
}

int client_ask(const struct client *client, json_t *request, bool until_gone, json_t **reply)
{
	int fd = request ? dial(client->run_dir, MSG_SOCKET) : -ENOMEM;
	int e = fd < 0 ? fd : talk(fd, request, until_gone, reply);
	if (fd >= 0)
		close(fd);
	json_decref(request);
	/* A process that is being killed may still take a connection. */
	if (e == -EPIPE)
		e = -ECONNRESET;
	if (e != 0 && e != -ENOENT && e != -ECONNRESET)
		fprintf(stderr, "gretel: asking greteld at %s/%s: %s\n", client->run_dir,
			MSG_SOCKET, strerror(-e));
	return e;
}

/* Where greteld is: as the environment says, beside this program, or where it is installed. */
static const char *find_daemon(char path[PATH_MAX])
{
	const char *said = getenv(MSG_DAEMON_ENV);
	if (said && said[0] != '\0')
		return said;
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	if (n > 0) {
		path[n] = '\0';
		char *slash = strrchr(path, '/');
		if (slash && (size_t)(slash + 1 - path) + sizeof "greteld" <= PATH_MAX) {
			memcpy(slash + 1, "greteld", sizeof "greteld");
			if (access(path, X_OK) == 0)
				return path;
		}
	}
	return GRETEL_SBINDIR "/greteld";
}

static int wait_for_exit(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "gretel: greteld was ended by signal %d\n", WTERMSIG(status));
	return EXIT_FAILED;
}

/* Both streams of the child, each into its memory; the child's background part may hold them open
 * no longer than it starts. */
static void read_streams(const int fds[2], FILE *const texts[2])
{
	struct pollfd open[2] = {{.fd = fds[0], .events = POLLIN},
				 {.fd = fds[1], .events = POLLIN}};
	char part[4096];
	while (open[0].fd >= 0 || open[1].fd >= 0) {
		if (poll(open, 2, -1) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++) {
			if (open[i].fd < 0 || !open[i].revents)
				continue;
			ssize_t n = read(fds[i], part, sizeof part);
			if (n > 0)
				fwrite(part, 1, (size_t)n, texts[i]);
			else if (n == 0 || errno != EINTR)
				open[i].fd = -1;
		}
	}
}

static json_t *lines_of(char *text)
{
	json_t *array = json_array();
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n")))
		if (*line || rest)
			json_array_append_new(array, json_string(line));
	return array;
}

/* The parent's half of a run whose output becomes JSON. */
static int collect(const struct client *client, pid_t pid, const int fds[2])
{
	char *texts[2] = {NULL, NULL};
	size_t sizes[2];
	FILE *streams[2] = {open_memstream(&texts[0], &sizes[0]),
			    open_memstream(&texts[1], &sizes[1])};
	if (streams[0] && streams[1])
		read_streams(fds, streams);
	for (int i = 0; i < 2; i++)
		if (streams[i])
			fclose(streams[i]);
	int code = wait_for_exit(pid);
	json_t *reply = json_pack("{s:i, s:o}", "exit", code, "lines",
				  lines_of(texts[0] ? texts[0] : (char[]){""}));
	size_t len = texts[1] ? strlen(texts[1]) : 0;
	if (len > 0)
		json_object_set_new(reply, "error", json_stringn(texts[1], len - 1));
	free(texts[0]);
	free(texts[1]);
	return client_finish(client, reply, false);
}

__attribute__((noreturn)) static void become(const char *path, const char **argv)
{
	execv(path, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "gretel: starting %s: %s: set %s to where greteld is\n", path,
		strerror(errno), MSG_DAEMON_ENV);
	_exit(EXIT_FAILED);
}

/* Replaces stdout and stderr by the write ends of two new pipes; the read ends are in `fds`. */
static pid_t fork_with_pipes(int fds[2])
{
	int out[2], err[2];
	if (pipe(out) < 0)
		return -1;
	if (pipe(err) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		for (int i = 0; i < 2; i++) {
			close(out[i]);
			close(err[i]);
		}
		return 0;
	}
	close(out[1]);
	close(err[1]);
	fds[0] = out[0];
	fds[1] = err[0];
	return pid;
}

int client_run_daemon(const struct client *client, const char *const *args)
{
	char found[PATH_MAX];
	const char *path = find_daemon(found), *argv[ARGS_MAX] = {path, "-r", client->run_dir};
	int argc = 3, fds[2];
	if (client->config) {
		argv[argc++] = "-c";
		argv[argc++] = client->config;
	}
	for (; *args && argc < ARGS_MAX - 1; args++)
		argv[argc++] = *args;
	fflush(NULL);
	pid_t pid = client->json ? fork_with_pipes(fds) : fork();
	if (pid == 0)
		become(path, argv);
	if (pid < 0)
		return client_fail(client, EXIT_FAILED, "starting %s: %s", path, strerror(errno));
	return client->json ? collect(client, pid, fds) : wait_for_exit(pid);
}

static void print_lines(const json_t *lines)
{
	for (size_t i = 0; i < json_array_size(lines); i++)
		printf("%s\n", json_string_value(json_array_get(lines, i)));
}

int client_finish(const struct client *client, json_t *reply, bool data_only)
{
	int code = (int)json_integer_value(json_object_get(reply, "exit"));
	const char *error = json_string_value(json_object_get(reply, "error"));
	const json_t *data = json_object_get(reply, "data");
	if (client->json) {
		json_dumpf(data_only && data ? data : reply, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_lines(json_object_get(reply, "lines"));
	}
	fflush(stdout);
	if (error && !client->json)
		fprintf(stderr, "%s\n", error);
	json_decref(reply);
	return code;
}

int client_fail(const struct client *client, int exit_code, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (client->json)
		return client_finish(
			client, json_pack("{s:i, s:s}", "exit", exit_code, "error", text), false);
	fprintf(stderr, "gretel: %s\n", text);
	return exit_code;
}
