/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/packet.h"
#include "proto/csum.h"
#include "proto/udp.h"

/* A datagram as text, and what becomes of it. */
struct udp_row {
	const char *name, *hex;
	enum drop_reason reason;
	struct udp_header header;
};

/* clang-format off */
static const struct udp_row udp_rows[] = {
	{"shortest", "c000 1292 0008 0000", DROP_NONE, {0xc000, 4754, 8, 0}},
	{"with GRE", "ffff 1292 000c abcd 00000800", DROP_NONE, {0xffff, 4754, 12, 0xabcd}},
	{"padding behind it", "c000 1292 0008 1234 0000", DROP_NONE, {0xc000, 4754, 8, 0x1234}},
	{"length below the header", "c000 1292 0007 0000", DROP_RX_UDP_LENGTH, {0}},
	{"length 0, a jumbogram's", "c000 1292 0000 0000 00000800", DROP_RX_UDP_LENGTH, {0}},
	{"length beyond the end", "c000 1292 000d 0000 00000800", DROP_RX_UDP_LENGTH, {0}},
	{"nothing", "", DROP_RX_UDP_LENGTH, {0}},
};
/* clang-format on */

static bool same_header(const struct udp_header *a, const struct udp_header *b)
{
	return a->source == b->source && a->destination == b->destination &&
	       a->length == b->length && a->checksum == b->checksum;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(udp_rows); i++) {
		const struct udp_row *r = &udp_rows[i];
		uint8_t octets[OCTETS_MAX], again[UDP_HEADER_LENGTH];
		size_t len = hex_decode(r->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);
		struct udp_header h = {0};

		CHECK_ROW(i, r->name, udp_decode(p, p + len, &h) == r->reason);
		CHECK_ROW(i, r->name, same_header(&h, &r->header));
		if (r->reason == DROP_NONE) {
			CHECK_ROW(i, r->name, udp_encode(again, &h) == UDP_HEADER_LENGTH);
			CHECK_ROW(i, r->name, memcmp(again, p, UDP_HEADER_LENGTH) == 0);
		}
		exact_free(p, len);
	}
}

/* Cut at each octet: never accepted, never read beyond its end. */
static void test_truncated(void **state)
{
	uint8_t octets[OCTETS_MAX];
	size_t whole = hex_decode(udp_rows[1].hex, octets, sizeof octets);

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		uint8_t *p = exact_copy(octets, len);
		struct udp_header h;

		CHECK_ROW(len, "cut", udp_decode(p, p + len, &h) == DROP_RX_UDP_LENGTH);
		exact_free(p, len);
	}
}

/* Made by another encoder: GRE in UDP over IPv4 and over IPv6, checksums included. */
static const struct {
	const char *name, *hex;
	uint16_t checksum;
} known_rows[] = {
	{"IPv4",
	 "4500003f000140004011e083ac130101ac130102c3501292002bc78b000008004500001f"
	 "0002000040015abd0a0a0105140a010708002497000300016f6464",
	 0xc78b},
	{"IPv6, key",
	 "6000000000301140fd190000000000000000000000000001fd1900000000000000000000"
	 "00000002ffff12920030ba332000080000001092450000200002000040015abc0a0a0105"
	 "140a010708002d17000300016576656e",
	 0xba33},
};

static void test_checksum(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known_rows); i++) {
		uint8_t p[OCTETS_MAX];
		size_t len = hex_decode(known_rows[i].hex, p, sizeof p);
		struct ip_info ip;
		struct udp_header h = {0};
		uint8_t *udp;
		uint64_t pseudo;

		assert_true(ip_decode(p, p + len, &ip));
		udp = p + ip.header_len;
		assert_int_equal(udp_decode(udp, p + len, &h), DROP_NONE);
		assert_int_equal(h.checksum, known_rows[i].checksum);
		pseudo = udp_pseudo(ip.version == 4 ? IP_V4 : IP_V6, ip.src, ip.dst, h.length);
		CHECK_ROW(i, known_rows[i].name,
			  udp_checksum_good(csum_partial(udp, h.length, 0), pseudo, h.checksum));
		put_be16(udp + UDP_CHECKSUM_AT, 0);
		CHECK_ROW(i, known_rows[i].name,
			  udp_check(csum_partial(udp, h.length, 0) + pseudo) == h.checksum);
		/* As a sender on this machine leaves it for a device to complete. */
		put_be16(udp + UDP_CHECKSUM_AT, csum_fold16(pseudo));
		CHECK_ROW(i, known_rows[i].name,
			  udp_checksum_good(csum_partial(udp, h.length, 0), pseudo,
					    csum_fold16(pseudo)));
		/* Each octet counts, once the checksum is right again. */
		put_be16(udp + UDP_CHECKSUM_AT, h.checksum);
		for (size_t at = 0; at < h.length; at++) {
			udp[at] ^= 0x10;
			CHECK_ROW(at, known_rows[i].name,
				  !udp_checksum_good(csum_partial(udp, h.length, 0), pseudo,
						     get_be16(udp + UDP_CHECKSUM_AT)));
			udp[at] ^= 0x10;
		}
	}
	/* A sum whose complement is 0 is sent as all ones: 0 would say that there is none. */
	assert_int_equal(udp_check(0xffff), 0xffff);
	assert_int_equal(udp_check(0), 0xffff);
	assert_int_equal(udp_check(1), 0xfffe);
}

