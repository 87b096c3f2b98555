/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay: a bad road between two interfaces, for tests.
 *
 *     relay IFACE-A IFACE-B [SEED]
 *
 * Carries Ethernet frames both ways, octet for octet. Standard input takes one order a line and
 * answers each with one line on standard output:
 *
 *     drop P | dup P | reorder P    percent of the IP frames, each direction (0 by default)
 *     mtu N                         IP packets longer than N do not pass (0: no limit); IPv4
 *                                   without DF is fragmented, as a router does
 *     icmp yes|no                   answer a too long packet with frag-needed / packet-too-big
 *     gateway ADDRESS               source of these answers (one call for each family)
 *     cut none|ab|ba|both           carry nothing from A to B, from B to A
 *     stats                         counters since the start
 *
 * ARP and ICMPv6 are never dropped, doubled or reordered: what is tested is the tunnel, not
 * neighbour discovery. The two interfaces must have their offloads off; a frame that is longer
 * than FRAME_MAX says that they have not and is counted as "oversize".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 10000, BATCH = 64, HELD_MAX = 32, ETH_LEN = 14, IP4_LEN = 20, IP6_LEN = 40 };
/* A held frame is let go after this many later frames, or this much time. */
enum { HOLD_FRAMES = 3, HOLD_MS = 5 };
enum { ICMP4_QUOTE_MAX = 548, ICMP6_QUOTE_MAX = 1232 };

struct held {
	size_t len; /* 0: the slot is free */
	unsigned wait;
	uint64_t since_ms;
	uint8_t frame[FRAME_MAX];
};

struct way {
	const char *name;
	int in, out;
	bool cut;
	uint64_t frames, dropped, doubled, reordered, too_big, fragmented, oversize, unsent;
	struct held held[HELD_MAX];
};

struct settings {
	double drop, dup, reorder; /* percent */
	unsigned mtu;
	bool icmp;
	uint8_t gateway4[4], gateway6[16];
};

static struct settings settings = {.icmp = true};
static struct way ways[2] = {{.name = "ab"}, {.name = "ba"}};
static uint8_t frames[BATCH][FRAME_MAX];
static uint64_t random_state;

/* xorshift64*: the same seed makes the same road. */
static bool chance(double percent)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	uint64_t value = random_state * 0x2545F4914F6CDD1DULL;
	return (double)(value >> 11) * 100.0 < percent * 9007199254740992.0;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t sum_octets(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static int open_port(const char *name)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(name)};
	int on = 1, size = 64 << 20;

	if (fd < 0 || at.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static void send_one(struct way *way, int fd, const uint8_t *frame, size_t len)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	while (send(fd, frame, len, 0) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS) {
			way->unsent++;
			return;
		}
		poll(&writable, 1, 1);
	}
}

/* The IP octets of the frame, 0 when it is not IP. Padding of short frames is not counted. */
static size_t ip_length(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN;

	if (len >= ETH_LEN + IP4_LEN && get16(frame + 12) == ETH_P_IP)
		return get16(ip + 2);
	if (len >= ETH_LEN + IP6_LEN && get16(frame + 12) == ETH_P_IPV6)
		return IP6_LEN + get16(ip + 4);
	return 0;
}

static void answer_head(uint8_t *answer, const uint8_t *frame)
{
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, frame, 6);
	memcpy(answer + 12, frame + 12, 2);
}

/* RFC 792 type 3 code 4 with the next-hop MTU of RFC 1191, to the sender of the frame. */
static void answer_frag_needed(struct way *way, const uint8_t *frame, size_t ip_len)
{
	uint8_t answer[ETH_LEN + IP4_LEN + 8 + ICMP4_QUOTE_MAX] = {0};
	size_t quote = ip_len < ICMP4_QUOTE_MAX ? ip_len : ICMP4_QUOTE_MAX;
	uint8_t *ip = answer + ETH_LEN, *icmp = ip + IP4_LEN;

	answer_head(answer, frame);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(IP4_LEN + 8 + quote));
	ip[8] = 64;
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, settings.gateway4, 4);
	memcpy(ip + 16, frame + ETH_LEN + 12, 4);
	put16(ip + 10, fold(sum_octets(ip, IP4_LEN, 0)));
	icmp[0] = 3;
	icmp[1] = 4;
	put16(icmp + 6, settings.mtu);
	memcpy(icmp + 8, frame + ETH_LEN, quote);
	put16(icmp + 2, fold(sum_octets(icmp, 8 + quote, 0)));
	send_one(way, way->in, answer, ETH_LEN + IP4_LEN + 8 + quote);
}

