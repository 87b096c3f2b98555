/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/msg.h"

#define CLIENTS_MAX 64

/* What waits for a subscriber while something is being written to it. */
struct queue {
	char topic[SERVER_TOPIC_SIZE]; /* "": all */
	server_lost_fn lost_line;
	char *text;
	size_t len;
	uint64_t lost; /* lines that found no room since `text` was begun */
};

/* A client is served one request at a time: while its reply is on the way nothing more is read from
 * it, so that one that never reads costs one reply of memory. */
struct server_client {
	uv_pipe_t pipe; /* first: the handle is the client */
	struct server *server;
	struct server_client *next;
	uv_write_t write;
	char *reply;
	bool busy;	/* a reply, or a part of the queue, is being written */
	bool ended;	/* nothing more will come */
	bool close_now; /* after the reply */
	size_t have;
	json_t *waiting;     /* the request whose reply comes later; NULL: none */
	struct queue *queue; /* NULL: it has not subscribed */
	char request[MSG_REQUEST_MAX + 1];
};

struct server {
	uv_pipe_t listener;
	bool listening;
	bool closing;
	server_answer_fn answer;
	void *arg;
	struct server_client *clients;
	unsigned client_count;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void serve_lines(struct server_client *client);
static void serve_subscriber(struct server_client *client);

static void free_if_last(struct server *server)
{
	if (server->closing && !server->clients && !server->listening)
		free(server);
}

static void on_client_closed(uv_handle_t *handle)
{
	struct server_client *client = (struct server_client *)handle;
	struct server *server = client->server;
	struct server_client **at = &server->clients;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	server->client_count--;
	if (client->queue)
		free(client->queue->text);
	free(client->queue);
	json_decref(client->waiting);
	free(client->reply);
	free(client);
	free_if_last(server);
}

static void close_client(struct server_client *client)
{
	if (!uv_is_closing((uv_handle_t *)&client->pipe))
		uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

static void on_written(uv_write_t *write, int status)
{
	struct server_client *client = write->data;
	free(client->reply);
	client->reply = NULL;
	client->busy = false;
	if (status < 0 || client->close_now)
		close_client(client);
	else if (client->queue)
		serve_subscriber(client);
	else
		serve_lines(client);
}

/* Writes `text`, which is the client's from now on. */
static void write_text(struct server_client *client, char *text, size_t len)
{
	client->reply = text;
	client->busy = true;
	client->write.data = client;
	uv_buf_t buf = uv_buf_init(text, (unsigned)len);
	if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written) == 0)
		return;
	client->busy = false;
	log_warn("control socket: a reply could not be sent");
	close_client(client);
}

/* One line, the newline in place of the terminating zero; NULL without memory. */
static char *line_of(const json_t *object, size_t *len)
{
	char *text = json_dumps(object, JSON_COMPACT);
	*len = text ? strlen(text) : 0;
	if (text)
		text[(*len)++] = '\n';
	return text;
}

/* Sends `reply` and frees it. */
static void send_reply(struct server_client *client, json_t *reply)
{
	size_t len;
	char *text = reply ? line_of(reply, &len) : NULL;
	json_decref(reply);
	if (text) {
		write_text(client, text, len);
		return;
	}
	log_warn("control socket: a reply could not be made");
	close_client(client);
}

static bool append(struct queue *queue, const char *line, size_t len)
{
	char *text = realloc(queue->text, queue->len + len);
	if (!text)
		return false;
	memcpy(text + queue->len, line, len);
	queue->text = text;
	queue->len += len;
	return true;
}

