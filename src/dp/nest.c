/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/nest.h"

#include "dp/table.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/ethernet.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/udp.h"

/* A piece of a packet in UDP without its beginning tells no port: it is let through, and met again
 * when the kernel has put the packet together. */
static bool read_port(const struct udp_ports *ports, const struct ip_info *ip, const uint8_t *udp,
		      const uint8_t *end, uint16_t *port)
{
	if (ports->count == 0 || !ip->has_transport || udp + UDP_HEADER_LENGTH > end)
		return false;
	*port = get_be16(udp + 2);
	return udp_receives_at(ports, *port);
}

/* Whether it is an outer packet of some tunnel here; *key then has the addresses and the port. */
static bool read_outer(const struct worker *worker, const struct ip_info *ip, const uint8_t *p,
		       const uint8_t *end, struct table_key *key)
{
	uint8_t family = ip->version == 4 ? IP_V4 : IP_V6;
	uint16_t port = 0;

	if (ip->protocol != IP_PROTOCOL_GRE &&
	    (ip->protocol != IP_PROTOCOL_UDP ||
	     !read_port(&worker->udp_ports, ip, p + ip->header_len, end, &port)))
		return false;
	*key = (struct table_key){.local = addr_of(family, ip->dst),
				  .remote = addr_of(family, ip->src),
				  .udp_port = port};
	return table_has_pair(&worker->table, key);
}

/* The IP packet inside, also of a frame; NULL when there is none. */
static const uint8_t *open_outer(const struct ip_info *ip, const uint8_t *p, const uint8_t *end)
{
	bool udp = ip->protocol == IP_PROTOCOL_UDP;
	const uint8_t *gre = p + ip->header_len + (udp ? UDP_HEADER_LENGTH : 0);
	struct gre_header h;
	uint16_t at = 0, type;

	if (udp && gue_is_gre(gre, end))
		gre += GUE_LENGTH;
	if (!ip->has_transport || gre_decode(gre, end, &h) != DROP_NONE)
		return NULL;
	gre += h.length;
	type = h.protocol == GRE_PROTOCOL_TEB ? ethernet_read(gre, end, &at) : h.protocol;
	return type == GRE_PROTOCOL_IPV4 || type == GRE_PROTOCOL_IPV6 ? gre + at : NULL;
}

bool nest_is_too_deep(const struct port *port, const struct ip_info *ip, const uint8_t *p,
		      const uint8_t *end)
{
	const struct dp_params *own = &port->params;
	struct ip_info inner = *ip;
	struct table_key key;

	for (unsigned depth = 0; read_outer(port->worker, &inner, p, end, &key); depth++) {
		bool again = key.udp_port == own->udp_port && addr_equal(&key.local, &own->local) &&
			     addr_equal(&key.remote, &own->remote);

		if (again || depth == NEST_MAX)
			return true;
		p = open_outer(&inner, p, end);
		if (!p || !ip_decode(p, end, &inner))
			return false;
	}
	return false;
}
