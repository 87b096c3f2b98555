/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner with thousands of tunnels, of which one changes. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ctl/rules.h"
#include "plan_host.h"

/* `count` tunnels in one file, the key of number `odd` another one. */
static char *many(size_t count, size_t odd)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < count; i++)
		fprintf(out,
			"[tunnel t%zu]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = %zu\n"
			"address = 10.%zu.%zu.1 peer 10.%zu.%zu.2\nroute = 20.%zu.%zu.0/24\n",
			i, i == odd ? 1000000 : i, i / 256, i % 256, i / 256, i % 256, i / 256,
			i % 256);
	fclose(out);
	return text;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct link_info *)a)->name, ((const struct link_info *)b)->name);
}

static int by_params(const void *a, const void *b)
{
	return strcmp(((const struct dp_params *)a)->name, ((const struct dp_params *)b)->name);
}

static int by_place(const void *a, const void *b)
{
	return route_compare(a, b);
}

static int by_index(const void *a, const void *b)
{
	return (int)((const struct actual_index *)a)->index -
	       (int)((const struct actual_index *)b)->index;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Room for `count` tunnels, and the same way to every peer. */
static void make_room(struct actual *actual, size_t count)
{
	*actual = (struct actual){
		.links = calloc(count + 1, sizeof(struct link_info)),
		.links_by_index = calloc(count + 1, sizeof(struct actual_index)),
		.addresses = calloc(count + 1, sizeof(struct address_info)),
		.routes = calloc(count + 1, sizeof(struct route_info)),
		.ways = calloc(count + 1, sizeof(struct actual_way)),
		.lane = calloc(count + 1, sizeof(struct dp_params)),
		.lane_asked = true,
		.switches = {"0", "0", "0", "0"},
		.rules_present = true,
		.link_count = count,
		.address_count = count,
		.route_count = count,
		.way_count = count,
		.lane_count = count,
	};
	for (size_t i = 0; i < count; i++)
		actual->ways[i] = (struct actual_way){.way = {.match = net("172.19.1.0/24"),
							      .table = 254,
							      .type = RTN_UNICAST,
							      .oif = UNDERLAY},
						      .path_mtu = 1500};
}

static void put(struct actual *actual, size_t i, const struct site_tunnel *tunnel)
{
	uint32_t index = FIRST_TUNNEL + (uint32_t)i;
	struct link_info *link = &actual->links[i];

	*link = (struct link_info){
		.index = index, .mtu = tunnel->params.mtu, .flags = IFF_UP, .tun = LINK_TUN};
	strcpy(link->name, tunnel->params.name);
	strcpy(link->alias, tunnel->alias);
	memcpy(&actual->lane[i], &tunnel->params, sizeof(tunnel->params));
	actual->addresses[i] = (struct address_info){.index = index,
						     .local = tunnel->conf->addresses[0].local,
						     .peer = tunnel->conf->addresses[0].peer,
						     .protocol = OS_PROTOCOL};
	actual->routes[i] = (struct route_info){.to = tunnel->conf->routes[0].to,
						.table = 254,
						.oif = index,
						.protocol = OS_PROTOCOL,
						.type = RTN_UNICAST};
}

/* A host on which `conf` is in place. */
static void make_large(struct actual *actual, struct state *state, const struct conf *conf)
{
	struct site site;

	make_room(actual, conf->tunnel_count);
	actual->state = state;
	assert_int_equal(site_build(conf, actual, &site), 0);
	*state = (struct state){.rules_known = true, .rules_wanted = rules_hash(site.rules)};
	for (size_t i = 0; i < site.tunnel_count; i++)
		put(actual, i, &site.tunnels[i]);
	site_free(&site);
	qsort(actual->links, actual->link_count, sizeof(struct link_info), by_name);
	qsort(actual->lane, actual->lane_count, sizeof(struct dp_params), by_params);
	qsort(actual->routes, actual->route_count, sizeof(struct route_info), by_place);
	for (size_t i = 0; i < actual->link_count; i++)
		actual->links_by_index[i] =
			(struct actual_index){actual->links[i].index, &actual->links[i]};
	qsort(actual->links_by_index, actual->link_count, sizeof(struct actual_index), by_index);
}

static void scale(size_t count, double limit)
{
	char *first_text = many(count, count), *second_text = many(count, count / 2);
	struct conf *first = load(first_text), *second = load(second_text);
	struct actual actual;
	struct state state;
	struct site site;
	struct plan plan;
	char wanted[32];
	double start;

	make_large(&actual, &state, first);
	start = seconds();
	assert_int_equal(site_build(second, &actual, &site), 0);
	assert_int_equal(plan_make(&site, &actual, &plan), 0);
	start = seconds() - start;
	print_message("%zu tunnels: %.1f ms\n", count, start * 1e3);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].kind, STEP_TUNNEL_CHANGE);
	snprintf(wanted, sizeof(wanted), "t%zu", count / 2);
	assert_string_equal(plan.steps[0].object, wanted);
	assert_int_equal(plan.refusal_count, 0);
	assert_true(start < limit);
	plan_free(&plan);
	site_free(&site);
	actual_free(&actual);
	conf_free(first);
	conf_free(second);
	free(first_text);
	free(second_text);
}

static void many_tunnels(void **unused)
{
	(void)unused;
	scale(100, 0.05);
	scale(10000, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
