/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/jtext.h"
#include "ctl/server.h"
#include "ctl/session.h"

#define TEXT_MAX 512

const char *event_name(enum event_kind kind)
{
	static const char *const names[] = {
#define EVENT_NAME(id, name, text) [EVENT_##id] = name,
		EVENTS(EVENT_NAME)
#undef EVENT_NAME
	};
	return names[kind];
}

json_t *event_time(uint64_t monotonic_ns)
{
	if (monotonic_ns == 0)
		return json_null();
	uint64_t ns = clock_wall_ns(monotonic_ns);
	time_t seconds = (time_t)(ns / CLOCK_SECOND_NS);
	struct tm tm;
	char date[sizeof "2000-01-01T00:00:00"], text[40];
	if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%FT%T", &tm) == 0)
		return json_null();
	snprintf(text, sizeof text, "%s.%03uZ", date, (unsigned)(ns % CLOCK_SECOND_NS / 1000000u));
	return json_string(text);
}

json_t *event_object(enum event_kind kind)
{
	uint64_t now = clock_now_ns();
	return json_pack("{s:o, s:I, s:s}", "time", event_time(now), "monotonic_ms",
			 (json_int_t)(now / 1000000u), "event", event_name(kind));
}

json_t *event_lost(uint64_t count)
{
	json_t *object = event_object(EVENT_LOST);
	json_object_set_new(object, "events", json_integer((json_int_t)count));
	return object;
}

void session_event(struct session *s, enum event_kind kind, const char *tunnel, json_t *details,
		   enum log_level level, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_line(level, "%s", text);
	if (s->server && server_has_subscribers(s->server)) {
		json_t *object = event_object(kind);
		if (tunnel)
			json_object_set_new(object, "tunnel", json_string(tunnel));
		json_object_set_new(object, "text", jtext(text, strlen(text)));
		json_object_update(object, details);
		server_publish(s->server, tunnel, object);
		json_decref(object);
	}
	json_decref(details);
}
