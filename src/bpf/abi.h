/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi.h: what greteld and its programs in the kernel share: keys and values of the maps. A change
 * here needs another FAST_ABI, so that a new greteld does not take over the maps of an old one.
 */
#ifndef BPF_ABI_H
#define BPF_ABI_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/outer.h"
#include "proto/seq.h"

enum {
	FAST_ABI = 4,
	FAST_TUNNELS_MAX = 16384,
	FAST_DEVICES_MAX = 64,
	FAST_ENTERING_MAX = 8192,
	FAST_HOT_MIN = 4096,   /* of each CPU, see hot_get() */
	FAST_LINK_HEADER = 14, /* Ethernet */
	FAST_WITNESS_LENGTH = 24,
	FAST_REFLECT_MAX = 100, /* keepalives of a peer that are sent back, in a second */
	FAST_SPREAD_MAX = 64,	/* CPUs, see spread.h */
};

/*
 * Times are CLOCK_MONOTONIC in nanoseconds. What was observed of a flow is looked at again after
 * FAST_SAMPLE_NS. Where greteld hears of everything that could change it, asking conntrack is
 * enough, up to FAST_WATCHED_NS after the observation; then, and where it does not or is not there,
 * a packet takes the kernel's path to observe it anew, and another one each FAST_RETRY_NS until
 * that has succeeded. FAST_GRACE_NS after it should have, the flow is not known any more.
 */
#define FAST_SAMPLE_NS	800000000ull
#define FAST_WATCHED_NS 10000000000ull
#define FAST_RETRY_NS	20000000ull
#define FAST_GRACE_NS	140000000ull
/* The way of outer packets is known for so long; where greteld hears of everything that could
 * change it, for `lease_ns` of the control entry, unless something has changed since. */
#define FAST_LEASE_NS 840000000ull
/* For so long after a received numbered packet was left to greteld the programs leave others to it,
 * too, or they would overtake it. */
#define FAST_ORDER_NS 200000000ull
/* A tunnel is shown to be in use by the programs this often at most. */
#define FAST_USED_NS 100000000ull
/* The daemon is taken to be gone after the first, and its last word holds up to the second. Before
 * the first is over no lease can end, so that none is missed: the last renewal was at most 320 ms
 * before the last sign of life. */
#define FAST_BEAT_LOST_NS  400000000ull
#define FAST_BEAT_STALE_NS 600000000000ull
/* Without a sign of life for so long, keepalives of the peer go back from here. While greteld is
 * there, they take the way by the host's filters, which may look at what is in them. */
#define FAST_ALONE_NS 250000000ull
/* The thread that hears of changes says so each half of a second. The sign of life above is another
 * thread's, so it does not show that this one is not stuck. */
#define FAST_HEARD_LOST_NS 1500000000ull

/* Priority of the packets that greteld sends to see what becomes of them; nobody else may leave
 * with it. */
#define FAST_WITNESS_PRIORITY 0x67726574u
/* Mark of the same on their way in, between two programs. */
#define FAST_WITNESS_MARK 0x67726574u
/* In tc_index of packets that the programs have sent on: those where they leave have nothing to
 * learn of them. */
#define FAST_SENT_INDEX 0x6774u

/* Entry 0 of the map `control`. Written by greteld. */
struct fast_control {
	uint64_t beat_ns;    /* when greteld was last alive */
	uint64_t clock_base; /* CLOCK_MONOTONIC less the kernel's count of ticks, see clock_ns() */
	uint64_t cookie;     /* in the body of its witnesses */
	uint32_t generation; /* flows of another one are void */
	uint32_t stateless;  /* nothing filters or translates here: flows need no connection */
	uint32_t ip_id;	     /* of the next outer packet that may be fragmented */
	uint32_t flows;	     /* whether flows are to be learned */
	uint32_t watched;    /* whether greteld hears of each change of rules */
	uint64_t heard_ns;   /* when it last listened */
	uint64_t lease_ns;   /* see FAST_LEASE_NS */
	/* The programs': */
	uint64_t lost; /* packets begun to be changed when memory ran out */
};

