/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.h: a connection to a stream socket that has a name in the file system. */
#ifndef BASE_DIAL_H
#define BASE_DIAL_H

/* Connects to the socket `name` in the directory. Returns the descriptor, or -errno: -ENOENT also
 * when nobody listens any more, -ENAMETOOLONG when the path is longer than a socket's may be. */
int dial(const char *directory, const char *name);

#endif
