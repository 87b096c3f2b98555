/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.h: on which devices the kernel lanes are, and whether they may carry flows that no
 * connection is tracked of. Main thread.
 */
#ifndef CTL_LANES_H
#define CTL_LANES_H

#include <stdbool.h>
#include <uv.h>

struct actual;
struct session;

/* Part of the session. */
struct lanes {
	uv_timer_t rules; /* looks at the rules a moment after they have changed */
	bool opened;
	bool settled;	/* once: what the last process has left is taken over, or gone */
	char *shadowed; /* what netdev chains of nftables say of devices: "" or their lines */
};

/* When the packet paths have been started. */
void lanes_open(struct session *session);
void lanes_close(struct session *session);
/* After the kernel has been made to agree with the configuration: the programs are where packets
 * come in and leave. */
void lanes_settle(struct session *session, const struct actual *actual);
/* Somebody has changed rules of nftables. */
void lanes_note_rules(struct session *session);
/* The lane of a tunnel, and why it is no faster one. */
const char *lanes_of(const struct session *session, const char *name, char *why, unsigned size);

#endif
