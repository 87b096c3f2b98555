/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h: a site as its file describes it. Values only: parsing, checking and printing are in
 * conf_parse.c, conf_check.c and conf_print.c. A struct conf that came out of conf_load() without
 * an error is complete: defaults are filled in, and nothing in it contradicts itself.
 */
#ifndef CTL_CONF_H
#define CTL_CONF_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/addr.h"
#include "proto/kaform.h"
#include "proto/siphash.h"

/* Where an item was written, for messages: file (owned by the conf) and line, 1-based. */
struct conf_place {
	const char *file;
	int line;
};

/* `mode =`: what the tunnel carries, and by which form of GRE. */
enum conf_mode { MODE_GRE, MODE_GRETAP, MODE_NVGRE, MODE_ERSPAN };

/* Room for the name of a tunnel: of an interface, or HUB/ADDRESS, see struct conf_peer. */
#define CONF_NAME_SIZE 64

/* `checksum =`: no: neither sent nor asked for (verified when present, RFC 2784 2.3).
 * yes: sent. require: sent, and packets without are dropped. receive: asked for but not sent. */
enum conf_checksum { CHECKSUM_NO, CHECKSUM_YES, CHECKSUM_REQUIRE, CHECKSUM_RECEIVE };

/* `sequence =`: yes: sent, and old packets are dropped. send / receive: one direction only. */
enum conf_sequence { SEQUENCE_NO, SEQUENCE_YES, SEQUENCE_SEND, SEQUENCE_RECEIVE };

/* `df =`: the outer don't-fragment bit. set: always. copy: the passenger's. clear: never, and outer
 * packets that exceed the path MTU are fragmented (RFC 4459 3.1). */
enum conf_df { DF_SET, DF_COPY, DF_CLEAR };

/* In the order of enum dp_lane. */
enum conf_lane { LANE_AUTO, LANE_USER, LANE_TC, LANE_XDP };

enum conf_tristate { TRI_AUTO, TRI_YES, TRI_NO };

struct conf_key {
	bool present;
	uint32_t value; /* host order */
};

/* `address = 192.168.8.1 peer 192.168.8.11`, or a prefix */
struct conf_address {
	struct conf_place at;
	struct ip_prefix local; /* with a peer: length 32 or 128 */
	struct ip_addr peer;	/* family IP_NONE when not given */
};

/*
 * `peer = 192.168.8.12 at 172.19.1.3`, of a multipoint tunnel: the packets that the host routes by
 * that next hop go to that outer address. For each outer address conf.tunnels has a tunnel besides,
 * behind all of the file: it has no interface, is called like "hub/192.168.8.12" and carries the
 * packets of this peer, while the multipoint tunnel is the interface that they share.
 */
struct conf_peer {
	struct conf_place at;
	struct ip_addr inner, outer;
};

/* `route = 20.10.1.0/24 [via ADDRESS] [metric N] [src ADDRESS] [table N]` */
struct conf_route {
	struct conf_place at;
	struct ip_prefix to; /* host bits zero */
	struct ip_addr via;  /* a peer of the multipoint tunnel; family IP_NONE in any other */
	struct ip_addr src;  /* family IP_NONE when not given */
	uint32_t metric;     /* 0: the kernel's default */
	/* Not given it is 254 (main), or of a tunnel with `vrf` 0: that of the VRF. */
	uint32_t table;
};

/* The keys of a [tunnel] section, in the order in which they are documented and printed. */
enum conf_tunnel_key {
	TUNNEL_MODE,
	TUNNEL_PROFILE,
	TUNNEL_LOCAL,
	TUNNEL_REMOTE,
	TUNNEL_PEER,
	TUNNEL_BIND,
	TUNNEL_FWMARK,
	TUNNEL_BRIDGE,
	TUNNEL_VRF,
	TUNNEL_ADDRESS,
	TUNNEL_ROUTE,
	TUNNEL_BACKUP_OF,
	TUNNEL_GROUP,
	TUNNEL_RETURN_PATH,
	TUNNEL_KEY,
	TUNNEL_IKEY,
	TUNNEL_OKEY,
	TUNNEL_VSID,
	TUNNEL_ERSPAN_TYPE,
	TUNNEL_ERSPAN_SESSION,
	TUNNEL_ERSPAN_INDEX,
	TUNNEL_ERSPAN_DIRECTION,
	TUNNEL_ERSPAN_HARDWARE,
	TUNNEL_CHECKSUM,
	TUNNEL_SEQUENCE,
	TUNNEL_UDP,
	TUNNEL_UDP_CHECKSUM,
	TUNNEL_NAT_SECRET,
	TUNNEL_TTL,
	TUNNEL_TOS,
	TUNNEL_ECN,
	TUNNEL_DF,
	TUNNEL_MTU,
	TUNNEL_MSS,
	TUNNEL_KEEPALIVE,
	TUNNEL_KEEPALIVE_FORM,
	TUNNEL_KEEPALIVE_HOLD,
	TUNNEL_KEEPALIVE_NAT,
	TUNNEL_PROBE,
	TUNNEL_ECHO_REPLY,
	TUNNEL_ON_UP,
	TUNNEL_ON_DOWN,
	TUNNEL_NOTRACK,
	TUNNEL_LANE,
	TUNNEL_STATELESS,
	TUNNEL_KEY_COUNT
};

