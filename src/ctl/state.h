/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h: what must outlive the daemon and cannot be read back from the kernel:
 * RUN_DIR/state.json. It is written whole, before the change that it is about, so that the next
 * start after a SIGKILL at any point knows what to finish or take back. Lost, it costs one needless
 * loading of the rules and the memory of what forwarding was before.
 */
#ifndef CTL_STATE_H
#define CTL_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/sysctl.h"
#include "proto/addr.h"

struct sysctl_value {
	char path[SYSCTL_NAME_SIZE];
	char value[SYSCTL_VALUE_SIZE];
};

/* In the order in which they are to be written. */
struct sysctl_list {
	struct sysctl_value *items;
	size_t count;
};

int sysctl_list_add(struct sysctl_list *list, const char *path, const char *value);
int sysctl_list_copy(const struct sysctl_list *from, struct sysctl_list *to);
void sysctl_list_free(struct sysctl_list *list);

/* The switches that we may turn, each with all the values that turning it changes: forwarding,
 * the hash that spreads flows over the hops of a route (fib_multipath_hash_policy; 1: by ports),
 * and whether conntrack accepts what lies outside of TCP's window. */
enum state_switch {
	SWITCH_FORWARD4,
	SWITCH_FORWARD6,
	SWITCH_HASH4,
	SWITCH_HASH6,
	SWITCH_LIBERAL,
	SWITCH_COUNT
};

/* What the name of a peer was last found to mean, in one family. */
struct state_name {
	char *name;
	uint8_t family;
	struct ip_addr addr; /* IP_NONE: it was never found */
	char error[80];	     /* why the last look-up failed; "": it did not. Not in the file */
};

/* Where the peer of a tunnel with `remote = any` has proved to be, and to what (conf_nat_digest).
 */
struct state_peer {
	char tunnel[IFNAMSIZ];
	uint64_t digest;
	struct ip_addr addr;
	uint16_t port;
};

#define STATE_RETURNS 256 /* 0 is never used */

struct state {
	char path[256]; /* of the file; "": kept in memory only */
	/* Values from before we turned the switch on; count 0: we did not. */
	struct sysctl_list saved[SWITCH_COUNT];
	/* Hash of the rules that we loaded, and of the kernel's listing of them right after. */
	bool rules_known;
	uint64_t rules_wanted, rules_listed;
	/* Tunnels whose creation began: an interface of that name without our mark yet is ours. */
	char (*pending)[IFNAMSIZ];
	size_t pending_count;
	/* Tunnels with return-path, each at its number (return_path.h); "": free. */
	char returns[STATE_RETURNS][IFNAMSIZ];
	struct state_name *names; /* by name, then family */
	size_t name_count;
	struct state_peer *peers; /* by tunnel */
	size_t peer_count;
};

/* Reads RUN_DIR/state.json. A file that is not there is an empty state. Returns 0, -EBADMSG when
 * the file is not ours or broken (*out is then empty and usable), or -errno. */
int state_load(const char *run_dir, struct state *out);
/* Writes the file, atomically. Returns 0 or -errno. */
int state_store(const struct state *state);
/* Nothing in it that the next start would need. */
bool state_is_empty(const struct state *state);
/* Removes the file. 0 also when there is none. */
int state_remove(const struct state *state);
bool state_is_pending(const struct state *state, const char *name);
/* NULL when nothing is known of it. */
struct state_name *state_find_name(const struct state *state, const char *name, uint8_t family);
/* Finds it or makes an empty one; NULL without memory. Pointers from before do not hold. */
struct state_name *state_add_name(struct state *state, const char *name, uint8_t family);
void state_del_name(struct state *state, const char *name, uint8_t family);
/* state_peers.c: NULL when no peer of that tunnel has proved itself. */
const struct state_peer *state_find_peer(const struct state *state, const char *tunnel);
/* In place of what was known of that tunnel. 0 or -ENOMEM. */
int state_set_peer(struct state *state, const struct state_peer *peer);
/* Keeps those of which `wanted` says so; true if one went. */
bool state_keep_peers(struct state *state, bool (*wanted)(void *arg, const char *tunnel),
		      void *arg);
void state_free(struct state *state);

#endif
