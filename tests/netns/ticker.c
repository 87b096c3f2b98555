/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticker: numbered UDP datagrams at a steady rate, and who counts them, for tests.
 *
 *     ticker send ADDRESS PORT RATE SIZE [TTL TOS]    answers are counted, too
 *     ticker answer ADDRESS PORT                      sends each datagram back
 *
 * Writes "ready" and its own port. Standard input takes one order a line and answers each with one
 * line of JSON on standard output:
 *
 *     stats        what was sent and received since the start, when the last came from whom,
 *                  and how many came behind a later one
 *     missing N    how many of the numbers below N did not come, and the first ten of them
 *     stop         no more is sent
 *
 * Times are CLOCK_MONOTONIC in nanoseconds. A sender that falls behind does not catch up: no burst
 * is larger than BURST_MAX, so that what is lost is not lost by queues that overflow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS_MAX = 1 << 24, DATAGRAM_MAX = 2000, SOURCES_MAX = 16, BURST_MAX = 16 };

struct source {
	char address[INET6_ADDRSTRLEN];
	unsigned port, ttl, tos;
	uint64_t count, last_ns;
};

struct ticker {
	int fd;
	bool answers, stopped;
	uint64_t sent, refused, received, twice, late, rate, next_ns;
	uint32_t last; /* number */
	size_t size;
	struct source sources[SOURCES_MAX];
};

static struct ticker ticker;
static uint8_t seen[NUMBERS_MAX / 8];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "ticker: %s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t parse(const char *address, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	uint16_t number = htons((uint16_t)atoi(port));

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1) {
		errno = EINVAL;
		fail(address);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = number;
	return sizeof *v6;
}

static void option(int level, int name, int value)
{
	if (setsockopt(ticker.fd, level, name, &value, sizeof value) < 0)
		fail("setsockopt");
}

static void open_socket(const struct sockaddr_storage *to, socklen_t length)
{
	bool v4 = to->ss_family == AF_INET;

	ticker.fd = socket(to->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ticker.fd < 0)
		fail("socket");
	option(SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20);
	option(SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20);
	option(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1);
	option(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
	if (ticker.answers ? bind(ticker.fd, (const struct sockaddr *)to, length)
			   : connect(ticker.fd, (const struct sockaddr *)to, length))
		fail(ticker.answers ? "bind" : "connect");
}

static void set_header(bool v4, const char *ttl, const char *tos)
{
	option(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, atoi(ttl));
	option(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, atoi(tos));
}

/* The entry of a sender; the last one for all that are too many. */
static struct source *source_of(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	bool is4 = from->ss_family == AF_INET;
	char address[INET6_ADDRSTRLEN] = "";
	unsigned port = ntohs(is4 ? v4->sin_port : v6->sin6_port);
	struct source *s = ticker.sources;

	inet_ntop(from->ss_family, is4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, address,
		  sizeof address);
	while (s < ticker.sources + SOURCES_MAX - 1 && s->count &&
	       (s->port != port || strcmp(s->address, address) != 0))
		s++;
	s->port = port;
	memcpy(s->address, address, sizeof address);
	return s;
}

static void read_header(struct msghdr *message, struct source *s)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_type == IP_TTL || c->cmsg_type == IPV6_HOPLIMIT)
			s->ttl = *CMSG_DATA(c);
		else if (c->cmsg_type == IP_TOS || c->cmsg_type == IPV6_TCLASS)
			s->tos = *CMSG_DATA(c);
	}
}

static void note(uint32_t number, struct source *s, uint64_t now)
{
	number %= NUMBERS_MAX;
	if (seen[number / 8] & 1 << number % 8)
		ticker.twice++;
	seen[number / 8] |= (uint8_t)(1 << number % 8);
	ticker.late += ticker.received && number < ticker.last;
	ticker.last = number;
	ticker.received++;
	s->count++;
	s->last_ns = now;
}

