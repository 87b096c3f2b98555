/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inside.h: echoes through the tunnel, sent once and shared by the checks of what is inside and
 * behind it. For each family that the tunnel carries:
 *
 *	PEER      own inner address  -> the peer's inner address
 *	LAN_PEER  own LAN address    -> the peer's inner address
 *	FAR       own LAN address    -> a host behind the peer (without a LAN: own inner address)
 *	OTHER     the same           -> another host there, which has been answering
 *	HOP       the same           -> that host, and may take one hop only
 *	NOBODY    the same           -> an address there that is most likely nobody's
 *	FORWARD   as if a host of our LAN had sent it -> a host behind the peer
 *
 * FAR is asked only where a host there is known: given by --host, or from the connections of our
 * own hosts. FORWARD is handed to the receiving side of the LAN's device (os/inject.h), so it meets
 * what a host's packets meet; where the peer's host is not known it may go to nobody, and only
 * whether it entered the tunnel counts. NOBODY is asked only when FAR gets no answer at all.
 */
#ifndef CTL_DOCTOR_INSIDE_H
#define CTL_DOCTOR_INSIDE_H

#include "ctl/doctor/doctor.h"
#include "os/conntrack.h"
#include "os/nfttrace.h"
#include "proto/kaecho.h"

enum inside_probe {
	INSIDE_PEER,
	INSIDE_LAN_PEER,
	INSIDE_FAR,
	INSIDE_OTHER,
	INSIDE_HOP,
	INSIDE_NOBODY,
	INSIDE_FORWARD,
	INSIDE_PROBES
};

struct inside_result {
	bool made;
	int error;		   /* of sending, -errno */
	bool left;		   /* the request went into the tunnel */
	struct ip_addr left_src;   /* with this source */
	uint32_t astray;	   /* it left by this other device; 0: it did not */
	bool answered;		   /* the answer came in by the tunnel */
	uint32_t answered_astray;  /* by this other device */
	bool delivered;		   /* and reached who asked: for FORWARD, left to the LAN */
	bool refused;		   /* an ICMP error came in by the tunnel instead, */
	struct ip_addr refused_by; /* from here, */
	uint8_t type, code;	   /* saying this */
	bool refused_here;	   /* this host answered FORWARD with an error */
	int traced; /* inside_trace(): 1: dropped by `drop`; -errno, or -ENOENT: no */
	struct nft_drop drop;
};

enum inside_far { FAR_NONE, FAR_GUESS, FAR_REPLIED, FAR_UNREPLIED, FAR_GIVEN };

struct inside_family {
	uint8_t family;
	struct ip_addr own, peer; /* inner addresses; family IP_NONE: there is none */
	bool has_lan;
	struct ip_prefix lan;	 /* whose packets go to far_prefix */
	struct ip_addr lan_own;	 /* our address there */
	struct ip_addr lan_host; /* whose packet FORWARD claims to be */
	bool lan_host_known;	 /* the kernel has met it */
	uint32_t lan_index;
	char lan_name[IFNAMSIZ];
	struct ip_prefix far_prefix; /* behind the peer; family IP_NONE: none is known */
	enum inside_far how;	     /* far was found */
	struct ip_addr far, other, nobody;
	struct conntrack_entry asked; /* the unanswered connection to far, of FAR_UNREPLIED */
	struct inside_result results[INSIDE_PROBES];
};

enum { INSIDE_FAMILIES = 2 };

struct inside {
	struct inside_family families[INSIDE_FAMILIES]; /* IPv4, IPv6; family IP_NONE: not used */
	uint16_t id;					/* of our echoes */
	bool busy; /* packets that are no answers to ours came in by the tunnel meanwhile */
	/* What our allow lines had refused before the echoes; -1: there is no such counter. */
	int64_t refused_before;
};

/* The ids of our echoes, so that what they leave in connection tracking is not taken for others'.
 */
#define INSIDE_ID_MASK ECHO_WATCHED_MASK
#define INSIDE_ID      ECHO_WATCHED_ID

/* Makes the probes when nobody did. NULL: nothing could be asked. */
const struct inside *inside_get(struct doctor *d);
void inside_free(struct inside *inside);

/* Fills in what there is to ask. Returns 0 or -errno. */
int inside_find_targets(struct doctor *d, struct inside *out);

/* The `index`th family with an own inner address; NULL when there are no more. */
const struct inside_family *inside_family(const struct inside *inside, size_t index);

/* "10.10.1.1 to 192.168.8.11: answered" and the like. */
#define INSIDE_TEXT_SIZE 256
const char *inside_say(const struct inside_family *family, enum inside_probe probe,
		       char buf[INSIDE_TEXT_SIZE]);

/* Sends it once more and watches the rules of this host: the nftables rule that drops it or its
 * answer, or NULL. A table of ours is in the ruleset meanwhile, so it is for lost packets only. */
const struct nft_drop *inside_trace(struct doctor *d, const struct inside_family *family,
				    enum inside_probe probe);
/* "rule \"ip protocol gre drop\" (handle 4) of chain forward in table inet firewall". */
#define INSIDE_DROP_SIZE 512
const char *inside_say_drop(const struct nft_drop *drop, char buf[INSIDE_DROP_SIZE]);
/* Whether the rule is in the table that greteld writes. */
bool inside_drop_is_ours(const struct nft_drop *drop);

/* The counter of refused_before, now. */
int64_t inside_refused(const struct doctor *d);

/* For tests. PURE: the other address of a network of two, or family IP_NONE. */
struct ip_addr inside_mate(const struct ip_prefix *local);
/* PURE: the first, or the last, address of hosts in a prefix, that is not `but`. */
struct ip_addr inside_first_host(const struct ip_prefix *prefix, const struct ip_addr *but);
struct ip_addr inside_last_host(const struct ip_prefix *prefix, const struct ip_addr *but);
/* PURE: how bad so many tracked connections are. */
enum doctor_verdict inside_judge_fill(uint32_t count, uint32_t max);

#endif
