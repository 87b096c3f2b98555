/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/gre.h"
#include "../vectors/packet.h"
#include "proto/csum.h"
#include "proto/ip.h"

static bool same_header(const struct gre_header *a, const struct gre_header *b)
{
	return a->protocol == b->protocol && a->has_checksum == b->has_checksum &&
	       a->has_key == b->has_key && a->has_sequence == b->has_sequence &&
	       a->checksum == b->checksum && a->key == b->key && a->sequence == b->sequence &&
	       a->length == b->length;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gre_vectors); i++) {
		const struct gre_vector *v = &gre_vectors[i];
		const struct gre_header untouched = {.protocol = 0x5555, .length = 99};
		struct gre_header h = untouched;
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(v->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		CHECK_ROW(i, v->name, gre_decode(p, p + len, &h) == v->reason);
		CHECK_ROW(i, v->name, same_header(&h, v->reason ? &untouched : &v->header));
		exact_free(p, len);
	}
}

/* Each header that is accepted, cut at each octet: never accepted, never read beyond its end. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gre_vectors); i++) {
		const struct gre_vector *v = &gre_vectors[i];
		uint8_t octets[OCTETS_MAX];

		hex_decode(v->hex, octets, sizeof octets);
		for (size_t len = 0; len < v->header.length; len++) {
			uint8_t *p = exact_copy(octets, len);
			struct gre_header h;

			CHECK_ROW(i, v->name, gre_decode(p, p + len, &h) == DROP_RX_TRUNCATED);
			exact_free(p, len);
		}
	}
}

/* What the first two octets decide, for all 65,536 of them. */
static void test_all_flags(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags <= 0xffff; flags++) {
		uint8_t p[16] = {(uint8_t)(flags >> 8), (uint8_t)flags, 0x08, 0x00};
		struct gre_header h;
		enum drop_reason want = flags & 7	 ? DROP_RX_VERSION
					: flags & 0x4000 ? DROP_RX_ROUTING
					: flags & 0x0c00 ? DROP_RX_RESERVED
							 : DROP_NONE;

		assert_int_equal(gre_decode(p, p + sizeof p, &h), want);
		if (want == DROP_NONE)
			assert_int_equal(h.length, 4 + 4 * !!(flags & 0x8000) +
							   4 * !!(flags & 0x2000) +
							   4 * !!(flags & 0x1000));
	}
}

/* Encoding what was decoded gives the same octets, reserved bits and fields as zeros. */
static void test_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gre_vectors); i++) {
		const struct gre_vector *v = &gre_vectors[i];
		uint8_t want[OCTETS_MAX], got[GRE_LENGTH_MAX + 1];

		if (v->reason != DROP_NONE)
			continue;
		hex_decode(v->hex, want, sizeof want);
		want[0] &= 0xb0;
		want[1] = 0;
		if (v->header.has_checksum)
			put_be16(want + 6, 0);
		memset(got, 0xee, sizeof got);
		CHECK_ROW(i, v->name, gre_encode(got, &v->header) == v->header.length);
		CHECK_ROW(i, v->name, memcmp(got, want, v->header.length) == 0);
		CHECK_ROW(i, v->name, got[v->header.length] == 0xee);
	}
}

