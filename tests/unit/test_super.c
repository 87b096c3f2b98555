/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super-packets cut into segments, and segments bundled again: what comes out has to be what went
 * in. The interface's queue is a socket pair, so the test sees the octets that the kernel would
 * get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/coalesce.h"
#include "dp/segment.h"
#include "dp/tunnel.h"
#include "os/tun.h"
#include "proto/csum.h"
#include "proto/gre.h"
#include "proto/ip.h"

#define MAX_PACKET 65536

struct packet {
	uint8_t octets[MAX_PACKET];
	uint32_t len;
	struct virtio_net_hdr vnet;
};

/* What a packet is made of. */
struct form {
	uint8_t version;
	bool tcp;
	uint32_t options; /* of TCP, octets */
	uint32_t payload;
	uint8_t flags;
	bool df;
};

static uint32_t l4_offset(const struct form *f)
{
	return f->version == 4 ? 20 : 40;
}

static uint32_t header_length(const struct form *f)
{
	return l4_offset(f) + (f->tcp ? 20 + f->options : 8);
}

/* A whole packet with good checksums; `seed` makes the payload. */
static void make(struct packet *out, const struct form *f, uint32_t sequence, uint16_t id,
		 unsigned seed)
{
	uint8_t *p = out->octets, *l4 = p + l4_offset(f);
	uint32_t headers = header_length(f), len = headers + f->payload;
	uint32_t l4_len = len - l4_offset(f);
	uint8_t protocol = f->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP;
	const uint8_t src[16] = {10, 1, 1, 2}, dst[16] = {20, 1, 1, 2};
	struct ip_outer ip = {.family = f->version == 4 ? IP_V4 : IP_V6,
			      .protocol = protocol,
			      .ttl = 64,
			      .df = f->df,
			      .id = id,
			      .payload_len = l4_len,
			      .src = src,
			      .dst = dst};
	uint64_t sum = f->version == 4 ? csum_pseudo4(src, dst, protocol, l4_len)
				       : csum_pseudo6(src, dst, protocol, l4_len);

	memset(out, 0, sizeof *out);
	out->len = len;
	ip_outer_encode(p, &ip);
	put_be16(l4, 1000);
	put_be16(l4 + 2, 2000);
	if (f->tcp) {
		put_be32(l4 + 4, sequence);
		l4[12] = (uint8_t)((20 + f->options) / 4 << 4);
		l4[13] = f->flags;
		put_be16(l4 + 14, 500);
		memset(l4 + 20, 1, f->options);
	} else {
		put_be16(l4 + 4, (uint16_t)l4_len);
	}
	srand(seed);
	for (uint32_t i = 0; i < f->payload; i++)
		p[headers + i] = (uint8_t)rand();
	put_be16(l4 + (f->tcp ? 16 : 6), csum_fold(csum_partial(l4, l4_len, sum)));
}

static void assert_checksums(const struct form *f, const uint8_t *p, uint32_t len)
{
	uint32_t l4 = l4_offset(f);
	uint8_t protocol = f->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP;
	uint64_t sum = f->version == 4 ? csum_pseudo4(p + 12, p + 16, protocol, len - l4)
				       : csum_pseudo6(p + 8, p + 24, protocol, len - l4);

	if (f->version == 4)
		assert_int_equal(csum_fold(csum_partial(p, 20, 0)), 0);
	assert_int_equal(csum_fold(csum_partial(p + l4, len - l4, sum)), 0);
}

static struct virtio_net_hdr offload(const struct form *f, uint16_t size)
{
	return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .gso_type = !f->tcp	     ? VIRTIO_NET_HDR_GSO_UDP_L4
						   : f->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
								     : VIRTIO_NET_HDR_GSO_TCPV6,
				       .hdr_len = (uint16_t)header_length(f),
				       .gso_size = size,
				       .csum_start = (uint16_t)l4_offset(f),
				       .csum_offset = f->tcp ? 16 : 6};
}

