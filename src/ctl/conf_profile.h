/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_profile.h: the table behind `profile = NAME` of [tunnel]: what a provider of GRE tunnels
 * prescribes and what it forbids. Where each number comes from is in docs/profiles.md.
 */
#ifndef CTL_CONF_PROFILE_H
#define CTL_CONF_PROFILE_H

#include "ctl/conf_parse.h"

#define PROFILE_FILLS  6
#define PROFILE_INNERS 2

/* What a provider does not take. */
enum profile_forbids {
	FORBIDS_KEY = 1 << 0,
	FORBIDS_CHECKSUM = 1 << 1,
	FORBIDS_SEQUENCE = 1 << 2,
	FORBIDS_KEEPALIVE = 1 << 3,
	FORBIDS_GRETAP = 1 << 4,
	FORBIDS_IPV6_OUTSIDE = 1 << 5, /* local and remote are IPv4 addresses */
	/* the four bytes of RFC 2784 and nothing else, with IP packets behind */
	FORBIDS_OPTIONS = FORBIDS_KEY | FORBIDS_CHECKSUM | FORBIDS_SEQUENCE | FORBIDS_GRETAP,
};

/* What an address of the tunnel's own, of one family, must look like. */
struct profile_inner {
	uint8_t family;	      /* IP_NONE: the row is unused */
	uint8_t len;	      /* of the network that both ends share */
	bool first;	      /* this machine has the first host of that network */
	const char *from;     /* prefixes with spaces between; NULL: any */
	const char *reserved; /* the same: networks that are not given out */
};

struct conf_profile {
	const char *name;
	const char *who; /* to be read in a sentence: "GRE of Cisco routers" */
	/* Keys that the profile writes where the file does not, as the file would. */
	struct {
		const char *key, *value;
	} fills[PROFILE_FILLS];
	/* The same for mtu: octets for a passenger where the outer header is 20 octets of IPv4 and
	 * 4 of GRE; what is longer is taken off. 0: mtu stays auto. */
	uint16_t mtu;
	uint16_t mtu_min, mtu_max; /* 0: no limit */
	uint16_t mss_max;	   /* 0: no limit */
	unsigned forbids;	   /* enum profile_forbids */
	struct profile_inner inner[PROFILE_INNERS];
};

#endif
