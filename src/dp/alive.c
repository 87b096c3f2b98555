/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten thousand tunnels that ask once a second are ten thousand packets a second, but not as many
 * wake-ups: what is due is rounded up to a hundredth of the interval or so, and what is due
 * together is sent together. The phases of the tunnels are spread at random over half an interval.
 */
#include "dp/alive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dp/counters.h"
#include "dp/in.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/kaecho.h"

/* More than a full socket holds. */
#define BACKLOG_ROUNDS 64
#define MS_NS	       1000000ull
/* Due times are multiples of this part of the interval. */
#define GRAIN_PART   128
#define GRAIN_MAX_NS (64 * MS_NS)
/* Plain answers, and none with a signature, that show that the peer does not return it. */
#define PLAIN_ENOUGH 3

static const uint8_t *inner(const struct ip_addr *addr)
{
	return addr->family == IP_NONE ? NULL : addr->bytes;
}

struct kapkt_tunnel alive_tunnel(const struct dp_params *p, bool receive)
{
	return (struct kapkt_tunnel){
		.family = p->remote.family,
		.local = p->local.bytes,
		.remote = p->remote.bytes,
		.near = {inner(&p->near4), inner(&p->near6)},
		.far = {inner(&p->peer4), inner(&p->peer6)},
		.has_key = receive ? p->has_ikey : p->has_okey,
		.key = receive ? p->ikey : p->okey,
		.nat = p->keepalive_nat,
	};
}

/* Showing. */

static void show(struct port *port)
{
	struct alive *alive = &port->alive;
	const struct keepalive *judge = &alive->judge;
	bool plain = port->params.keepalive_form == KEEPALIVE_AUTO && alive->plain_only;

	counter_set(&alive->unanswered, judge->unanswered);
	counter_set(&alive->since_ns, judge->since_ns);
	counter_set(&alive->rtt_ns, judge->meter.srtt_ns);
	counter_set(&alive->jitter_ns, judge->meter.jitter_ns);
	counter_set(&alive->loss_permille, kameter_loss_permille(&judge->meter));
	counter_set(&alive->held, judge->state == KEEPALIVE_HOLD ? judge->hold_left : 0);
	counter_set(&alive->form, plain		       ? KEEPALIVE_CISCO
				  : alive->signed_seen ? KEEPALIVE_OPENBSD
						       : port->params.keepalive_form);
	counter_set(&alive->state, judge->state);
}

static unsigned step(struct port *port, enum keepalive_event event, uint64_t now_ns)
{
	struct dp_event verdict = {.kind = DP_EVENT_VERDICT};
	struct alive *alive = &port->alive;
	unsigned actions = keepalive_step(&alive->judge, event, now_ns);

	/* A peer that comes back may be another one, which signs. */
	if (actions & KEEPALIVE_VERDICT && alive->judge.state == KEEPALIVE_DOWN) {
		alive->plain_only = false;
		alive->plain_count = 0;
	}
	show(port);
	if (actions & KEEPALIVE_VERDICT)
		port->worker->notify(port->worker->notify_arg, &verdict);
	return actions;
}

/* Asking. */

/* An identification for a question and, one less, for its answer. The kernel fills in another for
 * 0, and the two would not be a pair. */
static uint16_t next_id(struct port *port)
{
	uint16_t id;

	do {
		port->ip_id += 2;
		id = (uint16_t)port->ip_id;
	} while (id < 2);
	port->ip_id++;
	return id;
}

static void ask_keepalive(struct port *port, const uint8_t *body)
{
	const struct dp_params *p = &port->params;
	struct asker *asker = &port->worker->alive->asker;
	uint8_t *slot = ask_slot(asker, port);
	bool v6 = p->peer4.family == IP_NONE;
	struct kapkt question = {
		.form = p->keepalive_form,
		.family = p->remote.family,
		.local = p->local.bytes,
		.remote = p->remote.bytes,
		.inside = v6 ? IP_V6 : IP_V4,
		.near = v6 ? p->near6.bytes : p->near4.bytes,
		.far = v6 ? p->peer6.bytes : p->peer4.bytes,
		.id = next_id(port),
		.body = body,
		.ask = {.has_checksum = p->csum_send,
			.has_key = p->has_okey,
			.has_sequence = p->seq_send,
			.key = p->okey},
		.back = {.has_checksum = p->csum_require,
			 .has_key = p->has_ikey,
			 .has_sequence = p->seq_receive,
			 .key = p->ikey},
	};

	counter_add(&port->counters.keepalives_sent, 1);
	if (p->seq_receive)
		question.back.sequence = port->alive.answers_asked++;
	/* Question and answer are passengers then. */
	if (p->udp_port) {
		ask_add_passenger(asker, slot, kapkt_build_back(slot, &question));
		return;
	}
	if (p->seq_send)
		question.ask.sequence = seq_send(port->seq_next);
	ask_add(asker, slot, kapkt_build(slot, &question));
}

