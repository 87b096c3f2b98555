/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.c: errors about passengers that are not carried, to their sources, through the interface.
 */
#include <string.h>

#include "dp/counters.h"
#include "dp/out.h"
#include "dp/port.h"
#include "dp/tunnel.h"
#include "os/tun.h"
#include "proto/gre.h"
#include "proto/icmp.h"
#include "proto/overhead.h"

/* Where an error about this passenger comes from: the far end of the tunnel, or the passenger's own
 * destination. An address of this host it cannot be: the kernel takes none from outside. */
static const uint8_t *error_source(const struct dp_params *params, const struct ip_info *ip)
{
	const struct ip_addr *peer = ip->version == 4 ? &params->peer4 : &params->peer6;
	struct ip_addr to = addr_of(ip->version == 4 ? IP_V4 : IP_V6, ip->dst);

	if (peer->family != IP_NONE)
		return peer->bytes;
	return addr_is_multicast(&to) ? NULL : ip->dst;
}

/* `len` octets of an error, as if it came out of the tunnel; 0: there is nothing to be told. */
static void give_back(struct port *port, uint8_t version, const uint8_t *error, size_t len)
{
	const struct virtio_net_hdr plain = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	struct port_header header;
	struct iovec parts[2] = {{.iov_base = &header}, {(void *)(uintptr_t)error, len}};

	if (len == 0)
		return;
	parts[0].iov_len = port_put_header(
		port, version == 4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6, &plain, &header);
	if (writev(port->fd, parts, 2) < 0)
		counter_add(&port->counters.drops[DROP_RX_DEVICE], 1);
}

void out_tell_big(struct port *port, const uint8_t *packet, uint32_t len, const struct ip_info *ip)
{
	uint8_t error[ICMP_ERROR_MAX];
	const uint8_t *from = error_source(&port->params, ip);
	uint32_t room = out_room(port);
	size_t n;

	if (!from)
		return;
	if (ip->version == 4)
		n = icmp4_frag_needed(error, packet, len, from,
				      (uint16_t)(room < 65535 ? room : 65535));
	else
		n = icmp6_packet_too_big(error, packet, len, from,
					 room > IP6_MTU_MIN ? room : IP6_MTU_MIN);
	give_back(port, ip->version, error, n);
}

void out_tell_limit(struct port *port, const uint8_t *packet, uint32_t len,
		    const struct ip_info *ip, uint32_t at)
{
	uint8_t error[ICMP_ERROR_MAX];
	const uint8_t *from = error_source(&port->params, ip);

	if (from)
		give_back(port, 6, error,
			  icmp6_error(error, packet, len, from, ICMP6_PARAMETER_PROBLEM,
				      ICMP6_BAD_FIELD, at));
}
