/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/dial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int dial(const char *directory, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name) >=
	    (int)sizeof address.sun_path)
		return -ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int e = -errno;
	close(fd);
	/* A socket that nobody listens on is what a killed daemon leaves. */
	return e == -ECONNREFUSED ? -ENOENT : e;
}