static struct kaecho echo_of(const struct port *port)
{
	const struct dp_params *p = &port->params;

	return (struct kaecho){
		.family = p->probe.family,
		.near = p->probe_from.bytes,
		.far = p->probe.bytes,
		.id = (uint16_t)port->alive.body.bias_ms,
	};
}

static void ask_echo(struct port *port, const uint8_t *body)
{
	struct asker *asker = &port->worker->alive->asker;
	struct kaecho echo = echo_of(port);
	uint8_t *slot = ask_slot(asker, port);

	echo.sequence = (uint16_t)port->alive.body.count;
	echo.ip_id = next_id(port);
	echo.body = body;
	counter_add(&port->counters.keepalives_sent, 1);
	ask_add_passenger(asker, slot, kaecho_build(slot, &echo));
}

static void ask_plain(struct port *port, uint64_t now_ns)
{
	ask_keepalive(port, NULL);
	port->alive.plain_open++;
	port->alive.plain_ns = now_ns;
	/* next_id() is two ahead of the passenger's, which will be the answer's. */
	port->alive.plain_id = (uint16_t)(port->ip_id - 2);
}

/* AUTO signs, and as long as no signature came back it also asks without, from the second question
 * in a row on: two routers of ours never see that one. */
static void ask(struct port *port, uint64_t now_ns)
{
	struct alive *alive = &port->alive;
	const struct keepalive *judge = &alive->judge;
	uint8_t form = port->params.keepalive_form, body[KABODY_LENGTH];
	bool echo = port->params.probe.family != IP_NONE;
	bool auto_plain = form == KEEPALIVE_AUTO && !alive->signed_seen;

	if (echo || form == KEEPALIVE_OPENBSD || (form == KEEPALIVE_AUTO && !alive->plain_only)) {
		kabody_write(&alive->body, body, judge->meter.asked - 1, now_ns);
		if (echo)
			ask_echo(port, body);
		else
			ask_keepalive(port, body);
		if (echo || !auto_plain || (judge->unanswered < 2 && judge->retries > 1))
			return;
	}
	ask_plain(port, now_ns);
}

/* The clock. */

static uint64_t grain(const struct keepalive *k)
{
	uint64_t grain = k->interval_ns / GRAIN_PART;

	return grain < MS_NS ? MS_NS : grain < GRAIN_MAX_NS ? grain : GRAIN_MAX_NS;
}

static void on_clock(uv_timer_t *timer);

static void arm(struct alive_clock *clock, uint64_t at_ns)
{
	uint64_t now = uv_hrtime(), ms = at_ns > now ? (at_ns - now + MS_NS - 1) / MS_NS : 0;

	if (clock->armed_ns <= at_ns)
		return;
	clock->armed_ns = at_ns;
	uv_update_time(&clock->worker->loop);
	uv_timer_start(&clock->timer, on_clock, ms, 0);
}

static void schedule(struct port *port)
{
	struct alive *alive = &port->alive;
	uint64_t due = keepalive_next(&alive->judge), part = grain(&alive->judge);

	wheel_put(&port->worker->alive->wheel, &alive->entry, (due + part - 1) / part * part);
}

static struct port *port_of(struct wheel_entry *entry)
{
	return (struct port *)((char *)entry - offsetof(struct port, alive.entry));
}

/* When this thread was kept from running, answers may be here and not yet read. */
static void read_backlog(struct worker *worker)
{
	for (enum worker_input input = INPUT_GRE4; input < INPUT_COUNT; input++)
		for (unsigned i = 0; worker_input(worker, input) >= 0 && i < BACKLOG_ROUNDS &&
				     !in_drain(worker, input);
		     i++)
			;
}

