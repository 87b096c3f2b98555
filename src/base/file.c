/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until end of file or a full buffer. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;
	while (have < size) {
		ssize_t n = read(fd, buf + have, size - have);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int file_read(const char *path, size_t limit, char **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char *buf = malloc(limit + 2);
	ssize_t n = buf ? read_all(fd, buf, limit + 1) : -ENOMEM;
	close(fd);
	if (n >= 0 && (size_t)n > limit)
		n = -EFBIG;
	if (n < 0) {
		free(buf);
		return (int)n;
	}
	buf[n] = '\0';
	*out = buf;
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The name under which the new content is written; false when it is too long. */
static bool temporary_name(const char *path, char name[PATH_MAX])
{
	return snprintf(name, PATH_MAX, "%s.new", path) < PATH_MAX;
}

void file_discard(const char *path)
{
	char temporary[PATH_MAX];
	if (temporary_name(path, temporary))
		unlink(temporary);
}

int file_write(const char *path, const char *text, mode_t mode)
{
	char temporary[PATH_MAX];
	if (!temporary_name(path, temporary))
		return -ENAMETOOLONG;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, text, strlen(text));
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int file_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof part)
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
	}
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

const char *file_absolute(const char *path, char buf[PATH_MAX])
{
	char here[PATH_MAX];
	if (path[0] == '/')
		return path;
	if (!getcwd(here, sizeof here) || snprintf(buf, PATH_MAX, "%s/%s", here, path) >= PATH_MAX)
		return NULL;
	return buf;
}
