/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * differ: plays the far ends of several routers at once, sends each of them the same frames, and
 * compares what comes out.
 *
 *     differ SEED FIRST COUNT ODD TUNNEL... -- WIRE LAN WIRE LAN...
 *
 * ODD of a thousand packets are no regular ones of a flow; with "warm" none is, and nothing is
 * compared. A tunnel is written as the IP version of its outer header, "k" and its key, and "c" for
 * a checksum, "e" for frames or "n" for NAT: 4, 6k17, 4k5c. For each router there are the devices
 * that lead to its underlay and its LAN. Packets FIRST to FIRST + COUNT of the seed are sent, a
 * batch after the other; each batch waits until all routers have sent the same.
 *
 * Says what differs, the input that it came from where one packet alone does it again, and on the
 * last line a JSON object of what was counted. Ends with 1 when something differs.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/types.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "capture.h"
#include "capture.skel.h"
#include "compare.h"
#include "input.h"

enum {
	BATCH = 96,
	LATE_MS = 4000,
	ALONE_MS = 400,
	QUIET_MS = 50,
	SHOWN = 5,
	CULPRITS = 5,
	DEVICES = 2 * ROUTERS_MAX
};

static struct far_end tunnels[TUNNELS_MAX];
static unsigned tunnel_count, router_count;
static uint64_t seed, differences;
static unsigned odd;
static bool warm;
static int ifindexes[DEVICES], sockets[DEVICES];
static struct ring_buffer *ring;
static struct input batch[BATCH];

static void fail(const char *what)
{
	fprintf(stderr, "differ: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void read_tunnel(const char *word)
{
	struct far_end *t = &tunnels[tunnel_count++];
	char *rest = (char *)(uintptr_t)word + 1;

	t->outer = word[0] == '6' ? 6 : 4;
	t->has_key = *rest == 'k';
	if (t->has_key)
		t->key = (uint32_t)strtoul(rest + 1, &rest, 0);
	t->has_checksum = *rest == 'c';
	t->ethernet = *rest == 'e';
	t->translated = *rest == 'n';
}

static int open_device(const char *name, int ifindex)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0)
		fail(name);
	return fd;
}

static int on_frame(void *arg, void *data, size_t size)
{
	const struct capture *c = data;

	(void)arg;
	(void)size;
	for (unsigned i = 0; i < 2 * router_count; i++)
		if (ifindexes[i] == (int)c->ifindex)
			compare_add(i / 2, i % 2 ? LAN : WIRE, c->data, c->len);
	return 0;
}

static struct capture_bpf *open_all(char **names)
{
	struct capture_bpf *bpf = capture_bpf__open_and_load();

	if (!bpf)
		fail("the capturing program");
	for (unsigned i = 0; i < 2 * router_count; i++) {
		ifindexes[i] = (int)if_nametoindex(names[i]);
		if (!ifindexes[i] || bpf_link_create(bpf_program__fd(bpf->progs.capture),
						     ifindexes[i], BPF_XDP, NULL) < 0)
			fail(names[i]);
		sockets[i] = open_device(names[i], ifindexes[i]);
	}
	ring = ring_buffer__new(bpf_map__fd(bpf->maps.frames), on_frame, NULL, NULL);
	if (!ring)
		fail("the ring of frames");
	return bpf;
}

