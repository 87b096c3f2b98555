/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the peer routes, lets pass and translates, from our [forward].
 *
 * Of the two networks of an `allow` line one is behind the tunnel (far) and one on our side of it
 * (near); near ones are what the peer needs routes to, unless all that it ever sees of them is an
 * address that we put in their place. Other tunnels are our side, too: the peer reaches what is
 * behind them through us. Lines with both networks on one side are no business of this tunnel's.
 */
#include <string.h>

#include "ctl/peer/mirror.h"

/* WIDE: holds far networks and others, as 0.0.0.0/0 does; it stands for what the other network of
 * its line is not. */
enum side { SIDE_NEAR, SIDE_FAR, SIDE_WIDE };

static bool holds_far(const struct conf_tunnel *tunnel, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < tunnel->route_count; i++)
		if (prefix_contains(prefix, &tunnel->routes[i].to.addr))
			return true;
	return false;
}

static enum side side_of(const struct mirror *mirror, const struct ip_prefix *prefix)
{
	int ours = mirror_claim(mirror->conf, mirror->tunnel, prefix);
	bool best = ours >= 0;

	for (size_t i = 0; i < mirror->conf->tunnel_count; i++)
		if (mirror_claim(mirror->conf, &mirror->conf->tunnels[i], prefix) > ours)
			best = false;
	if (best)
		return SIDE_FAR;
	return holds_far(mirror_router(mirror->conf, mirror->tunnel), prefix) ? SIDE_WIDE
									      : SIDE_NEAR;
}

/* Our own inner address of a family; NULL when there is none. */
static const struct ip_addr *inner_address(const struct conf_tunnel *tunnel, uint8_t family)
{
	for (size_t i = 0; i < tunnel->address_count; i++)
		if (tunnel->addresses[i].local.addr.family == family)
			return &tunnel->addresses[i].local.addr;
	return NULL;
}

static struct ip_prefix host_prefix(const struct ip_addr *addr)
{
	return (struct ip_prefix){*addr, (uint8_t)(addr_size(addr->family) * 8)};
}

/* True when all of `near` leaves by the tunnel under one address, *shown. */
static bool is_hidden(const struct mirror *mirror, const struct ip_prefix *near,
		      struct ip_prefix *shown)
{
	const struct conf_forward *forward = &mirror->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *s = &forward->snats[i];
		const struct ip_addr *own = inner_address(mirror->tunnel, s->from.addr.family);

		if (strcmp(s->out, mirror->tunnel->name) != 0 || near->len < s->from.len ||
		    !prefix_contains(&s->from, &near->addr))
			continue;
		if (s->to.family == IP_NONE && !own)
			continue;
		*shown = host_prefix(s->to.family == IP_NONE ? own : &s->to);
		return true;
	}
	return false;
}

/* Our "masquerade = PEER out eth1": the peer hides its hosts, and its gateway is not that of our
 * hosts. NULL when there is none of this family. */
static const struct conf_snat *peer_snat(const struct mirror *mirror, uint8_t family)
{
	const struct conf_forward *forward = &mirror->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *s = &forward->snats[i];

		if (s->from.addr.family == family && s->to.family == IP_NONE &&
		    mirror_is_inner_peer(mirror->tunnel, &s->from) &&
		    !conf_find_tunnel(mirror->conf, s->out))
			return s;
	}
	return NULL;
}

/* Whether the peer shows one address for what is behind it: then some line of ours names that. */
static bool peer_hides(const struct mirror *mirror, uint8_t family)
{
	const struct conf_forward *forward = &mirror->conf->forward;

	if (peer_snat(mirror, family))
		return true;
	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *a = &forward->allows[i];

		if (a->from.addr.family == family && !a->both &&
		    mirror_is_inner_peer(mirror->tunnel, &a->from))
			return true;
	}
	return false;
}

