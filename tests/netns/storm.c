/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm: GRE over IPv4 that nobody should have sent, as fast as it goes or at a rate.
 *
 *     storm [-l LENGTH] [-r PACKETS/S] [-p PROTOCOL] DEVICE MAC SOURCE DESTINATION KEY SEED COUNT
 *
 * Sends COUNT packets to the station with this MAC, or packets until its standard input ends where
 * COUNT is 0, and prints how many were offered to the device. Each is an IPv4 packet in order up to
 * its own end; behind its header there are 0 to 255 octets that come from SEED. Half of the packets
 * have flags and types that are in use, half of those KEY where the key is. The source is SOURCE
 * or, for every other packet on average, one of its /24.
 *
 * -l: all packets have this length, octets with the IP header; what is behind the first 256 is the
 * same in all. -r: so many a second; what is late by more than 10 ms is forgotten, as a wire would.
 * -p: not GRE but that protocol.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, ETHERNET = 14, HEADER = 20, BEHIND = 256, LENGTH_MAX = 1500 };
#define SECOND_NS 1000000000ull
#define LATE_NS	  10000000ull

static uint8_t frames[BATCH][ETHERNET + LENGTH_MAX];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];
static uint64_t state;
static uint32_t key, length, rate, protocol = IPPROTO_GRE;

/* The generator of Marsaglia (2003), of period 2^64 - 1. */
static uint32_t dice(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t header_sum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < HEADER; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}

/* Flags and a type that some tunnel might take. */
static void likely(uint8_t *gre)
{
	static const uint16_t flags[] = {0x0000, 0x2000, 0x8000, 0x1000, 0xb000, 0xa000};
	static const uint16_t types[] = {0x0800, 0x86dd, 0x6558, 0x8909, 0x0000, 0x0004};
	uint32_t flag = flags[dice() % (sizeof flags / sizeof *flags)];

	put16(gre, flag);
	put16(gre + 2, types[dice() % (sizeof types / sizeof *types)]);
	if (flag & 0x2000 && dice() & 1) {
		uint8_t *at = gre + (flag & 0x8000 ? 8 : 4);

		put16(at, key >> 16);
		put16(at + 2, key);
	}
}

/* Everything behind the Ethernet header; returns its length. */
static unsigned make(uint8_t *ip, const struct in_addr *source, const struct in_addr *destination)
{
	uint32_t behind = length ? length - HEADER : dice() % BEHIND;

	memset(ip, 0, HEADER);
	ip[0] = 0x45;
	put16(ip + 2, HEADER + behind);
	put16(ip + 4, dice());
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	memcpy(ip + 12, source, 4);
	memcpy(ip + 16, destination, 4);
	if (dice() & 1) /* from 2 to 254, whose ends are the router's and nobody's */
		ip[15] = (uint8_t)(2 + dice() % 253);
	put16(ip + 10, header_sum(ip));
	for (unsigned i = 0; i < BEHIND; i += 4) {
		uint32_t word = dice();

		memcpy(ip + HEADER + i, &word, sizeof word);
	}
	if (dice() & 1)
		likely(ip + HEADER);
	return HEADER + behind;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		die(name);
	return fd;
}

static uint64_t send_batch(int fd, unsigned count)
{
	int sent = sendmmsg(fd, messages, count, 0);

	if (sent < 0 && errno != ENOBUFS)
		die("sendmmsg");
	if (sent < 0)
		sent = 0;
	/* The packet after these was offered too, and the device had no room for it. */
	return (uint64_t)sent + ((unsigned)sent < count);
}

/* Sleeps until packet `sent` is due, counted from *begun. */
static void keep_pace(uint64_t *begun, uint64_t sent)
{
	struct timespec time;
	uint64_t now, due = *begun + sent * SECOND_NS / rate;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
	if (*begun == 0 || now > due + LATE_NS) {
		*begun = now - sent * SECOND_NS / rate;
	} else if (now < due) {
		time.tv_sec = (time_t)(due / SECOND_NS);
		time.tv_nsec = (long)(due % SECOND_NS);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
	}
}

static uint64_t blow(int fd, uint64_t limit, const struct in_addr *source,
		     const struct in_addr *destination)
{
	struct pollfd end = {.fd = 0, .events = POLLIN};
	uint64_t sent = 0, begun = 0;

	while (limit ? sent < limit : poll(&end, 1, 0) == 0) {
		unsigned count = limit && limit - sent < BATCH ? (unsigned)(limit - sent) : BATCH;

		for (unsigned i = 0; i < count; i++)
			parts[i].iov_len =
				ETHERNET + make(frames[i] + ETHERNET, source, destination);
		sent += send_batch(fd, count);
		if (rate)
			keep_pace(&begun, sent);
	}
	return sent;
}

/* False: the words make no sense. */
static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "l:r:p:")) != -1) {
		uint32_t value = option == '?' ? 0 : (uint32_t)strtoul(optarg, NULL, 0);

		if (option == 'l' && value >= HEADER + BEHIND && value <= LENGTH_MAX)
			length = value;
		else if (option == 'r' && value)
			rate = value;
		else if (option == 'p' && value && value < 256)
			protocol = value;
		else
			return false;
	}
	return argc - optind == 7;
}

static void prepare(const struct ether_addr *station)
{
	for (unsigned i = 0; i < BATCH; i++) {
		memcpy(frames[i], station, ETH_ALEN);
		frames[i][6] = 2;
		put16(frames[i] + 12, ETHERTYPE_IP);
		for (unsigned at = ETHERNET + HEADER; at < sizeof frames[i]; at++)
			frames[i][at] = (uint8_t)dice();
		parts[i].iov_base = frames[i];
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
}

int main(int argc, char **argv)
{
	struct in_addr source, destination;
	struct ether_addr *station;

	if (!read_options(argc, argv)) {
		fputs("usage: storm [-l LENGTH] [-r PACKETS/S] [-p PROTOCOL] DEVICE MAC SOURCE "
		      "DESTINATION KEY SEED COUNT\n",
		      stderr);
		return 2;
	}
	argv += optind;
	station = ether_aton(argv[1]);
	if (!station || inet_pton(AF_INET, argv[2], &source) != 1 ||
	    inet_pton(AF_INET, argv[3], &destination) != 1) {
		fputs("storm: no such MAC or IPv4 address\n", stderr);
		return 2;
	}
	key = (uint32_t)strtoul(argv[4], NULL, 0);
	state = strtoull(argv[5], NULL, 0) * 2 + 1;
	prctl(PR_SET_TIMERSLACK, 1);
	prepare(station);
	printf("%llu\n", (unsigned long long)blow(open_device(argv[0]), strtoull(argv[6], NULL, 10),
						  &source, &destination));
	return 0;
}
