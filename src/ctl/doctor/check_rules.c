/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules of this host do to packets of the tunnel: ours, and those of others. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ctl/doctor/inside.h"

#define DELETE_SIZE 256

/* What lets the packet pass before the rule. The rule itself may be there for others. */
static void mend_drop(struct doctor *d, const struct nft_drop *drop, const char *accept)
{
	const char *family = nft_family_name(drop->family);

	if (drop->handle)
		doctor_mend(d, "nft insert rule %s %s %s position %llu %s accept", family,
			    drop->table, drop->chain, (unsigned long long)drop->handle, accept);
	else
		doctor_mend(d, "nft insert rule %s %s %s %s accept", family, drop->table,
			    drop->chain, accept);
}

/* iptables of before nftables, which no trace shows. */
static bool has_legacy(char *names, size_t size)
{
	char *text;

	if (file_read("/proc/thread-self/net/ip_tables_names", 4096, &text) != 0)
		return false;
	snprintf(names, size, "%s", text);
	free(text);
	names[strcspn(names, "\n")] = '\0';
	return names[0] != '\0';
}

/* An answer came in by the tunnel and did not reach the asker on this host. */
void check_input_rules(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		const struct inside_result *r = &f->results[INSIDE_PEER];
		char drop_text[INSIDE_DROP_SIZE], peer[ADDR_TEXT_SIZE], accept[16 + CONF_NAME_SIZE];
		const struct nft_drop *drop;

		if (!r->made || !r->answered || r->delivered || doctor_has(d, "rp-filter"))
			continue;
		addr_format(&f->peer, peer);
		drop = inside_trace(d, f, INSIDE_PEER);
		if (!drop && r->delivered)
			continue; /* this time */
		if (!drop) {
			doctor_found(
				d, DOCTOR_DEGRADED,
				"answers of %s come in by the tunnel and are lost on this host",
				peer);
			continue;
		}
		doctor_found(d, DOCTOR_BROKEN, "%s drops what comes in by the tunnel for this host",
			     inside_say_drop(drop, drop_text));
		snprintf(accept, sizeof accept, "iifname %s", d->tunnel->name);
		mend_drop(d, drop, accept);
	}
}

/* An echo of a host in the LAN did not enter the tunnel. */
static bool is_swallowed(const struct doctor *d, const struct inside_family *f)
{
	const struct inside_result *r = &f->results[INSIDE_FORWARD];

	return r->made && !r->error && !r->left && !r->astray && !doctor_has(d, "forwarding") &&
	       !doctor_has(d, "rp-filter") && !doctor_has(d, "tunnel-route");
}

/* The other direction: the answer came back and did not leave to the LAN. */
static bool is_kept(const struct doctor *d, const struct inside_family *f)
{
	const struct inside_result *r = &f->results[INSIDE_FORWARD];

	/* Of an answer that may be nobody's, nothing is awaited. */
	return r->made && f->how >= FAR_REPLIED && r->left && r->answered && !r->delivered &&
	       f->lan_host_known && !doctor_has(d, "rp-filter");
}

/* Where an allow line leads into this tunnel, is there anything of this host, or reached by it, on
 * its other side? */
struct sides {
	struct doctor *d;
	const struct ip_prefix *lan;
};

static int is_here(void *arg, const struct address_info *address)
{
	const struct sides *sides = arg;
	const struct link_info *link = actual_link_at(sides->d->actual, address->index);

	if (!link || actual_is_ours(sides->d->actual, link) || link->flags & IFF_LOOPBACK ||
	    !doctor_in_same_vrf(sides->d, link))
		return 0;
	return prefix_contains(sides->lan, &address->local.addr) ||
			       prefix_contains(&address->local, &sides->lan->addr)
		       ? -EEXIST
		       : 0;
}

/* A network behind a router of the LAN counts, one that only the default route reaches does not. */
static bool has_this_side(struct doctor *d, const struct ip_prefix *lan)
{
	struct sides sides = {d, lan};
	struct route_way way;

	if (address_each(d->nl, is_here, &sides) != 0)
		return true;
	return route_find(d->nl, &lan->addr, NULL, doctor_vrf(d), &way) == 0 && way.match.len > 0 &&
	       (!d->way || way.oif != d->way->way.oif) && way.oif != d->link->index;
}

static bool leads_into(const struct conf_tunnel *t, const struct ip_prefix *to)
{
	for (size_t i = 0; i < t->route_count; i++)
		if (t->routes[i].to.len && prefix_overlaps(&t->routes[i].to, to))
			return true;
	return false;
}

