/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/echosock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os/rawsock.h"

#define SNAP 256 /* an error's headers and what it quotes of ours */

/* ICMP and ICMPv6. The packet begins with its IP header. */
static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 4, 3),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, SNAP),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ? -errno : 0;
}

static int open_tap(void)
{
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = attach_filter(fd);
	if (!err && bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_raw(uint8_t family)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			family == IP_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	return fd < 0 ? -errno : fd;
}

int echosock_open(struct echosock *sock, uint16_t id)
{
	*sock = (struct echosock){.id = id, .tap = open_tap(), .raw4 = -1, .raw6 = -1};
	if (sock->tap < 0)
		return sock->tap;
	sock->raw4 = open_raw(IP_V4);
	sock->raw6 = open_raw(IP_V6);
	if (sock->raw4 < 0 && sock->raw6 < 0) {
		int err = sock->raw4;

		echosock_close(sock);
		return err;
	}
	return 0;
}

void echosock_close(struct echosock *sock)
{
	int fds[] = {sock->tap, sock->raw4, sock->raw6};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*sock = (struct echosock){.tap = -1, .raw4 = -1, .raw6 = -1};
}

static int set_ttl(int fd, uint8_t family, int ttl)
{
	if (family == IP_V4)
		return setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) ? -errno : 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)) ? -errno : 0;
}

static socklen_t to_sockaddr(const struct ip_addr *addr, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){.ss_family = addr->family};
	if (addr->family == IP_V4) {
		memcpy(&four->sin_addr, addr->bytes, 4);
		return sizeof(*four);
	}
	memcpy(&six->sin6_addr, addr->bytes, 16);
	return sizeof(*six);
}

int echosock_send(struct echosock *sock, const struct echo_request *request, uint32_t oif)
{
	_Alignas(struct cmsghdr) char control[RAW_CONTROL_SIZE];
	uint8_t octets[ECHO_HEADER_LENGTH + ECHO_PAYLOAD_MAX];
	struct echo_request ours = *request;
	int fd = request->to.family == IP_V4 ? sock->raw4 : sock->raw6;
	struct sockaddr_storage to;
	struct iovec part = {.iov_base = octets};
	struct msghdr message = {.msg_name = &to, .msg_iov = &part, .msg_iovlen = 1};

	if (fd < 0)
		return -EAFNOSUPPORT;
	if (request->payload > ECHO_PAYLOAD_MAX)
		return -EMSGSIZE;
	ours.id = sock->id;
	part.iov_len = echo_message(octets, &ours);
	message.msg_namelen = to_sockaddr(&request->to, &to);
	message.msg_control = control;
	message.msg_controllen =
		raw_source(control, &(struct raw_way){.from = request->from, .ifindex = oif});
	int err = set_ttl(fd, request->to.family, request->ttl ? request->ttl : 64);
	if (!err && sendmsg(fd, &message, MSG_DONTWAIT) < 0)
		err = -errno;
	return err;
}

/* 1 with *out, 0: nothing of ours was waiting. */
static int take_tap(const struct echosock *sock, struct echo_event *out)
{
	uint8_t octets[SNAP];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(sock->tap, octets, sizeof(octets), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &size);

	if (n <= 0 || !echo_decode(sock->id, octets, (size_t)n, &out->seen))
		return 0;
	out->where = from.sll_pkttype == PACKET_OUTGOING ? ECHO_LEFT : ECHO_ARRIVED;
	out->ifindex = (uint32_t)from.sll_ifindex;
	return 1;
}

static int take_raw(const struct echosock *sock, int fd, struct echo_event *out)
{
	uint8_t octets[SNAP];
	struct sockaddr_in6 from;
	socklen_t size = sizeof(from);
	ssize_t n =
		recvfrom(fd, octets, sizeof(octets), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	if (n <= 0)
		return 0;
	out->where = ECHO_DELIVERED;
	out->ifindex = 0;
	if (fd == sock->raw4)
		return echo_decode(sock->id, octets, (size_t)n, &out->seen);
	out->seen.src = (struct ip_addr){.family = IP_V6};
	out->seen.dst = (struct ip_addr){.family = IP_NONE};
	memcpy(out->seen.src.bytes, &from.sin6_addr, 16);
	return echo_decode_message(sock->id, IP_V6, octets, (size_t)n, &out->seen);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int echosock_next(struct echosock *sock, int timeout_ms, struct echo_event *out)
{
	struct pollfd fds[] = {{.fd = sock->tap, .events = POLLIN},
			       {.fd = sock->raw4, .events = POLLIN},
			       {.fd = sock->raw6, .events = POLLIN}};
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		int64_t left = end - now_ms();
		int n = poll(fds, 3, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		/* The tap first: what is delivered arrived before. */
		if (fds[0].revents && take_tap(sock, out))
			return 1;
		for (int i = 1; i < 3; i++)
			if (fds[i].revents && take_raw(sock, fds[i].fd, out))
				return 1;
		if (left <= 0)
			return 0;
	}
}
