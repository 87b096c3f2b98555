/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto_test.h"

#include <stdlib.h>

#include "../vectors/frag.h"

static bool same_piece(const struct frag_piece *a, const struct frag_piece *b)
{
	return a->at == b->at && a->length == b->length && a->offset == b->offset &&
	       a->more == b->more;
}

/* Beyond first and last: the pieces join without a gap, none exceeds the MTU, all but the last of
 * the original packet are multiples of 8. */
static void check_pieces(size_t row, const struct frag_vector *v, struct frag_plan *plan)
{
	struct frag_piece piece, first = {0};
	uint32_t count = 0, at = 0;

	CHECK_ROW(row, v->name, frag_count(plan) == v->pieces);
	while (frag_next(plan, &piece)) {
		if (count++ == 0)
			first = piece;
		CHECK_ROW(row, v->name, piece.at == at && piece.offset == v->base + at);
		CHECK_ROW(row, v->name, v->header_len + piece.length <= v->mtu);
		CHECK_ROW(row, v->name, !piece.more || piece.length % 8 == 0);
		at += piece.length;
	}
	CHECK_ROW(row, v->name, at == v->payload_len && count == v->pieces);
	CHECK_ROW(row, v->name, same_piece(&first, &v->first) && same_piece(&piece, &v->last));
}

static void test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(frag_vectors); i++) {
		const struct frag_vector *v = &frag_vectors[i];
		struct frag_plan plan;

		CHECK_ROW(i, v->name,
			  frag_start(&plan, v->header_len, v->payload_len, v->mtu, v->base,
				     v->more) == (v->pieces > 0));
		if (v->pieces > 0)
			check_pieces(i, v, &plan);
	}
}

struct header_vector {
	const char *name;
	const char *options; /* behind the 20 octets */
	struct frag_piece piece;
	const char *kept;
};

/* clang-format off */
static const struct header_vector header_vectors[] = {
	/*  1 */ {"no options, first", "", {0, 1456, 0, true}, ""},
	/*  2 */ {"no options, last", "", {1456, 25, 1456, false}, ""},
	/*  3 */ {"router alert is copied", "94040000", {1456, 25, 1456, false}, "94040000"},
	/*  4 */ {"record route is not", "07070400000000 00", {1456, 25, 1456, false}, ""},
	/*  5 */ {"the first keeps all", "07070400000000 00", {0, 8, 0, true}, "0707040000000000"},
	/*  6 */ {"mixed", "01 07070400000000 94040000 830304 01", {8, 8, 8, true}, "94040000 830304 00"},
	/*  7 */ {"behind the end of the list", "00 94040000 000000", {8, 8, 8, true}, ""},
	/*  8 */ {"malformed: length 0", "94040000 8300 0000", {8, 8, 8, true}, "94040000"},
	/*  9 */ {"malformed: beyond the header", "94040000 8308 0000", {8, 8, 8, true}, "94040000"},
	/* 10 */ {"kind alone at the end", "940400 0001010183", {8, 8, 8, true}, "94040000"},
	/* 11 */ {"40 octets", "832704 01020304 05060708 090a0b0c 0d0e0f10 11121314 15161718 191a1b1c 1d1e1f20 21222324 01", {8, 8, 8, true},
		"832704 01020304 05060708 090a0b0c 0d0e0f10 11121314 15161718 191a1b1c 1d1e1f20 21222324 00"},
};
/* clang-format on */

static void test_header4(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(header_vectors); i++) {
		const struct header_vector *v = &header_vectors[i];
		uint8_t in[60], out[61], kept[60], *header;
		unsigned len, kept_len = (unsigned)hex_decode(v->kept, kept, sizeof kept);

		hex_decode("45b8ffff1234400040110000 0a0a0102 140a0102", in, sizeof in);
		len = 20 + (unsigned)hex_decode(v->options, in + 20, sizeof in - 20);
		in[0] = (uint8_t)(0x40 | len / 4);
		header = exact_copy(in, len);
		out[len] = 0xee;
		CHECK_ROW(i, v->name, frag4_header(out, header, len, &v->piece) == 20 + kept_len);
		CHECK_ROW(i, v->name, out[len] == 0xee);
		CHECK_ROW(i, v->name, out[0] == (0x40 | (20 + kept_len) / 4) && out[1] == 0xb8);
		CHECK_ROW(i, v->name, get_be16(out + 2) == 20 + kept_len + v->piece.length);
		CHECK_ROW(i, v->name, get_be16(out + 4) == 0x1234);
		CHECK_ROW(i, v->name,
			  get_be16(out + 6) ==
				  (v->piece.offset / 8 | (v->piece.more ? 0x2000 : 0)));
		CHECK_ROW(i, v->name, ip4_checksum_good(out, out + 60, 20 + kept_len));
		CHECK_ROW(i, v->name, memcmp(out + 12, in + 12, 8) == 0);
		CHECK_ROW(i, v->name, memcmp(out + 20, kept, kept_len) == 0);
		exact_free(header, len);
	}
}

static void test_header6(void **state)
{
	const uint8_t want[] = {47, 0, 0x05, 0xa9, 0x12, 0x34, 0x56, 0x78};
	const struct frag_piece piece = {.offset = 1448, .more = true}, last = {.offset = 1448};
	uint8_t p[8];

	(void)state;
	frag6_header(p, 47, 0x12345678, &piece);
	assert_memory_equal(p, want, sizeof want);
	frag6_header(p, 47, 0x12345678, &last);
	assert_int_equal(p[3], 0xa8);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* None twice, across the end of the count, too; no step of one; another key, other numbers. */
static void test_id6(void **state)
{
	enum { IDS = 100000 };
	static const struct siphash_key one = {1, 2}, other = {1, 3};
	static uint32_t ids[IDS];
	unsigned same = 0, steps = 0;

	(void)state;
	for (uint32_t n = 0; n < IDS; n++) {
		ids[n] = frag6_id(&one, n - IDS / 2);
		same += ids[n] == frag6_id(&other, n - IDS / 2);
		steps += n && ids[n] == ids[n - 1] + 1;
	}
	assert_true(same < 5 && steps < 5);
	assert_true((ids[0] ^ ids[1] ^ ids[2] ^ ids[3]) >> 16 != 0);
	qsort(ids, IDS, sizeof *ids, compare_ids);
	for (uint32_t n = 1; n < IDS; n++)
		assert_true(ids[n] != ids[n - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_header4),
		cmocka_unit_test(test_header6),
		cmocka_unit_test(test_id6),
	};

	return cmocka_run_group_tests_name("frag", tests, NULL, NULL);
}
