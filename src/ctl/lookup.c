/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * c-ares asks; the loop watches its sockets and its clock. It may call back from any of its
 * functions, also from the one that begins: then the answer is kept, and told by a timer of its own
 * when the stack is clear, since in its callback the channel cannot be freed.
 */
#include "ctl/lookup.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Twice to each server, for 2 and then 4 seconds. */
#define TIMEOUT_MS  2000
#define TRIES	    2
#define SOCKETS_MAX 16
#define CLOCK_MS    250

struct asked_socket {
	uv_poll_t poll;
	struct lookup *lookup;
	ares_socket_t fd;
};

struct lookup {
	uv_loop_t *loop;
	ares_channel channel;
	uv_timer_t clock; /* while asking; then tells the answer */
	struct asked_socket *sockets[SOCKETS_MAX];
	lookup_fn done;
	void *arg;
	struct lookup_answer answer;
};

static void on_freed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	const struct asked_socket *s = poll->data;
	bool in = status < 0 || events & UV_READABLE, out = status < 0 || events & UV_WRITABLE;

	ares_process_fd(s->lookup->channel, in ? s->fd : ARES_SOCKET_BAD,
			out ? s->fd : ARES_SOCKET_BAD);
}

static struct asked_socket **find_socket(struct lookup *lookup, ares_socket_t fd)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (lookup->sockets[i] && lookup->sockets[i]->fd == fd)
			return &lookup->sockets[i];
	return NULL;
}

static struct asked_socket **new_socket(struct lookup *lookup, ares_socket_t fd)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		struct asked_socket *s = lookup->sockets[i] ? NULL : calloc(1, sizeof(*s));

		if (!s)
			continue;
		if (uv_poll_init(lookup->loop, &s->poll, fd)) {
			free(s);
			return NULL;
		}
		s->poll.data = s;
		s->lookup = lookup;
		s->fd = fd;
		lookup->sockets[i] = s;
		return &lookup->sockets[i];
	}
	return NULL;
}

/* What c-ares wants to know of a socket; neither: it closes it. */
static void on_socket(void *arg, ares_socket_t fd, int in, int out)
{
	struct lookup *lookup = arg;
	struct asked_socket **s = find_socket(lookup, fd);

	if (!s && (in || out))
		s = new_socket(lookup, fd);
	if (!s)
		return; /* the clock goes on, and ends the question */
	if (in || out) {
		uv_poll_start(&(*s)->poll, (in ? UV_READABLE : 0) | (out ? UV_WRITABLE : 0),
			      on_ready);
		return;
	}
	uv_poll_stop(&(*s)->poll);
	uv_close((uv_handle_t *)&(*s)->poll, on_freed);
	*s = NULL;
}

static void on_clock(uv_timer_t *timer)
{
	const struct lookup *lookup = timer->data;

	ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_tell(uv_timer_t *timer)
{
	struct lookup *lookup = timer->data;
	struct lookup_answer answer = lookup->answer;
	lookup_fn done = lookup->done;
	void *arg = lookup->arg;

	lookup_cancel(lookup);
	done(arg, &answer);
}

static void add(struct lookup_answer *answer, const struct ares_addrinfo_node *node)
{
	struct ip_addr *addr = &answer->addrs[answer->count];

	if (answer->count == LOOKUP_ADDRS_MAX)
		return;
	*addr = (struct ip_addr){.family = (uint8_t)node->ai_family};
	if (node->ai_family == AF_INET)
		memcpy(addr->bytes, &((struct sockaddr_in *)node->ai_addr)->sin_addr, 4);
	else
		memcpy(addr->bytes, &((struct sockaddr_in6 *)node->ai_addr)->sin6_addr, 16);
	answer->count++;
}

static void shorten(uint32_t *ttl, int of)
{
	if (of >= 0 && (uint32_t)of < *ttl)
		*ttl = (uint32_t)of;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct lookup *lookup = arg;
	struct lookup_answer *answer = &lookup->answer;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	answer->ttl_s = UINT32_MAX;
	for (struct ares_addrinfo_node *n = result ? result->nodes : NULL; n; n = n->ai_next) {
		add(answer, n);
		shorten(&answer->ttl_s, n->ai_ttl);
	}
	for (struct ares_addrinfo_cname *c = result ? result->cnames : NULL; c; c = c->next)
		shorten(&answer->ttl_s, c->ttl);
	if (status == ARES_SUCCESS && answer->count == 0)
		status = ARES_ENODATA;
	answer->error = status == ARES_SUCCESS ? NULL : ares_strerror(status);
	ares_freeaddrinfo(result);
	uv_timer_start(&lookup->clock, on_tell, 0, 0);
}

int lookup_begin(uv_loop_t *loop, const char *name, uint8_t family, lookup_fn done, void *arg,
		 struct lookup **out)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_socket};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	/* In the server's order, and any of them: we choose. */
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_flags = ARES_AI_NOSORT};
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return -ENOMEM;
	*lookup = (struct lookup){.loop = loop, .done = done, .arg = arg};
	options.sock_state_cb_data = lookup;
	if (ares_init_options(&lookup->channel, &options, mask) != ARES_SUCCESS) {
		free(lookup);
		return -ENOMEM;
	}
	uv_timer_init(loop, &lookup->clock);
	lookup->clock.data = lookup;
	uv_timer_start(&lookup->clock, on_clock, CLOCK_MS, CLOCK_MS);
	ares_getaddrinfo(lookup->channel, name, NULL, &hints, on_answer, lookup);
	*out = lookup;
	return 0;
}

void lookup_cancel(struct lookup *lookup)
{
	ares_destroy(lookup->channel);
	uv_close((uv_handle_t *)&lookup->clock, on_freed);
}
