/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table as a whole, with everything that a site can ask for:
 *
 *	forward      -> packets from or to one of our tunnels are judged, others never. What comes
 *	                in by a VRF has the VRF as its iifname there, and as its sdifname the device
 *	judge           established, published, allowed pairs; the rest is counted and dropped
 *	prerouting      publish: destination NAT
 *	postrouting     masquerade and snat
 *	return_in, return_out   marks for return-path (return_path.h)
 *	raw_in, raw_out GRE between our outer addresses, in UDP too, is not tracked; of a peer that
 *	                is learned whatever comes to, and leaves by, our address and port
 *	copies          IP packets in copied frames (mode = erspan) are not for this host; who looks
 *	                at the interface, or has a filter of tc there, has seen them before
 *
 * Chains that would be empty are left out. Interfaces are named, not numbered, so the table can be
 * loaded before they exist. Protocols are numbers, because /etc/protocols may be missing.
 */
#include "ctl/rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/return_path.h"

static const char *family_word(uint8_t family)
{
	return family == IP_V6 ? "ip6" : "ip";
}

/* "ip saddr 10.0.0.0/8 ", or nothing for a prefix that everything matches. */
static void print_match(FILE *out, const char *field, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	if (prefix->len)
		fprintf(out, "%s %s %s ", family_word(prefix->addr.family), field,
			prefix_format(prefix, text));
}

static void print_family(FILE *out, uint8_t family)
{
	fprintf(out, "meta nfproto ipv%c ", family == IP_V6 ? '6' : '4');
}

/* How GRE goes: directly in IP, in UDP, or in UDP from wherever the peer is. */
enum carriage { IN_IP, IN_UDP, FROM_ANY, CARRIAGES };

/* Outer address pairs, and how GRE goes between them. */
struct pair {
	struct ip_addr local, remote; /* FROM_ANY: no remote */
	uint16_t udp_port;	      /* IN_IP: 0 */
	uint8_t carriage;
	bool notrack;
};

static int compare_pairs(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct pair, notrack));
}

static bool is_translated(const struct conf *conf, const struct ip_addr *addr)
{
	for (size_t i = 0; i < conf->forward.snat_count; i++)
		if (prefix_contains(&conf->forward.snats[i].from, addr))
			return true;
	return false;
}

/* Sorted, each pair once; of tunnels that share a pair all must allow it to be left untracked. */
static int collect_pairs(const struct conf *conf, struct pair **out, size_t *count)
{
	struct pair *pairs = calloc(conf->tunnel_count + 1, sizeof(*pairs));
	size_t kept = 0;

	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		pairs[i].local = t->local;
		if (!t->remote_any)
			pairs[i].remote = t->remote;
		pairs[i].udp_port = t->udp_port;
		pairs[i].carriage = t->remote_any ? FROM_ANY : t->udp_port ? IN_UDP : IN_IP;
		pairs[i].notrack = t->notrack && (conf_has_ends(t) || t->remote_any) &&
				   !is_translated(conf, &t->local);
	}
	qsort(pairs, conf->tunnel_count, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (kept && compare_pairs(&pairs[kept - 1], &pairs[i]) == 0)
			pairs[kept - 1].notrack &= pairs[i].notrack;
		else
			pairs[kept++] = pairs[i];
	}
	*out = pairs;
	*count = kept;
	return 0;
}

static bool is_untracked(const struct pair *pair, uint8_t family, enum carriage carriage)
{
	return pair->notrack && pair->local.family == family && pair->carriage == carriage;
}

static size_t count_untracked(const struct pair *pairs, size_t count, uint8_t family,
			      enum carriage carriage)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += is_untracked(&pairs[i], family, carriage);
	return found;
}

static bool any_untracked(const struct pair *pairs, size_t count)
{
	size_t found = 0;

	for (enum carriage carriage = IN_IP; carriage < CARRIAGES; carriage++)
		found += count_untracked(pairs, count, IP_V4, carriage) +
			 count_untracked(pairs, count, IP_V6, carriage);
	return found != 0;
}

