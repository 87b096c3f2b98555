/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ends.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/conf_parse.h"

#define UNFIT 8

bool ends_are_moving(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf_is_moving(&conf->tunnels[i]))
			return true;
	return false;
}

/* The lower the better; UNFIT or more: not at all. */
static unsigned rank(const struct address_info *address, const struct ip_addr *remote)
{
	const struct ip_addr *addr = &address->local.addr;
	bool near = addr_is_link_local(addr), far = !addr_is_link_local(remote);
	unsigned points = 0;

	if (addr->family != remote->family || addr_is_loopback(addr) ||
	    (addr->family == IP_V6 && near == far) || address->flags & IFA_F_DADFAILED ||
	    (address->flags & IFA_F_TENTATIVE && !(address->flags & IFA_F_OPTIMISTIC)))
		return UNFIT;
	if (address->flags & IFA_F_SECONDARY) /* which of IPv6 are the temporary ones */
		points += 1;
	if (address->flags & IFA_F_DEPRECATED)
		points += 2;
	if (near && far)
		points += 4;
	return points;
}

bool ends_of_device(const struct actual *actual, const char *device, const struct ip_addr *remote,
		    struct ip_addr *out)
{
	const struct link_info *link = actual_link(actual, device);
	unsigned best = UNFIT;

	for (size_t i = 0; link && i < actual->host_address_count; i++) {
		const struct address_info *address = &actual->host_addresses[i];
		unsigned points = address->index == link->index ? rank(address, remote) : UNFIT;

		if (points >= best)
			continue;
		best = points;
		*out = address->local.addr;
	}
	return best < UNFIT;
}

static const char *family_name(uint8_t family)
{
	return family == IP_V6 ? "IPv6" : "IPv4";
}

/* Where the peer has proved to be that knows what the file says now; NULL: nowhere. */
static const struct state_peer *learned_peer(const struct conf_tunnel *tunnel,
					     const struct state *state)
{
	const struct state_peer *peer =
		tunnel->remote_any && state ? state_find_peer(state, tunnel->name) : NULL;

	return peer && peer->digest == conf_nat_digest(tunnel) ? peer : NULL;
}

/* The remote end in a family, as far as it is known; IP_NONE else. */
static struct ip_addr remote_in(const struct conf_tunnel *tunnel, uint8_t family,
				const struct state *state)
{
	const struct state_peer *peer = learned_peer(tunnel, state);
	const struct state_name *found;

	if (peer)
		return peer->addr.family == family ? peer->addr : (struct ip_addr){0};
	if (!tunnel->remote_name)
		return tunnel->remote.family == family ? tunnel->remote : (struct ip_addr){0};
	found = state ? state_find_name(state, tunnel->remote_name, family) : NULL;
	return found ? found->addr : (struct ip_addr){0};
}

/* What the devices of the last look-ups had: many tunnels share one. */
struct memory {
	const char *device;
	struct ip_addr local;
	uint8_t family;
	bool link_local, found;
};

static struct ip_addr local_in(const struct conf_tunnel *tunnel, const struct ip_addr *remote,
			       const struct actual *actual, struct memory *last)
{
	bool link_local = addr_is_link_local(remote);

	if (!tunnel->local_device[0])
		return tunnel->local;
	if (!last->device || strcmp(last->device, tunnel->local_device) != 0 ||
	    last->family != remote->family || last->link_local != link_local) {
		*last = (struct memory){.device = tunnel->local_device,
					.family = remote->family,
					.link_local = link_local};
		last->found = ends_of_device(actual, tunnel->local_device, remote, &last->local);
	}
	return last->found ? last->local : (struct ip_addr){0};
}

/* Why no address stands for the name. */
static void explain_name(const struct conf_tunnel *tunnel, const struct state *state, char *why)
{
	const char *name = tunnel->remote_name;
	static const uint8_t families[] = {IP_V4, IP_V6};

	for (size_t i = 0; i < sizeof families; i++) {
		const struct state_name *found =
			state ? state_find_name(state, name, families[i]) : NULL;

		if (!found || !found->error[0])
			continue;
		snprintf(why, ACTUAL_WHY_SIZE, "%.64s cannot be looked up: %s", name, found->error);
		return;
	}
	snprintf(why, ACTUAL_WHY_SIZE, "%.64s has not been looked up yet", name);
}

static void explain_device(const struct conf_tunnel *tunnel, const struct ip_addr *remote,
			   const struct actual *actual, char *why)
{
	const char *device = tunnel->local_device;

	if (!actual_link(actual, device))
		snprintf(why, ACTUAL_WHY_SIZE, "there is no interface %s yet", device);
	else
		snprintf(why, ACTUAL_WHY_SIZE, "%s has no %s address%s yet", device,
			 family_name(remote->family),
			 addr_is_link_local(remote) ? " of its link" : "");
}

