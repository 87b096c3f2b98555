/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd.netdev(5): [NetDev] and [Tunnel]. */
#include "ctl/import/netdev.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

#define TTL_V6	       64 /* networkd's default over IPv6; over IPv4 it is that of the passenger */
#define ENCAP_LIMIT_V6 4
#define MTU_MIN	       68
#define MTU_MAX	       65535

struct reader {
	struct import *import;
	struct import_tunnel *tunnel;
	struct unit_file *file;
	bool key_both, key_in, key_out;
};

typedef void key_fn(struct reader *reader, const struct unit_entry *entry);

static void bad(struct unit_file *file, const struct unit_entry *entry, const char *expected)
{
	unit_file_fault(file, entry->line, "%s=%.60s is not understood: write %s", entry->key,
			entry->value, expected);
}

bool netdev_bool(struct unit_file *file, const struct unit_entry *entry, bool *out)
{
	static const char *const words[] = {"no", "yes", "false", "true", "0", "1", "off",
					    "on", "n",	 "y",	  "f",	  "t", NULL};
	int index = value_word(entry->value, words);

	if (index >= 0)
		*out = index & 1;
	else
		bad(file, entry, "yes or no");
	return index >= 0;
}

bool netdev_number(struct unit_file *file, const struct unit_entry *entry, uint32_t min,
		   uint32_t max, uint32_t *out)
{
	char expected[64];

	if (value_u32(entry->value, min, max, out))
		return true;
	snprintf(expected, sizeof expected, "a number from %u to %u", min, max);
	bad(file, entry, expected);
	return false;
}

bool netdev_size(struct unit_file *file, const struct unit_entry *entry, uint32_t *out)
{
	size_t len = strlen(entry->value);
	char number[24] = "", suffix = len ? entry->value[len - 1] : 0;
	uint32_t unit = suffix == 'K' ? 1u << 10 : suffix == 'M' ? 1u << 20 : 1, value = 0;

	if (len < sizeof number)
		memcpy(number, entry->value, unit == 1 ? len : len - 1);
	if (value_u32(number, 1, MTU_MAX / unit, &value) && value * unit >= MTU_MIN) {
		*out = value * unit;
		return true;
	}
	bad(file, entry, "octets from 68 to 65535");
	return false;
}

static void on_name(struct reader *reader, const struct unit_entry *entry)
{
	const char *wrong = value_name(entry->value, reader->tunnel->gre.link.name);

	if (wrong)
		unit_file_fault(reader->file, entry->line,
				"the name \"%.60s\" %s: choose up to 15 letters, digits and _ -",
				entry->value, wrong);
}

static void on_mtu(struct reader *reader, const struct unit_entry *entry)
{
	if (netdev_size(reader->file, entry, &reader->tunnel->gre.link.mtu))
		reader->tunnel->mtu_auto = false;
}

static void take_end(struct reader *reader, const struct unit_entry *entry, struct ip_addr *out)
{
	*out = (struct ip_addr){0};
	if (!*entry->value || strcmp(entry->value, "any") == 0)
		return;
	if (!addr_parse(entry->value, out))
		bad(reader->file, entry, "an IPv4 or IPv6 address, or any");
	else if (addr_is_any(out))
		*out = (struct ip_addr){0};
}

/* Words for addresses that the underlay's device will have. */
static void on_local(struct reader *reader, const struct unit_entry *entry)
{
	static const char *const words[] = {"ipv4_link_local", "ipv6_link_local", "dhcp4", "dhcp6",
					    "slaac",	       "dhcp_pd",	  NULL};

	if (value_word(entry->value, words) < 0) {
		take_end(reader, entry, &reader->tunnel->gre.local);
		return;
	}
	reader->tunnel->gre.local = (struct ip_addr){0};
	reader->tunnel->follows_bind = true;
}

static void on_remote(struct reader *reader, const struct unit_entry *entry)
{
	take_end(reader, entry, &reader->tunnel->gre.remote);
}

static void on_tos(struct reader *reader, const struct unit_entry *entry)
{
	uint32_t tos;

	if (!netdev_number(reader->file, entry, 0, 255, &tos))
		return;
	reader->tunnel->gre.tos = (uint8_t)tos;
	reader->tunnel->gre.tos_inherit = tos & 1;
}

