/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvgre.h: Ethernet frames of many virtual subnets in GRE (RFC 7637). The key of RFC 2890 is two
 * fields, the subnet and a number for the frame's flow, by which routers spread packets over paths
 * of equal cost:
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  |       virtual subnet ID (VSID)                |    FlowID     |
 */
#ifndef PROTO_NVGRE_H
#define PROTO_NVGRE_H

#include "proto/ethernet.h"
#include "proto/gre.h"
#include "proto/ip.h"

/* What a tenant's subnet may have (RFC 7637 3.2 and 3.4): below are reserved numbers, above is the
 * one that vendors have among themselves. */
enum { NVGRE_VSID_MIN = 0x1000, NVGRE_VSID_MAX = 0xfffffe };

/* The key, in host order. */
PROTO_INLINE uint32_t nvgre_key(uint32_t vsid, uint8_t flow)
{
	return vsid << 8 | flow;
}

PROTO_INLINE uint32_t nvgre_vsid(uint32_t key)
{
	return key >> 8;
}

PROTO_INLINE uint32_t nvgre_mix(uint32_t h, uint32_t value)
{
	h = (h ^ value) * 0x9e3779b1u;
	return h ^ (h >> 15);
}

/* The last words of the addresses, and the ports of what is no fragment. */
PROTO_INLINE uint32_t nvgre_mix_ip(uint32_t h, const uint8_t *p, const uint8_t *end)
{
	struct ip_info ip;
	unsigned last;

	if (!ip_decode(p, end, &ip))
		return h;
	last = ip.version == 4 ? 0 : 12;
	h = nvgre_mix(h, get_be32(ip.src + last));
	h = nvgre_mix(h, get_be32(ip.dst + last));
	h = nvgre_mix(h, ip.protocol);
	if (ip.fragment || !ip.has_transport || ip.header_len > IP_HEADERS_MAX ||
	    (ip.protocol != IP_PROTOCOL_TCP && ip.protocol != IP_PROTOCOL_UDP))
		return h;
	if (p + ip.header_len + 4 > end)
		return h;
	return nvgre_mix(h, get_be32(p + ip.header_len));
}

/* The same number for all frames of a flow, and as good as any for the next (RFC 7637 3.2): of the
 * Ethernet addresses, and where there is IP inside, of addresses, protocol and ports. A packet that
 * is fragmented has no ports, so its pieces stay together. */
PROTO_INLINE uint8_t nvgre_flow(const uint8_t *frame, const uint8_t *end)
{
	uint16_t at, type = ethernet_read(frame, end, &at);
	uint32_t h;

	if (frame + ETHERNET_HEADER_LENGTH > end)
		return 0;
	h = nvgre_mix(type, get_be32(frame));
	h = nvgre_mix(h, get_be32(frame + 4));
	h = nvgre_mix(h, get_be32(frame + 8));
	if (type == GRE_PROTOCOL_IPV4 || type == GRE_PROTOCOL_IPV6)
		h = nvgre_mix_ip(h, frame + at, end);
	return (uint8_t)(nvgre_mix(h, 0) >> 24);
}

#endif
