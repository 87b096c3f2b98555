/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h: small text files, read whole and written whole. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads at most `limit` octets of the file and ends them with a zero octet. *out is the caller's to
 * free. Returns 0, -EFBIG when the file is longer, or -errno. */
int file_read(const char *path, size_t limit, char **out);

/* Replaces the file with `text`: a reader, or the next start after a power cut, sees the old
 * content or the new, never a part. Returns 0 or -errno. */
int file_write(const char *path, const char *text, mode_t mode);

/* Removes what a file_write() that was cut short has left beside the file. */
void file_discard(const char *path);

/* Like `mkdir -p`. Returns 0, also when the directory is there, or -errno. */
int file_make_dirs(const char *path, mode_t mode);

/* The same path in every working directory. NULL when it is too long. */
const char *file_absolute(const char *path, char buf[PATH_MAX]);

#endif