/* What the kernel's own path was seen to do with the outer packets of a tunnel, in one direction:
 * the device, and the link header where they leave, or on the way in the device's own address in
 * it. Written by the witness that has passed it. */
struct fast_path {
	uint64_t sent_ns;   /* when that witness was sent */
	uint64_t sample_ns; /* when the next one is due, of received packets */
	uint32_t ifindex;   /* 0: not known, or revoked */
	uint32_t slot;	    /* in the map `xdp_ports`, plus one; 0: XDP cannot send there */
	uint8_t header[FAST_LINK_HEADER];
	uint16_t generation; /* low half, when it was sent */
};

enum fast_flags {
	FAST_ENCAP = 1, /* the programs encapsulate for it */
	FAST_DECAP = 2, /* and decapsulate */
	FAST_CARRIES = FAST_ENCAP | FAST_DECAP,
	FAST_ETHERNET = 4,   /* passengers are frames */
	FAST_IKEY = 8,	     /* received packets have a key */
	FAST_OKEY = 16,	     /* sent ones have */
	FAST_ISEQ = 32,	     /* received ones are to have a sequence number */
	FAST_STATELESS = 64, /* flows need no connection */
	FAST_NEAR4 = 128,    /* peer4 is known */
	FAST_NEAR6 = 256,
	FAST_XDP = 512,	  /* XDP may carry it, too */
	FAST_ECHO = 1024, /* echo replies in it may be greteld's */
};

/* Entry of the map `tunnels`. greteld writes all but what is said to be the programs'. */
struct fast_tunnel {
	uint32_t ifindex; /* of its interface; 0: the entry is not in use */
	uint32_t flags;	  /* enum fast_flags */
	uint32_t room;	  /* octets of a passenger that fit into the path */
	uint32_t okey;	  /* host order */
	uint32_t bind_ifindex;
	uint8_t family;	 /* enum ip_family of the outer addresses */
	uint8_t gre_len; /* octets of the GRE header that is sent */
	struct outer_policy policy;
	uint8_t pad[4];
	uint8_t local[16], remote[16]; /* 4 octets for IPv4 */
	uint32_t ikey;		       /* of received packets, by which it is found */
	uint16_t mss4, mss6;
	uint8_t peer4[4], peer6[16]; /* inner addresses of the peer, see FAST_NEAR4 */
	uint32_t fwmark;	     /* of outer packets, 0: none */
	/* The programs': */
	uint64_t used_ns; /* when they last met a packet of it */
	uint64_t slow_ns; /* when a received numbered packet was left to greteld */
	uint32_t ip_id;	  /* of the next outer packet that may not be fragmented */
	uint32_t pad_id;
	struct fast_path in, out;
	uint64_t reflect_ns; /* when the second began in which ... */
	uint32_t reflected;  /* ... so many keepalives were sent back */
	/* Sequence numbers. The programs do not send any; the next one is here for the next
	 * process. */
	uint32_t seq_next;
	struct seq_state seq;
};

/* Of one tunnel on one CPU; as struct dp_counters. */
struct fast_counters {
	uint64_t rx_packets, rx_octets, tx_packets, tx_octets;
	uint64_t reflected;
	uint64_t last_rx_ns;
	uint64_t last_rx_gre;
};

/* Keys of the maps `outer4`, `outer6`: a received outer packet. */
struct fast_outer4 {
	uint8_t local[4], remote[4];
	uint32_t key; /* host order; 0 without one */
	uint32_t has_key;
};

struct fast_outer6 {
	uint8_t local[16], remote[16];
	uint32_t key;
	uint32_t has_key;
};

