/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbour.h: who the kernel has met on a link lately, by rtnetlink. */
#ifndef OS_NEIGHBOUR_H
#define OS_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "os/netlink.h"

struct neighbour_info {
	uint32_t index; /* of the link */
	struct ip_addr addr;
	uint16_t state; /* NUD_* */
	bool router;	/* says itself that it is one (IPv6) */
	uint8_t mac[6]; /* zero where it is not known, or no Ethernet address */
};

/* What a message of type RTM_NEWNEIGH or RTM_DELNEIGH says; false when it is of no IP address. */
bool neighbour_decode(const struct nlmsghdr *message, struct neighbour_info *out);

/* Whether its link address is known. */
bool neighbour_is_known(const struct neighbour_info *neighbour);

typedef int (*neighbour_each_fn)(void *arg, const struct neighbour_info *neighbour);
/* Those of one family on all links. A value below zero from `each` ends the walk. */
int neighbour_each(struct nl *nl, uint8_t family, neighbour_each_fn each, void *arg);

#endif
