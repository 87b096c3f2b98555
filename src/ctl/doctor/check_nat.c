/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translation of addresses, and connection tracking, which remembers it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor/inside.h"

/* The line that translates packets of `from` that leave by the tunnel; NULL: none does. */
static const struct conf_snat *line_for(const struct doctor *d, const struct ip_addr *from)
{
	const struct conf_forward *forward = &d->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++)
		if (strcmp(forward->snats[i].out, d->tunnel->name) == 0 &&
		    prefix_contains(&forward->snats[i].from, from))
			return &forward->snats[i];
	return NULL;
}

/* Whether the file means to translate anything of this family into the tunnel. */
static bool translates(const struct doctor *d, uint8_t family)
{
	const struct conf_forward *forward = &d->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++)
		if (strcmp(forward->snats[i].out, d->tunnel->name) == 0 &&
		    forward->snats[i].from.addr.family == family)
			return true;
	return false;
}

/* Whether packets with our LAN's addresses get no answer, while the tunnel's own do. */
static bool is_unanswered(const struct inside_family *f)
{
	return f->results[INSIDE_PEER].answered && f->results[INSIDE_LAN_PEER].made &&
	       !f->results[INSIDE_LAN_PEER].answered;
}

static void look_untranslated(struct doctor *d, const struct inside_family *f)
{
	char lan[PREFIX_TEXT_SIZE], source[ADDR_TEXT_SIZE], own[ADDR_TEXT_SIZE];

	prefix_format(&f->lan, lan);
	addr_format(&f->lan_host, source);
	if (line_for(d, &f->lan_host)) {
		doctor_found(d, DOCTOR_BROKEN,
			     "the masquerade line for %s is not in force: its packets enter the "
			     "tunnel as %s",
			     lan, source);
		doctor_mend(d, "gretel reload");
	} else if (translates(d, f->family) && is_unanswered(f)) {
		doctor_found(
			d, DOCTOR_BROKEN,
			"no masquerade line covers %s: its packets enter the tunnel with their "
			"own addresses, and the peer answers only %s",
			lan, addr_format(&f->own, own));
		doctor_mend(d, "masquerade = %s out %s in [forward]", lan, d->tunnel->name);
	}
}

void check_masquerade(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		const struct inside_result *r = &f->results[INSIDE_FORWARD];
		char from[ADDR_TEXT_SIZE], as[ADDR_TEXT_SIZE];

		if (!r->made || !r->left)
			continue;
		addr_format(&f->lan_host, from);
		addr_format(&r->left_src, as);
		if (addr_equal(&r->left_src, &f->lan_host)) {
			doctor_saw(d, "%s enters the tunnel as itself", from);
			look_untranslated(d, f);
			continue;
		}
		doctor_saw(d, "%s enters the tunnel as %s", from, as);
		if (line_for(d, &f->lan_host))
			continue;
		doctor_found(
			d, r->answered || f->how < FAR_REPLIED ? DOCTOR_HEALTHY : DOCTOR_DEGRADED,
			"a rule that is not gretel's makes %s enter the tunnel as %s", from, as);
		doctor_mend(d, "nft list ruleset shows who translates; exclude oifname %s there",
			    d->tunnel->name);
	}
}

/* Connections that were there before a masquerade line, or outlived one. */
struct stale {
	const struct doctor *d;
	const struct inside_family *f;
	unsigned count, unanswered;
	struct conntrack_entry example;
};

static int take_stale(void *arg, const struct conntrack_entry *entry)
{
	struct stale *stale = arg;
	bool wanted, is;

	if (!prefix_contains(&stale->f->far_prefix, &entry->original.to) ||
	    !prefix_contains(&stale->f->lan, &entry->original.from))
		return 0;
	wanted = line_for(stale->d, &entry->original.from) != NULL;
	is = !addr_equal(&entry->reply.to, &entry->original.from);
	/* One that is translated without a line of ours may be somebody else's doing. */
	if (!wanted || is)
		return 0;
	stale->count++;
	if (entry->status & CONNTRACK_SEEN_REPLY)
		return 0;
	stale->unanswered++;
	stale->example = *entry;
	return 0;
}

static const char *protocol_name(uint8_t protocol, char buf[16])
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {47, "gre"}, {58, "icmpv6"}};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].number == protocol)
			return known[i].name;
	snprintf(buf, 16, "%u", protocol);
	return buf;
}

static void found_stale(struct doctor *d, const struct stale *stale)
{
	const struct conntrack_tuple *t = &stale->example.original;
	char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE], buf[16];
	const char *protocol = protocol_name(stale->example.protocol, buf);

	if (stale->unanswered == 0) {
		doctor_saw(d,
			   "%u connections are as old as before the masquerade line, and answered",
			   stale->count);
		return;
	}
	addr_format(&t->from, from);
	addr_format(&t->to, to);
	doctor_found(
		d, DOCTOR_BROKEN,
		"connection tracking remembers %u connection%s from before the masquerade line, "
		"and does not translate %s: %s from %s to %s is stale",
		stale->unanswered, stale->unanswered == 1 ? "" : "s",
		stale->unanswered == 1 ? "it" : "them", protocol, from, to);
	doctor_mend(d, "conntrack -D -s %s -d %s", from, to);
}

void check_stale_nat(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;
	struct nl netfilter;

	if (!inside || conntrack_open(&netfilter) != 0)
		return;
	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		struct stale stale = {.d = d, .f = f};

		if (!f->has_lan || !translates(d, f->family))
			continue;
		if (conntrack_each(&netfilter, f->family, take_stale, &stale) == 0 && stale.count)
			found_stale(d, &stale);
	}
	nl_close(&netfilter);
}

enum doctor_verdict inside_judge_fill(uint32_t count, uint32_t max)
{
	if (max == 0)
		return DOCTOR_HEALTHY;
	if (count >= max)
		return DOCTOR_BROKEN;
	return (uint64_t)count * 100 >= (uint64_t)max * 95 ? DOCTOR_DEGRADED : DOCTOR_HEALTHY;
}

void check_conntrack_full(struct doctor *d)
{
	enum doctor_verdict verdict;
	uint32_t count, max;

	if (!d->conf->forward.present || conntrack_fill(&count, &max) != 0)
		return;
	doctor_saw(d, "%" PRIu32 " of %" PRIu32 " connections are tracked", count, max);
	verdict = inside_judge_fill(count, max);
	if (verdict == DOCTOR_HEALTHY)
		return;
	doctor_found(d, verdict,
		     "the connection tracking table is %s: %" PRIu32 " of %" PRIu32
		     " entries, and when it is full new connections are dropped",
		     verdict == DOCTOR_BROKEN ? "full" : "nearly full", count, max);
	doctor_mend(d, "sysctl -w net.netfilter.nf_conntrack_max=%" PRIu64, (uint64_t)max * 2);
}
