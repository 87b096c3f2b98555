/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inverse of parsing. Defaults are written out, so that the text says all that is in effect. */
#include <inttypes.h>

#include "ctl/conf_params.h"
#include "ctl/conf_parse.h"

static void print_key(FILE *out, const char *name, const struct conf_key *key)
{
	if (key->present)
		fprintf(out, "%s = %" PRIu32 "\n", name, key->value);
}

static void print_keys(const struct conf_tunnel *t, FILE *out)
{
	if (t->ikey.present && t->okey.present && t->ikey.value == t->okey.value) {
		print_key(out, "key", &t->ikey);
		return;
	}
	print_key(out, "ikey", &t->ikey);
	print_key(out, "okey", &t->okey);
}

/* The fields that this type has. */
static void print_erspan(const struct conf_tunnel *t, FILE *out)
{
	fprintf(out, "erspan-type = %u\n", t->erspan_type);
	if (t->erspan_type > 1)
		fprintf(out, "erspan-session = %u\n", t->erspan_session);
	if (t->erspan_type == 2)
		fprintf(out, "erspan-index = %" PRIu32 "\n", t->erspan_index);
	if (t->erspan_type == 3)
		fprintf(out, "erspan-direction = %s\nerspan-hardware = %u\n",
			t->erspan_egress ? "egress" : "ingress", t->erspan_hardware);
}

/* A host without its /32 or /128. */
static const char *short_prefix(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE])
{
	if (prefix->len == addr_size(prefix->addr.family) * 8)
		return addr_format(&prefix->addr, buf);
	return prefix_format(prefix, buf);
}

static void print_addresses(const struct conf_tunnel *t, FILE *out)
{
	char local[PREFIX_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];

		fprintf(out, "address = %s", short_prefix(&a->local, local));
		if (a->peer.family != IP_NONE)
			fprintf(out, " peer %s", addr_format(&a->peer, peer));
		fprintf(out, "\n");
	}
}

static void print_peers(const struct conf_tunnel *t, FILE *out)
{
	char inner[ADDR_TEXT_SIZE], outer[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < t->peer_count; i++)
		fprintf(out, "peer = %s at %s\n", addr_format(&t->peers[i].inner, inner),
			addr_format(&t->peers[i].outer, outer));
}

static void print_routes(const struct conf_tunnel *t, FILE *out)
{
	char to[PREFIX_TEXT_SIZE], src[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < t->route_count; i++) {
		const struct conf_route *r = &t->routes[i];

		fprintf(out, "route = %s", short_prefix(&r->to, to));
		if (r->via.family != IP_NONE)
			fprintf(out, " via %s", addr_format(&r->via, src));
		if (r->metric)
			fprintf(out, " metric %" PRIu32, r->metric);
		if (r->src.family != IP_NONE)
			fprintf(out, " src %s", addr_format(&r->src, src));
		if (r->table != (t->vrf[0] ? 0 : 254))
			fprintf(out, " table %" PRIu32, r->table);
		fprintf(out, "\n");
	}
}

static void print_ways(const struct conf_tunnel *t, FILE *out)
{
	if (t->backup_of[0])
		fprintf(out, "backup-of = %s\n", t->backup_of);
	if (t->group[0])
		fprintf(out, t->weight == 1 ? "group = %s\n" : "group = %s weight %u\n", t->group,
			t->weight);
	fprintf(out, "return-path = %s\n", t->return_path ? "same-tunnel" : "no");
}

static void print_udp(const struct conf_tunnel *t, FILE *out)
{
	char udp[CONF_UDP_SIZE];

	fprintf(out, "udp = %s\n", conf_udp_text(t->udp_port, t->gue, udp));
	if (t->udp_port)
		fprintf(out, "udp-checksum = %s\n", t->udp_checksum ? "yes" : "no");
	if (t->nat)
		conf_print_nat_secret(t, out);
}

static void print_header(const struct conf_tunnel *t, FILE *out)
{
	static const char *const sums[] = {"no", "yes", "require", "receive"};
	static const char *const sequences[] = {"no", "yes", "send", "receive"};
	static const char *const dfs[] = {"set", "copy", "clear"};

	fprintf(out, "checksum = %s\nsequence = %s\n", sums[t->checksum], sequences[t->sequence]);
	print_udp(t, out);
	if (t->ttl_inherit)
		fprintf(out, "ttl = inherit\n");
	else
		fprintf(out, "ttl = %u\n", t->ttl);
	if (t->tos_inherit)
		fprintf(out, "tos = inherit\n");
	else
		fprintf(out, t->tos ? "tos = 0x%02x\n" : "tos = %u\n", t->tos);
	fprintf(out, "ecn = %s\ndf = %s\n", t->ecn ? "yes" : "no", dfs[t->df]);
}

static void print_limits(const struct conf_tunnel *t, FILE *out)
{
	if (t->mtu)
		fprintf(out, "mtu = %" PRIu32 "\n", t->mtu);
	else
		fprintf(out, "mtu = auto\n");
	if (t->mss_auto || !t->mss)
		fprintf(out, "mss = %s\n", t->mss_auto ? "auto" : "no");
	else
		fprintf(out, "mss = %u\n", t->mss);
}

