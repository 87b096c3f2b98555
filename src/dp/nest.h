/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nest.h: tunnels in tunnels, as they are received. The outer packet of one tunnel may be the
 * passenger of another, and every one of them is opened on this host. Whoever writes the headers
 * could have one packet opened hundreds of times, each time through the whole kernel. So there is
 * an end to it, which nobody's own packets come near:
 *
 * - No tunnel lies in itself, at whatever depth: the routes that would do that are refused on the
 *   way out (tx-loop, the plan), here as in any router.
 * - No more than four lie in another, the limit that RFC 2473 5.1 gives to senders.
 *
 * Only what this host would open counts: packets between the ends of one of its tunnels. What hosts
 * nest in their packets to each other is their business.
 */
#ifndef DP_NEST_H
#define DP_NEST_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/ip.h"

enum { NEST_MAX = 4 };

struct port;

/* Whether so many outer packets lie in the passenger of `port`, the IP packet from `p` to `end`,
 * whose header is *ip, that it must be dropped (DROP_RX_NESTED). Reads no further than `end`. */
bool nest_is_too_deep(const struct port *port, const struct ip_info *ip, const uint8_t *p,
		      const uint8_t *end);

#endif
