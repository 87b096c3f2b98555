/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h: direct sending. The kernel's whole output path (route, netfilter, neighbour) costs a raw
 * socket about a microsecond a packet, and for the packets of one tunnel it decides the same again
 * and again. So a busy tunnel sends one packet through it now and then, a sample, while a tap looks
 * at what leaves this host. When the sample is seen leaving, with the outer header that we wrote,
 * then for a while (LEASE_NS) the tunnel's packets are handed to the same device and neighbour
 * directly: that is its lease.
 *
 * Whatever stops or changes the sample stops the lease from being renewed: a firewall rule, NAT,
 * IPsec, another route, a neighbour that is gone. lease_revoke_all() ends all at once, and the
 * session calls that when the kernel announces a change. Traffic control of the device sees every
 * packet either way.
 */
#ifndef DP_LEASE_H
#define DP_LEASE_H

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "dp/dp.h"

/* Counted from before the sample was sent, so that whatever comes after it is obeyed within a
 * second. */
#define LEASE_NS 700000000ull

/* On packets that were sent directly. */
#define LEASE_MARK 0x67726564u

/* Written by the main thread, read by the workers without a lock: a reader that meets a change in
 * the middle takes it for "no lease". */
struct lease {
	uint32_t version; /* odd while it is being written */
	uint32_t ifindex;
	uint64_t until_ns; /* 0: no lease */
	uint32_t revoked;  /* the clock's count when it was granted */
	uint8_t mac[6];
};

/* What the workers and the tap share. */
struct lease_clock {
	uint32_t round;	  /* a new one begins each time the tap is open */
	uint32_t busy;	  /* some worker sent a batch that is worth a lease */
	uint32_t revoked; /* how often all leases were ended: those granted before are void */
};

/* True with the address to send to when the lease is valid at now_ns. */
bool lease_read(const struct lease *lease, const struct lease_clock *clock, uint8_t family,
		uint64_t now_ns, struct sockaddr_ll *to);

void lease_revoke(struct lease *lease);

struct packet_seen;

/* The main thread's part: opens the tap when somebody is busy. */
struct lease_tap {
	struct lease_clock clock;
	uv_timer_t tick, end;
	uv_poll_t poll;
	int fd;		   /* -1: closed */
	bool poll_closing; /* the handle may not be used again yet */
	unsigned handles;  /* of the loop */
	void (*on_stopped)(void *arg);
	uint64_t round_ns;   /* when the present round began */
	uint32_t void_round; /* samples of this one are from before a change */
	/* For each sample that was seen, to find the tunnel it belongs to. */
	void (*on_seen)(void *arg, const struct packet_seen *seen);
	void *arg;
};

int lease_tap_start(struct lease_tap *tap, uv_loop_t *loop,
		    void (*on_seen)(void *arg, const struct packet_seen *seen), void *arg);
/* Closes its handles and calls on_stopped(arg) when the loop has let go of the last. */
void lease_tap_stop(struct lease_tap *tap, void (*on_stopped)(void *arg));

void lease_grant(const struct lease_tap *tap, struct lease *lease, const struct packet_seen *seen);
/* Ends the leases of all tunnels, however many they are: it is called for each change that the
 * kernel announces. */
void lease_revoke_all(struct lease_tap *tap);

/* The outer destination and the key (0: none) of what was seen. False when that is no GRE packet.
 */
bool lease_owner(const struct packet_seen *seen, struct ip_addr *remote, uint32_t *key);

/* True when `seen` is an outer packet of this tunnel just as the tunnel writes it. */
bool lease_matches(const struct dp_params *params, const struct packet_seen *seen);

#endif
