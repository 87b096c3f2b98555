/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.c: the first line that comes is a reply, whose data is the snapshot; what follows is
 * passed on as it is. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/client.h"
#include "ctl/msg.h"

/* Why the reading ended. */
enum end { END_NOT_YET, END_READER, END_DAEMON };

/* Whoever reads us may be gone: then there is nothing left to do. */
static bool write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* The reply: prints its snapshot, or what is wrong. *code is what to exit with in that case. */
static enum end take_reply(const struct client *client, const char *line, int *code)
{
	json_t *reply = json_loads(line, 0, NULL);
	json_t *data = json_object_get(reply, "data");
	if (!data) {
		*code = reply ? client_finish(client, reply, false)
			      : client_fail(client, EXIT_FAILED, "the reply is not understood");
		return END_READER;
	}
	char *text = json_dumps(data, JSON_COMPACT);
	bool written = text && write_all(text, strlen(text)) && write_all("\n", 1);
	free(text);
	json_decref(reply);
	return written ? END_NOT_YET : END_READER;
}

/* SIGINT and SIGTERM as something to poll. */
static int watch_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Waits until the daemon has sent something, and reads it. 0: it has closed. */
static ssize_t next_part(int fd, int signals, char *part, size_t size, enum end *end)
{
	for (;;) {
		/* No events of stdout are asked for: that its reader has gone is told anyway. */
		struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
					 {.fd = signals, .events = POLLIN},
					 {.fd = STDOUT_FILENO}};
		if (poll(ready, 3, -1) < 0 && errno != EINTR)
			return -1;
		if (ready[1].revents || ready[2].revents & (POLLERR | POLLHUP)) {
			*end = END_READER;
			return 0;
		}
		if (!ready[0].revents)
			continue;
		ssize_t n = read(fd, part, size);
		if (n >= 0 || errno != EINTR)
			return n;
	}
}

struct reader {
	const struct client *client;
	FILE *reply; /* collects it; NULL: it has been taken */
	char *line;
	size_t size;
	int code;
};

/* What has come: up to its first newline it is the reply. */
static enum end take(struct reader *r, const char *part, size_t n)
{
	if (r->reply) {
		const char *newline = memchr(part, '\n', n);
		size_t own = newline ? (size_t)(newline + 1 - part) : n;
		fwrite(part, 1, own, r->reply);
		if (!newline)
			return END_NOT_YET;
		fclose(r->reply);
		r->reply = NULL;
		if (take_reply(r->client, r->line, &r->code) != END_NOT_YET)
			return END_READER;
		part += own;
		n -= own;
	}
	return write_all(part, n) ? END_NOT_YET : END_READER;
}

static enum end pass_on(const struct client *client, int fd, int signals, int *code)
{
	struct reader r = {.client = client};
	char part[65536];
	r.reply = open_memstream(&r.line, &r.size);
	enum end end = r.reply ? END_NOT_YET : END_DAEMON;
	while (end == END_NOT_YET) {
		ssize_t n = next_part(fd, signals, part, sizeof part, &end);
		if (end == END_NOT_YET)
			end = n > 0 ? take(&r, part, (size_t)n) : END_DAEMON;
	}
	if (r.reply)
		fclose(r.reply);
	free(r.line);
	*code = r.code;
	return end;
}

int monitor_run(const struct client *client, const char *tunnel)
{
	int code = EXIT_OK;
	int fd =
		client_begin(client, json_pack("{s:s, s:s*}", "verb", "monitor", "tunnel", tunnel));
	if (fd == -ENOENT)
		return client_fail(client, EXIT_NOT_RUNNING,
				   "greteld is not running (no answer on %s/%s): start it with "
				   "\"gretel up\"",
				   client->run_dir, MSG_SOCKET);
	if (fd < 0)
		return client_fail(client, EXIT_FAILED, "asking greteld at %s/%s: %s",
				   client->run_dir, MSG_SOCKET, strerror(-fd));
	int signals = watch_signals();
	enum end end = signals < 0 ? END_DAEMON : pass_on(client, fd, signals, &code);
	close(fd);
	if (end == END_DAEMON) {
		fputs("gretel: greteld has ended\n", stderr);
		return EXIT_NOT_RUNNING;
	}
	return code;
}
