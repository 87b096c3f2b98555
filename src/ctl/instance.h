/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * instance.h: one greteld for a network namespace, and one for a run directory. Both locks are the
 * kernel's and vanish with the process, so nothing is left to clean up after a SIGKILL: an abstract
 * unix socket (per network namespace), and flock() on the pid file.
 */
#ifndef CTL_INSTANCE_H
#define CTL_INSTANCE_H

#include <limits.h>
#include <stdio.h>
#include <uv.h>

struct instance {
	int pid_fd, socket_fd; /* -1: not held */
	char run_dir[PATH_MAX];
	char pid_path[PATH_MAX];
	uv_poll_t poll; /* answers who asks on the socket */
};

/* Makes the run directory, takes both locks and writes the pid. A predecessor that is just going
 * away is waited for, one second at most. Returns 0, or -errno and a line on `errors`. */
int instance_take(const char *run_dir, FILE *errors, struct instance *out);
/* From now on tells those that ask over the namespace's socket where we are. 0 or -errno. */
int instance_answer(struct instance *instance, uv_loop_t *loop);
/* Removes the pid file and lets go of both locks; ends instance_answer(). */
void instance_release(struct instance *instance);

#endif
