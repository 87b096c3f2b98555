/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys. The manual page gretel.conf(5) is checked against it. */
#include "ctl/conf_parse.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

struct row {
	struct conf_key_doc doc;
	conf_key_fn *parse;
};

/* clang-format off */
#define ONE(section, name, fallback, parse, help) \
	{{section, name, fallback, help, false, false}, parse}
#define NEEDED(section, name, parse, help) \
	{{section, name, NULL, help, true, false}, parse}
#define MANY(section, name, parse, help) \
	{{section, name, NULL, help, false, true}, parse}

static const struct row rows[CONF_KEY_COUNT] = {
	[TUNNEL_MODE] = ONE("tunnel", "mode", "gre", conf_key_mode,
		"gre (IP packets), gretap or nvgre (Ethernet frames), erspan (copies of frames)"),
	[TUNNEL_PROFILE] = ONE("tunnel", "profile", NULL, conf_key_profile,
		"provider whose prescriptions are filled in and kept to"),
	[TUNNEL_LOCAL] = NEEDED("tunnel", "local", conf_key_local,
		"outer address of this machine, or address-of DEVICE"),
	[TUNNEL_REMOTE] = NEEDED("tunnel", "remote", conf_key_remote,
		"outer address of the peer, its name, or any (behind a NAT, with nat-secret)"),
	[TUNNEL_PEER] = MANY("tunnel", "peer", conf_key_peer,
		"one of several peers, in place of remote: NEXT-HOP at OUTER-ADDRESS"),
	[TUNNEL_BIND] = ONE("tunnel", "bind", NULL, conf_key_bind,
		"device that outer packets leave and enter by, or the VRF that they are in"),
	[TUNNEL_FWMARK] = ONE("tunnel", "fwmark", "0", conf_key_fwmark,
		"firewall mark of outer packets, for routing policies and rules; 0: none"),
	[TUNNEL_BRIDGE] = ONE("tunnel", "bridge", NULL, conf_key_bridge,
		"bridge that a gretap or nvgre interface is put into"),
	[TUNNEL_VRF] = ONE("tunnel", "vrf", NULL, conf_key_vrf,
		"VRF that the interface is put into, and its routes with it"),
	[TUNNEL_ADDRESS] = MANY("tunnel", "address", conf_key_address,
		"address of the interface: ADDRESS peer ADDRESS, or ADDRESS/LENGTH"),
	[TUNNEL_ROUTE] = MANY("tunnel", "route", conf_key_route,
		"network behind the tunnel: PREFIX [via ADDRESS] [metric N] [src ADDRESS] [table N]"),
	[TUNNEL_BACKUP_OF] = ONE("tunnel", "backup-of", NULL, conf_key_backup_of,
		"the tunnel whose routes this one takes over when it is lost"),
	[TUNNEL_GROUP] = ONE("tunnel", "group", NULL, conf_key_group,
		"tunnels that share the flows to the routes they all list: NAME [weight N]"),
	[TUNNEL_RETURN_PATH] = ONE("tunnel", "return-path", "no", conf_key_return_path,
		"replies to what came in by this tunnel leave by it: same-tunnel or no"),
	[TUNNEL_KEY] = ONE("tunnel", "key", NULL, conf_key_key,
		"key of both directions: number, 0x number or dotted quad"),
	[TUNNEL_IKEY] = ONE("tunnel", "ikey", NULL, conf_key_ikey,
		"key of received packets"),
	[TUNNEL_OKEY] = ONE("tunnel", "okey", NULL, conf_key_okey,
		"key of sent packets"),
	[TUNNEL_VSID] = ONE("tunnel", "vsid", NULL, conf_key_vsid,
		"nvgre: number of the virtual subnet, 4096 to 16777214"),
	[TUNNEL_ERSPAN_TYPE] = ONE("tunnel", "erspan-type", "2", conf_key_erspan_type,
		"erspan: its type: 1, 2 or 3"),
	[TUNNEL_ERSPAN_SESSION] = ONE("tunnel", "erspan-session", NULL, conf_key_erspan_session,
		"erspan, types 2 and 3: number of the session, 0 to 1023"),
	[TUNNEL_ERSPAN_INDEX] = ONE("tunnel", "erspan-index", "0", conf_key_erspan_index,
		"erspan, type 2: number of the mirrored port, 0 to 1048575"),
	[TUNNEL_ERSPAN_DIRECTION] = ONE("tunnel", "erspan-direction", "ingress",
		conf_key_erspan_direction,
		"erspan, type 3: the copied frames come in or leave: ingress or egress"),
	[TUNNEL_ERSPAN_HARDWARE] = ONE("tunnel", "erspan-hardware", "0", conf_key_erspan_hardware,
		"erspan, type 3: number of what makes the copies, 0 to 63"),
	[TUNNEL_CHECKSUM] = ONE("tunnel", "checksum", "no", conf_key_checksum,
		"GRE checksum: no, yes (sent), require (sent and asked for), receive (asked for)"),
	[TUNNEL_SEQUENCE] = ONE("tunnel", "sequence", "no", conf_key_sequence,
		"sequence numbers: no, yes (both directions), send, receive"),
	[TUNNEL_UDP] = ONE("tunnel", "udp", "no", conf_key_udp,
		"GRE in UDP (RFC 8086): no, yes (port 4754), PORT, gue (port 6080), gue PORT"),
	[TUNNEL_UDP_CHECKSUM] = ONE("tunnel", "udp-checksum", "yes", conf_key_udp_checksum,
		"checksum of those UDP packets: yes, or no (sent as zero)"),
	[TUNNEL_NAT_SECRET] = ONE("tunnel", "nat-secret", NULL, conf_key_nat_secret,
		"udp, one side behind a NAT: what both sides know, 32 hexadecimal digits"),
	[TUNNEL_TTL] = ONE("tunnel", "ttl", "64", conf_key_ttl,
		"TTL or hop limit of outer packets: 1 to 255, or inherit"),
	[TUNNEL_TOS] = ONE("tunnel", "tos", "0", conf_key_tos,
		"TOS or traffic class of outer packets: 0 to 0xfc, or inherit"),
	[TUNNEL_ECN] = ONE("tunnel", "ecn", "yes", conf_key_ecn,
		"carry congestion marks over (RFC 6040): yes or no"),
	[TUNNEL_DF] = ONE("tunnel", "df", "set", conf_key_df,
		"don't fragment, of outer packets: set, copy (the passenger's) or clear"),
	[TUNNEL_MTU] = ONE("tunnel", "mtu", "auto", conf_key_mtu,
		"MTU of the interface: auto or a number of octets"),
	[TUNNEL_MSS] = ONE("tunnel", "mss", "auto", conf_key_mss,
		"limit of TCP's segment size: auto (from the MTU), a number of octets, or no"),
	[TUNNEL_KEEPALIVE] = ONE("tunnel", "keepalive", "no", conf_key_keepalive,
		"probe of the peer: INTERVAL RETRIES, or no"),
	[TUNNEL_KEEPALIVE_FORM] = ONE("tunnel", "keepalive-form", "auto", conf_key_keepalive_form,
		"questions: auto, cisco, cisco-cmd, huawei, inside, openbsd or mikrotik"),
	[TUNNEL_KEEPALIVE_HOLD] = ONE("tunnel", "keepalive-hold", "yes", conf_key_keepalive_hold,
		"a peer that returns proves itself before it counts as there: yes or no"),
	[TUNNEL_KEEPALIVE_NAT] = ONE("tunnel", "keepalive-nat", "no", conf_key_keepalive_nat,
		"the peer's questions hold its private address behind a NAT: yes or no"),
	[TUNNEL_PROBE] = ONE("tunnel", "probe", "keepalive", conf_key_probe,
		"what asks the peer: keepalive, or icmp ADDRESS"),
	[TUNNEL_ECHO_REPLY] = ONE("tunnel", "echo-reply", "deliver", conf_key_echo_reply,
		"echo replies that probe the tunnel: deliver them, or return them into it"),
	[TUNNEL_ON_UP] = ONE("tunnel", "on-up", NULL, conf_key_on_up,
		"command that is run when the tunnel can be used"),
	[TUNNEL_ON_DOWN] = ONE("tunnel", "on-down", NULL, conf_key_on_down,
		"command that is run when the tunnel cannot be used any more"),
	[TUNNEL_NOTRACK] = ONE("tunnel", "notrack", "yes", conf_key_notrack,
		"outer packets bypass connection tracking: yes or no"),
	[TUNNEL_LANE] = ONE("tunnel", "lane", "auto", conf_key_lane,
		"what carries the packets: auto, user, tc or xdp"),
	[TUNNEL_STATELESS] = ONE("tunnel", "stateless", "no", conf_key_stateless,
		"flows are carried fast without a tracked connection: yes or no"),

	[FORWARD_ENABLE] = ONE("forward", "enable", "yes", conf_key_enable,
		"turn IP forwarding on while the tunnels are up: yes or no"),
	[FORWARD_ALLOW] = MANY("forward", "allow", conf_key_allow,
		"networks that may talk: PREFIX -> PREFIX, or PREFIX <-> PREFIX"),
	[FORWARD_MASQUERADE] = MANY("forward", "masquerade", conf_key_masquerade,
		"sources that take the address of the device they leave by: PREFIX out DEVICE"),
	[FORWARD_SNAT] = MANY("forward", "snat", conf_key_snat,
		"sources that take a given address: PREFIX out DEVICE to ADDRESS"),
	[FORWARD_PUBLISH] = MANY("forward", "publish", conf_key_publish,
		"ports led to a machine inside: tcp|udp/PORT[-PORT] in DEVICE to ADDRESS[:PORT]"),

	[DAEMON_WORKERS] = ONE("daemon", "workers", "auto", conf_key_workers,
		"packet threads: auto (one for each CPU) or a number"),
	[DAEMON_FLOWS] = ONE("daemon", "flows", "262144", conf_key_flows,
		"flows that the fast lanes remember, of IPv4 and of IPv6 each"),
	[DAEMON_SPREAD] = ONE("daemon", "spread", "auto", conf_key_spread,
		"XDP spreads what comes out of tunnels over CPUs: auto (when one is full), yes or no"),
};
/* clang-format on */

