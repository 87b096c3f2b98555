/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE 16384

/* The next line that begins with "GROUP: "; NULL when there is none. */
static const char *find_line(const char *text, const char *group)
{
	size_t len = strlen(group);

	while (text && *text) {
		if (strncmp(text, group, len) == 0 && text[len] == ':')
			return text + len + 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

/* The column of a word in a line; -1 when it is not there. */
static int find_column(const char *line, const char *name)
{
	size_t len = strlen(name);
	int column = 0;

	for (;;) {
		line += strspn(line, " ");
		size_t word = strcspn(line, " \n");
		if (word == 0)
			return -1;
		if (word == len && strncmp(line, name, len) == 0)
			return column;
		line += word;
		column++;
	}
}

int64_t proc_counter(const char *text, const char *group, const char *name)
{
	const char *names = find_line(text, group);
	const char *numbers = names ? find_line(names, group) : NULL;
	int column = numbers ? find_column(names, name) : -1;

	if (column < 0)
		return -1;
	for (; column > 0; column--) {
		numbers += strspn(numbers, " ");
		numbers += strcspn(numbers, " \n");
	}
	return strtoll(numbers, NULL, 10);
}

int64_t proc_net_counter(const char *file, const char *group, const char *name)
{
	char path[PATH_MAX], *text = malloc(FILE_SIZE);
	int64_t value = -ENOMEM;
	ssize_t len;
	int fd;

	if (!text)
		return value;
	/* /proc/net is the main thread's namespace; a thread may live in another. */
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		value = -errno;
		free(text);
		return value;
	}
	len = read(fd, text, FILE_SIZE - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	value = proc_counter(text, group, name);
	free(text);
	return value;
}
