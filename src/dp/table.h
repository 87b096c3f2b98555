/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h: from the outer addresses and the key of a packet to the tunnel it belongs to; of NVGRE
 * from the virtual subnet, of ERSPAN from type and session. Each worker has its own, so that a
 * look-up takes no lock; only its owner changes it, between two batches.
 */
#ifndef DP_TABLE_H
#define DP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/drop.h"

struct port;
struct dp_params;

/* What tells tunnels apart. `local` and `remote` as this host sees them. */
struct table_key {
	struct ip_addr local, remote;
	uint32_t key; /* host order; 0 when there is none */
	bool has_key;
	uint16_t udp_port; /* to which it came in UDP; 0: directly in IP */
	/* What else the packet may be: FORM_NVGRE, for which `number` is the key with FlowID 0, or
	 * a type of ERSPAN, for which it is the session ID; else FORM_IP. */
	uint8_t form;
	uint32_t number;
};

struct table {
	/* Chains through port->next_key, next_pair; next_home: only those whose peer is learned. */
	struct port **by_key, **by_pair, **by_home;
	uint32_t buckets; /* a power of two, of each array */
	uint32_t used;
};

int table_init(struct table *table);
void table_free(struct table *table);
/* Whether outer packets of a tunnel that is bound pass this device: it is that one, or in that VRF,
 * of which a packet does not tell. */
bool table_is_bound_to(const struct dp_params *params, uint32_t ifindex);
/* 0, or -ENOMEM with the table as it was. */
int table_insert(struct table *table, struct port *port);
/* Puts a port back that table_remove() has just taken out; cannot fail. */
void table_link(struct table *table, struct port *port);
void table_remove(struct table *table, struct port *port);

/* The tunnel with these addresses and this form and number, or else (but not of ERSPAN) this key,
 * whose underlay device is `ifindex`, else one that is bound to no device. When there is none:
 * NULL, *why is the reason, and *blame the tunnel that the packet was probably meant for (one that
 * is bound to another device, else the only one between the two addresses), or NULL. */
struct port *table_find(const struct table *table, const struct table_key *key, uint32_t ifindex,
			enum drop_reason *why, struct port **blame);

/* Whether some tunnel has these addresses, and receives in UDP at this port (0: directly in IP),
 * whatever its key, form and device. */
bool table_has_pair(const struct table *table, const struct table_key *key);

/* The tunnel with this local address, UDP port and key whose peer is learned, wherever the packet
 * comes from; NULL when there is none. As to the device, as above. */
struct port *table_find_home(const struct table *table, const struct table_key *key,
			     uint32_t ifindex);

#endif