static char family_digit(uint8_t family)
{
	return family == IP_V6 ? '6' : '4';
}

static const char *const set_suffixes[CARRIAGES] = {"", "_udp", "_any"};

static void print_outer_set(FILE *out, const struct pair *pairs, size_t count, uint8_t family,
			    enum carriage carriage)
{
	char text[ADDR_TEXT_SIZE], digit = family_digit(family);
	const char *comma = "";

	if (!count_untracked(pairs, count, family, carriage))
		return;
	fprintf(out, "\tset outer%s%c {\n\t\ttype ipv%c_addr", set_suffixes[carriage], digit,
		digit);
	if (carriage != FROM_ANY)
		fprintf(out, " . ipv%c_addr", digit);
	fprintf(out, "%s\n\t\telements = {", carriage == IN_IP ? "" : " . inet_service");
	for (size_t i = 0; i < count; i++) {
		if (!is_untracked(&pairs[i], family, carriage))
			continue;
		fprintf(out, "%s\n\t\t\t%s", comma, addr_format(&pairs[i].local, text));
		if (carriage != FROM_ANY)
			fprintf(out, " . %s", addr_format(&pairs[i].remote, text));
		if (carriage != IN_IP)
			fprintf(out, " . %u", pairs[i].udp_port);
		comma = ",";
	}
	fprintf(out, "\n\t\t}\n\t}\n");
}

/* Where a packet of one direction has this host's address, the peer's, and the port that is ours:
 * the destination's of each packet in UDP, but of those to a learned peer, whose port its NAT has
 * chosen. */
struct fields {
	const char *near, *far, *port;
};

/* One rule for each set there is. */
static void print_notrack(FILE *out, const struct pair *pairs, size_t count,
			  const struct fields *fields)
{
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < 2 * CARRIAGES; i++) {
		uint8_t family = families[i % 2];
		enum carriage carriage = (enum carriage)(i / 2);
		const char *word = family_word(family);

		if (!count_untracked(pairs, count, family, carriage))
			continue;
		fprintf(out, "\t\tmeta l4proto %s %s %s", carriage == IN_IP ? "47" : "17", word,
			fields->near);
		if (carriage != FROM_ANY)
			fprintf(out, " . %s %s%s", word, fields->far,
				carriage == IN_UDP ? " . udp dport" : "");
		else
			fprintf(out, " . udp %s", fields->port);
		fprintf(out, " @outer%s%c notrack\n", set_suffixes[carriage], family_digit(family));
	}
}

static void print_raw(FILE *out, const struct pair *pairs, size_t count)
{
	if (!any_untracked(pairs, count))
		return;
	fprintf(out, "\tchain raw_in {\n\t\ttype filter hook prerouting priority raw\n");
	print_notrack(out, pairs, count, &(struct fields){"daddr", "saddr", "dport"});
	fprintf(out, "\t}\n\tchain raw_out {\n\t\ttype filter hook output priority raw\n");
	print_notrack(out, pairs, count, &(struct fields){"saddr", "daddr", "sport"});
	fprintf(out, "\t}\n");
}

static bool has_copies(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].mode == MODE_ERSPAN)
			return true;
	return false;
}

static void print_copies(FILE *out, const struct conf *conf)
{
	const char *comma = "";

	fprintf(out, "\tchain copies {\n\t\ttype filter hook prerouting priority -310\n"
		     "\t\tiifname {");
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (conf->tunnels[i].mode != MODE_ERSPAN)
			continue;
		fprintf(out, "%s \"%s\"", comma, conf->tunnels[i].name);
		comma = ",";
	}
	fprintf(out, " } counter drop\n\t}\n");
}

