/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privilege.h: gives up what the process does not need, for itself and all later threads. */
#ifndef OS_PRIVILEGE_H
#define OS_PRIVILEGE_H

#include <stdbool.h>

/* Raises the limit of open files as far as it may be. Returns 0 or -errno. */
int privilege_raise_files(void);

/* Keeps, of what the process has, the capabilities for network configuration, raw sockets and
 * files of the configuration that other users own; and forbids gaining any by execve(). Returns 0
 * or -errno. Threads that run already keep theirs. */
int privilege_drop(void);

/* Whether this process may now ... */
enum privilege { PRIVILEGE_RAW /* open raw and packet sockets */, PRIVILEGE_ADMIN /* configure */ };
bool privilege_may(enum privilege privilege);

#endif
