/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dial.h"
#include "ctl/msg.h"

/* The daemon answers in milliseconds, or after the reload that it is busy with. */
#define ANSWER_WAIT_MS 3000

/* Reads until the first newline. */
static int receive(int fd, FILE *text)
{
	char part[16384];

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int r = poll(&ready, 1, ANSWER_WAIT_MS);
		ssize_t n;

		if (r == 0)
			return -ETIMEDOUT;
		n = r < 0 ? -1 : read(fd, part, sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		fwrite(part, 1, (size_t)n, text);
		if (memchr(part, '\n', (size_t)n))
			return 0;
	}
}

static int talk(int fd, const char *line, json_t **reply)
{
	char *text = NULL;
	size_t size, len = strlen(line);
	FILE *received = open_memstream(&text, &size);
	int e = received ? 0 : -ENOMEM;

	if (e == 0 && send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		e = -errno;
	if (e == 0)
		e = receive(fd, received);
	if (received)
		fclose(received);
	if (e == 0) {
		*reply = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
		e = *reply ? 0 : -EPROTO;
	}
	free(text);
	return e;
}

int ask_daemon(const char *run_dir, const char *verb, json_t **reply)
{
	struct stat st;
	char line[128];
	int fd = dial(run_dir, MSG_SOCKET);

	if (fd < 0)
		return fd;
	snprintf(line, sizeof line, "{\"verb\": \"%s\", \"netns\": %llu}\n", verb,
		 stat("/proc/self/ns/net", &st) == 0 ? (unsigned long long)st.st_ino : 0);
	int e = talk(fd, line, reply);
	close(fd);
	return e;
}

json_t *ask_status(const char *run_dir)
{
	json_t *reply, *data;

	if (ask_daemon(run_dir, "status", &reply) != 0)
		return NULL;
	data = json_incref(json_object_get(reply, "data"));
	json_decref(reply);
	return data;
}
