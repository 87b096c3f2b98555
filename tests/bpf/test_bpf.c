/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the vectors of tests/vectors through src/proto twice, compiled for this machine and compiled
 * for BPF inside the kernel, and compares verdicts and octets. What the right answer is, the unit
 * tests say.
 *
 *   test_bpf OBJECT    the compiled ops.bpf.c; needs root
 */
#include "../unit/proto_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "../vectors/csum.h"
#include "../vectors/ecn.h"
#include "../vectors/erspan.h"
#include "../vectors/frag.h"
#include "../vectors/gre.h"
#include "../vectors/icmp.h"
#include "../vectors/ip.h"
#include "../vectors/mss.h"
#include "../vectors/packet.h"
#include "../vectors/seq.h"
#include "ops.h"

/* What the verifier may have to look at for one operation: a quarter of its limit, since a lane
 * holds several and older kernels need more for the same. */
enum { VERIFIED_MAX = 250000 };

enum op {
#define OP_ENUM(name) OP_##name,
	OPS(OP_ENUM)
#undef OP_ENUM
		OP_COUNT
};

static const char *const op_names[] = {
#define OP_NAME(name) "run_" #name,
	OPS(OP_NAME)
#undef OP_NAME
};

static const char *object_path;
static struct bpf_object *object;
static int programs[OP_COUNT];

/* One run: io in front, the octets behind, as the programs see a packet. */
struct memory {
	struct op_io io;
	uint8_t octets[OCTETS_MAX];
};

static void run_here(enum op op, struct memory *m, size_t len)
{
	uint8_t *p = m->octets;
	const uint8_t *end = p + len;

	switch (op) {
#define OP_CASE(name)                      \
	case OP_##name:                    \
		op_##name(&m->io, p, end); \
		break;
		OPS(OP_CASE)
#undef OP_CASE
	default:
		fail_msg("no such operation");
	}
}

static void run_in_kernel(enum op op, struct memory *m, size_t len)
{
	struct memory out = {0};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = m,
			    .data_size_in = (uint32_t)(sizeof m->io + len), .data_out = &out,
			    .data_size_out = sizeof out, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(programs[op], &opts), 0);
	assert_int_equal(opts.retval, XDP_PASS);
	assert_int_equal(opts.data_size_out, sizeof m->io + len);
	memcpy(m, &out, sizeof m->io + len);
}

/* Runs `op` both ways on io and the octets; the common result replaces them. */
static void run_both(size_t row, enum op op, struct memory *m, size_t len)
{
	struct memory kernel = *m;

	run_here(op, m, len);
	run_in_kernel(op, &kernel, len);
	for (size_t i = 0; i < OP_RESULTS; i++)
		if (m->io.result[i] != kernel.io.result[i])
			fail_msg("%s, row %zu: result %zu is %#x here, %#x in the kernel",
				 op_names[op], row + 1, i, m->io.result[i], kernel.io.result[i]);
	for (size_t i = 0; i < len; i++)
		if (m->octets[i] != kernel.octets[i])
			fail_msg("%s, row %zu: octet %zu is %02x here, %02x in the kernel",
				 op_names[op], row + 1, i, m->octets[i], kernel.octets[i]);
	assert_memory_equal(&m->io, &kernel.io, sizeof m->io);
}

/* `op` on the packet and on its beginning cut at each octet. */
static void run_cuts(size_t row, enum op op, const struct op_io *io, const uint8_t *packet,
		     size_t len)
{
	for (size_t cut = 0; cut <= len; cut++) {
		struct memory m = {.io = *io};

		memcpy(m.octets, packet, cut);
		run_both(row, op, &m, cut);
	}
}

static void test_gre_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gre_vectors); i++) {
		struct memory m = {0};
		const struct op_io io = {0};
		size_t len = hex_decode(gre_vectors[i].hex, m.octets, sizeof m.octets);

		run_cuts(i, OP_gre_decode, &io, m.octets, len);
		run_both(i, OP_gre_decode, &m, len);
		assert_int_equal(m.io.result[0], gre_vectors[i].reason);
	}
}

static void test_gre_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gre_vectors); i++) {
		const struct gre_header *h = &gre_vectors[i].header;
		struct memory m = {
			.io.arg = {(uint32_t)(h->has_checksum | h->has_key << 1 |
					      h->has_sequence << 2),
				   h->protocol, h->checksum, h->key, h->sequence},
		};

		run_both(i, OP_gre_encode, &m, 20);
		if (gre_vectors[i].reason == DROP_NONE)
			assert_int_equal(m.io.result[0], h->length);
	}
}

