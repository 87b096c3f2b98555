/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h: the control socket. Lines in, lines out (ctl/msg.h); what a request means is not known
 * here. All on the main thread.
 *
 * A client that has been made a subscriber gets, behind the reply, every line that is published
 * until it closes. What it does not read waits for it in SERVER_QUEUE_MAX octets at most; lines
 * that find no room are counted, and once there is room a line says how many they were.
 */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define SERVER_QUEUE_MAX  (256u << 10)
#define SERVER_TOPIC_SIZE 16

struct server;
struct server_client;

/* The reply to one request, an object with at least "exit"; the server frees it. */
typedef json_t *(*server_answer_fn)(void *arg, struct server_client *client, const json_t *request);
/* In place of a reply: the client waits, and is answered anew at server_again(). */
json_t *server_later(void);
/* The line that stands for `count` lost ones, an object. */
typedef json_t *(*server_lost_fn)(uint64_t count);

/* Listens on the unix socket `path`, for root only. A file that is there is taken for the rest of a
 * killed daemon: the caller has made sure that no other one is alive. Returns 0 or -errno. */
int server_open(uv_loop_t *loop, const char *path, server_answer_fn answer, void *arg,
		struct server **out);
/* Asks again for the replies of those who wait. */
void server_again(struct server *server);
/* From the next published line on, the client gets those of `topic` and those of no topic; of all
 * topics when it is NULL. For an answer function. */
void server_subscribe(struct server_client *client, const char *topic, server_lost_fn lost);
/* True when a line would reach somebody. */
bool server_has_subscribers(const struct server *server);
/* Sends `line`, an object, to its subscribers. `topic` NULL: to all. Never waits. */
void server_publish(struct server *server, const char *topic, const json_t *line);
/* Takes no new clients; the socket's name is gone at once. */
void server_stop_listening(struct server *server);
/* Closes everything; memory is given back by the next turns of the loop. */
void server_close(struct server *server);

#endif
