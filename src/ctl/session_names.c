/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_names.c: what the running site does when the name of a peer means something else, or a
 * peer behind a NAT has proved to be somewhere else. */
#include <errno.h>
#include <string.h>

#include "ctl/event.h"
#include "ctl/session.h"

/* A name that is looked up in both families mostly has one. */
static bool has_other_family(const struct session *s, const struct names_news *news)
{
	const struct state_name *other =
		state_find_name(&s->state, news->name, news->family == IP_V6 ? IP_V4 : IP_V6);
	return other && !other->error[0] && other->addr.family != IP_NONE;
}

static void tell(struct session *s, const struct names_news *news)
{
	char old[ADDR_TEXT_SIZE], now[ADDR_TEXT_SIZE];
	json_t *details = json_pack("{s:s, s:s, s:s, s:s}", "name", news->name, "old",
				    addr_format(&news->old, old), "new",
				    addr_format(&news->now, now), "error", news->error);
	if (news->error[0] && news->now.family != IP_NONE)
		session_event(s, EVENT_NAME, NULL, details, LOG_LEVEL_WARN,
			      "%s cannot be looked up (%s): going on with %s", news->name,
			      news->error, now);
	else if (news->error[0])
		session_event(s, EVENT_NAME, NULL, details, LOG_LEVEL_WARN,
			      "%s cannot be looked up: %s", news->name, news->error);
	else
		session_event(s, EVENT_NAME, NULL, details, LOG_LEVEL_INFO, "%s is %s", news->name,
			      now);
}

static void on_news(void *arg, const struct names_news *news)
{
	struct session *s = arg;
	if (s->down)
		return;
	if (!news->error[0] || news->now.family != IP_NONE || !has_other_family(s, news))
		tell(s, news);
	if (!addr_equal(&news->old, &news->now))
		s->names_unsaved = true;
	if (s->conf)
		repair_arm(s);
}

void session_names_proved(struct session *s, const struct dp_event *event)
{
	const struct conf_tunnel *tunnel = s->conf ? conf_find_tunnel(s->conf, event->name) : NULL;
	struct state_peer peer = {
		.digest = event->nat_digest, .addr = event->remote, .port = event->port};
	if (!tunnel || !tunnel->remote_any || s->down)
		return;
	memcpy(peer.tunnel, tunnel->name, sizeof(peer.tunnel) - 1);
	if (state_set_peer(&s->state, &peer))
		log_warn("tunnel %s: %s", tunnel->name, strerror(ENOMEM));
	s->names_unsaved = true;
}

static bool is_learned(void *arg, const char *name)
{
	const struct conf_tunnel *tunnel = conf_find_tunnel(arg, name);
	return tunnel && tunnel->remote_any;
}

void session_names_keep(struct session *s)
{
	if (state_keep_peers(&s->state, is_learned, s->conf))
		s->names_unsaved = true;
}

/* For the next daemon; together, since there may be thousands at a time. */
void session_names_save(struct session *s)
{
	if (!s->names_unsaved || s->down)
		return;
	s->names_unsaved = false;
	int e = state_store(&s->state);
	if (e)
		log_warn("%s: %s", s->state.path, strerror(-e));
}

static void on_settled(void *arg)
{
	struct session *s = arg;
	if (s->on_settled)
		s->on_settled(s->settled_arg);
}

int session_names_open(struct session *s)
{
	return names_open(s->loop, &s->state, &(struct names_sink){s, on_news, on_settled},
			  &s->names);
}

void session_names_silent(struct session *s, const struct conf_tunnel *tunnel, bool silent)
{
	if (s->names && tunnel->remote_name)
		names_silent(s->names, tunnel->remote_name, silent);
}

void session_names_close(struct session *s)
{
	if (s->names)
		names_close(s->names);
	s->names = NULL;
}
