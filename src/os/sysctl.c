/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/proc/sys/"

static int open_value(const char *path, int flags)
{
	char full[sizeof(ROOT) + SYSCTL_NAME_SIZE];
	int fd;

	if (snprintf(full, sizeof(full), ROOT "%s", path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, char value[SYSCTL_VALUE_SIZE])
{
	int fd = open_value(path, O_RDONLY);
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, value, SYSCTL_VALUE_SIZE);
	if (length < 0) {
		length = -errno;
		close(fd);
		return (int)length;
	}
	close(fd);
	if (length == SYSCTL_VALUE_SIZE)
		return -EFBIG;
	value[length] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

int sysctl_write(const char *path, const char *value)
{
	int fd = open_value(path, O_WRONLY);
	size_t length = strlen(value);
	int err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, value, length) != (ssize_t)length)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

const char *sysctl_name(const char *path, char buf[SYSCTL_NAME_SIZE])
{
	size_t i;

	for (i = 0; i < SYSCTL_NAME_SIZE - 1 && path[i]; i++)
		buf[i] = path[i] == '/' ? '.' : path[i] == '.' ? '/' : path[i];
	buf[i] = '\0';
	return buf;
}

int sysctl_each(const char *path, int (*each)(void *arg, const char *name), void *arg)
{
	char full[sizeof(ROOT) + SYSCTL_NAME_SIZE];
	struct dirent *entry;
	DIR *dir;
	int err = 0;

	if (snprintf(full, sizeof(full), ROOT "%s", path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	dir = opendir(full);
	if (!dir)
		return -errno;
	while (err >= 0 && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			err = each(arg, entry->d_name);
	closedir(dir);
	return err < 0 ? err : 0;
}
