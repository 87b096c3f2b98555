/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd.network(5): addresses and routes of the tunnel, and what lies below it. */
#include "ctl/import/netdev.h"

#include <fnmatch.h>
#include <string.h>

#include "ctl/conf_value.h"

#define PATTERNS_MAX 32

struct reader {
	struct import *import;
	struct import_tunnel *tunnel;
	struct unit_file *file;
};

bool network_matches(const struct unit_file *file, const char *name)
{
	const struct unit_entry *entry = unit_file_find(file, "Match", "Name");
	char text[200], *words[PATTERNS_MAX];
	bool matches = false;
	size_t count;

	if (!entry)
		return false;
	snprintf(text, sizeof text, "%s", entry->value);
	count = value_split(text, words, PATTERNS_MAX);
	for (size_t i = 0; i < count && i < PATTERNS_MAX; i++) {
		bool negated = words[i][0] == '!';

		if (fnmatch(words[i] + negated, name, 0) == 0)
			return !negated;
		matches |= negated;
	}
	return matches;
}

bool network_is_below(const struct unit_file *file, const char *name)
{
	for (size_t i = 0; i < file->count; i++)
		if (strcmp(file->entries[i].section, "Network") == 0 &&
		    strcmp(file->entries[i].key, "Tunnel") == 0 &&
		    strcmp(file->entries[i].value, name) == 0)
			return true;
	return false;
}

void network_read_below(struct import *import, struct import_tunnel *tunnel,
			const struct unit_file *file)
{
	const struct unit_entry *entry = unit_file_find(file, "Match", "Name");
	char name[IFNAMSIZ];

	if (entry && !value_name(entry->value, name))
		memcpy(tunnel->bind, name, sizeof name);
	else
		import_note(import, &tunnel->notes,
			    "%s puts it on a device that is not named there: write bind = DEVICE",
			    file->name);
}

static void bad(struct reader *reader, const struct unit_entry *entry, const char *expected)
{
	unit_file_fault(reader->file, entry->line, "%s=%.60s is not understood: write %s",
			entry->key, entry->value, expected);
}

static void left_out(struct reader *reader, const struct unit_entry *entry)
{
	import_note(reader->import, &reader->tunnel->notes, "%s:%d: [%s] %s=%s is left out",
		    reader->file->name, entry->line, entry->section, entry->key, entry->value);
}

static bool is(const struct unit_entry *entry, const char *key)
{
	return strcmp(entry->key, key) == 0;
}

static void add_address(struct reader *reader, const struct unit_entry *entry,
			const struct unit_entry *peer)
{
	struct address_info address = {0};
	struct ip_prefix other;

	if (!prefix_parse(entry->value, &address.local)) {
		bad(reader, entry, "for example Address=192.168.8.1/30");
		return;
	}
	if (addr_is_any(&address.local.addr)) {
		import_note(reader->import, &reader->tunnel->notes,
			    "%s:%d: Address=%s lets networkd choose: write an address",
			    reader->file->name, entry->line, entry->value);
		return;
	}
	if (peer && *peer->value) {
		if (!prefix_parse(peer->value, &other)) {
			bad(reader, peer, "for example Peer=192.168.8.11/32");
			return;
		}
		address.local.len = other.len;
		address.peer = other.addr;
	}
	import_add_address(reader->import, reader->tunnel, &address);
}

/* The entries of one [Address] or [Route]: those from `first` on with its ordinal. */
static size_t end_of_section(const struct unit_file *file, size_t first)
{
	size_t end = first;

	while (end < file->count && file->entries[end].ordinal == file->entries[first].ordinal)
		end++;
	return end;
}

static void read_address(struct reader *reader, size_t first, size_t end)
{
	const struct unit_entry *address = NULL, *peer = NULL;

	for (size_t i = first; i < end; i++) {
		const struct unit_entry *entry = &reader->file->entries[i];

		if (is(entry, "Address"))
			address = entry;
		else if (is(entry, "Peer"))
			peer = entry;
		else if (!is(entry, "Scope") && !is(entry, "Label") && !is(entry, "Broadcast") &&
			 !is(entry, "DuplicateAddressDetection"))
			left_out(reader, entry);
	}
	if (address && *address->value)
		add_address(reader, address, peer);
	else
		unit_file_fault(reader->file, reader->file->entries[first].line,
				"[Address] has no Address=: write one, or leave the section out");
}

static bool read_table(struct reader *reader, const struct unit_entry *entry, uint32_t *table)
{
	static const char *const names[] = {"default", "main", "local", NULL};
	int index = value_word(entry->value, names);

	if (index >= 0)
		*table = ROUTE_TABLE_MAIN - 1 + (uint32_t)index;
	else if (!value_u32(entry->value, 1, UINT32_MAX, table)) {
		import_note(
			reader->import, &reader->tunnel->notes,
			"%s:%d: Table=%s is a name that networkd.conf explains: write the route "
			"with the table's number",
			reader->file->name, entry->line, entry->value);
		return false;
	}
	return true;
}

static bool read_prefix(struct reader *reader, const struct unit_entry *entry,
			struct ip_prefix *out)
{
	if (!prefix_parse(entry->value, out)) {
		bad(reader, entry, "a network, for example 20.10.1.0/24");
		return false;
	}
	*out = prefix_network(out);
	return true;
}