/* The outer packet of a vector made from its passenger by our encoder. */
static size_t encode_packet(uint8_t *out, const struct packet_vector *v, unsigned row,
			    const uint8_t *passenger, size_t len)
{
	const uint8_t src4[] = {172, 19, 1, 1}, dst4[] = {172, 19, 1, 2};
	const uint8_t src6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
	const uint8_t dst6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 2};
	struct gre_header gre = {
		.protocol = v->family == IP_V4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6,
		.has_checksum = v->checksum,
		.has_key = v->key,
		.has_sequence = v->sequence,
		.key = PACKET_KEY,
		.sequence = PACKET_SEQUENCE(row),
	};
	uint8_t gre_len = gre_header_length(v->checksum, v->key, v->sequence);
	struct ip_outer ip = {
		.family = v->family,
		.protocol = IP_PROTOCOL_GRE,
		.ttl = PACKET_TTL,
		.df = true,
		.id = PACKET_ID(row),
		.payload_len = (uint32_t)(gre_len + len),
		.src = v->family == IP_V4 ? src4 : src6,
		.dst = v->family == IP_V4 ? dst4 : dst6,
	};
	uint8_t *p = out + ip_outer_encode(out, &ip);

	assert_int_equal(gre_encode(p, &gre), gre_len);
	memcpy(p + gre_len, passenger, len);
	if (v->checksum)
		put_be16(p + 4, csum_fold(csum_partial(p, gre_len + len, 0)));
	return (size_t)(p - out) + gre_len + len;
}

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(packet_vectors); i++) {
		const struct packet_vector *v = &packet_vectors[i];
		uint8_t want[OCTETS_MAX], got[OCTETS_MAX], *gre;
		size_t len = hex_decode(v->hex, want, sizeof want), passenger;
		const uint8_t *end = want + len;
		struct ip_info outer, inner;
		struct gre_header h;

		CHECK_ROW(i, v->name, ip_decode(want, end, &outer));
		CHECK_ROW(i, v->name, outer.protocol == IP_PROTOCOL_GRE && outer.total_len == len);
		gre = want + outer.header_len;
		CHECK_ROW(i, v->name, gre_decode(gre, end, &h) == DROP_NONE);
		CHECK_ROW(i, v->name, h.has_checksum == v->checksum && h.has_key == v->key);
		CHECK_ROW(i, v->name, h.key == (v->key ? PACKET_KEY : 0));
		CHECK_ROW(i, v->name,
			  !v->checksum ||
				  csum_fold(csum_partial(gre, (size_t)(end - gre), 0)) == 0);
		CHECK_ROW(i, v->name, ip_decode(gre + h.length, end, &inner));
		CHECK_ROW(i, v->name, inner.protocol == IP_PROTOCOL_UDP && inner.ttl == 63);
		passenger = (size_t)(end - gre) - h.length;
		CHECK_ROW(i, v->name,
			  encode_packet(got, v, i % 8, gre + h.length, passenger) == len);
		CHECK_ROW(i, v->name, memcmp(got, want, len) == 0);
	}
}

/* One flipped bit anywhere under the checksum is noticed. */
static void test_checksum_notices(void **state)
{
	uint8_t p[OCTETS_MAX], *gre = p + IP4_HEADER_LENGTH;
	size_t len = hex_decode(packet_vectors[7].hex, p, sizeof p) - IP4_HEADER_LENGTH;

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		gre[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_not_equal(csum_fold(csum_partial(gre, len, 0)), 0);
		gre[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	assert_int_equal(csum_fold(csum_partial(gre, len, 0)), 0);
}

/* The request is two tunnel headers; its passenger is the reply, one hop earlier. */
static void test_keepalive(void **state)
{
	uint8_t request[OCTETS_MAX], reply[OCTETS_MAX];
	size_t len = hex_decode(keepalive_request, request, sizeof request);
	size_t reply_len = hex_decode(keepalive_reply, reply, sizeof reply);
	struct ip_info outer, inner;
	struct gre_header h;

	(void)state;
	assert_int_equal(len, 48);
	assert_int_equal(reply_len, 24);
	assert_true(ip_decode(request, request + len, &outer));
	assert_int_equal(gre_decode(request + 20, request + len, &h), DROP_NONE);
	assert_int_equal(h.protocol, GRE_PROTOCOL_IPV4);
	assert_true(ip_decode(request + 24, request + len, &inner));
	assert_true(ip4_checksum_good(request + 24, request + len, 20));
	assert_int_equal(inner.protocol, IP_PROTOCOL_GRE);
	assert_memory_equal(inner.src, outer.dst, 4);
	assert_memory_equal(inner.dst, outer.src, 4);
	assert_int_equal(gre_decode(request + 44, request + len, &h), DROP_NONE);
	assert_int_equal(h.protocol, GRE_PROTOCOL_KEEPALIVE);
	request[24 + 8]--;
	put_be16(request + 24 + 10, csum_update16(get_be16(request + 24 + 10), 0xff2f, 0xfe2f));
	assert_memory_equal(request + 24, reply, reply_len);
}

static void test_is_passenger(void **state)
{
	static const uint16_t yes[] = {0x0600, 0x0800, 0x86dd, 0x8847, 0x8848, 0x88b5, 0xffff},
			      no[] = {0, 4, 0x05ff, 0x6558, 0x8909, 0x883e, 0x88be, 0x22eb};

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(gre_is_passenger(yes[i]));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(gre_is_passenger(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_passenger),	 cmocka_unit_test(test_decode),
		cmocka_unit_test(test_truncated),	 cmocka_unit_test(test_all_flags),
		cmocka_unit_test(test_encode),		 cmocka_unit_test(test_packets),
		cmocka_unit_test(test_checksum_notices), cmocka_unit_test(test_keepalive),
	};

	return cmocka_run_group_tests_name("gre", tests, NULL, NULL);
}
