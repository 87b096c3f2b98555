/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/probe.h"

#include <string.h>

#include "proto/csum.h"
#include "proto/ethernet.h"
#include "proto/icmp.h"

enum { ICMP_HEADER = 8, ECHO4 = 8, ECHO4_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129 };

static uint32_t put_ip(uint8_t *p, const struct probe *probe, bool back, uint8_t protocol,
		       uint32_t payload_len)
{
	struct ip_outer ip = {.family = probe->family,
			      .protocol = protocol,
			      .tos = probe->tos,
			      .ttl = back ? 255 : probe->ttl,
			      .df = probe->df,
			      .id = (uint16_t)(probe->number + 1),
			      .payload_len = payload_len,
			      .src = back ? probe->remote : probe->local,
			      .dst = back ? probe->local : probe->remote};

	return ip_outer_encode(p, &ip);
}

/* Octets behind the IP header. */
static uint32_t payload_of(const struct probe *probe, uint32_t least)
{
	uint32_t ip = ip_outer_length(probe->family);
	uint32_t length = probe->length < PROBE_PACKET_MAX ? probe->length : PROBE_PACKET_MAX;

	return length > ip + least ? length - ip : least;
}

uint32_t probe_build_ping(uint8_t *p, const struct probe *probe)
{
	bool v4 = probe->family == IP_V4;
	uint32_t len = payload_of(probe, ICMP_HEADER), at;
	uint64_t sum = v4 ? 0 : csum_pseudo6(probe->local, probe->remote, IP_PROTOCOL_ICMPV6, len);
	uint8_t *icmp;

	at = put_ip(p, probe, false, v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6, len);
	icmp = p + at;
	memset(icmp, 0, len);
	icmp[0] = v4 ? ECHO4 : ECHO6;
	put_be16(icmp + 4, probe->id);
	put_be16(icmp + 6, probe->number);
	put_be16(icmp + 2, csum_fold(csum_partial(icmp, len, sum)));
	return at + len;
}

/* A GRE header whose checksum, if it has one, covers `len` octets from it; they are written. */
static void seal(uint8_t *p, const struct gre_header *h, uint32_t len)
{
	if (h->has_checksum)
		put_be16(p + 4, csum_fold(csum_partial(p, len, 0)));
}

uint32_t probe_build_gre(uint8_t *p, const struct probe *probe)
{
	struct gre_header ask = probe->ask, back = probe->back;
	uint32_t ask_len, back_len, ip_len = ip_outer_length(probe->family), len;
	uint32_t frame = probe->ethernet ? ETHERNET_HEADER_LENGTH : 0;
	uint16_t type = probe->family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
	uint8_t *gre = p + ip_len, *inner, *answer;

	ask.checksum = back.checksum = 0;
	ask.has_sequence = back.has_sequence = false;
	ask.protocol = probe->ethernet ? GRE_PROTOCOL_TEB : type;
	back.protocol = GRE_PROTOCOL_KEEPALIVE;
	ask_len = gre_header_length(ask.has_checksum, ask.has_key, false);
	back_len = gre_header_length(back.has_checksum, back.has_key, false);
	len = payload_of(probe, ask_len + frame + ip_len + back_len + PROBE_BODY_LENGTH);
	put_ip(p, probe, false, IP_PROTOCOL_GRE, len);
	inner = gre + ask_len + frame;
	answer = inner + ip_len;
	memset(gre, 0, len);
	gre_encode(gre, &ask);
	if (frame)
		put_be16(inner - 2, type);
	put_ip(inner, probe, true, IP_PROTOCOL_GRE, len - ask_len - frame - ip_len);
	gre_encode(answer, &back);
	memcpy(answer + back_len, PROBE_MAGIC, PROBE_MAGIC_LENGTH);
	put_be16(answer + back_len + PROBE_MAGIC_LENGTH, probe->id);
	put_be16(answer + back_len + PROBE_MAGIC_LENGTH + 2, probe->number);
	seal(answer, &back, len - ask_len - frame - ip_len);
	seal(gre, &ask, len);
	return ip_len + len;
}

