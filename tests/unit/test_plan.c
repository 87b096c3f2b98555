/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planner without a kernel: a host is made up in which a first configuration is in place, the
 * host or the configuration is changed, and the plan is compared with the steps that it must have.
 */
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

#include "ctl/plan.h"
#include "ctl/rules.h"

#define A                                                                 \
	"[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 1\n"  \
	"address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n" \
	"route = 2001:db8:20::/48\n"
#define B      "[tunnel B]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n"
#define F      "[forward]\nenable = yes\nallow = 10.0.0.0/8 <-> 20.0.0.0/8\n"
#define LISTED 77

enum { UNDERLAY = 2, FIRST_TUNNEL = 10 };

/* Room for what a case adds. */
struct host {
	struct actual actual;
	struct link_info links[16], *by_index[16];
	struct address_info addresses[16];
	struct route_info routes[16];
	struct actual_way ways[16];
	struct dp_params lane[16];
	struct state state;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct link_info *)a)->name, ((const struct link_info *)b)->name);
}

static int by_index(const void *a, const void *b)
{
	return (int)(*(struct link_info *const *)a)->index -
	       (int)(*(struct link_info *const *)b)->index;
}

static void settle(struct host *host)
{
	struct actual *actual = &host->actual;

	qsort(host->links, actual->link_count, sizeof(host->links[0]), by_name);
	for (size_t i = 0; i < actual->link_count; i++)
		host->by_index[i] = &host->links[i];
	qsort(host->by_index, actual->link_count, sizeof(host->by_index[0]), by_index);
}

static struct link_info *add_link(struct host *host, const char *name, uint32_t index)
{
	struct link_info *link = &host->links[host->actual.link_count++];

	*link = (struct link_info){.index = index, .mtu = 1500, .flags = IFF_UP};
	snprintf(link->name, IFNAMSIZ, "%s", name);
	return link;
}

static struct link_info *link_of(struct host *host, const char *name)
{
	for (size_t i = 0; i < host->actual.link_count; i++)
		if (strcmp(host->links[i].name, name) == 0)
			return &host->links[i];
	fail_msg("no link %s", name);
	return NULL;
}

static struct ip_prefix net(const char *text)
{
	struct ip_prefix prefix = {0};

	assert_true(prefix_parse(text, &prefix));
	return prefix;
}

static struct conf *load(const char *text)
{
	struct conf *conf;

	assert_int_equal(conf_load_text("conf", text, stderr, &conf), 0);
	return conf;
}

/* Every peer behind a gateway of the underlay's network, by the default route. */
static void set_ways(struct host *host, const struct conf *conf)
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
}

static void put_tunnel(struct host *host, const struct site_tunnel *tunnel, uint32_t index)
{
	struct link_info *link = add_link(host, tunnel->params.name, index);
	const struct conf_tunnel *conf = tunnel->conf;

	strcpy(link->kind, "tun");
	strcpy(link->alias, tunnel->alias);
	link->tun = tunnel->params.ethernet ? LINK_TAP : LINK_TUN;
	link->mtu = tunnel->params.mtu;
	memcpy(&host->lane[host->actual.lane_count++], &tunnel->params, sizeof(host->lane[0]));
	for (size_t i = 0; i < conf->address_count; i++)
		host->addresses[host->actual.address_count++] =
			(struct address_info){.index = index,
					      .local = conf->addresses[i].local,
					      .peer = conf->addresses[i].peer,
					      .protocol = OS_PROTOCOL};
	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *route = &conf->routes[i];
		bool v6 = route->to.addr.family == IP_V6;

		host->routes[host->actual.route_count++] = (struct route_info){
			.to = route->to,
			.table = route->table,
			.metric = v6 && !route->metric ? 1024 : route->metric,
			.oif = index,
			.src = route->src,
			.protocol = OS_PROTOCOL,
			.type = RTN_UNICAST,
		};
	}
}

/* A host on which nothing was done yet. */
static void make_bare(struct host *host, const struct conf *conf)
{
	memset(host, 0, sizeof(*host));
	host->actual = (struct actual){
		.links = host->links,
		.links_by_index = host->by_index,
		.addresses = host->addresses,
		.routes = host->routes,
		.ways = host->ways,
		.lane = host->lane,
		.lane_asked = true,
		.state = &host->state,
		.forward = {"0", "0"},
	};
	add_link(host, "eth0", UNDERLAY);
	set_ways(host, conf);
	settle(host);
	for (int i = 0; i < SWITCH_COUNT; i++)
		sysctl_list_add(&host->actual.around[i], "net/x", "0");
}

