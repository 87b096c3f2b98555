/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iptunnel_conf.c: between the words and a tunnel of the configuration. */
#include "ctl/iptunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void apply_key(enum iptunnel_said said, uint32_t value, struct conf_key *key)
{
	if (said == SAID_ON)
		*key = (struct conf_key){.present = true, .value = value};
	else if (said == SAID_OFF)
		*key = (struct conf_key){0};
}

static bool apply_said(enum iptunnel_said said, bool old)
{
	return said == SAID_NOTHING ? old : said == SAID_ON;
}

static enum conf_checksum apply_checksum(const struct iptunnel *said, enum conf_checksum old)
{
	bool in = apply_said(said->icsum, old == CHECKSUM_REQUIRE || old == CHECKSUM_RECEIVE);
	bool out = apply_said(said->ocsum, old == CHECKSUM_REQUIRE || old == CHECKSUM_YES);
	if (in)
		return out ? CHECKSUM_REQUIRE : CHECKSUM_RECEIVE;
	return out ? CHECKSUM_YES : CHECKSUM_NO;
}

static enum conf_sequence apply_sequence(const struct iptunnel *said, enum conf_sequence old)
{
	bool in = apply_said(said->iseq, old == SEQUENCE_YES || old == SEQUENCE_RECEIVE);
	bool out = apply_said(said->oseq, old == SEQUENCE_YES || old == SEQUENCE_SEND);
	if (in)
		return out ? SEQUENCE_YES : SEQUENCE_RECEIVE;
	return out ? SEQUENCE_SEND : SEQUENCE_NO;
}

/* As the kernel's tunnels: nopmtudisc follows the passenger, and ignore-df does not. */
static enum conf_df apply_df(const struct iptunnel *said, enum conf_df old)
{
	bool set = apply_said(said->pmtudisc, old == DF_SET && said->ignore_df != SAID_ON);
	bool ignore = apply_said(said->ignore_df, old == DF_CLEAR);
	if (set)
		return DF_SET;
	return ignore ? DF_CLEAR : DF_COPY;
}

int iptunnel_apply(const struct iptunnel *said, struct conf_tunnel *tunnel,
		   char error[IPTUNNEL_ERROR_SIZE])
{
	struct conf_tunnel t = *tunnel;
	struct iptunnel whole = *said;
	whole.local = said->local.family ? said->local : t.local;
	whole.remote = said->remote.family ? said->remote : t.remote;
	int e = iptunnel_check(&whole, error);
	if (e)
		return e;
	t.local = whole.local;
	t.remote = whole.remote;
	if (said->has_mode)
		t.mode = said->mode;
	if (said->has_dev)
		memcpy(t.bind, said->dev, sizeof t.bind);
	if (said->has_fwmark)
		t.fwmark = said->fwmark;
	if (said->has_ttl) {
		t.ttl_inherit = said->ttl_inherit;
		t.ttl = said->ttl;
	}
	if (said->has_tos) {
		t.tos_inherit = said->tos_inherit;
		t.tos = said->tos;
	}
	if (said->has_mtu)
		t.mtu = said->mtu;
	apply_key(said->ikey, said->ikey_value, &t.ikey);
	apply_key(said->okey, said->okey_value, &t.okey);
	t.checksum = apply_checksum(said, t.checksum);
	t.sequence = apply_sequence(said, t.sequence);
	if (said->pmtudisc != SAID_NOTHING || said->ignore_df != SAID_NOTHING)
		t.df = apply_df(said, t.df);
	*tunnel = t;
	return 0;
}

static const char *mode_name(const struct conf_tunnel *t)
{
	bool v6 = t->local.family == IP_V6;
	if (t->mode == MODE_NVGRE || t->mode == MODE_ERSPAN)
		return conf_mode_name(t->mode);
	if (t->mode == MODE_GRETAP)
		return v6 ? "ip6gretap" : "gretap";
	return v6 ? "gre/ipv6" : "gre/ip";
}

static void print_keys(const struct conf_tunnel *t, FILE *out)
{
	if (t->ikey.present && t->okey.present && t->ikey.value == t->okey.value) {
		fprintf(out, " key %" PRIu32, t->ikey.value);
		return;
	}
	if (t->ikey.present)
		fprintf(out, " ikey %" PRIu32, t->ikey.value);
	if (t->okey.present)
		fprintf(out, " okey %" PRIu32, t->okey.value);
}

/* "any" while it is not known. */
static const char *address_word(const struct ip_addr *addr, char buf[ADDR_TEXT_SIZE])
{
	return addr->family == IP_NONE ? "any" : addr_format(addr, buf);
}

void iptunnel_print(const struct conf_tunnel *tunnel, FILE *out)
{
	static const char *const sums[] = {"", " ocsum", " csum", " icsum"};
	static const char *const sequences[] = {"", " seq", " oseq", " iseq"};
	static const char *const dfs[] = {"", " nopmtudisc", " nopmtudisc ignore-df"};
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	fprintf(out, "%s: %s remote %s local %s", tunnel->name, mode_name(tunnel),
		address_word(&tunnel->remote, remote), address_word(&tunnel->local, local));
	if (tunnel->bind[0])
		fprintf(out, " dev %s", tunnel->bind);
	if (tunnel->ttl_inherit)
		fprintf(out, " ttl inherit");
	else
		fprintf(out, " ttl %u", tunnel->ttl);
	if (tunnel->tos_inherit)
		fprintf(out, " tos inherit");
	else if (tunnel->tos)
		fprintf(out, " tos 0x%02x", tunnel->tos);
	print_keys(tunnel, out);
	fprintf(out, "%s%s%s", sums[tunnel->checksum], sequences[tunnel->sequence],
		dfs[tunnel->df]);
	if (tunnel->fwmark)
		fprintf(out, " fwmark 0x%" PRIx32, tunnel->fwmark);
	if (tunnel->udp_port)
		fprintf(out, " encap %s encap-dport %u", tunnel->gue ? "gue" : "fou",
			tunnel->udp_port);
	if (tunnel->mtu)
		fprintf(out, " mtu %" PRIu32, tunnel->mtu);
	fputc('\n', out);
}
