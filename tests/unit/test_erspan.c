/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include "../vectors/erspan.h"

static bool same_header(const struct erspan_header *a, const struct erspan_header *b)
{
	return a->session == b->session && a->vlan == b->vlan && a->cos == b->cos &&
	       a->tag == b->tag && a->truncated == b->truncated && a->index == b->index &&
	       a->timestamp == b->timestamp && a->group == b->group &&
	       a->frame_type == b->frame_type && a->hardware == b->hardware && a->pdu == b->pdu &&
	       a->egress == b->egress && a->granularity == b->granularity && a->length == b->length;
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(erspan_vectors); i++) {
		const struct erspan_vector *v = &erspan_vectors[i];
		const struct erspan_header untouched = {.session = 0x155, .length = 99};
		struct erspan_header h = untouched;
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(v->hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		CHECK_ROW(i, v->name, erspan_decode(v->form, p, p + len, &h) == v->reason);
		CHECK_ROW(i, v->name, same_header(&h, v->reason ? &untouched : &v->header));
		exact_free(p, len);
	}
}

/* Each header that is accepted, cut at each octet: never accepted, never read beyond its end. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(erspan_vectors); i++) {
		const struct erspan_vector *v = &erspan_vectors[i];
		uint8_t octets[OCTETS_MAX];

		hex_decode(v->hex, octets, sizeof octets);
		for (size_t len = 0; len < v->header.length; len++) {
			uint8_t *p = exact_copy(octets, len);
			struct erspan_header h;

			CHECK_ROW(i, v->name,
				  erspan_decode(v->form, p, p + len, &h) == DROP_RX_ERSPAN);
			exact_free(p, len);
		}
	}
}

/* Encoding what was decoded gives the same octets. */
static void test_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(erspan_vectors); i++) {
		const struct erspan_vector *v = &erspan_vectors[i];
		uint8_t want[OCTETS_MAX], got[ERSPAN3_LENGTH + 1] = {0};

		if (v->reason || v->foreign)
			continue;
		hex_decode(v->hex, want, sizeof want);
		got[v->header.length] = 0xa5;
		CHECK_ROW(i, v->name,
			  erspan_encode(v->form, got, &v->header) == erspan_length(v->form));
		CHECK_ROW(i, v->name, erspan_length(v->form) == v->header.length);
		CHECK_ROW(i, v->name, memcmp(got, want, v->header.length) == 0);
		CHECK_ROW(i, v->name, got[v->header.length] == 0xa5);
	}
}

/* Types I and II differ by the sequence number alone. */
static void test_form(void **state)
{
	static const struct {
		uint16_t protocol;
		bool sequence;
		uint8_t form;
	} rows[] = {
		/*  1 */ {GRE_PROTOCOL_ERSPAN, false, FORM_ERSPAN1},
		/*  2 */ {GRE_PROTOCOL_ERSPAN, true, FORM_ERSPAN2},
		/*  3 */ {GRE_PROTOCOL_ERSPAN3, true, FORM_ERSPAN3},
		/*  4 */ {GRE_PROTOCOL_ERSPAN3, false, FORM_ERSPAN3},
		/*  5 */ {GRE_PROTOCOL_TEB, true, FORM_IP},
		/*  6 */ {GRE_PROTOCOL_IPV4, false, FORM_IP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gre_header gre = {.protocol = rows[i].protocol,
					 .has_sequence = rows[i].sequence};

		CHECK_ROW(i, "form", erspan_form(&gre) == rows[i].form);
	}
}

/* The tag of a frame is told in the header; type III has another field in the place of En. */
static void test_describe(void **state)
{
	static const struct {
		const char *name, *hex;
		uint8_t form;
		uint16_t vlan;
		uint8_t cos, tag;
	} rows[] = {
		/*  1 */ {"II, tag", "020000000001 020000000002 8100 a123 0800 45", FORM_ERSPAN2,
			  0x123, 5, ERSPAN_TAGGED},
		/*  2 */
		{"III, tag", "020000000001 020000000002 8100 a123 0800 45", FORM_ERSPAN3, 0x123, 5,
		 0},
		/*  3 */
		{"no tag", "020000000001 020000000002 0800 45000014", FORM_ERSPAN2, 0, 0,
		 ERSPAN_UNTAGGED},
		/*  4 */
		{"tag cut off", "020000000001 020000000002 8100 a1", FORM_ERSPAN2, 0, 0,
		 ERSPAN_UNTAGGED},
		/*  5 */ {"nothing", "", FORM_ERSPAN2, 0, 0, ERSPAN_UNTAGGED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct erspan_header h = {0};
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(rows[i].hex, octets, sizeof octets);
		uint8_t *p = exact_copy(octets, len);

		erspan_describe(rows[i].form, p, p + len, &h);
		CHECK_ROW(i, rows[i].name, h.vlan == rows[i].vlan && h.cos == rows[i].cos);
		CHECK_ROW(i, rows[i].name, h.tag == rows[i].tag);
		exact_free(p, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),	 cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_encode),	 cmocka_unit_test(test_form),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests_name("erspan", tests, NULL, NULL);
}
