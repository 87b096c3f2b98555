/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overhead.h: what a tunnel takes from each packet, and what is left for the passenger. Octets. */
#ifndef PROTO_OVERHEAD_H
#define PROTO_OVERHEAD_H

#include "proto/erspan.h"
#include "proto/ethernet.h"
#include "proto/form.h"
#include "proto/gre.h"
#include "proto/ip.h"

enum {
	MPLS_LABEL_LENGTH = 4,
	IP4_MTU_MIN = 68,   /* RFC 791: every link carries this */
	IP6_MTU_MIN = 1280, /* RFC 8200 5 */
};

/* Octets before the passenger's IP header: outer header, what is between that and GRE (`udp`
 * octets, gue_udp_length()), GRE header, that of ERSPAN, and on a tunnel of Ethernet frames the
 * inner Ethernet header. `family` is the outer one, `form` an enum gre_form. */
PROTO_INLINE unsigned tunnel_overhead(uint8_t family, unsigned udp, uint8_t form, bool checksum,
				      bool key, bool sequence)
{
	return ip_outer_length(family) + udp + gre_header_length(checksum, key, sequence) +
	       erspan_length(form) + (form_is_ethernet(form) ? ETHERNET_HEADER_LENGTH : 0);
}

/* The largest TCP segment without options in a packet of `mtu`, family of the passenger; 0 when
 * there is no room. */
PROTO_INLINE uint16_t mss_for_mtu(uint8_t family, uint32_t mtu)
{
	uint32_t headers = ip_outer_length(family) + 20;

	if (mtu <= headers)
		return 0;
	return mtu - headers > 65535 ? 65535 : (uint16_t)(mtu - headers);
}

#endif
