/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every value type is compared field by field: padding and places may differ. */
#include "conf_same.h"

#include <string.h>

static bool same_key(const struct conf_key *a, const struct conf_key *b)
{
	return a->present == b->present && a->value == b->value;
}

static bool same_addresses(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	if (a->address_count != b->address_count)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!prefix_equal(&a->addresses[i].local, &b->addresses[i].local) ||
		    !addr_equal(&a->addresses[i].peer, &b->addresses[i].peer))
			return false;
	return true;
}

static bool same_routes(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	if (a->route_count != b->route_count)
		return false;
	for (size_t i = 0; i < a->route_count; i++) {
		const struct conf_route *r = &a->routes[i], *s = &b->routes[i];

		if (!prefix_equal(&r->to, &s->to) || !addr_equal(&r->src, &s->src) ||
		    !addr_equal(&r->via, &s->via) || r->metric != s->metric || r->table != s->table)
			return false;
	}
	return true;
}

static bool same_peers(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	if (a->peer_count != b->peer_count || a->hub != b->hub)
		return false;
	for (size_t i = 0; i < a->peer_count; i++)
		if (!addr_equal(&a->peers[i].inner, &b->peers[i].inner) ||
		    !addr_equal(&a->peers[i].outer, &b->peers[i].outer))
			return false;
	for (int i = 0; i < 2; i++)
		if (!prefix_equal(&a->inner[i].local, &b->inner[i].local) ||
		    !addr_equal(&a->inner[i].peer, &b->inner[i].peer))
			return false;
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_tunnel(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	return strcmp(a->name, b->name) == 0 && a->mode == b->mode && a->profile == b->profile &&
	       addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote) &&
	       strcmp(a->bind, b->bind) == 0 && a->fwmark == b->fwmark &&
	       strcmp(a->bridge, b->bridge) == 0 && strcmp(a->vrf, b->vrf) == 0 &&
	       same_key(&a->ikey, &b->ikey) && same_key(&a->okey, &b->okey) && a->vsid == b->vsid &&
	       a->erspan_type == b->erspan_type && a->erspan_session == b->erspan_session &&
	       a->erspan_index == b->erspan_index && a->erspan_egress == b->erspan_egress &&
	       a->erspan_hardware == b->erspan_hardware && a->checksum == b->checksum &&
	       a->sequence == b->sequence && a->udp_port == b->udp_port && a->gue == b->gue &&
	       a->nat == b->nat && a->remote_any == b->remote_any &&
	       memcmp(&a->nat_secret, &b->nat_secret, sizeof a->nat_secret) == 0 &&
	       a->udp_checksum == b->udp_checksum && a->ttl_inherit == b->ttl_inherit &&
	       a->ttl == b->ttl && a->tos_inherit == b->tos_inherit && a->tos == b->tos &&
	       a->ecn == b->ecn && a->df == b->df && a->mtu == b->mtu &&
	       a->mss_auto == b->mss_auto && a->mss == b->mss &&
	       a->keepalive_interval_ms == b->keepalive_interval_ms &&
	       a->keepalive_retries == b->keepalive_retries &&
	       a->keepalive_form == b->keepalive_form && a->keepalive_hold == b->keepalive_hold &&
	       a->keepalive_nat == b->keepalive_nat && addr_equal(&a->probe, &b->probe) &&
	       same_text(a->remote_name, b->remote_name) &&
	       strcmp(a->local_device, b->local_device) == 0 && same_text(a->on_up, b->on_up) &&
	       same_text(a->on_down, b->on_down) && a->echo_return == b->echo_return &&
	       a->notrack == b->notrack && a->lane == b->lane &&
	       strcmp(a->backup_of, b->backup_of) == 0 && strcmp(a->group, b->group) == 0 &&
	       a->weight == b->weight && a->return_path == b->return_path && same_addresses(a, b) &&
	       same_routes(a, b) && same_peers(a, b);
}

static bool same_snats(const struct conf_forward *a, const struct conf_forward *b)
{
	if (a->snat_count != b->snat_count)
		return false;
	for (size_t i = 0; i < a->snat_count; i++)
		if (!prefix_equal(&a->snats[i].from, &b->snats[i].from) ||
		    !addr_equal(&a->snats[i].to, &b->snats[i].to) ||
		    strcmp(a->snats[i].out, b->snats[i].out) != 0)
			return false;
	return true;
}

static bool same_publishes(const struct conf_forward *a, const struct conf_forward *b)
{
	if (a->publish_count != b->publish_count)
		return false;
	for (size_t i = 0; i < a->publish_count; i++) {
		const struct conf_publish *p = &a->publishes[i], *q = &b->publishes[i];

		if (p->protocol != q->protocol || p->port != q->port ||
		    p->port_end != q->port_end || strcmp(p->in, q->in) != 0 ||
		    !addr_equal(&p->to, &q->to) || p->to_port != q->to_port)
			return false;
	}
	return true;
}

static bool same_forward(const struct conf_forward *a, const struct conf_forward *b)
{
	if (a->present != b->present || a->enable != b->enable || a->allow_count != b->allow_count)
		return false;
	for (size_t i = 0; i < a->allow_count; i++)
		if (!prefix_equal(&a->allows[i].from, &b->allows[i].from) ||
		    !prefix_equal(&a->allows[i].to, &b->allows[i].to) ||
		    a->allows[i].both != b->allows[i].both)
			return false;
	return same_snats(a, b) && same_publishes(a, b);
}

bool conf_same(const struct conf *a, const struct conf *b)
{
	if (a->tunnel_count != b->tunnel_count || a->workers != b->workers ||
	    a->spread != b->spread)
		return false;
	for (size_t i = 0; i < a->tunnel_count; i++)
		if (!same_tunnel(&a->tunnels[i], &b->tunnels[i]))
			return false;
	return same_forward(&a->forward, &b->forward);
}
