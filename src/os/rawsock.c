/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/rawsock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <unistd.h>

#include "proto/gue.h"
#include "proto/udp.h"

/* Holds some milliseconds of small packets; beyond that, waiting costs more than a drop. */
#define BUFFER_SIZE (4 << 20)

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int configure(int fd, uint8_t family)
{
	int err;

	/* The forced size needs CAP_NET_ADMIN; without it the system's limit applies. */
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE))
		set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE))
		set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
	if (family == IP_V4) {
		err = set(fd, IPPROTO_IP, IP_HDRINCL, 1);
		return err ? err : set(fd, IPPROTO_IP, IP_RECVERR, 1);
	}
	err = set(fd, IPPROTO_IPV6, IPV6_HDRINCL, 1);
	if (!err)
		err = set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (!err)
		err = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return err ? err : set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
}

int raw_open(uint8_t family, uint8_t protocol)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int err;

	if (fd < 0)
		return -errno;
	err = configure(fd, family);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int raw_open_sender(uint8_t family, uint32_t priority)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int err = 0, on = 1, level = (int)priority;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &level, sizeof level) < 0 ||
	    (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) < 0))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int raw_open_ear(uint8_t family, uint8_t protocol, uint32_t mark, uint32_t ifindex)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog filter = {.len = 1, .filter = nothing};
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
		err = -errno;
	if (!err && ifindex)
		err = set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)ifindex);
	/* IPv6 asks only sockets that want to be told; what they are told fills little room. */
	if (!err && family == IP_V6)
		err = set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (!err)
		err = set(fd, SOL_SOCKET, SO_RCVBUF, 0);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/*
 * The share filter in classic BPF. X holds the offset of the GRE header, later of the fields behind
 * its options; at first that of the UDP header where there is one. A load outside the packet would
 * drop it unseen, so what is too short goes to share 0, where the decoder counts it; so do packets
 * with a sequence number, since one receiver has to see them all, and what can be the answer to a
 * question of ours, which only share 0 asks: protocol type 0, and passengers that are ICMP or GRE
 * of type 0.
 */
#define FLAG_CHECKSUM 0x8000
#define FLAG_KEY      0x2000
#define FLAG_SEQUENCE 0x1000

struct program {
	struct sock_filter code[192];
	uint16_t len;
	uint32_t index, count; /* the share, and how many there are */
};

static void emit(struct program *p, uint16_t code, uint32_t k)
{
	p->code[p->len++] = (struct sock_filter)BPF_STMT(code, k);
}

/* Jumps `yes` or `no` instructions ahead. */
static void emit_jump(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->code[p->len++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

/* Decides for share 0. */
static void emit_first_share(struct program *p)
{
	emit(p, BPF_RET | BPF_K, p->index == 0 ? UINT32_MAX : 0);
}

/* Leaves for share 0 when fewer than `octets` stand behind X, which options that are not there may
 * have moved behind the end. */
static void emit_need(struct program *p, uint32_t octets)
{
	emit(p, BPF_LD | BPF_W | BPF_LEN, 0);
	emit_jump(p, BPF_JMP | BPF_JGE | BPF_X, 0, 0, 2);
	emit(p, BPF_ALU | BPF_SUB | BPF_X, 0);
	emit_jump(p, BPF_JMP | BPF_JGE | BPF_K, octets, 1, 0);
	emit_first_share(p);
}

#define MOVE_STEPS 3
/* X += octets. */
static void emit_move(struct program *p, uint32_t octets)
{
	emit(p, BPF_MISC | BPF_TXA, 0);
	emit(p, BPF_ALU | BPF_ADD | BPF_K, octets);
	emit(p, BPF_MISC | BPF_TAX, 0);
}

/* X += 4 when `flag` is set in the GRE flags, which M[1] keeps. */
static void emit_option(struct program *p, uint32_t flag)
{
	emit(p, BPF_LD | BPF_MEM, 1);
	emit_jump(p, BPF_JMP | BPF_JSET | BPF_K, flag, 0, MOVE_STEPS);
	emit_move(p, 4);
}

/* Decides by the words at X+first and X+second: mixes them into eight bits, modulo the shares. */
static void emit_pair(struct program *p, uint32_t first, uint32_t second)
{
	emit_need(p, (first > second ? first : second) + 4);
	emit(p, BPF_LD | BPF_W | BPF_IND, first);
	emit(p, BPF_ST, 2);
	emit(p, BPF_LD | BPF_W | BPF_IND, second);
	emit(p, BPF_LDX | BPF_MEM, 2);
	emit(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	for (uint32_t shift = 16; shift >= 8; shift /= 2) {
		emit(p, BPF_MISC | BPF_TAX, 0);
		emit(p, BPF_ALU | BPF_RSH | BPF_K, shift);
		emit(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	}
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0xff);
	emit(p, BPF_ALU | BPF_MOD | BPF_K, p->count);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, p->index, 0, 1);
	emit(p, BPF_RET | BPF_K, UINT32_MAX);
	emit(p, BPF_RET | BPF_K, 0);
}

/* Share 0 for passengers that may be answers: the IP protocol in the octet at X+`at` is `icmp`, or
 * GRE whose protocol type, behind `header` octets of IP, is 0. */
static void emit_answers(struct program *p, uint32_t at, uint32_t header, uint32_t icmp)
{
	emit_need(p, 4 + header + 4);
	emit(p, BPF_LD | BPF_B | BPF_IND, 4 + at);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, icmp, 3, 0);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_GRE, 0, 3);
	emit(p, BPF_LD | BPF_H | BPF_IND, 4 + header + 2);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	emit_first_share(p);
}

