/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which end of the tunnel a network is at, and the peer's rules as pairs of networks. */
#include <string.h>

#include "ctl/peer/mirror.h"

int mirror_claim(const struct conf_tunnel *tunnel, const struct ip_prefix *to)
{
	int longest = mirror_is_inner_peer(tunnel, to) ? 128 : -1;

	for (size_t i = 0; i < tunnel->route_count; i++) {
		const struct ip_prefix *route = &tunnel->routes[i].to;

		if (to->len >= route->len && prefix_contains(route, &to->addr) &&
		    route->len > longest)
			longest = route->len;
	}
	return longest;
}

static struct peer_pair pair_of(const struct conf_tunnel *theirs, const struct conf_allow *allow)
{
	int from = mirror_claim(theirs, &allow->from), to = mirror_claim(theirs, &allow->to);
	bool from_far = from >= 0 && (to < 0 || allow->from.len - from < allow->to.len - to);

	if (from_far)
		return (struct peer_pair){allow->from, allow->to, true, allow->both};
	return (struct peer_pair){allow->to, allow->from, allow->both, true};
}

static void add_pair(struct mirror *mirror, struct peer_pair pair)
{
	struct peer_view *view = mirror->view;
	struct peer_pair *added;

	for (size_t i = 0; i < view->pair_count; i++)
		if (prefix_equal(&view->pairs[i].far, &pair.far) &&
		    prefix_equal(&view->pairs[i].near, &pair.near)) {
			view->pairs[i].far_opens |= pair.far_opens;
			view->pairs[i].near_opens |= pair.near_opens;
			return;
		}
	added = mirror_grow(mirror, &view->pairs, &view->pair_count, sizeof *added);
	if (added)
		*added = pair;
}

/* What we show of ourselves reaches what the allow lines open, as in our rules. */
void mirror_pairs(struct mirror *mirror)
{
	const struct conf_forward *forward = &mirror->view->conf->forward;
	const struct conf_tunnel *theirs = mirror->theirs;

	for (size_t i = 0; i < forward->allow_count; i++)
		add_pair(mirror, pair_of(theirs, &forward->allows[i]));
	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];

		if (strcmp(snat->out, theirs->name) == 0)
			continue;
		for (size_t j = 0; j < forward->allow_count; j++) {
			struct peer_pair pair = pair_of(theirs, &forward->allows[j]);

			if (pair.far_opens && pair.near.addr.family == snat->from.addr.family)
				add_pair(mirror,
					 (struct peer_pair){snat->from, pair.near, true, false});
		}
	}
}