static const struct {
	struct form form;
	uint16_t size;
	unsigned count;
} cuts[] = {
	/* 0 */ {{4, true, 0, 4000, 0x10, true}, 1400, 3},
	/* 1 */ {{4, true, 12, 2800, 0x18, true}, 1400, 2},
	/* 2 */ {{4, true, 12, 1, 0x18, false}, 1400, 1},
	/* 3 */ {{6, true, 20, 9000, 0x19, false}, 1380, 7},
	/* 4 */ {{4, false, 0, 360, 0, false}, 36, 10},
	/* 5 */ {{6, false, 0, 1001, 0, false}, 333, 4},
	/* 6 */ {{4, true, 0, 65000, 0xd0, true}, 1448, 45},
};

static void cut_keeps_every_octet(void **state)
{
	static struct packet packet;
	uint8_t header[SEGMENT_HEADER_MAX], whole[MAX_PACKET];

	(void)state;
	for (unsigned n = 0; n < sizeof cuts / sizeof *cuts; n++) {
		const struct form *f = &cuts[n].form;
		struct virtio_net_hdr vnet = offload(f, cuts[n].size);
		struct super_packet super;
		uint32_t at = 0;

		make(&packet, f, 77, 100, n);
		assert_true(super_read(&super, &vnet, packet.octets, packet.len, 0));
		assert_int_equal(super.count, cuts[n].count);
		for (unsigned i = 0; i < super.count; i++) {
			struct payload payload;
			uint8_t flags, last = i == super.count - 1;

			super_piece(&super, i, header, &payload);
			memcpy(whole, header, super.header_len);
			memcpy(whole + super.header_len, payload.data, payload.len);
			assert_checksums(f, whole, super.header_len + payload.len);
			assert_memory_equal(payload.data, packet.octets + super.header_len + at,
					    payload.len);
			if (f->version == 4)
				assert_int_equal(get_be16(header + 4), 100 + i);
			flags = header[super.l4 + 13];
			if (f->tcp) {
				assert_int_equal(get_be32(header + super.l4 + 4), 77 + at);
				assert_int_equal(flags & 0x09, last ? f->flags & 0x09 : 0);
				assert_int_equal(flags & 0x80, i == 0 ? f->flags & 0x80 : 0);
			}
			at += payload.len;
		}
		assert_int_equal(at, f->payload);
	}
}

static void cut_refuses_what_does_not_fit(void **state)
{
	static struct packet packet;
	const struct form f = {4, true, 0, 4000, 0x10, true};
	struct virtio_net_hdr good = offload(&f, 1400), bad;
	struct super_packet super;

	(void)state;
	make(&packet, &f, 1, 1, 1);
	assert_true(super_read(&super, &good, packet.octets, packet.len, 0));
	bad = good, bad.gso_size = 0;
	assert_false(super_read(&super, &bad, packet.octets, packet.len, 0));
	bad = good, bad.csum_start = 65000;
	assert_false(super_read(&super, &bad, packet.octets, packet.len, 0));
	bad = good, bad.csum_start = 4;
	assert_false(super_read(&super, &bad, packet.octets, packet.len, 0));
	bad = good, bad.gso_type = 77;
	assert_false(super_read(&super, &bad, packet.octets, packet.len, 0));
	assert_false(super_read(&super, &good, packet.octets, 40, 0));
}

/* A sum of 0xffff: TCP writes its complement, 0, UDP writes 0xffff, since 0 would mean none. */
static void a_checksum_of_zero(void **state)
{
	static struct packet packet;
	static const struct {
		struct form form;
		uint16_t field, expected;
	} cases[] = {
		/* 0 */ {{4, true, 0, 100, 0x10, true}, 16, 0},
		/* 1 */ {{4, false, 0, 100, 0, true}, 6, 0xffff},
	};

	(void)state;
	for (unsigned n = 0; n < sizeof cases / sizeof *cases; n++) {
		const struct form *f = &cases[n].form;
		uint16_t start = (uint16_t)l4_offset(f), at = (uint16_t)(start + cases[n].field);
		uint8_t *last;
		uint64_t pseudo;

		make(&packet, f, 1, 1, n);
		/* What the checksum was now stands in the data, so that nothing is left of it. */
		last = packet.octets + packet.len - 2;
		put_be16(last,
			 csum_fold16((uint64_t)get_be16(last) + get_be16(packet.octets + at)));
		pseudo = csum_pseudo4(packet.octets + 12, packet.octets + 16,
				      f->tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP,
				      packet.len - start);
		put_be16(packet.octets + at, csum_fold16(pseudo));
		assert_true(checksum_complete(packet.octets, packet.len, start, cases[n].field));
		assert_int_equal(get_be16(packet.octets + at), cases[n].expected);
		assert_checksums(f, packet.octets, packet.len);
	}
}

