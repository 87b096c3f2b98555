/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h: what the kernel announces about links, addresses, routes, forwarding, filters and
 * nftables, and who did it, as far as the kernel tells. */
#ifndef OS_WATCH_H
#define OS_WATCH_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/netlink.h"

enum watch_what {
	WATCH_LINK,	 /* index, name */
	WATCH_ADDRESS,	 /* index, name, prefix, protocol */
	WATCH_ROUTE,	 /* index, name (of the device), prefix, protocol, table */
	WATCH_NETCONF,	 /* index (0: all or default), name: a setting that we look at changed */
	WATCH_POLICY,	 /* protocol: a rule of policy routing */
	WATCH_FILTER,	 /* index: somebody else's TC filter there */
	WATCH_NEIGHBOUR, /* index, prefix (its address), mac; deleted: also one that does not answer
			  */
	WATCH_RULES,	 /* a transaction that touched the table `inet gretel` */
	WATCH_FOREIGN_RULES, /* a transaction that touched only others' tables */
	WATCH_LOST	     /* the kernel dropped announcements: look at everything again */
};

struct watch_event {
	enum watch_what what;
	bool deleted; /* gone, as opposed to new or changed; RULES: the table itself is gone */
	uint32_t index;
	char name[IFNAMSIZ]; /* "" when the interface is gone by now */
	struct ip_prefix prefix;
	uint32_t table;
	uint8_t protocol; /* of the address, the route or the rule */
	uint8_t mac[6];	  /* of the neighbour */
	/* Who: the netlink port of the request, which is mostly the process's id; 0: the kernel.
	 * For RULES the kernel tells the process's id, and its name here. Else ask watch_process().
	 */
	uint32_t port;
	char process[16];
};

typedef void (*watch_fn)(void *arg, const struct watch_event *event);

struct watch;

/* Listens to links, addresses, routes, policy rules and settings of both families, and to filters.
 */
int watch_open(struct watch **out);
/* Listens to nftables. -EPROTONOSUPPORT when the kernel has none. `table` is "gretel". */
int watch_open_rules(const char *table, struct watch **out);
void watch_close(struct watch *watch);
/* Readable when there is something for watch_read(). */
int watch_fd(const struct watch *watch);
/* The name of the process behind the event: "" when it has ended or there is none. Returns buf. */
const char *watch_process(const struct watch_event *event, char buf[16]);
/* Reads all that is there without waiting. Returns 0 or -errno. */
int watch_read(struct watch *watch, watch_fn each, void *arg);

#endif