/* A host on which `conf` is in place. */
static void make_done(struct host *host, const struct conf *conf)
{
	struct site site;

	make_bare(host, conf);
	assert_int_equal(site_build(conf, &host->actual, &site), 0);
	for (size_t i = 0; i < site.tunnel_count; i++)
		put_tunnel(host, &site.tunnels[i], FIRST_TUNNEL + (uint32_t)i);
	settle(host);
	for (int i = 0; i < SWITCH_COUNT; i++)
		if (site.forward[i]) {
			strcpy(host->actual.forward[i], "1");
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

static void drop_host(struct host *host)
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

struct planned {
	struct conf *conf;
	struct site site;
	struct plan plan;
	char steps[2048];
};

static void make_plan(struct host *host, const char *file, struct planned *out)
{
	out->conf = file ? load(file) : NULL;
	if (out->conf && host->actual.way_count != out->conf->tunnel_count)
		set_ways(host, out->conf);
	settle(host);
	assert_int_equal(site_build(out->conf, &host->actual, &out->site), 0);
	assert_int_equal(plan_make(&out->site, &host->actual, &out->plan), 0);
	describe(&out->plan, out->steps, sizeof(out->steps));
}

static void drop_plan(struct planned *planned)
{
	plan_free(&planned->plan);
	site_free(&planned->site);
	conf_free(planned->conf);
}

static void none(struct host *host)
{
	(void)host;
}
static void no_lane(struct host *host)
{
	host->actual.lane_asked = false;
	host->actual.lane_count = 0;
}
static void new_daemon(struct host *host)
{
	host->actual.lane_count = 0;
}
static void link_gone(struct host *host)
{
	struct link_info *link = link_of(host, "A");

	*link = host->links[--host->actual.link_count];
	host->actual.address_count = host->actual.route_count = 0;
}
static void link_down(struct host *host)
{
	link_of(host, "A")->flags = 0;
	host->actual.route_count = 0;
}
static void wrong_mtu(struct host *host)
{
	link_of(host, "A")->mtu = 1400;
}
static void alias_gone(struct host *host)
{
	link_of(host, "A")->alias[0] = '\0';
}
static void address_gone(struct host *host)
{
	host->actual.address_count = 0;
}
static void address_theirs(struct host *host)
{
	host->addresses[0].protocol = 0;
}
static void more_theirs(struct host *host)
{
	host->addresses[host->actual.address_count++] =
		(struct address_info){.index = FIRST_TUNNEL, .local = net("10.99.0.1/24")};
}
static void more_ours(struct host *host)
{
	more_theirs(host);
	host->addresses[host->actual.address_count - 1].protocol = OS_PROTOCOL;
	host->routes[host->actual.route_count++] = (struct route_info){.to = net("20.99.0.0/16"),
								       .table = 254,
								       .oif = FIRST_TUNNEL,
								       .protocol = OS_PROTOCOL,
								       .type = RTN_UNICAST};
}
static void other_metric(struct host *host)
{
	host->routes[0].metric = 9;
}
static void path_smaller(struct host *host)
{
	host->ways[0].path_mtu = 1400;
}
static void rules_gone(struct host *host)
{
	host->actual.rules_present = false;
}
static void rules_touched(struct host *host)
{
	host->actual.rules_listed = 1;
}
static void state_lost(struct host *host)
{
	state_free(&host->state);
}
static void forward_off(struct host *host)
{
	strcpy(host->actual.forward[SWITCH_FORWARD4], "0");
}
static void cut_short(struct host *host)
{
	alias_gone(host);
	new_daemon(host);
	host->state.pending = calloc(1, sizeof(*host->state.pending));
	strcpy(host->state.pending[host->state.pending_count++], "A");
}
static void is_tap(struct host *host)
{
	link_of(host, "A")->tun = LINK_TAP;
}

/* The first file is in place, `change` happens, the second is wanted. */
static const struct {
	const char *first;
	void (*change)(struct host *host);
	const char *second;
	const char *steps;
} cases[] = {
	/* 1 */ {A F, none, A F, ""},
	/* 2 */ {A F, no_lane, A F, ""},
	/* 3 */ {A F, none, A F B, "rules-set; tunnel-create B; mtu B; up B"},
	/* 4: only the key */
	{A, none,
	 "[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 9\n"
	 "address = 192.168.8.1 peer 192.168.8.11\nroute = 20.10.1.0/24\n"
	 "route = 2001:db8:20::/48\n",
	 "tunnel-change A"},
	/* 5: the key goes: four octets more for passengers */
	{B, none, "[tunnel B]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n",
	 "tunnel-change B; mtu B"},
	/* 6: down, in an order that takes the rules last */
	{A F, none, NULL,
	 "route-del A; route-del A; address-del A; tunnel-del A; forward-restore; "
	 "forward-restore; rules-del"},
	/* 7 */ {A B, none, A, "tunnel-del B"},
	/* 8 */ {A, new_daemon, A, "tunnel-adopt A"},
	/* 9 */
	{A, link_gone, A,
	 "tunnel-create A; mtu A; address-add A; up A; route-add A; "
	 "route-add A"},
	/* 10 */ {A, link_down, A, "up A; route-add A; route-add A"},
	/* 11 */ {A, wrong_mtu, A, "mtu A"},
	/* 12: the mark was taken off, but we carry it */ {A, alias_gone, A, "tunnel-change A"},
	/* 13 */ {A, address_gone, A, "address-add A"},
	/* 14: somebody else's address will do */ {A, address_theirs, A, ""},
	/* 15: and is left alone */ {A, more_theirs, A, ""},
	/* 16 */ {A, more_ours, A, "route-del A; address-del A"},
	/* 17 */ {A, other_metric, A, "route-del A; route-add A"},
	/* 18 */ {A, path_smaller, A, "tunnel-change A; mtu A"},
	/* 19 */ {A F, rules_gone, A F, "rules-set"},
	/* 20 */ {A F, rules_touched, A F, "rules-set"},
	/* 21: loaded again, for nothing */ {A F, state_lost, A F, "rules-set"},
	/* 22: without what was saved forwarding stays as it is */
	{A F, state_lost, NULL, "route-del A; route-del A; address-del A; tunnel-del A; rules-del"},
	/* 23 */ {A F, forward_off, A F, "forward-on"},
	/* 24 */ {A F, none, A, "rules-set; forward-restore; forward-restore"},
	/* 25: killed between the interface and its mark */ {A, cut_short, A, "tunnel-adopt A"},
	/* 26: another kind of interface */
	{B, none, "[tunnel B]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n",
	 "tunnel-del B; tunnel-create B; mtu B; up B"},
	/* 27 */
	{A, is_tap, A,
	 "route-del A; route-del A; address-del A; tunnel-del A; tunnel-create A; mtu A; "
	 "address-add A; up A; route-add A; route-add A"},
	/* 28: a route moves from one tunnel to the other */
	{A B, none,
	 "[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 1\n"
	 "address = 192.168.8.1 peer 192.168.8.11\nroute = 2001:db8:20::/48\n" B
	 "route = 20.10.1.0/24\n",
	 "route-del A; route-add B"},
	/* 29: nothing was there and nothing is wanted */ {"", none, NULL, ""},
	/* 30 */ {B "notrack = no\n", none, NULL, "tunnel-del B"},
};

static void steps(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *first = load(cases[i].first);
		struct planned planned;
		struct host host;

		make_done(&host, first);
		cases[i].change(&host);
		make_plan(&host, cases[i].second, &planned);
		if (planned.plan.refusal_count)
			fail_msg("case %zu: %s", i + 1, planned.plan.refusals[0]);
		if (strcmp(planned.steps, cases[i].steps) != 0)
			fail_msg("case %zu:\nplanned  %s\nexpected %s", i + 1, planned.steps,
				 cases[i].steps);
		drop_plan(&planned);
		drop_host(&host);
		conf_free(first);
	}
}

/* From nothing: rules before forwarding before interfaces, routes after the interface is up. */
static void first_up(void **unused)
{
	struct conf *conf = load(A F);
	struct planned planned;
	struct host host;

	(void)unused;
	make_bare(&host, conf);
	make_plan(&host, A F, &planned);
	assert_string_equal(planned.steps,
			    "rules-set; forward-on; forward-on; tunnel-create A; mtu A; "
			    "address-add A; up A; route-add A; route-add A");
	assert_string_equal(planned.plan.steps[1].text, "turn on net.ipv4.ip_forward");
	assert_string_equal(planned.plan.steps[3].text,
			    "create A: gre local 172.19.1.1 remote 172.19.1.2 key 1");
	assert_string_equal(planned.plan.steps[4].text, "set the MTU of A to 1472");
	assert_string_equal(planned.plan.steps[5].text,
			    "add address 192.168.8.1 peer 192.168.8.11 to A");
	assert_string_equal(planned.plan.steps[7].text, "add route 20.10.1.0/24 over A");
	drop_plan(&planned);
	drop_host(&host);
	conf_free(conf);
}

static void way_by_tunnel(struct host *host)
{
	host->ways[0].way.oif = FIRST_TUNNEL;
	host->ways[0].way.match = net("172.0.0.0/8");
	host->ways[0].way.protocol = RTPROT_STATIC;
}
static void old_route_goes(struct host *host)
{
	host->ways[0].way.oif = FIRST_TUNNEL;
	host->ways[0].way.match = net("172.0.0.0/8");
	host->ways[0].way.protocol = OS_PROTOCOL;
}
static void host_route(struct host *host)
{
	host->ways[0].way.match = net("172.19.1.2/32");
}
static void high_metric(struct host *host)
{
	host->ways[0].way.metric = 100;
}
static void no_way(struct host *host)
{
	host->ways[0] = (struct actual_way){.error = -ENETUNREACH};
}
static void remote_is_here(struct host *host)
{
	host->ways[0].way.type = RTN_LOCAL;
}
static void local_elsewhere(struct host *host)
{
	host->ways[0].local_missing = true;
}
static void a_veth(struct host *host)
{
	strcpy(add_link(host, "C", 50)->kind, "veth");
}
static void a_tun(struct host *host)
{
	struct link_info *link = add_link(host, "C", 50);

	strcpy(link->kind, "tun");
	link->tun = LINK_TUN;
}
static void no_nft(struct host *host)
{
	host->actual.nft_error = -EPROTONOSUPPORT;
}
static void no_ipv6(struct host *host)
{
	host->actual.forward[SWITCH_FORWARD6][0] = '\0';
}
static void a_bridge(struct host *host)
{
	strcpy(add_link(host, "br0", 50)->kind, "bridge");
}

#define C  "[tunnel C]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n"
#define CB "[tunnel C]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nbridge = br0\n"

/* With A of `first` in place, `second` is wanted: a word of the refusal, or of the note. */
static const struct {
	const char *first;
	void (*change)(struct host *host);
	const char *second;
	const char *refusal, *note;
} checks[] = {
	/* 1 */ {"", none, C, NULL, NULL},
	/* 2 */
	{"", none, C "route = 0.0.0.0/0\n",
	 "conf:4: 0.0.0.0/0 over C would lead the outer packets of C to 172.19.1.2 into a "
	 "tunnel: first give the peer a way of its own (ip route add 172.19.1.2 via "
	 "172.19.1.254 dev eth0)",
	 NULL},
	/* 3 */ {"", none, C "route = 172.16.0.0/12\n", "172.16.0.0/12", NULL},
	/* 4 */ {"", host_route, C "route = 172.16.0.0/12\nroute = 0.0.0.0/0\n", NULL, NULL},
	/* 5 */ {"", high_metric, C "route = 0.0.0.0/0 metric 99\n", "conf:4: 0.0.0.0/0", NULL},
	/* 6 */ {"", high_metric, C "route = 0.0.0.0/0 metric 101\n", NULL, NULL},
	/* 7: another table */ {"", none, C "route = 0.0.0.0/0 table 7\n", NULL, NULL},
	/* 8: the network of an address */
	{"", none, C "address = 172.19.1.9/24\n", "conf:4: 172.19.1.0/24", NULL},
	/* 9: one tunnel's route takes the other's peer */
	{"", none, C "[tunnel D]\nlocal = 10.0.0.1\nremote = 10.0.0.2\nroute = 172.19.0.0/16\n",
	 "conf:7: 172.19.0.0/16 over D would lead the outer packets of C", NULL},
	/* 10 */ {B, way_by_tunnel, B, "which gretel did not make", NULL},
	/* 11 */ {B, old_route_goes, B, NULL, NULL},
	/* 12 */ {B, old_route_goes, B "route = 172.0.0.0/8\n", "172.0.0.0/8 over B", NULL},
	/* 13 */ {"", no_way, C, NULL, "conf:3: there is no way to 172.19.1.2 now"},
	/* 14 */ {"", no_way, C "route = 172.16.0.0/12\n", "GATEWAY", "there is no way"},
	/* 15: bound tunnels go by their device */
	{"", none, C "bind = eth0\nroute = 0.0.0.0/0\n", NULL, NULL},
	/* 16 */ {"", none, C "bind = eth9\n", "conf:4: there is no interface eth9", NULL},
	/* 17 */ {"", remote_is_here, C, "conf:3: 172.19.1.2 is an address of this host", NULL},
	/* 18 */ {"", local_elsewhere, C, NULL, "conf:2: 172.19.1.1 is on no interface"},
	/* 19 */ {"", a_veth, C, "conf:1: there is an interface C already", NULL},
	/* 20 */ {"", a_tun, C, "that is not gretel's (tun)", NULL},
	/* 21 */ {"", no_nft, C, NULL, NULL},
	/* 22 */ {"", no_nft, C F, "conf:6: this needs nftables", NULL},
	/* 23 */ {"", no_ipv6, C "address = 2001:db8::1/64\n", "needs IPv6", NULL},
	/* 24 */ {"", no_ipv6, C, NULL, NULL},
	/* 25 */ {"", none, CB, "conf:5: there is no bridge br0", NULL},
	/* 26 */ {"", a_bridge, CB, NULL, NULL},
	/* 27 */ {"", none, C "mtu = 1500\n", NULL, "conf:4: the path to the peer carries 1500"},
};

static void check_lines(size_t number, const char *what, char **lines, size_t count,
			const char *wanted)
{
	if (!wanted && count)
		fail_msg("check %zu: unexpected %s: %s", number, what, lines[0]);
	if (wanted && count != 1)
		fail_msg("check %zu: %zu %ss", number, count, what);
	if (wanted && !strstr(lines[0], wanted))
		fail_msg("check %zu: %s", number, lines[0]);
}

static void refusals(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct conf *first = load(checks[i].first), *second = load(checks[i].second);
		struct planned planned;
		struct host host;

		make_done(&host, first);
		set_ways(&host, second);
		checks[i].change(&host);
		make_plan(&host, checks[i].second, &planned);
		check_lines(i + 1, "refusal", planned.plan.refusals, planned.plan.refusal_count,
			    checks[i].refusal);
		check_lines(i + 1, "note", planned.plan.notes, planned.plan.note_count,
			    checks[i].note);
		drop_plan(&planned);
		drop_host(&host);
		conf_free(first);
		conf_free(second);
	}
}

