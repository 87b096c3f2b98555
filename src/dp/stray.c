/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/stray.h"

#include <string.h>

#include "dp/counters.h"
#include "dp/worker.h"
#include "os/rawsock.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/icmp.h"
#include "proto/ip.h"

#define SECOND_NS	 1000000000ull
#define ANSWER_PAUSE_NS	 (SECOND_NS / 5)
#define ANSWERS_A_SECOND 50

static bool same_kind(const struct dp_stray *a, const struct dp_stray *b)
{
	return a->reason == b->reason && a->flags == b->flags && a->protocol == b->protocol &&
	       a->has_key == b->has_key && a->key == b->key && a->udp_port == b->udp_port &&
	       a->gue == b->gue && addr_equal(&a->remote, &b->remote) &&
	       addr_equal(&a->local, &b->local);
}

/* The record of this kind, or the one whose last packet is the oldest, begun anew. */
static struct dp_stray *find(struct dp_stray *items, unsigned count, const struct dp_stray *kind,
			     uint64_t now_ns)
{
	struct dp_stray *oldest = items;

	for (unsigned i = 0; i < count; i++) {
		if (items[i].packets && same_kind(&items[i], kind))
			return &items[i];
		if (items[i].last_ns < oldest->last_ns)
			oldest = &items[i];
	}
	*oldest = *kind;
	oldest->packets = 0;
	oldest->answered_ns = 0;
	oldest->first_ns = now_ns;
	return oldest;
}

struct error {
	uint8_t type, code;
	uint32_t rest;
};

/* An optional field of the GRE header is missing, that would begin at octet `at` of it. */
static struct error missing(const struct dp_stray *kind, unsigned at)
{
	uint8_t family = kind->local.family;

	at += gue_udp_length(kind->udp_port, kind->gue);
	if (family == IP_V4)
		return (struct error){ICMP4_PARAMETER_PROBLEM, ICMP4_OPTION_MISSING,
				      (IP4_HEADER_LENGTH + at) << 24};
	return (struct error){ICMP6_PARAMETER_PROBLEM, 0, IP6_HEADER_LENGTH + at};
}

/* No tunnel has these addresses, this key and this kind of passenger. */
static bool is_unreachable(const struct dp_stray *kind)
{
	switch (kind->reason) {
	case DROP_RX_SOURCE:
	case DROP_RX_BIND:
	case DROP_RX_UDP_MISSING:
	case DROP_RX_UDP_UNEXPECTED:
	case DROP_RX_KEY_MISSING:
	case DROP_RX_KEY_UNEXPECTED:
	case DROP_RX_KEY_WRONG:
	case DROP_RX_GUE_MISSING:
	case DROP_RX_GUE_UNEXPECTED:
	case DROP_RX_SESSION:
		return true;
	case DROP_RX_PROTOCOL:
		return kind->protocol == GRE_PROTOCOL_TEB || kind->protocol == GRE_PROTOCOL_IPV4 ||
		       kind->protocol == GRE_PROTOCOL_IPV6;
	default:
		return false;
	}
}

/* What the sender is told; false: nothing. */
static bool choose_error(const struct dp_stray *kind, struct error *out)
{
	uint8_t family = kind->local.family;

	if (kind->reason == DROP_RX_CHECKSUM_MISSING)
		*out = missing(kind, GRE_CHECKSUM_AT);
	else if (kind->reason == DROP_RX_SEQUENCE_MISSING)
		*out = missing(kind, GRE_SEQUENCE_AT);
	else if (!is_unreachable(kind))
		return false;
	else if (family == IP_V4)
		*out = (struct error){ICMP4_UNREACHABLE, ICMP4_PORT_UNREACHABLE, 0};
	else
		*out = (struct error){ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0};
	return true;
}

static bool within_limit(struct stray_table *table, struct dp_stray *item, uint64_t now_ns)
{
	if (item->answered_ns && now_ns - item->answered_ns < ANSWER_PAUSE_NS)
		return false;
	if (now_ns - table->second_ns >= SECOND_NS) {
		table->second_ns = now_ns;
		table->second_answers = 0;
	}
	if (table->second_answers >= ANSWERS_A_SECOND)
		return false;
	table->second_answers++;
	item->answered_ns = now_ns;
	return true;
}

/* The packet with its header again: what the socket has cut off can be told from the addresses. */
static size_t restore6(uint8_t out[ICMP6_ERROR_MAX], const struct stray_packet *packet)
{
	uint32_t body = packet->len, room = ICMP6_ERROR_MAX - IP6_HEADER_LENGTH;
	struct ip_outer ip = {.family = IP_V6,
			      .protocol =
				      packet->kind->udp_port ? IP_PROTOCOL_UDP : IP_PROTOCOL_GRE,
			      .ttl = 64,
			      .payload_len = body < room ? body : room,
			      .src = packet->kind->remote.bytes,
			      .dst = packet->kind->local.bytes};

	ip_outer_encode(out, &ip);
	memcpy(out + IP6_HEADER_LENGTH, packet->outer, ip.payload_len);
	return IP6_HEADER_LENGTH + ip.payload_len;
}

static void answer(struct worker *worker, const struct stray_packet *packet, struct error e)
{
	const struct dp_stray *kind = packet->kind;
	uint8_t error[ICMP_ERROR_MAX], whole[ICMP6_ERROR_MAX];
	size_t len;

	if (kind->local.family == IP_V4)
		len = icmp4_error(error, packet->outer, packet->len, kind->local.bytes, e.type,
				  e.code, e.rest);
	else
		len = icmp6_error(error, whole, restore6(whole, packet), kind->local.bytes, e.type,
				  e.code, e.rest);
	/* To a broadcast nobody answers (RFC 1122 3.2.2); the header alone does not tell. */
	if (len == 0 || raw_is_broadcast(&kind->local))
		return;
	if (raw_send(kind->local.family == IP_V4 ? worker->raw4 : worker->raw6,
		     &(struct raw_way){.from = kind->local}, &kind->remote, error, len) == 0)
		counter_add(&worker->stray_table.answered, 1);
}

void stray_note(struct worker *worker, const struct stray_packet *packet, uint64_t now_ns)
{
	struct stray_table *table = &worker->stray_table;
	struct error error;
	struct dp_stray *item =
		packet->known
			? find(table->items, STRAYS_KNOWN, packet->kind, now_ns)
			: find(table->items + STRAYS_KNOWN, STRAYS_STRANGE, packet->kind, now_ns);

	item->packets++;
	item->last_ns = now_ns;
	if (choose_error(packet->kind, &error) && within_limit(table, item, now_ns))
		answer(worker, packet, error);
}

void refusal_note(struct stray_table *table, const struct dp_refusal *refusal, uint64_t now_ns)
{
	struct dp_refusal *oldest = table->refusals, *item = NULL;

	for (unsigned i = 0; i < REFUSALS && !item; i++) {
		struct dp_refusal *at = &table->refusals[i];

		if (at->packets && at->type == refusal->type && at->code == refusal->code &&
		    addr_equal(&at->remote, &refusal->remote) &&
		    addr_equal(&at->from, &refusal->from))
			item = at;
		else if (at->last_ns < oldest->last_ns)
			oldest = at;
	}
	if (!item) {
		item = oldest;
		*item = *refusal;
		item->packets = 0;
	}
	item->packets++;
	item->last_ns = now_ns;
}
