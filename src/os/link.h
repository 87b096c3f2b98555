/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h: network interfaces, by rtnetlink. All functions return 0 or -errno; nl->text has the
 * kernel's words. */
#ifndef OS_LINK_H
#define OS_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/netlink.h"

#define LINK_ALIAS_SIZE 256 /* the kernel takes 255 octets */
#define LINK_KIND_SIZE	16
/* The group that our interfaces are put into, so that they can be deleted together. */
#define LINK_GROUP 7147

enum link_tun { LINK_TUN_NONE, LINK_TUN, LINK_TAP };

struct link_info {
	uint32_t index;
	uint32_t master; /* index of the bridge, bond or VRF that it is a part of; 0: none */
	uint32_t mtu;	 /* octets */
	uint32_t flags;	 /* IFF_* */
	uint32_t group;
	uint16_t type;	    /* ARPHRD_* */
	uint8_t mac[6];	    /* of an Ethernet */
	uint8_t operstate;  /* IF_OPER_* of RFC 2863 */
	enum link_tun tun;  /* what a link of kind "tun" is */
	bool persist;	    /* a tun that stays without a process */
	uint32_t vrf_table; /* of a VRF: its table of routes; 0: it is none */
	char name[IFNAMSIZ];
	char kind[LINK_KIND_SIZE];  /* "tun", "bridge", ...; "" for a real device */
	char qdisc[LINK_KIND_SIZE]; /* its queueing discipline */
	char alias[LINK_ALIAS_SIZE];
};

/* What a message of type RTM_NEWLINK or RTM_DELLINK says. */
void link_decode(const struct nlmsghdr *message, struct link_info *out);

/* Hands every message of a dump of links to `each`; without statistics, which for thousands of
 * links are most of it. */
int link_dump(struct nl *nl, nl_each_fn each, void *arg);

typedef int (*link_each_fn)(void *arg, const struct link_info *link);
/* All links of the namespace, one dump. A value below zero from `each` ends the walk. */
int link_each(struct nl *nl, link_each_fn each, void *arg);
/* -ENODEV when there is none of that name. */
int link_get(struct nl *nl, const char *name, struct link_info *out);
/* The driver's name; "" when it is not told. */
void link_driver(const char *name, char driver[32]);
/* 0 when there is none. */
uint32_t link_index(const char *name);

/* -ENODEV when there is no such link. */
/* Marks it as ours: alias and LINK_GROUP. */
int link_set_alias(struct nl *nl, const char *name, const char *alias);
/* Lets it do without queues, before it is brought up. A multi-queue TUN has 256, and the default
 * queueing discipline takes 3 MB for them, which only a device that ever asks to wait would use. */
int link_set_queueless(struct nl *nl, const char *name);
int link_set_mtu(struct nl *nl, const char *name, uint32_t mtu);
int link_set_up(struct nl *nl, const char *name, bool up);
/* The host says nothing on a silent interface of its own accord: no ARP, no IPv6 link-local
 * address, and so no neighbour discovery. Before it is brought up. */
int link_set_silent(struct nl *nl, const char *name);
/* master 0: of nothing. */
int link_set_master(struct nl *nl, const char *name, uint32_t master);
int link_delete(struct nl *nl, const char *name);
/* All links of the group at once: the kernel waits for its readers once, not for each link. */
int link_delete_group(struct nl *nl, uint32_t group);

#endif