static void bridges(void **unused)
{
	struct conf *conf = load("");
	struct planned planned;
	struct host host;

	(void)unused;
	make_done(&host, conf);
	a_bridge(&host);
	make_plan(&host, CB, &planned);
	assert_string_equal(planned.steps, "rules-set; tunnel-create C; mtu C; master C; up C");
	assert_int_equal(planned.plan.steps[3].master.index, 50);
	put_tunnel(&host, &planned.site.tunnels[0], FIRST_TUNNEL);
	link_of(&host, "C")->master = 50;
	drop_plan(&planned);
	make_plan(&host, CB, &planned);
	assert_string_equal(planned.steps, "rules-set");
	drop_plan(&planned);
	/* The line is taken out of the file. */
	make_plan(&host, "[tunnel C]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\n",
		  &planned);
	assert_string_equal(planned.steps, "rules-set; tunnel-change C; master C");
	assert_int_equal(planned.plan.steps[2].master.index, 0);
	drop_plan(&planned);
	drop_host(&host);
	conf_free(conf);
}

static const struct {
	const char *file;
	uint32_t path, mtu;
	uint16_t mss4, mss6;
} sizes[] = {
	/* 1 */ {C, 1500, 1476, 1436, 1416},
	/* 2 */ {C "key = 1\n", 1500, 1472, 1432, 1412},
	/* 3 */ {C "key = 1\nchecksum = yes\nsequence = yes\n", 1500, 1464, 1424, 1404},
	/* 4: only what is sent costs */
	{C "ikey = 1\nchecksum = receive\nsequence = receive\n", 1500, 1476, 1436, 1416},
	/* 5 */ {"[tunnel C]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n", 1500, 1456, 1416, 1396},
	/* 6 */
	{"[tunnel C]\nmode = gretap\nlocal = 1.1.1.1\nremote = 1.1.1.2\n", 1500, 1462, 1422, 1402},
	/* 7: never below what IPv6 needs; TCP keeps to what fits */
	{C "address = 2001:db8::1/64\n", 1280, 1280, 1216, 1196},
	/* 8 */ {C "mtu = 1400\n", 1500, 1400, 1360, 1340},
	/* 9: too large on purpose */ {C "mtu = 1500\n", 1500, 1500, 1436, 1416},
	/* 10 */ {C "mss = 1200\n", 1500, 1476, 1200, 1200},
	/* 11 */ {C "mss = no\n", 1500, 1476, 0, 0},
	/* 12: not known yet */ {C, 0, 1476, 1436, 1416},
	/* 13 */ {C, 65536, 65511, 65471, 65451},
};