static void add_allow(struct mirror *mirror, const struct ip_prefix *from,
		      const struct ip_prefix *to, bool both)
{
	struct conf_forward *forward = &mirror->view->conf->forward;
	struct conf_allow *allow;

	for (size_t i = 0; i < forward->allow_count; i++) {
		allow = &forward->allows[i];
		if (prefix_equal(&allow->from, from) && prefix_equal(&allow->to, to) &&
		    allow->both == both)
			return;
	}
	allow = mirror_grow(mirror, &forward->allows, &forward->allow_count, sizeof *allow);
	if (!allow)
		return;
	allow->from = *from;
	allow->to = *to;
	allow->both = both;
}

static void add_masquerade(struct mirror *mirror, const struct ip_prefix *from, const char *out)
{
	struct conf_forward *forward = &mirror->view->conf->forward;
	struct conf_snat *snat;

	for (size_t i = 0; i < forward->snat_count; i++)
		if (prefix_equal(&forward->snats[i].from, from) &&
		    strcmp(forward->snats[i].out, out) == 0)
			return;
	snat = mirror_grow(mirror, &forward->snats, &forward->snat_count, sizeof *snat);
	if (!snat)
		return;
	snat->from = *from;
	memcpy(snat->out, out, strlen(out) + 1);
}

/* The internet behind the peer: its own way there has a name that we do not know. */
static void note_exit(struct mirror *mirror, const struct ip_prefix *seen)
{
	char text[PREFIX_TEXT_SIZE];

	mirror_note(mirror,
		    "packets from %s go on to the internet at the peer: have it translate "
		    "(masquerade) them on its own way there",
		    prefix_format(seen, text));
}

/* The peer's hosts reach everything through us: a default route for them alone, so that the outer
 * packets do not take it. */
static void add_source(struct mirror *mirror, const struct ip_prefix *far)
{
	struct peer_view *view = mirror->view;
	struct ip_prefix *source;

	for (size_t i = 0; i < view->source_count; i++)
		if (prefix_equal(&view->sources[i], far))
			return;
	source = mirror_grow(mirror, &view->sources, &view->source_count, sizeof *source);
	if (source)
		*source = *far;
}

/* One pair that may talk: `opens` near to far, `answers` far to near. */
static void mirror_pair(struct mirror *mirror, const struct conf_allow *line, bool near_first,
			bool far_is_wide)
{
	const struct ip_prefix *near = near_first ? &line->from : &line->to;
	const struct ip_prefix *far = near_first ? &line->to : &line->from;
	bool opens = near_first || line->both, answers = !near_first || line->both;
	const struct conf_snat *device = peer_snat(mirror, near->addr.family);
	struct ip_prefix shown = *near;
	bool hidden = is_hidden(mirror, near, &shown);

	/* That the peer hides its hosts is said by its own masquerade. */
	if (!line->both && !near_first && mirror_is_inner_peer(mirror->tunnel, far))
		return;
	if (answers || !hidden)
		mirror_add_pair(mirror, (struct peer_pair){*near, *far, opens && !hidden, answers});
	if (hidden && opens)
		mirror_add_pair(mirror, (struct peer_pair){shown, *far, true, false});
	if (line->both)
		add_allow(mirror, &line->to, &line->from, true);
	else if (!hidden || !opens)
		add_allow(mirror, &line->from, &line->to, false);
	if (peer_hides(mirror, far->addr.family) && !far_is_wide)
		add_masquerade(mirror, far, mirror->theirs->name);
	if (hidden && opens && device)
		add_masquerade(mirror, &shown, device->out);
	else if (hidden && opens)
		add_allow(mirror, &shown, far, false);
	if (answers || !hidden)
		mirror_add_route(mirror, near);
	if (hidden)
		mirror_add_route(mirror, &shown);
	if (opens && !far->len && !far_is_wide)
		note_exit(mirror, &shown);
	if (!near->len && (answers || !hidden))
		add_source(mirror, far);
}

/* Both lie behind the tunnel, one exactly and one only as part of something larger, as our network
 * does where the tunnel carries the default route: that one is ours. */
static bool from_is_near(const struct mirror *mirror, const struct conf_allow *line, bool *near)
{
	int from = line->from.len - mirror_claim(mirror->conf, mirror->tunnel, &line->from);
	int to = line->to.len - mirror_claim(mirror->conf, mirror->tunnel, &line->to);

	*near = from > to;
	return from != to;
}