/* Where a family of passengers has what decides; octets of its IP header, which is `length` long.
 */
struct passenger_layout {
	uint32_t type, length, protocol, icmp, first, second;
};

/* Decides for the passengers of one family, whose type is in M[3]. */
static void emit_passenger(struct program *p, const struct passenger_layout *l)
{
	uint16_t jump;

	emit(p, BPF_LD | BPF_MEM, 3);
	jump = p->len;
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, l->type, 0, 0);
	emit_answers(p, l->protocol, l->length, l->icmp);
	emit_pair(p, 4 + l->first, 4 + l->second);
	p->code[jump].jf = (uint8_t)(p->len - jump - 1);
}

/* Leaves unless the UDP header at X names one of the ports, then moves X behind it, and behind a
 * GUE header. */
static void emit_udp(struct program *p, const struct udp_ports *udp)
{
	emit(p, BPF_LD | BPF_H | BPF_IND, 2);
	for (unsigned i = 0; i < udp->count; i++)
		emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, udp->ports[i], (uint8_t)(udp->count - i),
			  0);
	emit(p, BPF_RET | BPF_K, 0);
	emit_move(p, UDP_HEADER_LENGTH);
	emit_need(p, GUE_LENGTH);
	emit(p, BPF_LD | BPF_B | BPF_IND, GUE_PROTOCOL_AT);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_GRE, 0, MOVE_STEPS);
	emit_move(p, GUE_LENGTH);
}

static void build(struct program *p, uint8_t family, const struct udp_ports *udp)
{
	/* The source and destination of IPv4, the last words of both of IPv6. */
	static const struct passenger_layout v4 = {.type = 0x0800, 20, 9, IPPROTO_ICMP, 12, 16},
					     v6 = {.type = 0x86dd, 40, 6, IPPROTO_ICMPV6, 20, 36};

	/* An IPv6 socket's filter sees no outer header. */
	if (family == IP_V4)
		emit(p, BPF_LDX | BPF_B | BPF_MSH, 0);
	else
		emit(p, BPF_LDX | BPF_IMM, 0);
	if (udp)
		emit_udp(p, udp);
	emit_need(p, 4);
	emit(p, BPF_LD | BPF_H | BPF_IND, 2);
	emit_jump(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	emit_first_share(p);
	emit(p, BPF_ST, 3);
	emit(p, BPF_LD | BPF_H | BPF_IND, 0);
	emit(p, BPF_ST, 1);
	emit_jump(p, BPF_JMP | BPF_JSET | BPF_K, FLAG_SEQUENCE, 0, 1);
	emit_first_share(p);
	emit_option(p, FLAG_CHECKSUM);
	emit_option(p, FLAG_KEY);
	emit_passenger(p, &v4);
	emit_passenger(p, &v6);
	emit_pair(p, 4 + 2, 4 + 8); /* Ethernet addresses, or whatever is there */
}

int raw_share(int fd, uint8_t family, unsigned index, unsigned count, const struct udp_ports *udp)
{
	struct program program = {.index = index, .count = count};

	build(&program, family, udp);
	struct sock_fprog filter = {.len = program.len, .filter = program.code};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno
											: 0;
}

int raw_want_device(int fd, uint8_t family, bool on)
{
	return family == IP_V4 ? set(fd, IPPROTO_IP, IP_PKTINFO, on) : 0;
}

static struct ip_addr addr_v6(const struct in6_addr *addr)
{
	struct ip_addr out = {.family = IP_V6};

	memcpy(out.bytes, addr, 16);
	return out;
}

static void read_meta(const struct cmsghdr *c, struct raw_meta *out)
{
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		const struct in_pktinfo *info = (const void *)CMSG_DATA(c);
		out->ifindex = (uint32_t)info->ipi_ifindex;
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		const struct in6_pktinfo *info = (const void *)CMSG_DATA(c);
		out->ifindex = info->ipi6_ifindex;
		out->dst = addr_v6(&info->ipi6_addr);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
		int tclass;
		memcpy(&tclass, CMSG_DATA(c), sizeof tclass);
		out->tos = (uint8_t)tclass;
	}
}

