/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probes.c: whether ping and GRE reach the peer and come back. */
#include "ctl/doctor/probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/doctor/probes_path.h"

/* One pair of packets each of these, until both are answered. */
#define PAUSE_MS 100
#define ROUNDS	 8
/* What the peer sends by itself within this time is seen too, also when all is answered at once. */
#define LISTEN_MS 150
#define WAIT_MS	  1000

struct probes {
	bool reached, pathed;
	struct probes_reach reach;
	struct probes_path path;
};

struct probes *probes_new(void)
{
	return calloc(1, sizeof(struct probes));
}

void probes_free(struct probes *probes)
{
	if (probes)
		json_decref(probes->reach.status);
	free(probes);
}

bool probe_can_ask_gre(const struct doctor *d)
{
	/* The next sequence number is the daemon's secret; who takes NVGRE or collects copies has
	 * no use for anything else in GRE; and what is in UDP goes to a port that a raw socket for
	 * GRE does not hear. */
	return d->site && !d->site->params.seq_send && form_is_plain(d->site->params.form) &&
	       !d->site->params.udp_port;
}

struct probe probe_for(const struct doctor *d, uint16_t number, uint32_t length)
{
	const struct dp_params *p = &d->site->params;

	return (struct probe){
		.family = p->remote.family,
		.local = p->local.bytes,
		.remote = p->remote.bytes,
		.tos = p->tos_inherit ? 0 : p->tos,
		.ttl = p->ttl_inherit ? 64 : p->ttl,
		.id = (uint16_t)getpid(),
		.number = number,
		.ethernet = form_is_ethernet(p->form),
		.length = length,
		.ask = {.has_checksum = p->csum_send, .has_key = p->has_okey, .key = p->okey},
		.back = {.has_checksum = p->csum_require, .has_key = p->has_ikey, .key = p->ikey},
	};
}

static bool same_error(const struct probe_seen *a, const struct probe_seen *b)
{
	return a->type == b->type && a->code == b->code && a->quoted == b->quoted &&
	       a->pointer == b->pointer && addr_equal(&a->from, &b->from);
}

static void note_error(struct probes_reach *r, const struct probe_seen *seen)
{
	unsigned i = 0;

	while (i < r->error_count && !same_error(&r->errors[i].seen, seen))
		i++;
	if (i == PROBES_ERRORS)
		return;
	if (i == r->error_count)
		r->errors[r->error_count++].count = 0;
	r->errors[i].seen = *seen;
	r->errors[i].count++;
}

static void note_kind(struct probes_reach *r, const struct probe_seen *seen)
{
	unsigned i = 0;

	while (i < r->kind_count &&
	       (r->kinds[i].seen.flags != seen->flags ||
		r->kinds[i].seen.protocol != seen->protocol || r->kinds[i].seen.key != seen->key))
		i++;
	if (i == PROBES_KINDS)
		return;
	if (i == r->kind_count)
		r->kinds[r->kind_count++].count = 0;
	r->kinds[i].seen = *seen;
	r->kinds[i].count++;
}

/* The questions that are under way. */
struct asking {
	struct doctor *d;
	struct probes_reach *r;
	struct probesock sock;
	uint64_t sent_ns[ROUNDS];
	struct ip_addr inner, inner_peer; /* of one family; IP_NONE: not both are known */
	unsigned inner_answered;	  /* bits: numbers of those answered */
};

/* Our inner address and the peer's, as the file has them, of the outer addresses' family if it can
 * be: the socket hears that family alone. */
static bool find_inner(struct asking *a)
{
	const struct conf_tunnel *t = a->d->tunnel;
	const struct dp_params *p = &a->d->site->params;

	for (size_t i = 0; i < t->address_count; i++) {
		const struct ip_addr *own = &t->addresses[i].local.addr;
		const struct ip_addr *peer = own->family == IP_V4 ? &p->peer4 : &p->peer6;

		if (peer->family == IP_NONE)
			continue;
		a->inner = *own;
		a->inner_peer = *peer;
		if (own->family == p->remote.family)
			break;
	}
	return a->inner.family != IP_NONE;
}

static bool is_for_us(const struct probe_seen *seen)
{
	return seen->id == (uint16_t)getpid() && seen->number < ROUNDS;
}

/* An answer that greteld unwraps is seen before and after. */
static void note_inner_answer(struct asking *a, const struct probe_seen *seen)
{
	if (!is_for_us(seen) || a->inner_answered & 1u << seen->number)
		return;
	a->inner_answered |= 1u << seen->number;
	a->r->inner_answers++;
}

static void note_answer(struct asking *a, const struct probe_seen *seen, unsigned *answers,
			uint32_t *us)
{
	if (!is_for_us(seen))
		return;
	if ((*answers)++ == 0)
		*us = (uint32_t)((clock_now_ns() - a->sent_ns[seen->number]) / 1000);
}

/* What a kernel lane has unwrapped comes in by the tunnel's interface. */
static bool is_unwrapped_answer(const struct asking *a, const struct probe_arrival *arrival,
				struct probe_seen *seen)
{
	if (!a->d->link || arrival->ifindex != a->d->link->index)
		return false;
	probe_read(arrival->octets, arrival->len, &a->inner_peer, seen);
	return seen->kind == PROBE_PING_ANSWER;
}

static bool is_gre(const struct probe_arrival *arrival, const struct probe_seen *seen)
{
	const uint8_t *p = arrival->octets;

	if (seen->kind == PROBE_PIECE)
		return seen->from.family == IP_V4 ? p[9] == IP_PROTOCOL_GRE
						  : p[40] == IP_PROTOCOL_GRE;
	return seen->kind == PROBE_GRE_ANSWER || seen->kind == PROBE_INNER_ANSWER ||
	       seen->kind == PROBE_GRE_OTHER;
}

