/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h: how the gretel command reaches greteld: over the control socket, or by starting it. */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

struct client {
	const char *config; /* absolute; NULL: not given */
	const char *run_dir;
	bool json;
	const char *peer_for; /* --for SYSTEM; NULL: not given */
	const char *host;     /* --host ADDRESS; NULL: not given */
};

/*
 * Sends `request` (which it frees) and waits for the reply. With `until_gone` it also waits until
 * the daemon has closed the connection, which it does last of all. Returns 0 and *reply, -ENOENT
 * when no daemon answers, -ECONNRESET when it ended instead of answering, or another -errno, which
 * is told on stderr.
 */
int client_ask(const struct client *client, json_t *request, bool until_gone, json_t **reply);

/* Sends `request` (which it frees) and returns the connection, for one who reads what comes
 * himself. -ENOENT when no daemon answers, or another -errno. */
int client_begin(const struct client *client, json_t *request);

/* `gretel monitor`: passes the daemon's events on to stdout. `tunnel` NULL: of all. Returns an
 * enum msg_exit. */
int monitor_run(const struct client *client, const char *tunnel);

/* Runs `greteld -c FILE -r DIR args...` (a NULL-terminated list) and returns its exit code, an
 * enum msg_exit. What it prints goes through, or with --json becomes one object. */
int client_run_daemon(const struct client *client, const char *const *args);

/* Prints a reply, frees it, and returns its exit code. With --json the object, or of a `status`
 * only its data. */
int client_finish(const struct client *client, json_t *reply, bool data_only);
/* The same for what the client itself has to say. */
int client_fail(const struct client *client, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Tables for people, from the data of a status reply. */
void client_print_status(const json_t *data, bool details);

#endif