/* Keys of the maps `flows4`, `flows6` and `entering4`, `entering6`: a passenger as it comes in. */
struct fast_key4 {
	uint32_t from; /* index of the device, times 256, plus the protocol */
	uint8_t src[4], dst[4];
	uint8_t ports[4]; /* as they stand in the packet; ICMP echo: the id, twice */
};

struct fast_key6 {
	uint32_t from;
	uint8_t ports[4];
	uint8_t src[16], dst[16];
};

/* How the passenger looked when it came in: what netfilter changed beside addresses and ports is
 * seen by the difference to what goes out. */
struct fast_entering {
	uint8_t tos, ttl;
	uint8_t stateless; /* it came by a tunnel whose flows need no connection */
	uint8_t pad;
};

/* A device of this host where the programs are, key its index. */
struct fast_link {
	uint32_t slot; /* in `xdp_ports`, plus one; 0: XDP cannot send there */
	uint32_t mtu;  /* octets */
	uint8_t mac[6];
	uint8_t pad[2];
};

/* What becomes of the packets of a flow. What every packet needs comes first. */
struct fast_action {
	uint32_t tunnel;  /* entry of `tunnels`, plus one; 0: it leaves by a link */
	uint32_t ifindex; /* the link */
	uint16_t mtu;	  /* of the link, octets */
	uint8_t slot;	  /* of the link in `xdp_ports`, plus one; 0: XDP cannot send there */
	uint8_t nat;	  /* whether addresses or ports are changed */
	/* The header that the link wants; or, before a tunnel, the address of the device where the
	 * packets come in, to which they are addressed. */
	uint8_t link[FAST_LINK_HEADER];
	uint8_t untracked; /* no connection is known of it */
	uint8_t pad;
	uint32_t mark;		       /* of the packet when it leaves by a link */
	uint32_t addr_diff, port_diff; /* differences of checksums, as bpf_csum_diff() has them */
	uint8_t ports[4], src[4], dst[4]; /* of IPv4; IPv6 is not translated */
};

/* Its first 64 octets are all that a packet without translation needs: with the key before them,
 * two lines of the processor's cache. */
struct fast_flow {
	uint64_t seen_ns;	  /* when the kernel's path led a packet of it */
	uint64_t sample_ns;	  /* when to look again */
	uint64_t packets, octets; /* counted by whoever carries one; of the IP packets */
	uint32_t generation;
	struct fast_action action;
};

/* What one CPU knows of a flow of IPv4 that it has met lately, copied from the flow: found by an
 * index alone, and in one line of the cache unless the flow is translated. */
struct fast_hot {
	struct fast_key4 key;
	uint64_t sample_ns;	  /* the flow's; then the copy is over */
	uint16_t generation;	  /* its low half */
	uint16_t outer;		  /* entry of `tunnels` where it comes in, plus one; 0: a device */
	uint32_t packets, octets; /* that have not been added to the flow's yet */
	struct fast_action action;
	uint8_t pad[40];
};

/* Behind the GRE header of a witness, whose protocol type is 0. */
struct fast_witness {
	uint64_t cookie, sent_ns;
	uint32_t ifindex;    /* of the device where it came in; on the way out 0 */
	uint16_t tunnel;     /* entry of `tunnels` */
	uint16_t generation; /* low half */
};

_Static_assert(sizeof(struct fast_key4) == 16, "no padding: keys are compared as octets");
_Static_assert(sizeof(struct fast_key6) == 40, "no padding");
_Static_assert(sizeof(struct fast_action) % 4 == 0, "compared word by word");
_Static_assert(__builtin_offsetof(struct fast_flow, action.mark) == 64, "one line");
_Static_assert(sizeof(struct fast_hot) == 128 &&
		       __builtin_offsetof(struct fast_hot, action.mark) == 64,
	       "two lines, of which the first is enough");
_Static_assert(sizeof(struct fast_witness) == FAST_WITNESS_LENGTH, "no padding");

#endif
