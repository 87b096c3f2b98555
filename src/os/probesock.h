/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probesock.h: sends whole packets to one peer and sees what comes back from it or about it twice:
 * as it arrives on the wire, before any rule of this host, and GRE once more as a socket gets it,
 * after all rules. While it is open this host does not answer GRE with "protocol unreachable".
 */
#ifndef OS_PROBESOCK_H
#define OS_PROBESOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "os/rawsock.h"

struct probesock {
	int out;  /* raw, only sends: pings */
	int wire; /* packet socket */
	int gre;  /* raw: sends GRE, and receives that of the peer */
	struct ip_addr remote;
	struct raw_way way; /* of what is sent; `from` is the local address */
};

/* Returns 0 or -errno. */
int probesock_open(struct probesock *sock, const struct raw_way *way, const struct ip_addr *remote);
void probesock_close(struct probesock *sock);

/* Sends a whole packet, a ping or (`gre`) GRE, which IPsec policies tell apart by the socket; what
 * this host has learnt of the path's MTU is not asked. 0 or -errno: -EMSGSIZE is the device's own
 * MTU, -EPERM a rule or a policy of this host. */
int probesock_send(const struct probesock *sock, bool gre, const void *packet, uint32_t len);

#define PROBE_ARRIVAL_SIZE 256

struct probe_arrival {
	bool delivered;	  /* of the socket behind the rules; `octets` are not filled in */
	uint32_t ifindex; /* of the device on which it arrived */
	uint32_t len;	  /* octets that are here */
	uint8_t octets[PROBE_ARRIVAL_SIZE];
};
/* Waits for the next, at most timeout_ms. 1 with *out, 0 when there was none, -errno. */
int probesock_next(const struct probesock *sock, int timeout_ms, struct probe_arrival *out);

#endif