static void on_clock(uv_timer_t *timer)
{
	struct alive_clock *clock = timer->data;
	uint64_t now = uv_hrtime();
	struct wheel_entry *next, *due = wheel_take(&clock->wheel, now);
	bool backlog_read = false;

	clock->armed_ns = UINT64_MAX;
	for (struct wheel_entry *e = due; e; e = next) {
		struct port *port = port_of(e);

		next = e->next;
		if (!backlog_read && keepalive_at_limit(&port->alive.judge, now)) {
			read_backlog(clock->worker);
			backlog_read = true;
		}
		if (step(port, KEEPALIVE_TIMER, now) & KEEPALIVE_ASK)
			ask(port, now);
		schedule(port);
	}
	ask_flush(&clock->asker);
	if (clock->wheel.count)
		arm(clock, wheel_next(&clock->wheel));
}

struct alive_clock *alive_clock_new(struct worker *worker)
{
	struct alive_clock *clock = calloc(1, sizeof *clock);

	if (!clock)
		return NULL;
	clock->worker = worker;
	clock->armed_ns = UINT64_MAX;
	clock->wheel.done = uv_hrtime() >> 20;
	uv_timer_init(&worker->loop, &clock->timer);
	clock->timer.data = clock;
	return clock;
}

void alive_clock_free(struct alive_clock *clock)
{
	free(clock);
}

/* Changing. */

/* One that has proved to be the peer is the same wherever it is. */
static bool same_remote(const struct dp_params *a, const struct dp_params *b)
{
	if (a->nat_any && b->nat_any)
		return (a->remote.family == IP_NONE) == (b->remote.family == IP_NONE);
	return addr_equal(&a->remote, &b->remote);
}

/* Whether what was found of the peer still holds. */
static bool same_peer(const struct dp_params *a, const struct dp_params *b)
{
	return addr_equal(&a->local, &b->local) && same_remote(a, b) &&
	       a->has_ikey == b->has_ikey && a->ikey == b->ikey && a->has_okey == b->has_okey &&
	       a->okey == b->okey && a->keepalive_form == b->keepalive_form &&
	       addr_equal(&a->probe, &b->probe) && addr_equal(&a->probe_from, &b->probe_from) &&
	       (a->keepalive_interval_ms == 0) == (b->keepalive_interval_ms == 0);
}

static bool same_terms(const struct dp_params *a, const struct dp_params *b)
{
	return a->keepalive_interval_ms == b->keepalive_interval_ms &&
	       a->keepalive_retries == b->keepalive_retries &&
	       a->keepalive_hold == b->keepalive_hold;
}

/* All that was known of another peer goes, but for the rates, which are the tunnel's. */
static void forget(struct alive *alive)
{
	alive->judge = (struct keepalive){.state = KEEPALIVE_UNKNOWN};
	alive->signed_seen = alive->plain_only = false;
	alive->plain_count = alive->plain_open = 0;
	alive->body = (struct kabody){.count = 0};
	/* Cannot fail for so few octets. */
	if (getrandom(&alive->body.key, sizeof alive->body.key, 0) < 0 ||
	    getrandom(&alive->body.bias_ms, sizeof alive->body.bias_ms, 0) < 0)
		alive->body.bias_ms = (uint32_t)uv_hrtime();
}

static void begin(struct port *port)
{
	const struct dp_params *params = &port->params;
	struct alive *alive = &port->alive;
	struct alive_clock *clock = port->worker->alive;
	uint64_t interval = params->keepalive_interval_ms * MS_NS, now = uv_hrtime();
	uint64_t phase = alive->body.key.k0 % (interval / 2);

	/* The first question is due at once, the next one as if it had been due `phase` ago. */
	keepalive_set(&alive->judge, interval, params->keepalive_retries, params->keepalive_hold,
		      now - phase);
	wheel_put(&clock->wheel, &alive->entry, now);
	arm(clock, now);
}

void alive_change(struct port *port, const struct dp_params *old)
{
	const struct dp_params *params = &port->params;
	struct alive *alive = &port->alive;
	bool same = same_peer(old, params);

	if (port->worker->index != 0 || (same && same_terms(old, params)))
		return;
	if (!same)
		forget(alive);
	if (params->keepalive_interval_ms == 0) {
		alive->judge.state = KEEPALIVE_OFF;
		alive_close(port);
	} else {
		begin(port);
	}
	show(port);
}

void alive_close(struct port *port)
{
	wheel_remove(&port->worker->alive->wheel, &port->alive.entry);
}

/* Answers. */

static enum drop_reason take_signed(struct port *port, const uint8_t *body, uint64_t now_ns)
{
	struct alive *alive = &port->alive;
	struct kabody_question question = {.asked_ns = 0};