uint32_t probe_build_inner(uint8_t *p, const struct probe *probe, const struct ip_addr *from,
			   const struct ip_addr *to)
{
	struct gre_header ask = probe->ask;
	struct probe ping = {.family = from->family,
			     .local = from->bytes,
			     .remote = to->bytes,
			     .ttl = 64,
			     .id = probe->id,
			     .number = probe->number};
	uint32_t ip_len = ip_outer_length(probe->family), len;
	uint8_t *gre = p + ip_len;

	ask.checksum = 0;
	ask.has_sequence = false;
	ask.protocol = from->family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
	len = gre_encode(gre, &ask);
	len += probe_build_ping(gre + len, &ping);
	seal(gre, &ask, len);
	put_ip(p, probe, false, IP_PROTOCOL_GRE, len);
	return ip_len + len;
}

bool probe_body(const uint8_t *p, const uint8_t *end, uint16_t *id, uint16_t *number)
{
	if (p + PROBE_BODY_LENGTH > end || memcmp(p, PROBE_MAGIC, PROBE_MAGIC_LENGTH) != 0)
		return false;
	*id = get_be16(p + PROBE_MAGIC_LENGTH);
	*number = get_be16(p + PROBE_MAGIC_LENGTH + 2);
	return true;
}

/* The IP header of a packet of which perhaps only the beginning is there. */
struct header {
	uint8_t protocol, ttl;
	uint16_t offset; /* of a fragment */
	bool more;
	uint32_t length, size; /* of the packet, of the header */
	struct ip_addr src, dst;
};

static bool read4(const uint8_t *p, uint32_t len, struct header *out)
{
	if (len < IP4_HEADER_LENGTH)
		return false;
	*out = (struct header){.protocol = p[9],
			       .ttl = p[8],
			       .offset = (uint16_t)((get_be16(p + 6) & 0x1fff) * 8),
			       .more = get_be16(p + 6) & 0x2000,
			       .length = get_be16(p + 2),
			       .size = (p[0] & 0x0fu) * 4,
			       .src = {.family = IP_V4},
			       .dst = {.family = IP_V4}};
	memcpy(out->src.bytes, p + 12, 4);
	memcpy(out->dst.bytes, p + 16, 4);
	return out->size >= IP4_HEADER_LENGTH && out->size <= len;
}

static bool read6(const uint8_t *p, uint32_t len, struct header *out)
{
	const uint8_t *fragment = p + IP6_HEADER_LENGTH;

	if (len < IP6_HEADER_LENGTH)
		return false;
	*out = (struct header){.protocol = p[6],
			       .ttl = p[7],
			       .length = IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4),
			       .size = IP6_HEADER_LENGTH,
			       .src = {.family = IP_V6},
			       .dst = {.family = IP_V6}};
	memcpy(out->src.bytes, p + 8, 16);
	memcpy(out->dst.bytes, p + 24, 16);
	if (p[6] != IP_PROTOCOL_FRAGMENT || len < out->size + IP6_FRAGMENT_HEADER_LENGTH)
		return true;
	out->protocol = fragment[0];
	out->offset = get_be16(fragment + 2) & 0xfff8;
	out->more = get_be16(fragment + 2) & 1;
	out->size += IP6_FRAGMENT_HEADER_LENGTH;
	return true;
}

static bool read_header(const uint8_t *p, uint32_t len, struct header *out)
{
	if (len > 0 && p[0] >> 4 == 4)
		return read4(p, len, out);
	return len > 0 && p[0] >> 4 == 6 && read6(p, len, out);
}

/* A passenger that answers a ping. */
static void read_inner(const uint8_t *p, const uint8_t *end, struct probe_seen *out)
{
	struct ip_info ip;
	const uint8_t *icmp;

	if (!ip_decode(p, end, &ip) || !ip.has_transport ||
	    ip.protocol != (ip.version == 4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6))
		return;
	icmp = p + ip.header_len;
	if (icmp + ICMP_HEADER > end || icmp[0] != (ip.version == 4 ? ECHO4_REPLY : ECHO6_REPLY))
		return;
	out->kind = PROBE_INNER_ANSWER;
	out->id = get_be16(icmp + 4);
	out->number = get_be16(icmp + 6);
}

