/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xfrmpolicy.h: the kernel's IPsec policies, by netlink. */
#ifndef OS_XFRMPOLICY_H
#define OS_XFRMPOLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"

struct xfrm_policy {
	struct ip_prefix from, to;
	uint8_t protocol; /* of IP; 0: any */
	bool out;	  /* of packets that this host sends; else of received or forwarded ones */
	bool block;	  /* discards them */
};

typedef int (*xfrm_policy_each_fn)(void *arg, const struct xfrm_policy *policy);
/* Walks all of them. Needs CAP_NET_ADMIN. A value below zero from `each` ends the walk. 0 or
 * -errno; -EPROTONOSUPPORT: the kernel has no IPsec. */
int xfrm_policy_each(xfrm_policy_each_fn each, void *arg);

#endif
