/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan_host.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/return_path.h"
#include "ctl/rules.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct link_info *)a)->name, ((const struct link_info *)b)->name);
}

static int by_index(const void *a, const void *b)
{
	return (int)((const struct actual_index *)a)->index -
	       (int)((const struct actual_index *)b)->index;
}

static int by_place(const void *a, const void *b)
{
	return route_compare(a, b);
}

static void settle(struct host *host)
{
	struct actual *actual = &host->actual;

	qsort(host->links, actual->link_count, sizeof(host->links[0]), by_name);
	for (size_t i = 0; i < actual->link_count; i++)
		host->by_index[i] = (struct actual_index){host->links[i].index, &host->links[i]};
	qsort(host->by_index, actual->link_count, sizeof(host->by_index[0]), by_index);
	qsort(host->routes, actual->route_count, sizeof(host->routes[0]), by_place);
}

struct link_info *host_link(struct host *host, const char *name, uint32_t index)
{
	struct link_info *link = &host->links[host->actual.link_count++];

	*link = (struct link_info){.index = index, .mtu = 1500, .flags = IFF_UP};
	snprintf(link->name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, name);
	return link;
}

struct link_info *host_find(struct host *host, const char *name)
{
	for (size_t i = 0; i < host->actual.link_count; i++)
		if (strcmp(host->links[i].name, name) == 0)
			return &host->links[i];
	fail_msg("no link %s", name);
	return NULL;
}

struct ip_prefix net(const char *text)
{
	struct ip_prefix prefix = {0};

	assert_true(prefix_parse(text, &prefix));
	return prefix;
}

struct conf *load(const char *text)
{
	struct conf *conf;

	assert_int_equal(conf_load_text("conf", text, stderr, &conf), 0);
	return conf;
}

/* Every peer behind a gateway of the underlay's network, by the default route. */
void host_ways(struct host *host, const struct conf *conf)
{
	host->actual.way_count = conf->tunnel_count;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		host->ways[i] = (struct actual_way){
			.way = {.match = net("0.0.0.0/0"),
				.table = ROUTE_TABLE_MAIN,
				.oif = UNDERLAY,
				.type = RTN_UNICAST,
				.gateway = net("172.19.1.254").addr},
			.path_mtu = 1500,
		};
	for (size_t i = 0; i < conf->tunnel_count; i++)
		host->ways[i].beneath = host->ways[i].way;
}

void host_put(struct host *host, const struct site_tunnel *tunnel, uint32_t index)
{
	const struct conf_tunnel *conf = tunnel->conf;
	struct link_info *link;

	memcpy(&host->lane[host->actual.lane_count++], &tunnel->params, sizeof(host->lane[0]));
	if (conf->hub)
		return;
	link = host_link(host, tunnel->params.name, index);
	strcpy(link->kind, "tun");
	strcpy(link->alias, tunnel->alias);
	link->tun = form_is_ethernet(tunnel->params.form) || tunnel->params.multipoint ? LINK_TAP
										       : LINK_TUN;
	link->mtu = tunnel->params.mtu;
	host->settings[host->actual.setting_count++] =
		(struct actual_settings){.index = index,
					 .has4 = true,
					 .has6 = true,
					 .ignore_linkdown4 = true,
					 .ignore_linkdown6 = true};
	for (size_t i = 0; i < conf->address_count; i++)
		host->addresses[host->actual.address_count++] =
			(struct address_info){.index = index,
					      .local = conf->addresses[i].local,
					      .peer = conf->addresses[i].peer,
					      .protocol = OS_PROTOCOL};
}

static void put_policies(struct host *host, const struct site *site, size_t tunnel)
{
	static const uint8_t families[] = {IP_V4, IP_V6};
	uint8_t number = site->return_numbers[tunnel];

	for (int i = 0; i < 2; i++)
		if (site_returns(site, tunnel, families[i]))
			host->policies[host->actual.policy_count++] =
				return_rule(number, families[i]);
	if (number)
		strcpy(host->state.returns[number], site->tunnels[tunnel].params.name);
}

