/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h: one question to the daemon, with a deadline: that it does not answer is a finding. */
#ifndef CTL_DOCTOR_ASK_H
#define CTL_DOCTOR_ASK_H

#include <jansson.h>

/* Sends {"verb": `verb`} with this process's network namespace. 0 and *reply; -ENOENT when nobody
 * listens, -ETIMEDOUT, -ECONNRESET, -EACCES, ... */
int ask_daemon(const char *run_dir, const char *verb, json_t **reply);
/* The data of `status`; NULL when there is none. */
json_t *ask_status(const char *run_dir);

#endif
