/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rawsock.h: raw sockets for GRE (protocol 47), and for GRE in UDP (protocol 17, RFC 8086). They
 * send whole packets, outer header included, and queue the ICMP errors that the underlay returns.
 * An IPv4 socket receives with the outer header; an IPv6 socket receives what follows the extension
 * headers, and the rest as control messages. Neither verifies a checksum.
 */
#ifndef OS_RAWSOCK_H
#define OS_RAWSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "os/udphold.h"
#include "proto/addr.h"

/* Opens a non-blocking socket for this protocol, IP_PROTOCOL_GRE or IP_PROTOCOL_UDP. Returns it, or
 * -errno (-EAFNOSUPPORT: the kernel has no IPv6). One for UDP gets what any program of this host
 * gets, so it wants raw_share() before it is read. */
int raw_open(uint8_t family, uint8_t protocol);

/* Opens one that only sends, packets of this priority (SO_PRIORITY), and receives nothing. Returns
 * it, or -errno. */
int raw_open_sender(uint8_t family, uint32_t priority);

/* Opens one that neither sends nor receives: what ICMP errors tell about packets of this
 * protocol, the kernel believes for the routes of those with this mark (0: none) that leave by this
 * device or in this VRF (0: any), too. Returns it, or -errno. */
int raw_open_ear(uint8_t family, uint8_t protocol, uint32_t mark, uint32_t ifindex);

/* Lets through the packets of share `index` of `count`, so that `count` sockets divide the traffic:
 * by the passenger's addresses, so that a flow and its fragments stay in order. Packets with a
 * sequence number, and those too short to tell, are all in share 0. With `udp` (NULL: a socket for
 * GRE) only UDP to these ports. 0 or -errno. */
int raw_share(int fd, uint8_t family, unsigned index, unsigned count, const struct udp_ports *udp);

/* Asks for the device of arrival with each packet (IPv6 sockets always have it). */
int raw_want_device(int fd, uint8_t family, bool on);

/* Room for what raw_control_*() reads. */
#define RAW_CONTROL_SIZE 96

/* What the kernel tells about a received packet beside its octets. */
struct raw_meta {
	uint32_t ifindex;   /* 0 when not asked for */
	uint8_t tos;	    /* IPv6: traffic class */
	struct ip_addr dst; /* IPv6: family IP_NONE when missing */
};
void raw_meta(struct msghdr *message, struct raw_meta *out);

/* How a packet is to leave; what is zero (family IP_NONE) is as the route says. */
struct raw_way {
	struct ip_addr from;
	uint32_t ifindex;
	uint32_t mark; /* firewall mark, by which rules and routing policies may choose the way */
};

/* Writes to `control` (RAW_CONTROL_SIZE octets, aligned as a struct cmsghdr) what makes a packet
 * leave by the route that belongs to way->from, whose family is known, with the mark, and by the
 * device. Returns the length for msg_controllen; any number of messages may share it. */
size_t raw_source(void *control, const struct raw_way *way);

/* The address as the socket calls want it, and its length. */
socklen_t raw_address(const struct ip_addr *addr, struct sockaddr_storage *out);

/* Sends one whole packet, outer header included. Without way->from the rest of it does not count,
 * either. 0 or -errno. */
int raw_send(int fd, const struct raw_way *way, const struct ip_addr *to, const void *packet,
	     size_t len);

/* Whether an address at which this host received a packet is a broadcast one. */
bool raw_is_broadcast(const struct ip_addr *addr);

/* One queued ICMP error about a packet of ours. */
struct raw_error {
	uint8_t type, code;
	bool from_icmp;	     /* false: this host's own refusal (EMSGSIZE) */
	bool too_big;	     /* the path is narrower; the kernel has learnt how narrow */
	struct ip_addr dst;  /* of the packet */
	struct ip_addr from; /* who complained; family IP_NONE for this host */
	uint16_t udp_port;   /* destination of the packet if it was UDP; else 0 */
	uint16_t udp_source; /* and its source */
};
/* Takes the oldest error. 1 with *out, 0 when there is none, -errno. */
int raw_next_error(int fd, struct raw_error *out);

#endif