static void on_ttl(struct reader *reader, const struct unit_entry *entry)
{
	uint32_t ttl = 0;

	if (strcmp(entry->value, "inherit") == 0 ||
	    netdev_number(reader->file, entry, 0, 255, &ttl))
		reader->tunnel->gre.ttl = (uint8_t)ttl;
}

static void on_path_mtu(struct reader *reader, const struct unit_entry *entry)
{
	netdev_bool(reader->file, entry, &reader->tunnel->gre.pmtudisc);
}

static void on_ignore_df(struct reader *reader, const struct unit_entry *entry)
{
	netdev_bool(reader->file, entry, &reader->tunnel->gre.ignore_df);
}

static bool take_key(struct reader *reader, const struct unit_entry *entry, uint32_t *out)
{
	struct ip_addr quad;

	if (addr_parse(entry->value, &quad) && quad.family == IP_V4) {
		*out = (uint32_t)quad.bytes[0] << 24 | (uint32_t)quad.bytes[1] << 16 |
		       (uint32_t)quad.bytes[2] << 8 | quad.bytes[3];
		return true;
	}
	return netdev_number(reader->file, entry, 0, UINT32_MAX, out);
}

static void on_key(struct reader *reader, const struct unit_entry *entry)
{
	struct gre_link *gre = &reader->tunnel->gre;

	if (!take_key(reader, entry, &gre->ikey))
		return;
	gre->okey = gre->ikey;
	gre->has_ikey = gre->has_okey = true;
}

static void on_input_key(struct reader *reader, const struct unit_entry *entry)
{
	struct gre_link *gre = &reader->tunnel->gre;

	gre->has_ikey = take_key(reader, entry, &gre->ikey);
}

static void on_output_key(struct reader *reader, const struct unit_entry *entry)
{
	struct gre_link *gre = &reader->tunnel->gre;

	gre->has_okey = take_key(reader, entry, &gre->okey);
}

static void on_flow_label(struct reader *reader, const struct unit_entry *entry)
{
	if (strcmp(entry->value, "inherit") != 0)
		netdev_number(reader->file, entry, 0, 0xfffff, &reader->tunnel->gre.flow_label);
}

static void on_encap_limit(struct reader *reader, const struct unit_entry *entry)
{
	uint32_t limit = 0;

	if (strcmp(entry->value, "none") == 0 || netdev_number(reader->file, entry, 0, 255, &limit))
		reader->tunnel->gre.encap_limit = (uint8_t)limit;
}

static void on_fou(struct reader *reader, const struct unit_entry *entry)
{
	bool on = false;

	if (netdev_bool(reader->file, entry, &on) && on && !reader->tunnel->gre.encap)
		reader->tunnel->gre.encap = GRE_ENCAP_FOU;
}

static void on_encap(struct reader *reader, const struct unit_entry *entry)
{
	reader->tunnel->gre.encap = strcmp(entry->value, "GenericUDPEncapsulation") == 0
					    ? GRE_ENCAP_GUE
					    : GRE_ENCAP_FOU;
}

static void on_fou_port(struct reader *reader, const struct unit_entry *entry)
{
	uint32_t port = 0;

	netdev_number(reader->file, entry, 1, 65535, &port);
	reader->tunnel->gre.encap_dport = (uint16_t)port;
}

static void on_external(struct reader *reader, const struct unit_entry *entry)
{
	netdev_bool(reader->file, entry, &reader->tunnel->gre.external);
}

/* The manual speaks of ERSPAN; networkd does it for every GRE tunnel. */
static void on_serialize(struct reader *reader, const struct unit_entry *entry)
{
	struct gre_link *gre = &reader->tunnel->gre;

	if (netdev_bool(reader->file, entry, &gre->iseq))
		gre->oseq = gre->iseq;
}

/* Of no meaning for a tunnel of ours, or read elsewhere. */
static void on_nothing(struct reader *reader, const struct unit_entry *entry)
{
	(void)reader;
	(void)entry;
}

