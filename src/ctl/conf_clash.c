/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be refused by looking at two items that do not go together. Items of a kind are sorted,
 * so that those that clash stand side by side however many there are; the later one is told.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/conf_parse.h"
#include "ctl/conf_ways.h"
#include "proto/nvgre.h"
#include "proto/udp.h"

struct entry {
	const struct conf_tunnel *tunnel; /* that has the item; NULL in [forward] */
	const void *item;
	size_t order; /* in the file */
};

/* 0 when the two clash; else any order. */
typedef int compare_fn(const struct entry *a, const struct entry *b);
typedef void tell_fn(struct conf_faults *faults, const struct entry *first, const struct entry *b);

struct kind {
	compare_fn *compare;
	tell_fn *tell;
};

static int by_value_and_order(const void *a, const void *b, void *kind)
{
	const struct entry *x = a, *y = b;
	int order = ((const struct kind *)kind)->compare(x, y);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sorts the entries and tells every one that clashes with an earlier one. */
static void tell_clashes(struct entry *entries, size_t count, struct kind kind,
			 struct conf_faults *faults)
{
	size_t first = 0;

	qsort_r(entries, count, sizeof *entries, by_value_and_order, &kind);
	for (size_t i = 1; i < count; i++) {
		if (kind.compare(&entries[first], &entries[i]) == 0)
			kind.tell(faults, &entries[first], &entries[i]);
		else
			first = i;
	}
}

static int compare_addr(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family != b->family ? a->family - b->family
				      : memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static int compare_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len != b->len ? a->len - b->len : compare_addr(&a->addr, &b->addr);
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_name(const struct entry *a, const struct entry *b)
{
	return strcmp(a->tunnel->name, b->tunnel->name);
}

static void tell_name(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	if (b->tunnel->hub) {
		conf_fault(faults, b->tunnel->at,
			   "the peer's address inside the tunnel is already at %s:%d: write each "
			   "once",
			   a->tunnel->at.file, a->tunnel->at.line);
		return;
	}
	/* a name that was refused is empty */
	if (b->tunnel->name[0])
		conf_fault(faults, b->tunnel->at,
			   "tunnel %s is already at %s:%d: choose another name, or delete one",
			   b->tunnel->name, a->tunnel->at.file, a->tunnel->at.line);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Packets of plain tunnels are told apart by the key, whatever they carry; those of the others by
 * their own numbers. */
static int compare_marks(const struct conf_tunnel *t, const struct conf_tunnel *u)
{
	uint8_t a = conf_form(t), b = conf_form(u);
	int order = form_is_plain(a) && form_is_plain(b) ? 0 : a - b;

	if (!order)
		order = t->ikey.present - u->ikey.present;
	if (!order)
		order = compare_u32(t->ikey.value, u->ikey.value);
	if (!order)
		order = compare_u32(t->vsid, u->vsid);
	return order ? order : t->erspan_session - u->erspan_session;
}

/* Ends that are looked up may turn out to be the same: ends_settle() sees that. */
int conf_compare_packets(const struct conf_tunnel *t, const struct conf_tunnel *u)
{
	int order = compare_addr(&t->local, &u->local);

	if (!order)
		order = compare_addr(&t->remote, &u->remote);
	if (!order)
		order = compare_marks(t, u);
	if (!order)
		order = compare_u32(t->udp_port, u->udp_port);
	return order ? order : strcmp(t->bind, u->bind);
}

static int compare_packets(const struct entry *a, const struct entry *b)
{
	const struct conf_tunnel *t = a->tunnel, *u = b->tunnel;
	int order = conf_compare_packets(t, u);

	if (!order)
		order = compare_text(t->remote_name, u->remote_name);
	if (!order)
		order = t->remote_any - u->remote_any;
	return order ? order : strcmp(t->local_device, u->local_device);
}

/* What to write instead. */
static const char *own_mark(const struct conf_tunnel *t)
{
	if (t->mode == MODE_NVGRE)
		return "give each its own vsid";
	if (t->mode != MODE_ERSPAN)
		return "give each its own key";
	return t->erspan_type == 1 ? "type 1 of ERSPAN has one session between two addresses, "
				     "erspan-type = 2 has 1024"
				   : "give each its own erspan-session";
}

static void tell_packets(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_tunnel *t = b->tunnel;
	bool key_given = t->lines[TUNNEL_KEY] || t->lines[TUNNEL_IKEY];

	/* what was refused or is missing may well have been another */
	if (t->mode == MODE_NVGRE && !t->vsid)
		return;
	if (t->mode == MODE_ERSPAN && t->erspan_type > 1 && !t->lines[TUNNEL_ERSPAN_SESSION])
		return;
	if ((t->local.family == IP_NONE && !t->local_device[0]) ||
	    (t->remote.family == IP_NONE && !t->remote_name && !t->remote_any) ||
	    (key_given && !t->ikey.present))
		return;
	if (t->hub && t->hub == a->tunnel->hub) {
		/* a line of the same address is told already */
		if (compare_name(a, b) != 0)
			conf_fault(faults, t->at,
				   "the peer's outer address is already at %s:%d: write one "
				   "address inside of each family for it",
				   a->tunnel->at.file, a->tunnel->at.line);
		return;
	}
	conf_fault(faults, t->at,
		   "received packets cannot be told from those of tunnel %s at %s:%d: %s",
		   a->tunnel->name, a->tunnel->at.file, a->tunnel->at.line, own_mark(t));
}

/* Ethernet frames whose key is, or begins with, the same virtual subnet. */
static int compare_subnets(const struct entry *a, const struct entry *b)
{
	const struct conf_tunnel *t = a->tunnel, *u = b->tunnel;
	uint32_t first = t->mode == MODE_NVGRE ? t->vsid : nvgre_vsid(t->ikey.value);
	uint32_t second = u->mode == MODE_NVGRE ? u->vsid : nvgre_vsid(u->ikey.value);
	int order = compare_addr(&t->local, &u->local);

	if (!order)
		order = compare_addr(&t->remote, &u->remote);
	return order ? order : compare_u32(first, second);
}

static void tell_subnets(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_tunnel *t = b->tunnel;

	if (t->mode == a->tunnel->mode || !conf_has_ends(t))
		return;
	conf_fault(
		faults, t->at,
		"received frames cannot be told from those of tunnel %s at %s:%d, the key of one "
		"begins with the vsid of the other: give the gretap another key",
		a->tunnel->name, a->tunnel->at.file, a->tunnel->at.line);
}

/* One host address without a peer may stand on many tunnels. */
static int compare_address(const struct entry *a, const struct entry *b)
{
	const struct conf_address *x = a->item, *y = b->item;
	bool host = x->local.len == addr_size(x->local.addr.family) * 8;
	int order = compare_prefix(&x->local, &y->local);

	if (!order)
		order = compare_addr(&x->peer, &y->peer);
	/* What VRFs are for: one address in several of them. */
	if (!order)
		order = strcmp(a->tunnel->vrf, b->tunnel->vrf);
	if (!order && host && x->peer.family == IP_NONE)
		order = (a->tunnel > b->tunnel) - (a->tunnel < b->tunnel);
	return order;
}

static void tell_address(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_address *first = a->item, *again = b->item;

	conf_fault(faults, again->at, "the address is already at %s:%d: write it once",
		   first->at.file, first->at.line);
}

static bool same_group(const struct conf_way *a, const struct conf_way *b)
{
	return a->tunnel != b->tunnel && a->tunnel->group[0] &&
	       strcmp(a->tunnel->group, b->tunnel->group) == 0;
}

/* The members of a group share a route, if they mean the same by it. */
static int compare_route(const struct entry *a, const struct entry *b)
{
	const struct conf_way *v = a->item, *w = b->item;
	const struct conf_route *x = &v->route, *y = &w->route;
	int order = compare_prefix(&x->to, &y->to);

	if (!order)
		order = compare_u32(x->table, y->table);
	if (!order && !x->table)
		order = strcmp(v->tunnel->vrf, w->tunnel->vrf);
	if (!order)
		order = compare_u32(x->metric, y->metric);
	if (!order && same_group(v, w) && addr_equal(&x->src, &y->src))
		order = v->tunnel < w->tunnel ? -1 : 1;
	return order;
}

static void tell_route(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_way *first = a->item, *again = b->item;
	const struct conf_way *copy = again->steps ? again : first;
	char text[PREFIX_TEXT_SIZE];

	if (same_group(first, again))
		conf_fault(faults, again->route.at,
			   "the route shared with %s:%d has another src there: write the same src "
			   "in both",
			   first->route.at.file, first->route.at.line);
	else if (copy->steps)
		conf_fault(faults,
			   (struct conf_place){copy->tunnel->at.file,
					       copy->tunnel->lines[TUNNEL_BACKUP_OF]},
			   "as a backup %s has the route %s metric %u, which %s has too: make it a "
			   "backup of that one, or put both into one group",
			   copy->tunnel->name, prefix_format(&copy->route.to, text),
			   copy->route.metric, (copy == again ? first : again)->tunnel->name);
	else
		conf_fault(
			faults, again->route.at,
			"the route is already at %s:%d: write it once, or give it another metric",
			first->route.at.file, first->route.at.line);
}

static int compare_allow(const struct entry *a, const struct entry *b)
{
	const struct conf_allow *x = a->item, *y = b->item;
	int order = compare_prefix(&x->from, &y->from);

	if (!order)
		order = compare_prefix(&x->to, &y->to);
	return order ? order : x->both - y->both;
}

static void tell_allow(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_allow *first = a->item, *again = b->item;

	conf_fault(faults, again->at, "the allow is already at %s:%d: write it once",
		   first->at.file, first->at.line);
}

/* The first of two rules for the same packets would win and the second never be met. */
static int compare_snat(const struct entry *a, const struct entry *b)
{
	const struct conf_snat *x = a->item, *y = b->item;
	int order = compare_prefix(&x->from, &y->from);

	return order ? order : strcmp(x->out, y->out);
}

static void tell_snat(struct conf_faults *faults, const struct entry *a, const struct entry *b)
{
	const struct conf_snat *first = a->item, *again = b->item;

	conf_fault(faults, again->at,
		   "packets of this source out %s have their address from %s:%d: delete one",
		   again->out, first->at.file, first->at.line);
}

static void check_tunnels(const struct conf *conf, struct entry *entries,
			  struct conf_faults *faults)
{
	size_t count = conf->tunnel_count;

	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){.tunnel = &conf->tunnels[i], .order = i};
	tell_clashes(entries, count, (struct kind){compare_name, tell_name}, faults);
	tell_clashes(entries, count, (struct kind){compare_packets, tell_packets}, faults);
	count = 0;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		if (t->mode == MODE_NVGRE || (t->mode == MODE_GRETAP && t->ikey.present))
			entries[count++] = (struct entry){.tunnel = t, .order = i};
	}
	tell_clashes(entries, count, (struct kind){compare_subnets, tell_subnets}, faults);
}

static void check_addresses(const struct conf *conf, struct entry *entries,
			    struct conf_faults *faults)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];

		for (size_t j = 0; j < t->address_count; j++, count++)
			entries[count] = (struct entry){t, &t->addresses[j], count};
	}
	tell_clashes(entries, count, (struct kind){compare_address, tell_address}, faults);
}

