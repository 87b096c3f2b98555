/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/alive.h"

#include "dp/counters.h"
#include "dp/in.h"
#include "dp/send.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/kapkt.h"

/* The peer's questions that are answered in a second; the shortest interval that we know asks for
 * 20. */
#define ANSWERS_MAX 100
/* More than a full socket holds. */
#define BACKLOG_ROUNDS 64
#define SECOND_NS      1000000000ull

static void show(struct port *port)
{
	struct alive *alive = &port->alive;

	counter_set(&alive->unanswered, alive->judge.unanswered);
	counter_set(&alive->since_ns, alive->judge.since_ns);
	counter_set(&alive->state, alive->judge.state);
}

/* Through the kernel's whole output path at once; none of the passengers that are counted. */
static void send_now(struct port *port, uint8_t *packet, uint32_t len)
{
	struct sender *sender = port->worker->sender;

	sender_add(sender, port, &(struct send_item){0, 0}, packet, len, (struct payload){0});
	sender_flush_routed(sender);
}

static void ask(struct port *port)
{
	const struct dp_params *p = &port->params;
	uint8_t octets[KAPKT_LENGTH_MAX];
	struct kapkt question = {
		.family = p->remote.family,
		.local = p->local.bytes,
		.remote = p->remote.bytes,
		.ask = {.has_checksum = p->csum_send,
			.has_key = p->has_okey,
			.has_sequence = p->seq_send,
			.key = p->okey},
		.back = {.has_checksum = p->csum_require,
			 .has_key = p->has_ikey,
			 .has_sequence = p->seq_receive,
			 .key = p->ikey},
	};

	/* The kernel fills in an identification of 0, and the pair would not be one. */
	do {
		port->ip_id += 2;
		question.id = (uint16_t)port->ip_id;
	} while (question.id < 2);
	port->ip_id++;
	if (p->seq_send)
		question.ask.sequence = seq_send(port->seq_next);
	if (p->seq_receive)
		question.back.sequence = port->alive.answers_asked++;
	counter_add(&port->counters.keepalives_sent, 1);
	send_now(port, octets, kapkt_build(octets, &question));
}

static void step(struct port *port, enum keepalive_event event, uint64_t now_ns, unsigned *actions)
{
	struct dp_event verdict = {.kind = DP_EVENT_VERDICT};

	*actions = keepalive_step(&port->alive.judge, event, now_ns);
	show(port);
	if (*actions & KEEPALIVE_VERDICT)
		port->worker->notify(port->worker->notify_arg, &verdict);
	if (*actions & KEEPALIVE_ASK)
		ask(port);
}

static void on_tick(uv_timer_t *timer)
{
	struct port *port = timer->data;
	unsigned actions;

	/* When this thread was kept from running, the answer may be here and not yet read. */
	for (unsigned i = 0; i < BACKLOG_ROUNDS && keepalive_at_limit(&port->alive.judge); i++)
		if (in_drain(port->worker, port->params.remote.family))
			break;
	step(port, KEEPALIVE_TICK, uv_hrtime(), &actions);
}

void alive_open(struct port *port)
{
	uv_timer_init(&port->worker->loop, &port->alive.timer);
	port->alive.timer.data = port;
}

/* Whether what was found of the peer still holds. */
static bool same_peer(const struct dp_params *a, const struct dp_params *b)
{
	return addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote) &&
	       a->has_ikey == b->has_ikey && a->ikey == b->ikey && a->has_okey == b->has_okey &&
	       a->okey == b->okey;
}

void alive_change(struct port *port, const struct dp_params *params)
{
	const struct dp_params *old = &port->params;
	struct keepalive *judge = &port->alive.judge;
	bool same = same_peer(old, params);

	if (port->worker->index != 0 ||
	    (same && old->keepalive_interval_ms == params->keepalive_interval_ms &&
	     old->keepalive_retries == params->keepalive_retries))
		return;
	if (params->keepalive_interval_ms == 0) {
		*judge = (struct keepalive){.state = KEEPALIVE_OFF};
		uv_timer_stop(&port->alive.timer);
	} else {
		if (!same || judge->state == KEEPALIVE_OFF)
			*judge = (struct keepalive){.state = KEEPALIVE_UNKNOWN};
		judge->retries = params->keepalive_retries;
		uv_timer_start(&port->alive.timer, on_tick, 0, params->keepalive_interval_ms);
	}
	show(port);
}

bool alive_is_answer(const struct port *port, const struct gre_header *h, uint32_t body)
{
	return kapkt_is_answer(port->params.remote.family, h, body);
}

enum drop_reason alive_answered(struct port *port, uint64_t now_ns)
{
	unsigned actions;

	if (port->alive.judge.state == KEEPALIVE_OFF)
		return DROP_RX_KEEPALIVE_UNASKED;
	step(port, KEEPALIVE_ANSWER, now_ns, &actions);
	if (actions & KEEPALIVE_STRAY)
		return DROP_RX_KEEPALIVE_UNASKED;
	counter_add(&port->counters.keepalives_received, 1);
	return DROP_NONE;
}

static bool within_limit(struct alive *alive, uint64_t now_ns)
{
	if (now_ns - alive->second_ns >= SECOND_NS) {
		alive->second_ns = now_ns;
		alive->second_answers = 0;
	}
	return alive->second_answers++ < ANSWERS_MAX;
}

bool alive_answer(struct port *port, uint16_t protocol, uint8_t *packet, const uint8_t *end,
		  uint64_t now_ns, enum drop_reason *reason)
{
	const struct dp_params *p = &port->params;
	struct kapkt_tunnel tunnel = {.family = p->remote.family,
				      .local = p->local.bytes,
				      .remote = p->remote.bytes,
				      .has_key = p->has_okey,
				      .key = p->okey};
	unsigned len;

	if (protocol != (tunnel.family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6))
		return false;
	len = kapkt_question(packet, end, &tunnel);
	if (len == 0)
		return false;
	if (!within_limit(&port->alive, now_ns)) {
		*reason = DROP_RX_KEEPALIVE_LIMIT;
		return true;
	}
	*reason = DROP_NONE;
	kapkt_turn(packet, tunnel.family);
	counter_add(&port->counters.keepalives_reflected, 1);
	send_now(port, packet, len);
	return true;
}