static const char *section_name(enum conf_section section)
{
	switch (section) {
	case SECTION_TUNNEL:
		return "tunnel";
	case SECTION_FORWARD:
		return "forward";
	case SECTION_DAEMON:
		return "daemon";
	default:
		return "";
	}
}

const struct conf_key_doc *conf_key_doc(size_t index)
{
	return index < CONF_KEY_COUNT ? &rows[index].doc : NULL;
}

int conf_key_find(enum conf_section section, const char *name)
{
	for (int i = 0; i < CONF_KEY_COUNT; i++)
		if (rows[i].doc.name[0] == name[0] && strcmp(rows[i].doc.name, name) == 0 &&
		    strcmp(rows[i].doc.section, section_name(section)) == 0)
			return i;
	return -1;
}

void conf_key_parse(struct conf_reader *reader, int row, char *value)
{
	const struct conf_key_doc *doc = &rows[row].doc;
	struct conf_place *seen = &reader->seen[row];

	if (seen->line && !doc->repeatable)
		conf_fault(reader->faults, reader->at, "%s is already at %s:%d: write it once",
			   doc->name, seen->file, seen->line);
	*seen = reader->at;
	if (reader->section == SECTION_TUNNEL && !reader->tunnel->lines[row])
		reader->tunnel->lines[row] = reader->at.line;
	if (*value)
		rows[row].parse(reader, value);
	else
		conf_fault(reader->faults, reader->at,
			   "%s has no value: write one, or leave the line out", doc->name);
}

