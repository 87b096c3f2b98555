/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function per key of [tunnel]. */
#include "ctl/conf_parse.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"
#include "proto/gue.h"
#include "proto/udp.h"

#define RT_TABLE_LOCAL_ID 255
/* A route with all its words. */
#define ROUTE_WORDS 9

void conf_key_bind(struct conf_reader *reader, char *value)
{
	conf_parse_device(reader, value, reader->tunnel->bind);
}

void conf_key_fwmark(struct conf_reader *reader, char *value)
{
	if (!value_u32(value, 0, UINT32_MAX, &reader->tunnel->fwmark))
		conf_bad_value(reader, value,
			       "a number from 0 (no mark) to 4294967295, or 0x and hexadecimal "
			       "digits");
}

void conf_key_bridge(struct conf_reader *reader, char *value)
{
	conf_parse_device(reader, value, reader->tunnel->bridge);
}

/* ADDRESS | ADDRESS/LENGTH | ADDRESS peer ADDRESS */
static bool parse_address(struct conf_reader *reader, char *value, struct conf_address *out)
{
	char *words[3];
	size_t count = value_split(value, words, 3);

	if (!prefix_parse(words[0], &out->local) || (count != 1 && count != 3) ||
	    (count == 3 && strcmp(words[1], "peer") != 0)) {
		conf_fault(reader->faults, reader->at,
			   "the address is not understood: write for example "
			   "address = 192.168.8.1 peer 192.168.8.11, or 192.168.8.1/30");
		return false;
	}
	if (count == 1)
		return true;
	if (!addr_parse(words[2], &out->peer)) {
		conf_fault(
			reader->faults, reader->at,
			"the peer \"%.60s\" is not an address: write one without a prefix length",
			words[2]);
		return false;
	}
	if (out->local.len != addr_size(out->local.addr.family) * 8) {
		conf_fault(reader->faults, reader->at,
			   "an address with a peer has no prefix length: leave out the /%u",
			   out->local.len);
		return false;
	}
	return true;
}

void conf_key_address(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	struct conf_address address = {.at = reader->at}, *array;

	if (!parse_address(reader, value, &address))
		return;
	array = conf_grow(reader, tunnel->addresses, &tunnel->address_count, sizeof *array);
	if (!array)
		return;
	tunnel->addresses = array;
	array[tunnel->address_count - 1] = address;
}

/* One `word argument` pair behind the prefix of a route. */
static bool parse_route_option(struct conf_reader *reader, const char *name, const char *value,
			       struct conf_route *route)
{
	if (strcmp(name, "src") == 0)
		return conf_parse_addr(reader, value, &route->src);
	if (strcmp(name, "via") == 0)
		return conf_parse_addr(reader, value, &route->via);
	if (strcmp(name, "metric") == 0) {
		if (value_u32(value, 1, UINT32_MAX, &route->metric))
			return true;
		conf_fault(reader->faults, reader->at,
			   "metric %.40s is not possible: write a number from 1 to 4294967295",
			   value);
	} else if (strcmp(name, "table") == 0) {
		if (value_u32(value, 1, UINT32_MAX, &route->table) &&
		    route->table != RT_TABLE_LOCAL_ID)
			return true;
		conf_fault(reader->faults, reader->at,
			   "table %.40s is not possible: write a number from 1 to 4294967295, "
			   "but not 255",
			   value);
	} else {
		conf_fault(reader->faults, reader->at,
			   "\"%.40s\" is not a word of a route: write "
			   "PREFIX [via ADDRESS] [metric N] [src ADDRESS] [table N]",
			   name);
	}
	return false;
}

/* True when a word at an odd place, the name of an option, stands there for the second time. */
static bool option_repeated(char *const *words, size_t at)
{
	for (size_t i = 1; i < at; i += 2)
		if (strcmp(words[i], words[at]) == 0)
			return true;
	return false;
}