static void note_arrival(struct asking *a, const struct probe_arrival *arrival)
{
	struct probes_reach *r = a->r;
	struct probe_seen seen;

	if (arrival->delivered) {
		r->gre_delivered++;
		return;
	}
	if (is_unwrapped_answer(a, arrival, &seen)) {
		note_inner_answer(a, &seen);
		return;
	}
	probe_read(arrival->octets, arrival->len, &a->sock.remote, &seen);
	if (is_gre(arrival, &seen)) {
		r->gre_arrived += seen.kind != PROBE_PIECE;
		r->gre_pieces += seen.kind == PROBE_PIECE;
	}
	if (seen.kind == PROBE_PING_ANSWER)
		note_answer(a, &seen, &r->ping_answers, &r->ping_us);
	else if (seen.kind == PROBE_GRE_ANSWER)
		note_answer(a, &seen, &r->gre_answers, &r->gre_us);
	else if (seen.kind == PROBE_INNER_ANSWER)
		note_inner_answer(a, &seen);
	else if (seen.kind == PROBE_GRE_OTHER)
		note_kind(r, &seen);
	else if (seen.kind == PROBE_ERROR)
		note_error(r, &seen);
}

static void listen_for(struct asking *a, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * 1000000ull, now;
	struct probe_arrival arrival;

	while ((now = clock_now_ns()) < end) {
		int wait = (int)((end - now) / 1000000) + 1;

		if (probesock_next(&a->sock, wait, &arrival) > 0)
			note_arrival(a, &arrival);
	}
}

/* An error of an earlier packet, queued on the socket, is not about this one. */
int probe_send(const struct probesock *sock, bool gre, const uint8_t *packet, uint32_t len)
{
	int e = probesock_send(sock, gre, packet, len);

	return e ? probesock_send(sock, gre, packet, len) : 0;
}

static void send_pair(struct asking *a, uint16_t number)
{
	uint8_t packet[PROBE_PACKET_MAX];
	struct probe probe = probe_for(a->d, number, 0);
	struct probes_reach *r = a->r;

	a->sent_ns[number] = clock_now_ns();
	r->pings++;
	probe.ttl = 64;
	r->ping_refused = probe_send(&a->sock, false, packet, probe_build_ping(packet, &probe));
	if (!r->gre_possible)
		return;
	probe = probe_for(a->d, number, 0);
	r->gres++;
	r->gre_refused = probe_send(&a->sock, true, packet, probe_build_gre(packet, &probe));
	if (!r->inner_possible)
		return;
	r->inners++;
	probe_send(&a->sock, true, packet,
		   probe_build_inner(packet, &probe, &a->inner, &a->inner_peer));
}

static bool is_complete(const struct probes_reach *r)
{
	return r->ping_answers && (r->gre_answers || !r->gre_possible) &&
	       (!r->gre_arrived || r->gre_delivered);
}

static void reach(struct doctor *d, struct probes_reach *r)
{
	struct asking a = {.d = d, .r = r};
	uint64_t begun = clock_now_ns();

	if (!d->site) {
		r->error = -ENODATA;
		return;
	}
	r->error = probes_open(d, &a.sock);
	if (r->error)
		return;
	r->gre_possible = probe_can_ask_gre(d);
	r->inner_possible =
		r->gre_possible && !form_is_ethernet(d->site->params.form) && find_inner(&a);
	for (uint16_t i = 0; i < ROUNDS && !is_complete(r) && doctor_time_left(d, 1); i++) {
		send_pair(&a, i);
		listen_for(&a, PAUSE_MS);
	}
	uint64_t spent = (clock_now_ns() - begun) / 1000000;
	unsigned wish = is_complete(r) ? LISTEN_MS : WAIT_MS;
	if (spent < wish)
		listen_for(&a, doctor_time_left(d, wish - (unsigned)spent));
	probesock_close(&a.sock);
}

static void read_after(struct doctor *d, struct probes_reach *r)
{
	size_t i;
	json_t *tunnel;

	r->status = doctor_status_now(d, true);
	json_array_foreach (json_object_get(r->status, "tunnels"), i, tunnel)
		if (strcmp(doctor_text(tunnel, "name"), d->tunnel->name) == 0)
			r->after = tunnel;
	r->heard = r->gre_arrived || doctor_number(r->after, "rx.packets", 0) >
					     doctor_number(d->status, "rx.packets", INT64_MAX);
}

const struct probes_reach *probes_reach(struct doctor *d)
{
	struct probes *probes = d->probes;
	char remote[ADDR_TEXT_SIZE];

	if (!probes->reached) {
		probes->reached = true;
		doctor_progress(d, "asking %s by ping and by GRE",
				addr_format(&d->tunnel->remote, remote));
		if (d->host->may_send)
			reach(d, &probes->reach);
		else
			probes->reach.error = -EPERM;
		read_after(d, &probes->reach);
	}
	return &probes->reach;
}

const struct probes_path *probes_path(struct doctor *d)
{
	struct probes *probes = d->probes;
	char remote[ADDR_TEXT_SIZE];

	if (!probes->pathed) {
		probes->pathed = true;
		doctor_progress(d, "measuring what the path to %s carries",
				addr_format(&d->tunnel->remote, remote));
		measure_path(d, probes_reach(d), &probes->path);
	}
	return &probes->path;
}

const struct probe_seen *probes_error(const struct probes_reach *r, uint8_t type, uint8_t code,
				      uint8_t quoted)
{
	for (unsigned i = 0; i < r->error_count; i++) {
		const struct probe_seen *seen = &r->errors[i].seen;

		if (seen->type == type && seen->code == code && (!quoted || seen->quoted == quoted))
			return seen;
	}
	return NULL;
}