static void put_route(struct host *host, const struct site_route *wanted)
{
	struct route_info *route = &host->routes[host->actual.route_count];
	struct route_hop *hops = host->hops[host->actual.route_count++];

	*route = wanted->route;
	for (size_t i = 0; i < wanted->hop_count; i++)
		hops[i] = (struct route_hop){
			.oif = host_find(host, wanted->hops[i].tunnel->params.name)->index,
			.weight = wanted->hops[i].weight,
			.gateway = wanted->route.gateway,
		};
	if (wanted->hop_count < 2) {
		route->oif = hops[0].oif;
		return;
	}
	route->hops = hops;
	route->hop_count = wanted->hop_count;
	route->gateway = (struct ip_addr){0};
}

/* A host on which nothing was done yet. */
void host_bare(struct host *host, const struct conf *conf)
{
	memset(host, 0, sizeof(*host));
	host->actual = (struct actual){
		.links = host->links,
		.links_by_index = host->by_index,
		.addresses = host->addresses,
		.routes = host->routes,
		.ways = host->ways,
		.lane = host->lane,
		.settings = host->settings,
		.policies = host->policies,
		.lane_asked = true,
		.state = &host->state,
		.switches = {"0", "0", "0", "0"},
	};
	host_link(host, "eth0", UNDERLAY);
	host_ways(host, conf);
	settle(host);
	for (int i = 0; i < SWITCH_COUNT; i++)
		sysctl_list_add(&host->actual.around[i], "net/x", "0");
}

void host_put_all(struct host *host, const struct conf *conf)
{
	struct site site;

	settle(host);
	assert_int_equal(site_build(conf, &host->actual, &site), 0);
	for (size_t i = 0; i < site.tunnel_count; i++)
		host_put(host, &site.tunnels[i], FIRST_TUNNEL + (uint32_t)i);
	for (size_t i = 0; i < site.tunnel_count; i++)
		put_policies(host, &site, i);
	for (size_t i = 0; i < site.route_count; i++)
		put_route(host, &site.routes[i]);
	settle(host);
	for (int i = 0; i < SWITCH_COUNT; i++)
		if (site.switches[i]) {
			strcpy(host->actual.switches[i], "1");
			sysctl_list_add(&host->state.saved[i], "net/x", "0");
		}
	if (site.rules) {
		host->actual.rules_present = true;
		host->actual.rules_listed = LISTED;
		host->state.rules_known = true;
		host->state.rules_wanted = rules_hash(site.rules);
		host->state.rules_listed = LISTED;
	}
	site_free(&site);
}

/* A host on which `conf` is in place. */
void host_done(struct host *host, const struct conf *conf)
{
	host_bare(host, conf);
	host_put_all(host, conf);
}

void host_drop(struct host *host)
{
	for (int i = 0; i < SWITCH_COUNT; i++)
		sysctl_list_free(&host->actual.around[i]);
	state_free(&host->state);
}

/* "kind object; kind object; ..." */
static void describe(const struct plan *plan, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < plan->step_count && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s%s%s", i ? "; " : "",
					 step_kind_name(plan->steps[i].kind),
					 plan->steps[i].object[0] ? " " : "",
					 plan->steps[i].object);
}

void host_plan(struct host *host, const char *file, struct planned *out)
{
	out->conf = file ? load(file) : NULL;
	if (out->conf && host->actual.way_count != out->conf->tunnel_count)
		host_ways(host, out->conf);
	settle(host);
	assert_int_equal(site_build(out->conf, &host->actual, &out->site), 0);
	assert_int_equal(plan_make(&out->site, &host->actual, &out->plan), 0);
	describe(&out->plan, out->steps, sizeof(out->steps));
}

void planned_drop(struct planned *planned)
{
	plan_free(&planned->plan);
	site_free(&planned->site);
	conf_free(planned->conf);
}
