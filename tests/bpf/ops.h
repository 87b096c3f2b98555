/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ops.h: one function for each piece of src/proto that both compilers take. The harness runs it as
 * gcc compiled it, and in the kernel as clang compiled it, on equal memory: a struct op_io and the
 * octets behind it. Afterwards both memories must be equal, octet by octet.
 */
#ifndef BPF_OPS_H
#define BPF_OPS_H

#include "proto/bytes.h"
#include "proto/csum_inc.h"
#include "proto/ecn.h"
#include "proto/erspan.h"
#include "proto/frag.h"
#include "proto/gre.h"
#include "proto/ip.h"
#include "proto/mss.h"
#include "proto/nvgre.h"
#include "proto/outer.h"
#include "proto/overhead.h"
#include "proto/seq.h"

enum { OP_ARGS = 8, OP_RESULTS = 16 };

struct op_io {
	uint64_t now_ns;
	struct seq_state seq;
	uint32_t arg[OP_ARGS];
	uint32_t result[OP_RESULTS];
};

/* X(name): every operation. */
#define OPS(X)        \
	X(gre_decode) \
	X(gre_encode) \
	X(ip_decode)  \
	X(ip_outer)   \
	X(ecn)        \
	X(outer)      \
	X(csum)       \
	X(seq)        \
	X(mss)        \
	X(frag)       \
	X(overhead)   \
	X(erspan)     \
	X(nvgre)

PROTO_INLINE void op_gre_decode(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct gre_header h = {0};

	io->result[0] = gre_decode(p, end, &h);
	io->result[1] = h.protocol;
	io->result[2] = (uint32_t)(h.has_checksum | h.has_key << 1 | h.has_sequence << 2);
	io->result[3] = h.checksum;
	io->result[4] = h.key;
	io->result[5] = h.sequence;
	io->result[6] = h.length;
}

/* Arguments: the three options as bits 0 to 2, protocol, checksum, key, sequence. */
PROTO_INLINE void op_gre_encode(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct gre_header h = {
		.protocol = (uint16_t)io->arg[1],
		.has_checksum = io->arg[0] & 1,
		.has_key = io->arg[0] & 2,
		.has_sequence = io->arg[0] & 4,
		.checksum = (uint16_t)io->arg[2],
		.key = io->arg[3],
		.sequence = io->arg[4],
	};

	if (p + GRE_LENGTH_MAX > end)
		return;
	io->result[0] = gre_encode(p, &h);
}

PROTO_INLINE void op_ip_decode(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct ip_info ip;

	io->result[0] = ip_decode(p, end, &ip);
	if (!io->result[0])
		return;
	io->result[1] = ip.version;
	io->result[2] = ip.protocol;
	io->result[3] = ip.tos;
	io->result[4] = ip.ttl;
	io->result[5] = (uint32_t)(ip.df | ip.fragment << 1 | ip.more_fragments << 2 |
				   ip.has_transport << 3);
	io->result[6] = ip.header_len;
	io->result[7] = ip.frag_offset;
	io->result[8] = ip.total_len;
	io->result[9] = ip.id;
	io->result[10] = get_be32(ip.src);
	io->result[11] = get_be32(ip.dst);
	if (ip.version == 4)
		io->result[12] = ip4_checksum_good(p, end, ip.header_len);
}

/* Arguments: family, protocol, TOS, TTL, DF, id or flow label, payload length. The addresses are
 * the first 32 octets, the header comes behind them. */
PROTO_INLINE void op_ip_outer(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct ip_outer o = {
		.family = (uint8_t)io->arg[0],
		.protocol = (uint8_t)io->arg[1],
		.tos = (uint8_t)io->arg[2],
		.ttl = (uint8_t)io->arg[3],
		.df = io->arg[4] != 0,
		.id = (uint16_t)io->arg[5],
		.flow_label = io->arg[5],
		.payload_len = io->arg[6],
		.src = p,
		.dst = p + 16,
	};

	if (p + 32 + IP6_HEADER_LENGTH > end)
		return;
	io->result[0] = ip_outer_encode(p + 32, &o);
}

/* Arguments: inner and outer TOS, normal mode. The result is applied to the packet. */
PROTO_INLINE void op_ecn(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	uint8_t ecn = 0;

	io->result[0] = ecn_decapsulate((uint8_t)io->arg[0], (uint8_t)io->arg[1], &ecn);
	io->result[1] = ecn;
	io->result[2] = ecn_encapsulate((uint8_t)io->arg[0], io->arg[2] != 0);
	if (io->result[0] == DROP_NONE)
		io->result[3] = ecn_apply(p, end, ecn);
}

