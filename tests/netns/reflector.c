/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reflector: the peer of very many tunnels over IPv4, for tests: sends every keepalive back as a
 * router does that forwards what it decapsulates.
 *
 *     reflector [LOSS SEED]      LOSS percent of the questions are passed over
 *
 * Says "ready", and on the end of standard input how many questions it saw and answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH = 128, PACKET_MAX = 256, IP_LEN = 20, GRE = 47 };

static uint8_t packets[BATCH][PACKET_MAX];
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_parts[BATCH], out_parts[BATCH];
static struct sockaddr_in to[BATCH];
static uint64_t random_state, seen, answered;
static double loss;

/* xorshift64*, as in relay.c */
static int chance(double percent)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (double)((random_state * 0x2545F4914F6CDD1DULL) >> 11) * 100.0 <
	       percent * 9007199254740992.0;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The passenger of a question, NULL when it is none. */
static uint8_t *passenger_of(uint8_t *packet, size_t len)
{
	uint8_t *gre = packet + IP_LEN, *inner;
	unsigned flags, skip;

	if (len < 2 * IP_LEN + 8)
		return NULL;
	flags = get16(gre);
	skip = 4u + (flags & 0x8000 ? 4u : 0) + (flags & 0x2000 ? 4u : 0) +
	       (flags & 0x1000 ? 4u : 0);
	inner = gre + skip;
	if (get16(gre + 2) != 0x0800 || inner + IP_LEN > packet + len || inner[9] != GRE)
		return NULL;
	return inner + get16(inner + 2) > packet + len ? NULL : inner;
}

/* One hop less to live; the header checksum by RFC 1624 eqn. 3. */
static void turn(uint8_t *ip)
{
	uint32_t sum = (uint16_t)~get16(ip + 10) + (uint16_t)~get16(ip + 8);

	ip[8]--;
	sum += get16(ip + 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void send_all(int fd, unsigned count)
{
	for (unsigned from = 0; from < count;) {
		int n = sendmmsg(fd, out + from, count - from, 0);

		from += n > 0 ? (unsigned)n : 1;
		answered += n > 0 ? (unsigned)n : 0;
	}
}

static void reflect(int fd)
{
	unsigned count = 0;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		in_parts[i] = (struct iovec){packets[i], PACKET_MAX};
		in[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
	}
	n = recvmmsg(fd, in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		uint8_t *ip = passenger_of(packets[i], in[i].msg_len);

		if (!ip)
			continue;
		seen++;
		if (chance(loss))
			continue;
		turn(ip);
		to[count] = (struct sockaddr_in){.sin_family = AF_INET};
		memcpy(&to[count].sin_addr, ip + 16, 4);
		out_parts[count] = (struct iovec){ip, get16(ip + 2)};
		out[count].msg_hdr = (struct msghdr){.msg_name = &to[count],
						     .msg_namelen = sizeof to[count],
						     .msg_iov = &out_parts[count],
						     .msg_iovlen = 1};
		count++;
	}
	send_all(fd, count);
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_GRE), on = 1, size = 64 << 20;
	struct pollfd ready[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
		fprintf(stderr, "reflector: %s\n", strerror(errno));
		return 1;
	}
	loss = argc > 1 ? atof(argv[1]) : 0;
	random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	puts("ready");
	fflush(stdout);
	while (ready[1].revents == 0 && (poll(ready, 2, -1) > 0 || errno == EINTR))
		if (ready[0].revents)
			reflect(fd);
	printf("%llu %llu\n", (unsigned long long)seen, (unsigned long long)answered);
	return 0;
}