static void receive(void)
{
	uint8_t data[DATAGRAM_MAX], control[256];
	struct sockaddr_storage from;
	struct iovec piece = {.iov_base = data, .iov_len = sizeof data};

	for (int i = 0; i < 256; i++) {
		struct msghdr message = {.msg_name = &from,
					 .msg_namelen = sizeof from,
					 .msg_iov = &piece,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof control};
		ssize_t got = recvmsg(ticker.fd, &message, 0);
		struct source *s;
		uint32_t number;

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < (ssize_t)sizeof number)
			continue; /* an ICMP error, for example */
		memcpy(&number, data, sizeof number);
		s = source_of(&from);
		note(ntohl(number), s, now_ns());
		read_header(&message, s);
		if (ticker.answers && sendto(ticker.fd, data, (size_t)got, 0,
					     (struct sockaddr *)&from, message.msg_namelen) < 0)
			ticker.refused++;
		else
			ticker.sent += ticker.answers;
	}
}

static void send_due(void)
{
	uint64_t now = now_ns(), step = 1000000000 / ticker.rate;
	static uint8_t data[DATAGRAM_MAX];

	for (int i = 0; i < BURST_MAX && ticker.next_ns <= now; i++, ticker.next_ns += step) {
		uint32_t number = htonl((uint32_t)ticker.sent);

		memcpy(data, &number, sizeof number);
		if (send(ticker.fd, data, ticker.size, 0) < 0)
			ticker.refused++;
		else
			ticker.sent++;
	}
	if (ticker.next_ns <= now)
		ticker.next_ns = now + step;
}

static void print_stats(void)
{
	printf("{\"sent\": %lu, \"refused\": %lu, \"received\": %lu, \"twice\": %lu, \"late\": "
	       "%lu, \"sources\": [",
	       ticker.sent, ticker.refused, ticker.received, ticker.twice, ticker.late);
	for (struct source *s = ticker.sources; s < ticker.sources + SOURCES_MAX && s->count; s++)
		printf("%s{\"address\": \"%s\", \"port\": %u, \"count\": %lu, \"last_ns\": %lu, "
		       "\"ttl\": %u, \"tos\": %u}",
		       s == ticker.sources ? "" : ", ", s->address, s->port, s->count, s->last_ns,
		       s->ttl, s->tos);
	puts("]}");
}

static void print_missing(uint64_t below)
{
	uint64_t count = 0;

	printf("{\"first\": [");
	for (uint64_t i = 0; i < below && i < NUMBERS_MAX; i++) {
		if (seen[i / 8] & 1 << i % 8)
			continue;
		if (count++ < 10)
			printf("%s%lu", count == 1 ? "" : ", ", i);
	}
	printf("], \"count\": %lu}\n", count);
}

/* False at the end of the orders: whoever started us is gone. */
static bool read_order(void)
{
	char line[128];

	if (!fgets(line, sizeof line, stdin))
		return false;
	if (strncmp(line, "missing ", 8) == 0) {
		print_missing(strtoull(line + 8, NULL, 10));
	} else {
		ticker.stopped |= strcmp(line, "stop\n") == 0;
		print_stats();
	}
	fflush(stdout);
	return true;
}

static void work(void)
{
	struct pollfd fds[] = {{.fd = ticker.fd, .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};

	ticker.next_ns = now_ns();
	for (;;) {
		bool sends = !ticker.answers && !ticker.stopped;

		if (poll(fds, 2, sends ? 1 : -1) < 0 && errno != EINTR)
			fail("poll");
		if (fds[0].revents)
			receive();
		if (fds[1].revents && !read_order())
			return;
		if (sends)
			send_due();
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_storage to;
	struct sockaddr_in own = {0};
	socklen_t length, size = sizeof own;

	ticker.answers = argc == 4 && strcmp(argv[1], "answer") == 0;
	if (!ticker.answers && (argc < 6 || strcmp(argv[1], "send") != 0)) {
		fprintf(stderr, "usage: ticker send ADDRESS PORT RATE SIZE [TTL TOS]\n"
				"       ticker answer ADDRESS PORT\n");
		return 2;
	}
	length = parse(argv[2], argv[3], &to);
	open_socket(&to, length);
	if (!ticker.answers) {
		ticker.rate = strtoull(argv[4], NULL, 10);
		ticker.size = strtoull(argv[5], NULL, 10);
		if (ticker.rate == 0 || ticker.size < 4 || ticker.size > DATAGRAM_MAX)
			return 2;
		if (argc > 7)
			set_header(to.ss_family == AF_INET, argv[6], argv[7]);
	}
	getsockname(ticker.fd, (struct sockaddr *)&own, &size);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll must see every order that waits */
	printf("ready %u\n", ntohs(own.sin_port));
	fflush(stdout);
	work();
	return 0;
}
