/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/tunnel.h"
#include "proto/form.h"

#define FIRST_BUCKETS 64

static uint32_t mix(uint32_t h, uint32_t value)
{
	h = (h ^ value) * 0x9e3779b1u;
	return h ^ (h >> 15);
}

static uint32_t hash_addr(uint32_t h, const struct ip_addr *addr)
{
	uint32_t words[4];

	memcpy(words, addr->bytes, sizeof words);
	if (addr->family == IP_V4)
		return mix(h, words[0]);
	for (unsigned i = 0; i < 4; i++)
		h = mix(h, words[i]);
	return h;
}

static uint32_t hash_pair(const struct ip_addr *local, const struct ip_addr *remote)
{
	return hash_addr(hash_addr(0, local), remote);
}

/* What a tunnel is found by, apart from the addresses: of plain ones the key alone. */
struct mark {
	uint8_t form; /* FORM_IP for all plain ones */
	bool has_key;
	uint32_t number;
};

static struct mark mark_of(const struct dp_params *p)
{
	uint8_t form = form_is_plain(p->form) ? (uint8_t)FORM_IP : p->form;

	return (struct mark){form, p->has_ikey, p->ikey};
}

static uint32_t hash_mark(uint32_t pair, const struct mark *mark)
{
	return mix(pair + mark->has_key + 2u * mark->form, mark->number);
}

/* The place of a tunnel whose peer may be anywhere. */
static uint32_t hash_home(const struct ip_addr *local, uint16_t udp_port, const struct mark *mark)
{
	return hash_mark(mix(hash_addr(0, local), udp_port), mark);
}

/* An empty table. */
static int allocate(struct table *table, uint32_t buckets)
{
	*table = (struct table){.by_key = calloc(buckets, sizeof(struct port *)),
				.by_pair = calloc(buckets, sizeof(struct port *)),
				.by_home = calloc(buckets, sizeof(struct port *)),
				.buckets = buckets};
	if (table->by_key && table->by_pair && table->by_home)
		return 0;
	table_free(table);
	return -ENOMEM;
}

int table_init(struct table *table)
{
	return allocate(table, FIRST_BUCKETS);
}

void table_free(struct table *table)
{
	free(table->by_key);
	free(table->by_pair);
	free(table->by_home);
	*table = (struct table){.buckets = 0};
}

static void link_port(struct table *table, struct port *port)
{
	const struct dp_params *p = &port->params;
	uint32_t pair = hash_pair(&p->local, &p->remote);
	struct mark mark = mark_of(p);
	struct port **key_slot = &table->by_key[hash_mark(pair, &mark) & (table->buckets - 1)];
	struct port **pair_slot = &table->by_pair[pair & (table->buckets - 1)], **home_slot;

	port->next_key = *key_slot;
	*key_slot = port;
	port->next_pair = *pair_slot;
	*pair_slot = port;
	if (!p->nat_any)
		return;
	home_slot =
		&table->by_home[hash_home(&p->local, p->udp_port, &mark) & (table->buckets - 1)];
	port->next_home = *home_slot;
	*home_slot = port;
}

static int grow(struct table *table)
{
	struct table bigger;
	int err = allocate(&bigger, table->buckets * 2);

	if (err)
		return err;
	bigger.used = table->used;
	for (uint32_t i = 0; i < table->buckets; i++) {
		struct port *next;
		for (struct port *port = table->by_key[i]; port; port = next) {
			next = port->next_key;
			link_port(&bigger, port);
		}
	}
	table_free(table);
	*table = bigger;
	return 0;
}

int table_insert(struct table *table, struct port *port)
{
	if (table->used >= table->buckets) {
		int err = grow(table);
		if (err)
			return err;
	}
	table_link(table, port);
	return 0;
}

void table_link(struct table *table, struct port *port)
{
	link_port(table, port);
	table->used++;
}

static void unlink_home(struct table *table, struct port *port, const struct mark *mark)
{
	const struct dp_params *p = &port->params;
	struct port **slot =
		&table->by_home[hash_home(&p->local, p->udp_port, mark) & (table->buckets - 1)];

	while (*slot != port)
		slot = &(*slot)->next_home;
	*slot = port->next_home;
}

void table_remove(struct table *table, struct port *port)
{
	const struct dp_params *p = &port->params;
	uint32_t pair = hash_pair(&p->local, &p->remote);
	struct mark mark = mark_of(p);
	struct port **slot;

	slot = &table->by_key[hash_mark(pair, &mark) & (table->buckets - 1)];
	while (*slot != port)
		slot = &(*slot)->next_key;
	*slot = port->next_key;
	slot = &table->by_pair[pair & (table->buckets - 1)];
	while (*slot != port)
		slot = &(*slot)->next_pair;
	*slot = port->next_pair;
	if (p->nat_any)
		unlink_home(table, port, &mark);
	table->used--;
}

static bool same_pair(const struct dp_params *p, const struct table_key *key)
{
	return addr_equal(&p->remote, &key->remote) && addr_equal(&p->local, &key->local);
}

/* Why no tunnel took the packet: is there one between the two addresses at all, and for copies of
 * frames where these come, or for passengers where they do? */
