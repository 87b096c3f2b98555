/* SPDX-License-Identifier: GPL-2.0-or-later */
/* in.h: from the underlay to the tunnel interfaces. */
#ifndef DP_IN_H
#define DP_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "dp/worker.h"

struct dp_params;
struct ip_info;
struct receiver;

/* NULL when there is no memory. */
struct receiver *receiver_new(void);
void receiver_free(struct receiver *receiver);

/* Receives what this raw socket of the worker's holds, up to a fair share, decapsulates it and
 * writes it to the interfaces. True when nothing is left. */
bool in_drain(struct worker *worker, enum worker_input input);

/* Whether a passenger is addressed to the peer that it came from, by its inner or its outer
 * address: what is addressed to the encapsulator must not go back into the tunnel (RFC 2784 3.1).
 */
bool in_is_for_peer(const struct dp_params *params, const struct ip_info *ip);

/* Reads the ICMP errors that the underlay returned and reports changed paths. */
void in_errors(struct worker *worker, enum worker_input input);

#endif