	switch (kabody_judge(&alive->body, body, now_ns, &question)) {
	case KABODY_FORGED:
		return DROP_RX_KEEPALIVE_FORGED;
	case KABODY_STALE:
		return DROP_RX_KEEPALIVE_STALE;
	case KABODY_REPEATED:
		return DROP_RX_KEEPALIVE_UNASKED;
	case KABODY_GOOD:
		break;
	}
	alive->signed_seen = true;
	kameter_answer(&alive->judge.meter, question.number);
	kameter_sample(&alive->judge.meter, now_ns - question.asked_ns);
	step(port, KEEPALIVE_ANSWER, now_ns);
	counter_add(&port->counters.keepalives_received, 1);
	return DROP_NONE;
}

/* The time of an answer counts when it is certain which question it answers: by the identification
 * of an IPv4 header, or because only one is open (as Karn's rule has it for TCP, RFC 6298 3). */
static bool is_of_last(const struct alive *alive, const struct alive_reply *reply)
{
	return reply->has_id ? reply->id == alive->plain_id : alive->plain_open == 1;
}

static enum drop_reason take_plain(struct port *port, const struct alive_reply *reply,
				   uint64_t now_ns)
{
	struct alive *alive = &port->alive;
	bool of_last = is_of_last(alive, reply);

	if (alive->plain_open == 0)
		return DROP_RX_KEEPALIVE_UNASKED;
	alive->plain_open = 0;
	/* The signed one, asked at the same time, was faster. */
	if (alive->signed_seen)
		return DROP_NONE;
	if (++alive->plain_count >= PLAIN_ENOUGH)
		alive->plain_only = true;
	kameter_answer(&alive->judge.meter, alive->judge.meter.asked - 1);
	if (of_last)
		kameter_sample(&alive->judge.meter, now_ns - alive->plain_ns);
	step(port, KEEPALIVE_ANSWER, now_ns);
	counter_add(&port->counters.keepalives_received, 1);
	return DROP_NONE;
}

enum drop_reason alive_answered(struct port *port, const struct alive_reply *reply, uint64_t now_ns)
{
	uint8_t form = port->params.keepalive_form;
	bool signs = form == KEEPALIVE_AUTO || form == KEEPALIVE_OPENBSD;

	if (port->alive.judge.state == KEEPALIVE_OFF || port->params.probe.family != IP_NONE ||
	    form == KEEPALIVE_INSIDE)
		return DROP_RX_KEEPALIVE_UNASKED;
	if (reply->kind == KAPKT_SIGNED)
		return signs ? take_signed(port, reply->body, now_ns) : DROP_RX_KEEPALIVE_FORGED;
	if (port->alive.plain_open == 0 && (form == KEEPALIVE_OPENBSD || port->alive.signed_seen))
		return DROP_RX_KEEPALIVE_FORGED;
	return take_plain(port, reply, now_ns);
}

static bool take_echo(struct port *port, uint8_t *p, const uint8_t *end, uint64_t now_ns,
		      enum drop_reason *reason)
{
	struct kaecho echo = echo_of(port);
	const uint8_t *body = kaecho_answer(p, end, &echo);

	/* Anybody on this host may ask that address with that number. */
	if (!body || !kabody_is_ours(&port->alive.body, body))
		return false;
	*reason = take_signed(port, body, now_ns);
	return true;
}

bool alive_take_passenger(struct port *port, uint16_t protocol, uint8_t *p, const uint8_t *end,
			  uint64_t now_ns, enum drop_reason *reason)
{
	struct kapkt_tunnel tunnel;
	struct alive_reply reply;

	if (port->alive.judge.state == KEEPALIVE_OFF || end - p > ALIVE_PASSENGER_MAX)
		return false;
	if (port->params.probe.family != IP_NONE)
		return take_echo(port, p, end, now_ns, reason);
	if (port->params.keepalive_form != KEEPALIVE_INSIDE)
		return false;
	tunnel = alive_tunnel(&port->params, true);
	if (!kapkt_is_inner_answer(protocol, p, end, &tunnel))
		return false;
	reply = (struct alive_reply){.kind = KAPKT_PLAIN};
	if (protocol == GRE_PROTOCOL_IPV4) {
		reply.has_id = true;
		reply.id = get_be16(p + 4);
	}
	*reason = take_plain(port, &reply, now_ns);
	return true;
}
