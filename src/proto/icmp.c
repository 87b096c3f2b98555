/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/icmp.h"

#include <string.h>

#include "proto/csum.h"
#include "proto/gre.h"
#include "proto/ip.h"
#include "proto/overhead.h"

enum { ICMP_HEADER_LENGTH = 8, ERROR_TTL = 64, TOS_INTERNETWORK_CONTROL = 0xc0 };

static bool is_icmp4_error(uint8_t type)
{
	return type == ICMP4_UNREACHABLE || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
	       type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER_PROBLEM;
}

/* RFC 4443 2.1: errors have the high bit clear; a redirect is not to be answered either. */
static bool is_icmp6_error(uint8_t type)
{
	return type < 128 || type == ICMP6_REDIRECT;
}

/* A source to which nothing may be sent: this network, loopback, multicast, reserved, broadcast. */
static bool ip4_names_no_host(const uint8_t *a)
{
	return a[0] == 0 || a[0] == 127 || a[0] >= 224;
}

/* Unspecified, loopback, multicast. */
static bool ip6_names_no_host(const uint8_t *a)
{
	static const uint8_t zeros[15];

	return a[0] == 0xff || (memcmp(a, zeros, 15) == 0 && a[15] <= 1);
}

static bool may_answer4(const struct ip_info *ip)
{
	return !ip4_names_no_host(ip->src) && ip->dst[0] < 224 && get_be32(ip->dst) != 0;
}

static bool may_answer6(const struct ip_info *ip, bool packet_too_big)
{
	return !ip6_names_no_host(ip->src) && (packet_too_big || ip->dst[0] != 0xff);
}

static bool is_icmp_error(const struct ip_info *ip, const uint8_t *packet, const uint8_t *end)
{
	const uint8_t *icmp = packet + ip->header_len;
	uint8_t protocol = ip->version == 4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;

	if (ip->protocol != protocol || !ip->has_transport)
		return false;
	if (icmp + 1 > end) /* what it is cannot be told: be silent */
		return true;
	return ip->version == 4 ? is_icmp4_error(*icmp) : is_icmp6_error(*icmp);
}

