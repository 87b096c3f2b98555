/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash by its authors' vectors; the signed body of a question; echoes that carry it. */
#include "proto_test.h"

#include "proto/csum.h"
#include "proto/kaecho.h"

#define MS 1000000ull

/* Key 00 01 ... 0f; the input of row n is the octets 00, 01, ... up to n - 1. */
static const char *const siphash_rows[] = {
	"310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785",
	"b7877127e09427cf", "8da699cd64557618", "cee3fe586e46c9cb", "37d1018bf50002ab",
	"6224939a79f5f593", "b0e4a90bdf82009e", "f3b9dd94c5bb5d7a", "a7ad6b22462fb3f4",
	"fbe50e86bc8f1e75", "903d84c02756ea14", "eef27a8e90ca23f7", "e545be4961ca29a1",
};

static void test_siphash(void **state)
{
	struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t input[16], want[8];

	(void)state;
	for (unsigned n = 0; n < COUNT(siphash_rows); n++) {
		uint8_t *p;

		if (n)
			input[n - 1] = (uint8_t)(n - 1);
		p = exact_copy(input, n);
		hex_decode(siphash_rows[n], want, sizeof want);
		assert_true(siphash24(&key, p, n) == siphash_load(want, 8));
		exact_free(p, n);
	}
}

static struct kabody some_body(void)
{
	return (struct kabody){.key = {1, 2}, .bias_ms = 0xfffffff0};
}

/* OpenBSD's layout: time, random number, hash. */
static void test_layout(void **state)
{
	struct kabody b = some_body();
	uint8_t p[KABODY_LENGTH];

	(void)state;
	kabody_write(&b, p, 7, 20 * MS);
	assert_int_equal(get_be32(p), 4); /* -16 + 20 */
	assert_int_equal(get_be32(p + 4), b.open[0].random);
	assert_true(siphash_load(p + 8, 8) == siphash24(&b.key, p, 8));
}

static void test_judge(void **state)
{
	struct kabody b = some_body(), other = {.key = {1, 3}, .bias_ms = 0xfffffff0};
	struct kabody_question q;
	uint8_t p[KABODY_LENGTH], forged[KABODY_LENGTH];

	(void)state;
	kabody_write(&b, p, 7, 20 * MS);
	for (unsigned bit = 0; bit < 8 * KABODY_LENGTH; bit++) {
		memcpy(forged, p, sizeof p);
		forged[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(kabody_judge(&b, forged, 20 * MS, &q), KABODY_FORGED);
	}
	assert_int_equal(kabody_judge(&other, p, 20 * MS, &q), KABODY_FORGED);
	assert_int_equal(kabody_judge(&b, p, 10021 * MS, &q), KABODY_STALE);
	assert_int_equal(kabody_judge(&b, p, 19 * MS, &q), KABODY_STALE); /* from the future */
	assert_int_equal(kabody_judge(&b, p, 10020 * MS, &q), KABODY_GOOD);
	assert_int_equal(q.number, 7);
	assert_true(q.asked_ns == 20 * MS);
	assert_int_equal(kabody_judge(&b, p, 10020 * MS, &q), KABODY_REPEATED);
}

/* The open questions are answered in any order, each once; the oldest give way. */
static void test_ring(void **state)
{
	struct kabody b = some_body();
	uint8_t p[KABODY_OPEN_MAX + 1][KABODY_LENGTH];
	struct kabody_question q;

	(void)state;
	for (uint32_t i = 0; i <= KABODY_OPEN_MAX; i++)
		kabody_write(&b, p[i], i, (i + 1) * MS);
	assert_int_equal(kabody_judge(&b, p[0], 100 * MS, &q), KABODY_REPEATED);
	for (uint32_t i = KABODY_OPEN_MAX; i > 0; i--) {
		assert_int_equal(kabody_judge(&b, p[i], 100 * MS, &q), KABODY_GOOD);
		assert_int_equal(q.number, i);
		assert_int_equal(kabody_judge(&b, p[i], 100 * MS, &q), KABODY_REPEATED);
	}
}

static const uint8_t near4[] = {192, 168, 8, 1}, far4[] = {192, 168, 8, 11};
static const uint8_t near6[] = {0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t far6[] = {0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11};

/* Turns a request into the reply that a host makes of it. */
static void reply_to(uint8_t *p, bool v6)
{
	unsigned size = v6 ? 16 : 4, at = v6 ? 8 : 12, ip_len = v6 ? 40 : 20;
	uint8_t src[16];

	memcpy(src, p + at, size);
	memcpy(p + at, p + at + size, size);
	memcpy(p + at + size, src, size);
	p[ip_len] = v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
}

static struct kaecho question(bool v6, const uint8_t *body)
{
	return (struct kaecho){.family = v6 ? IP_V6 : IP_V4,
			       .near = v6 ? near6 : near4,
			       .far = v6 ? far6 : far4,
			       .id = 0xabcd,
			       .sequence = 9,
			       .ip_id = 77,
			       .body = body};
}

static void test_echo(void **state)
{
	uint8_t p[KAECHO_LENGTH_MAX], body[KABODY_LENGTH] = {1, 2, 3};

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct kaecho e = question(v6, body);
		unsigned len = kaecho_build(p, &e), ip_len = v6 ? 40 : 20;
		uint64_t pseudo =
			v6 ? csum_pseudo6(near6, far6, IP_PROTOCOL_ICMPV6, len - ip_len) : 0;
		struct kaecho other = e;

		assert_int_equal(len, ip_len + 24);
		assert_int_equal(csum_fold(csum_partial(p + ip_len, len - ip_len, pseudo)), 0);
		assert_int_equal(p[ip_len], v6 ? 128 : 8);
		assert_null(kaecho_answer(p, p + len, &e)); /* the request itself */
		reply_to(p, v6);
		assert_ptr_equal(kaecho_answer(p, p + len, &e), p + ip_len + 8);
		assert_null(kaecho_answer(p, p + len - 1, &e));
		other.id++;
		assert_null(kaecho_answer(p, p + len, &other));
		other = e;
		other.far = e.near;
		assert_null(kaecho_answer(p, p + len, &other));
	}
}

/* The answer that another side makes of a request: its checksums are right, and it is the one to
 * it. */
static void test_echo_turned(void **state)
{
	uint8_t p[KAECHO_LENGTH_MAX], body[KABODY_LENGTH] = {1, 2, 3};

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct kaecho e = question(v6, body);
		unsigned len = kaecho_build(p, &e), ip_len = v6 ? 40 : 20;
		uint64_t pseudo =
			v6 ? csum_pseudo6(far6, near6, IP_PROTOCOL_ICMPV6, len - ip_len) : 0;
		struct ip_info ip;

		assert_null(kaecho_request(p, p + len - 1, &ip));
		assert_ptr_equal(kaecho_request(p, p + len, &ip), p + ip_len);
		p[v6 ? 7 : 8] = 3; /* some hops later */
		if (!v6)
			put_be16(p + 10, csum_update16(get_be16(p + 10), 64 << 8 | IP_PROTOCOL_ICMP,
						       3 << 8 | IP_PROTOCOL_ICMP));
		kaecho_turn(p, p + ip_len);
		assert_int_equal(p[v6 ? 7 : 8], KAECHO_TTL);
		assert_true(v6 || csum_fold(csum_partial(p, 20, 0)) == 0);
		assert_int_equal(csum_fold(csum_partial(p + ip_len, len - ip_len, pseudo)), 0);
		assert_ptr_equal(kaecho_answer(p, p + len, &e), p + ip_len + 8);
		assert_null(kaecho_request(p, p + len, &ip));
	}
}