static const struct {
	const char *section, *key;
	key_fn *read;
} keys[] = {
	{"NetDev", "Name", on_name},
	{"NetDev", "Kind", on_nothing},
	{"NetDev", "Description", on_nothing},
	{"NetDev", "MTUBytes", on_mtu},
	{"Tunnel", "Local", on_local},
	{"Tunnel", "Remote", on_remote},
	{"Tunnel", "TOS", on_tos},
	{"Tunnel", "TTL", on_ttl},
	{"Tunnel", "DiscoverPathMTU", on_path_mtu},
	{"Tunnel", "IgnoreDontFragment", on_ignore_df},
	{"Tunnel", "Key", on_key},
	{"Tunnel", "InputKey", on_input_key},
	{"Tunnel", "OutputKey", on_output_key},
	{"Tunnel", "IPv6FlowLabel", on_flow_label},
	{"Tunnel", "EncapsulationLimit", on_encap_limit},
	{"Tunnel", "FooOverUDP", on_fou},
	{"Tunnel", "Encapsulation", on_encap},
	{"Tunnel", "FOUDestinationPort", on_fou_port},
	{"Tunnel", "FOUSourcePort", on_nothing},
	{"Tunnel", "SerializeTunneledPackets", on_serialize},
	{"Tunnel", "External", on_external},
	{"Tunnel", "Independent", on_nothing},
	{"Tunnel", "AllowLocalRemote", on_nothing},
};

static void read_entry(struct reader *reader, const struct unit_entry *entry)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strcmp(entry->section, keys[i].section) != 0 ||
		    strcmp(entry->key, keys[i].key) != 0)
			continue;
		keys[i].read(reader, entry);
		return;
	}
	import_note(reader->import, &reader->tunnel->notes, "%s:%d: [%s] %s=%s is left out",
		    reader->file->name, entry->line, entry->section, entry->key, entry->value);
}

/* The family and the defaults that go with it. False, and a fault, when it is no GRE tunnel. */
static bool read_kind(struct unit_file *file, struct gre_link *gre)
{
	static const char *const kinds[] = {"gre",	 "gretap",    "erspan", "ip6gre",
					    "ip6gretap", "ip6erspan", NULL};
	const struct unit_entry *entry = unit_file_find(file, "NetDev", "Kind");
	int index = entry ? value_word(entry->value, kinds) : -1;

	if (!entry) {
		unit_file_fault(file, 0,
				"[NetDev] has no Kind=: name a .netdev file with Kind=gre, gretap, "
				"ip6gre or ip6gretap");
		return false;
	}
	if (index < 0) {
		unit_file_fault(
			file, entry->line,
			"Kind=%.40s is not a GRE tunnel: name a .netdev file with Kind=gre, "
			"gretap, ip6gre or ip6gretap",
			entry->value);
		return false;
	}
	snprintf(gre->link.kind, sizeof gre->link.kind, "%s", kinds[index]);
	gre->family = index < 3 ? IP_V4 : IP_V6;
	gre->pmtudisc = true;
	if (gre->family == IP_V6) {
		gre->ttl = TTL_V6;
		gre->encap_limit = ENCAP_LIMIT_V6;
	}
	return true;
}

static void check_family(struct unit_file *file, const struct gre_link *gre, const char *key,
			 const struct ip_addr *addr)
{
	const struct unit_entry *entry = unit_file_find(file, "Tunnel", key);

	if (entry && addr->family != IP_NONE && addr->family != gre->family)
		unit_file_fault(
			file, entry->line, "%s=%s and Kind=%s are of two families: write Kind=%s%s",
			key, entry->value, gre->link.kind, addr->family == IP_V6 ? "ip6gre" : "gre",
			strstr(gre->link.kind, "tap") ? "tap" : "");
}

void netdev_read(struct import *import, struct unit_file *file)
{
	struct reader reader = {.import = import, .file = file};
	struct gre_link gre = {0};

	if (!read_kind(file, &gre))
		return;
	if (!unit_file_find(file, "NetDev", "Name"))
		unit_file_fault(file, 0, "[NetDev] has no Name=: write the name of the interface");
	reader.tunnel = import_add_tunnel(import);
	if (!reader.tunnel)
		return;
	reader.tunnel->gre = gre;
	reader.tunnel->mtu_auto = true;
	reader.tunnel->source = import_keep(import, file->name);
	for (size_t i = 0; i < file->count; i++)
		if (strcmp(file->entries[i].section, "Match") != 0)
			read_entry(&reader, &file->entries[i]);
	check_family(file, &gre, "Local", &reader.tunnel->gre.local);
	check_family(file, &gre, "Remote", &reader.tunnel->gre.remote);
}
