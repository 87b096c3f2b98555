/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roam.h: tunnels through a NAT, on a worker (proto/roam.h has the packets). On the side that is
 * reached: whoever sends from elsewhere than the peer is asked, ROAM_QUESTIONS_MAX times a second
 * and worker, and never with a longer packet than his; a proof is told to the main thread. On the
 * side behind the NAT: the peer's questions are answered.
 *
 * The worker that a stranger's packets come to asks, while proofs all go to the first one, as what
 * has protocol type 0 does. Since a question says itself what it needs, they share but the number
 * that signs it.
 */
#ifndef DP_ROAM_H
#define DP_ROAM_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/drop.h"
#include "proto/gre.h"
#include "proto/roam.h"

#define ROAM_QUESTIONS_MAX 100

struct port;

/* A packet for a tunnel with nat, its checksums verified, from `from`. */
struct roam_arrival {
	struct roam_place from;
	const struct gre_header *header;
	const uint8_t *gre, *end;
};

/* Draws what questions are signed with, for the whole process. 0 or -errno. */
int roam_draw(void);

/* The kind of packet; ROAM_NONE: one that the tunnel may carry. */
enum roam_kind roam_kind_of(const struct roam_arrival *arrival);
/* Whether the packet comes from where the peer is. */
bool roam_is_peer(const struct port *port, const struct roam_place *from);
/* On the side that is reached: a proof, from anywhere, or anything from elsewhere. */
enum drop_reason roam_learn(struct port *port, const struct roam_arrival *arrival, uint64_t now_ns);
/* On the side behind the NAT: a question. */
enum drop_reason roam_answer(struct port *port, const struct roam_arrival *arrival,
			     uint64_t now_ns);

#endif