static void check_routes(const struct conf *conf, struct conf_faults *faults)
{
	struct conf_way *ways;
	struct entry *entries;
	size_t count;

	if (conf_ways(conf, &ways, &count)) {
		faults->lost = true;
		return;
	}
	entries = calloc(count + 1, sizeof *entries);
	for (size_t i = 0; entries && i < count; i++)
		entries[i] = (struct entry){ways[i].tunnel, &ways[i], i};
	if (entries)
		tell_clashes(entries, count, (struct kind){compare_route, tell_route}, faults);
	else
		faults->lost = true;
	free(entries);
	free(ways);
}

static void check_forward(const struct conf_forward *forward, struct entry *entries,
			  struct conf_faults *faults)
{
	for (size_t i = 0; i < forward->allow_count; i++)
		entries[i] = (struct entry){NULL, &forward->allows[i], i};
	tell_clashes(entries, forward->allow_count, (struct kind){compare_allow, tell_allow},
		     faults);
	for (size_t i = 0; i < forward->snat_count; i++)
		entries[i] = (struct entry){NULL, &forward->snats[i], i};
	tell_clashes(entries, forward->snat_count, (struct kind){compare_snat, tell_snat}, faults);
}

static bool same_ports(const struct conf_publish *a, const struct conf_publish *b)
{
	return a->protocol == b->protocol && a->to.family == b->to.family &&
	       strcmp(a->in, b->in) == 0 && a->port <= b->port_end && b->port <= a->port_end;
}

