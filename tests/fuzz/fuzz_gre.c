/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that a packet from outside reaches: as an outer packet, as a GRE packet, as a
 * passenger, and as an ICMP error; and frames of an interface that peers share. */
#include <stdlib.h>
#include <string.h>

#include "proto/csum.h"
#include "proto/ecn.h"
#include "proto/encaplimit.h"
#include "proto/erspan.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/icmp.h"
#include "proto/ip.h"
#include "proto/kaquest.h"
#include "proto/mss.h"
#include "proto/nvgre.h"
#include "proto/outer.h"
#include "proto/probe.h"
#include "proto/resolve.h"
#include "proto/roam.h"
#include "proto/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* As if the passenger came through the very tunnel that it names, under each type of passenger. */
static void question(uint8_t *p, uint8_t *end, const struct ip_info *ip)
{
	static const uint16_t types[] = {GRE_PROTOCOL_IPV4, GRE_PROTOCOL_IPV6, KAPKT_TYPE_HUAWEI};
	struct kapkt_tunnel tunnel = {.family = ip->version == 4 ? IP_V4 : IP_V6,
				      .local = ip->src,
				      .remote = ip->dst,
				      .nat = true};
	struct gre_header h = {0};

	gre_decode(p + ip->header_len, end, &h);
	tunnel.has_key = h.has_key;
	tunnel.key = h.key;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct kapkt_question q = kapkt_question(types[i], p, end, &tunnel);

		kapkt_is_inner_answer(types[i], p, end, &tunnel);
		if (q.way == KAPKT_NOT)
			continue;
		check(q.packet == p && q.len == ip->total_len && ip->protocol == IP_PROTOCOL_GRE);
		kapkt_turn(p, q.family);
		check(ip->version == 6 || ip4_checksum_good(p, end, IP4_HEADER_LENGTH));
		return;
	}
}

/* Cisco's metadata stands in front of the packet, if anything of the sort does. */
static void question_behind_cmd(uint8_t *p, uint8_t *end)
{
	static const uint8_t ours[4] = {192, 0, 2, 1}, theirs[4] = {192, 0, 2, 2};
	struct kapkt_tunnel tunnel = {.family = IP_V4, .local = ours, .remote = theirs};
	struct kapkt_question q = kapkt_question(GRE_PROTOCOL_CMD, p, end, &tunnel);

	check(q.way == KAPKT_NOT || (q.packet >= p && q.packet + q.len <= end));
}

static void passenger(uint8_t *p, uint8_t *end)
{
	static const uint8_t router[16] = {192, 0, 2, 1};
	size_t len = (size_t)(end - p);
	uint8_t error[ICMP_ERROR_MAX];
	uint32_t at;
	struct ip_info ip;

	icmp4_frag_needed(error, p, len, router, 1400);
	icmp6_packet_too_big(error, p, len, router, 1400);
	check(!encaplimit_find(p, p + len, &at) || at < len);
	ecn_apply(p, end, ECN_CE);
	question_behind_cmd(p, end);
	mss_clamp(p, end, 1000, 1000);
	check(!mss_clamp(p, end, 1000, 1000)); /* once is enough */
	if (!ip_decode(p, end, &ip))
		return;
	check(ip.header_len <= ip.total_len && ip.total_len <= len);
	question(p, end, &ip);
}

/* As ERSPAN of each type; a header that was read is written the same, reserved bits apart, and read
 * the same again. */
static void copy(uint8_t *p, uint8_t *end)
{
	for (uint8_t form = FORM_ERSPAN1; form <= FORM_ERSPAN3; form++) {
		struct erspan_header h = {0}, same = {0};
		uint8_t again[ERSPAN3_LENGTH], twice[ERSPAN3_LENGTH];

		if (erspan_decode(form, p, end, &h) != DROP_NONE)
			continue;
		check(h.length <= end - p && h.session == erspan_session(form, p, end));
		check(erspan_encode(form, again, &h) == erspan_length(form));
		check(erspan_decode(form, again, again + erspan_length(form), &same) == DROP_NONE);
		check(erspan_encode(form, twice, &same) == erspan_length(form));
		check(memcmp(again, twice, erspan_length(form)) == 0);
		erspan_describe(form, p, end, &h);
		check(h.vlan <= 0xfff && h.cos <= 7);
	}
}