/* Outer headers as the packets have them, and in them the GRE header that follows. */
static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(packet_vectors); i++) {
		bool v4 = packet_vectors[i].family == IP_V4;
		struct memory m = {0}, gre = {0};
		size_t len = hex_decode(packet_vectors[i].hex, m.octets, sizeof m.octets);
		const struct op_io io = {0};

		run_cuts(i, OP_ip_decode, &io, m.octets, len);
		run_both(i, OP_ip_decode, &m, len);
		assert_int_equal(m.io.result[0], true);
		assert_int_equal(m.io.result[2], IP_PROTOCOL_GRE);
		len -= v4 ? 20 : 40;
		memcpy(gre.octets, m.octets + (v4 ? 20 : 40), len);
		run_both(i, OP_gre_decode, &gre, len);
		assert_int_equal(gre.io.result[0], DROP_NONE);
	}
}

static void test_ip_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ip_vectors); i++) {
		struct memory m = {0};
		const struct op_io io = {0};
		size_t len = hex_decode(ip_vectors[i].hex, m.octets, sizeof m.octets);

		run_cuts(i, OP_ip_decode, &io, m.octets, len);
	}
	for (size_t i = 0; i < COUNT(icmp_answer_vectors); i++) {
		struct memory m = {0};
		size_t len = hex_decode(icmp_answer_vectors[i].hex, m.octets, sizeof m.octets);

		run_both(i, OP_ip_decode, &m, len);
	}
}

static void test_ip_outer(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		struct memory m = {
			.io.arg = {i & 1 ? IP_V6 : IP_V4, 47, i * 5, 255 - i, i & 2, i * 7919,
				   i * i * 2},
		};

		for (size_t k = 0; k < 32; k++)
			m.octets[k] = (uint8_t)(k * 29 + i);
		run_both(i, OP_ip_outer, &m, 72);
		assert_true(m.io.result[0] == (i & 1 ? 40 : 20) || m.io.arg[6] > 65515);
	}
}

static void test_ecn(void **state)
{
	const char *const packets[] = {PASSENGER4, PASSENGER4_CE, PASSENGER6, "55"};

	(void)state;
	for (size_t i = 0; i < COUNT(ecn_vectors) * COUNT(packets) * 2; i++) {
		const struct ecn_vector *v = &ecn_vectors[i / 2 % COUNT(ecn_vectors)];
		struct memory m = {.io.arg = {v->inner, v->outer, i & 1}};
		size_t len =
			hex_decode(packets[i / 2 / COUNT(ecn_vectors)], m.octets, sizeof m.octets);

		run_both(i / 2 % COUNT(ecn_vectors), OP_ecn, &m, len);
		assert_int_equal(m.io.result[0], v->reason);
	}
}

static void test_outer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(outer_vectors); i++) {
		const struct outer_policy *policy = &outer_vectors[i].policy;
		struct op_io io = {
			.arg = {(uint32_t)(policy->ttl_inherit | policy->tos_inherit << 1 |
					   policy->ecn << 2),
				policy->ttl, policy->tos, policy->df, outer_vectors[i].protocol},
		};
		uint8_t packet[OCTETS_MAX];
		size_t len = hex_decode(outer_vectors[i].passenger, packet, sizeof packet);

		run_cuts(i, OP_outer, &io, packet, len);
	}
}

static void test_csum(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(csum_vectors) * COUNT(csum_update_vectors); i++) {
		const struct csum_update_vector *v =
			&csum_update_vectors[i % COUNT(csum_update_vectors)];
		const char *hex = csum_vectors[i / COUNT(csum_update_vectors)].hex;
		struct memory m = {.io.arg = {v->check, v->from, v->to, 20, (uint32_t)i}};
		size_t len = hex_decode(hex, m.octets, sizeof m.octets);

		run_both(i, OP_csum, &m, len);
		assert_int_equal(m.io.result[v->wide ? 1 : 0], v->result);
	}
	for (size_t i = 0; i < COUNT(csum_pseudo_vectors); i++) {
		struct memory m = {.io.arg = {0x1234, 1, 0xfffffffe, 60, 1}};
		size_t len = hex_decode(csum_pseudo_vectors[i].packet, m.octets, sizeof m.octets);

		run_both(i, OP_csum, &m, len);
	}
}

static void run_step(size_t row, struct memory *m, uint64_t *now, const struct seq_step *step)
{
	uint32_t number = step->first;

	*now += (uint64_t)step->wait_ms * 1000000;
	for (uint32_t i = 0; i < step->count; i++) {
		m->io.arg[0] = number;
		m->io.now_ns = *now;
		run_both(row, OP_seq, m, 0);
		number += step->step ? step->step : 1;
		*now += 1000000;
	}
	if (step->count)
		assert_int_equal(m->io.result[0], step->verdict);
}