void raw_meta(struct msghdr *message, struct raw_meta *out)
{
	*out = (struct raw_meta){.ifindex = 0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		read_meta(c, out);
}

/* Appends a control message; returns its room. */
static size_t put_control(uint8_t *at, int level, int type, const void *data, size_t size)
{
	struct cmsghdr header = {
		.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};

	memset(at, 0, CMSG_SPACE(size));
	memcpy(at, &header, sizeof header);
	memcpy(at + CMSG_LEN(0), data, size);
	return CMSG_SPACE(size);
}

size_t raw_source(void *control, const struct raw_way *way)
{
	struct in_pktinfo four = {.ipi_ifindex = (int)way->ifindex};
	struct in6_pktinfo six = {.ipi6_ifindex = way->ifindex};
	size_t used;

	memcpy(&four.ipi_spec_dst, way->from.bytes, sizeof four.ipi_spec_dst);
	memcpy(&six.ipi6_addr, way->from.bytes, sizeof six.ipi6_addr);
	if (way->from.family == IP_V4)
		used = put_control(control, IPPROTO_IP, IP_PKTINFO, &four, sizeof four);
	else
		used = put_control(control, IPPROTO_IPV6, IPV6_PKTINFO, &six, sizeof six);
	if (way->mark)
		used += put_control((uint8_t *)control + used, SOL_SOCKET, SO_MARK, &way->mark,
				    sizeof way->mark);
	return used;
}

socklen_t raw_address(const struct ip_addr *addr, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){.ss_family = addr->family};
	if (addr->family == IP_V4) {
		memcpy(&((struct sockaddr_in *)out)->sin_addr, addr->bytes, 4);
		return sizeof(struct sockaddr_in);
	}
	memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, addr->bytes, 16);
	return sizeof(struct sockaddr_in6);
}

int raw_send(int fd, const struct raw_way *way, const struct ip_addr *to, const void *packet,
	     size_t len)
{
	union {
		struct cmsghdr align;
		char space[RAW_CONTROL_SIZE];
	} control;
	struct sockaddr_storage address;
	struct iovec part = {(void *)(uintptr_t)packet, len};
	struct msghdr message = {.msg_name = &address,
				 .msg_namelen = raw_address(to, &address),
				 .msg_iov = &part,
				 .msg_iovlen = 1};

	if (way->from.family != IP_NONE) {
		message.msg_control = &control;
		message.msg_controllen = raw_source(&control, way);
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The kernel lets nobody connect to a broadcast address who did not ask for that. */
bool raw_is_broadcast(const struct ip_addr *addr)
{
	struct sockaddr_storage address;
	socklen_t size = raw_address(addr, &address);
	bool refused;
	int fd;

	if (addr->family != IP_V4)
		return addr_is_multicast(addr);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	refused = connect(fd, (struct sockaddr *)&address, size) < 0;
	close(fd);
	return refused;
}

/* The error queue's destination is the address that the packet was sent to. */
static struct ip_addr addr_from(const struct sockaddr_storage *address)
{
	struct ip_addr out = {.family = IP_NONE};

	if (address->ss_family == AF_INET) {
		out.family = IP_V4;
		memcpy(out.bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		out = addr_v6(&((const struct sockaddr_in6 *)address)->sin6_addr);
	}
	return out;
}

static void read_error(const struct cmsghdr *c, struct raw_error *out)
{
	struct sock_extended_err err;
	struct sockaddr_storage offender = {.ss_family = AF_UNSPEC};
	bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
	bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;

	if (!v4 && !v6)
		return;
	memcpy(&err, CMSG_DATA(c), sizeof err);
	memcpy(&offender, CMSG_DATA(c) + sizeof err,
	       v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	out->type = err.ee_type;
	out->code = err.ee_code;
	out->from_icmp = err.ee_origin != SO_EE_ORIGIN_LOCAL;
	out->too_big = err.ee_errno == EMSGSIZE;
	out->from = addr_from(&offender);
}

/* The queue holds the beginning of the packet, from its IP header on. */
static void read_ports(const uint8_t *p, size_t len, struct raw_error *out)
{
	size_t at = p[0] >> 4 == 4 ? (p[0] & 0x0fu) * 4 : IP6_HEADER_LENGTH;
	bool udp = len > at + UDP_HEADER_LENGTH - 1 && p[p[0] >> 4 == 4 ? 9 : 6] == IPPROTO_UDP;

	out->udp_source = udp ? get_be16(p + at) : 0;
	out->udp_port = udp ? get_be16(p + at + 2) : 0;
}

int raw_next_error(int fd, struct raw_error *out)
{
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
	uint8_t quoted[128] = {0};
	struct iovec part = {quoted, sizeof quoted};
	struct msghdr message = {.msg_name = &to,
				 .msg_namelen = sizeof to,
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	*out = (struct raw_error){.dst = addr_from(&to)};
	read_ports(quoted, (size_t)n, out);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		read_error(c, out);
	return 1;
}
