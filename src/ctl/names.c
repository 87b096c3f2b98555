/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/names.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/lookup.h"

#define TTL_MIN_MS     1000u
#define TTL_MAX_MS     86400000u
#define TTL_NONE_MS    30000u
#define SILENT_MS      30000u
#define SOON_MS	       1000u
#define LATER_MS       10000u
#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS 60000u
#define AT_ONCE	       32

struct name {
	struct names *names;
	struct name *next;
	char *text;
	uint8_t family;
	struct lookup *lookup; /* NULL: no question is open */
	bool settled, silent, keep;
	uint64_t wanted_ms; /* when it was new */
	uint64_t asked_ms;  /* the last question; 0: none */
	uint64_t due_ms;    /* the next one */
	uint64_t backoff_ms;
};

struct names {
	uv_loop_t *loop;
	struct state *state;
	struct names_sink sink;
	struct name *first; /* all, in no order */
	void *tree;	    /* the same, by text and family */
	unsigned open;	    /* questions */
	uv_timer_t timer;
};

static void schedule(struct names *names);

static int compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->family - y->family;
}

static struct name *find(const struct names *names, const char *text, uint8_t family)
{
	struct name key = {.text = (char *)(uintptr_t)text, .family = family};
	void *node = tfind(&key, &names->tree, compare);

	return node ? *(struct name **)node : NULL;
}

bool names_are_settled(const struct names *names)
{
	for (const struct name *name = names->first; name; name = name->next)
		if (!name->settled)
			return false;
	return true;
}

/* The last thing that a callback does: names may come and go by it. */
static void tell_settled(struct names *names, bool was_settled)
{
	if (!was_settled && names_are_settled(names))
		names->sink.settled(names->sink.arg);
}

static bool has(const struct lookup_answer *answer, const struct ip_addr *addr)
{
	for (size_t i = 0; i < answer->count; i++)
		if (addr_equal(&answer->addrs[i], addr))
			return true;
	return false;
}

/* Notes the answer; true when there is news in it. */
static bool note(struct name *name, const struct lookup_answer *answer, struct names_news *news,
		 char old_error[sizeof((struct state_name *)0)->error])
{
	struct state_name *known = state_add_name(name->names->state, name->text, name->family);

	if (!known)
		return false;
	memcpy(old_error, known->error, sizeof(known->error));
	*news = (struct names_news){.name = known->name,
				    .family = known->family,
				    .old = known->addr,
				    .old_error = old_error,
				    .error = known->error};
	snprintf(known->error, sizeof(known->error), "%s", answer->error ? answer->error : "");
	if (!answer->error && !has(answer, &known->addr))
		known->addr = answer->addrs[0];
	news->now = known->addr;
	return !addr_equal(&news->old, &news->now) || strcmp(old_error, known->error) != 0;
}

static uint64_t next_question(struct name *name, const struct lookup_answer *answer)
{
	uint64_t in = (uint64_t)answer->ttl_s * 1000;

	if (answer->error) {
		name->backoff_ms = name->backoff_ms ? name->backoff_ms * 2 : BACKOFF_MIN_MS;
		if (name->backoff_ms > BACKOFF_MAX_MS)
			name->backoff_ms = BACKOFF_MAX_MS;
		return name->backoff_ms;
	}
	name->backoff_ms = 0;
	if (in == 0)
		in = TTL_NONE_MS;
	else if (in < TTL_MIN_MS)
		in = TTL_MIN_MS;
	else if (in > TTL_MAX_MS)
		in = TTL_MAX_MS;
	return name->silent && in > SILENT_MS ? SILENT_MS : in;
}

static void on_answer(void *arg, const struct lookup_answer *answer)
{
	struct name *name = arg;
	struct names *names = name->names;
	char old_error[sizeof((struct state_name *)0)->error];
	struct names_news news;
	bool was_settled = names_are_settled(names);

	name->lookup = NULL;
	names->open--;
	name->due_ms = uv_now(names->loop) + next_question(name, answer);
	if (note(name, answer, &news, old_error))
		names->sink.news(names->sink.arg, &news);
	name->settled = true;
	schedule(names);
	tell_settled(names, was_settled);
}

static void ask(struct name *name)
{
	struct names *names = name->names;
	uint64_t now = uv_now(names->loop);

	name->asked_ms = now;
	if (lookup_begin(names->loop, name->text, name->family, on_answer, name, &name->lookup))
		name->due_ms = now + BACKOFF_MAX_MS;
	else
		names->open++;
}