/* An interface whose other end is fds[1]. */
struct wire {
	int fds[2];
	struct port port;
	struct coalescer coalescer;
	struct packet packets[BATCH_MAX];
	unsigned count;
};

static int setup(void **state)
{
	struct wire *w = calloc(1, sizeof *w);
	int size = 8 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, w->fds), 0);
	setsockopt(w->fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	w->port.fd = w->fds[0];
	w->port.uso = true;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct wire *w = *state;

	close(w->fds[0]);
	close(w->fds[1]);
	free(w);
	return 0;
}

static struct packet *add(struct wire *w, const struct form *f, uint32_t sequence, uint16_t id)
{
	struct packet *p = &w->packets[w->count++];

	make(p, f, sequence, id, w->count);
	return p;
}

static void bundle(struct wire *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct packet *p = &w->packets[i];
		uint16_t protocol = p->octets[0] >> 4 == 4 ? GRE_PROTOCOL_IPV4 : GRE_PROTOCOL_IPV6;
		coalesce_add(&w->coalescer, &w->port, protocol, p->octets, p->len, 0);
	}
	coalesce_flush(&w->coalescer);
}

/* Octets of the next packet written to the interface; 0 when there is none. */
static uint32_t take(struct wire *w, struct packet *out)
{
	struct tun_frame_header header;
	struct iovec parts[2] = {{&header, sizeof header}, {out->octets, MAX_PACKET}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n = recvmsg(w->fds[1], &message, MSG_DONTWAIT);

	if (n < 0)
		return 0;
	out->vnet = header.vnet;
	out->len = (uint32_t)((size_t)n - sizeof header);
	return out->len;
}

/* Cutting every bundle gives `before`, in order. */
static void assert_same_packets(struct wire *w, const struct packet *before, unsigned count)
{
	static struct packet got;
	uint8_t header[SEGMENT_HEADER_MAX];
	unsigned n = 0;

	while (take(w, &got)) {
		struct super_packet super;
		if (got.vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
			assert_int_equal(got.len, before[n].len);
			assert_memory_equal(got.octets, before[n].octets, got.len);
			n++;
			continue;
		}
		assert_true(super_read(&super, &got.vnet, got.octets, got.len, 0));
		for (unsigned i = 0; i < super.count; i++, n++) {
			struct payload payload;
			super_piece(&super, i, header, &payload);
			assert_int_equal(super.header_len + payload.len, before[n].len);
			assert_memory_equal(header, before[n].octets, super.header_len);
			assert_memory_equal(payload.data, before[n].octets + super.header_len,
					    payload.len);
		}
	}
	assert_int_equal(n, count);
}

/* Sixty segments of each kind come out as they went in, in one write. */
static void bundles_are_exact(void **state)
{
	static struct packet before[BATCH_MAX];
	static const struct form forms[] = {
		{4, true, 12, 900, 0x10, false}, {6, true, 12, 900, 0x10, false},
		{4, false, 0, 36, 0, false},	 {6, false, 0, 36, 0, false},
		{4, true, 0, 1, 0x10, false},
	};
	struct wire *w = *state;

	for (unsigned f = 0; f < sizeof forms / sizeof *forms; f++) {
		w->count = 0;
		for (unsigned i = 0; i < 60; i++)
			add(w, &forms[f], 5 + i * forms[f].payload, (uint16_t)(65530 + i));
		memcpy(before, w->packets, sizeof before);
		bundle(w);
		assert_int_equal(w->port.counters.rx_packets, 60 * (f + 1));
		assert_same_packets(w, before, 60);
	}
}

static unsigned writes(struct wire *w)
{
	static struct packet got;
	unsigned n = 0;

	while (take(w, &got))
		n++;
	return n;
}

/* What must not be joined to the packet before it: two packets, two writes. */
static void strangers_stay_alone(void **state)
{
	const struct form data = {4, true, 12, 500, 0x10, false};
	struct wire *w = *state;
	struct packet *second;

#define CASE(change)                    \
	w->count = 0;                   \
	add(w, &data, 100, 1);          \
	second = add(w, &data, 600, 2); \
	change;                         \
	bundle(w);                      \
	assert_int_equal(writes(w), 2)

	/* 0: a gap, 1: a repeated segment, 2: an identifier that does not follow */
	CASE(make(second, &data, 601, 2, 2));
	CASE(make(second, &data, 100, 2, 2));
	CASE(make(second, &data, 600, 9, 2));
	/* 3: FIN, 4: SYN, 5: RST, 6: URG, 7: CWR, 8: ECE that the first does not have */
	for (unsigned i = 0; i < 6; i++) {
		static const uint8_t flags[] = {0x11, 0x12, 0x14, 0x30, 0x90, 0x50};
		const struct form other = {4, true, 12, 500, flags[i], false};
		CASE(make(second, &other, 600, 2, 2));
	}
	/* 9: longer than the first, 10: another header length, 11: no payload */
	CASE(make(second, (&(struct form){4, true, 12, 501, 0x10, false}), 600, 2, 2));
	CASE(make(second, (&(struct form){4, true, 8, 500, 0x10, false}), 600, 2, 2));
	CASE(make(second, (&(struct form){4, true, 12, 0, 0x10, false}), 600, 2, 2));
	/* 12: bad TCP checksum, 13: bad IP checksum, 14: another TTL */
	CASE(second->octets[200] ^= 1);
	CASE(second->octets[10] ^= 1);
	CASE(second->octets[8]--; second->octets[10]++);
	/* 15: another port, 16: another TOS */
	CASE(second->octets[21]++; second->octets[37]--);
	CASE(second->octets[1] += 4; second->octets[11] -= 4);
#undef CASE
}

/* A short or pushed segment ends its bundle; what follows begins the next. */
static void endings(void **state)
{
	static struct packet before[BATCH_MAX];
	const struct form data = {4, true, 12, 500, 0x10, false};
	const struct form shorter = {4, true, 12, 300, 0x10, false};
	const struct form pushed = {4, true, 12, 500, 0x18, false};
	struct wire *w = *state;

	add(w, &data, 0, 1);
	add(w, &shorter, 500, 2);
	add(w, &data, 800, 3);
	add(w, &pushed, 1300, 4);
	add(w, &data, 1800, 5);
	memcpy(before, w->packets, sizeof before);
	bundle(w);
	assert_same_packets(w, before, 5);
}

/* A packet of the flow that stays alone is not overtaken by what follows. */
static void order_is_kept(void **state)
{
	static struct packet before[BATCH_MAX];
	const struct form data = {4, true, 12, 500, 0x10, false};
	const struct form fin = {4, true, 12, 10, 0x11, false};
	struct wire *w = *state;

	add(w, &data, 0, 1);
	add(w, &fin, 500, 2);
	add(w, &data, 500, 2);
	memcpy(before, w->packets, sizeof before);
	bundle(w);
	assert_same_packets(w, before, 3);
}

/* An interface that takes nothing: counted, not lost in silence. */
static void refused_packets_are_counted(void **state)
{
	const struct form data = {4, true, 12, 500, 0x10, false};
	struct wire *w = *state;

	for (unsigned i = 0; i < 5; i++)
		add(w, &data, i * 500, (uint16_t)i);
	close(w->port.fd);
	bundle(w);
	assert_int_equal(w->port.counters.drops[DROP_RX_DEVICE], 5);
	assert_int_equal(w->port.counters.rx_packets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_keeps_every_octet),
		cmocka_unit_test(cut_refuses_what_does_not_fit),
		cmocka_unit_test(a_checksum_of_zero),
		cmocka_unit_test_setup_teardown(bundles_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers_stay_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(endings, setup, teardown),
		cmocka_unit_test_setup_teardown(order_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_packets_are_counted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
