/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.h: addresses of interfaces, by rtnetlink. */
#ifndef OS_ADDRESS_H
#define OS_ADDRESS_H

#include <stdint.h>

#include "os/netlink.h"

/* The address protocol number (IFA_PROTO, Linux 5.18) of addresses that we added. The same number
 * marks our routes. Chosen from the range that the kernel leaves to user space. */
#define OS_PROTOCOL 71

struct address_info {
	uint32_t index;		/* of the link */
	struct ip_prefix local; /* with a peer: the length belongs to the peer's prefix */
	struct ip_addr peer;	/* family IP_NONE when there is none */
	uint8_t protocol;	/* IFA_PROTO; 0 when the kernel tells none */
	uint32_t flags;		/* IFA_F_* */
};

/* What a message of type RTM_NEWADDR or RTM_DELADDR says. 0, or -EINVAL when it is no IP address.
 */
int address_decode(const struct nlmsghdr *message, struct address_info *out);

typedef int (*address_each_fn)(void *arg, const struct address_info *address);
/* All addresses of both families, one dump each. */
int address_each(struct nl *nl, address_each_fn each, void *arg);
/* Adds with our protocol number; IPv6 without duplicate detection, so that it can be used at once.
 * -EEXIST when the link has it already. */
int address_add(struct nl *nl, const struct address_info *address);
/* -EADDRNOTAVAIL when the link does not have it. */
int address_del(struct nl *nl, const struct address_info *address);

#endif