static void mtu_and_mss(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct conf *conf = load(sizes[i].file);
		struct actual_way way = {.path_mtu = sizes[i].path};
		struct actual actual = {.ways = &way, .way_count = 1};
		struct site site;
		const struct dp_params *params;

		assert_int_equal(site_build(conf, &actual, &site), 0);
		params = &site.tunnels[0].params;
		if (params->mtu != sizes[i].mtu || params->mss4 != sizes[i].mss4 ||
		    params->mss6 != sizes[i].mss6)
			fail_msg("size %zu: MTU %u MSS %u %u", i + 1, params->mtu, params->mss4,
				 params->mss6);
		site_free(&site);
		conf_free(conf);
	}
}

static const struct {
	const char *address, *peer4, *peer6;
} peers[] = {
	/* 1 */ {"192.168.8.1 peer 192.168.8.11", "192.168.8.11", NULL},
	/* 2 */ {"10.0.0.1/30", "10.0.0.2", NULL},
	/* 3 */ {"10.0.0.2/30", "10.0.0.1", NULL},
	/* 4 */ {"10.0.0.0/31", "10.0.0.1", NULL},
	/* 5 */ {"10.0.0.1/24", NULL, NULL},
	/* 6 */ {"2001:db8::1/127", NULL, "2001:db8::"},
	/* 7 */ {"2001:db8::1/64", NULL, NULL},
	/* 8 */ {"10.0.0.1", NULL, NULL},
};

