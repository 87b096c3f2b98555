/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outer.h: an outer packet before XDP, and the tunnel that it belongs to. */
#ifndef BPF_OUTER_H
#define BPF_OUTER_H

#include "bpf/flow.h"
#include "proto/gre.h"

/* An outer packet, taken apart. */
struct outer {
	struct gre_header gre;
	struct fast_tunnel *tunnel;
	uint32_t slot;
	uint32_t len; /* octets of the passenger */
	uint8_t tos;
};

/* Finds the tunnel of the outer packet at `ip` by its addresses and key. */
PROTO_INLINE bool find_tunnel4(const uint8_t *ip, struct outer *o)
{
	struct fast_outer4 key = {.key = o->gre.key, .has_key = o->gre.has_key};
	uint32_t *slot;

	copy4(key.local, ip + 16);
	copy4(key.remote, ip + 12);
	slot = bpf_map_lookup_elem(&outer4, &key);
	if (!slot)
		return false;
	o->slot = *slot;
	o->tunnel = bpf_map_lookup_elem(&tunnels, slot);
	return o->tunnel != NULL;
}

PROTO_INLINE bool find_tunnel6(const uint8_t *ip, struct outer *o)
{
	struct fast_outer6 key = {.key = o->gre.key, .has_key = o->gre.has_key};
	uint32_t *slot;

	copy16(key.local, ip + 24);
	copy16(key.remote, ip + 8);
	slot = bpf_map_lookup_elem(&outer6, &key);
	if (!slot)
		return false;
	o->slot = *slot;
	o->tunnel = bpf_map_lookup_elem(&tunnels, slot);
	return o->tunnel != NULL;
}

#endif
