/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.h: the packets by which `gretel doctor` finds out what the way to a peer carries. User
 * space only.
 *
 * The GRE probe is a question in the form of a keepalive (kapkt.h), that routers and gretel send
 * back, of any length and with a body of the doctor's own, by which it is known again:
 *
 *   IP us>peer | GRE, protocol of IP | IP peer>us | GRE, protocol 0 | body | zeros
 *
 * With an Ethernet header of zeros before the inner IP where the tunnel carries frames, so that a
 * peer of the other kind does not take it.
 *
 *   body: 16 octets PROBE_MAGIC, id and number (two octets each)
 *
 * It has no sequence number: the next one is known to the daemon alone.
 */
#ifndef PROTO_PROBE_H
#define PROTO_PROBE_H

#include "proto/gre.h"
#include "proto/ip.h"

#define PROBE_MAGIC "gretel-doctor-01"
enum { PROBE_MAGIC_LENGTH = 16, PROBE_BODY_LENGTH = 20, PROBE_PACKET_MAX = 9216 };

/* A packet to build. */
struct probe {
	uint8_t family;	      /* enum ip_family */
	const uint8_t *local; /* 4 or 16 octets, as `remote` */
	const uint8_t *remote;
	uint8_t tos, ttl;
	bool df;
	bool ethernet; /* of a GRE probe: in a frame */
	uint16_t id, number;
	uint32_t length; /* octets of the whole packet; less than needed: as short as can be */
	/* Of a GRE probe: as we send to the peer; as we want to receive. Their protocol and
	 * checksum are not read. */
	struct gre_header ask, back;
};

/* Each writes a whole IP packet to `p`, which has room for PROBE_PACKET_MAX, and returns its
 * length.
 */
uint32_t probe_build_ping(uint8_t *p, const struct probe *probe);
uint32_t probe_build_gre(uint8_t *p, const struct probe *probe);
/* A ping between the inner addresses, of one family, as a passenger. Not in a frame. */
uint32_t probe_build_inner(uint8_t *p, const struct probe *probe, const struct ip_addr *from,
			   const struct ip_addr *to);

/* Whether this is the body of a GRE probe. */
bool probe_body(const uint8_t *p, const uint8_t *end, uint16_t *id, uint16_t *number);

enum probe_kind {
	PROBE_NOTHING,
	PROBE_PING_ANSWER,  /* id, number */
	PROBE_GRE_ANSWER,   /* id, number, gre */
	PROBE_INNER_ANSWER, /* id, number, gre */
	PROBE_GRE_OTHER,    /* gre: what else the peer sends */
	PROBE_ERROR,	    /* an ICMP error that quotes a packet to the peer */
	PROBE_PIECE,	    /* a later fragment */
};

/* What an arrived IP packet is to us. Host order. */
struct probe_seen {
	enum probe_kind kind;
	struct ip_addr from, to;
	uint32_t length;     /* of the packet, as its header says */
	bool more_fragments; /* the first fragment of a longer packet */
	uint16_t id, number;
	uint16_t flags, protocol; /* GRE: the first four octets */
	bool has_key;
	uint32_t key;
	/* ERROR */
	uint8_t type, code;
	uint8_t quoted;	     /* protocol of the quoted packet */
	uint32_t mtu;	     /* told by "too big"; 0: none */
	uint32_t pointer;    /* of a parameter problem: the octet of the quoted packet */
	uint32_t quoted_ttl; /* as it was when it was refused */
};

/* Reads a packet from or about `remote`; `len` octets of it are there, which may be fewer than its
 * header says. */
void probe_read(const uint8_t *p, uint32_t len, const struct ip_addr *remote,
		struct probe_seen *out);

#endif