static void mirror_allow(struct mirror *mirror, const struct conf_allow *line)
{
	enum side from = side_of(mirror, &line->from), to = side_of(mirror, &line->to);

	if (from == SIDE_WIDE && to == SIDE_WIDE) {
		add_allow(mirror, line->both ? &line->to : &line->from,
			  line->both ? &line->from : &line->to, line->both);
		mirror_add_pair(mirror, (struct peer_pair){line->from, line->to, true, true});
		return;
	}
	if (from == SIDE_FAR && to == SIDE_FAR) {
		bool near;

		if (from_is_near(mirror, line, &near))
			mirror_pair(mirror, line, near, false);
		return;
	}
	if (from == to)
		return;
	if (from == SIDE_NEAR || to == SIDE_FAR)
		mirror_pair(mirror, line, true, to == SIDE_WIDE);
	else
		mirror_pair(mirror, line, false, from == SIDE_WIDE);
}

/* The peer's hosts reach one of our machines at our inner address. */
static void mirror_published_here(struct mirror *mirror, const struct conf_publish *publish)
{
	const struct conf_tunnel *ours = mirror_router(mirror->conf, mirror->tunnel);
	const struct ip_addr *own = inner_address(mirror->tunnel, publish->to.family);
	struct ip_prefix target;

	if (!own || !mirror->conf->forward.allow_count)
		return;
	target = host_prefix(own);
	for (size_t i = 0; i < ours->route_count; i++) {
		const struct ip_prefix *far = &ours->routes[i].to;

		if (far->addr.family != own->family)
			continue;
		add_allow(mirror, far, &target, false);
		mirror_add_pair(mirror, (struct peer_pair){target, *far, false, true});
	}
}

/* Connections from anywhere to a machine behind the peer. */
static void mirror_published_there(struct mirror *mirror, const struct ip_prefix *target)
{
	struct ip_prefix any = {.addr.family = target->addr.family};

	if (is_hidden(mirror, &any, &any))
		mirror_add_route(mirror, &any);
	else if (mirror->theirs->mode == MODE_GRE)
		mirror->view->return_path = true;
	else
		mirror_note(mirror,
			    "clients of any address come in by this Ethernet: have the answers "
			    "of what is published leave by it");
	if (!mirror->conf->forward.allow_count)
		return;
	add_allow(mirror, &any, target, false);
	mirror_add_pair(mirror, (struct peer_pair){any, *target, true, false});
}

static void mirror_publish(struct mirror *mirror, const struct conf_publish *publish)
{
	struct ip_prefix target = host_prefix(&publish->to);

	if (strcmp(publish->in, mirror->tunnel->name) == 0)
		mirror_published_here(mirror, publish);
	else if (side_of(mirror, &target) == SIDE_FAR)
		mirror_published_there(mirror, &target);
}

/* Where no line joins networks, "masquerade = 10.10.1.0/24 out My_Tunnel" may still say that all of
 * ours are seen under one address. */
static void mirror_snat(struct mirror *mirror, const struct conf_snat *snat)
{
	struct ip_prefix shown;

	if (strcmp(snat->out, mirror->tunnel->name) == 0 && is_hidden(mirror, &snat->from, &shown))
		mirror_add_route(mirror, &shown);
}

void mirror_forward(struct mirror *mirror)
{
	const struct conf_forward *ours = &mirror->conf->forward;
	struct conf_forward *theirs = &mirror->view->conf->forward;

	if (mirror->theirs->bridge[0])
		return;
	theirs->present = ours->present;
	theirs->enable = ours->enable;
	for (size_t i = 0; i < ours->allow_count; i++)
		mirror_allow(mirror, &ours->allows[i]);
	for (size_t i = 0; i < ours->snat_count; i++)
		mirror_snat(mirror, &ours->snats[i]);
	for (size_t i = 0; i < ours->publish_count; i++)
		mirror_publish(mirror, &ours->publishes[i]);
	if (mirror->theirs->route_count == 0 && ours->snat_count == 0)
		mirror_note(mirror, "no allow line says which networks are behind us: "
				    "the peer gets no routes to them");
}
