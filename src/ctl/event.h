/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h: what happens to a running site, told once. session_event() is the one place through
 * which it reaches the log, and everybody who listens with `gretel monitor`, as one JSON object:
 *
 *   {"time": "2026-11-22T21:45:00.123Z", "monotonic_ms": 5023111, "event": "keepalive",
 *    "tunnel": "My_Tunnel", "text": "tunnel My_Tunnel: ...", ...}
 *
 * and then the details of its kind.
 */
#ifndef CTL_EVENT_H
#define CTL_EVENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/log.h"

struct session;

/* X(identifier, name, what it means); gretel(8) has the same list. */
#define EVENTS(X)                                                                           \
	X(SNAPSHOT, "snapshot", "the first line: how all tunnels are")                      \
	X(STATE, "state", "a tunnel is in place, waits, failed, or was removed")            \
	X(KEEPALIVE, "keepalive", "the peer of a tunnel answers, or does not any more")     \
	X(USABLE, "usable", "a tunnel can be used, or cannot any more: hooks run")          \
	X(PATH_MTU, "path-mtu", "the path to the peer carries packets of another size")     \
	X(NAME, "name", "the name of a peer means another address, or cannot be looked up") \
	X(PEER, "peer", "the address of the peer is another one")                           \
	X(LOCAL, "local", "the local address of a tunnel is another one")                   \
	X(HOOK, "hook", "a command of on-up or on-down has ended")                          \
	X(RELOAD, "reload", "the configuration was read again, or edited by a command")     \
	X(REPAIR, "repair", "what somebody else had changed was put back")                  \
	X(STOP, "stop", "the daemon goes down")                                             \
	X(LOST, "lost", "events that this reader was too slow for")

enum event_kind {
#define EVENT_ENUM(id, name, text) EVENT_##id,
	EVENTS(EVENT_ENUM)
#undef EVENT_ENUM
};

const char *event_name(enum event_kind kind);

/* An event with its time and nothing else: the first members of every line. */
json_t *event_object(enum event_kind kind);
/* The server's word for `count` events that a reader did not get. */
json_t *event_lost(uint64_t count);

/* Raises an event of a tunnel, or with NULL of the daemon. `details` (an object, or NULL) is taken
 * over. The words are the line of the log, at that level. */
void session_event(struct session *session, enum event_kind kind, const char *tunnel,
		   json_t *details, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* "2026-11-22T21:45:00.123Z" of a moment of CLOCK_MONOTONIC; null for 0, which is never. */
json_t *event_time(uint64_t monotonic_ns);

#endif
