/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/actual.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ctl/actual_read.h"
#include "ctl/rules.h"
#include "ctl/site.h"

/* A dump during which something changed is asked for again; on a busy host more than once. */
#define DUMP_TRIES 10

int kernel_open(struct kernel *kernel)
{
	int err;

	*kernel = (struct kernel){0};
	err = nl_open(&kernel->route, NETLINK_ROUTE);
	if (err)
		return err;
	kernel->nft_error = nft_probe();
	if (!kernel->nft_error)
		err = nft_open(&kernel->nft);
	if (err)
		kernel_close(kernel);
	return err;
}

void kernel_forget(struct kernel *kernel)
{
	if (kernel->kept)
		actual_free(kernel->kept);
	free(kernel->kept);
	kernel->kept = NULL;
}

void kernel_close(struct kernel *kernel)
{
	kernel_forget(kernel);
	nft_close(kernel->nft);
	nl_close(&kernel->route);
	*kernel = (struct kernel){0};
}

/* Doubles: a list grows by one item at a time. */
static int make_room(void **items, size_t count, size_t size)
{
	void *grown;

	if (count & (count - 1))
		return 0;
	grown = reallocarray(*items, count ? count * 2 : 1, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	return 0;
}

static int keep_link(void *arg, const struct link_info *link)
{
	struct actual *actual = arg;
	int err = make_room((void **)&actual->links, actual->link_count, sizeof(*link));

	if (!err)
		actual->links[actual->link_count++] = *link;
	return err;
}

static int compare_links(const void *a, const void *b)
{
	return strcmp(((const struct link_info *)a)->name, ((const struct link_info *)b)->name);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_indices(const void *a, const void *b)
{
	return compare_numbers(((const struct actual_index *)a)->index,
			       ((const struct actual_index *)b)->index);
}

static int read_links(struct nl *nl, struct actual *actual)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		actual->link_count = 0;
		err = link_each(nl, keep_link, actual);
	}
	if (err)
		return err;
	actual->links_by_index = calloc(actual->link_count + 1, sizeof(struct actual_index));
	if (!actual->links_by_index)
		return -ENOMEM;
	qsort(actual->links, actual->link_count, sizeof(*actual->links), compare_links);
	for (size_t i = 0; i < actual->link_count; i++)
		actual->links_by_index[i] =
			(struct actual_index){actual->links[i].index, &actual->links[i]};
	qsort(actual->links_by_index, actual->link_count, sizeof(struct actual_index),
	      compare_indices);
	return 0;
}

static int compare_link(const void *name, const void *link)
{
	return strcmp(name, ((const struct link_info *)link)->name);
}

const struct link_info *actual_link(const struct actual *actual, const char *name)
{
	return actual->link_count ? bsearch(name, actual->links, actual->link_count,
					    sizeof(*actual->links), compare_link)
				  : NULL;
}

const struct link_info *actual_link_at(const struct actual *actual, uint32_t index)
{
	const struct actual_index key = {.index = index}, *found;

	if (!actual->link_count)
		return NULL;
	found = bsearch(&key, actual->links_by_index, actual->link_count, sizeof(key),
			compare_indices);
	return found ? found->link : NULL;
}

bool actual_is_ours(const struct actual *actual, const struct link_info *link)
{
	if (link->tun == LINK_TUN_NONE)
		return false;
	if (strncmp(link->alias, ACTUAL_ALIAS_MARK, strlen(ACTUAL_ALIAS_MARK)) == 0)
		return true;
	/* Somebody took the mark off while we carry its packets. */
	if (actual_lane(actual, link->name))
		return true;
	return !link->alias[0] && actual->state && state_is_pending(actual->state, link->name);
}

static bool is_ours_at(const struct actual *actual, uint32_t index)
{
	const struct link_info *link = actual_link_at(actual, index);

	return link && actual_is_ours(actual, link);
}

static int keep_address(void *arg, const struct address_info *address)
{
	struct actual *actual = arg;
	int err = make_room((void **)&actual->host_addresses, actual->host_address_count,
			    sizeof(*address));

	if (!err)
		actual->host_addresses[actual->host_address_count++] = *address;
	return err;
}

static int compare_addresses(const void *a, const void *b)
{
	return compare_numbers(((const struct address_info *)a)->index,
			       ((const struct address_info *)b)->index);
}

static int read_addresses(struct nl *nl, struct actual *actual)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		actual->host_address_count = 0;
		err = address_each(nl, keep_address, actual);
	}
	return err;
}