/* Echo replies that came out of the tunnel at 192.168.8.1, outer address 192.0.2.1. */
static void test_probe(void **state)
{
	static const uint8_t outer[] = {192, 0, 2, 1};
	static const struct {
		const char *name, *hex;
		bool probe;
	} rows[] = {
		{"of a host behind the peer",
		 "4500001c000000004001 0000 c0a8080b c0a80801 0000000000000000", false},
		{"to a third", "4500001c000000004001 0000 c0a8080b 08080808 0000000000000000",
		 false},
		{"from our inner address",
		 "4500001c000000004001 0000 c0a80801 c0a8080b 0000000000000000", true},
		{"from our outer address",
		 "4500001c000000004001 0000 c0000201 a29f0001 0000000000000000", true},
		{"from 172.64.240.253",
		 "4500001c000000004001 0000 ac40f0fd a29f0001 0000000000000000", true},
		{"from 172.64.241.0",
		 "4500001c000000004001 0000 ac40f100 a29f0001 0000000000000000", false},
		{"at the end of its life",
		 "4500001c000000000101 0000 c0000201 a29f0001 0000000000000000", false},
		{"from us to us", "4500001c000000004001 0000 c0000201 c0a80801 0000000000000000",
		 false},
		{"a request", "4500001c000000004001 0000 c0000201 a29f0001 0800000000000000",
		 false},
		{"another code", "4500001c000000004001 0000 c0000201 a29f0001 0001000000000000",
		 false},
		{"a fragment", "4500001c000020004001 0000 c0000201 a29f0001 0000000000000000",
		 false},
		{"not ICMP", "4500001c000000004011 0000 c0000201 a29f0001 0000000000000000", false},
		{"cut", "4500001b000000004001 0000 c0000201 a29f0001 00000000000000", false},
	};
	const uint8_t *ours[] = {outer, near4, NULL};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t octets[28];
		size_t len = hex_decode(rows[i].hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);
		struct ip_info ip;
		bool probe = kaecho_reply(p, p + len, &ip) && kaecho_is_probe(&ip, ours, 3);

		CHECK_ROW(i, rows[i].name, probe == rows[i].probe);
		exact_free(p, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash), cmocka_unit_test(test_layout),
		cmocka_unit_test(test_judge),	cmocka_unit_test(test_ring),
		cmocka_unit_test(test_echo),	cmocka_unit_test(test_echo_turned),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
