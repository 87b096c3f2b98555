/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is behind the peer, told from here. A packet that may take one hop only shows whether the
 * peer forwards: then it says "time exceeded", before any rule of its forward chain. What it says
 * about a host, and about an address that is nobody's, tells its rules from a host that is gone:
 * a router that looks for a host in vain says "unreachable", and one whose rules drop the packet
 * does not look.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/doctor/inside.h"

/* Whether to look behind the peer at all: it answers itself, us and our LAN. */
static const struct inside_family *next(struct doctor *d, size_t *i)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	while ((f = inside_family(inside, (*i)++))) {
		const struct inside_result *r = f->results;

		if (r[INSIDE_PEER].answered &&
		    (!r[INSIDE_LAN_PEER].made || r[INSIDE_LAN_PEER].answered))
			return f;
	}
	return NULL;
}

/* A host there is known, asked, and silent, and nothing speaks for the way to it. */
static bool is_lost(const struct inside_family *f)
{
	return f->results[INSIDE_FAR].made && !f->results[INSIDE_FAR].answered &&
	       !f->results[INSIDE_OTHER].answered;
}

static bool passes_hop(const struct inside_family *f)
{
	return f->results[INSIDE_HOP].refused || f->results[INSIDE_HOP].answered;
}

/* How sure it is that packets to the host should be answered. */
static enum doctor_verdict weight(struct doctor *d, const struct inside_family *f)
{
	bool vouched = inside_get(d)->busy || f->results[INSIDE_OTHER].answered;

	if (f->how == FAR_GIVEN || (f->how == FAR_UNREPLIED && !vouched))
		return DOCTOR_BROKEN;
	return DOCTOR_HEALTHY;
}

static const char *who_asks(const struct inside_family *f, char buf[96])
{
	char from[ADDR_TEXT_SIZE];

	buf[0] = '\0';
	if (f->how == FAR_UNREPLIED)
		snprintf(buf, 96, ", which %s here asks in vain",
			 addr_format(&f->asked.original.from, from));
	return buf;
}

void check_peer_forwarding(struct doctor *d)
{
	const struct inside_family *f;
	size_t i = 0;

	while ((f = next(d, &i))) {
		char text[INSIDE_TEXT_SIZE], peer[ADDR_TEXT_SIZE], far[ADDR_TEXT_SIZE], asks[96];

		if (!f->results[INSIDE_HOP].made)
			continue;
		doctor_saw(d, "%s", inside_say(f, INSIDE_HOP, text));
		if (passes_hop(f) || !is_lost(f))
			continue;
		doctor_found(
			d, weight(d, f),
			"the peer does not forward: it answers at %s, but lets nothing through "
			"to %s%s, and does not even count the hop",
			addr_format(&f->peer, peer), addr_format(&f->far, far), who_asks(f, asks));
		doctor_mend(d, "at the peer: sysctl -w %s=1",
			    f->family == IP_V6 ? "net.ipv6.conf.all.forwarding"
					       : "net.ipv4.ip_forward");
	}
}

static void found_host(struct doctor *d, const struct inside_family *f)
{
	const struct inside_result *far = &f->results[INSIDE_FAR];
	char text[ADDR_TEXT_SIZE], by[ADDR_TEXT_SIZE], asks[96];
	enum doctor_verdict verdict = weight(d, f);

	addr_format(&f->far, text);
	if (far->refused) {
		doctor_found(
			d, verdict,
			"%s behind the peer cannot be reached%s: %s says so (ICMP type %u code "
			"%u)",
			text, who_asks(f, asks), addr_format(&far->refused_by, by), far->type,
			far->code);
		doctor_mend(d, "look whether %s is on and in the network that the peer has there",
			    text);
		return;
	}
	doctor_found(d, verdict,
		     "%s behind the peer is silent%s, though the way there is open: its own "
		     "firewall, or its way back, is wrong",
		     text, who_asks(f, asks));
	doctor_mend(d, "at %s: a gateway or route that leads back to the peer, and leave to answer",
		    text);
}

/* Another host there answers, and the peer says nothing of this one, nor of an address that is
 * nobody's. */
static void found_silence(struct doctor *d, const struct inside_family *f)
{
	char far[ADDR_TEXT_SIZE], other[ADDR_TEXT_SIZE], asks[96];

	doctor_found(d, weight(d, f),
		     "%s behind the peer is silent%s, while %s answers, and the peer does not say "
		     "why",
		     addr_format(&f->far, far), who_asks(f, asks), addr_format(&f->other, other));
	doctor_mend(d, "look whether %s is on, and whether the peer's rules let packets to it pass",
		    far);
}

void check_peer_rules(struct doctor *d)
{
	const struct inside_family *f;
	size_t i = 0;

	while ((f = next(d, &i))) {
		const struct inside_result *nobody = &f->results[INSIDE_NOBODY];
		char far[ADDR_TEXT_SIZE], asks[96], text[INSIDE_TEXT_SIZE];

		if (nobody->made)
			doctor_saw(d, "%s", inside_say(f, INSIDE_NOBODY, text));
		if (!is_lost(f) || !passes_hop(f) || f->results[INSIDE_FAR].refused ||
		    nobody->refused || nobody->answered)
			continue;
		doctor_found(d, weight(d, f),
			     "a rule at the peer drops what it should forward to %s%s: it routes "
			     "the packets and then looks for no host",
			     addr_format(&f->far, far), who_asks(f, asks));
		doctor_mend(d,
			    "let the peer's firewall (its forward chain, or its allow lines) pass "
			    "this network's packets");
	}
}

void check_far_host(struct doctor *d)
{
	const struct inside_family *f;
	size_t i = 0;

	while ((f = next(d, &i))) {
		const struct inside_result *nobody = &f->results[INSIDE_NOBODY];
		char text[INSIDE_TEXT_SIZE];

		if (!f->results[INSIDE_FAR].made)
			continue;
		doctor_saw(d, "%s", inside_say(f, INSIDE_FAR, text));
		if (f->results[INSIDE_FAR].answered || !passes_hop(f))
			continue;
		if (f->results[INSIDE_FAR].refused || nobody->refused || nobody->answered)
			found_host(d, f);
		else if (!is_lost(f))
			found_silence(d, f);
	}
}
