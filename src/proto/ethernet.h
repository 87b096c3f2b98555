/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ethernet.h: what an Ethernet frame carries. */
#ifndef PROTO_ETHERNET_H
#define PROTO_ETHERNET_H

#include "proto/bytes.h"

enum {
	ETHERNET_HEADER_LENGTH = 14,
	VLAN_TAG_LENGTH = 4,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_SERVICE_VLAN = 0x88a8, /* the outer tag of two (IEEE 802.1ad) */
};

/* Whether the frame at p has a VLAN tag of either kind. */
PROTO_INLINE bool ethernet_is_tagged(const uint8_t *p, const uint8_t *end)
{
	uint16_t type;

	if (p + ETHERNET_HEADER_LENGTH > end)
		return false;
	type = get_be16(p + 12);
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE_VLAN;
}

/* The EtherType of the frame at p, behind one VLAN tag at most, and the offset of what follows it
 * to *at. 0, and *at past the end, when the frame is too short to tell. */
PROTO_INLINE uint16_t ethernet_read(const uint8_t *p, const uint8_t *end, uint16_t *at)
{
	*at = ETHERNET_HEADER_LENGTH;
	if (p + ETHERNET_HEADER_LENGTH > end)
		return 0;
	if (get_be16(p + 12) != ETHERTYPE_VLAN)
		return get_be16(p + 12);
	*at += VLAN_TAG_LENGTH;
	if (p + ETHERNET_HEADER_LENGTH + VLAN_TAG_LENGTH > end)
		return 0;
	return get_be16(p + 16);
}

#endif
