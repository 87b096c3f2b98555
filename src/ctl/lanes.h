/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.h: on which devices the kernel lanes are, and whether they may carry flows that no
 * connection is tracked of. Main thread.
 */
#ifndef CTL_LANES_H
#define CTL_LANES_H

#include <limits.h>
#include <stdint.h>
#include <uv.h>

struct actual;
struct kernel;
struct lanes;
struct session;
struct spreading_told;
struct watch_event;

/*
 * Begins to load the programs, with room for `flows` flows of each family, on a thread of its own:
 * it takes the kernel some tenths of a second to verify them, and more rights than the rest of
 * greteld needs, so this comes before they are given up. Until they are there the user lane carries
 * everything. NULL without memory.
 */
struct lanes *lanes_begin(uv_loop_t *loop, const char *run_dir, uint32_t flows);
/* When the packet paths have been started: what is loaded is put to use, now or then. */
void lanes_join(struct lanes *lanes, struct session *session);
/* After session_stop(); the loop has to turn once more before lanes_free(). */
void lanes_close(struct lanes *lanes);
void lanes_free(struct lanes *lanes);

/* Where maps and links are kept for the next process; "": nowhere. */
void lanes_pins(const char *run_dir, char pins[PATH_MAX]);
/* Takes away what a process that was killed has left of them. */
void lanes_clear(const char *run_dir, struct kernel *kernel);

/* After the kernel has been made to agree with the configuration: the programs are where packets
 * come in and leave. */
void lanes_settle(struct lanes *lanes, const struct actual *actual);
/* Links, addresses, routes or settings have changed, whoever did it. */
void lanes_note_change(struct lanes *lanes);
/* A neighbour of this host has. */
void lanes_note_neighbour(struct lanes *lanes, const struct watch_event *event);
/* Somebody has changed filters of TC. */
void lanes_note_filter(struct lanes *lanes, const struct watch_event *event);
/* Somebody has changed rules of nftables. */
void lanes_note_rules(struct lanes *lanes);
/* The lane of a tunnel, and why it is no faster one. */
const char *lanes_of(const struct lanes *lanes, const char *name, char *why, unsigned size);
/* How XDP spreads packets over CPUs, for the status. */
void lanes_tell_spread(const struct lanes *lanes, struct spreading_told *out);

#endif