static bool parse_route(struct conf_reader *reader, char *value, struct conf_route *route)
{
	char *words[ROUTE_WORDS];
	size_t count = value_split(value, words, ROUTE_WORDS);

	if (strcmp(words[0], "default") == 0) {
		conf_fault(reader->faults, reader->at,
			   "\"default\" does not say which family: write 0.0.0.0/0 or ::/0");
		return false;
	}
	if (!conf_parse_network(reader, words[0], &route->to))
		return false;
	for (size_t i = 1; i < count && i < ROUTE_WORDS; i += 2) {
		if (i + 1 == count || i + 1 == ROUTE_WORDS) {
			conf_fault(reader->faults, reader->at,
				   "nothing follows \"%.40s\": write "
				   "PREFIX [via ADDRESS] [metric N] [src ADDRESS] [table N]",
				   words[i]);
			return false;
		}
		if (option_repeated(words, i)) {
			conf_fault(reader->faults, reader->at,
				   "%s stands twice in the route: write it once", words[i]);
			return false;
		}
		if (!parse_route_option(reader, words[i], words[i + 1], route))
			return false;
	}
	if (count > ROUTE_WORDS)
		conf_fault(reader->faults, reader->at,
			   "the route has too many words: write "
			   "PREFIX [via ADDRESS] [metric N] [src ADDRESS] [table N]");
	return count <= ROUTE_WORDS;
}

void conf_key_route(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	struct conf_route route = {.at = reader->at}, *array;

	if (!parse_route(reader, value, &route))
		return;
	array = conf_grow(reader, tunnel->routes, &tunnel->route_count, sizeof *array);
	if (!array)
		return;
	tunnel->routes = array;
	array[tunnel->route_count - 1] = route;
}

static void parse_key(struct conf_reader *reader, const char *value, struct conf_key *out)
{
	struct conf_key key = {.present = true};
	struct ip_addr quad;

	if (addr_parse(value, &quad) && quad.family == IP_V4) {
		key.value = (uint32_t)quad.bytes[0] << 24 | (uint32_t)quad.bytes[1] << 16 |
			    (uint32_t)quad.bytes[2] << 8 | quad.bytes[3];
		*out = key;
	} else if (value_u32(value, 0, UINT32_MAX, &key.value)) {
		*out = key;
	} else {
		conf_bad_value(reader, value,
			       "a number from 0 to 4294967295, or 0x and hexadecimal digits, "
			       "or a dotted quad");
	}
}

/* `key` is both of the others. */
static bool key_clash(struct conf_reader *reader, enum conf_tunnel_key other, const char *name)
{
	int line = reader->tunnel->lines[other];

	if (line)
		conf_fault(reader->faults, reader->at,
			   "%s and %s (line %d) exclude each other: write key alone, or ikey and "
			   "okey",
			   reader->key, name, line);
	return line != 0;
}

void conf_key_key(struct conf_reader *reader, char *value)
{
	if (key_clash(reader, TUNNEL_IKEY, "ikey") || key_clash(reader, TUNNEL_OKEY, "okey"))
		return;
	parse_key(reader, value, &reader->tunnel->ikey);
	reader->tunnel->okey = reader->tunnel->ikey;
}

void conf_key_ikey(struct conf_reader *reader, char *value)
{
	if (!key_clash(reader, TUNNEL_KEY, "key"))
		parse_key(reader, value, &reader->tunnel->ikey);
}

void conf_key_okey(struct conf_reader *reader, char *value)
{
	if (!key_clash(reader, TUNNEL_KEY, "key"))
		parse_key(reader, value, &reader->tunnel->okey);
}

void conf_key_checksum(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"no", "yes", "require", "receive", NULL};
	int index = conf_word(reader, value, words, "no, yes, require or receive");

	if (index >= 0)
		reader->tunnel->checksum = (enum conf_checksum)index;
}