static void print_live(const struct conf_tunnel *t, FILE *out)
{
	uint32_t ms = t->keepalive_interval_ms;
	char text[ADDR_TEXT_SIZE];

	if (!ms)
		fprintf(out, "keepalive = no\n");
	else if (ms % 1000)
		fprintf(out, "keepalive = %" PRIu32 "ms %u\n", ms, t->keepalive_retries);
	else
		fprintf(out, "keepalive = %" PRIu32 "s %u\n", ms / 1000, t->keepalive_retries);
	fprintf(out, "keepalive-form = %s\n", conf_forms[t->keepalive_form]);
	fprintf(out, "keepalive-hold = %s\n", t->keepalive_hold ? "yes" : "no");
	fprintf(out, "keepalive-nat = %s\n", t->keepalive_nat ? "yes" : "no");
	if (t->probe.family == IP_NONE)
		fprintf(out, "probe = keepalive\n");
	else
		fprintf(out, "probe = icmp %s\n", addr_format(&t->probe, text));
	fprintf(out, "echo-reply = %s\n", t->echo_return ? "return" : "deliver");
}

void conf_print_tunnel(const struct conf_tunnel *tunnel, FILE *out)
{
	char text[ADDR_TEXT_SIZE];

	fprintf(out, "[tunnel %s]\n", tunnel->name);
	fprintf(out, "mode = %s\n", conf_mode_name(tunnel->mode));
	conf_profile_print(tunnel, out);
	if (tunnel->local_device[0])
		fprintf(out, "local = address-of %s\n", tunnel->local_device);
	else
		fprintf(out, "local = %s\n", addr_format(&tunnel->local, text));
	if (!tunnel->peer_count)
		fprintf(out, "remote = %s\n",
			tunnel->remote_any    ? "any"
			: tunnel->remote_name ? tunnel->remote_name
					      : addr_format(&tunnel->remote, text));
	print_peers(tunnel, out);
	if (tunnel->bind[0])
		fprintf(out, "bind = %s\n", tunnel->bind);
	fprintf(out, tunnel->fwmark ? "fwmark = 0x%" PRIx32 "\n" : "fwmark = %" PRIu32 "\n",
		tunnel->fwmark);
	if (tunnel->bridge[0])
		fprintf(out, "bridge = %s\n", tunnel->bridge);
	if (tunnel->vrf[0])
		fprintf(out, "vrf = %s\n", tunnel->vrf);
	print_addresses(tunnel, out);
	print_routes(tunnel, out);
	print_ways(tunnel, out);
	print_keys(tunnel, out);
	if (tunnel->mode == MODE_NVGRE)
		fprintf(out, "vsid = %" PRIu32 "\n", tunnel->vsid);
	if (tunnel->mode == MODE_ERSPAN)
		print_erspan(tunnel, out);
	print_header(tunnel, out);
	print_limits(tunnel, out);
	print_live(tunnel, out);
	if (tunnel->on_up)
		fprintf(out, "on-up = %s\n", tunnel->on_up);
	if (tunnel->on_down)
		fprintf(out, "on-down = %s\n", tunnel->on_down);
	fprintf(out, "notrack = %s\n", tunnel->notrack ? "yes" : "no");
	fprintf(out, "lane = %s\n", conf_lanes[tunnel->lane]);
	fprintf(out, "stateless = %s\n", tunnel->stateless ? "yes" : "no");
}

static void print_snat(const struct conf_snat *s, FILE *out)
{
	char from[PREFIX_TEXT_SIZE], to[ADDR_TEXT_SIZE];

	fprintf(out, "%s = %s out %s", s->to.family == IP_NONE ? "masquerade" : "snat",
		short_prefix(&s->from, from), s->out);
	if (s->to.family != IP_NONE)
		fprintf(out, " to %s", addr_format(&s->to, to));
	fprintf(out, "\n");
}

static void print_publish(const struct conf_publish *p, FILE *out)
{
	char to[ADDR_TEXT_SIZE];

	fprintf(out, "publish = %s/%u", p->protocol == 6 ? "tcp" : "udp", p->port);
	if (p->port_end != p->port)
		fprintf(out, "-%u", p->port_end);
	addr_format(&p->to, to);
	fprintf(out, p->to_port && p->to.family == IP_V6 ? " in %s to [%s]" : " in %s to %s", p->in,
		to);
	if (p->to_port)
		fprintf(out, ":%u", p->to_port);
	fprintf(out, "\n");
}

static void print_forward(const struct conf_forward *f, FILE *out)
{
	char from[PREFIX_TEXT_SIZE], to[PREFIX_TEXT_SIZE];

	fprintf(out, "[forward]\nenable = %s\n", f->enable ? "yes" : "no");
	for (size_t i = 0; i < f->allow_count; i++)
		fprintf(out, "allow = %s %s %s\n", short_prefix(&f->allows[i].from, from),
			f->allows[i].both ? "<->" : "->", short_prefix(&f->allows[i].to, to));
	for (size_t i = 0; i < f->snat_count; i++)
		print_snat(&f->snats[i], out);
	for (size_t i = 0; i < f->publish_count; i++)
		print_publish(&f->publishes[i], out);
}

void conf_print(const struct conf *conf, FILE *out)
{
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (conf->tunnels[i].hub)
			continue;
		conf_print_tunnel(&conf->tunnels[i], out);
		fprintf(out, "\n");
	}
	if (conf->forward.present) {
		print_forward(&conf->forward, out);
		fprintf(out, "\n");
	}
	fprintf(out, "[daemon]\n");
	if (conf->workers)
		fprintf(out, "workers = %u\n", conf->workers);
	else
		fprintf(out, "workers = auto\n");
	fprintf(out, "flows = %" PRIu32 "\n", conf->flows);
	fprintf(out, "spread = %s\n", conf_spreads[conf->spread]);
}