bool icmp_may_answer(const uint8_t *packet, size_t len, bool packet_too_big)
{
	const uint8_t *end = packet + len;
	struct ip_info ip;

	if (!ip_decode(packet, end, &ip) || ip.frag_offset != 0 || is_icmp_error(&ip, packet, end))
		return false;
	return ip.version == 4 ? may_answer4(&ip) : may_answer6(&ip, packet_too_big);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Type, code, the word after the checksum and the quote; the checksum field zero. */
static void put_message(uint8_t *out, uint8_t type, uint8_t code, uint32_t rest,
			const uint8_t *quote, size_t quote_len)
{
	out[0] = type;
	out[1] = code;
	put_be16(out + 2, 0);
	put_be32(out + 4, rest);
	memcpy(out + ICMP_HEADER_LENGTH, quote, quote_len);
}

/* What an error says beside its quote. */
struct saying {
	uint8_t type, code;
	uint32_t rest;
};

/* The error behind its outer header `ip`, whose payload_len is filled in: as much of `packet`,
 * packet_len octets by its own header, as makes `max` octets. Returns the length of all. */
static size_t put_error(uint8_t *out, struct ip_outer *ip, const struct saying *say,
			const uint8_t *packet, size_t packet_len, size_t max)
{
	size_t header_len = ip_outer_length(ip->family);
	size_t quote = smaller(packet_len, max - header_len - ICMP_HEADER_LENGTH);
	uint8_t *icmp = out + header_len;
	uint64_t sum = 0;

	ip->payload_len = (uint32_t)(ICMP_HEADER_LENGTH + quote);
	ip_outer_encode(out, ip);
	put_message(icmp, say->type, say->code, say->rest, packet, quote);
	if (ip->family == IP_V6) /* RFC 4443 2.3; ICMP has no pseudo-header */
		sum = csum_pseudo6(ip->src, ip->dst, ip->protocol, ip->payload_len);
	put_be16(icmp + 2, csum_fold(csum_partial(icmp, ip->payload_len, sum)));
	return header_len + ip->payload_len;
}

size_t icmp4_error(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[4],
		   uint8_t type, uint8_t code, uint32_t rest)
{
	struct ip_outer ip = {
		.family = IP_V4,
		.protocol = IP_PROTOCOL_ICMP,
		.tos = TOS_INTERNETWORK_CONTROL,
		.ttl = ERROR_TTL,
		.src = src,
		.dst = packet + 12,
	};

	if (len == 0 || packet[0] >> 4 != 4 || !icmp_may_answer(packet, len, false))
		return 0;
	return put_error(out, &ip, &(struct saying){type, code, rest}, packet, get_be16(packet + 2),
			 ICMP4_ERROR_MAX);
}

size_t icmp6_error(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[16],
		   uint8_t type, uint8_t code, uint32_t rest)
{
	struct ip_outer ip = {
		.family = IP_V6,
		.protocol = IP_PROTOCOL_ICMPV6,
		.ttl = ERROR_TTL,
		.src = src,
		.dst = packet + 8,
	};

	if (len == 0 || packet[0] >> 4 != 6 ||
	    !icmp_may_answer(packet, len, type == ICMP6_PACKET_TOO_BIG))
		return 0;
	return put_error(out, &ip, &(struct saying){type, code, rest}, packet,
			 IP6_HEADER_LENGTH + (size_t)get_be16(packet + 4), ICMP6_ERROR_MAX);
}

size_t icmp4_frag_needed(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[4],
			 uint16_t mtu)
{
	return icmp4_error(out, packet, len, src, ICMP4_UNREACHABLE, ICMP4_FRAG_NEEDED, mtu);
}

size_t icmp6_packet_too_big(uint8_t *out, const uint8_t *packet, size_t len, const uint8_t src[16],
			    uint32_t mtu)
{
	return icmp6_error(out, packet, len, src, ICMP6_PACKET_TOO_BIG, 0, mtu);
}

uint16_t icmp_plateau(uint32_t total_len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
		if (plateaus[i] < total_len)
			return plateaus[i];
	return IP4_MTU_MIN;
}

/*
 * The quoted header is cut short as a rule, so ip_decode() would refuse it. Returns where the
 * quoted GRE header begins, NULL when the quote is of something else. For IPv6 only GRE directly
 * behind the fixed header or a fragment header is looked for: we send nothing else.
 */
static const uint8_t *quoted_gre4(const uint8_t *p, const uint8_t *end, struct icmp_quote *out)
{
	unsigned header_len;

	if (p + IP4_HEADER_LENGTH > end || p[0] >> 4 != 4)
		return NULL;
	header_len = (unsigned)(p[0] & 0x0f) * 4;
	if (header_len < IP4_HEADER_LENGTH || p[9] != IP_PROTOCOL_GRE ||
	    (get_be16(p + 6) & 0x1fff) != 0)
		return NULL;
	memcpy(out->src, p + 12, 4);
	memcpy(out->dst, p + 16, 4);
	out->total_len = get_be16(p + 2);
	return p + header_len;
}

static const uint8_t *quoted_gre6(const uint8_t *p, const uint8_t *end, struct icmp_quote *out)
{
	const uint8_t *fragment = p + IP6_HEADER_LENGTH;

	if (p + IP6_HEADER_LENGTH > end || p[0] >> 4 != 6)
		return NULL;
	memcpy(out->src, p + 8, 16);
	memcpy(out->dst, p + 24, 16);
	out->total_len = IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4);
	if (p[6] == IP_PROTOCOL_GRE)
		return fragment;
	if (p[6] != IP_PROTOCOL_FRAGMENT || fragment + IP6_FRAGMENT_HEADER_LENGTH > end ||
	    fragment[0] != IP_PROTOCOL_GRE || (get_be16(fragment + 2) & 0xfff8) != 0)
		return NULL;
	return fragment + IP6_FRAGMENT_HEADER_LENGTH;
}

static bool read_gre(const uint8_t *gre, const uint8_t *end, struct icmp_quote *out)
{
	const uint8_t *key = gre + GRE_LENGTH_MIN;

	if (gre + GRE_LENGTH_MIN > end)
		return false;
	out->flags = get_be16(gre);
	out->protocol = get_be16(gre + 2);
	if (gre_check_flags(out->flags) != DROP_NONE)
		return false;
	if (out->flags & GRE_FLAG_CHECKSUM)
		key += 4;
	if (out->flags & GRE_FLAG_KEY && !(key + 4 > end)) {
		out->has_key = true;
		out->key = get_be32(key);
	}
	return true;
}

static uint32_t read_mtu(uint8_t family, const uint8_t *p, const struct icmp_quote *quote)
{
	if (family == IP_V6)
		return p[0] == ICMP6_PACKET_TOO_BIG ? get_be32(p + 4) : 0;
	if (p[0] != ICMP4_UNREACHABLE || p[1] != ICMP4_FRAG_NEEDED)
		return 0;
	if (get_be16(p + 6) != 0)
		return get_be16(p + 6);
	return icmp_plateau(quote->total_len);
}

bool icmp_quote_decode(uint8_t family, const uint8_t *p, size_t len, struct icmp_quote *out)
{
	struct icmp_quote quote = {.family = family};
	const uint8_t *end = p + len, *gre;

	if (len < ICMP_HEADER_LENGTH)
		return false;
	if (family == IP_V4 ? !is_icmp4_error(p[0]) || csum_fold(csum_partial(p, len, 0)) != 0
			    : p[0] >= 128)
		return false;
	quote.type = p[0];
	quote.code = p[1];
	gre = family == IP_V4 ? quoted_gre4(p + ICMP_HEADER_LENGTH, end, &quote)
			      : quoted_gre6(p + ICMP_HEADER_LENGTH, end, &quote);
	if (!gre || !read_gre(gre, end, &quote))
		return false;
	quote.mtu = read_mtu(family, p, &quote);
	*out = quote;
	return true;
}
