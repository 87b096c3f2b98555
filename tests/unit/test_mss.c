/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/mss.h"
#include "proto/mss.h"

static void test_clamp(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mss_vectors); i++) {
		const struct mss_vector *v = &mss_vectors[i];
		uint8_t in[OCTETS_MAX], want[OCTETS_MAX], *p;
		size_t len = hex_decode(v->in, in, sizeof in);

		hex_decode(v->out ? v->out : v->in, want, sizeof want);
		p = exact_copy(in, len);
		CHECK_ROW(i, v->name, mss_clamp(p, p + len, v->mss4, v->mss6) == (v->out != NULL));
		CHECK_ROW(i, v->name, memcmp(p, want, len) == 0);
		CHECK_ROW(i, v->name, !mss_clamp(p, p + len, v->mss4, v->mss6));
		CHECK_ROW(i, v->name, memcmp(p, want, len) == 0);
		exact_free(p, len);
	}
}

/* With a checksum still to be completed only the two octets of the value change. */
static void test_pending(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mss_vectors); i++) {
		const struct mss_vector *v = &mss_vectors[i];
		uint8_t p[OCTETS_MAX], want[OCTETS_MAX];
		size_t len = hex_decode(v->in, p, sizeof p);
		struct ip_info ip;

		hex_decode(v->out ? v->out : v->in, want, sizeof want);
		CHECK_ROW(i, v->name, ip_decode(p, p + len, &ip));
		if (v->out)
			memcpy(want + ip.header_len + 16, p + ip.header_len + 16, 2);
		CHECK_ROW(i, v->name,
			  mss_clamp_pending(p, p + len, v->mss4, v->mss6, true) ==
				  (v->out != NULL));
		CHECK_ROW(i, v->name, memcmp(p, want, len) == 0);
	}
}

/* Cut at each octet, and with a total length that agrees: no read beyond the end. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mss_vectors); i++) {
		uint8_t in[OCTETS_MAX] = {0};
		size_t present = hex_decode(mss_vectors[i].in, in, sizeof in);
		size_t whole = in[0] >> 4 == 6 ? present : get_be16(in + 2);

		for (size_t len = 0; len < whole; len++) {
			uint8_t *p = exact_copy(in, len);

			assert_false(mss_clamp(p, p + len, 500, 500));
			if (len >= 40 && in[0] >> 4 == 6)
				put_be16(p + 4, (uint16_t)(len - 40));
			else if (len >= 20 && in[0] >> 4 == 4)
				put_be16(p + 2, (uint16_t)len);
			mss_clamp(p, p + len, 500, 500);
			exact_free(p, len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("mss", tests, NULL, NULL);
}