static void print_tunnel_set(FILE *out, const struct conf *conf)
{
	fprintf(out, "\tset tunnels {\n\t\ttype ifname\n\t\telements = {");
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (!conf->tunnels[i].hub)
			fprintf(out, "%s\n\t\t\t\"%s\"", i ? "," : "", conf->tunnels[i].name);
	fprintf(out, "\n\t\t}\n\t}\n");
}

static void print_pair_rule(FILE *out, const struct ip_prefix *from, const struct ip_prefix *to)
{
	fprintf(out, "\t\t");
	if (!from->len && !to->len)
		print_family(out, from->addr.family);
	print_match(out, "saddr", from);
	print_match(out, "daddr", to);
	fprintf(out, "accept\n");
}

static const char *protocol_word(uint8_t protocol)
{
	return protocol == 6 ? "tcp" : "udp";
}

static void print_ports(FILE *out, uint8_t protocol, uint16_t first, uint16_t last)
{
	fprintf(out, "%s dport %u", protocol_word(protocol), first);
	if (last != first)
		fprintf(out, "-%u", last);
	fprintf(out, " ");
}

/* The forward hook sees the translated destination. `arrival`: iifname, or sdifname in a VRF. */
static void print_published(FILE *out, const struct conf_publish *publish, const char *arrival)
{
	struct ip_prefix to = {publish->to, (uint8_t)(addr_size(publish->to.family) * 8)};
	uint16_t first = publish->to_port ? publish->to_port : publish->port;
	uint16_t last = publish->to_port ? publish->to_port : publish->port_end;

	fprintf(out, "\t\t%s \"%s\" ", arrival, publish->in);
	print_match(out, "daddr", &to);
	print_ports(out, publish->protocol, first, last);
	fprintf(out, "ct status dnat accept\n");
}

/* Whether the prefix is one of the addresses that the tunnel's peer has inside. */
static bool is_inner_peer(const struct conf_tunnel *tunnel, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < tunnel->address_count; i++) {
		const struct conf_address *address = &tunnel->addresses[i];
		struct ip_prefix inner = prefix_network(&address->local);

		if (address->peer.family != IP_NONE)
			inner.addr = address->peer;
		else if (inner.len == addr_size(inner.addr.family) * 8)
			continue;
		if (prefix->len >= inner.len && prefix_contains(&inner, &prefix->addr))
			return true;
	}
	return false;
}

/*
 * A peer that masquerades shows one inner address for all that is behind it, which no `allow` line
 * names. Where the file says what becomes of packets from that address ("masquerade = 192.168.8.11
 * out eth1"), they may open what the allow lines let somebody open. Returns the families of the
 * rules, which refer to the sets open4 and open6: bit 0 IPv4, bit 1 IPv6.
 */
static unsigned print_hidden(FILE *out, const struct conf *conf)
{
	unsigned families = 0;

	for (size_t i = 0; i < conf->forward.snat_count; i++) {
		const struct conf_snat *snat = &conf->forward.snats[i];
		bool v6 = snat->from.addr.family == IP_V6;

		for (size_t j = 0; j < conf->tunnel_count; j++) {
			if (!is_inner_peer(&conf->tunnels[j], &snat->from))
				continue;
			families |= v6 ? 2 : 1;
			fprintf(out, "\t\t%s \"%s\" ",
				conf->tunnels[j].vrf[0] ? "meta sdifname" : "iifname",
				conf->tunnels[j].name);
			print_match(out, "saddr", &snat->from);
			fprintf(out, "oifname \"%s\" %s daddr @open%c accept\n", snat->out,
				family_word(snat->from.addr.family), v6 ? '6' : '4');
		}
	}
	return families;
}

static void print_element(FILE *out, const struct ip_prefix *prefix, uint8_t family,
			  const char **comma)
{
	char text[PREFIX_TEXT_SIZE];

	if (prefix->addr.family != family)
		return;
	fprintf(out, "%s\n\t\t\t%s", *comma, prefix_format(prefix, text));
	*comma = ",";
}

