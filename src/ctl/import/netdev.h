/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev.h: what the two kinds of files of networkd say, put into a tunnel of the import. */
#ifndef CTL_IMPORT_NETDEV_H
#define CTL_IMPORT_NETDEV_H

#include "ctl/import/import.h"
#include "ctl/import/unit_file.h"

/* netdev.c: a .netdev file makes one tunnel. Faults are told in the file. */
void netdev_read(struct import *import, struct unit_file *file);

/* network.c: true when the file's [Match] says that it is about `name`. */
bool network_matches(const struct unit_file *file, const char *name);
/* True when the file's Tunnel= names the tunnel: outer packets leave by the device that it is
 * about. */
bool network_is_below(const struct unit_file *file, const char *name);
/* What a .network file that matches says about the tunnel, and one that is below it. */
void network_read(struct import *import, struct import_tunnel *tunnel, struct unit_file *file);
void network_read_below(struct import *import, struct import_tunnel *tunnel,
			const struct unit_file *file);

/* Values of networkd; each tells a fault and returns false when it cannot be one. */
bool netdev_bool(struct unit_file *file, const struct unit_entry *entry, bool *out);
bool netdev_number(struct unit_file *file, const struct unit_entry *entry, uint32_t min,
		   uint32_t max, uint32_t *out);
/* Octets, with K or M behind them. */
bool netdev_size(struct unit_file *file, const struct unit_entry *entry, uint32_t *out);

#endif
