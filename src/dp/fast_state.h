/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_state.h: what fast.c, fast_device.c and fast_witness.c share. */
#ifndef DP_FAST_STATE_H
#define DP_FAST_STATE_H

#include <pthread.h>

#include "dp/fast.h"
#include "os/bpfload.h"

/* By enum bpf_place. */
enum { PLACES = 3 };

/* A device where the programs are. */
struct fast_place {
	struct fast_link link; /* as in the map; its slot is of the map xdp_ports, plus one */
	uint32_t ifindex;      /* 0: none */
	bool filters;	       /* TC by filters: the kernel has no links, or others have filters */
	int held[PLACES];      /* descriptors that keep the programs there; -1: none */
	char why_not_xdp[96];
};

/* What greteld itself remembers of an entry of the map `tunnels`. */
struct fast_own {
	uint32_t way;	  /* device that its outer packets leave by; 0: not known */
	bool used;	  /* it belongs to a tunnel of this process */
	uint8_t unseen;	  /* rounds in a row without a witness that left in time */
	bool missed;	  /* the last witness had not left when it had been sent */
	uint8_t detached; /* somebody took the program off its interface */
	uint8_t shadowed; /* another tunnel has the same outer addresses and key: none is received
			     here */
	uint8_t lane;	  /* enum dp_lane that the file asks for */
};

struct fast {
	struct bpf *bpf;
	struct fast_control *control;
	struct fast_tunnel *tunnels;
	struct fast_own *own;
	uint32_t top;	      /* entries in use are below it; read by the worker */
	uint32_t free_hint;   /* where to look for a free one first */
	uint32_t ticks;	      /* the worker's */
	uint32_t hurry;	      /* the next tick sends witnesses */
	uint32_t void_flows;  /* what is known of flows is to be void */
	uint64_t renew_ns;    /* the worker's: when a way is to be seen again */
	uint32_t spread;      /* CPUs that XDP spreads packets over; 0: it does not */
	uint32_t void_tick;   /* the worker's: when it last was */
	int raw4, raw6;	      /* witnesses leave by them; -1: none */
	pthread_mutex_t lock; /* of `places`, which workers read for a witness */
	struct fast_place places[FAST_DEVICES_MAX];
};

/* fast_device.c */
void fast_places_take_over(struct fast *fast);
void fast_places_close(struct fast *fast, bool keep);
/* The device's own address; false when the programs are not there. */
bool fast_place_mac(struct fast *fast, uint32_t ifindex, uint8_t mac[6]);
/* Why XDP does not send by this device; "" when it does. */
void fast_place_why(struct fast *fast, uint32_t ifindex, char *why, unsigned size);

#endif