struct conf_profile;

struct conf_tunnel {
	struct conf_place at; /* the [tunnel NAME] line */
	/* In at.file, where each key is; 0: not given, the default. A key that the profile filled
	 * in has the profile's line. */
	int lines[TUNNEL_KEY_COUNT];
	char name[CONF_NAME_SIZE];
	enum conf_mode mode;
	const struct conf_profile *profile; /* NULL when not given; its values are filled in */
	/* The same family. Of a tunnel whose ends are looked up, IP_NONE, and filled in by
	 * ends_settle() in a copy. */
	struct ip_addr local, remote;
	bool remote_any;   /* `remote = any`: the peer is behind a NAT, and learned (roam.h) */
	char *remote_name; /* `remote = peer.example.org`; NULL when it is an address */
	char local_device[IFNAMSIZ]; /* `local = address-of eth0`; "" when it is an address */
	char bind[IFNAMSIZ];	     /* underlay device; "" when not given */
	uint32_t fwmark;	     /* of outer packets; 0: none */
	char bridge[IFNAMSIZ];	     /* gretap and nvgre; "" when not given */
	char vrf[IFNAMSIZ];	     /* that the interface is in; "" when not given */
	char backup_of[IFNAMSIZ];    /* the tunnel whose routes it has too; "" when not given */
	char group[IFNAMSIZ];	     /* routes shared with its other members; "": in none */
	uint8_t weight;		     /* in the group, 1..255 */
	bool return_path;	     /* replies leave by the tunnel on which the flow came */
	struct conf_key ikey, okey;  /* `key =` sets both */
	uint32_t vsid;		     /* nvgre: 24 bits */
	uint8_t erspan_type;	     /* erspan: 1 to 3; the others of these are not for each type */
	uint16_t erspan_session;     /* II, III: 10 bits */
	uint32_t erspan_index;	     /* II: 20 bits */
	bool erspan_egress;	 /* III: copies are of frames that leave; else of arriving ones */
	uint8_t erspan_hardware; /* III: 6 bits */
	enum conf_checksum checksum;
	enum conf_sequence sequence;
	uint16_t udp_port; /* GRE in UDP to this port (RFC 8086); 0: in IP */
	bool gue;	   /* a GUE header between UDP and GRE */
	bool udp_checksum; /* false: sent as zero, and over IPv6 taken as zero */
	/* The peer's port; 0: udp_port. Of a learned peer, filled in as `remote` is. */
	uint16_t remote_port;
	bool nat; /* one side is behind a NAT, and both know the secret */
	struct siphash_key nat_secret;
	bool ttl_inherit; /* else `ttl` 1..255 */
	uint8_t ttl;
	bool tos_inherit; /* else the six DSCP bits and two zero bits of `tos` */
	uint8_t tos;
	bool ecn; /* RFC 6040 normal mode; false: outer ECN field always zero */
	enum conf_df df;
	uint32_t mtu;			    /* 0: auto */
	bool mss_auto;			    /* clamp to the MTU */
	uint16_t mss;			    /* when not auto: clamp to this; 0: do not clamp */
	uint32_t keepalive_interval_ms;	    /* 0: no keepalive */
	uint8_t keepalive_retries;	    /* missed answers until the peer counts as gone */
	enum keepalive_form keepalive_form; /* of our questions */
	bool keepalive_hold;		    /* a peer that returns has to prove itself first */
	bool keepalive_nat;    /* the peer writes a private address where its outer one belongs */
	struct ip_addr probe;  /* asked by ICMP instead; family IP_NONE: the keepalive asks */
	bool echo_return;      /* echo replies that probe the tunnel go back into it */
	char *on_up, *on_down; /* commands for a shell; NULL when not given */
	bool notrack;	       /* outer packets bypass conntrack, where nothing of ours NATs them */
	enum conf_lane lane;
	bool stateless; /* its flows need no connection to be carried by the flow lanes */

	struct conf_address *addresses;
	size_t address_count;
	struct conf_route *routes;
	size_t route_count;

	struct conf_peer *peers; /* none: not a multipoint tunnel */
	size_t peer_count;
	/* Of a peer of a multipoint tunnel: the index of that in conf.tunnels, and 1; 0 else. */
	size_t hub;
	struct conf_address inner[2]; /* and its next hops, IPv4 and IPv6, with our addresses */
};