static void peer_addresses(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		char file[256];
		struct conf *conf;
		struct actual actual = {0};
		struct ip_addr peer4 = {0}, peer6 = {0};
		struct site site;

		snprintf(file, sizeof(file), C "address = %s\n", peers[i].address);
		conf = load(file);
		if (peers[i].peer4)
			peer4 = net(peers[i].peer4).addr;
		if (peers[i].peer6)
			peer6 = net(peers[i].peer6).addr;
		assert_int_equal(site_build(conf, &actual, &site), 0);
		if (!addr_equal(&site.tunnels[0].params.peer4, &peer4) ||
		    !addr_equal(&site.tunnels[0].params.peer6, &peer6))
			fail_msg("peer %zu", i + 1);
		site_free(&site);
		conf_free(conf);
	}
}

static const struct {
	const char *file;
	unsigned families;
} families[] = {
	/* 1 */ {C, 0},
	/* 2 */ {C "address = 10.0.0.1/30\n", 1},
	/* 3 */ {C "address = 2001:db8::1/64\n", 2},
	/* 4 */ {C "route = 2001:db8::/64\nroute = 10.0.0.0/8\n", 3},
	/* 5 */ {C "[forward]\nmasquerade = 10.0.0.0/8 out a\n", 1},
	/* 6 */ {C "[forward]\nallow = ::/0 <-> ::/0\n", 2},
	/* 7 */ {C "[forward]\npublish = tcp/80 in a to 2001:db8::5\n", 2},
};

