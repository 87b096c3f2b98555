/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ends.h: the outer addresses that are in effect, where the file has a name or a device in their
 * place. PURE: the host's addresses and what names were found to mean are in struct actual.
 *
 * Of a device the first address is taken that is not loopback, tentative or failed, in the kernel's
 * order; temporary and secondary ones come after the others, deprecated ones after these, and those
 * of 169.254.0.0/16 last. A link-local IPv6 address is taken for a link-local remote, and only
 * then. A tunnel with two ends to find gets IPv4 if both can be had, else IPv6. Of one whose peer
 * is learned (roam.h) and is not known yet, the local end alone is: it has to be heard.
 */
#ifndef CTL_ENDS_H
#define CTL_ENDS_H

#include "ctl/actual.h"

/* True when some tunnel has an end to be found. */
bool ends_are_moving(const struct conf *conf);

/* Fills in the ends of `tunnels`, a copy of those of `conf`, as far as they are known. Of a tunnel
 * that has not both, ways[i].why says what is missing; one whose packets could not be told from
 * another's has none of what it found. Returns 0 or -ENOMEM. */
int ends_settle(const struct conf *conf, const struct actual *actual, struct conf_tunnel *tunnels,
		struct actual_way *ways);

/* The peer of a tunnel that has a name cannot be what it was found to be. */
void ends_set_aside(struct actual *actual, size_t index, const char *why);

/* The address of a device that a tunnel to `remote` would be sent from; false when it has none. */
bool ends_of_device(const struct actual *actual, const char *device, const struct ip_addr *remote,
		    struct ip_addr *out);

#endif
