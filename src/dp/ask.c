/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/ask.h"

#include <errno.h>

#include "dp/counters.h"
#include "dp/out.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/gre.h"
#include "proto/ip.h"

uint8_t *ask_slot(struct asker *asker, struct port *port)
{
	uint8_t family = port->params.remote.family;

	if (asker->count == ASK_BATCH || (asker->count > 0 && asker->family != family))
		ask_flush(asker);
	asker->family = family;
	asker->ports[asker->count] = port;
	return asker->octets[asker->count] + ASK_ROOM;
}

void ask_add(struct asker *asker, uint8_t *p, uint32_t len)
{
	unsigned i = asker->count++;
	struct port *port = asker->ports[i];
	struct raw_way way = sender_way(&port->params);

	asker->pieces[i] = (struct iovec){p, len};
	asker->messages[i].msg_hdr = (struct msghdr){
		.msg_name = &port->to,
		.msg_namelen = asker->family == IP_V4 ? sizeof port->to.v4 : sizeof port->to.v6,
		.msg_iov = &asker->pieces[i],
		.msg_iovlen = 1,
		.msg_control = asker->control[i],
		.msg_controllen = raw_source(asker->control[i], &way),
	};
}

void ask_add_passenger(struct asker *asker, uint8_t *p, uint32_t len)
{
	struct port *port = asker->ports[asker->count];
	const struct dp_params *params = &port->params;
	struct passenger passenger = {.protocol = p[0] >> 4 == 4 ? GRE_PROTOCOL_IPV4
								 : GRE_PROTOCOL_IPV6,
				      .head = p,
				      .head_len = len};
	struct outer_policy policy = out_policy(params);
	struct outer_fields outer = outer_fields(&policy, passenger.protocol, p, p + len);
	uint8_t *inside, *packet;
	struct ip_outer ip = {.family = params->remote.family,
			      .protocol = out_protocol(params),
			      .tos = outer.tos,
			      .ttl = outer.ttl,
			      .df = outer.df,
			      .id = sender_next_id(port),
			      .src = params->local.bytes,
			      .dst = params->remote.bytes};

	passenger.source_port = out_source_port(params, passenger.protocol, p, p + len);
	ip.flow_label = passenger.source_port;
	inside = out_put_headers(port, &passenger);
	ip.payload_len = (uint32_t)(p - inside) + len;
	packet = inside - ip_outer_length(ip.family);
	ip_outer_encode(packet, &ip);
	ask_add(asker, packet, (uint32_t)(p - packet) + len);
}

void ask_flush(struct asker *asker)
{
	unsigned from = 0, count = asker->count;
	bool retried = false;

	asker->count = 0;
	while (from < count) {
		struct port *port = asker->ports[from];
		struct worker *worker = port->worker;
		int fd = asker->family == IP_V4 ? worker->raw4 : worker->raw6;
		int n = sendmmsg(fd, asker->messages + from, count - from, 0);

		/* The first error may be an older packet's, left on the socket by an ICMP message.
		 */
		if (n <= 0 && !retried) {
			retried = true;
			continue;
		}
		if (n <= 0)
			counter_add(&port->counters.drops[sender_reason(errno)], 1);
		from += n > 0 ? (unsigned)n : 1;
		retried = false;
	}
}
