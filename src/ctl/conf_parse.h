/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_parse.h: what the files of the parser share; the rest of the program uses conf.h.
 * conf_parse.c reads files and sections, conf_keys.c holds the table of keys, conf_tunnel.c and
 * conf_site.c have one function per key, conf_check.c and conf_clash.c judge the result.
 */
#ifndef CTL_CONF_PARSE_H
#define CTL_CONF_PARSE_H

#include "ctl/conf.h"
#include "ctl/conf_fault.h"

/* The longest text of a line, comment and surrounding space apart. libinih is compiled with a
 * buffer of 200 octets; the longest sensible line, a route with all its words, has about 150. */
#define CONF_LINE_MAX 190

/* Rows of the table of keys: those of enum conf_tunnel_key and then these. */
enum conf_site_key {
	FORWARD_ENABLE = TUNNEL_KEY_COUNT,
	FORWARD_ALLOW,
	FORWARD_MASQUERADE,
	FORWARD_SNAT,
	FORWARD_PUBLISH,
	DAEMON_WORKERS,
	DAEMON_FLOWS,
	DAEMON_SPREAD,
	CONF_KEY_COUNT
};

enum conf_section {
	SECTION_NONE,
	SECTION_UNKNOWN,
	SECTION_TUNNEL,
	SECTION_FORWARD,
	SECTION_DAEMON
};

struct conf_reader {
	struct conf *conf;
	struct conf_faults *faults;
	struct conf_place at; /* the line being read */
	enum conf_section section;
	struct conf_tunnel *tunnel; /* the last of conf->tunnels, in SECTION_TUNNEL */
	/* One in which nothing is written yet: read once, since a file may have thousands. */
	struct conf_tunnel defaults;
	bool defaults_read;
	const char *key; /* name of the key being read */
	bool commented;	 /* the line had a comment behind its text */
	/* Where each key was last written: in this section for a tunnel's, in any file else. */
	struct conf_place seen[CONF_KEY_COUNT];
	/* Where this file has its [forward] and [daemon]; line 0: not yet. */
	struct conf_place forward_at, daemon_at;
	bool zero_seen; /* this file has a line with a zero octet */
};

/* Stores a value, or reports why it cannot. `value` has no surrounding space and may be cut up. */
typedef void conf_key_fn(struct conf_reader *reader, char *value);

/* conf_parse.c: reads the `len` octets of `text` as the contents of `file` (owned by the conf). */
void conf_read_text(struct conf_reader *reader, const char *file, const char *text, size_t len);

/* conf_keys.c */
/* The row of a key in the reader's section, or -1. */
int conf_key_find(enum conf_section section, const char *name);
void conf_key_parse(struct conf_reader *reader, int row, char *value);
/* Gives a key a value that does not stand in the file. */
void conf_key_set(struct conf_reader *reader, int row, char *value);
/* Gives every key that has one its default. */
void conf_key_defaults(struct conf_reader *reader, enum conf_section section);
/* Reports a key that the section does not have, with the nearest one that it has. */
void conf_key_unknown(struct conf_reader *reader, const char *name);

/* Reports "KEY = VALUE is not understood: write EXPECTED". */
void conf_bad_value(struct conf_reader *reader, const char *value, const char *expected);
/* One more element of `size` octets, all zero, at the end of an array; NULL and a fault when
 * memory runs out. */
void *conf_grow(struct conf_reader *reader, void *array, size_t *count, size_t size);
/* An address or prefix; reports what is wrong and returns false. A prefix must have its host bits
 * zero. */
bool conf_parse_addr(struct conf_reader *reader, const char *text, struct ip_addr *out);
bool conf_parse_network(struct conf_reader *reader, const char *text, struct ip_prefix *out);
/* The name of an interface; reports what is wrong and returns false. */
bool conf_parse_device(struct conf_reader *reader, const char *text, char out[IFNAMSIZ]);

/* The index of `value` in `words`, which end with NULL, or -1 and a fault that shows `expected`. */
int conf_word(struct conf_reader *reader, const char *value, const char *const *words,
	      const char *expected);
void conf_yes_or_no(struct conf_reader *reader, const char *value, bool *out);