/* RFC 4443 3.2 */
static void answer_packet_too_big(struct way *way, const uint8_t *frame, size_t ip_len)
{
	uint8_t answer[ETH_LEN + IP6_LEN + 8 + ICMP6_QUOTE_MAX] = {0};
	size_t quote = ip_len < ICMP6_QUOTE_MAX ? ip_len : ICMP6_QUOTE_MAX;
	uint8_t *ip = answer + ETH_LEN, *icmp = ip + IP6_LEN;

	answer_head(answer, frame);
	ip[0] = 0x60;
	put16(ip + 4, (unsigned)(8 + quote));
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 64;
	memcpy(ip + 8, settings.gateway6, 16);
	memcpy(ip + 24, frame + ETH_LEN + 8, 16);
	icmp[0] = 2;
	put16(icmp + 6, settings.mtu);
	memcpy(icmp + 8, frame + ETH_LEN, quote);
	uint32_t pseudo = sum_octets(ip + 8, 32, (uint32_t)(8 + quote) + IPPROTO_ICMPV6);
	put16(icmp + 2, fold(sum_octets(icmp, 8 + quote, pseudo)));
	send_one(way, way->in, answer, ETH_LEN + IP6_LEN + 8 + quote);
}

/* RFC 791 3.2. Options are copied into every fragment, which is right for the tests' packets. */
static void send_fragments(struct way *way, const uint8_t *frame, size_t ip_len)
{
	const uint8_t *ip = frame + ETH_LEN;
	size_t head = (size_t)(ip[0] & 15) * 4, step = (settings.mtu - head) & ~(size_t)7;
	unsigned field = get16(ip + 6);

	for (size_t at = head; at < ip_len; at += step) {
		uint8_t piece[FRAME_MAX];
		size_t size = ip_len - at < step ? ip_len - at : step;
		bool more = at + size < ip_len || (field & 0x2000);

		memcpy(piece, frame, ETH_LEN + head);
		memcpy(piece + ETH_LEN + head, ip + at, size);
		put16(piece + ETH_LEN + 2, (unsigned)(head + size));
		unsigned offset = (field & 0x1fff) + (unsigned)((at - head) / 8);
		put16(piece + ETH_LEN + 6, offset | (more ? 0x2000 : 0));
		put16(piece + ETH_LEN + 10, 0);
		put16(piece + ETH_LEN + 10, fold(sum_octets(piece + ETH_LEN, head, 0)));
		send_one(way, way->out, piece, ETH_LEN + head + size);
	}
}

static void refuse_too_big(struct way *way, const uint8_t *frame, size_t ip_len)
{
	bool v4 = get16(frame + 12) == ETH_P_IP;

	if (v4 && !(frame[ETH_LEN + 6] & 0x40)) {
		way->fragmented++;
		send_fragments(way, frame, ip_len);
		return;
	}
	way->too_big++;
	if (settings.icmp && v4)
		answer_frag_needed(way, frame, ip_len);
	else if (settings.icmp)
		answer_packet_too_big(way, frame, ip_len);
}

static bool hold(struct way *way, const uint8_t *frame, size_t len)
{
	for (struct held *h = way->held; h < way->held + HELD_MAX; h++) {
		if (h->len)
			continue;
		h->len = len;
		h->wait = HOLD_FRAMES;
		h->since_ms = now_ms();
		memcpy(h->frame, frame, len);
		way->reordered++;
		return true;
	}
	return false;
}

/* Sends the held frames that waited long enough; true while some are still held. */
static bool release(struct way *way, bool frame_passed)
{
	bool some = false;

	for (struct held *h = way->held; h < way->held + HELD_MAX; h++) {
		if (!h->len)
			continue;
		if (frame_passed && h->wait)
			h->wait--;
		if (h->wait && now_ms() - h->since_ms < HOLD_MS) {
			some = true;
			continue;
		}
		send_one(way, way->out, h->frame, h->len);
		h->len = 0;
	}
	return some;
}

static bool is_icmpv6(const uint8_t *frame)
{
	return get16(frame + 12) == ETH_P_IPV6 && frame[ETH_LEN + 6] == IPPROTO_ICMPV6;
}

/* Settles what becomes of a frame: true when it goes on now. */
static bool judge(struct way *way, const uint8_t *frame, size_t len)
{
	size_t ip_len = ip_length(frame, len);

	way->frames++;
	if (way->cut)
		return false;
	if (!ip_len)
		return true;
	if (settings.mtu && ip_len > settings.mtu && ETH_LEN + ip_len <= len) {
		refuse_too_big(way, frame, ip_len);
		return false;
	}
	if (is_icmpv6(frame))
		return true;
	if (chance(settings.drop)) {
		way->dropped++;
		return false;
	}
	if (chance(settings.dup)) {
		way->doubled++;
		send_one(way, way->out, frame, len);
	}
	return !(chance(settings.reorder) && hold(way, frame, len));
}