/* What the allow lines let be opened. */
static void print_open_set(FILE *out, const struct conf_forward *forward, uint8_t family)
{
	const char *comma = "";

	fprintf(out, "\tset open%c {\n\t\ttype ipv%c_addr\n\t\tflags interval\n\t\tauto-merge\n",
		family == IP_V6 ? '6' : '4', family == IP_V6 ? '6' : '4');
	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];

		if (!*comma && allow->to.addr.family == family)
			fprintf(out, "\t\telements = {");
		print_element(out, &allow->to, family, &comma);
		if (allow->both)
			print_element(out, &allow->from, family, &comma);
	}
	fprintf(out, "%s\t}\n", *comma ? "\n\t\t}\n" : "");
}

static void print_judge(FILE *out, const struct conf *conf, const char *hidden)
{
	const struct conf_forward *forward = &conf->forward;

	fprintf(out, "\tchain judge {\n\t\tct state established,related accept\n");
	for (size_t i = 0; i < forward->publish_count; i++) {
		print_published(out, &forward->publishes[i], "iifname");
		if (conf_has_vrfs(conf))
			print_published(out, &forward->publishes[i], "meta sdifname");
	}
	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];

		print_pair_rule(out, &allow->from, &allow->to);
		if (allow->both)
			print_pair_rule(out, &allow->to, &allow->from);
	}
	fprintf(out, "%s\t\tcounter name %s drop\n\t}\n", hidden, RULES_DROP_COUNTER);
}

/* False without memory. */
static bool print_forward(FILE *out, const struct conf *conf)
{
	char *hidden = NULL;
	unsigned families;
	size_t size;
	FILE *rules;

	if (!conf->forward.allow_count || !conf->tunnel_count)
		return true;
	rules = open_memstream(&hidden, &size);
	if (!rules)
		return false;
	families = print_hidden(rules, conf);
	if (fclose(rules) != 0) {
		free(hidden);
		return false;
	}
	fprintf(out, "\tcounter %s {\n\t}\n", RULES_DROP_COUNTER);
	print_tunnel_set(out, conf);
	if (families & 1)
		print_open_set(out, &conf->forward, IP_V4);
	if (families & 2)
		print_open_set(out, &conf->forward, IP_V6);
	print_judge(out, conf, hidden);
	fprintf(out, "\tchain forward {\n\t\ttype filter hook forward priority filter\n"
		     "\t\tiifname @tunnels goto judge\n\t\toifname @tunnels goto judge\n");
	if (conf_has_vrfs(conf))
		fprintf(out, "\t\tmeta sdifname @tunnels goto judge\n");
	fprintf(out, "\t}\n");
	free(hidden);
	return true;
}

/* `local`: the words for what is addressed to this host. */
static void print_dnat(FILE *out, const struct conf_publish *publish, const char *local)
{
	bool v6 = publish->to.family == IP_V6;
	char to[ADDR_TEXT_SIZE];

	/* Only what is addressed to this host: other traffic to that port just passes through. */
	fprintf(out, "\t\tiifname \"%s\" ", publish->in);
	print_family(out, publish->to.family);
	fprintf(out, "%s ", local);
	print_ports(out, publish->protocol, publish->port, publish->port_end);
	fprintf(out, "dnat %s to ", family_word(publish->to.family));
	addr_format(&publish->to, to);
	if (publish->to_port)
		fprintf(out, v6 ? "[%s]:%u\n" : "%s:%u\n", to, publish->to_port);
	else
		fprintf(out, "%s\n", to);
}

static void print_snat(FILE *out, const struct conf_snat *snat)
{
	char to[ADDR_TEXT_SIZE];

	fprintf(out, "\t\t");
	if (!snat->from.len)
		print_family(out, snat->from.addr.family);
	print_match(out, "saddr", &snat->from);
	fprintf(out, "oifname \"%s\" ", snat->out);
	if (snat->to.family == IP_NONE)
		fprintf(out, "masquerade\n");
	else
		fprintf(out, "snat %s to %s\n", family_word(snat->to.family),
			addr_format(&snat->to, to));
}

