/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mirror.h: what the files that make a struct peer_view share. */
#ifndef CTL_PEER_MIRROR_H
#define CTL_PEER_MIRROR_H

#include "ctl/peer/peer.h"

struct mirror {
	const struct conf *conf;	  /* ours */
	const struct conf_tunnel *tunnel; /* ours */
	struct peer_view *view;
	struct conf_tunnel *theirs; /* view->tunnel, to be written */
	FILE *notes;
	bool lost; /* memory ran out */
};

__attribute__((format(printf, 2, 3))) void mirror_note(struct mirror *mirror, const char *format,
						       ...);
/* One more element, zero, of an array of the view; NULL when memory runs out. */
void *mirror_grow(struct mirror *mirror, void *array, size_t *count, size_t size);

/* mirror_address.c: the peer's address beside one of ours; a note where it can only be guessed. */
void mirror_address(struct mirror *mirror, const struct conf_address *ours);
/* Whether the prefix is, or is part of, what the peer has inside the tunnel. */
bool mirror_is_inner_peer(const struct conf_tunnel *tunnel, const struct ip_prefix *prefix);

/* The length of the longest prefix by which the tunnel leads to `to`; -1 when it does not. */
int mirror_claim(const struct conf *conf, const struct conf_tunnel *tunnel,
		 const struct ip_prefix *to);
/* The tunnel whose routes this one has, too: itself, or the one that it is a backup of. */
const struct conf_tunnel *mirror_router(const struct conf *conf, const struct conf_tunnel *tunnel);

/* A route of the peer to a network behind us, once. */
void mirror_add_route(struct mirror *mirror, const struct ip_prefix *to);

/* Adds to view->pairs; who may begin is joined where the two networks are there already. */
void mirror_add_pair(struct mirror *mirror, struct peer_pair pair);
/* mirror_forward.c: [forward] of the peer, and its routes to what is behind us. */
void mirror_forward(struct mirror *mirror);

#endif