static void send_batch(struct way *way, struct mmsghdr *out, unsigned count)
{
	struct pollfd writable = {.fd = way->out, .events = POLLOUT};

	for (unsigned done = 0; done < count;) {
		int n = sendmmsg(way->out, out + done, count - done, 0);
		if (n > 0) {
			done += (unsigned)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			poll(&writable, 1, 1);
		} else {
			way->unsent++;
			done++;
		}
	}
}

static void carry(struct way *way)
{
	struct iovec in[BATCH];
	struct mmsghdr message[BATCH] = {0}, out[BATCH] = {0};
	unsigned count = 0;

	for (int i = 0; i < BATCH; i++) {
		in[i] = (struct iovec){.iov_base = frames[i], .iov_len = FRAME_MAX};
		message[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	int got = recvmmsg(way->in, message, BATCH, 0, NULL);
	for (int i = 0; i < got; i++) {
		bool whole = !(message[i].msg_hdr.msg_flags & MSG_TRUNC);

		way->oversize += !whole;
		in[i].iov_len = message[i].msg_len;
		if (!whole || !judge(way, frames[i], in[i].iov_len))
			continue;
		out[count++].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
		if (settings.reorder > 0) { /* a held frame must fall behind just this one */
			send_batch(way, out, count);
			count = 0;
			release(way, true);
		}
	}
	send_batch(way, out, count);
}

static void print_stats(void)
{
	for (struct way *w = ways; w < ways + 2; w++)
		printf("%s frames %lu dropped %lu doubled %lu reordered %lu too_big %lu "
		       "fragmented %lu oversize %lu unsent %lu%s",
		       w->name, w->frames, w->dropped, w->doubled, w->reordered, w->too_big,
		       w->fragmented, w->oversize, w->unsent, w == ways ? " " : "\n");
}

static bool set_cut(const char *value)
{
	bool both = strcmp(value, "both") == 0;

	ways[0].cut = both || strcmp(value, "ab") == 0;
	ways[1].cut = both || strcmp(value, "ba") == 0;
	return ways[0].cut || ways[1].cut || strcmp(value, "none") == 0;
}

static bool set_number(double *target, const char *value, double max)
{
	char *end;
	double number = strtod(value, &end);

	if (*value == 0 || *end || number < 0 || number > max)
		return false;
	*target = number;
	return true;
}

static bool obey(const char *order, const char *value)
{
	double number;

	if (strcmp(order, "drop") == 0)
		return set_number(&settings.drop, value, 100);
	if (strcmp(order, "dup") == 0)
		return set_number(&settings.dup, value, 100);
	if (strcmp(order, "reorder") == 0)
		return set_number(&settings.reorder, value, 100);
	if (strcmp(order, "cut") == 0)
		return set_cut(value);
	if (strcmp(order, "gateway") == 0)
		return inet_pton(AF_INET, value, settings.gateway4) == 1 ||
		       inet_pton(AF_INET6, value, settings.gateway6) == 1;
	if (strcmp(order, "icmp") == 0) {
		settings.icmp = strcmp(value, "yes") == 0;
		return settings.icmp || strcmp(value, "no") == 0;
	}
	if (strcmp(order, "mtu") == 0 && set_number(&number, value, FRAME_MAX - ETH_LEN) &&
	    (number == 0 || number >= 68)) {
		settings.mtu = (unsigned)number;
		return true;
	}
	return false;
}

/* False at the end of the orders: whoever started us is gone. */
static bool read_order(void)
{
	char line[256], order[32] = "", value[64] = "";

	if (!fgets(line, sizeof(line), stdin))
		return false;
	sscanf(line, "%31s %63s", order, value);
	if (strcmp(order, "stats") == 0)
		print_stats();
	else
		puts(obey(order, value) ? "ok" : "error");
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: relay IFACE-A IFACE-B [SEED]\n");
		return 2;
	}
	int a = open_port(argv[1]), b = open_port(argv[2]);

	random_state = (argc > 3 ? strtoull(argv[3], NULL, 10) : 1) * 2 + 1;
	ways[0].in = ways[1].out = a;
	ways[0].out = ways[1].in = b;
	setvbuf(stdin, NULL, _IONBF, 0); /* poll must see every order that waits */
	puts("ready");
	fflush(stdout);
	for (bool held = false;;) {
		struct pollfd fds[] = {{.fd = a, .events = POLLIN},
				       {.fd = b, .events = POLLIN},
				       {.fd = STDIN_FILENO, .events = POLLIN}};

		if (poll(fds, 3, held ? 1 : -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents & POLLIN)
			carry(&ways[0]);
		if (fds[1].revents & POLLIN)
			carry(&ways[1]);
		if (fds[2].revents && !read_order())
			return 0;
		bool held_ab = release(&ways[0], false), held_ba = release(&ways[1], false);
		held = held_ab || held_ba;
	}
}