static void print_nat(FILE *out, const struct conf *conf)
{
	const struct conf_forward *forward = &conf->forward;

	if (forward->publish_count) {
		fprintf(out,
			"\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat\n");
		for (size_t i = 0; i < forward->publish_count; i++) {
			print_dnat(out, &forward->publishes[i], "fib daddr type local");
			/* Addresses in a VRF are local there only; asked so, the kernel tells those
			 * of the device itself. */
			if (conf_has_vrfs(conf))
				print_dnat(out, &forward->publishes[i],
					   "fib daddr . iif type local");
		}
		fprintf(out, "\t}\n");
	}
	if (forward->snat_count) {
		fprintf(out,
			"\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat\n");
		for (size_t i = 0; i < forward->snat_count; i++)
			print_snat(out, &forward->snats[i]);
		fprintf(out, "\t}\n");
	}
}

static bool is_empty(const struct conf *conf, bool nft, const struct pair *pairs, size_t count)
{
	const struct conf_forward *forward = &conf->forward;

	return !(forward->allow_count && conf->tunnel_count) && !forward->snat_count &&
	       !forward->publish_count && !any_untracked(pairs, count) && !return_first(conf) &&
	       !(nft && has_copies(conf));
}

static bool print_table(FILE *out, const struct conf *conf, const struct pair *pairs, size_t count,
			const uint8_t *numbers)
{
	bool complete;

	/* Added first so that the deletion never fails; all three are one transaction. */
	fprintf(out, "add table %s\ndelete table %s\ntable %s {\n", RULES_TABLE, RULES_TABLE,
		RULES_TABLE);
	for (enum carriage carriage = IN_IP; carriage < CARRIAGES; carriage++) {
		print_outer_set(out, pairs, count, IP_V4, carriage);
		print_outer_set(out, pairs, count, IP_V6, carriage);
	}
	print_raw(out, pairs, count);
	if (has_copies(conf))
		print_copies(out, conf);
	return_print(conf, numbers, out);
	complete = print_forward(out, conf);
	print_nat(out, conf);
	fprintf(out, "}\n");
	return complete;
}

int rules_text(const struct conf *conf, bool notrack, const uint8_t *numbers, char **out)
{
	struct pair *pairs;
	size_t count, size;
	FILE *stream;
	bool complete;
	int err = collect_pairs(conf, &pairs, &count);

	*out = NULL;
	if (err)
		return err;
	if (!notrack)
		count = 0;
	if (is_empty(conf, notrack, pairs, count)) {
		free(pairs);
		return 0;
	}
	stream = open_memstream(out, &size);
	complete = stream && print_table(stream, conf, pairs, count, numbers);
	free(pairs);
	if (stream && fclose(stream) == 0 && complete)
		return 0;
	free(*out);
	*out = NULL;
	return -ENOMEM;
}

uint64_t rules_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
	return hash;
}

void rules_summary(const struct conf *conf, char *buf, size_t size)
{
	static const char *const words[] = {"allow", "masquerade", "snat", "publish",
					    "return path"};
	const struct conf_forward *forward = &conf->forward;
	size_t counts[5] = {forward->allow_count, 0, 0, forward->publish_count, 0};
	size_t used = 0;

	for (size_t i = 0; i < forward->snat_count; i++)
		counts[forward->snats[i].to.family == IP_NONE ? 1 : 2]++;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		counts[4] += conf->tunnels[i].return_path;
	snprintf(buf, size, "outer packets untracked");
	for (size_t i = 0; i < 5; i++)
		if (counts[i] && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%zu %s",
						 used ? ", " : "", counts[i], words[i]);
}
