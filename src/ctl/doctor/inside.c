/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/rules.h"
#include "os/echosock.h"
#include "os/inject.h"

#define ROUNDS	 4
#define ROUND_MS 220
/* For a peer that has said nothing at all: a busy machine, or one that asks for a link address. */
#define PATIENT_ROUNDS 12
/* A Linux router that asks for an address three times, a second apart, then says "unreachable"; a
 * busy one late. It is asked three times, too: one packet may be lost. */
#define UNREACHABLE_MS 5500
#define MORE_ROUNDS    3
#define MORE_ROUND_MS  1000
/* When what came in a burst is over. */
#define SETTLE_MS    50
#define BURST_MAX    256
#define BUSY_PACKETS 3

struct asking {
	struct doctor *d;
	struct inside *inside;
	struct echosock sock;
	unsigned answers; /* of all kinds, that came in by the tunnel */
};

static uint16_t sequence_of(size_t family, enum inside_probe probe, unsigned round)
{
	return (uint16_t)(family << 12 | (unsigned)probe << 8 | round);
}

static const struct ip_addr *source_of(const struct inside_family *f, enum inside_probe probe)
{
	if (probe == INSIDE_FORWARD)
		return &f->lan_host;
	return probe == INSIDE_PEER || !f->has_lan ? &f->own : &f->lan_own;
}

static const struct ip_addr *target_of(const struct inside_family *f, enum inside_probe probe)
{
	if (probe == INSIDE_PEER || probe == INSIDE_LAN_PEER)
		return &f->peer;
	if (probe == INSIDE_OTHER)
		return &f->other;
	return probe == INSIDE_NOBODY ? &f->nobody : &f->far;
}

/* Whether it is worth asking at first. */
static bool is_wanted(const struct asking *asking, const struct inside_family *f,
		      enum inside_probe probe)
{
	if (source_of(f, probe)->family == IP_NONE || target_of(f, probe)->family == IP_NONE)
		return false;
	switch (probe) {
	case INSIDE_LAN_PEER:
		return f->has_lan;
	case INSIDE_FAR:
	case INSIDE_OTHER:
		return f->how > FAR_GUESS;
	case INSIDE_HOP:
		return f->how > FAR_NONE;
	case INSIDE_FORWARD:
		return f->has_lan && f->how > FAR_NONE && asking->d->host->may_admin;
	case INSIDE_NOBODY:
		return false;
	default:
		return true;
	}
}

/* Nothing more is to be learnt. */
static bool is_done(const struct inside_family *f, enum inside_probe probe)
{
	const struct inside_result *r = &f->results[probe];

	if (!r->made || r->error || r->refused || r->refused_here)
		return true;
	if (probe == INSIDE_HOP || probe == INSIDE_NOBODY)
		return r->answered;
	if (probe == INSIDE_FORWARD && f->how < FAR_REPLIED)
		return r->left;
	if (probe == INSIDE_FORWARD && !f->lan_host_known)
		return r->answered;
	return r->answered && r->delivered;
}

static int send_one(struct asking *asking, size_t family, enum inside_probe probe, unsigned round)
{
	const struct inside_family *f = &asking->inside->families[family];
	struct echo_request request = {.from = *source_of(f, probe),
				       .to = *target_of(f, probe),
				       .ttl = probe == INSIDE_HOP ? 1 : 64,
				       .id = asking->inside->id,
				       .sequence = sequence_of(family, probe, round),
				       .payload = 32};
	uint8_t packet[128];

	if (probe == INSIDE_FORWARD)
		return inject_packet(f->lan_name, packet, echo_packet(packet, &request));
	return echosock_send(&asking->sock, &request, asking->d->link->index);
}

static void send_missing(struct asking *asking, unsigned round)
{
	for (size_t i = 0; i < INSIDE_FAMILIES; i++)
		for (int p = 0; p < INSIDE_PROBES; p++) {
			struct inside_family *f = &asking->inside->families[i];
			struct inside_result *r = &f->results[p];

			if (r->made && !is_done(f, (enum inside_probe)p))
				r->error = send_one(asking, i, (enum inside_probe)p, round);
		}
}