/* What may be a question or a proof: nobody has the secret. */
static void roam(const uint8_t *p, const uint8_t *end, uint32_t key)
{
	static const struct roam_asker asker = {.key = {1, 2}};
	static const struct siphash_key secret = {3, 4};
	struct roam_place place = {{IP_V4, {192, 0, 2, 1}}, 4754};
	struct roam_seen seen = {.ns = 0};
	enum roam_verdict verdict;

	if (roam_kind(p, (uint32_t)(end - p)) == ROAM_NONE)
		return;
	check(!roam_is_signed(&secret, p, key));
	verdict = roam_judge(&seen, &asker, &secret, &place, key, 1, p);
	check(verdict == ROAM_FORGED && seen.ns == 0);
}

static void gre(uint8_t *p, uint8_t *end)
{
	uint8_t again[GRE_LENGTH_MAX];
	struct gre_header h;

	if (gre_decode(p, end, &h) != DROP_NONE)
		return;
	check(h.length <= end - p && gre_encode(again, &h) == h.length);
	csum_partial(p, (size_t)(end - p), 0);
	passenger(p + h.length, end);
	nvgre_flow(p + h.length, end);
	copy(p + h.length, end);
	roam(p + h.length, end, h.key);
}

/* The datagram that a tunnel in UDP receives, and the source port for what such a tunnel sends. */
static void udp(uint8_t *p, uint8_t *end)
{
	static const uint16_t types[] = {GRE_PROTOCOL_IPV4, GRE_PROTOCOL_IPV6, GRE_PROTOCOL_TEB};
	struct udp_header h;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		check(udp_source_port(7, types[i], p, end) >= UDP_SOURCE_FIRST);
	if (udp_decode(p, end, &h) != DROP_NONE)
		return;
	check(h.length >= UDP_HEADER_LENGTH && h.length <= end - p);
	end = p + h.length;
	p += UDP_HEADER_LENGTH;
	if (!gue_is_gre(p, end))
		gre(p, end);
	else if (gue_decode(p, end) == DROP_NONE)
		gre(p + GUE_LENGTH, end);
}

/* As the doctor reads it, for whom the packet comes from, or is about, its own peer. */
static void doctor(const uint8_t *p, size_t len)
{
	struct ip_addr peers[2] = {{.family = IP_V4}, {.family = IP_V6}};
	struct probe_seen seen;

	for (unsigned i = 0; i < 2; i++) {
		unsigned at = i ? 8 : 12, size = i ? 16 : 4;

		if (len >= at + size)
			memcpy(peers[i].bytes, p + at, size);
		probe_read(p, (uint32_t)len, &peers[i], &seen);
		check(seen.kind == PROBE_NOTHING || seen.from.family != IP_NONE);
		/* An error comes from anybody, about a packet to the peer. */
		probe_read(p, (uint32_t)len, &(struct ip_addr){IP_V4, {172, 19, 1, 2}}, &seen);
	}
}

/* As a multipoint tunnel reads what its interface hands over. */
static void frame(const uint8_t *p, const uint8_t *end)
{
	static const uint8_t mac[ETHERNET_ADDRESS_LENGTH] = {2, 'G', 192, 0, 2, 1};
	uint8_t answer[RESOLVE_ANSWER_MAX];
	struct resolve_question question;
	uint32_t len;

	if (!resolve_question(p, end, &question))
		return;
	check(resolve_is_local(p, end));
	len = resolve_answer(answer, &question, mac);
	check(len <= sizeof answer && resolve_is_local(answer, answer + len));
	check(!resolve_question(answer, answer + len, &question));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(size + 1), *end = p + size;
	struct icmp_quote quote;
	struct ip_info outer;

	memcpy(p, data, size);
	doctor(p, size);
	frame(p, end);
	icmp_quote_decode(IP_V4, p, size, &quote);
	icmp_quote_decode(IP_V6, p, size, &quote);
	if (ip_decode(p, end, &outer) && outer.protocol == IP_PROTOCOL_GRE && outer.has_transport)
		gre(p + outer.header_len, p + outer.total_len);
	udp(p, end);
	gre(p, end);
	free(p);
	return 0;
}