static void forwarded_families(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct conf *conf = load(families[i].file);

		if (site_families(conf) != families[i].families)
			fail_msg("families %zu: %u", i + 1, site_families(conf));
		conf_free(conf);
	}
}

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

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A made-up host of any size. */
static void make_large(struct host *host, const struct conf *conf)
{
	size_t room = conf->tunnel_count + 2;
	struct site site;

	memset(host, 0, sizeof(*host));
	host->actual = (struct actual){
		.links = calloc(room, sizeof(struct link_info)),
		.links_by_index = calloc(room, sizeof(struct link_info *)),
		.addresses = calloc(room, sizeof(struct address_info)),
		.routes = calloc(room, sizeof(struct route_info)),
		.ways = calloc(room, sizeof(struct actual_way)),
		.lane = calloc(room, sizeof(struct dp_params)),
		.lane_asked = true,
		.state = &host->state,
		.forward = {"0", "0"},
		.rules_present = true,
	};
	host->actual.way_count = conf->tunnel_count;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		host->actual.ways[i] = (struct actual_way){.way = {.match = net("172.19.1.0/24"),
								   .table = 254,
								   .type = RTN_UNICAST,
								   .oif = UNDERLAY},
							   .path_mtu = 1500};
	assert_int_equal(site_build(conf, &host->actual, &site), 0);
	host->state.rules_known = true;
	host->state.rules_wanted = rules_hash(site.rules);
	for (size_t i = 0; i < site.tunnel_count; i++) {
		const struct site_tunnel *tunnel = &site.tunnels[i];
		uint32_t index = FIRST_TUNNEL + (uint32_t)i;
		struct link_info *link = &host->actual.links[i];

		*link = (struct link_info){.index = index,
					   .mtu = tunnel->params.mtu,
					   .flags = IFF_UP,
					   .tun = LINK_TUN};
		strcpy(link->name, tunnel->params.name);
		strcpy(link->alias, tunnel->alias);
		memcpy(&host->actual.lane[i], &tunnel->params, sizeof(tunnel->params));
		host->actual.addresses[i] =
			(struct address_info){.index = index,
					      .local = tunnel->conf->addresses[0].local,
					      .peer = tunnel->conf->addresses[0].peer,
					      .protocol = OS_PROTOCOL};
		host->actual.routes[i] = (struct route_info){.to = tunnel->conf->routes[0].to,
							     .table = 254,
							     .oif = index,
							     .protocol = OS_PROTOCOL,
							     .type = RTN_UNICAST};
	}
	host->actual.link_count = host->actual.address_count = host->actual.route_count =
		host->actual.lane_count = conf->tunnel_count;
	qsort(host->actual.links, host->actual.link_count, sizeof(struct link_info), by_name);
	qsort(host->actual.lane, host->actual.lane_count, sizeof(struct dp_params),
	      (int (*)(const void *, const void *))strcmp);
	for (size_t i = 0; i < host->actual.link_count; i++)
		host->actual.links_by_index[i] = &host->actual.links[i];
	qsort(host->actual.links_by_index, host->actual.link_count, sizeof(struct link_info *),
	      by_index);
	site_free(&site);
}