static void note_error(struct inside_result *r, const struct echo_event *event, bool by_tunnel,
		       bool from_lan)
{
	if (event->where == ECHO_ARRIVED && by_tunnel) {
		r->refused = true;
		r->refused_by = event->seen.src;
		r->type = event->seen.type;
		r->code = event->seen.code;
	} else if (event->where == ECHO_LEFT && from_lan) {
		r->refused_here = true;
		r->type = event->seen.type;
		r->code = event->seen.code;
	}
}

static void note_request(struct inside_result *r, const struct echo_event *event, bool by_tunnel)
{
	if (event->where != ECHO_LEFT)
		return;
	if (by_tunnel) {
		r->left = true;
		r->left_src = event->seen.src;
	} else {
		r->astray = event->ifindex;
	}
}

static void note_reply(struct inside_result *r, const struct echo_event *event, bool by_tunnel,
		       bool to_lan)
{
	if (event->where == ECHO_ARRIVED && by_tunnel)
		r->answered = true;
	else if (event->where == ECHO_ARRIVED)
		r->answered_astray = event->ifindex;
	else
		r->delivered |= event->where == ECHO_DELIVERED || to_lan;
}

/* What we send by a tunnel may be answered by another: of a group, or in place of its backup. */
static bool is_answer_by_tunnel(const struct asking *asking, const struct echo_event *event)
{
	const struct link_info *link = actual_link_at(asking->d->actual, event->ifindex);

	return event->where == ECHO_ARRIVED && link && actual_is_ours(asking->d->actual, link);
}

static void note(struct asking *asking, const struct echo_event *event)
{
	size_t family = event->seen.sequence >> 12, probe = event->seen.sequence >> 8 & 15;
	bool by_tunnel = event->ifindex == asking->d->link->index ||
			 (event->seen.kind != ECHO_REQUEST && is_answer_by_tunnel(asking, event));
	struct inside_family *f;
	struct inside_result *r;
	bool lan;

	const struct link_info *link = actual_link_at(asking->d->actual, event->ifindex);

	/* What passes a device of a VRF passes the VRF, too. */
	if (family >= INSIDE_FAMILIES || probe >= INSIDE_PROBES || (link && link->vrf_table))
		return;
	f = &asking->inside->families[family];
	r = &f->results[probe];
	lan = probe == INSIDE_FORWARD && event->ifindex == f->lan_index;
	if (by_tunnel && event->where == ECHO_ARRIVED && event->seen.kind != ECHO_REQUEST)
		asking->answers++;
	if (event->seen.kind == ECHO_ERROR)
		note_error(r, event, by_tunnel, lan);
	else if (event->seen.kind == ECHO_REQUEST)
		note_request(r, event, by_tunnel);
	else
		note_reply(r, event, by_tunnel, lan);
}

static bool all_done(const struct inside *inside)
{
	for (size_t i = 0; i < INSIDE_FAMILIES; i++)
		for (int p = 0; p < INSIDE_PROBES; p++)
			if (!is_done(&inside->families[i], (enum inside_probe)p))
				return false;
	return true;
}

/* Listens until all is answered, `ms` at most. */
static void listen_for(struct asking *asking, unsigned ms)
{
	uint64_t end = clock_now_ns() + doctor_time_left(asking->d, ms) * 1000000ull;

	while (!all_done(asking->inside)) {
		uint64_t now = clock_now_ns();
		struct echo_event event;

		if (now >= end)
			return;
		if (echosock_next(&asking->sock, (int)((end - now) / 1000000 + 1), &event) == 1)
			note(asking, &event);
	}
}

static bool is_peer_silent(const struct inside *inside)
{
	for (size_t i = 0; i < INSIDE_FAMILIES; i++) {
		const struct inside_family *f = &inside->families[i];
		const struct inside_result *peer = &f->results[INSIDE_PEER];

		if (peer->made && !peer->answered && !is_done(f, INSIDE_PEER))
			return true;
	}
	return false;
}

/* Listens until nothing comes, whatever is known already. */
static void settle(struct asking *asking)
{
	struct echo_event event;

	for (unsigned i = 0; i < BURST_MAX; i++) {
		if (echosock_next(&asking->sock, SETTLE_MS, &event) != 1)
			return;
		note(asking, &event);
	}
}