/* Arguments: TTL inherit, TOS inherit and ECN as bits 0 to 2, TTL, TOS, DF, protocol. */
PROTO_INLINE void op_outer(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct outer_policy policy = {
		.ttl_inherit = io->arg[0] & 1,
		.tos_inherit = io->arg[0] & 2,
		.ecn = io->arg[0] & 4,
		.ttl = (uint8_t)io->arg[1],
		.tos = (uint8_t)io->arg[2],
		.df = (uint8_t)io->arg[3],
	};
	struct outer_fields f = outer_fields(&policy, (uint16_t)io->arg[4], p, end);

	io->result[0] = f.tos;
	io->result[1] = f.ttl;
	io->result[2] = f.df;
}

/* Arguments: check, old and new value, header length, offset. */
PROTO_INLINE void op_csum(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	uint16_t check = (uint16_t)io->arg[0];
	uint32_t from = io->arg[1], to = io->arg[2];
	uint64_t sum = csum_ip4_header(p, end, io->arg[3]);

	io->result[0] = csum_update16(check, (uint16_t)from, (uint16_t)to);
	io->result[1] = csum_update32(check, from, to);
	io->result[2] = csum_fold(sum);
	io->result[3] = csum_fold(csum_block_add(sum, (uint64_t)from << 20, io->arg[4]));
	if (p + 40 > end)
		return;
	io->result[4] = csum_fold(csum_pseudo4(p + 12, p + 16, p[9], to));
	io->result[5] = csum_fold(csum_pseudo6(p + 8, p + 24, p[6], to));
}

/* Arguments: the number. The state is kept in io. */
PROTO_INLINE void op_seq(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	/* Not in place: the kernel has no exchange of words in a packet. */
	struct seq_state seq = io->seq;
	uint32_t next = io->arg[0];

	(void)p;
	(void)end;
	io->result[0] = seq_receive(&seq, io->arg[0], io->now_ns);
	io->seq = seq;
	io->result[1] = seq_send(&next);
	io->result[2] = next;
}

/* Arguments: the two limits, checksum pending. */
PROTO_INLINE void op_mss(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	io->result[0] = mss_clamp_pending(p, end, (uint16_t)io->arg[0], (uint16_t)io->arg[1],
					  io->arg[2] != 0);
}

/* Arguments: header and payload length, MTU, base, more. All pieces go into one number; the
 * fragment header of the last is written to the packet. */
PROTO_INLINE void op_frag(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	struct frag_plan plan;
	struct frag_piece piece = {0};

	io->result[0] = frag_start(&plan, io->arg[0], io->arg[1], io->arg[2], (uint16_t)io->arg[3],
				   io->arg[4] != 0);
	if (!io->result[0] || p + IP6_FRAGMENT_HEADER_LENGTH > end)
		return;
	io->result[1] = frag_count(&plan);
	for (uint32_t i = 0; i < 128; i++) {
		if (!frag_next(&plan, &piece))
			break;
		io->result[2] = io->result[2] * 31 + piece.at * 7 + piece.length * 5 +
				piece.offset * 3u + piece.more;
	}
	io->result[3] = piece.at;
	io->result[4] = piece.length;
	frag6_header(p, IP_PROTOCOL_GRE, 0x12345678, &piece);
}

/* Arguments: family; Ethernet, the three options and UDP as bits 0 to 4; MTU. */
PROTO_INLINE void op_overhead(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	uint8_t family = (uint8_t)io->arg[0];
	uint32_t bits = io->arg[1];

	(void)p;
	(void)end;
	io->result[0] =
		tunnel_overhead(family, bits & 16 ? 8 : 0, bits & 1, bits & 2, bits & 4, bits & 8);
	io->result[1] = mss_for_mtu(family, io->arg[2]);
}

/* Argument: the form. What is read is written again over it. */
PROTO_INLINE void op_erspan(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	uint8_t form = (uint8_t)io->arg[0];
	struct erspan_header h = {0};

	io->result[0] = erspan_decode(form, p, end, &h);
	io->result[1] = erspan_session(form, p, end);
	io->result[2] = h.session;
	io->result[3] = (uint32_t)(h.vlan | h.cos << 12 | h.tag << 16);
	io->result[4] = h.index;
	io->result[5] = h.timestamp;
	io->result[6] = h.group;
	io->result[7] = (uint32_t)(h.frame_type | h.hardware << 8 | h.granularity << 16);
	io->result[8] = (uint32_t)(h.truncated | h.pdu << 1 | h.egress << 2);
	io->result[9] = h.length;
	erspan_describe(form, p, end, &h);
	if (!(p + ERSPAN3_LENGTH > end))
		io->result[10] = erspan_encode(form, p, &h);
}

PROTO_INLINE void op_nvgre(struct op_io *io, uint8_t *p, const uint8_t *end)
{
	io->result[0] = nvgre_flow(p, end);
	io->result[1] = ethernet_is_tagged(p, end);
	io->result[2] = nvgre_key(nvgre_vsid(io->arg[0]), (uint8_t)io->result[0]);
}

#endif
