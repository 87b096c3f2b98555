/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.h: what the printers for routers other than Linux share. */
#ifndef CTL_PEER_BOX_H
#define CTL_PEER_BOX_H

#include "ctl/peer/print.h"

/* How a system has a field of the GRE header. */
enum box_field {
	BOX_NEVER,
	BOX_BOTH, /* sent and asked for, or neither; one key for both directions */
	BOX_EACH, /* each direction by itself */
};

/* What a system can do. What it cannot, and the tunnel asks for, is told by box_notes(). */
struct box_limits {
	const char *title; /* "Cisco IOS" */
	enum box_field key, checksum, sequence;
	bool ethernet, outer6;
	bool ttl, ttl_inherit, tos, tos_inherit;
	bool df_set, df_copy, df_clear;
	unsigned keepalive_max; /* seconds; 0: does not ask the other end */
	bool keepalive6;	/* also over IPv6 */
};

/* Tells what the system cannot do of the tunnel. False when nothing is left to be printed. */
bool box_notes(const struct peer_view *view, const struct peer_out *out,
	       const struct box_limits *limits);

/* Seconds between keepalives of the system; 0: it sends none. */
unsigned box_keepalive(const struct peer_view *view, const struct box_limits *limits);

/* The address with the length of the smallest network in which both ends are hosts, for systems
 * without addresses of two ends. */
struct ip_prefix box_network(const struct conf_address *address);
/* "255.255.255.0", and its inverse "0.0.0.255". */
const char *box_mask(unsigned len, char buf[ADDR_TEXT_SIZE]);
const char *box_wildcard(unsigned len, char buf[ADDR_TEXT_SIZE]);

/* Whether no pair before has this network, for systems that name networks first. */
bool box_is_new(const struct peer_view *view, size_t index, bool far);
/* Whether a rule without state would let us begin what only the peer may. */
bool box_keeps_no_state(const struct peer_view *view);
bool box_has_pairs(const struct peer_view *view, uint8_t family);

/* Whether the peer masquerades networks of a family towards us. */
bool box_masquerades(const struct peer_view *view, uint8_t family);
/* Whether a masquerade of the view is that, and not one towards its own hosts. */
bool box_is_towards_us(const struct peer_view *view, const struct conf_snat *snat);

#endif
