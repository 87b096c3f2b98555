/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking remembers a translation of outer packets for as long as packets come, and
 * keepalives see to that: an entry that was made under a rule of yesterday outlives the rule.
 */
#include <netinet/in.h>

#include "ctl/doctor/probes.h"
#include "os/conntrack.h"

struct search {
	const struct conf_tunnel *tunnel;
	bool found;
	struct conntrack_entry entry;
};

static int take_entry(void *arg, const struct conntrack_entry *entry)
{
	struct search *search = arg;
	const struct ip_addr *local = &search->tunnel->local, *remote = &search->tunnel->remote;
	const struct conntrack_tuple *o = &entry->original, *r = &entry->reply;
	bool out = addr_equal(&o->from, local) && addr_equal(&o->to, remote);
	bool in = addr_equal(&o->from, remote) && addr_equal(&o->to, local);

	if (entry->protocol != IPPROTO_GRE || (!out && !in) ||
	    (addr_equal(&r->from, &o->to) && addr_equal(&r->to, &o->from)))
		return 0;
	search->found = true;
	search->entry = *entry;
	return 0;
}

void check_stale_gre(struct doctor *d)
{
	const struct probes_reach *reach = probes_reach(d);
	struct search search = {.tunnel = d->tunnel};
	char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE], as_from[ADDR_TEXT_SIZE],
		as_to[ADDR_TEXT_SIZE];
	struct nl netfilter;

	if (d->tunnel->udp_port || conntrack_open(&netfilter) != 0)
		return;
	int err = conntrack_each(&netfilter, d->tunnel->remote.family, take_entry, &search);
	nl_close(&netfilter);
	if (err || !search.found)
		return;
	addr_format(&search.entry.original.from, from);
	addr_format(&search.entry.original.to, to);
	addr_format(&search.entry.reply.to, as_from);
	addr_format(&search.entry.reply.from, as_to);
	doctor_saw(d, "GRE from %s to %s leaves as from %s to %s", from, to, as_from, as_to);
	/* It may be meant so, and then it works. */
	if (reach->gre_answers || reach->inner_answers || reach->gre_delivered)
		return;
	doctor_found(
		d, DOCTOR_BROKEN,
		"connection tracking translates the tunnel's outer packets: from %s to %s they "
		"become from %s to %s, perhaps by a rule that is no more",
		from, to, as_from, as_to);
	doctor_mend(d, "conntrack -D -p gre -s %s -d %s, and no NAT rule for protocol 47", from,
		    to);
}
