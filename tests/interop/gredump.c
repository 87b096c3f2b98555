/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gredump: what gretel's decoder reads in a capture, to be compared with other decoders.
 *
 *     gredump FILE.pcap [tos=N|inherit] [df=set|copy|clear]
 *
 * One JSON object a line for each frame that is GRE over IPv4 or IPv6, and whole or a first
 * fragment. With tos= or df= the packet is also encoded anew from what was decoded, as a tunnel of
 * these settings would; "reencoded" is then the offset of the first octet that came out different,
 * or -1. Identification and TTL of the outer header are taken over, they are the sender's choice.
 */
#include <errno.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "proto/addr.h"
#include "proto/csum.h"
#include "proto/drop.h"
#include "proto/gre.h"
#include "proto/ip.h"
#include "proto/outer.h"

struct settings {
	bool reencode;
	struct outer_policy policy;
};

/* A frame's IP packet and what is known of it. */
struct packet {
	const uint8_t *ip, *gre, *end; /* end: by the IP header's total length */
	struct ip_info outer;
	enum drop_reason reason;
	struct gre_header header;
};

static const char *const drop_names[] = {[DROP_NONE] = "none",
#define DROP_NAME(id, name, text) [DROP_##id] = name,
					 DROP_REASONS(DROP_NAME)
#undef DROP_NAME
};

static const char *address_text(const uint8_t *bytes, uint8_t version, char buf[ADDR_TEXT_SIZE])
{
	struct ip_addr addr = {.family = version == 4 ? IP_V4 : IP_V6};

	memcpy(addr.bytes, bytes, addr_size(addr.family));
	return addr_format(&addr, buf);
}

/* The IP packet of a frame, or NULL when it is something else. */
static const uint8_t *find_ip(int link_type, const uint8_t *p, const uint8_t *end)
{
	if (link_type == DLT_RAW)
		return p;
	if (p + 14 > end)
		return NULL;
	uint16_t type = get_be16(p + 12);
	return type == GRE_PROTOCOL_IPV4 || type == GRE_PROTOCOL_IPV6 ? p + 14 : NULL;
}

static json_t *outer_json(const struct packet *packet)
{
	const struct ip_info *ip = &packet->outer;
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];

	return json_pack("{si ss ss si si sb sb}", "version", ip->version, "src",
			 address_text(ip->src, ip->version, src), "dst",
			 address_text(ip->dst, ip->version, dst), "tos", ip->tos, "ttl", ip->ttl,
			 "df", ip->df, "fragment", ip->fragment);
}

/* True or false, or null where a fragment does not show the whole packet. */
static json_t *checksum_json(const struct packet *packet)
{
	uint64_t sum;

	if (!packet->header.has_checksum || packet->outer.fragment)
		return json_null();
	sum = csum_partial(packet->gre, (size_t)(packet->end - packet->gre), 0);
	return json_boolean(csum_fold(sum) == 0);
}

static json_t *inner_json(const struct packet *packet)
{
	const uint8_t *p = packet->gre + packet->header.length;
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];
	struct ip_info ip;

	if (packet->header.protocol != GRE_PROTOCOL_IPV4 &&
	    packet->header.protocol != GRE_PROTOCOL_IPV6)
		return json_null();
	if (!ip_decode(p, packet->end, &ip))
		return json_string("malformed");
	return json_pack("{si ss ss si si si sb}", "version", ip.version, "src",
			 address_text(ip.src, ip.version, src), "dst",
			 address_text(ip.dst, ip.version, dst), "protocol", ip.protocol, "tos",
			 ip.tos, "ttl", ip.ttl, "df", ip.df);
}

