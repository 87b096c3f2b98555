/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print.h: what the printers of all systems share. A function of a system is in for_SYSTEM.c. */
#ifndef CTL_PEER_PRINT_H
#define CTL_PEER_PRINT_H

#include "ctl/peer/peer.h"

struct peer_out {
	FILE *out, *errors;
	const struct peer_system *system;
};

typedef void peer_print_fn(const struct peer_view *view, const struct peer_out *out);

peer_print_fn peer_for_gretel, peer_for_iproute2, peer_for_networkd, peer_for_netplan,
	peer_for_cisco, peer_for_mikrotik, peer_for_vyos, peer_for_junos, peer_for_huawei,
	peer_for_openbsd, peer_for_fortios;

/* A comment. */
__attribute__((format(printf, 2, 3))) void peer_say(const struct peer_out *out, const char *format,
						    ...);
/* What is not as it is with us, or is left to do: a comment that begins with NOTE, and the same on
 * the error stream. */
__attribute__((format(printf, 2, 3))) void peer_note(const struct peer_out *out, const char *format,
						     ...);
/* A line of the configuration. */
__attribute__((format(printf, 2, 3))) void peer_line(const struct peer_out *out, const char *format,
						     ...);

/* Outer addresses, or the placeholders PEER-ADDRESS and OUR-ADDRESS where the file has a name or a
 * device instead. */
const char *peer_local(const struct conf_tunnel *tunnel, char buf[ADDR_TEXT_SIZE]);
const char *peer_remote(const struct conf_tunnel *tunnel, char buf[ADDR_TEXT_SIZE]);
/* Whether outer packets are of IPv6, as far as that is known. */
bool peer_over6(const struct conf_tunnel *tunnel);

/* "192.0.2.0/24", or "192.0.2.1" for a host. */
const char *peer_prefix(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE]);
/* Whether the system has to know of the devices of the peer, which the mirror names as ours. */
void peer_note_devices(const struct peer_view *view, const struct peer_out *out);
/* Interval in seconds, rounded up. */
unsigned peer_keepalive_seconds(const struct conf_tunnel *tunnel);

/* linux.c: what all outputs for a Linux kernel of the peer share. */

/* "gre", "gretap", "ip6gre", "ip6gretap" */
const char *linux_kind(const struct conf_tunnel *tunnel);
/* Whether the kernel has to send keepalives back, which it does as a router. */
bool linux_answers(const struct peer_view *view);
/* Whether packets from and to IPv4 (6: IPv6) have to be forwarded. */
bool linux_forwards4(const struct peer_view *view);
bool linux_forwards6(const struct peer_view *view);
/* The tunnel's mark, in the bits of PEER_MARK_MASK. */
uint32_t linux_mark(const struct peer_view *view);
/* Whether answers of the family go by the tunnel's table, and whether no route of the tunnel puts
 * the default route that they need there. */
bool linux_returns(const struct peer_view *view, uint8_t family);
bool linux_lacks_default(const struct peer_view *view, uint8_t family);
/* Whether there is anything for a table of nftables to do. */
bool linux_has_rules(const struct peer_view *view);
/* The table, whole; `table` is its name. Read with `nft -f`. */
void linux_rules(const struct peer_view *view, const struct peer_out *out, const char *table);
/* Its name: "peer_My_Tunnel", with what nftables does not take replaced. */
const char *linux_table(const struct conf_tunnel *tunnel, char buf[IFNAMSIZ + 8]);
/* linux_files.c: forwarding and rules as files of sysctl.d, nftables and systemd. With
 * `accept` also what keepalives need. */
void linux_files(const struct peer_view *view, const struct peer_out *out, bool accept);
/* The line "### PATH" that a file begins with. */
void linux_begin_file(const struct peer_out *out, const char *before, const char *name,
		      const char *after);
/* What the kernel cannot do as we do it. */
void linux_notes(const struct peer_view *view, const struct peer_out *out);

#endif