static bool read_route_addr(struct reader *reader, const struct unit_entry *entry,
			    struct ip_addr *out)
{
	if (addr_parse(entry->value, out))
		return true;
	bad(reader, entry, "an address");
	return false;
}

/* One key of [Route]. False when there can be no route. */
static bool read_route_key(struct reader *reader, const struct unit_entry *entry,
			   struct route_info *route)
{
	if (is(entry, "Destination"))
		return read_prefix(reader, entry, &route->to);
	if (is(entry, "Gateway"))
		return read_route_addr(reader, entry, &route->gateway);
	if (is(entry, "PreferredSource"))
		return read_route_addr(reader, entry, &route->src);
	if (is(entry, "Metric"))
		return netdev_number(reader->file, entry, 0, UINT32_MAX, &route->metric);
	if (is(entry, "Table"))
		return read_table(reader, entry, &route->table);
	if (is(entry, "Scope") || is(entry, "GatewayOnLink") || is(entry, "Protocol"))
		return true;
	if (is(entry, "Type") && strcmp(entry->value, "unicast") == 0)
		return true;
	left_out(reader, entry);
	return !is(entry, "Type") && !is(entry, "Source") && !is(entry, "MultiPathRoute");
}

static void read_route(struct reader *reader, size_t first, size_t end)
{
	struct route_info route = {.table = ROUTE_TABLE_MAIN};
	bool ethernet = strstr(reader->tunnel->gre.link.kind, "tap") != NULL;
	int line = reader->file->entries[first].line;

	for (size_t i = first; i < end; i++)
		if (!read_route_key(reader, &reader->file->entries[i], &route))
			return;
	if (route.to.addr.family == IP_NONE && route.gateway.family == IP_NONE) {
		unit_file_fault(reader->file, line,
				"[Route] has neither Destination= nor Gateway=: write the network");
		return;
	}
	/* without a destination it is the default route of the gateway's family */
	if (route.to.addr.family == IP_NONE)
		route.to.addr.family = route.gateway.family;
	if (ethernet && route.gateway.family != IP_NONE)
		import_note(reader->import, &reader->tunnel->notes,
			    "%s:%d: the route goes by a gateway: make it on the interface, with ip "
			    "route",
			    reader->file->name, line);
	else
		import_add_route(reader->import, reader->tunnel, &route);
}

static void read_gateway(struct reader *reader, const struct unit_entry *entry)
{
	struct route_info route = {.table = ROUTE_TABLE_MAIN};

	if (!read_route_addr(reader, entry, &route.gateway))
		return;
	route.to.addr.family = route.gateway.family;
	import_add_route(reader->import, reader->tunnel, &route);
}

/* [Network] */
static void read_network_key(struct reader *reader, const struct unit_entry *entry)
{
	struct import_tunnel *tunnel = reader->tunnel;

	if (is(entry, "Address") && !*entry->value)
		tunnel->address_count = 0;
	else if (is(entry, "Address"))
		add_address(reader, entry, NULL);
	else if (is(entry, "Gateway"))
		read_gateway(reader, entry);
	else if (is(entry, "Bridge") && !value_name(entry->value, tunnel->bridge))
		return;
	else if (is(entry, "VRF") && !value_name(entry->value, tunnel->vrf))
		return;
	else if (is(entry, "IPForward") || is(entry, "IPv4Forwarding") ||
		 is(entry, "IPv6Forwarding"))
		import_note(reader->import, &tunnel->notes,
			    "%s:%d: %s=%s: see the suggestion for [forward] below",
			    reader->file->name, entry->line, entry->key, entry->value);
	else if (is(entry, "IPMasquerade"))
		reader->import->asks_masquerade |= strcmp(entry->value, "no") != 0;
	else if (!is(entry, "LinkLocalAddressing") && !is(entry, "IPv6AcceptRA") &&
		 !is(entry, "Description") && !is(entry, "ConfigureWithoutCarrier") &&
		 !is(entry, "IPv4AcceptLocal"))
		left_out(reader, entry);
}

static void read_link_key(struct reader *reader, const struct unit_entry *entry)
{
	if (!is(entry, "MTUBytes"))
		left_out(reader, entry);
	else if (netdev_size(reader->file, entry, &reader->tunnel->gre.link.mtu))
		reader->tunnel->mtu_auto = false;
}

void network_read(struct import *import, struct import_tunnel *tunnel, struct unit_file *file)
{
	struct reader reader = {import, tunnel, file};

	for (size_t i = 0; i < file->count;) {
		const struct unit_entry *entry = &file->entries[i];
		size_t end = end_of_section(file, i);

		if (strcmp(entry->section, "Address") == 0) {
			read_address(&reader, i, end);
			i = end;
			continue;
		}
		if (strcmp(entry->section, "Route") == 0) {
			read_route(&reader, i, end);
			i = end;
			continue;
		}
		if (strcmp(entry->section, "Network") == 0)
			read_network_key(&reader, entry);
		else if (strcmp(entry->section, "Link") == 0)
			read_link_key(&reader, entry);
		else if (strcmp(entry->section, "Match") != 0)
			left_out(&reader, entry);
		i++;
	}
}