static void test_seq(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(seq_vectors); i++) {
		struct memory m = {0};
		uint64_t now = 1000000;

		for (size_t k = 0; k < COUNT(seq_vectors[i].steps); k++)
			run_step(i, &m, &now, &seq_vectors[i].steps[k]);
	}
}

static void test_mss(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mss_vectors); i++) {
		const struct mss_vector *v = &mss_vectors[i];
		struct op_io io = {.arg = {v->mss4, v->mss6}};
		struct memory m = {.io = io};
		uint8_t want[OCTETS_MAX];
		size_t len = hex_decode(v->in, m.octets, sizeof m.octets);

		hex_decode(v->out ? v->out : v->in, want, sizeof want);
		run_cuts(i, OP_mss, &io, m.octets, len);
		io.arg[2] = true;
		run_cuts(i, OP_mss, &io, m.octets, len);
		run_both(i, OP_mss, &m, len);
		assert_memory_equal(m.octets, want, len);
	}
}

static void test_frag(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(frag_vectors); i++) {
		const struct frag_vector *v = &frag_vectors[i];
		struct memory m = {
			.io.arg = {v->header_len, v->payload_len, v->mtu, v->base, v->more},
		};

		run_both(i, OP_frag, &m, 8);
		assert_int_equal(m.io.result[1], v->pieces);
	}
}

static void test_overhead(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 128; i++) {
		struct memory m = {
			.io.arg = {i & 32 ? IP_V6 : IP_V4, i & 31, i & 64 ? 1500 : 60},
		};

		run_both(i, OP_overhead, &m, 0);
		assert_int_equal(m.io.result[0], (i & 32 ? 44 : 24) + (i & 1 ? 14 : 0) +
							 4 * __builtin_popcount(i & 14) +
							 (i & 16 ? 8 : 0));
	}
}

static void test_erspan(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(erspan_vectors); i++) {
		const struct erspan_vector *v = &erspan_vectors[i];
		struct op_io io = {.arg = {v->form}};
		uint8_t octets[OCTETS_MAX] = {0};
		size_t len = hex_decode(v->hex, octets, sizeof octets);

		run_cuts(i, OP_erspan, &io, octets, len);
		run_cuts(i, OP_erspan, &io, octets, len + 14);
	}
}

/* Packets as frames, and behind a tag. */
static void test_nvgre(void **state)
{
	static const uint8_t header[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(ip_vectors); i++) {
		struct op_io io = {.arg = {0x123456ab}};
		uint8_t octets[OCTETS_MAX];
		size_t len = hex_decode(ip_vectors[i].hex, octets + sizeof header,
					sizeof octets - sizeof header);

		memcpy(octets, header, sizeof header);
		if (len && octets[sizeof header] >> 4 == 6)
			put_be16(octets + 12, GRE_PROTOCOL_IPV6);
		run_cuts(i, OP_nvgre, &io, octets, sizeof header + len);
	}
}

/* The price of each operation, and that none comes near the verifier's limit. */
static void test_verifier_effort(void **state)
{
	(void)state;
	for (size_t i = 0; i < OP_COUNT; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof info;

		assert_int_equal(bpf_obj_get_info_by_fd(programs[i], &info, &size), 0);
		print_message("%-14s %6u instructions seen by the verifier, %5u octets\n",
			      op_names[i], info.verified_insns, info.xlated_prog_len);
		assert_true(info.verified_insns < VERIFIED_MAX);
	}
}

static int load(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		fprintf(stderr, "BPF programs are loaded into the kernel: run this test as root\n");
		return -1;
	}
	object = bpf_object__open_file(object_path, NULL);
	if (!object || bpf_object__load(object)) {
		fprintf(stderr, "%s: cannot be loaded into this kernel\n", object_path);
		return -1;
	}
	for (size_t i = 0; i < OP_COUNT; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, op_names[i]);

		if (!program)
			return -1;
		programs[i] = bpf_program__fd(program);
	}
	return 0;
}

static int unload(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gre_decode),
		cmocka_unit_test(test_gre_encode),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_ip_decode),
		cmocka_unit_test(test_ip_outer),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_csum),
		cmocka_unit_test(test_seq),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_frag),
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_erspan),
		cmocka_unit_test(test_nvgre),
		cmocka_unit_test(test_verifier_effort),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s OBJECT\n", argv[0]);
		return 2;
	}
	object_path = argv[1];
	return cmocka_run_group_tests_name("bpf", tests, load, unload);
}
