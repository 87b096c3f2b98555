/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fast.h: the kernel lanes as greteld runs them. Programs in the kernel (src/bpf) carry what they
 * can carry exactly; this gives them the tunnels, tells them that somebody is there, sends the
 * witnesses by which they know what netfilter thinks of outer packets, and counts what they
 * carried.
 *
 * Without it (a NULL pointer) the user lane carries everything.
 */
#ifndef DP_FAST_H
#define DP_FAST_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "dp/dp.h"

struct bpf;
struct fast;

/* An Ethernet device of this host at which packets come in or leave. */
struct fast_device {
	uint32_t ifindex, mtu;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	bool native; /* XDP would be faster there */
	bool forced; /* some tunnel asks for XDP whatever it brings */
	/* Filled in by fast_devices(). */
	char why_not_tc[96], why_not_xdp[96];
};

/* Takes over what the last process has left in the maps. `bpf` stays the caller's. 0 or -errno. */
int fast_open(struct bpf *bpf, struct fast **out);
/* With `keep` everything goes on running in the kernel; without it is taken away. */
void fast_close(struct fast *fast, bool keep);

/* A tunnel of the user lane, and what the programs are to do for it. The entry that is returned is
 * its handle; -errno (-ENOSPC: there are too many). */
int fast_tunnel_set(struct fast *fast, int slot, const struct dp_params *params);
/* Whether the programs may have something to do for such a tunnel. */
bool fast_may_carry(const struct dp_params *params);
/* Others have changed filters of an interface, maybe a tunnel's. What they took away stays away
 * until the tunnel changes. */
void fast_filters_changed(struct fast *fast, uint32_t ifindex);
/* The device that the kernel would send its outer packets by: only where the programs are on it may
 * a witness be sent, since they take it there. */
void fast_tunnel_way(struct fast *fast, int slot, uint32_t ifindex);
void fast_tunnel_remove(struct fast *fast, int slot);
/* Tunnels of the last process that are not wanted any more go. */
void fast_forget_others(struct fast *fast);

/* The devices where the programs are to be; those not named lose them. */
void fast_devices(struct fast *fast, struct fast_device *devices, unsigned count);

/* What is known of flows is void, some tenths of a second from now at the latest: rules, routes,
 * neighbours, addresses or links have changed. */
void fast_void_flows(struct fast *fast);
/* Whether flows need no connection, since nothing on this host filters or translates; and whether
 * all that could change what becomes of them is told to fast_void_flows(). */
void fast_set_rules(struct fast *fast, bool stateless, bool watched);

/* To be called each half of a second by the thread that calls fast_void_flows(), while it does. */
void fast_heard(struct fast *fast);

/* Adds what the programs have carried and sent back. */
void fast_count(const struct fast *fast, int slot, struct dp_counters *sum);

enum fast_lane { FAST_LANE_USER, FAST_LANE_TC, FAST_LANE_XDP };
/* The lane that carries a tunnel, and why none faster does; "" where there is none faster. */
enum fast_lane fast_lane(const struct fast *fast, int slot, const struct dp_params *params,
			 char *why, unsigned size);

/* Whether packets that leave since then may be the programs' own, which nothing has looked at. */
bool fast_sends(const struct fast *fast, int slot, uint64_t since_ns);

/* From now on XDP spreads what comes out of tunnels over the CPUs, or does not. 0 or -errno, and
 * then it does not. */
int fast_spread(struct fast *fast, bool on);
struct fast_spread {
	uint32_t cpus;	   /* over so many; 0: it does not */
	int64_t lost;	   /* packets for which a CPU had no room; -1: nobody counts them */
	char why_not[192]; /* why it never can here; "": it can */
};
void fast_spread_tell(const struct fast *fast, struct fast_spread *out);

/* The next sequence number of the tunnel, and what is known of those received, which the programs
 * use, too. */
uint32_t *fast_sequence(struct fast *fast, int slot);
struct seq_state *fast_received(struct fast *fast, int slot);

/* On a worker. Sends what is due: a sign of life, and witnesses. Every FAST_TICK_MS. */
#define FAST_TICK_MS 100
void fast_tick(struct fast *fast);
/* A received packet with GRE protocol type 0: takes it if it is a witness. */
bool fast_take_witness(struct fast *fast, const uint8_t *body, const uint8_t *end);

#endif
