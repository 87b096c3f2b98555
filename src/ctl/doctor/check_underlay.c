/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the peer's host. */
#include <linux/neighbour.h>
#include <string.h>

#include "ctl/doctor/probes.h"
#include "os/neighbour.h"
#include "proto/icmp.h"

struct wanted_neighbour {
	const struct ip_addr *addr;
	uint32_t index;
	uint16_t state; /* 0: the kernel has no entry */
};

static int match_neighbour(void *arg, const struct neighbour_info *neighbour)
{
	struct wanted_neighbour *wanted = arg;

	if (neighbour->index == wanted->index && addr_equal(&neighbour->addr, wanted->addr))
		wanted->state = neighbour->state;
	return 0;
}

static const char *neighbour_name(uint16_t state)
{
	return state & NUD_FAILED ? "FAILED" : state & NUD_INCOMPLETE ? "INCOMPLETE" : "known";
}

void check_neighbour(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	const struct link_info *link;
	struct wanted_neighbour next = {.addr = &d->tunnel->remote};
	char text[ADDR_TEXT_SIZE];
	bool gateway;

	if (!d->way || d->way->error || !d->nl)
		return;
	gateway = d->way->way.gateway.family != IP_NONE;
	if (gateway)
		next.addr = &d->way->way.gateway;
	link = actual_link_at(d->actual, d->way->way.oif);
	next.index = d->way->way.oif;
	neighbour_each(d->nl, next.addr->family, match_neighbour, &next);
	if (!link || next.state == 0)
		return;
	addr_format(next.addr, text);
	doctor_saw(d, "neighbour %s on %s: %s", text, link->name, neighbour_name(next.state));
	/* That packets of the peer come in by some way says nothing about the way out. */
	if (!(next.state & (NUD_FAILED | NUD_INCOMPLETE)) || r->ping_answers || r->gre_answers ||
	    r->inner_answers)
		return;
	doctor_found(d, DOCTOR_BROKEN, "%s %s does not answer on %s (neighbour %s)",
		     gateway ? "the gateway to the peer" : "the peer", text, link->name,
		     neighbour_name(next.state));
	doctor_mend(d, "is %s on, and is %s in its network? ip neighbour show dev %s", text,
		    link->name, link->name);
}

/* What a router, or the peer's own host, says when it does not pass a packet on. */
static const struct probe_seen *find_unreachable(const struct probes_reach *r, bool v4)
{
	static const uint8_t four[] = {
		ICMP4_HOST_UNREACHABLE, ICMP4_NET_UNREACHABLE, 5, 6, 7, 11, 12};
	static const uint8_t six[] = {ICMP6_ADDRESS_UNREACHABLE, ICMP6_NO_ROUTE, 2, 6};
	const struct probe_seen *seen = NULL;

	for (size_t i = 0; v4 && !seen && i < sizeof four; i++)
		seen = probes_error(r, ICMP4_UNREACHABLE, four[i], 0);
	for (size_t i = 0; !v4 && !seen && i < sizeof six; i++)
		seen = probes_error(r, ICMP6_UNREACHABLE, six[i], 0);
	return seen;
}

void check_unreachable(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	const struct probe_seen *seen = find_unreachable(r, d->tunnel->remote.family == IP_V4);
	char from[ADDR_TEXT_SIZE];

	if (!seen || r->ping_answers || r->gre_answers)
		return;
	addr_format(&seen->from, from);
	doctor_found(d, DOCTOR_BROKEN,
		     "%s says that the peer %s cannot be reached (ICMP type %u code %u)", from,
		     d->remote, seen->type, seen->code);
	doctor_mend(d, "give %s a route to %s, or turn the peer on", from, d->remote);
}

void check_ttl(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	bool v4 = d->tunnel->remote.family == IP_V4;
	const struct probe_seen *seen =
		probes_error(r, v4 ? (uint8_t)ICMP4_TIME_EXCEEDED : (uint8_t)ICMP6_TIME_EXCEEDED, 0,
			     IP_PROTOCOL_GRE);
	char from[ADDR_TEXT_SIZE], place[DOCTOR_PLACE_SIZE];

	if (!seen)
		return;
	addr_format(&seen->from, from);
	doctor_place(d, TUNNEL_TTL, place);
	if (d->tunnel->ttl_inherit)
		doctor_found(d, DOCTOR_DEGRADED,
			     "outer packets take the TTL of their passengers, and some end on the "
			     "way, at %s",
			     from);
	else
		doctor_found(d, DOCTOR_BROKEN,
			     "the TTL %u of the outer packets is used up on the way, at %s",
			     d->tunnel->ttl, from);
	doctor_mend(d, "ttl = 64 at %s", place);
}

void check_underlay(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);

	if (r->error) {
		doctor_saw(d, "nothing could be sent: %s", strerror(-r->error));
		return;
	}
	doctor_saw(d, "ping: %u of %u answered%s", r->ping_answers, r->pings,
		   r->ping_answers ? "" : ", which some hosts never do");
	if (r->ping_answers)
		doctor_saw(d, "round trip: %u.%03u ms", r->ping_us / 1000, r->ping_us % 1000);
	if (r->ping_answers || r->gre_answers || r->heard || r->error_count)
		return;
	if (d->tunnel->udp_port)
		doctor_found(d, DOCTOR_DEGRADED,
			     "the peer %s does not answer ping, and nothing came from it meanwhile",
			     d->remote);
	else
		doctor_found(d, DOCTOR_BROKEN, "the peer %s answers nothing, neither ping nor GRE",
			     d->remote);
	doctor_mend(d, "is it on, and the way to it whole? traceroute %s", d->remote);
}