/* The line about what was lost comes where they are missing, behind those that waited. */
static void append_lost(struct queue *queue)
{
	size_t len;
	json_t *object = queue->lost_line(queue->lost);
	char *line = object ? line_of(object, &len) : NULL;
	if (line && append(queue, line, len))
		queue->lost = 0;
	free(line);
	json_decref(object);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* Writes what waits, and listens only for the end of the client. */
static void serve_subscriber(struct server_client *client)
{
	struct queue *queue = client->queue;
	client->have = 0;
	if (client->busy || uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	if (client->ended) {
		close_client(client);
		return;
	}
	uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
	if (queue->lost)
		append_lost(queue);
	if (!queue->len)
		return;
	char *text = queue->text;
	size_t len = queue->len;
	queue->text = NULL;
	queue->len = 0;
	write_text(client, text, len);
}

void server_subscribe(struct server_client *client, const char *topic, server_lost_fn lost)
{
	if (!client->queue)
		client->queue = calloc(1, sizeof *client->queue);
	if (!client->queue) {
		client->close_now = true;
		return;
	}
	snprintf(client->queue->topic, sizeof client->queue->topic, "%s", topic ? topic : "");
	client->queue->lost_line = lost;
}

bool server_has_subscribers(const struct server *server)
{
	for (const struct server_client *c = server->clients; c; c = c->next)
		if (c->queue)
			return true;
	return false;
}

static void publish_to(struct server_client *client, const char *line, size_t len)
{
	struct queue *queue = client->queue;
	if (queue->lost || queue->len + len > SERVER_QUEUE_MAX || !append(queue, line, len))
		queue->lost++;
	serve_subscriber(client);
}

void server_publish(struct server *server, const char *topic, const json_t *object)
{
	size_t len;
	char *line = server_has_subscribers(server) ? line_of(object, &len) : NULL;
	for (struct server_client *c = server->clients; c && line; c = c->next)
		if (c->queue &&
		    (!topic || !c->queue->topic[0] || strcmp(topic, c->queue->topic) == 0))
			publish_to(c, line, len);
	free(line);
}

static void refuse(struct server_client *client, const char *what)
{
	client->close_now = true;
	send_reply(client, json_pack("{s:i, s:s}", "exit", EXIT_USAGE, "error", what));
}

/* Takes the request. */
static void serve_request(struct server_client *client, json_t *request)
{
	json_t *reply = client->server->answer(client->server->arg, client, request);
	if (json_is_true(reply)) {
		client->waiting = request;
		return;
	}
	send_reply(client, reply);
	json_decref(request);
}

static void serve_line(struct server_client *client, const char *line, size_t len)
{
	json_error_t fault;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);
	if (!request || !json_is_object(request)) {
		char what[256];
		snprintf(what, sizeof what, "the request is not a JSON object on one line%s%s",
			 request ? "" : ": ", request ? "" : fault.text);
		json_decref(request);
		refuse(client, what);
		return;
	}
	serve_request(client, request);
}

json_t *server_later(void)
{
	return json_true();
}

void server_again(struct server *server)
{
	for (struct server_client *c = server->clients; c; c = c->next) {
		json_t *request = c->waiting;
		c->waiting = NULL;
		if (request && !uv_is_closing((uv_handle_t *)&c->pipe))
			serve_request(c, request);
		else
			json_decref(request);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct server_client *client = (struct server_client *)handle;
	(void)suggested;
	buf->base = client->request + client->have;
	buf->len = sizeof client->request - client->have;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct server_client *client = (struct server_client *)stream;
	(void)buf;
	if (n > 0)
		client->have += (size_t)n;
	else if (n < 0)
		client->ended = true;
	if (client->queue)
		client->have = 0;
	if (n < 0 && (n != UV_EOF || client->queue))
		close_client(client);
	else if (n != 0 && !client->queue)
		serve_lines(client);
}

/* Serves what has arrived, or waits for more. */
static void serve_lines(struct server_client *client)
{
	if (uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	uv_read_stop((uv_stream_t *)&client->pipe);
	char *end = memchr(client->request, '\n', client->have);
	if (end) {
		size_t len = (size_t)(end - client->request);
		char *line = malloc(len + 1);
		if (!line) {
			close_client(client);
			return;
		}
		memcpy(line, client->request, len);
		client->have -= len + 1;
		memmove(client->request, end + 1, client->have);
		serve_line(client, line, len);
		free(line);
	} else if (client->have > MSG_REQUEST_MAX) {
		refuse(client, "the request is longer than 65536 octets");
	} else if (client->ended && client->have > 0) {
		client->have = 0;
		refuse(client, "the request ends without a newline");
	} else if (client->ended ||
		   uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) < 0) {
		close_client(client);
	}
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct server *server = (struct server *)stream->data;
	struct server_client *client = status < 0 ? NULL : calloc(1, sizeof *client);
	if (!client) {
		log_warn("control socket: no connection: %s",
			 status < 0 ? uv_strerror(status) : "out of memory");
		return;
	}
	client->server = server;
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
	uv_pipe_init(stream->loop, &client->pipe, 0);
	if (uv_accept(stream, (uv_stream_t *)&client->pipe) < 0)
		close_client(client);
	else if (server->client_count > CLIENTS_MAX)
		refuse(client, "too many clients are connected: try again later");
	else
		serve_lines(client);
}

static int listen_on(struct server *server, const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	mode_t old = umask(0177);
	int e = uv_pipe_bind(&server->listener, path);
	umask(old);
	return e ? e : uv_listen((uv_stream_t *)&server->listener, 128, on_connection);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct server *server = handle->data;
	server->listening = false;
	free_if_last(server);
}

int server_open(uv_loop_t *loop, const char *path, server_answer_fn answer, void *arg,
		struct server **out)
{
	struct server *server = calloc(1, sizeof *server);
	if (!server)
		return -ENOMEM;
	if (strlen(path) >= sizeof server->path) {
		free(server);
		return -ENAMETOOLONG;
	}
	memcpy(server->path, path, strlen(path) + 1);
	server->answer = answer;
	server->arg = arg;
	server->listening = true;
	uv_pipe_init(loop, &server->listener, 0);
	server->listener.data = server;
	int e = listen_on(server, path);
	if (e) {
		server_close(server);
		return e;
	}
	*out = server;
	return 0;
}

void server_stop_listening(struct server *server)
{
	if (!uv_is_closing((uv_handle_t *)&server->listener)) {
		unlink(server->path);
		uv_close((uv_handle_t *)&server->listener, on_listener_closed);
	}
}

void server_close(struct server *server)
{
	server->closing = true;
	server_stop_listening(server);
	for (struct server_client *c = server->clients; c; c = c->next)
		close_client(c);
	free_if_last(server);
}
