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
#define LINE_SIZE 256 /* of a CPU */

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

/* "N user nice system idle iowait irq softirq steal ..."; what guests used is part of user and
 * nice.
 */
static void read_cpu(char *line, struct proc_cpu *out, unsigned max, unsigned *count)
{
	uint64_t ticks[8] = {0};
	unsigned long cpu = strtoul(line, &line, 10);

	if (cpu >= max)
		return;
	for (unsigned i = 0; i < 8; i++)
		ticks[i] = strtoull(line, &line, 10);
	out[cpu] = (struct proc_cpu){
		.system = ticks[2], .idle = ticks[3] + ticks[4], .softirq = ticks[6]};
	for (unsigned i = 0; i < 8; i++)
		out[cpu].total += ticks[i];
	if (*count <= cpu)
		*count = (unsigned)cpu + 1;
}

unsigned proc_cpus(const char *text, struct proc_cpu *out, unsigned max)
{
	unsigned count = 0;

	memset(out, 0, max * sizeof *out);
	while (text && strncmp(text, "cpu", 3) == 0) {
		char line[LINE_SIZE];

		snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
		if (line[3] >= '0' && line[3] <= '9')
			read_cpu(line + 3, out, max, &count);
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return count;
}

int proc_cpus_read(struct proc_cpu *out, unsigned max)
{
	size_t size = (size_t)(max + 1) * LINE_SIZE;
	char *text = malloc(size);
	int fd, count;
	ssize_t len;

	if (!text)
		return -ENOMEM;
	fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, size - 1);
	count = len < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (len >= 0) {
		text[len] = '\0';
		count = (int)proc_cpus(text, out, max);
	}
	free(text);
	return count;
}
