/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that were learned. The next daemon goes on with them, as with what names mean. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/state_names.h"

/* Where it is, or would be put in. */
static size_t place(const struct state *state, const char *tunnel)
{
	size_t low = 0, high = state->peer_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(tunnel, state->peers[middle].tunnel) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct state_peer *state_find_peer(const struct state *state, const char *tunnel)
{
	size_t at = place(state, tunnel);

	return at < state->peer_count && strcmp(tunnel, state->peers[at].tunnel) == 0
		       ? &state->peers[at]
		       : NULL;
}

int state_set_peer(struct state *state, const struct state_peer *peer)
{
	size_t at = place(state, peer->tunnel);
	struct state_peer *peers = state->peers;

	if (!state_find_peer(state, peer->tunnel)) {
		peers = reallocarray(state->peers, state->peer_count + 1, sizeof(*peers));
		if (!peers)
			return -ENOMEM;
		state->peers = peers;
		memmove(&peers[at + 1], &peers[at], (state->peer_count++ - at) * sizeof(*peers));
	}
	peers[at] = *peer;
	return 0;
}

bool state_keep_peers(struct state *state, bool (*wanted)(void *arg, const char *tunnel), void *arg)
{
	size_t kept = 0, before = state->peer_count;

	for (size_t i = 0; i < before; i++)
		if (wanted(arg, state->peers[i].tunnel))
			state->peers[kept++] = state->peers[i];
	state->peer_count = kept;
	return kept != before;
}

int state_peers_read(json_t *array, struct state *out)
{
	size_t index;
	json_t *item;

	json_array_foreach (array, index, item) {
		struct state_peer peer = {.digest = 0};
		const char *tunnel = NULL, *addr = NULL, *digest = NULL;
		int port = 0;

		if (json_unpack(item, "[s, s, i, s]", &tunnel, &addr, &port, &digest) != 0 ||
		    !tunnel[0] || strlen(tunnel) >= IFNAMSIZ || !addr_parse(addr, &peer.addr) ||
		    port < 1 || port > 65535 || sscanf(digest, "%" SCNx64, &peer.digest) != 1)
			return -EBADMSG;
		snprintf(peer.tunnel, sizeof(peer.tunnel), "%s", tunnel);
		peer.port = (uint16_t)port;
		if (state_set_peer(out, &peer))
			return -ENOMEM;
	}
	return 0;
}

json_t *state_peers_make(const struct state *state)
{
	json_t *array = json_array();
	char text[ADDR_TEXT_SIZE], digest[17];

	for (size_t i = 0; i < state->peer_count; i++) {
		const struct state_peer *peer = &state->peers[i];

		snprintf(digest, sizeof(digest), "%016" PRIx64, peer->digest);
		json_array_append_new(array, json_pack("[s, s, i, s]", peer->tunnel,
						       addr_format(&peer->addr, text),
						       (int)peer->port, digest));
	}
	return array;
}

void state_peers_free(struct state *state)
{
	free(state->peers);
	state->peers = NULL;
	state->peer_count = 0;
}
