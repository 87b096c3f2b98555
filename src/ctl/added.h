/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * added.h: the tunnels of `gretel add`. They are sections of the run directory's added.conf, so
 * that a restarted daemon finds them and the configuration has one language.
 */
#ifndef CTL_ADDED_H
#define CTL_ADDED_H

#include <stddef.h>
#include <stdio.h>

#include "ctl/conf.h"

enum added_verb { ADDED_ADD, ADDED_CHANGE, ADDED_DEL };

/*
 * What the file at `path` (which need not exist) must become. `words` are NAME and the words of `ip
 * tunnel`; `desired` is what the daemon runs with, NULL when unknown. Nothing is written.
 * Returns 0 and *text, the caller's to free, empty when no tunnel is left; or an enum msg_exit and
 * lines on `errors`.
 */
int added_edit(const char *path, enum added_verb verb, const char *const *words, size_t count,
	       const struct conf *desired, FILE *errors, char **text);

/* Puts `text` in place of the file; empty text removes it. Returns 0 or -errno. */
int added_write(const char *path, const char *text);

#endif
