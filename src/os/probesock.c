/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/probesock.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/bytes.h"

#define BUFFER_SIZE (1 << 20)

static int open_raw(uint8_t family, int protocol)
{
	bool v4 = family == IP_V4;
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, on = 1;
	int mode = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;

	if (fd < 0)
		return -errno;
	setsockopt(fd, level, v4 ? IP_HDRINCL : IPV6_HDRINCL, &on, sizeof on);
	setsockopt(fd, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &mode, sizeof mode);
	return fd;
}

struct program {
	struct sock_filter code[40];
	uint16_t len;
};

static void emit(struct program *p, uint16_t code, uint32_t k)
{
	p->code[p->len++] = (struct sock_filter)BPF_STMT(code, k);
}

/* Takes the packet when the accumulator equals k. */
static void take_if(struct program *p, uint32_t k)
{
	p->code[p->len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	emit(p, BPF_RET | BPF_K, PROBE_ARRIVAL_SIZE);
}

/* Packets of ICMP, and all of GRE and of fragments that the remote sends. */
static int attach_filter(int fd, const struct ip_addr *remote)
{
	bool v4 = remote->family == IP_V4;
	struct program p = {.len = 0};

	emit(&p, BPF_LD | BPF_B | BPF_ABS, v4 ? 9 : 6);
	take_if(&p, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	for (unsigned i = 0; i < addr_size(remote->family); i += 4) {
		emit(&p, BPF_LD | BPF_W | BPF_ABS, (v4 ? 12 : 8) + i);
		p.code[p.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							       get_be32(remote->bytes + i), 1, 0);
		emit(&p, BPF_RET | BPF_K, 0);
	}
	emit(&p, BPF_LD | BPF_B | BPF_ABS, v4 ? 9 : 6);
	take_if(&p, IPPROTO_GRE);
	take_if(&p, IPPROTO_FRAGMENT);
	emit(&p, BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {.len = p.len, .filter = p.code};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno
											: 0;
}

/* Receives nothing before the filter is there. */
static int open_wire(const struct ip_addr *remote)
{
	struct sockaddr_ll any = {.sll_family = AF_PACKET,
				  .sll_protocol =
					  htons(remote->family == IP_V4 ? ETH_P_IP : ETH_P_IPV6)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = BUFFER_SIZE, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	err = attach_filter(fd, remote);
	if (!err && bind(fd, (struct sockaddr *)&any, sizeof any) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Connected, so that the peer's packets alone are received. A policy or a route may refuse that;
 * then each packet tells where it comes from, and sending meets the same refusal. */
static int open_gre(const struct ip_addr *remote)
{
	struct sockaddr_storage to;
	socklen_t size = raw_address(remote, &to);
	int fd = open_raw(remote->family, IPPROTO_GRE);

	if (fd >= 0)
		(void)!connect(fd, (struct sockaddr *)&to, size);
	return fd;
}

int probesock_open(struct probesock *sock, const struct raw_way *way, const struct ip_addr *remote)
{
	int fds[3] = {open_raw(remote->family, IPPROTO_RAW), open_wire(remote), open_gre(remote)};
	int err = 0;

	*sock = (struct probesock){
		.out = fds[0], .wire = fds[1], .gre = fds[2], .remote = *remote, .way = *way};
	for (unsigned i = 0; i < 3 && !err; i++)
		err = fds[i] < 0 ? fds[i] : 0;
	if (err)
		probesock_close(sock);
	return err;
}

void probesock_close(struct probesock *sock)
{
	int fds[3] = {sock->out, sock->wire, sock->gre};

	for (unsigned i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int probesock_send(const struct probesock *sock, bool gre, const void *packet, uint32_t len)
{
	return raw_send(gre ? sock->gre : sock->out, &sock->way, &sock->remote, packet, len);
}

/* What leaves this host is not seen by a socket of one protocol, but what passes through it is. */
static int read_wire(const struct probesock *sock, struct probe_arrival *out)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof from;
	ssize_t n = recvfrom(sock->wire, out->octets, sizeof out->octets, 0,
			     (struct sockaddr *)&from, &size);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (from.sll_pkttype != PACKET_HOST)
		return 0;
	out->delivered = false;
	out->ifindex = (uint32_t)from.sll_ifindex;
	out->len = (uint32_t)n;
	return 1;
}

static int read_delivered(const struct probesock *sock, struct probe_arrival *out)
{
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof from;
	ssize_t n = recvfrom(sock->gre, out->octets, sizeof out->octets, 0,
			     (struct sockaddr *)&from, &size);
	bool v4 = sock->remote.family == IP_V4;

	/* An ICMP error is told once as an error of the socket. */
	if (n < 0)
		return 0;
	if (v4 ? memcmp(&((struct sockaddr_in *)&from)->sin_addr, sock->remote.bytes, 4) != 0
	       : memcmp(&((struct sockaddr_in6 *)&from)->sin6_addr, sock->remote.bytes, 16) != 0)
		return 0;
	*out = (struct probe_arrival){.delivered = true};
	return 1;
}

int probesock_next(const struct probesock *sock, int timeout_ms, struct probe_arrival *out)
{
	struct pollfd ready[2] = {{.fd = sock->wire, .events = POLLIN},
				  {.fd = sock->gre, .events = POLLIN}};
	int n = poll(ready, 2, timeout_ms), r = 0;

	if (n <= 0)
		return n < 0 && errno != EINTR ? -errno : 0;
	if (ready[0].revents)
		r = read_wire(sock, out);
	if (r == 0 && ready[1].revents)
		r = read_delivered(sock, out);
	return r;
}
