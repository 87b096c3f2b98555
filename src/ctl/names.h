/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h: knows what the names of peers mean, and notices when that changes. Answers are kept in
 * struct state, where the plan finds them; the last good one stays when a later question fails, and
 * of several addresses the one that is in use stays while it is among them. All on the main thread,
 * beside everything else. A name is asked for, in each family that a tunnel could use,
 *
 *   at once         when it is new
 *   when its TTL has passed, 1 s at least and a day at most; after 30 s when it has none
 *   1, 2, 4 ... 60 s after a question that failed
 *   soon            when the peer stops answering, and then every 30 s at least until it does; but
 *                   not within a second of the last question
 *   soon            when the underlay changes; but not within a second of a question that failed,
 * and 10 s of one that did not
 */
#ifndef CTL_NAMES_H
#define CTL_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "ctl/conf.h"
#include "ctl/state.h"

/* So long a command waits for the first answers. */
#define NAMES_WAIT_MS 3000

struct names_news {
	const char *name;
	uint8_t family;
	struct ip_addr old, now;       /* IP_NONE: not known */
	const char *old_error, *error; /* "": there was, is none */
};

struct names_sink {
	void *arg;
	/* The address, or whether the look-up fails, is another than before. */
	void (*news)(void *arg, const struct names_news *news);
	/* The last name that somebody waits for has been answered, or has had its time. */
	void (*settled)(void *arg);
};

struct names;

int names_open(uv_loop_t *loop, struct state *state, const struct names_sink *sink,
	       struct names **out);
void names_close(struct names *names);

/* Asks for those names of the conf that are new. 0 or -ENOMEM. */
int names_want(struct names *names, const struct conf *conf);
/* Forgets those that the conf does not have. */
void names_keep(struct names *names, const struct conf *conf);
/* No name is waiting for its first answer any more. */
bool names_are_settled(const struct names *names);
/* The peer behind the name does not answer, or does again. */
void names_silent(struct names *names, const char *name, bool silent);
/* The underlay has changed. */
void names_ask_all(struct names *names);

#endif
