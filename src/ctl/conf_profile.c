/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profiles, and how they fill a tunnel in. A profile is applied when its tunnel has been read
 * to the end, so that it does not matter where in the section it stands; the limits that it sets
 * are judged in conf_profile_check.c, on the values, wherever those came from. Printing writes the
 * profile and every value, so that what is read back is the same even if a later version of the
 * profile fills in something else.
 */
#include "ctl/conf_profile.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/conf_params.h"

#define PLAIN_OVERHEAD 24 /* IPv4 and four bytes of GRE */
#define MTU_TEXT_SIZE  12

/* RFC 1918. */
#define PRIVATE "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16"

/* Both of its services have the same tunnels. */
#define CLOUDFLARE                                                                       \
	.fills = {{"ttl", "64"}, {"echo-reply", "return"}}, .mtu = 1476, .mtu_min = 576, \
	.forbids = FORBIDS_OPTIONS,                                                      \
	.inner = {{.family = IP_V4, .len = 31, .from = PRIVATE}, {.family = IP_V6, .len = 127}}

static const struct conf_profile profiles[] = {
	{.name = "cloudflare-transit", .who = "Cloudflare Magic Transit", CLOUDFLARE},
	{.name = "cloudflare-wan", .who = "Cloudflare WAN", CLOUDFLARE},
	{
		.name = "zscaler",
		.who = "Zscaler Internet Access",
		.fills = {{"keepalive", "10s 3"}, {"keepalive-form", "cisco"}},
		.mtu = 1476,
		.forbids = FORBIDS_GRETAP,
	},
	{
		.name = "aws-connect",
		.who = "AWS Transit Gateway Connect",
		.mtu = 8476,
		.mtu_max = 8476,
		.forbids = FORBIDS_OPTIONS,
		.inner = {{.family = IP_V4,
			   .len = 29,
			   .first = true,
			   .from = "169.254.0.0/16",
			   .reserved = "169.254.0.0/29 169.254.1.0/29 169.254.2.0/29 "
				       "169.254.3.0/29 169.254.4.0/29 169.254.5.0/29 "
				       "169.254.169.248/29"},
			  {.family = IP_V6, .len = 125, .first = true, .from = "fd00::/8"}},
	},
	{
		.name = "google",
		.who = "a Google Cloud VPC of the default MTU",
		.mtu = 1436,
		.mtu_max = 8872,
	},
	{
		.name = "akamai",
		.who = "Akamai Prolexic",
		.mtu = 1476,
		.forbids = FORBIDS_GRETAP,
	},
	{
		.name = "kaspersky",
		.who = "Kaspersky DDoS Protection",
		.fills = {{"keepalive", "no"}},
		.forbids = FORBIDS_KEEPALIVE | FORBIDS_GRETAP,
	},
	{
		.name = "ddos-guard",
		.who = "DDoS-Guard",
		.fills = {{"mss", "1400"}},
		.mtu = 1476,
		.mtu_max = 1476,
		.mss_max = 1436,
		.forbids = FORBIDS_GRETAP,
	},
	{
		.name = "path",
		.who = "Path.net",
		.fills = {{"mss", "1400"}},
		.mtu = 1476,
		.mtu_max = 1476,
		.forbids = FORBIDS_GRETAP | FORBIDS_IPV6_OUTSIDE,
	},
	{
		.name = "gcore",
		.who = "Gcore",
		.mtu = 1476,
		.mtu_max = 1476,
		.mss_max = 1436,
		.forbids = FORBIDS_GRETAP,
	},
	{
		.name = "doublezero",
		.who = "DoubleZero",
		.mtu = 1476,
		.forbids = FORBIDS_GRETAP,
		.inner = {{.family = IP_V4, .len = 31, .from = "169.254.0.0/16"}},
	},
	{
		.name = "freifunk",
		.who = "Freifunk Rheinland",
		.fills = {{"ttl", "255"}},
		.mtu = 1400,
		.forbids = FORBIDS_GRETAP,
		.inner = {{.family = IP_V4, .len = 31, .from = "100.64.0.0/10"},
			  {.family = IP_V6, .len = 64}},
	},
	{
		.name = "cisco",
		.who = "a router with Cisco's GRE",
		.fills = {{"ttl", "255"}, {"keepalive", "10s 3"}, {"keepalive-form", "cisco"}},
	},
	{
		.name = "mikrotik",
		.who = "a MikroTik router",
		.fills = {{"keepalive", "10s 10"}, {"keepalive-form", "mikrotik"}},
		.forbids = FORBIDS_OPTIONS,
	},
	{
		.name = "generic",
		.who = "nobody in particular",
	},
};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

