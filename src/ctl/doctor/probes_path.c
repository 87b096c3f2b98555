/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probes_path.c: what the path carries, by packets of many sizes that may not be fragmented.
 *
 * Outward: a ping of some length passes when it is answered, and so does a GRE probe.
 * Inward: a GRE probe comes back as the packet that we have put inside, don't-fragment bit
 * included, so the answer is known to have passed in one piece; it is shorter than the question by
 * the outer headers. The answer to a ping is as long as the ping, and routers may cut it: the
 * length of its first fragment then is what the way back carries.
 */
#include "ctl/doctor/probes_path.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/conf_params.h"
#include "ctl/doctor/ladder.h"

/* How long an answer may take, at least; otherwise some times the round trip. */
#define ANSWER_MS     250
#define ANSWER_MS_MAX 1000
#define ROUND_TRIPS   4
/* A size counts as not passing when so many were lost. */
#define TRIES 2
/* Numbers of path probes, away from those of probes.c. */
#define FIRST_NUMBER 1000
/* Every IPv4 host takes so much. */
#define LEAST_V4 68
#define LEAST_V6 1280

struct rung {
	uint32_t size;
	bool out, in; /* it passed to the peer; it came back in one piece */
};

struct measure {
	struct doctor *d;
	struct probes_path *path;
	struct probesock sock;
	unsigned wait_ms;
	uint16_t number; /* of the first rung of this round */
	struct rung rungs[LADDER_RUNGS];
	unsigned count;
	uint32_t gre_extra; /* octets by which a GRE probe is longer than its answer */
};

static void note_answer(struct measure *m, const struct probe_seen *seen)
{
	struct rung *rung;

	if (seen->id != (uint16_t)getpid() || seen->number < m->number ||
	    seen->number >= m->number + m->count)
		return;
	rung = &m->rungs[seen->number - m->number];
	rung->out = true;
	if (seen->kind == PROBE_GRE_ANSWER) {
		if (seen->length > m->path->in)
			m->path->in = seen->length;
	} else if (seen->more_fragments) {
		m->path->in_known = true;
		if (seen->length > m->path->in)
			m->path->in = seen->length;
	} else {
		rung->in = true;
		if (rung->size > m->path->in)
			m->path->in = rung->size;
	}
}

static void note_arrival(struct measure *m, const struct probe_arrival *arrival)
{
	struct probe_seen seen;

	if (arrival->delivered)
		return;
	probe_read(arrival->octets, arrival->len, &m->sock.remote, &seen);
	if (seen.kind == PROBE_PING_ANSWER || seen.kind == PROBE_GRE_ANSWER)
		note_answer(m, &seen);
	if (seen.kind == PROBE_ERROR && seen.mtu) {
		m->path->told_mtu = seen.mtu;
		m->path->teller = seen.from;
	}
}

static bool is_answered(const struct measure *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (!m->rungs[i].out)
			return false;
	return true;
}

static void listen_for(struct measure *m)
{
	uint64_t end = clock_now_ns() + m->wait_ms * 1000000ull, now;
	struct probe_arrival arrival;

	while (!is_answered(m) && (now = clock_now_ns()) < end)
		if (probesock_next(&m->sock, (int)((end - now) / 1000000) + 1, &arrival) > 0)
			note_arrival(m, &arrival);
}

static void send_rung(struct measure *m, unsigned i)
{
	uint8_t packet[PROBE_PACKET_MAX];
	struct probe probe = probe_for(m->d, (uint16_t)(m->number + i), m->rungs[i].size);

	probe.df = true;
	if (m->path->by_gre)
		probe_send(&m->sock, true, packet, probe_build_gre(packet, &probe));
	probe.ttl = 64;
	if (m->path->by_ping)
		probe_send(&m->sock, false, packet, probe_build_ping(packet, &probe));
}

/* Sends what is not answered yet, and once more. */
static void ask_round(struct measure *m, const uint32_t *sizes, unsigned count)
{
	m->count = count;
	for (unsigned i = 0; i < count; i++)
		m->rungs[i] = (struct rung){.size = sizes[i]};
	for (unsigned attempt = 0; attempt < TRIES && !is_answered(m); attempt++) {
		if (doctor_time_left(m->d, 1) == 0)
			return;
		for (unsigned i = 0; i < count; i++)
			if (!m->rungs[i].out)
				send_rung(m, i);
		listen_for(m);
	}
	m->number = (uint16_t)(m->number + count);
}

static void climb(struct measure *m, uint32_t least, uint32_t most)
{
	struct ladder ladder = ladder_start(least, most);
	uint32_t sizes[LADDER_RUNGS];
	bool passed[LADDER_RUNGS];
	unsigned count;

	while ((count = ladder_next(&ladder, sizes)) && doctor_time_left(m->d, 1)) {
		ask_round(m, sizes, count);
		for (unsigned i = 0; i < count; i++)
			passed[i] = m->rungs[i].out;
		ladder_round(&ladder, sizes, passed, count);
	}
	m->path->out = ladder.passes;
}

/* What the tunnel's longest packets need. */
static uint32_t wanted_size(const struct doctor *d)
{
	const struct dp_params *p = &d->site->params;
	uint32_t inner = conf_fits(d->tunnel, p->path_mtu);
	uint32_t longest = d->tunnel->mtu ? d->tunnel->mtu : inner;

	return longest < inner ? p->path_mtu - (inner - longest) : p->path_mtu;
}

static uint32_t device_mtu(const struct doctor *d)
{
	const struct link_info *link =
		d->way && !d->way->error ? actual_link_at(d->actual, d->way->way.oif) : NULL;

	return link ? link->mtu : 0;
}

int probes_open(const struct doctor *d, struct probesock *out)
{
	struct raw_way way = {.from = d->tunnel->local,
			      .ifindex = d->site->params.bind_ifindex,
			      .mark = d->site->params.fwmark};

	return probesock_open(out, &way, &d->tunnel->remote);
}

void measure_path(struct doctor *d, const struct probes_reach *reach, struct probes_path *out)
{
	struct measure m = {.d = d, .path = out, .number = FIRST_NUMBER};
	uint32_t trip_ms = (reach->ping_us > reach->gre_us ? reach->ping_us : reach->gre_us) / 1000;
	uint32_t least = d->tunnel->remote.family == IP_V4 ? LEAST_V4 : LEAST_V6;
	uint32_t device = device_mtu(d);

	out->by_ping = reach->ping_answers > 0;
	out->by_gre = reach->gre_answers > 0;
	if (!d->site || (!out->by_ping && !out->by_gre) || probes_open(d, &m.sock) != 0)
		return;
	out->known = true;
	out->wanted = wanted_size(d);
	m.wait_ms = ANSWER_MS + ROUND_TRIPS * trip_ms;
	if (m.wait_ms > ANSWER_MS_MAX)
		m.wait_ms = ANSWER_MS_MAX;
	/* Mostly all passes, and this is all; unless less was learnt than the device carries. */
	ask_round(&m, &out->wanted, 1);
	if (m.rungs[0].out && device > out->wanted && !d->tunnel->mtu)
		climb(&m, out->wanted, device);
	else if (m.rungs[0].out)
		out->out = out->wanted;
	else
		climb(&m, least < out->wanted ? least : out->wanted - 1, out->wanted - 1);
	probesock_close(&m.sock);
}
