/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repair.c: keeps the kernel as the configuration says.
 *
 * Anything that the kernel announces and that may concern us arms one timer; when it fires, the
 * whole state is read and compared anew. So no announcement has to be understood, only noticed, and
 * a lost one costs nothing but a look. Timers:
 *
 *   look      50 ms after the last announcement, 500 ms after the first one at the latest
 *   periodic  every 60 s: what is not announced, as path MTUs that expire
 *
 * Our own changes are announced too. They are told by the sender's port and arm nothing, but each
 * look that changed something is followed by another, which ends the chain by finding nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/event.h"
#include "ctl/jtext.h"
#include "ctl/rules.h"
#include "ctl/session.h"
#include "os/watch.h"

#define QUIET_MS       50
#define LATEST_MS      500
#define PERIODIC_MS    60000
#define WINDOW_MS      10000
#define REPAIRS_MAX    15 /* in one window; after that somebody fights us */
#define FIGHT_HOLD_MS  5000
#define BACKOFF_MS     1000
#define BACKOFF_MAX_MS 30000
#define STEPS_LOGGED   20

static void on_look(uv_timer_t *timer);

static void arm_in(struct repair *r, uint64_t delay)
{
	uint64_t now = uv_now(r->session->loop);
	if (r->hold_until_ms > now + delay)
		delay = r->hold_until_ms - now;
	uv_timer_start(&r->look, on_look, delay, 0);
}

void repair_arm(struct session *session)
{
	struct repair *r = &session->repair;
	if (!r->opened || session->down)
		return;
	uint64_t now = uv_now(session->loop);
	if (r->first_ms == 0)
		r->first_ms = now;
	uint64_t latest = r->first_ms + LATEST_MS;
	uint64_t left = latest > now ? latest - now : 0;
	arm_in(r, left < QUIET_MS ? left : QUIET_MS);
}

