/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probes.h: what the doctor sent and what came back; each made once, when the first check asks. */
#ifndef CTL_DOCTOR_PROBES_H
#define CTL_DOCTOR_PROBES_H

#include "ctl/doctor/doctor.h"
#include "proto/probe.h"

enum { PROBES_ERRORS = 16, PROBES_KINDS = 8 };

/* ICMP errors of one kind about packets to the peer, ours or the daemon's. */
struct probe_error {
	struct probe_seen seen; /* the latest */
	unsigned count;
};

/* GRE of the peer that is no answer to us: by flags, type and key. */
struct probe_gre {
	struct probe_seen seen;
	unsigned count;
};

/* A few small packets each, and what came back within a second. */
struct probes_reach {
	int error;	     /* 0, or why nothing could be sent at all: -errno */
	int ping_refused;    /* 0, or what this host said to the last ping: -errno */
	int gre_refused;     /* the same for GRE: -EPERM is a rule or a policy of this host */
	bool gre_possible;   /* a GRE probe can be made for this tunnel */
	bool inner_possible; /* a ping between the inner addresses, made by hand */
	unsigned pings, ping_answers, gres, gre_answers, inners, inner_answers;
	uint32_t ping_us, gre_us; /* round-trip time of the first answer */
	unsigned gre_arrived;	  /* GRE packets of the peer on the wire */
	unsigned gre_delivered;	  /* of these, what got past this host's rules */
	unsigned gre_pieces;	  /* fragments among them */
	struct probe_error errors[PROBES_ERRORS];
	unsigned error_count;
	struct probe_gre kinds[PROBES_KINDS];
	unsigned kind_count;
	bool heard;	     /* GRE of the peer came while the doctor was here */
	json_t *status;	     /* of the daemon, afterwards; NULL: none answers */
	const json_t *after; /* of this tunnel, inside `status` */
};

/* What the path carries, in octets of the outer packet. */
struct probes_path {
	bool known;	       /* something was answered, so the figures are true */
	bool by_ping, by_gre;  /* which of the two was answered in small size */
	uint32_t wanted;       /* what the tunnel believes to pass */
	uint32_t out;	       /* the largest that passes to the peer */
	uint32_t in;	       /* the largest that comes back in one piece, as far as tried */
	bool in_known;	       /* something longer than `in` was seen not to come */
	uint32_t told_mtu;     /* by an ICMP error; 0: none came */
	struct ip_addr teller; /* who told */
};

/* NULL without memory. */
struct probes *probes_new(void);
void probes_free(struct probes *probes);

/* Never NULL; made at the first call. */
const struct probes_reach *probes_reach(struct doctor *d);
const struct probes_path *probes_path(struct doctor *d);

/* The latest ICMP error with this type and code about `quoted` (an IP protocol; 0: any), or NULL.
 */
const struct probe_seen *probes_error(const struct probes_reach *reach, uint8_t type, uint8_t code,
				      uint8_t quoted);

#endif
