/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which end of the tunnel a network is at, and who may talk. */
#include "ctl/peer/mirror.h"

/* The length of the longest route of the tunnel itself that holds `to`; -1 when there is none. */
static int route_length(const struct conf_tunnel *tunnel, const struct ip_prefix *to)
{
	int longest = -1;

	for (size_t i = 0; i < tunnel->route_count; i++) {
		const struct ip_prefix *route = &tunnel->routes[i].to;

		if (to->len >= route->len && prefix_contains(route, &to->addr) &&
		    route->len > longest)
			longest = route->len;
	}
	return longest;
}

const struct conf_tunnel *mirror_router(const struct conf *conf, const struct conf_tunnel *tunnel)
{
	const struct conf_tunnel *primary =
		tunnel->backup_of[0] ? conf_find_tunnel(conf, tunnel->backup_of) : NULL;

	return primary ? primary : tunnel;
}

int mirror_claim(const struct conf *conf, const struct conf_tunnel *tunnel,
		 const struct ip_prefix *to)
{
	const struct conf_tunnel *router = mirror_router(conf, tunnel);
	int own = route_length(tunnel, to), other = route_length(router, to);

	if (mirror_is_inner_peer(tunnel, to))
		return 128;
	return own > other ? own : other;
}

void mirror_add_pair(struct mirror *mirror, struct peer_pair pair)
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
