/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echosock.h: sends ICMP echo and watches what becomes of it on every device of this host. A packet
 * socket sees requests, answers and errors where they arrive and leave: arriving ones before any
 * rule, leaving ones after all rules. Raw sockets see what is delivered to this host in the end.
 */
#ifndef OS_ECHOSOCK_H
#define OS_ECHOSOCK_H

#include <stdint.h>

#include "proto/echo.h"

struct echosock {
	uint16_t id; /* of all requests; what has another is not ours */
	int tap, raw4, raw6;
};

/* Returns 0 or -errno. A family that the kernel lacks is left out. */
int echosock_open(struct echosock *sock, uint16_t id);
void echosock_close(struct echosock *sock);

/* Sends from this host. oif: by this device, whatever the routes say; 0: as the routes say.
 * request->id is the socket's. Returns 0 or -errno. */
int echosock_send(struct echosock *sock, const struct echo_request *request, uint32_t oif);

enum echo_where { ECHO_ARRIVED, ECHO_LEFT, ECHO_DELIVERED };

struct echo_event {
	enum echo_where where;
	uint32_t ifindex; /* 0 when DELIVERED */
	struct echo_seen seen;
};

/* Waits for the next event, at most `timeout_ms`. 1 with *out, 0 when there was none, -errno. */
int echosock_next(struct echosock *sock, int timeout_ms, struct echo_event *out);

#endif
