/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_params.h: what follows from a tunnel's configuration alone. */
#ifndef CTL_CONF_PARAMS_H
#define CTL_CONF_PARAMS_H

#include "ctl/conf.h"
#include "proto/form.h"

/* An interface's alias holds 255 octets (IFALIASZ with its terminating zero). */
#define CONF_ALIAS_SIZE	  256
#define CONF_ALIAS_PREFIX "gretel: "

/*
 * Canonical text of the parameters that shape or judge packets, for the alias of the interface:
 * "gretel: gre local 172.19.1.1 remote 172.19.1.2 key 7". What has its default value is left out,
 * so two tunnels carry the same packets if and only if the texts are equal. The MTU, addresses,
 * routes, bridge and rules are not in it: the kernel shows those.
 */
void conf_alias(const struct conf_tunnel *tunnel, char buf[CONF_ALIAS_SIZE]);

/* Room for what `udp =` can be. */
#define CONF_UDP_SIZE 16
/* What stands there for this: "no", "yes", "4755", "gue", "gue 6081"; a constant, or in buf. */
const char *conf_udp_text(uint16_t port, bool gue, char buf[CONF_UDP_SIZE]);

/* A hash of what a learned peer has proved to know, from which nobody learns the secret: with
 * another one it has to prove itself anew. */
uint64_t conf_nat_digest(const struct conf_tunnel *tunnel);

/* An enum gre_form: what the mode means on the wire. */
uint8_t conf_form(const struct conf_tunnel *tunnel);
/* Whether its packets go out with a key (that of NVGRE included), or with sequence numbers. */
bool conf_sends_key(const struct conf_tunnel *tunnel);
bool conf_sends_sequence(const struct conf_tunnel *tunnel);

/* Octets that a packet grows by: outer IP header (20 or 40), GRE header with the fields that are
 * sent (4 to 16), that of ERSPAN (0 to 12), and with frames the inner Ethernet header (14). Of a
 * tunnel whose ends are not known yet it is a guess: IPv4. */
unsigned conf_overhead(const struct conf_tunnel *tunnel);
/* What of a path that carries path_mtu octets is left for the interface; 0 when nothing is. */
uint32_t conf_fits(const struct conf_tunnel *tunnel, uint32_t path_mtu);

#endif
