/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dp_state.h: what dp.c, dp_lanes.c and dp_tell.c share. Main thread. */
#ifndef DP_DP_STATE_H
#define DP_DP_STATE_H

#include <pthread.h>
#include <uv.h>

#include "dp/dp.h"
#include "dp/lease.h"
#include "dp/worker.h"
#include "proto/seq.h"
#include "proto/udp.h"

/* More threads than this only pass the same packets around. */
#define WORKERS_MAX  16
#define EVENTS_MAX   64
#define NAME_BUCKETS 4096

struct tunnel {
	struct tunnel *next; /* in the chain of its name */
	uint32_t name_hash;
	struct tunnel *next_outer;
	/* Of a multipoint tunnel, its peers; of a peer, that tunnel (NULL: it is not there). */
	struct tunnel *peers, *hub, *next_peer;
	struct dp_params params;
	struct lease lease;
	uint32_t seen_round;	/* of the lease clock, in which its sample was seen */
	uint32_t sequence_next; /* where the kernel lanes do not have one */
	uint32_t *sequence;	/* the one in use */
	struct seq_state received_own, *received; /* likewise */
	bool carrier;				  /* what the interface shows */
	uint64_t told;				  /* the enum keepalive_state of the last event */
	int slot;				  /* of the kernel lanes; -1: they do not have it */
	int slot_error;				  /* why not */
	struct port *ports[];			  /* one for each worker */
};

/* A UDP port of some tunnels (udp.h). */
struct dp_held {
	uint16_t port; /* 0: unused */
	unsigned tunnels;
	int fd4, fd6; /* fd6 is negative where the kernel has no IPv6 */
};

struct dp {
	unsigned worker_count;
	struct worker workers[WORKERS_MAX];
	struct tunnel *names[NAME_BUCKETS];
	struct tunnel *outers[NAME_BUCKETS]; /* by remote address and key of what is sent */
	struct lease_tap tap;
	struct fast *fast; /* NULL: there are no kernel lanes */
	bool fast_expected;
	struct ear *ears;
	unsigned bound_tunnels; /* those bound to a device */
	struct dp_held held[UDP_PORTS_MAX];
	dp_event_fn on_event;
	void *on_event_arg;
	uv_async_t wake;      /* on the main loop; the owner of dp after dp_stop() */
	pthread_mutex_t lock; /* of the following */
	bool verdicts;	      /* some keepalive has come to another verdict */
	unsigned event_count;
	struct dp_event events[EVENTS_MAX];
};

/* NULL when there is none of that name. */
struct tunnel *dp_find_tunnel(const struct dp *dp, const char *name);

/* dp_hub.c: joins a tunnel that has been added with its peers, or with its multipoint tunnel, if
 * they are there; and parts them before it goes. 0 or -EADDRINUSE, see hub_link(). */
int dp_join(struct dp *dp, struct tunnel *tunnel);
void dp_part(struct dp *dp, struct tunnel *tunnel);
/* Whose keepalive says how the tunnel fares: of a multipoint tunnel, the peer that fares best. */
const struct tunnel *dp_speaker(const struct tunnel *tunnel);

/* dp_lanes.c: gives the tunnel to the kernel lanes; what they do not take, the user lane carries.
 */
void dp_set_fast(struct dp *dp, struct tunnel *tunnel);
/* The same for one whose ports are there: its sequence numbers are then those of the lanes. */
void dp_hand_over(struct dp *dp, struct tunnel *tunnel);

#endif
