/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probed.h: sends back the GRE probes of the peer's `gretel doctor` (proto/probe.h), of any length,
 * which is how the doctor learns what the way carries in both directions. */
#ifndef DP_PROBED_H
#define DP_PROBED_H

#include "dp/dp.h"

struct port;

/* For a passenger longer or shorter than any keepalive: when it is such a probe, takes it and sends
 * it back, with the outcome in *reason; false when it is none. */
bool probed_answer(struct port *port, uint16_t protocol, uint8_t *packet, const uint8_t *end,
		   uint64_t now_ns, enum drop_reason *reason);

#endif
