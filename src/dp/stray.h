/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stray.h: what a worker remembers of packets that it did not take, so that somebody can say "the
 * peer sends key 7" instead of "4,711 packets have a wrong key"; and the answer that such packets
 * get. One record for each kind; of the room a part is kept for packets between two addresses that
 * have a tunnel, so that strangers cannot push out what the peer does.
 *
 * A packet for which there is no tunnel is answered with ICMP port unreachable (ICMPv6 type 1 code
 * 4) that quotes it, as Linux's own GRE does: the sender then knows that this host speaks GRE and
 * that addresses, key or mode do not agree. Linux drops a packet without the checksum or sequence
 * number that it wants in silence; here it is answered with a parameter problem whose pointer says
 * where in the GRE header the field should have begun. At most five a second for each kind, fifty
 * in all.
 */
#ifndef DP_STRAY_H
#define DP_STRAY_H

#include "dp/dp.h"
#include "proto/drop.h"

struct worker;

enum { STRAYS_KNOWN = 24, STRAYS_STRANGE = 8, REFUSALS = 16 };

struct stray_table {
	/* Unused ones have no packets. The first STRAYS_KNOWN are between addresses of a tunnel. */
	struct dp_stray items[STRAYS_KNOWN + STRAYS_STRANGE];
	struct dp_refusal refusals[REFUSALS];
	uint64_t answered; /* read as counters are */
	uint64_t second_ns;
	uint32_t second_answers;
};

/* A packet that was not taken. `outer` is where its outer header begins, of an IPv6 packet (whose
 * header the socket does not show) its GRE header, `len` octets in all. `known`: there is a tunnel
 * between the two addresses. */
struct stray_packet {
	const struct dp_stray *kind; /* packets and times are not read */
	bool known;
	const uint8_t *outer;
	uint32_t len;
};
void stray_note(struct worker *worker, const struct stray_packet *packet, uint64_t now_ns);

/* The underlay, or the peer, refused a packet of ours. */
void refusal_note(struct stray_table *table, const struct dp_refusal *refusal, uint64_t now_ns);

#endif