static enum drop_reason explain(const struct table *table, const struct table_key *key,
				struct port **blame)
{
	uint32_t pair = hash_pair(&key->local, &key->remote);
	bool erspan = form_is_erspan(key->form);
	struct port *found = NULL, *other = NULL, *aside = NULL;
	unsigned count = 0, others = 0, asides = 0;

	for (struct port *port = table->by_pair[pair & (table->buckets - 1)]; port;
	     port = port->next_pair) {
		if (!same_pair(&port->params, key))
			continue;
		if (port->params.udp_port != key->udp_port) {
			aside = port;
			asides++;
		} else if (form_is_erspan(port->params.form) == erspan) {
			found = port;
			count++;
		} else {
			other = port;
			others++;
		}
	}
	if (count == 0 && others == 0 && asides) {
		*blame = asides == 1 ? aside : NULL;
		return key->udp_port ? DROP_RX_UDP_UNEXPECTED : DROP_RX_UDP_MISSING;
	}
	if (count == 0) {
		*blame = others == 1 ? other : NULL;
		return others ? DROP_RX_PROTOCOL : DROP_RX_SOURCE;
	}
	*blame = count == 1 ? found : NULL;
	if (erspan)
		return DROP_RX_SESSION;
	if (!key->has_key)
		return DROP_RX_KEY_MISSING;
	return count == 1 && !found->params.has_ikey ? DROP_RX_KEY_UNEXPECTED : DROP_RX_KEY_WRONG;
}

bool table_is_bound_to(const struct dp_params *params, uint32_t ifindex)
{
	for (unsigned i = 0; i < DP_BIND_MEMBERS && params->bind_members[i]; i++)
		if (params->bind_members[i] == ifindex)
			return true;
	return params->bind_ifindex == ifindex;
}

/* Of those that match, one that is bound to this device comes before *unbound, which is not bound.
 */
static bool is_bound_here(struct port *port, uint32_t ifindex, struct port **unbound)
{
	if (!port->params.bind_ifindex)
		*unbound = port;
	return port->params.bind_ifindex && table_is_bound_to(&port->params, ifindex);
}

/* *elsewhere: one that would match, but is bound to another device. */
static struct port *find(const struct table *table, const struct table_key *key,
			 const struct mark *mark, uint32_t ifindex, struct port **elsewhere)
{
	uint32_t pair = hash_pair(&key->local, &key->remote);
	uint32_t slot = hash_mark(pair, mark) & (table->buckets - 1);
	struct port *unbound = NULL;

	for (struct port *port = table->by_key[slot]; port; port = port->next_key) {
		const struct dp_params *p = &port->params;
		struct mark other = mark_of(p);

		if (other.form != mark->form || other.has_key != mark->has_key ||
		    other.number != mark->number || p->udp_port != key->udp_port ||
		    !same_pair(p, key))
			continue;
		if (is_bound_here(port, ifindex, &unbound))
			return port;
		if (port != unbound)
			*elsewhere = port;
	}
	return unbound;
}

struct port *table_find(const struct table *table, const struct table_key *key, uint32_t ifindex,
			enum drop_reason *why, struct port **blame)
{
	struct mark plain = {FORM_IP, key->has_key, key->key};
	/* ERSPAN has no key. */
	struct mark special = {key->form, key->form == FORM_NVGRE, key->number};
	struct port *port = NULL, *elsewhere = NULL;

	if (key->form != FORM_IP)
		port = find(table, key, &special, ifindex, &elsewhere);
	/* Nobody else takes copies; and frames with the key of a subnet may be a gretap's. */
	if (!port && !form_is_erspan(key->form))
		port = find(table, key, &plain, ifindex, &elsewhere);
	if (port)
		return port;
	*blame = elsewhere;
	*why = elsewhere ? DROP_RX_BIND : explain(table, key, blame);
	/* A copy that nobody takes counts for the tunnel whose key it has. */
	if (*why == DROP_RX_PROTOCOL && !*blame)
		*blame = find(table, key, &plain, ifindex, &elsewhere);
	return NULL;
}

bool table_has_pair(const struct table *table, const struct table_key *key)
{
	uint32_t pair = hash_pair(&key->local, &key->remote);
	const struct port *port = table->by_pair[pair & (table->buckets - 1)];

	while (port && (port->params.udp_port != key->udp_port || !same_pair(&port->params, key)))
		port = port->next_pair;
	return port;
}

struct port *table_find_home(const struct table *table, const struct table_key *key,
			     uint32_t ifindex)
{
	struct mark mark = {FORM_IP, key->has_key, key->key};
	uint32_t slot = hash_home(&key->local, key->udp_port, &mark) & (table->buckets - 1);
	struct port *unbound = NULL;

	for (struct port *port = table->by_home[slot]; port; port = port->next_home) {
		const struct dp_params *p = &port->params;

		if (p->udp_port != key->udp_port || p->has_ikey != key->has_key ||
		    p->ikey != key->key || !addr_equal(&p->local, &key->local))
			continue;
		if (is_bound_here(port, ifindex, &unbound))
			return port;
	}
	return unbound;
}