const char *conf_profile_name(size_t index)
{
	return index < PROFILE_COUNT ? profiles[index].name : NULL;
}

void conf_key_profile(struct conf_reader *reader, char *value)
{
	char expected[400] = "";

	for (size_t i = 0; i < PROFILE_COUNT; i++) {
		size_t used = strlen(expected);

		if (strcmp(value, profiles[i].name) == 0) {
			reader->tunnel->profile = &profiles[i];
			return;
		}
		snprintf(expected + used, sizeof expected - used, "%s%s",
			 i == 0			  ? ""
			 : i + 1 == PROFILE_COUNT ? " or "
						  : ", ",
			 profiles[i].name);
	}
	conf_bad_value(reader, value, expected);
}

/* The text of a profile's mtu for this tunnel, or "": what the outer header has more than the
 * plain one is taken off. */
static void mtu_text(const struct conf_tunnel *tunnel, char text[MTU_TEXT_SIZE])
{
	unsigned overhead = conf_overhead(tunnel), mtu = tunnel->profile->mtu;

	text[0] = 0;
	if (mtu)
		snprintf(text, MTU_TEXT_SIZE, "%u",
			 overhead > PLAIN_OVERHEAD ? mtu - (overhead - PLAIN_OVERHEAD) : mtu);
}

/* Writes a key where the file has none; its line is then that of the profile. */
static void fill(struct conf_reader *reader, const char *key, const char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	int row = conf_key_find(SECTION_TUNNEL, key);
	char text[CONF_LINE_MAX + 1];

	if (row < 0 || tunnel->lines[row])
		return;
	snprintf(text, sizeof text, "%s", value);
	conf_key_set(reader, row, text);
	tunnel->lines[row] = tunnel->lines[TUNNEL_PROFILE];
}

static void fill_tunnel(struct conf_reader *reader, struct conf_tunnel *tunnel)
{
	const struct conf_profile *profile = tunnel->profile;
	char mtu[MTU_TEXT_SIZE];

	reader->section = SECTION_TUNNEL;
	reader->tunnel = tunnel;
	reader->at = (struct conf_place){tunnel->at.file, tunnel->lines[TUNNEL_PROFILE]};
	for (size_t i = 0; i < PROFILE_FILLS && profile->fills[i].key; i++)
		fill(reader, profile->fills[i].key, profile->fills[i].value);
	mtu_text(tunnel, mtu);
	if (*mtu)
		fill(reader, "mtu", mtu);
}

void conf_profiles_fill(struct conf_reader *reader)
{
	struct conf *conf = reader->conf;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].profile)
			fill_tunnel(reader, &conf->tunnels[i]);
}

/* True when the profile, not the file, wrote this key. */
static bool filled(const struct conf_tunnel *tunnel, const char *key)
{
	int row = conf_key_find(SECTION_TUNNEL, key);

	return row >= 0 && tunnel->lines[row] == tunnel->lines[TUNNEL_PROFILE];
}

void conf_profile_print(const struct conf_tunnel *tunnel, FILE *out)
{
	if (tunnel->profile)
		fprintf(out, "profile = %s\n", tunnel->profile->name);
}

void conf_profile_explain(const struct conf_tunnel *tunnel, FILE *out)
{
	const struct conf_profile *profile = tunnel->profile;
	const char *between = ": ";

	if (!profile)
		return;
	fprintf(out, "%s: profile %s, %s", tunnel->name, profile->name, profile->who);
	for (size_t i = 0; i < PROFILE_FILLS && profile->fills[i].key; i++) {
		if (!filled(tunnel, profile->fills[i].key))
			continue;
		fprintf(out, "%s%s = %s", between, profile->fills[i].key, profile->fills[i].value);
		between = ", ";
	}
	if (filled(tunnel, "mtu")) {
		fprintf(out, "%smtu = %" PRIu32, between, tunnel->mtu);
		between = ", ";
	}
	fprintf(out, "%s\n", strcmp(between, ": ") == 0 ? ": adds nothing to the file" : "");
}