void conf_key_sequence(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"no", "yes", "send", "receive", NULL};
	int index = conf_word(reader, value, words, "no, yes, send or receive");

	if (index >= 0)
		reader->tunnel->sequence = (enum conf_sequence)index;
}

/* A port below 1024 takes a right that greteld has given up by the time it listens. */
void conf_key_udp(struct conf_reader *reader, char *value)
{
	static const char *const names[] = {"no", "yes", "gue", NULL};
	static const uint16_t ports[] = {0, UDP_PORT_GRE, GUE_PORT};
	struct conf_tunnel *tunnel = reader->tunnel;
	int index = value_word(value, names);
	char said[32], *words[2] = {"", ""};
	uint32_t port = 0;
	size_t count;
	bool gue;

	if (index >= 0) {
		tunnel->udp_port = ports[index];
		tunnel->gue = index == 2;
		return;
	}
	snprintf(said, sizeof said, "%s", value);
	count = value_split(value, words, 2);
	gue = count == 2 && strcmp(words[0], "gue") == 0;
	if (count != 1u + gue || !value_u32(words[gue], 1024, 65535, &port)) {
		conf_fault(reader->faults, reader->at,
			   "udp = %s is not understood: write no, yes, gue, a port from 1024 to "
			   "65535, or gue and a port",
			   said);
		return;
	}
	tunnel->udp_port = (uint16_t)port;
	tunnel->gue = gue;
}

void conf_key_udp_checksum(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->udp_checksum);
}

void conf_key_ttl(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	uint32_t ttl = 0;

	if (strcmp(value, "inherit") != 0 && !value_u32(value, 1, 255, &ttl)) {
		conf_bad_value(reader, value, "a number from 1 to 255, or inherit");
		return;
	}
	tunnel->ttl_inherit = ttl == 0;
	tunnel->ttl = (uint8_t)ttl;
}

void conf_key_tos(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	bool inherit = strcmp(value, "inherit") == 0;
	uint32_t tos = 0;

	if (!inherit && !value_u32(value, 0, 255, &tos)) {
		conf_bad_value(reader, value, "a number from 0 to 0xfc, or inherit");
	} else if (tos & 3) {
		conf_fault(reader->faults, reader->at,
			   "tos = %.40s has one of the two congestion bits: write tos = 0x%02x, "
			   "and ecn = yes to carry congestion marks",
			   value, tos & 0xfcu);
	} else {
		tunnel->tos_inherit = inherit;
		tunnel->tos = (uint8_t)tos;
	}
}

void conf_key_ecn(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->ecn);
}

void conf_key_df(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"set", "copy", "clear", NULL};
	int index = conf_word(reader, value, words, "set, copy or clear");

	if (index >= 0)
		reader->tunnel->df = (enum conf_df)index;
}

void conf_key_mtu(struct conf_reader *reader, char *value)
{
	uint32_t mtu = 0;

	if (strcmp(value, "auto") == 0 || value_u32(value, 68, 65535, &mtu))
		reader->tunnel->mtu = mtu;
	else
		conf_bad_value(reader, value, "auto, or a number from 68 to 65511");
}

void conf_key_mss(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	uint32_t mss = 0;

	if (strcmp(value, "auto") != 0 && strcmp(value, "no") != 0 &&
	    !value_u32(value, 28, 65495, &mss)) {
		conf_bad_value(reader, value, "auto, no, or a number from 28 to 65495");
		return;
	}
	tunnel->mss_auto = strcmp(value, "auto") == 0;
	tunnel->mss = (uint16_t)mss;
}

void conf_key_notrack(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->notrack);
}

const char *const conf_lanes[] = {"auto", "user", "tc", "xdp", NULL};

void conf_key_lane(struct conf_reader *reader, char *value)
{
	int index = value_word(value, conf_lanes);

	if (index >= 0)
		reader->tunnel->lane = (enum conf_lane)index;
	else
		conf_bad_value(reader, value, "auto, user, tc or xdp");
}

void conf_key_stateless(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->stateless);
}