static void scale(size_t count, double limit)
{
	char *first_text = many(count, count), *second_text = many(count, count / 2);
	struct conf *first = load(first_text), *second = load(second_text);
	struct host host;
	struct site site;
	struct plan plan;
	char steps[256], wanted[64];
	double start;

	make_large(&host, first);
	start = seconds();
	assert_int_equal(site_build(second, &host.actual, &site), 0);
	assert_int_equal(plan_make(&site, &host.actual, &plan), 0);
	start = seconds() - start;
	print_message("%zu tunnels: %.1f ms\n", count, start * 1e3);
	describe(&plan, steps, sizeof(steps));
	snprintf(wanted, sizeof(wanted), "tunnel-change t%zu", count / 2);
	assert_string_equal(steps, wanted);
	assert_int_equal(plan.refusal_count, 0);
	assert_true(start < limit);
	plan_free(&plan);
	site_free(&site);
	actual_free(&host.actual);
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
		cmocka_unit_test(steps),
		cmocka_unit_test(first_up),
		cmocka_unit_test(refusals),
		cmocka_unit_test(bridges),
		cmocka_unit_test(mtu_and_mss),
		cmocka_unit_test(peer_addresses),
		cmocka_unit_test(forwarded_families),
		cmocka_unit_test(many_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
