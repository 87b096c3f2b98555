/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table as a whole, with everything that a site can ask for:
 *
 *	forward      -> packets from or to one of our tunnels are judged, others never
 *	judge           established, published, allowed pairs; the rest is counted and dropped
 *	prerouting      publish: destination NAT
 *	postrouting     masquerade and snat
 *	raw_in, raw_out GRE between our outer addresses is not tracked
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

/* Outer address pairs. */
struct pair {
	struct ip_addr local, remote;
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
		pairs[i].remote = t->remote;
		pairs[i].notrack = t->notrack && !is_translated(conf, &t->local);
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

static size_t count_untracked(const struct pair *pairs, size_t count, uint8_t family)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += pairs[i].notrack && pairs[i].local.family == family;
	return found;
}

static void print_outer_set(FILE *out, const struct pair *pairs, size_t count, uint8_t family)
{
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	const char *comma = "";

	if (!count_untracked(pairs, count, family))
		return;
	fprintf(out, "\tset outer%c {\n\t\ttype ipv%c_addr . ipv%c_addr\n\t\telements = {",
		family == IP_V6 ? '6' : '4', family == IP_V6 ? '6' : '4',
		family == IP_V6 ? '6' : '4');
	for (size_t i = 0; i < count; i++) {
		if (!pairs[i].notrack || pairs[i].local.family != family)
			continue;
		fprintf(out, "%s\n\t\t\t%s . %s", comma, addr_format(&pairs[i].local, local),
			addr_format(&pairs[i].remote, remote));
		comma = ",";
	}
	fprintf(out, "\n\t\t}\n\t}\n");
}

static void print_raw(FILE *out, const struct pair *pairs, size_t count)
{
	bool v4 = count_untracked(pairs, count, IP_V4), v6 = count_untracked(pairs, count, IP_V6);

	if (!v4 && !v6)
		return;
	fprintf(out, "\tchain raw_in {\n\t\ttype filter hook prerouting priority raw\n");
	if (v4)
		fprintf(out, "\t\tmeta l4proto 47 ip daddr . ip saddr @outer4 notrack\n");
	if (v6)
		fprintf(out, "\t\tmeta l4proto 47 ip6 daddr . ip6 saddr @outer6 notrack\n");
	fprintf(out, "\t}\n\tchain raw_out {\n\t\ttype filter hook output priority raw\n");
	if (v4)
		fprintf(out, "\t\tmeta l4proto 47 ip saddr . ip daddr @outer4 notrack\n");
	if (v6)
		fprintf(out, "\t\tmeta l4proto 47 ip6 saddr . ip6 daddr @outer6 notrack\n");
	fprintf(out, "\t}\n");
}

static void print_tunnel_set(FILE *out, const struct conf *conf)
{
	fprintf(out, "\tset tunnels {\n\t\ttype ifname\n\t\telements = {");
	for (size_t i = 0; i < conf->tunnel_count; i++)
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

/* The forward hook sees the translated destination. */
static void print_published(FILE *out, const struct conf_publish *publish)
{
	struct ip_prefix to = {publish->to, (uint8_t)(addr_size(publish->to.family) * 8)};
	uint16_t first = publish->to_port ? publish->to_port : publish->port;
	uint16_t last = publish->to_port ? publish->to_port : publish->port_end;

	fprintf(out, "\t\tiifname \"%s\" ", publish->in);
	print_match(out, "daddr", &to);
	print_ports(out, publish->protocol, first, last);
	fprintf(out, "ct status dnat accept\n");
}

static void print_forward(FILE *out, const struct conf *conf)
{
	const struct conf_forward *forward = &conf->forward;

	if (!forward->allow_count || !conf->tunnel_count)
		return;
	fprintf(out, "\tcounter %s {\n\t}\n", RULES_DROP_COUNTER);
	print_tunnel_set(out, conf);
	fprintf(out, "\tchain judge {\n\t\tct state established,related accept\n");
	for (size_t i = 0; i < forward->publish_count; i++)
		print_published(out, &forward->publishes[i]);
	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];

		print_pair_rule(out, &allow->from, &allow->to);
		if (allow->both)
			print_pair_rule(out, &allow->to, &allow->from);
	}
	fprintf(out,
		"\t\tcounter name %s drop\n\t}\n"
		"\tchain forward {\n\t\ttype filter hook forward priority filter\n"
		"\t\tiifname @tunnels goto judge\n\t\toifname @tunnels goto judge\n\t}\n",
		RULES_DROP_COUNTER);
}

static void print_dnat(FILE *out, const struct conf_publish *publish)
{
	bool v6 = publish->to.family == IP_V6;
	char to[ADDR_TEXT_SIZE];

	/* Only what is addressed to this host: other traffic to that port just passes through. */
	fprintf(out, "\t\tiifname \"%s\" ", publish->in);
	print_family(out, publish->to.family);
	fprintf(out, "fib daddr type local ");
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

static void print_nat(FILE *out, const struct conf_forward *forward)
{
	if (forward->publish_count) {
		fprintf(out,
			"\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat\n");
		for (size_t i = 0; i < forward->publish_count; i++)
			print_dnat(out, &forward->publishes[i]);
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

static bool is_empty(const struct conf *conf, const struct pair *pairs, size_t count)
{
	const struct conf_forward *forward = &conf->forward;

	return !(forward->allow_count && conf->tunnel_count) && !forward->snat_count &&
	       !forward->publish_count && !count_untracked(pairs, count, IP_V4) &&
	       !count_untracked(pairs, count, IP_V6);
}

static void print_table(FILE *out, const struct conf *conf, const struct pair *pairs, size_t count)
{
	/* Added first so that the deletion never fails; all three are one transaction. */
	fprintf(out, "add table %s\ndelete table %s\ntable %s {\n", RULES_TABLE, RULES_TABLE,
		RULES_TABLE);
	print_outer_set(out, pairs, count, IP_V4);
	print_outer_set(out, pairs, count, IP_V6);
	print_raw(out, pairs, count);
	print_forward(out, conf);
	print_nat(out, &conf->forward);
	fprintf(out, "}\n");
}

int rules_text(const struct conf *conf, bool notrack, char **out)
{
	struct pair *pairs;
	size_t count, size;
	FILE *stream;
	int err = collect_pairs(conf, &pairs, &count);

	*out = NULL;
	if (err)
		return err;
	if (!notrack)
		count = 0;
	if (is_empty(conf, pairs, count)) {
		free(pairs);
		return 0;
	}
	stream = open_memstream(out, &size);
	if (stream)
		print_table(stream, conf, pairs, count);
	free(pairs);
	if (!stream)
		return -ENOMEM;
	if (fclose(stream) != 0) {
		free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
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
	static const char *const words[] = {"allow", "masquerade", "snat", "publish"};
	const struct conf_forward *forward = &conf->forward;
	size_t counts[4] = {forward->allow_count, 0, 0, forward->publish_count};
	size_t used = 0;

	for (size_t i = 0; i < forward->snat_count; i++)
		counts[forward->snats[i].to.family == IP_NONE ? 1 : 2]++;
	snprintf(buf, size, "outer packets untracked");
	for (size_t i = 0; i < 4; i++)
		if (counts[i] && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%zu %s",
						 used ? ", " : "", counts[i], words[i]);
}