/* All lines that lead into this tunnel are about networks that are nowhere near. */
static void look_lines(struct doctor *d, uint8_t family)
{
	const struct conf_forward *forward = &d->conf->forward;
	const struct conf_allow *example = NULL;
	char lan[PREFIX_TEXT_SIZE], far[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];
		bool to = leads_into(d->tunnel, &allow->to);

		if (allow->to.addr.family != family ||
		    (!to && !leads_into(d->tunnel, &allow->from)))
			continue;
		if (has_this_side(d, to ? &allow->from : &allow->to))
			return;
		example = allow;
	}
	if (!example)
		return;
	bool to = leads_into(d->tunnel, &example->to);
	prefix_format(to ? &example->from : &example->to, lan);
	prefix_format(to ? &example->to : &example->from, far);
	doctor_found(
		d, DOCTOR_BROKEN,
		"no allow line lets the networks here reach %s behind the tunnel: %s is not of "
		"this host",
		far, lan);
	doctor_mend(d, "allow = NETWORK <-> %s in [forward], with a network that is here", far);
}

#define WATCH_MS 400

/* Packets that the lines refuse just now: it may be meant so, and is told as a note. */
static void watch_refused(struct doctor *d, const struct inside_family *f)
{
	char match[96], prefix[PREFIX_TEXT_SIZE], from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];
	struct nft_trace *trace;
	struct nft_drop drop;

	if (f->far_prefix.addr.family == IP_NONE)
		return;
	snprintf(match, sizeof match, "iifname != \"%s\" %s daddr %s", d->tunnel->name,
		 f->family == IP_V6 ? "ip6" : "ip", prefix_format(&f->far_prefix, prefix));
	if (nft_trace_open(match, &trace) != 0)
		return;
	if (nft_trace_next(trace, (int)doctor_time_left(d, WATCH_MS), &drop) == 1 &&
	    inside_drop_is_ours(&drop)) {
		doctor_found(d, DOCTOR_HEALTHY, "no allow line lets %s reach %s, which it tries",
			     addr_format(&drop.from, from), addr_format(&drop.to, to));
		doctor_mend(d, "if it should: allow = %s -> %s in [forward]", from, to);
	}
	nft_trace_close(trace);
}

void check_allow(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	if (!inside || !d->conf->forward.allow_count)
		return;
	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE], lan[PREFIX_TEXT_SIZE],
			far[PREFIX_TEXT_SIZE];
		const struct nft_drop *drop = is_swallowed(d, f) || is_kept(d, f)
						      ? inside_trace(d, f, INSIDE_FORWARD)
						      : NULL;

		if (!drop || !inside_drop_is_ours(drop))
			continue;
		doctor_found(d, DOCTOR_BROKEN,
			     "no allow line lets %s in the LAN reach %s behind the tunnel",
			     addr_format(&f->lan_host, from), addr_format(&f->far, to));
		doctor_mend(d, "allow = %s <-> %s in [forward]", prefix_format(&f->lan, lan),
			    prefix_format(&f->far_prefix, far));
		return;
	}
	for (size_t i = 0; (f = inside_family(inside, i)); i++)
		look_lines(d, f->family);
	if (doctor_has(d, "allow") || inside->refused_before < 0 ||
	    inside_refused(d) <= inside->refused_before)
		return;
	for (size_t i = 0; (f = inside_family(inside, i)); i++)
		watch_refused(d, f);
}

static void found_forward(struct doctor *d, const struct inside_family *f, const char *what)
{
	const struct nft_drop *drop = inside_trace(d, f, INSIDE_FORWARD);
	char text[INSIDE_DROP_SIZE], legacy[128], accept[16 + CONF_NAME_SIZE];

	if (drop && inside_drop_is_ours(drop))
		return; /* check_allow() has it */
	if (!drop && !is_swallowed(d, f) && !is_kept(d, f))
		return; /* this time it passed */
	if (drop) {
		doctor_found(d, DOCTOR_BROKEN, "%s drops %s", inside_say_drop(drop, text), what);
		snprintf(accept, sizeof accept, "%s %s",
			 f->results[INSIDE_FORWARD].left ? "iifname" : "oifname", d->tunnel->name);
		mend_drop(d, drop, accept);
	} else if (has_legacy(legacy, sizeof legacy)) {
		doctor_found(d, DOCTOR_BROKEN,
			     "a rule of iptables-legacy drops %s (no nftables rule does, and its "
			     "table %s is loaded)",
			     what, legacy);
		doctor_mend(d, "iptables-legacy -I FORWARD -o %s -j ACCEPT, and the same with -i",
			    d->tunnel->name);
	} else {
		doctor_found(d, DOCTOR_DEGRADED, "this host loses %s, by no rule of nftables",
			     what);
	}
}

void check_forward_rules(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		char text[INSIDE_TEXT_SIZE], what[160], from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];

		if (!f->results[INSIDE_FORWARD].made)
			continue;
		doctor_saw(d, "as if %s had sent it: %s", f->lan_name,
			   inside_say(f, INSIDE_FORWARD, text));
		addr_format(&f->lan_host, from);
		addr_format(&f->far, to);
		if (is_swallowed(d, f))
			snprintf(what, sizeof what, "packets of %s to %s before the tunnel", from,
				 to);
		else if (is_kept(d, f))
			snprintf(what, sizeof what, "answers of %s to %s behind the tunnel", to,
				 from);
		else
			continue;
		found_forward(d, f, what);
	}
}
