/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack.h: the kernel's table of connections, by ctnetlink. */
#ifndef OS_CONNTRACK_H
#define OS_CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "os/netlink.h"

/* One direction. Ports in host order; of ICMP echo the id is `from_port`. */
struct conntrack_tuple {
	struct ip_addr from, to;
	uint16_t from_port, to_port;
};

struct conntrack_entry {
	struct conntrack_tuple original; /* as the first packet had it */
	struct conntrack_tuple reply;	 /* as answers have it: differs from the mirror by NAT */
	uint8_t protocol;
	uint32_t status;  /* IPS_*: CONNTRACK_* below */
	uint32_t mark;	  /* host order */
	uint32_t timeout; /* seconds until it is forgotten */
};

#define CONNTRACK_SEEN_REPLY (1u << 1)
#define CONNTRACK_ASSURED    (1u << 2)
#define CONNTRACK_SRC_NAT    (1u << 4)
#define CONNTRACK_DST_NAT    (1u << 5)

/* A socket for conntrack_each(); nl_close() closes it. */
int conntrack_open(struct nl *nl);

typedef int (*conntrack_each_fn)(void *arg, const struct conntrack_entry *entry);
/* Walks all entries of one family. A value below zero from `each`
 * ends the walk and is returned. -EPROTONOSUPPORT: the kernel has none. */
int conntrack_each(struct nl *nl, uint8_t family, conntrack_each_fn each, void *arg);

/* How many entries this namespace has, and how many there may be. 0 or -errno. */
int conntrack_fill(uint32_t *count, uint32_t *max);

#endif
