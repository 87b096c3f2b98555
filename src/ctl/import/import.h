/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import.h: tunnels that something else made, as our file. They are read from the kernel
 * (import_kernel.c) or from files of systemd-networkd (import_networkd.c) into the same values,
 * put into words (import_print.c), and what our configuration refuses of the words is made a
 * comment with the reason (import_valid.c). Nothing is changed on the machine.
 */
#ifndef CTL_IMPORT_IMPORT_H
#define CTL_IMPORT_IMPORT_H

#include <stdarg.h>
#include <stdio.h>

#include "ctl/conf_fault.h"
#include "ctl/pass.h"
#include "os/address.h"
#include "os/grelink.h"
#include "os/route.h"

struct import_notes {
	char **lines;
	size_t count;
};

struct import_tunnel {
	const char *source; /* where it was read, for a comment; owned by the import */
	struct gre_link gre;
	char bind[IFNAMSIZ];   /* "": any device */
	bool follows_bind;     /* `local` is the address that `bind` has, whichever it is */
	char bridge[IFNAMSIZ]; /* "": in none */
	char vrf[IFNAMSIZ];    /* likewise */
	uint32_t vrf_table;    /* of its routes; 0: not known, or in none */
	const char *group;     /* that shares routes, named after its first member; NULL: none */
	unsigned weight;       /* in the group */
	bool mtu_auto;	       /* gre.link.mtu is what our `mtu = auto` is as well, or unknown */
	struct address_info *addresses;
	size_t address_count;
	struct route_info *routes;
	size_t route_count;
	struct import_notes notes; /* what is not carried over, and what should be known */
	char *unfit;		   /* why it cannot be a tunnel of ours; NULL: it can */
};

/* A network of a device that is neither a tunnel of the import nor one below it. */
struct import_lan {
	char device[IFNAMSIZ];
	struct ip_prefix network;
};

struct import {
	struct import_tunnel *tunnels;
	size_t tunnel_count;
	struct import_lan *lans;
	size_t lan_count;
	bool forwards_v4, forwards_v6;
	bool asks_masquerade;	   /* networkd: IPMasquerade= is set */
	struct import_notes rules; /* rules of others that name a tunnel */
	char **texts;		   /* what `source` points to */
	size_t text_count;
	bool lost; /* memory ran out */
};

/* Appends a line; what is not printable ASCII becomes '?'. */
void import_note(struct import *import, struct import_notes *notes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The first reason counts. */
void import_unfit(struct import *import, struct import_tunnel *tunnel, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* One more tunnel, all zero; NULL when memory ran out. Earlier pointers are void. */
struct import_tunnel *import_add_tunnel(struct import *import);
void import_add_address(struct import *import, struct import_tunnel *tunnel,
			const struct address_info *address);
void import_add_route(struct import *import, struct import_tunnel *tunnel,
		      const struct route_info *route);
void import_add_lan(struct import *import, const struct import_lan *lan);
/* A copy that lives as long as the import; "" when memory ran out. */
const char *import_keep(struct import *import, const char *text);
void import_free(struct import *import);

/* import_kernel.c: the tunnel `name` of this namespace, or with NULL all of them. Returns 0,
 * -ENODEV (there is none), -ENOENT (it is no GRE interface; *kind tells of what it is), or -errno.
 */
int import_kernel(struct import *import, const char *name, char kind[LINK_KIND_SIZE]);
/* The kernel's answer where a file or an interface leaves `local` open, and the MTU of the way. */
void import_fill_local(struct import *import, struct nl *nl, struct import_tunnel *tunnel);
/* Whether gre.link.mtu is what `mtu = auto` would be with an underlay of this MTU. */
bool import_mtu_is_auto(const struct gre_link *gre, uint32_t underlay);

/* import_host.c: forwarding, networks and foreign rules of this machine. */
void import_host(struct import *import, struct nl *nl);
/* Notes the rules of `listing`, as nft prints them, that name a tunnel of the import. */
void import_find_rules(struct import *import, const char *listing);

/* import_networkd.c: .netdev files, and the .network files given; with none given, those beside
 * the first that match. Faults are told as FILE:LINE: what is wrong: what to write instead. Returns
 * how many there were. */
int import_networkd(struct import *import, const char *const *files, size_t count, FILE *errors);
/* import_units.c: the same for texts, without a look at this machine. A file is a .netdev or a
 * .network by its name. `optional`: the files from there on may have nothing to do with the
 * tunnels, and are passed over in silence then. */
int import_units(struct import *import, const char *const *names, const char *const *texts,
		 size_t count, size_t optional, FILE *errors);
bool import_is_netdev(const char *name);

/* import_print.c: the whole file, as it is before import_valid(). */
void import_print(const struct import *import, FILE *out);

/* import_valid.c: *text with every line that our configuration refuses made a comment that tells
 * why, and a section without which nothing is left made one as a whole. The caller frees *out.
 * Returns how many lines were refused, or -ENOMEM. */
int import_valid(const char *text, char **out);

/* import_run.c: `gretel import WORDS`. Returns an enum msg_exit. */
int import_run(const char *const *words, size_t count, const struct report *report);

#endif