static void send_input(const struct input *in)
{
	for (unsigned i = 0; i < in->count; i++)
		for (unsigned r = 0; r < router_count; r++) {
			const struct octets *o = &in->frames[i];
			int fd = sockets[2 * r + (in->side == LAN)];

			if (send(fd, o->data, o->len, 0) < 0 && errno != ENOBUFS)
				fail("send");
		}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Frames of all routers in the order in which they were sent, or none, until they are the same. */
static bool settle(unsigned limit_ms)
{
	uint64_t end = now_ms() + limit_ms;

	ring_buffer__consume(ring);
	while (!compare_even() && now_ms() < end)
		ring_buffer__poll(ring, 1);
	return compare_even();
}

/* Takes what comes until nothing has come for some time. */
static void drain(unsigned quiet_ms)
{
	uint64_t end = now_ms() + quiet_ms;

	while (now_ms() < end)
		if (ring_buffer__poll(ring, 10) > 0)
			end = now_ms() + quiet_ms;
}

static void show_input(const struct input *in)
{
	printf("seed %llu packet %u, from the %s:\n", (unsigned long long)seed, in->number,
	       in->side == WIRE ? "wire" : "LAN");
	for (unsigned i = 0; i < in->count; i++) {
		printf("  frame ");
		for (unsigned at = 0; at < in->frames[i].len; at++)
			printf("%02x", in->frames[i].data[at]);
		printf("\n");
	}
}

/* Which packets of the batch make a difference alone? */
static void narrow(unsigned count)
{
	compare_show(stdout);
	drain(ALONE_MS);
	compare_again(true);
	for (unsigned i = 0, found = 0; i < count && found < CULPRITS; i++) {
		compare_forget();
		send_input(&batch[i]);
		drain(QUIET_MS); /* nothing at all is the same, too */
		if (settle(ALONE_MS))
			continue;
		show_input(&batch[i]);
		compare_show(stdout);
		found++;
	}
	compare_again(false);
}

static void run(uint32_t first, uint32_t count)
{
	for (uint32_t at = first; at < first + count; at += BATCH) {
		uint32_t left = first + count - at, n = left < BATCH ? left : BATCH;

		for (uint32_t i = 0; i < n; i++) {
			input_make(&batch[i], seed, at + i, tunnels, tunnel_count, odd);
			send_input(&batch[i]);
			ring_buffer__consume(ring);
		}
		if (!settle(warm ? QUIET_MS : LATE_MS) && !warm) {
			printf("packets %u to %u differ:\n", at, at + n - 1);
			if (++differences > SHOWN)
				break;
			narrow(n);
		}
		compare_forget();
	}
	drain(ALONE_MS);
	if (!compare_even() && !warm) {
		printf("late frames differ:\n");
		compare_show(stdout);
		differences++;
	}
}

static void report(const struct capture_bpf *bpf)
{
	printf("{\"differences\": %llu, \"lost\": %llu, \"routers\": [",
	       (unsigned long long)differences, (unsigned long long)bpf->bss->lost);
	for (unsigned r = 0; r < router_count; r++) {
		const struct router_counts *c = compare_counts(r);

		printf("%s{\"frames\": %llu, \"limited\": %llu, \"bad_sums\": %llu, "
		       "\"marked\": %llu, \"overtaken\": %llu, \"sequences\": %s}",
		       r ? ", " : "", (unsigned long long)c->frames, (unsigned long long)c->limited,
		       (unsigned long long)c->bad_sums, (unsigned long long)c->marked,
		       (unsigned long long)c->overtaken, compare_sequences(r) ? "true" : "false");
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	struct capture_bpf *bpf;
	int at = 5;

	for (; at < argc && strcmp(argv[at], "--") != 0 && tunnel_count < TUNNELS_MAX; at++)
		read_tunnel(argv[at]);
	router_count = at < argc ? (unsigned)(argc - at - 1) / 2 : 0;
	if (tunnel_count == 0 || router_count == 0 || router_count > ROUTERS_MAX) {
		fprintf(stderr, "differ SEED FIRST COUNT ODD TUNNEL... -- WIRE LAN...\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	odd = (unsigned)atoi(argv[4]);
	warm = strcmp(argv[4], "warm") == 0;
	compare_begin(router_count);
	bpf = open_all(argv + at + 1);
	run((uint32_t)strtoul(argv[2], NULL, 0), (uint32_t)strtoul(argv[3], NULL, 0));
	report(bpf);
	ring_buffer__free(ring);
	capture_bpf__destroy(bpf);
	return differences ? 1 : 0;
}