/* Passengers: which of them are one flow. */
struct flow_row {
	const char *name;
	uint16_t protocol;
	bool same; /* as row 0 of its protocol */
	const char *hex;
};

#define IP4(length, fragment, ttl, protocol) \
	"4500" length "0001" fragment ttl protocol "0000 0a0a0105 140a0107 "
#define FRAME "020000000001 020000000002 "

/* clang-format off */
static const struct flow_row flow_rows[] = {
	{"TCP", 0x0800, true, IP4("0018", "4000", "40", "06") "1388 01bb"},
	{"TCP, later", 0x0800, true, IP4("001a", "4000", "3f", "06") "1388 01bb 0000"},
	{"other port", 0x0800, false, IP4("0018", "4000", "40", "06") "1389 01bb"},
	{"UDP", 0x0800, false, IP4("0018", "4000", "40", "11") "1388 01bb"},
	{"first fragment", 0x0800, false, IP4("0018", "2000", "40", "06") "1388 01bb"},
	{"ARP", 0x6558, true, FRAME "0806 0001080006040001"},
	{"ARP again", 0x6558, true, FRAME "0806 0001080006040002"},
	{"other frame", 0x6558, false, "020000000003 020000000002 0806 0001080006040001"},
	{"no IP, whatever it looks like", 0x6558, true,
	 FRAME "88b5 " IP4("0018", "4000", "40", "06") "1389 01bb"},
	{"IP in a frame", 0x6558, false, FRAME "0800 " IP4("0018", "4000", "40", "06") "1388 01bb"},
};
/* clang-format on */

static uint16_t port_of(uint32_t seed, uint16_t protocol, const char *hex)
{
	uint8_t octets[OCTETS_MAX];
	size_t len = hex_decode(hex, octets, sizeof octets);
	uint8_t *p = exact_copy(octets, len);
	uint16_t port = udp_source_port(seed, protocol, p, p + len);

	exact_free(p, len);
	return port;
}

static void test_source_port(void **state)
{
	uint16_t first = 0, protocol = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(flow_rows); i++) {
		const struct flow_row *r = &flow_rows[i];
		uint16_t port = port_of(1, r->protocol, r->hex);

		if (protocol != r->protocol)
			first = port;
		protocol = r->protocol;
		CHECK_ROW(i, r->name, port >= 49152);
		CHECK_ROW(i, r->name, (port == first) == r->same);
	}
	assert_int_not_equal(port_of(1, 0x0800, flow_rows[0].hex),
			     port_of(2, 0x0800, flow_rows[0].hex));
	/* The two pieces of a fragmented packet. */
	assert_int_equal(port_of(1, 0x0800, IP4("0018", "2000", "40", "06") "1388 01bb"),
			 port_of(1, 0x0800, IP4("0018", "0001", "40", "06") "7777 7777"));
}

/* A thousand flows do not share few ports. */
static void test_spread(void **state)
{
	uint8_t p[28], seen[UDP_SOURCE_COUNT] = {0};
	unsigned different = 0;

	(void)state;
	hex_decode(flow_rows[0].hex, p, sizeof p);
	for (uint16_t i = 0; i < 1000; i++) {
		uint8_t *mark;

		put_be16(p + 20, (uint16_t)(32768 + i));
		mark = &seen[udp_source_port(1, 0x0800, p, p + 24) - UDP_SOURCE_FIRST];
		different += !*mark;
		*mark = 1;
	}
	/* At random 970 of 16384 would be met. */
	assert_true(different > 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),	 cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_checksum), cmocka_unit_test(test_source_port),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