/* Sends what is not answered again, and again. */
static void ask(struct asking *asking)
{
	for (unsigned round = 0; round < PATIENT_ROUNDS && !all_done(asking->inside); round++) {
		if (round >= ROUNDS && !is_peer_silent(asking->inside))
			return;
		send_missing(asking, round);
		listen_for(asking, ROUND_MS);
	}
}

/* Where the peer answers and a host behind it does not: what does the peer say about that, given
 * time to look for the host, and about an address that is nobody's? */
static bool want_more(struct inside *inside)
{
	bool more = false;

	for (size_t i = 0; i < INSIDE_FAMILIES; i++) {
		struct inside_family *f = &inside->families[i];
		struct inside_result *r = f->results;

		if (!r[INSIDE_FAR].made || is_done(f, INSIDE_FAR) || !r[INSIDE_PEER].answered ||
		    !(r[INSIDE_HOP].refused || r[INSIDE_HOP].answered))
			continue;
		r[INSIDE_NOBODY].made = !addr_equal(&f->nobody, &f->far);
		more = true;
	}
	return more;
}

/* What was not answered so far will not be waited for again. */
static void ask_more(struct asking *asking)
{
	doctor_progress(asking->d, "waiting for what the peer says about hosts behind it");
	for (size_t i = 0; i < INSIDE_FAMILIES; i++) {
		struct inside_family *f = &asking->inside->families[i];

		for (int p = 0; p < INSIDE_PROBES; p++)
			if (p != INSIDE_FAR && p != INSIDE_NOBODY &&
			    !is_done(f, (enum inside_probe)p))
				f->results[p].error = -ETIMEDOUT;
	}
	for (unsigned i = 0; i < MORE_ROUNDS; i++) {
		unsigned left = UNREACHABLE_MS - i * MORE_ROUND_MS;

		send_missing(asking, PATIENT_ROUNDS + i);
		listen_for(asking, i + 1 < MORE_ROUNDS ? MORE_ROUND_MS : left);
	}
	/* Each question that waited for the host is answered: that is not somebody's traffic. */
	settle(asking);
}

static void count_traffic(struct asking *asking, int64_t before)
{
	json_t *status = doctor_status_now(asking->d, false);
	int64_t after = doctor_number(status, "rx.packets", 0);

	asking->inside->busy =
		before >= 0 && after - before > (int64_t)asking->answers + BUSY_PACKETS;
	json_decref(status);
}

int64_t inside_refused(const struct doctor *d)
{
	uint64_t packets;

	if (d->host->kernel.nft_error ||
	    nft_read_counter(d->host->kernel.nft, RULES_TABLE " " RULES_DROP_COUNTER, &packets) !=
		    0)
		return -1;
	return (int64_t)packets;
}

static void make(struct doctor *d, struct inside *inside)
{
	struct asking asking = {.d = d, .inside = inside};
	int64_t before;
	json_t *status;

	inside->refused_before = inside_refused(d);
	inside->id = (uint16_t)(INSIDE_ID | (getpid() & ~INSIDE_ID_MASK));
	if (inside_find_targets(d, inside) != 0 || echosock_open(&asking.sock, inside->id) != 0)
		return;
	doctor_progress(d, "echoes through the tunnel");
	status = doctor_status_now(d, false);
	before = doctor_number(status, "rx.packets", -1);
	json_decref(status);
	for (size_t i = 0; i < INSIDE_FAMILIES; i++)
		for (int p = 0; p < INSIDE_PROBES; p++)
			inside->families[i].results[p].made =
				is_wanted(&asking, &inside->families[i], (enum inside_probe)p);
	ask(&asking);
	if (want_more(inside))
		ask_more(&asking);
	count_traffic(&asking, before);
	echosock_close(&asking.sock);
}

const struct inside *inside_get(struct doctor *d)
{
	if (d->inside)
		return d->inside;
	if (!d->link || !d->actual || !d->nl || !d->host->may_send)
		return NULL;
	d->inside = calloc(1, sizeof *d->inside);
	if (d->inside)
		make(d, d->inside);
	return d->inside;
}