static int choose_addresses(struct actual *actual)
{
	size_t count = 0;

	actual->addresses = calloc(actual->host_address_count + 1, sizeof(*actual->addresses));
	if (!actual->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < actual->host_address_count; i++)
		if (is_ours_at(actual, actual->host_addresses[i].index))
			actual->addresses[count++] = actual->host_addresses[i];
	qsort(actual->addresses, count, sizeof(*actual->addresses), compare_addresses);
	actual->address_count = count;
	return 0;
}

static int keep_route(void *arg, const struct route_info *route)
{
	struct actual *actual = arg;
	struct route_hop *hops = NULL;
	int err = make_room((void **)&actual->routes, actual->route_count, sizeof(*route));

	if (!err && route->hop_count) {
		hops = calloc(route->hop_count, sizeof(*hops));
		if (!hops)
			return -ENOMEM;
		memcpy(hops, route->hops, route->hop_count * sizeof(*hops));
	}
	if (err)
		return err;
	actual->routes[actual->route_count] = *route;
	actual->routes[actual->route_count++].hops = hops;
	return 0;
}

static void forget_routes(struct actual *actual)
{
	for (size_t i = 0; i < actual->route_count; i++)
		free((void *)actual->routes[i].hops);
	actual->route_count = 0;
}

static int compare_routes(const void *a, const void *b)
{
	return route_compare(a, b);
}

static int read_routes(struct nl *nl, struct actual *actual)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		forget_routes(actual);
		err = route_each(nl, AF_INET, OS_PROTOCOL, keep_route, actual);
		if (!err)
			err = route_each(nl, AF_INET6, OS_PROTOCOL, keep_route, actual);
	}
	if (!err && actual->route_count)
		qsort(actual->routes, actual->route_count, sizeof(*actual->routes), compare_routes);
	return err;
}

static int keep_policy(void *arg, const struct rule_info *rule)
{
	struct actual *actual = arg;
	int err = make_room((void **)&actual->policies, actual->policy_count, sizeof(*rule));

	if (!err)
		actual->policies[actual->policy_count++] = *rule;
	return err;
}

static int read_policies(struct nl *nl, struct actual *actual)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < DUMP_TRIES; i++) {
		actual->policy_count = 0;
		err = rule_each(nl, AF_INET, keep_policy, actual);
		if (!err)
			err = rule_each(nl, AF_INET6, keep_policy, actual);
	}
	return err;
}

static int compare_params(const void *a, const void *b)
{
	return strcmp(((const struct dp_params *)a)->name, ((const struct dp_params *)b)->name);
}

static int keep_params(void *arg, const struct dp_params *params)
{
	struct actual *actual = arg;
	int err = make_room((void **)&actual->lane, actual->lane_count, sizeof(*params));

	if (!err)
		memcpy(&actual->lane[actual->lane_count++], params, sizeof(*params));
	return err;
}

static int read_lane(const struct lane_ops *lane, struct actual *actual)
{
	int err;

	actual->fast = !lane || lane->fast;
	actual->lane_asked = lane != NULL;
	if (!lane)
		return 0;
	err = lane->each(lane->arg, keep_params, actual);
	if (!err && actual->lane_count)
		qsort(actual->lane, actual->lane_count, sizeof(*actual->lane), compare_params);
	return err;
}

static int compare_lane(const void *name, const void *params)
{
	return strcmp(name, ((const struct dp_params *)params)->name);
}

const struct dp_params *actual_lane(const struct actual *actual, const char *name)
{
	return actual->lane_count ? bsearch(name, actual->lane, actual->lane_count,
					    sizeof(*actual->lane), compare_lane)
				  : NULL;
}

const struct address_info *actual_addresses(const struct actual *actual, uint32_t index,
					    size_t *count)
{
	struct address_info key = {.index = index};
	const struct address_info *end = actual->addresses + actual->address_count, *first, *last;

	*count = 0;
	if (!actual->address_count)
		return NULL;
	first = bsearch(&key, actual->addresses, actual->address_count, sizeof(key),
			compare_addresses);
	if (!first)
		return NULL;
	for (last = first; last < end && last->index == index; last++)
		;
	while (first > actual->addresses && first[-1].index == index)
		first--;
	*count = (size_t)(last - first);
	return first;
}

