/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs in the kernel (traffic.bpf.c) and traffic.c agree on. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

/* Octets of Ethernet, IPv4 and UDP. */
enum { TRAFFIC_HEADER = 42 };

/* Flow f has the source port FIRST_PORT + f % PORTS and the destination port PORT + f / PORTS, so
 * that flows stay apart behind one masquerading address. */
enum {
	TRAFFIC_PORT = 7047,
	TRAFFIC_FIRST_PORT = 20000,
	TRAFFIC_PORTS = 16384,
	TRAFFIC_GROUPS = 64,
	TRAFFIC_FLOWS_MAX = TRAFFIC_PORTS * TRAFFIC_GROUPS,
};

/* Tunnel t > 0 of several leads from host NEAR to host FAR of the subnet SPREAD + t * 256, which
 * has half of it on either side. SPREAD is 100.64.0.0/10. */
enum {
	TRAFFIC_SPREAD = 0x64400000,
	TRAFFIC_NEAR = 130,
	TRAFFIC_FAR = 2,
	TRAFFIC_TUNNELS_MAX = 16384,
};

/* Lengths of frames without their check sequence, one after another, round and round. */
enum { TRAFFIC_MIX_MAX = 16 };

/* What the far end does with a packet. */
enum traffic_answer { TRAFFIC_COUNT, TRAFFIC_TURN_ROUND };

/* A cache line and its neighbour for each writer. */
#define TRAFFIC_APART __attribute__((aligned(128)))

/* Written by the generator's side. */
struct traffic_offer {
	unsigned long long gap_ps; /* picoseconds between packets; 0: as fast as it goes */
	unsigned long long limit;  /* no packet is offered beyond this number */
	unsigned long long due_ns, due_ps_rest, fallen_behind_ns;
	unsigned long long offered;
	unsigned int port, group, tunnel, length; /* of the next packet: an index */
} TRAFFIC_APART;

/* Written where packets arrive. */
struct traffic_arrival {
	unsigned long long counted, octets, first_ns, turned_round;
	unsigned long long answered; /* at the generator's host */
} TRAFFIC_APART;

#endif