/* Asks what is due, gives up waiting for what takes too long, and sleeps until the next. */
static void on_timer(uv_timer_t *timer)
{
	struct names *names = timer->data;
	uint64_t now = uv_now(names->loop);
	bool was_settled = names_are_settled(names);

	for (struct name *name = names->first; name; name = name->next) {
		if (!name->lookup && name->due_ms <= now && names->open < AT_ONCE)
			ask(name);
		if (!name->settled && name->wanted_ms + NAMES_WAIT_MS <= now)
			name->settled = true;
	}
	schedule(names);
	tell_settled(names, was_settled);
}

static void schedule(struct names *names)
{
	uint64_t now = uv_now(names->loop), next = UINT64_MAX;

	for (const struct name *name = names->first; name; name = name->next) {
		if (!name->lookup && names->open < AT_ONCE && name->due_ms < next)
			next = name->due_ms;
		if (!name->settled && name->wanted_ms + NAMES_WAIT_MS < next)
			next = name->wanted_ms + NAMES_WAIT_MS;
	}
	if (next == UINT64_MAX)
		uv_timer_stop(&names->timer);
	else
		uv_timer_start(&names->timer, on_timer, next > now ? next - now : 0, 0);
}

static struct name *new_name(struct names *names, const char *text, uint8_t family)
{
	struct name *name = calloc(1, sizeof(*name));

	if (!name)
		return NULL;
	*name = (struct name){.names = names, .text = strdup(text), .family = family};
	if (!name->text || !tsearch(name, &names->tree, compare)) {
		free(name->text);
		free(name);
		return NULL;
	}
	name->next = names->first;
	names->first = name;
	return name;
}

static int want(struct names *names, const char *text, uint8_t family)
{
	struct name *name = find(names, text, family);
	const struct state_name *known;

	if (!name) {
		name = new_name(names, text, family);
		if (!name)
			return -ENOMEM;
		/* What an earlier daemon has found does until the answer is here. */
		known = state_find_name(names->state, text, family);
		name->settled = known && known->addr.family != IP_NONE;
		name->wanted_ms = name->due_ms = uv_now(names->loop);
	}
	name->keep = true;
	return 0;
}

static int want_all(struct names *names, const struct conf *conf)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		for (size_t k = 0; t->remote_name && k < sizeof families; k++)
			if ((t->local_device[0] || t->local.family == families[k]) &&
			    want(names, t->remote_name, families[k]))
				return -ENOMEM;
	}
	return 0;
}

int names_want(struct names *names, const struct conf *conf)
{
	int err = want_all(names, conf);

	schedule(names);
	return err;
}

static void drop(struct name *name)
{
	struct names *names = name->names;

	if (name->lookup) {
		lookup_cancel(name->lookup);
		names->open--;
	}
	tdelete(name, &names->tree, compare);
	free(name->text);
	free(name);
}

void names_keep(struct names *names, const struct conf *conf)
{
	struct name **at = &names->first;

	for (struct name *name = names->first; name; name = name->next)
		name->keep = false;
	want_all(names, conf);
	while (*at) {
		struct name *name = *at;

		if (name->keep) {
			at = &name->next;
			continue;
		}
		*at = name->next;
		drop(name);
	}
	for (size_t i = names->state->name_count; i-- > 0;) {
		const struct state_name *known = &names->state->names[i];

		if (!find(names, known->name, known->family))
			state_del_name(names->state, known->name, known->family);
	}
	schedule(names);
}

/* Soon, but not so close to the last question. */
static void hurry(struct name *name, uint64_t distance_ms)
{
	uint64_t now = uv_now(name->names->loop), soon = now;

	if (name->asked_ms && name->asked_ms + distance_ms > now)
		soon = name->asked_ms + distance_ms;
	name->backoff_ms = 0;
	if (name->due_ms > soon)
		name->due_ms = soon;
}

void names_silent(struct names *names, const char *text, bool silent)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < sizeof families; i++) {
		struct name *name = find(names, text, families[i]);

		if (!name)
			continue;
		name->silent = silent;
		if (silent)
			hurry(name, SOON_MS);
	}
	if (silent)
		schedule(names);
}

void names_ask_all(struct names *names)
{
	for (struct name *name = names->first; name; name = name->next)
		hurry(name, name->backoff_ms ? SOON_MS : LATER_MS);
	schedule(names);
}

int names_open(uv_loop_t *loop, struct state *state, const struct names_sink *sink,
	       struct names **out)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	*names = (struct names){.loop = loop, .state = state, .sink = *sink};
	uv_timer_init(loop, &names->timer);
	names->timer.data = names;
	*out = names;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void names_close(struct names *names)
{
	while (names->first) {
		struct name *name = names->first;

		names->first = name->next;
		drop(name);
	}
	uv_close((uv_handle_t *)&names->timer, on_closed);
}