/* Offset of the first octet in which a packet made anew differs from the one that came; or -1. */
static int reencode(const struct packet *packet, struct outer_policy policy)
{
	static uint8_t made[65536];
	const uint8_t *payload = packet->gre + packet->header.length;
	struct gre_header header = packet->header;
	size_t payload_len = (size_t)(packet->end - payload);
	unsigned gre_len =
		gre_header_length(header.has_checksum, header.has_key, header.has_sequence);

	policy.ttl = packet->outer.ttl;
	struct outer_fields fields = outer_fields(&policy, header.protocol, payload, packet->end);
	struct ip_outer outer = {
		.family = packet->outer.version == 4 ? IP_V4 : IP_V6,
		.protocol = IPPROTO_NUMBER_GRE,
		.tos = fields.tos,
		.ttl = fields.ttl,
		.df = fields.df,
		.id = (uint16_t)packet->outer.id,
		.payload_len = (uint32_t)(gre_len + payload_len),
		.src = packet->outer.src,
		.dst = packet->outer.dst,
	};
	unsigned at = ip_outer_encode(made, &outer);

	header.checksum = 0;
	gre_encode(made + at, &header);
	memcpy(made + at + gre_len, payload, payload_len);
	if (header.has_checksum)
		put_be16(made + at + 4,
			 csum_fold(csum_partial(made + at, gre_len + payload_len, 0)));
	for (size_t i = 0; i < at + gre_len + payload_len; i++)
		if (made[i] != packet->ip[i])
			return (int)i;
	return -1;
}

static void print_packet(long frame, const struct packet *packet, const struct settings *settings)
{
	const struct gre_header *h = &packet->header;
	json_t *line = json_pack("{sI so ss}", "frame", (json_int_t)frame, "outer",
				 outer_json(packet), "drop", drop_names[packet->reason]);

	if (packet->reason == DROP_NONE) {
		json_object_set_new(line, "protocol", json_integer(h->protocol));
		json_object_set_new(line, "key", h->has_key ? json_integer(h->key) : json_null());
		json_object_set_new(line, "sequence",
				    h->has_sequence ? json_integer(h->sequence) : json_null());
		json_object_set_new(line, "checksum", json_boolean(h->has_checksum));
		json_object_set_new(line, "checksum_good", checksum_json(packet));
		json_object_set_new(line, "inner", inner_json(packet));
		if (settings->reencode && !packet->outer.fragment)
			json_object_set_new(line, "reencoded",
					    json_integer(reencode(packet, settings->policy)));
	}
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static void take_frame(long frame, int link_type, const uint8_t *p, size_t len,
		       const struct settings *settings)
{
	struct packet packet = {.end = p + len};

	packet.ip = find_ip(link_type, p, packet.end);
	if (!packet.ip || !ip_decode(packet.ip, packet.end, &packet.outer) ||
	    packet.outer.protocol != IPPROTO_NUMBER_GRE || packet.outer.frag_offset)
		return;
	packet.end = packet.ip + packet.outer.total_len;
	packet.gre = packet.ip + packet.outer.header_len;
	packet.reason = gre_decode(packet.gre, packet.end, &packet.header);
	print_packet(frame, &packet, settings);
}

static bool read_setting(const char *word, struct settings *settings)
{
	static const char *const dfs[] = {"df=set", "df=copy", "df=clear"};

	settings->reencode = true;
	for (uint8_t i = 0; i < 3; i++) {
		if (strcmp(word, dfs[i]) == 0) {
			settings->policy.df = i;
			return true;
		}
	}
	if (strncmp(word, "tos=", 4) != 0)
		return false;
	settings->policy.tos_inherit = strcmp(word + 4, "inherit") == 0;
	settings->policy.tos = (uint8_t)strtoul(word + 4, NULL, 0);
	return true;
}

int main(int argc, char **argv)
{
	struct settings settings = {.policy = {.df = OUTER_DF_SET, .ecn = true}};
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap;
	long frame = 0;
	int got;

	for (int i = 2; i < argc; i++)
		if (!read_setting(argv[i], &settings))
			argc = 0;
	if (argc < 2) {
		fprintf(stderr, "usage: gredump FILE [tos=N|inherit] [df=set|copy|clear]\n");
		return 2;
	}
	pcap = pcap_open_offline(argv[1], error);
	if (!pcap) {
		fprintf(stderr, "gredump: %s\n", error);
		return 1;
	}
	int link_type = pcap_datalink(pcap);
	while ((got = pcap_next_ex(pcap, &head, &data)) == 1)
		take_frame(++frame, link_type, data, head->caplen, &settings);
	if (got != PCAP_ERROR_BREAK || (link_type != DLT_EN10MB && link_type != DLT_RAW))
		fprintf(stderr, "gredump: %s: %s\n", argv[1],
			got == PCAP_ERROR ? pcap_geterr(pcap) : "neither Ethernet nor raw IP");
	pcap_close(pcap);
	return got == PCAP_ERROR_BREAK ? 0 : 1;
}
