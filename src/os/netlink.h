/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h: requests and dumps over one netlink socket (libmnl). The files beside this one make
 * the messages; nobody above os/ sees one. Not for use by two threads at once.
 */
#ifndef OS_NETLINK_H
#define OS_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

struct mnl_socket;
struct nlmsghdr;
struct nlattr;

#define NL_TEXT_SIZE 256

struct nl {
	struct mnl_socket *socket;
	uint32_t port;
	uint32_t sequence;
	char *buffer; /* for answers */
	/* What the kernel said about the last request that failed ("" when it said nothing). */
	char text[NL_TEXT_SIZE];
};

/* `bus` is NETLINK_ROUTE or NETLINK_NETFILTER. Returns 0 or -errno. */
int nl_open(struct nl *nl, int bus);
void nl_close(struct nl *nl);

/* Called for each answer; a value below zero ends the walk and is returned to the asker. */
typedef int (*nl_each_fn)(void *arg, const struct nlmsghdr *answer);

/* Sends `request` (flags NLM_F_REQUEST and NLM_F_ACK or NLM_F_DUMP are the maker's), hands each
 * answer to `each` (may be NULL), and returns 0, or -errno with nl->text. A dump that the kernel
 * reports as inconsistent ends with -EINTR: ask again. */
int nl_ask(struct nl *nl, struct nlmsghdr *request, nl_each_fn each, void *arg);

/* A buffer for one request; the longest is an IPv6 route of 32 hops, with some 1000 octets. */
#define NL_REQUEST_SIZE 2048
/* Begins a request of `type` with `extra` octets of zeroed family header, whose first is `family`.
 */
struct nlmsghdr *nl_begin(char buffer[NL_REQUEST_SIZE], uint16_t type, uint16_t flags, size_t extra,
			  uint8_t family);
/* The attributes behind an answer's family header, or inside an attribute:
 *	struct nl_cursor cursor = nl_attributes(answer, sizeof(struct rtmsg));
 *	while ((attribute = nl_next(&cursor))) */
struct nl_cursor {
	const struct nlattr *at;
	size_t left;
};
struct nl_cursor nl_attributes(const struct nlmsghdr *answer, size_t header);
struct nl_cursor nl_nested(const struct nlattr *attribute);
/* NULL at the end. */
const struct nlattr *nl_next(struct nl_cursor *cursor);

void nl_put_addr(struct nlmsghdr *request, uint16_t attribute, const struct ip_addr *addr);
/* Returns 0, or -EINVAL with *out untouched when the length does not fit the family. */
int nl_get_addr(const struct nlattr *attribute, uint8_t family, struct ip_addr *out);

#endif
