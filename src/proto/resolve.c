/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/resolve.h"

#include <string.h>

#include "proto/csum.h"
#include "proto/ethernet.h"
#include "proto/ip.h"

enum { ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86dd };
/* RFC 826, for IPv4 on Ethernet. */
enum { ARP_LENGTH = 28, ARP_REQUEST = 1, ARP_REPLY = 2, ARP_HARDWARE_ETHERNET = 1 };
enum { ARP_OPERATION = 6, ARP_SENDER_MAC = 8, ARP_SENDER = 14, ARP_TARGET_MAC = 18 };
enum { ARP_TARGET = 24 };
/* RFC 4861 4.3, 4.4, 4.6.1. */
enum { ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136, ND_LENGTH = 24, ND_TARGET = 8 };
enum { ND_OPTION_TARGET = 2, ND_OPTION_LENGTH = 8, ND_HOP_LIMIT = 255 };
/* It is a router, it was asked, and what it says replaces what was known. */
enum { ND_ROUTER = 0x80, ND_SOLICITED = 0x40, ND_OVERRIDE = 0x20 };

static bool read_arp(const uint8_t *p, const uint8_t *end, struct resolve_question *out)
{
	static const uint8_t ipv4[6] = {0, ARP_HARDWARE_ETHERNET, 0x08, 0x00, 6, 4};

	if (p + ARP_LENGTH > end || memcmp(p, ipv4, sizeof ipv4) != 0 ||
	    get_be16(p + ARP_OPERATION) != ARP_REQUEST)
		return false;
	memcpy(out->mac, p + ARP_SENDER_MAC, sizeof out->mac);
	out->from = addr_of(IP_V4, p + ARP_SENDER);
	out->target = addr_of(IP_V4, p + ARP_TARGET);
	return true;
}

/* The message, when it is one of neighbour discovery that no router has passed on; NULL else. */
static const uint8_t *find_nd(const uint8_t *p, const uint8_t *end, struct ip_info *ip)
{
	const uint8_t *nd;

	if (!ip_decode(p, end, ip) || ip->version != 6 || ip->protocol != IP_PROTOCOL_ICMPV6 ||
	    !ip->has_transport || ip->ttl != ND_HOP_LIMIT)
		return NULL;
	nd = p + ip->header_len;
	return ip->total_len >= ip->header_len + (uint32_t)ND_LENGTH ? nd : NULL;
}

static bool read_nd(const uint8_t *frame, const uint8_t *p, const uint8_t *end,
		    struct resolve_question *out)
{
	struct ip_info ip;
	const uint8_t *nd = find_nd(p, end, &ip);

	if (!nd || nd[0] != ND_SOLICITATION || nd[1] != 0)
		return false;
	memcpy(out->mac, frame + ETHERNET_ADDRESS_LENGTH, sizeof out->mac);
	out->from = addr_of(IP_V6, ip.src);
	out->target = addr_of(IP_V6, nd + ND_TARGET);
	return true;
}

bool resolve_question(const uint8_t *frame, const uint8_t *end, struct resolve_question *out)
{
	const uint8_t *p = frame + ETHERNET_HEADER_LENGTH;

	if (p > end)
		return false;
	switch (get_be16(frame + 12)) {
	case ETHERTYPE_ARP:
		return read_arp(p, end, out);
	case ETHERTYPE_IPV6:
		return read_nd(frame, p, end, out);
	}
	return false;
}

bool resolve_is_local(const uint8_t *frame, const uint8_t *end)
{
	const uint8_t *p = frame + ETHERNET_HEADER_LENGTH, *nd;
	struct ip_info ip;

	if (p > end)
		return false;
	if (get_be16(frame + 12) != ETHERTYPE_IPV6)
		return get_be16(frame + 12) == ETHERTYPE_ARP;
	nd = find_nd(p, end, &ip);
	return nd && (nd[0] == ND_SOLICITATION || nd[0] == ND_ADVERTISEMENT);
}

static uint32_t write_arp(uint8_t *p, const struct resolve_question *q, const uint8_t mac[6])
{
	static const uint8_t head[8] = {0, ARP_HARDWARE_ETHERNET, 0x08, 0x00, 6, 4, 0, ARP_REPLY};

	memcpy(p, head, sizeof head);
	memcpy(p + ARP_SENDER_MAC, mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(p + ARP_SENDER, q->target.bytes, 4);
	memcpy(p + ARP_TARGET_MAC, q->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(p + ARP_TARGET, q->from.bytes, 4);
	return ARP_LENGTH;
}

static uint32_t write_nd(uint8_t *p, const struct resolve_question *q, const uint8_t mac[6])
{
	enum { LENGTH = ND_LENGTH + ND_OPTION_LENGTH };
	struct ip_outer ip = {.family = IP_V6,
			      .protocol = IP_PROTOCOL_ICMPV6,
			      .ttl = ND_HOP_LIMIT,
			      .payload_len = LENGTH,
			      .src = q->target.bytes,
			      .dst = q->from.bytes};
	uint8_t *nd = p + IP6_HEADER_LENGTH;

	ip_outer_encode(p, &ip);
	memset(nd, 0, LENGTH);
	nd[0] = ND_ADVERTISEMENT;
	nd[4] = ND_ROUTER | ND_SOLICITED | ND_OVERRIDE;
	memcpy(nd + ND_TARGET, q->target.bytes, 16);
	nd[ND_LENGTH] = ND_OPTION_TARGET;
	nd[ND_LENGTH + 1] = 1; /* in units of eight octets */
	memcpy(nd + ND_LENGTH + 2, mac, ETHERNET_ADDRESS_LENGTH);
	put_be16(nd + 2, csum_fold(csum_partial(nd, LENGTH,
						csum_pseudo(p, 6, IP_PROTOCOL_ICMPV6, LENGTH))));
	return IP6_HEADER_LENGTH + LENGTH;
}

uint32_t resolve_answer(uint8_t frame[RESOLVE_ANSWER_MAX], const struct resolve_question *q,
			const uint8_t mac[ETHERNET_ADDRESS_LENGTH])
{
	bool v4 = q->target.family == IP_V4;
	uint8_t *p = frame + ETHERNET_HEADER_LENGTH;

	memcpy(frame, q->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(frame + ETHERNET_ADDRESS_LENGTH, mac, ETHERNET_ADDRESS_LENGTH);
	put_be16(frame + 12, v4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6);
	return ETHERNET_HEADER_LENGTH + (v4 ? write_arp(p, q, mac) : write_nd(p, q, mac));
}
