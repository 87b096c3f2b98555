/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer itself, asked through the tunnel: its inner address, and its way back. */
#include <string.h>

#include "ctl/doctor/inside.h"
#include "proto/icmp.h"

static bool is_unreachable(const struct inside_family *f, const struct inside_result *r)
{
	return r->refused &&
	       r->type == (f->family == IP_V6 ? (int)ICMP6_UNREACHABLE : (int)ICMP4_UNREACHABLE);
}

static void found_silent(struct doctor *d, const struct inside *inside,
			 const struct inside_family *f)
{
	const struct inside_result *r = &f->results[INSIDE_PEER];
	char peer[ADDR_TEXT_SIZE], by[ADDR_TEXT_SIZE], own[ADDR_TEXT_SIZE];

	addr_format(&f->peer, peer);
	addr_format(&f->own, own);
	if (is_unreachable(f, r) && !addr_equal(&r->refused_by, &f->peer)) {
		addr_format(&r->refused_by, by);
		doctor_found(d, DOCTOR_BROKEN,
			     "the peer's inner address is not %s: %s at the other end says that it "
			     "does not know that address",
			     peer, by);
		doctor_mend(d, "write the peer's own address in \"address = %s peer %s\"", own, by);
	} else if (inside->busy) {
		doctor_found(d, DOCTOR_HEALTHY,
			     "%s does not answer an echo, but traffic comes in by the tunnel",
			     peer);
	} else {
		doctor_found(d, DOCTOR_BROKEN,
			     "nothing at the other end answers on the inner address %s", peer);
		doctor_mend(d,
			    "give the peer's tunnel interface the address %s, and let it answer "
			    "echoes",
			    peer);
	}
}

void check_peer_address(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;
	char text[INSIDE_TEXT_SIZE];

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		const struct inside_result *r = &f->results[INSIDE_PEER];

		if (!r->made)
			continue;
		doctor_saw(d, "%s", inside_say(f, INSIDE_PEER, text));
		if (r->error && !r->left)
			continue;
		if (!r->answered && !r->answered_astray)
			found_silent(d, inside, f);
	}
}

/* The network of ours whose packets are asked about. */
static const char *lan_text(const struct inside_family *f, char buf[PREFIX_TEXT_SIZE])
{
	return prefix_format(&f->lan, buf);
}

void check_peer_route(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; (f = inside_family(inside, i)); i++) {
		const struct inside_result *peer = &f->results[INSIDE_PEER],
					   *lan = &f->results[INSIDE_LAN_PEER];
		char text[INSIDE_TEXT_SIZE], net[PREFIX_TEXT_SIZE], own[ADDR_TEXT_SIZE],
			source[ADDR_TEXT_SIZE];
		const struct link_info *link;

		if (!lan->made)
			continue;
		doctor_saw(d, "%s", inside_say(f, INSIDE_LAN_PEER, text));
		if (!peer->answered || !lan->left || lan->answered)
			continue;
		lan_text(f, net);
		link = actual_link_at(d->actual, lan->answered_astray);
		if (link) {
			doctor_found(d, DOCTOR_DEGRADED,
				     "the peer's answers to %s come in by %s, not by the tunnel",
				     net, link->name);
			doctor_mend(d, "a route for %s into the tunnel at the peer", net);
			continue;
		}
		doctor_found(d, DOCTOR_BROKEN,
			     "the peer has no way back to %s: it answers %s, and not %s", net,
			     addr_format(&f->own, own), addr_format(&lan->left_src, source));
		doctor_mend(d,
			    "a route for %s into the tunnel at the peer (there: route = %s), or "
			    "here: masquerade = %s out %s",
			    net, net, net, d->tunnel->name);
	}
}
