/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h: the other end of a tunnel, in the words of the system that runs there.
 *
 *	conf -> peer_mirror() -> struct peer_view -> peer_print() -> for_*.c
 *
 * The view is the file that the peer would have if it were a gretel, and what follows from it in
 * numbers; it is computed once and PURE. Each for_*.c only writes it down, and says in a comment
 *and on the error stream what its system cannot do.
 */
#ifndef CTL_PEER_PEER_H
#define CTL_PEER_PEER_H

#include "ctl/conf.h"

/* Each tunnel has a number, 1 to 4095, that follows from its name alone. PEER_TABLE plus the number
 * is the peer's table for routes that only some of its hosts take, such as a default route that
 * must not carry the outer packets; the number stands in the bits of PEER_MARK_MASK of what goes
 * there. */
#define PEER_TABLE	72000
#define PEER_MARK_SHIFT 20
#define PEER_MARK_MASK	0xfff00000U
/* Priorities of the peer's rules of policy routing, in their order: answers to what came in by the
 * tunnel; the networks that the peer knows a way to; the table above. */
#define PEER_PRIORITY_MARK 7200
#define PEER_PRIORITY_MAIN 7201
#define PEER_PRIORITY_FROM 7202

/* What is assumed of the path between the two where our end of it is not known. Octets. */
#define PEER_PATH_MTU 1500

/* Two networks that may talk: behind us, seen from the peer, and behind the peer. */
struct peer_pair {
	struct ip_prefix far, near;
	bool far_opens, near_opens; /* who may begin */
};

struct peer_view {
	struct conf *conf;		  /* the peer's: one tunnel and what it forwards */
	const struct conf_tunnel *tunnel; /* of `conf` */
	uint32_t table;			  /* PEER_TABLE and the number of the tunnel */
	uint32_t path_mtu;		  /* of the way between the two, octets */
	uint32_t mtu;			  /* of the peer's interface, octets */
	uint16_t mss4, mss6;		  /* what TCP is clamped to; 0: not at all */
	bool csum_send, csum_require, seq_send, seq_receive;
	bool inside4,
		inside6;     /* families of the passengers that addresses, routes and rules name */
	bool forward;	     /* forwarding has to be on */
	bool return_path;    /* answers leave by the tunnel on which the question came */
	struct ip_addr *far; /* our address inside, for each address of the tunnel */
	size_t far_count;
	/* From the peer's allow lines, and its masquerades of what we show of ourselves. */
	struct peer_pair *pairs;
	size_t pair_count;
	/* The hosts of the peer that take the default route of `table`. */
	struct ip_prefix *sources;
	size_t source_count;
	char *notes; /* what the file does not say of the peer, a line each; may be empty */
};

/* Mirrors one tunnel of `conf`; `path_mtu` is what our way to the peer carries, 0 when that is not
 * known. Returns 0 or -ENOMEM. */
int peer_mirror(const struct conf *conf, const struct conf_tunnel *tunnel, uint32_t path_mtu,
		struct peer_view *out);
void peer_view_free(struct peer_view *view);

struct peer_system;

/* NULL when there is none. */
const struct peer_system *peer_find_system(const char *name);
/* "gretel, iproute2, ..." */
void peer_list_systems(FILE *out);
/* False for tunnels that only a gretel is printed for: NVGRE, ERSPAN, and through a NAT. */
bool peer_can_print(const struct peer_system *system, const struct conf_tunnel *tunnel);
/* What cannot be said in the system's words is told in a comment and on `errors`. */
void peer_print(const struct peer_view *view, const struct peer_system *system, FILE *out,
		FILE *errors);

#endif
