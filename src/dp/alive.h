/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alive.h: the keepalive of a tunnel on its packet thread. Worker 0 alone asks and judges: that
 * keeps sequence numbers in order, and raw_share() gives it all answers, which are too short to be
 * divided. Whichever worker receives the peer's own questions sends them back, whether this side
 * asks or not.
 */
#ifndef DP_ALIVE_H
#define DP_ALIVE_H

#include <uv.h>

#include "dp/dp.h"
#include "proto/gre.h"
#include "proto/keepalive.h"

struct port;

/* Octets of the longest passenger that can be a question of the peer. */
#define ALIVE_QUESTION_MAX 128

struct alive {
	struct keepalive judge;
	uv_timer_t timer;
	uint32_t answers_asked;	 /* sequence number of the next answer, where we want one */
	uint64_t second_ns;	 /* when the second began in which ... */
	uint32_t second_answers; /* ... so many questions of the peer were answered */
	/* What the main thread reads, as counters are read. */
	uint64_t state, unanswered, since_ns;
};

/* For a port whose handle joins the loop. Closing the timer is the port's business. */
void alive_open(struct port *port);
/* Before port->params become `params`: asks as they say, at once and then at each interval. */
void alive_change(struct port *port, const struct dp_params *params);

/* True for an outer packet with `body` octets behind its GRE header `h` that alive_answered() is
 * for. */
bool alive_is_answer(const struct port *port, const struct gre_header *h, uint32_t body);
enum drop_reason alive_answered(struct port *port, uint64_t now_ns);

/* When the passenger is a question of the peer, takes it and sends it back, with the outcome in
 * *reason; false when it is none. */
bool alive_answer(struct port *port, uint16_t protocol, uint8_t *packet, const uint8_t *end,
		  uint64_t now_ns, enum drop_reason *reason);

#endif