#define TRACE_TRIES 2
#define TRACE_MS    250

/* 1: *out drops it or its answer; -errno, -ENOENT when nothing of nftables does. */
static int trace(struct asking *asking, size_t family, enum inside_probe probe,
		 struct nft_drop *out)
{
	bool v6 = asking->inside->families[family].family == IP_V6;
	struct nft_trace *watched;
	char match[48];
	int found = 0;

	snprintf(match, sizeof match, "%s id %u", v6 ? "icmpv6" : "icmp", asking->inside->id);
	int err = nft_trace_open(match, &watched);
	if (err)
		return err;
	for (unsigned i = 0; i < TRACE_TRIES && found == 0; i++) {
		(void)send_one(asking, family, probe, PATIENT_ROUNDS + MORE_ROUNDS + i);
		found = nft_trace_next(watched, (int)doctor_time_left(asking->d, TRACE_MS), out);
	}
	nft_trace_close(watched);
	/* If no rule drops it, did it pass this time? */
	settle(asking);
	return found ? found : -ENOENT;
}

const struct nft_drop *inside_trace(struct doctor *d, const struct inside_family *f,
				    enum inside_probe probe)
{
	size_t family = (size_t)(f - d->inside->families);
	struct inside_result *r = &d->inside->families[family].results[probe];
	struct asking asking = {.d = d, .inside = d->inside};

	if (r->traced == 0) {
		doctor_progress(d, "watching which rule drops a packet");
		r->traced = echosock_open(&asking.sock, d->inside->id);
		if (r->traced == 0) {
			r->traced = trace(&asking, family, probe, &r->drop);
			echosock_close(&asking.sock);
		}
	}
	return r->traced == 1 ? &r->drop : NULL;
}

const char *inside_say_drop(const struct nft_drop *drop, char buf[INSIDE_DROP_SIZE])
{
	const char *family = nft_family_name(drop->family);

	if (!drop->handle)
		snprintf(buf, INSIDE_DROP_SIZE, "the policy of chain %s in table %s %s",
			 drop->chain, family, drop->table);
	else
		snprintf(buf, INSIDE_DROP_SIZE,
			 "rule \"%s\" (handle %llu) of chain %s in table %s %s", drop->rule,
			 (unsigned long long)drop->handle, drop->chain, family, drop->table);
	return buf;
}

bool inside_drop_is_ours(const struct nft_drop *drop)
{
	char name[80];

	snprintf(name, sizeof name, "%s %s", nft_family_name(drop->family), drop->table);
	return strcmp(name, RULES_TABLE) == 0;
}

void inside_free(struct inside *inside)
{
	free(inside);
}

const struct inside_family *inside_family(const struct inside *inside, size_t index)
{
	for (size_t i = 0; inside && i < INSIDE_FAMILIES; i++)
		if (inside->families[i].own.family != IP_NONE && index-- == 0)
			return &inside->families[i];
	return NULL;
}

const char *inside_say(const struct inside_family *f, enum inside_probe probe,
		       char buf[INSIDE_TEXT_SIZE])
{
	const struct inside_result *r = &f->results[probe];
	char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE], by[ADDR_TEXT_SIZE];
	int n = snprintf(
		buf, INSIDE_TEXT_SIZE, "%s to %s%s: ", addr_format(source_of(f, probe), from),
		addr_format(target_of(f, probe), to), probe == INSIDE_HOP ? ", one hop" : "");

	if (r->answered)
		snprintf(buf + n, INSIDE_TEXT_SIZE - (size_t)n, "answered");
	else if (r->refused)
		snprintf(buf + n, INSIDE_TEXT_SIZE - (size_t)n, "%s says ICMP type %u code %u",
			 addr_format(&r->refused_by, by), r->type, r->code);
	else if (r->error && r->error != -ETIMEDOUT)
		snprintf(buf + n, INSIDE_TEXT_SIZE - (size_t)n, "not sent (%s)",
			 strerror(-r->error));
	else
		snprintf(buf + n, INSIDE_TEXT_SIZE - (size_t)n, "%s, no answer",
			 r->left ? "sent by the tunnel" : "did not enter the tunnel");
	return buf;
}
