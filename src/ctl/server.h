/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h: the control socket. Lines in, lines out (ctl/msg.h); what a request means is not known
 * here. All on the main thread.
 */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

#include <jansson.h>
#include <uv.h>

struct server;

/* The reply to one request, an object with at least "exit"; the server frees it. */
typedef json_t *(*server_answer_fn)(void *arg, const json_t *request);

/* Listens on the unix socket `path`, for root only. A file that is there is taken for the rest of a
 * killed daemon: the caller has made sure that no other one is alive. Returns 0 or -errno. */
int server_open(uv_loop_t *loop, const char *path, server_answer_fn answer, void *arg,
		struct server **out);
/* Takes no new clients; the socket's name is gone at once. */
void server_stop_listening(struct server *server);
/* Closes everything; memory is given back by the next turns of the loop. */
void server_close(struct server *server);

#endif