/* Ranges that overlap are not equal, so these are not sorted; each port is published once, so
 * there are never very many. */
static void check_publishes(const struct conf_forward *f, struct conf_faults *faults)
{
	for (size_t j = 1; j < f->publish_count; j++) {
		const struct conf_publish *a = f->publishes, *b = &f->publishes[j];

		while (a != b && !same_ports(a, b))
			a++;
		if (a == b)
			continue;
		conf_fault(faults, b->at,
			   "%s port %u in %s is already led elsewhere at %s:%d: choose another "
			   "port, or delete one",
			   b->protocol == 6 ? "tcp" : "udp", a->port > b->port ? a->port : b->port,
			   b->in, a->at.file, a->at.line);
	}
}

static void check_bridges(const struct conf *conf, struct conf_faults *faults)
{
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i], *other;

		other = t->bridge[0] ? conf_find_tunnel(conf, t->bridge) : NULL;
		if (other && strcmp(t->name, t->bridge) != 0)
			conf_fault(faults, (struct conf_place){t->at.file, t->lines[TUNNEL_BRIDGE]},
				   "bridge %s is a tunnel, at %s:%d: write the name of a bridge",
				   t->bridge, other->at.file, other->at.line);
	}
}

/* Each worker's filter names the ports. */
static void check_udp_ports(const struct conf *conf, struct conf_faults *faults)
{
	uint16_t ports[UDP_PORTS_CONF];
	unsigned count = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &conf->tunnels[i];
		unsigned at = 0;

		while (at < count && ports[at] != t->udp_port)
			at++;
		if (!t->udp_port || at < count)
			continue;
		if (count < UDP_PORTS_CONF)
			ports[count++] = t->udp_port;
		else
			conf_fault(faults, (struct conf_place){t->at.file, t->lines[TUNNEL_UDP]},
				   "there are %u other UDP ports already: write one of those, or "
				   "yes",
				   UDP_PORTS_CONF);
	}
}

/* More than the largest number of items of one kind, so never zero. */
static size_t entry_limit(const struct conf *conf)
{
	size_t limit =
		1 + conf->tunnel_count + conf->forward.allow_count + conf->forward.snat_count;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		limit += conf->tunnels[i].address_count;
	return limit;
}

void conf_check_clashes(const struct conf *conf, struct conf_faults *faults)
{
	struct entry *entries = calloc(entry_limit(conf), sizeof *entries);

	if (!entries) {
		faults->lost = true;
		return;
	}
	check_tunnels(conf, entries, faults);
	check_addresses(conf, entries, faults);
	check_routes(conf, faults);
	check_forward(&conf->forward, entries, faults);
	check_publishes(&conf->forward, faults);
	check_bridges(conf, faults);
	check_udp_ports(conf, faults);
	free(entries);
}