/* conf_tunnel.c */
conf_key_fn conf_key_bind, conf_key_fwmark, conf_key_bridge, conf_key_address, conf_key_route,
	conf_key_key, conf_key_ikey, conf_key_okey, conf_key_checksum, conf_key_sequence,
	conf_key_udp, conf_key_udp_checksum, conf_key_ttl, conf_key_tos, conf_key_ecn, conf_key_df,
	conf_key_mtu, conf_key_mss, conf_key_notrack, conf_key_lane, conf_key_stateless;
extern const char *const conf_lanes[]; /* names of enum conf_lane */

/* conf_mode.c */
conf_key_fn conf_key_mode, conf_key_vsid, conf_key_erspan_type, conf_key_erspan_session,
	conf_key_erspan_index, conf_key_erspan_direction, conf_key_erspan_hardware;

/* conf_live.c */
extern const char *const conf_forms[]; /* names of enum keepalive_form */
conf_key_fn conf_key_keepalive, conf_key_keepalive_form, conf_key_keepalive_hold,
	conf_key_keepalive_nat, conf_key_probe, conf_key_echo_reply;

/* conf_profile.c */
conf_key_fn conf_key_profile;
/* Fills in what the profiles of the tunnels prescribe. */
void conf_profiles_fill(struct conf_reader *reader);

/* conf_way_keys.c */
conf_key_fn conf_key_backup_of, conf_key_group, conf_key_return_path;

/* conf_ends.c */
conf_key_fn conf_key_local, conf_key_remote, conf_key_nat_secret;

/* The line of the file that gives the secret. */
void conf_print_nat_secret(const struct conf_tunnel *tunnel, FILE *out);

/* conf_peers.c */
conf_key_fn conf_key_peer;
/* Adds the tunnels of the peers of multipoint tunnels. */
void conf_peers_add(struct conf_reader *reader);
/* What a multipoint tunnel, and only it, may have; what is wrong with its peers. */
void conf_check_multipoint(const struct conf_tunnel *tunnel, struct conf_faults *faults);

/* conf_vrf.c */
conf_key_fn conf_key_vrf;
/* Fills in the table of routes that name none, where it is the main one. */
void conf_vrf_tables(struct conf *conf);
/* Tunnels in VRFs, and those that would have to share routes with them. */
void conf_check_vrfs(const struct conf *conf, struct conf_faults *faults);

/* conf_hook.c */
conf_key_fn conf_key_on_up, conf_key_on_down;

/* conf_site.c */
conf_key_fn conf_key_enable, conf_key_allow, conf_key_masquerade, conf_key_snat, conf_key_publish,
	conf_key_workers, conf_key_flows, conf_key_spread;
extern const char *const conf_spreads[]; /* names of enum conf_spread */

/* Equal (0) when a packet from the peer could belong to both; else any order. */
int conf_compare_packets(const struct conf_tunnel *a, const struct conf_tunnel *b);

/* conf_check.c: what can be refused by looking at one item; conf_clash.c: at two;
 * conf_check_ways.c: by looking at backup-of, group and return-path. */
void conf_check(const struct conf *conf, struct conf_faults *faults);
void conf_check_ways(const struct conf *conf, struct conf_faults *faults);
void conf_check_clashes(const struct conf *conf, struct conf_faults *faults);
/* conf_profile_check.c: what the profile of a tunnel refuses. */
void conf_check_profile(const struct conf_tunnel *tunnel, struct conf_faults *faults);
/* conf_check_mode.c: what belongs to one mode and not to another. */
void conf_check_mode(const struct conf_tunnel *tunnel, struct conf_faults *faults);
/* conf_check_nat.c: what remote = any and nat-secret need. */
void conf_check_nat(const struct conf_tunnel *tunnel, struct conf_faults *faults);
/* conf_check_live.c: what conf_live.c reads. */
void conf_check_live(const struct conf_tunnel *tunnel, struct conf_faults *faults);
/* What keeps an address from being one machine's, to be read after it; NULL when nothing does. */
const char *conf_not_a_host(const struct ip_addr *addr);

#endif