/* What a name may not turn out to be. */
static bool is_possible(const struct conf_tunnel *tunnel, char *why)
{
	const char *wrong = conf_not_a_host(&tunnel->remote);
	char text[ADDR_TEXT_SIZE];

	if (!wrong && addr_equal(&tunnel->local, &tunnel->remote))
		wrong = "is the local address, too";
	if (!wrong && addr_is_link_local(&tunnel->remote) && tunnel->remote.family == IP_V6 &&
	    !tunnel->bind[0])
		wrong = "is valid on one link only";
	if (wrong)
		snprintf(why, ACTUAL_WHY_SIZE, "%s, which %.64s stands for, %s",
			 addr_format(&tunnel->remote, text),
			 conf_remote_word(tunnel) ? conf_remote_word(tunnel) : "remote", wrong);
	return !wrong;
}

static void forget(struct conf_tunnel *tunnel)
{
	/* A peer that is learned may come from elsewhere, so there is still something to hear. */
	if (tunnel->local_device[0] && !tunnel->remote_any)
		tunnel->local = (struct ip_addr){.family = IP_NONE};
	if (conf_remote_word(tunnel))
		tunnel->remote = (struct ip_addr){.family = IP_NONE};
	tunnel->remote_port = 0;
}

/* Where a peer that is not known yet can be heard: IPv4 if the device has it, else IPv6. */
static void hear(const struct conf_tunnel *written, const struct actual *actual,
		 struct memory *last, struct conf_tunnel *out, struct actual_way *way)
{
	static const struct ip_addr families[] = {{.family = IP_V4}, {.family = IP_V6}};

	for (size_t i = 0; i < 2 && out->local.family == IP_NONE; i++)
		out->local = local_in(written, &families[i], actual, last);
	if (out->local.family == IP_NONE)
		explain_device(written, &families[0], actual, way->why);
	else
		snprintf(way->why, ACTUAL_WHY_SIZE,
			 "the peer behind its NAT has not proved itself yet");
}

static void settle(const struct conf_tunnel *written, const struct actual *actual,
		   struct memory *last, struct conf_tunnel *out, struct actual_way *way)
{
	static const uint8_t families[] = {IP_V4, IP_V6};
	struct ip_addr first = {0};

	for (size_t i = 0; i < sizeof families; i++) {
		struct ip_addr remote = remote_in(written, families[i], actual->state), local;

		/* A name is looked up in the family of an address beside it, and in no other. */
		if (remote.family == IP_NONE ||
		    (!written->local_device[0] && written->local.family != families[i]))
			continue;
		if (first.family == IP_NONE)
			first = remote;
		local = local_in(written, &remote, actual, last);
		if (local.family != families[i])
			continue;
		out->local = local;
		out->remote = remote;
		if (written->remote_any)
			out->remote_port = learned_peer(written, actual->state)->port;
		if (!is_possible(out, way->why))
			forget(out);
		return;
	}
	if (first.family == IP_NONE && written->remote_any) {
		hear(written, actual, last, out, way);
		return;
	}
	if (first.family == IP_NONE) {
		explain_name(written, actual->state, way->why);
		return;
	}
	out->remote = first;
	explain_device(written, &first, actual, way->why);
}

static int compare_packets(const void *a, const void *b, void *arg)
{
	const struct conf_tunnel *tunnels = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	int order = conf_compare_packets(&tunnels[i], &tunnels[k]);

	/* What the file says outright goes first, then its order. */
	if (!order)
		order = conf_is_moving(&tunnels[i]) - conf_is_moving(&tunnels[k]);
	return order ? order : (i > k) - (i < k);
}

/* The file's clashes were refused when it was read; these show only now. */
static int find_clashes(const struct conf *conf, struct conf_tunnel *tunnels,
			struct actual_way *ways)
{
	size_t *order = calloc(conf->tunnel_count + 1, sizeof(*order)), first = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		order[i] = i;
	qsort_r(order, conf->tunnel_count, sizeof(*order), compare_packets, tunnels);
	for (size_t i = 1; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *kept = &tunnels[order[first]];
		struct conf_tunnel *tunnel = &tunnels[order[i]];
		char text[ADDR_TEXT_SIZE];

		if (!conf_has_ends(tunnel) || conf_compare_packets(kept, tunnel) != 0) {
			first = i;
			continue;
		}
		snprintf(ways[order[i]].why, ACTUAL_WHY_SIZE,
			 "its peer is %s, as that of %s: received packets could not be told apart "
			 "without a key of its own",
			 addr_format(&tunnel->remote, text), kept->name);
	}
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (ways[i].why[0] && conf_has_ends(&tunnels[i]))
			forget(&tunnels[i]);
	free(order);
	return 0;
}

int ends_settle(const struct conf *conf, const struct actual *actual, struct conf_tunnel *tunnels,
		struct actual_way *ways)
{
	struct memory last = {0};

	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf_is_moving(&conf->tunnels[i]))
			settle(&conf->tunnels[i], actual, &last, &tunnels[i], &ways[i]);
	return find_clashes(conf, tunnels, ways);
}

void ends_set_aside(struct actual *actual, size_t index, const char *why)
{
	snprintf(actual->ways[index].why, ACTUAL_WHY_SIZE, "%s", why);
	actual->settled->tunnels[index].remote = (struct ip_addr){0};
	actual->settled->tunnels[index].remote_port = 0;
}
