/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup.h: one question about a host name, asked beside everything else: /etc/hosts first, then
 * the name servers of /etc/resolv.conf. Both files are read anew for each question, so that a
 * change of them is obeyed. Never waits.
 */
#ifndef CTL_LOOKUP_H
#define CTL_LOOKUP_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "proto/addr.h"

#define LOOKUP_ADDRS_MAX 32

struct lookup_answer {
	const char *error;			/* NULL: there are addresses */
	struct ip_addr addrs[LOOKUP_ADDRS_MAX]; /* in the server's order; the rest is left out */
	size_t count;
	uint32_t ttl_s; /* the shortest of the answer; 0 also for /etc/hosts */
};

struct lookup;

/* Called once, from the loop. */
typedef void (*lookup_fn)(void *arg, const struct lookup_answer *answer);

/* 0 and *out, or -errno and nothing is called. */
int lookup_begin(uv_loop_t *loop, const char *name, uint8_t family, lookup_fn done, void *arg,
		 struct lookup **out);
/* Calls nothing more. */
void lookup_cancel(struct lookup *lookup);

#endif