/* `allow = 10.10.1.0/24 <-> 20.10.1.0/24`, or -> for one direction of opening */
struct conf_allow {
	struct conf_place at;
	struct ip_prefix from, to;
	bool both;
};

/* `masquerade = 10.10.1.0/24 out My_Tunnel`, `snat = 10.10.1.0/24 out eth0 to 192.0.2.9` */
struct conf_snat {
	struct conf_place at;
	struct ip_prefix from;
	char out[IFNAMSIZ];
	struct ip_addr to; /* family IP_NONE: masquerade */
};

/* `publish = tcp/443 in eth1 to 10.10.1.5:8443` */
struct conf_publish {
	struct conf_place at;
	uint8_t protocol;	 /* 6 or 17 */
	uint16_t port, port_end; /* host order; equal for one port */
	char in[IFNAMSIZ];
	struct ip_addr to;
	uint16_t to_port; /* 0: the port is kept */
};

struct conf_forward {
	bool present; /* the file has a [forward] section */
	bool enable;  /* turn forwarding on for the families that are used */
	struct conf_allow *allows;
	size_t allow_count;
	struct conf_snat *snats; /* masquerade and snat, in the file's order */
	size_t snat_count;
	struct conf_publish *publishes;
	size_t publish_count;
};

/* Whether XDP spreads packets over CPUs: when it has to, always, never. */
enum conf_spread { SPREAD_AUTO, SPREAD_YES, SPREAD_NO };

/* Flows that are remembered when the file says nothing. */
enum { CONF_FLOWS = 262144 };

struct conf {
	struct conf_tunnel *tunnels;
	size_t tunnel_count;
	struct conf_forward forward;
	unsigned workers;	 /* [daemon] workers; 0: auto */
	uint32_t flows;		 /* [daemon] flows: how many of each family are remembered */
	enum conf_spread spread; /* [daemon] spread */
	char **files;		 /* every file read, in order; conf_place.file points here */
	size_t file_count;
};

/*
 * Reads FILE (NULL for none) and, when FILE is .../gretel.conf, .../gretel.d/X.conf in name order,
 * and after that `extra` if it exists (the run directory's file of `gretel add`; NULL for none).
 * Every fault is printed to `errors` as "FILE:LINE: what is wrong: what to write instead", one a
 * line, in the order of files and lines; a file that cannot be read has no LINE.
 * Returns 0 and *out, or the number of faults (the caller then has nothing to free).
 */
int conf_load(const char *file, const char *extra, FILE *errors, struct conf **out);
/* The same from memory; `name` stands for the file in messages. For tests and fuzzing. */
int conf_load_text(const char *name, const char *text, FILE *errors, struct conf **out);
void conf_free(struct conf *conf);

/* Prints the effective configuration; conf_load_text() of it gives an equal conf. */
void conf_print(const struct conf *conf, FILE *out);
void conf_print_tunnel(const struct conf_tunnel *tunnel, FILE *out);

/* One line: what the profile of the tunnel filled in; nothing without a profile. */
void conf_profile_explain(const struct conf_tunnel *tunnel, FILE *out);
/* The line "profile = NAME"; nothing without a profile. */
void conf_profile_print(const struct conf_tunnel *tunnel, FILE *out);
/* Names of the profiles; NULL when `index` is past the last. */
const char *conf_profile_name(size_t index);

/* NULL when there is none. */
const struct conf_tunnel *conf_find_tunnel(const struct conf *conf, const char *name);

/* Whether the interface is an Ethernet. */
bool conf_has_frames(const struct conf_tunnel *tunnel);
/* The word of the file for the mode. */
const char *conf_mode_name(enum conf_mode mode);

/* The interface that its packets come by and leave by: its own, or of its multipoint tunnel. */
const struct conf_tunnel *conf_interface(const struct conf *conf, const struct conf_tunnel *tunnel);

/* Where a key is; the section where it is not written. */
struct conf_place conf_key_place(const struct conf_tunnel *tunnel, enum conf_tunnel_key key);
/* conf_vrf.c: whether some tunnel is in a VRF. */
bool conf_has_vrfs(const struct conf *conf);
/* conf_ends.c: whether an end of the tunnel has to be looked up, and whether both are known. */
bool conf_is_moving(const struct conf_tunnel *tunnel);
bool conf_has_ends(const struct conf_tunnel *tunnel);
/* What stands in the file for a peer's address that had to be found; NULL: it stands there. */
const char *conf_remote_word(const struct conf_tunnel *tunnel);

/* A key as the manual page shows it. */
struct conf_key_doc {
	const char *section; /* "tunnel", "forward", "daemon" */
	const char *name;
	const char *fallback; /* the value when the key is not written; NULL: nothing is set */
	const char *help;     /* one line */
	bool required;
	bool repeatable;
};
/* The keys in the order of the manual page; NULL when `index` is past the last. */
const struct conf_key_doc *conf_key_doc(size_t index);

#endif
