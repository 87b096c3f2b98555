/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A peer whose address is learned: its question, its proof, and all that is none. */
#include "proto_test.h"

#include "proto/roam.h"

#define MS 1000000ull

static const struct siphash_key secret = {0x1122, 0x3344}, wrong = {0x1122, 0x3345};
static const struct roam_asker asker = {.key = {5, 6}, .bias_ms = 0xfffffff0};

static struct roam_place place_of(const char *text, uint16_t port)
{
	struct roam_place place = {.port = port};

	assert_true(addr_parse(text, &place.addr));
	return place;
}

/* What a peer at `place` sends that is asked question `number` at `at_ms`. */
static void proof_of(const struct roam_place *place, uint32_t number, uint64_t at_ms,
		     uint8_t body[ROAM_LENGTH])
{
	roam_ask(&asker, &secret, place, 7, 8, number, at_ms * MS, body);
	assert_true(roam_is_signed(&secret, body, 7));
	roam_prove(&secret, 8, body);
}

static enum roam_verdict judge(struct roam_seen *seen, const struct roam_place *place,
			       uint64_t at_ms, const uint8_t *body)
{
	uint8_t *p = exact_copy(body, ROAM_LENGTH);
	enum roam_verdict verdict = roam_judge(seen, &asker, &secret, place, 8, at_ms * MS, p);

	exact_free(p, ROAM_LENGTH);
	return verdict;
}

static void test_layout(void **state)
{
	struct roam_place place = place_of("203.0.113.7", 61000);
	uint8_t body[ROAM_LENGTH];

	(void)state;
	roam_ask(&asker, &secret, &place, 7, 8, 42, 20 * MS, body);
	assert_int_equal(roam_kind(body, ROAM_LENGTH), ROAM_QUESTION);
	assert_int_equal(get_be32(body + 4), 4); /* -16 + 20 */
	assert_int_equal(get_be32(body + 8), 42);
	assert_true(siphash_load(body + ROAM_SIGNATURE_AT, 8) == roam_signature(&secret, body, 7));
	roam_prove(&secret, 8, body);
	assert_int_equal(roam_kind(body, ROAM_LENGTH), ROAM_PROOF);
	assert_true(roam_is_signed(&secret, body, 8));
	assert_int_equal(roam_kind(body, ROAM_LENGTH - 1), ROAM_NONE);
	assert_int_equal(roam_kind(body, ROAM_LENGTH + 1), ROAM_NONE);
	body[0] ^= 1;
	assert_int_equal(roam_kind(body, ROAM_LENGTH), ROAM_NONE);
}

/* The signature covers each octet before it, the key and the secret; so a question is no proof. */
static void test_signature(void **state)
{
	struct roam_place place = place_of("2001:db8::7", 61000);
	struct roam_seen seen = {.ns = 0};
	uint8_t body[ROAM_LENGTH];

	(void)state;
	proof_of(&place, 1, 1000, body);
	assert_false(roam_is_signed(&wrong, body, 8));
	assert_false(roam_is_signed(&secret, body, 9));
	for (unsigned bit = 0; bit < 8 * ROAM_LENGTH; bit++) {
		body[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(judge(&seen, &place, 1001, body), ROAM_FORGED);
		body[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(judge(&seen, &place, 1001, body), ROAM_GOOD);
	roam_ask(&asker, &secret, &place, 8, 8, 2, 1000 * MS, body);
	put_be32(body, ROAM_PROOF);
	assert_int_equal(judge(&seen, &place, 1001, body), ROAM_FORGED);
}

/* Right secret, right key, and yet no proof: it was asked elsewhere, or by somebody else. */
static void test_elsewhere(void **state)
{
	struct roam_place here = place_of("203.0.113.7", 61000),
			  port = place_of("203.0.113.7", 61001),
			  addr = place_of("203.0.113.8", 61000),
			  family = place_of("cb00:7107::", 61000);
	struct roam_asker restarted = {.key = {5, 7}, .bias_ms = asker.bias_ms};
	struct roam_seen seen = {.ns = 0};
	uint8_t body[ROAM_LENGTH];

	(void)state;
	proof_of(&here, 1, 1000, body);
	assert_int_equal(judge(&seen, &port, 1001, body), ROAM_STALE);
	assert_int_equal(judge(&seen, &addr, 1001, body), ROAM_STALE);
	assert_int_equal(judge(&seen, &family, 1001, body), ROAM_STALE);
	assert_int_equal(roam_judge(&seen, &restarted, &secret, &here, 8, 1001 * MS, body),
			 ROAM_STALE);
	assert_int_equal(judge(&seen, &here, 1001, body), ROAM_GOOD);
}

/* Each question counts once, for ten seconds, and not after a newer one. */
static void test_fresh(void **state)
{
	struct roam_place here = place_of("203.0.113.7", 61000),
			  there = place_of("203.0.113.7", 61001);
	struct roam_seen seen = {.ns = 0};
	uint8_t first[ROAM_LENGTH], second[ROAM_LENGTH], third[ROAM_LENGTH];

	(void)state;
	proof_of(&here, 0xffffffff, 1000, first);
	proof_of(&there, 0, 1000, second); /* the count begins anew */
	proof_of(&here, 1, 5000, third);
	assert_int_equal(judge(&seen, &here, 1000 + ROAM_AGE_MS + 1, first), ROAM_STALE);
	assert_int_equal(judge(&seen, &here, 1000 + ROAM_AGE_MS, first), ROAM_GOOD);
	assert_int_equal(judge(&seen, &here, 1000 + ROAM_AGE_MS, first), ROAM_STALE);
	seen = (struct roam_seen){.ns = 0};
	assert_int_equal(judge(&seen, &there, 1010, second), ROAM_GOOD);
	assert_int_equal(judge(&seen, &here, 1020, first), ROAM_STALE);
	assert_int_equal(judge(&seen, &there, 1030, second), ROAM_STALE);
	assert_int_equal(judge(&seen, &here, 5020, third), ROAM_GOOD);
	assert_int_equal(judge(&seen, &there, 5030, second), ROAM_STALE);
	/* From before the asker's clock began. */
	proof_of(&here, 9, 7000, first);
	assert_int_equal(judge(&seen, &here, 6000, first), ROAM_STALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