void conf_key_set(struct conf_reader *reader, int row, char *value)
{
	reader->key = rows[row].doc.name;
	rows[row].parse(reader, value);
}

void conf_key_defaults(struct conf_reader *reader, enum conf_section section)
{
	char text[CONF_LINE_MAX + 1];

	for (int i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key_doc *doc = &rows[i].doc;

		if (!doc->fallback || strcmp(doc->section, section_name(section)) != 0)
			continue;
		snprintf(text, sizeof text, "%s", doc->fallback);
		conf_key_set(reader, i, text);
	}
}

/* Words of other tunnel programs, and ours for the same thing. */
static const char *const other_words[][2] = {
	{"csum", "checksum"},  {"seq", "sequence"},    {"dev", "bind"},
	{"device", "bind"},    {"interface", "bind"},  {"type", "mode"},
	{"dnat", "publish"},   {"endpoint", "remote"}, {"destination", "remote"},
	{"source", "local"},   {"ip", "address"},      {"hoplimit", "ttl"},
	{"tclass", "tos"},     {"dscp", "tos"},	       {"forward", "allow"},
	{"nat", "masquerade"}, {"mark", "fwmark"},     {"fou", "udp"},
	{"encap", "udp"},      {"gue", "udp"},
};

static int nearest(enum conf_section section, const char *name)
{
	size_t length = strlen(name);
	unsigned best = length < 5 ? 1 : 2;
	int found = -1;

	for (size_t i = 0; i < sizeof other_words / sizeof other_words[0]; i++)
		if (strcmp(other_words[i][0], name) == 0 &&
		    conf_key_find(section, other_words[i][1]) >= 0)
			return conf_key_find(section, other_words[i][1]);
	for (int i = 0; i < CONF_KEY_COUNT; i++) {
		size_t its = strlen(rows[i].doc.name);
		unsigned distance;

		if (its > length + best || length > its + best ||
		    strcmp(rows[i].doc.section, section_name(section)) != 0)
			continue;
		distance = value_distance(rows[i].doc.name, name);
		if (distance > best)
			continue;
		if (found < 0 || distance < best)
			found = i;
		best = distance;
	}
	return found;
}

void conf_key_unknown(struct conf_reader *reader, const char *name)
{
	const char *section = section_name(reader->section);
	int near = nearest(reader->section, name);

	if (near >= 0) {
		/* do not call a misspelt remote missing as well */
		if (rows[near].doc.required && !reader->tunnel->lines[near])
			reader->tunnel->lines[near] = reader->at.line;
		conf_fault(reader->faults, reader->at,
			   "key \"%.40s\" is not known in [%s]: did you mean \"%s\"?", name,
			   section, rows[near].doc.name);
		return;
	}
	for (int i = 0; i < CONF_KEY_COUNT; i++) {
		if (strcmp(rows[i].doc.name, name) != 0)
			continue;
		conf_fault(reader->faults, reader->at,
			   "key \"%s\" does not belong in [%s]: write it under [%s]", name, section,
			   rows[i].doc.section);
		return;
	}
	conf_fault(reader->faults, reader->at,
		   "key \"%.40s\" is not known in [%s]: see gretel.conf(5) for its keys", name,
		   section);
}