const struct route_info *actual_routes(const struct actual *actual, const struct route_info *place,
				       size_t *count)
{
	const struct route_info *end = actual->routes + actual->route_count, *first, *last;

	*count = 0;
	if (!actual->route_count)
		return NULL;
	first = bsearch(place, actual->routes, actual->route_count, sizeof(*place), compare_routes);
	if (!first)
		return NULL;
	for (last = first; last < end && route_compare(last, place) == 0; last++)
		;
	while (first > actual->routes && route_compare(first - 1, place) == 0)
		first--;
	*count = (size_t)(last - first);
	return first;
}

static int read_rules(struct kernel *kernel, struct actual *actual)
{
	char *listing;
	int err;

	actual->nft_error = kernel->nft_error;
	if (kernel->nft_error)
		return kernel->nft_error == -EPERM ? -EPERM : 0;
	err = nft_list_table(kernel->nft, RULES_TABLE, &listing);
	if (err)
		return err == -ENOENT ? 0 : err;
	actual->rules_present = true;
	actual->rules_listed = rules_hash(listing);
	free(listing);
	return 0;
}

static int say(char error[ACTUAL_ERROR_SIZE], const char *what, int err)
{
	snprintf(error, ACTUAL_ERROR_SIZE, "%s: %s%s", what, strerror(-err),
		 err == -EPERM ? ": run it as root" : "");
	return err;
}

/* What the kernel announces when it changes. */
static int read_announced(struct nl *nl, struct actual *out, const char **what)
{
	int err;

	*what = "reading addresses";
	err = read_addresses(nl, out);
	if (!err)
		err = choose_addresses(out);
	if (!err && (*what = "reading routes"))
		err = read_routes(nl, out);
	if (!err && (*what = "reading the rules of policy routing"))
		err = read_policies(nl, out);
	if (!err && (*what = "reading the interfaces' settings"))
		err = actual_read_settings(nl, out);
	return err;
}

int actual_read(struct kernel *kernel, const struct conf *conf, const struct state *state,
		const struct lane_ops *lane, struct actual *out, char error[ACTUAL_ERROR_SIZE])
{
	const char *what = "reading links";
	bool kept = kernel->kept;
	int err = 0;

	*out = kept ? *kernel->kept : (struct actual){0};
	free(kernel->kept);
	kernel->kept = NULL;
	out->state = state;
	out->conf = conf;
	if (!kept)
		err = read_links(&kernel->route, out);
	if (!err && (what = "asking the packet paths"))
		err = read_lane(lane, out);
	if (!err && !kept)
		err = read_announced(&kernel->route, out, &what);
	if (!err && conf && (what = "looking up the ways to the peers"))
		err = actual_read_ways(&kernel->route, conf, out);
	if (!err && conf)
		err = actual_read_beneath(&kernel->route, out);
	if (!err && (what = "reading the nftables rules"))
		err = read_rules(kernel, out);
	if (!err && (what = "reading what is forwarded"))
		err = actual_read_forward(&kernel->route, conf, out);
	if (!err)
		return 0;
	actual_free(out);
	return say(error, what, err);
}

/* What belongs to one look alone. */
static void free_rest(struct actual *actual)
{
	if (actual->settled)
		free(actual->settled->tunnels);
	free(actual->settled);
	free(actual->ways);
	free(actual->lane);
	for (int i = 0; i < SWITCH_COUNT; i++)
		sysctl_list_free(&actual->around[i]);
}

void actual_free(struct actual *actual)
{
	free_rest(actual);
	free(actual->links);
	free(actual->links_by_index);
	free(actual->host_addresses);
	free(actual->addresses);
	forget_routes(actual);
	free(actual->routes);
	free(actual->policies);
	free(actual->settings);
	*actual = (struct actual){0};
}

void actual_keep(struct kernel *kernel, struct actual *actual)
{
	struct actual *kept = calloc(1, sizeof *kept);

	kernel_forget(kernel);
	if (!kept)
		return; /* the next look reads them again */
	free_rest(actual);
	*kept = (struct actual){
		.links = actual->links,
		.links_by_index = actual->links_by_index,
		.link_count = actual->link_count,
		.host_addresses = actual->host_addresses,
		.host_address_count = actual->host_address_count,
		.addresses = actual->addresses,
		.address_count = actual->address_count,
		.routes = actual->routes,
		.route_count = actual->route_count,
		.policies = actual->policies,
		.policy_count = actual->policy_count,
		.settings = actual->settings,
		.setting_count = actual->setting_count,
		.rp_filter_all = actual->rp_filter_all,
		.rp_filter_default = actual->rp_filter_default,
	};
	kernel->kept = kept;
	*actual = (struct actual){0};
}