static void complain(struct repair *r, const char *text)
{
	if (r->complaint && text && strcmp(r->complaint, text) == 0)
		return;
	free(r->complaint);
	r->complaint = text ? strdup(text) : NULL;
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		log_error("%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* The steps that were made, and who had made them necessary, as far as it is known. */
static void tell_steps(struct session *s, const char *steps)
{
	struct repair *r = &s->repair;
	unsigned n = 0;
	for (const char *at = steps; *at; n++) {
		size_t len = strcspn(at, "\n");
		if (n < STEPS_LOGGED)
			log_info("repaired: %.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
	if (n > STEPS_LOGGED)
		log_info("repaired: and %u more", n - STEPS_LOGGED);
	r->steps += n;
	r->last_ms = uv_now(s->loop);
	if (r->removed) {
		json_decref(r->last_removed);
		r->last_removed = json_incref(r->removed);
	}
	json_t *removed = r->removed ? r->removed : json_array();
	r->removed = NULL;
	session_event(s, EVENT_REPAIR, NULL,
		      json_pack("{s:o, s:o}", "steps", jtext_lines(steps), "removed", removed),
		      LOG_LEVEL_DEBUG, "%u steps to repair", n);
}

/* Counts repairs; when there are too many, the next ones have to wait. */
static void count_repair(struct repair *r)
{
	uint64_t now = uv_now(r->session->loop);
	if (now - r->window_ms > WINDOW_MS) {
		r->window_ms = now;
		r->repairs = 0;
	}
	if (++r->repairs < REPAIRS_MAX)
		return;
	if (r->repairs == REPAIRS_MAX)
		log_warn(
			"something undoes what was repaired again and again: from now on repairing "
			"every %d s only",
			FIGHT_HOLD_MS / 1000);
	r->hold_until_ms = now + FIGHT_HOLD_MS;
	r->window_ms = now; /* the window slides for as long as it goes on */
}

static void on_look(uv_timer_t *timer)
{
	struct session *s = timer->data;
	struct repair *r = &s->repair;
	char *faults = NULL, *steps = NULL;
	size_t size;
	r->first_ms = 0;
	if (!s->conf)
		return;
	FILE *errors = open_memstream(&faults, &size);
	if (!errors) {
		arm_in(r, BACKOFF_MS);
		return;
	}
	int n = session_look(s, errors, &steps);
	fclose(errors);
	if (n < 0) {
		complain(r, faults);
		r->backoff_ms = r->backoff_ms ? 2 * r->backoff_ms : BACKOFF_MS;
		if (r->backoff_ms > BACKOFF_MAX_MS)
			r->backoff_ms = BACKOFF_MAX_MS;
		arm_in(r, r->backoff_ms);
	} else {
		complain(r, NULL);
		r->backoff_ms = 0;
	}
	if (n > 0) {
		tell_steps(s, steps);
		count_repair(r);
		arm_in(r, QUIET_MS);
	}
	json_decref(r->removed);
	r->removed = NULL;
	free(steps);
	free(faults);
}

bool repair_fights(const struct session *s)
{
	const struct repair *r = &s->repair;

	return r->repairs >= REPAIRS_MAX && uv_now(s->loop) - r->window_ms <= WINDOW_MS;
}

static bool is_own(const struct session *s, const struct watch_event *event)
{
	return event->port != 0 &&
	       (event->port == s->kernel.route.port || event->port == (uint32_t)getpid());
}

/* Whether a route leads to a peer, or may have replaced one of ours. */
static bool route_matters(const struct session *s, const struct ip_prefix *prefix)
{
	const struct conf *conf = s->conf;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];
		if (prefix_contains(prefix, &s->tunnels[i].remote))
			return true;
		for (size_t k = 0; k < t->route_count; k++)
			if (prefix_equal(prefix, &t->routes[k].to))
				return true;
	}
	return false;
}

/* Says who removed a thing of ours, where the kernel tells, and keeps it for the event of the
 * repair that follows. */
static void note_removal(struct session *s, const struct watch_event *event)
{
	char what[PREFIX_TEXT_SIZE + 32], prefix[PREFIX_TEXT_SIZE], process[16];
	if (!event->deleted || event->port == 0)
		return;
	if (event->what == WATCH_LINK && conf_find_tunnel(s->conf, event->name))
		snprintf(what, sizeof what, "interface %s", event->name);
	else if (event->what == WATCH_ADDRESS && event->protocol == OS_PROTOCOL)
		snprintf(what, sizeof what, "address %s", prefix_format(&event->prefix, prefix));
	else if (event->what == WATCH_ROUTE && event->protocol == OS_PROTOCOL)
		snprintf(what, sizeof what, "route %s", prefix_format(&event->prefix, prefix));
	else if (event->what == WATCH_POLICY && event->protocol == OS_PROTOCOL)
		snprintf(what, sizeof what, "a routing rule for a return path");
	else if (event->what == WATCH_RULES)
		snprintf(what, sizeof what, "nft table %s", RULES_TABLE);
	else
		return;
	watch_process(event, process);
	if (!s->repair.removed)
		s->repair.removed = json_array();
	if (json_array_size(s->repair.removed) < STEPS_LOGGED)
		json_array_append_new(s->repair.removed,
				      json_pack("{s:s, s:o, s:I}", "what", what, "by",
						jtext(process, strlen(process)), "pid",
						(json_int_t)event->port));
	if (process[0])
		log_warn("%s was removed by %s (pid %u)", what, process, event->port);
	else
		log_warn("%s was removed by a process that has ended (pid %u)", what, event->port);
}

static void on_event(void *arg, const struct watch_event *event)
{
	struct session *s = arg;
	if (event->what == WATCH_NEIGHBOUR) {
		lanes_note_neighbour(s->lanes, event);
		return;
	}
	lanes_note_change(s->lanes);
	if (event->what == WATCH_FILTER) {
		lanes_note_filter(s->lanes, event);
		repair_arm(s); /* settles the devices */
		return;
	}
	if (is_own(s, event))
		return;
	kernel_forget(&s->kernel);
	if (!s->conf)
		return;
	/* A route that is nothing to us: a routing daemon may bring many. */
	/* It may be the way to a name server. */
	if (event->what == WATCH_ROUTE && event->prefix.len == 0)
		names_ask_all(s->names);
	if (event->what == WATCH_ROUTE && event->protocol != OS_PROTOCOL &&
	    !route_matters(s, &event->prefix))
		return;
	/* What was true of the way to a peer may not be any more. */
	dp_leases_revoke(s->dp);
	if (event->what == WATCH_FOREIGN_RULES || event->what == WATCH_RULES)
		lanes_note_rules(s->lanes);
	if (event->what == WATCH_FOREIGN_RULES)
		return;
	if (event->what != WATCH_RULES)
		names_ask_all(s->names);
	note_removal(s, event);
	repair_arm(s);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct session *s = poll->data;
	struct watch *watch = poll == &s->repair.links_poll ? s->repair.links : s->repair.rules;
	(void)events;
	int e = watch_read(watch, on_event, s);
	/* libuv stops polling a socket with an error, which here is an overflow, told by
	 * watch_read() as WATCH_LOST. */
	if (e == 0 && status < 0)
		e = uv_poll_start(poll, UV_READABLE, on_readable);
	if (e == 0)
		return;
	/* What is missed from now on is seen by the periodic look. */
	log_warn("listening to the kernel: %s", strerror(-e));
	uv_poll_stop(poll);
	s->repair.deaf = true;
	kernel_forget(&s->kernel);
	repair_arm(s);
}

bool repair_hears(struct session *s)
{
	struct repair *r = &s->repair;

	if (!r->opened || r->deaf || watch_read(r->links, on_event, s) != 0)
		kernel_forget(&s->kernel);
	return r->opened && !r->deaf;
}

static void on_periodic(uv_timer_t *timer)
{
	repair_arm(timer->data);
}

static int listen_to(struct session *s, struct watch *watch, uv_poll_t *poll)
{
	int e = uv_poll_init(s->loop, poll, watch_fd(watch));
	if (e)
		return e;
	poll->data = s;
	return uv_poll_start(poll, UV_READABLE, on_readable);
}

int repair_open(struct session *s, FILE *errors)
{
	struct repair *r = &s->repair;
	int e = watch_open(&r->links);
	if (e == 0)
		e = listen_to(s, r->links, &r->links_poll);
	if (e == 0 && s->kernel.nft_error == 0) {
		e = watch_open_rules(RULES_TABLE_NAME, &r->rules);
		if (e == 0)
			e = listen_to(s, r->rules, &r->rules_poll);
		if (e == -EPROTONOSUPPORT)
			e = 0;
	}
	if (e) {
		fprintf(errors, "listening to the kernel: %s\n", strerror(-e));
		return e;
	}
	uv_timer_init(s->loop, &r->look);
	uv_timer_init(s->loop, &r->periodic);
	r->look.data = r->periodic.data = s;
	r->opened = true;
	uv_timer_start(&r->periodic, on_periodic, PERIODIC_MS, PERIODIC_MS);
	return 0;
}

static void close_handle(uv_handle_t *handle)
{
	if (handle->data && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

void repair_close(struct session *s)
{
	struct repair *r = &s->repair;
	r->opened = false;
	close_handle((uv_handle_t *)&r->links_poll);
	close_handle((uv_handle_t *)&r->rules_poll);
	close_handle((uv_handle_t *)&r->look);
	close_handle((uv_handle_t *)&r->periodic);
	if (r->links)
		watch_close(r->links);
	if (r->rules)
		watch_close(r->rules);
	r->links = r->rules = NULL;
	free(r->complaint);
	r->complaint = NULL;
	json_decref(r->last_removed);
	json_decref(r->removed);
	r->last_removed = r->removed = NULL;
}