static void read_gre(const uint8_t *p, const uint8_t *end, struct probe_seen *out)
{
	struct gre_header h;

	if (p + GRE_LENGTH_MIN > end)
		return;
	out->kind = PROBE_GRE_OTHER;
	out->flags = get_be16(p);
	out->protocol = get_be16(p + 2);
	if (gre_decode(p, end, &h) != DROP_NONE)
		return;
	out->has_key = h.has_key;
	out->key = h.key;
	if (h.protocol == GRE_PROTOCOL_KEEPALIVE &&
	    probe_body(p + h.length, end, &out->id, &out->number))
		out->kind = PROBE_GRE_ANSWER;
	else if (h.protocol == GRE_PROTOCOL_IPV4 || h.protocol == GRE_PROTOCOL_IPV6)
		read_inner(p + h.length, end, out);
}

static bool is_error(uint8_t family, uint8_t type)
{
	return family == IP_V4 ? type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED ||
					 type == ICMP4_PARAMETER_PROBLEM
			       : type < 128;
}

static void read_error(uint8_t family, const uint8_t *p, uint32_t len, const struct ip_addr *remote,
		       struct probe_seen *out)
{
	struct header quoted;

	if (len < ICMP_HEADER || !is_error(family, p[0]) ||
	    !read_header(p + ICMP_HEADER, len - ICMP_HEADER, &quoted) ||
	    !addr_equal(&quoted.dst, remote))
		return;
	out->kind = PROBE_ERROR;
	out->type = p[0];
	out->code = p[1];
	out->quoted = quoted.protocol;
	out->quoted_ttl = quoted.ttl;
	if (family == IP_V4 && p[0] == ICMP4_UNREACHABLE && p[1] == ICMP4_FRAG_NEEDED)
		out->mtu = get_be16(p + 6) ? get_be16(p + 6) : icmp_plateau(quoted.length);
	else if (family == IP_V6 && p[0] == ICMP6_PACKET_TOO_BIG)
		out->mtu = get_be32(p + 4);
	else if (family == IP_V4 && p[0] == ICMP4_PARAMETER_PROBLEM)
		out->pointer = p[4];
	else if (family == IP_V6 && p[0] == ICMP6_PARAMETER_PROBLEM)
		out->pointer = get_be32(p + 4);
}

static void read_icmp(const struct header *ip, const uint8_t *p, uint32_t len,
		      const struct ip_addr *remote, struct probe_seen *out)
{
	uint8_t family = ip->src.family, answer = family == IP_V4 ? ECHO4_REPLY : ECHO6_REPLY;

	if (len < ICMP_HEADER)
		return;
	if (p[0] != answer) {
		read_error(family, p, len, remote, out);
		return;
	}
	if (!addr_equal(&ip->src, remote))
		return;
	out->kind = PROBE_PING_ANSWER;
	out->id = get_be16(p + 4);
	out->number = get_be16(p + 6);
}

void probe_read(const uint8_t *p, uint32_t len, const struct ip_addr *remote,
		struct probe_seen *out)
{
	struct header ip;

	*out = (struct probe_seen){.kind = PROBE_NOTHING};
	if (!read_header(p, len, &ip))
		return;
	out->from = ip.src;
	out->to = ip.dst;
	out->length = ip.length;
	out->more_fragments = ip.more && ip.offset == 0;
	if (ip.offset) {
		out->kind = addr_equal(&ip.src, remote) ? PROBE_PIECE : PROBE_NOTHING;
		return;
	}
	if (len > ip.length)
		len = ip.length;
	if (ip.size > len)
		return;
	if (ip.protocol == IP_PROTOCOL_GRE && addr_equal(&ip.src, remote))
		read_gre(p + ip.size, p + len, out);
	else if (ip.protocol == (ip.src.family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6))
		read_icmp(&ip, p + ip.size, len - ip.size, remote, out);
}
