/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alive.h: whether the peer of a tunnel is there, on its packet thread.
 *
 *   alive.c    asks, by one timing wheel for all tunnels, and judges the answers
 *   reflect.c  sends back what the peer asks, whether this side asks or not
 *
 * Worker 0 alone asks and judges: that keeps sequence numbers in order, and raw_share() gives it
 * all that can be an answer. Whichever worker receives the peer's questions sends them back.
 */
#ifndef DP_ALIVE_H
#define DP_ALIVE_H

#include <uv.h>

#include "dp/ask.h"
#include "dp/dp.h"
#include "dp/wheel.h"
#include "proto/gre.h"
#include "proto/kaquest.h"
#include "proto/keepalive.h"

struct port;
struct worker;

/* Octets of the longest passenger that can be a question or an answer. */
#define ALIVE_PASSENGER_MAX 128

/* A rate of packets that are sent back. */
struct alive_limit {
	uint64_t second_ns; /* when the second began in which ... */
	uint32_t count;	    /* ... so many came */
};

struct alive {
	struct wheel_entry entry; /* while there is something to ask */
	struct keepalive judge;
	struct kabody body;
	bool signed_seen;	/* the peer has returned a signature */
	bool plain_only;	/* AUTO: it answers, but never with the signature */
	uint32_t plain_count;	/* plain answers since the signature was tried anew */
	uint32_t plain_open;	/* plain questions since the last plain answer */
	uint64_t plain_ns;	/* when the last of them was asked */
	uint16_t plain_id;	/* and the identification of its answer */
	uint32_t answers_asked; /* sequence number of the next answer, where we want one */
	struct alive_limit questions, probes; /* of the peer, sent back */
	struct alive_limit echoes;	      /* requests of it, answered for lack of a carrier */
	/* What the main thread reads, as counters are read. */
	uint64_t state, unanswered, since_ns, rtt_ns, jitter_ns, loss_permille, held, form;
};

/* What the tunnels of one worker share. */
struct alive_clock {
	struct worker *worker;
	struct wheel wheel;
	uv_timer_t timer;
	uint64_t armed_ns; /* when the timer fires; UINT64_MAX: not at all */
	struct asker asker;
};

/* NULL when there is no memory. The timer joins the worker's loop and is closed with it. */
struct alive_clock *alive_clock_new(struct worker *worker);
void alive_clock_free(struct alive_clock *clock);

/* After port->params have taken the place of `old`: asks as they say, soon and then at each
 * interval. */
void alive_change(struct port *port, const struct dp_params *old);
/* The port is about to go. */
void alive_close(struct port *port);

/* An outer packet that has the shape of an answer. */
struct alive_reply {
	enum kapkt_answer kind;
	const uint8_t *body; /* KABODY_LENGTH octets, when it is KAPKT_SIGNED */
	bool has_id;
	uint16_t id; /* of the IPv4 header */
};

enum drop_reason alive_answered(struct port *port, const struct alive_reply *reply,
				uint64_t now_ns);

/* The tunnel's addresses, for the functions of kaquest.h. `receive`: with the key that we expect,
 * not the one that the peer does. */
struct kapkt_tunnel alive_tunnel(const struct dp_params *params, bool receive);

/* When the passenger, whole at p, is an answer to a question that we sent through the tunnel: takes
 * it, the outcome in *reason. False when it is none. */
bool alive_take_passenger(struct port *port, uint16_t protocol, uint8_t *p, const uint8_t *end,
			  uint64_t now_ns, enum drop_reason *reason);

/* reflect.c: counts one more; false when it is more than `most` in this second. */
bool alive_within(struct alive_limit *limit, uint32_t most, uint64_t now_ns);

/* reflect.c: the same for what the peer wants back. */
bool reflect_passenger(struct port *port, uint16_t protocol, uint8_t *p, const uint8_t *end,
		       uint64_t now_ns, enum drop_reason *reason);

#endif
