/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_params.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "proto/gue.h"
#include "proto/overhead.h"

/* Room for all words of a tunnel at their longest; most need about 60 octets. */
#define TEXT_SIZE (2 * CONF_ALIAS_SIZE)

static void add(char buf[TEXT_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char buf[TEXT_SIZE], const char *format, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + used, TEXT_SIZE - used, format, args);
	va_end(args);
}

static void add_keys(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	if (t->ikey.present && t->okey.present && t->ikey.value == t->okey.value) {
		add(buf, " key %" PRIu32, t->ikey.value);
		return;
	}
	if (t->ikey.present)
		add(buf, " ikey %" PRIu32, t->ikey.value);
	if (t->okey.present)
		add(buf, " okey %" PRIu32, t->okey.value);
}

/* The numbers of NVGRE and ERSPAN. */
static void add_type(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	if (t->mode == MODE_NVGRE)
		add(buf, " vsid %" PRIu32, t->vsid);
	if (t->mode != MODE_ERSPAN)
		return;
	add(buf, " type %u", t->erspan_type);
	if (t->erspan_type > 1)
		add(buf, " session %u", t->erspan_session);
	if (t->erspan_index)
		add(buf, " index %" PRIu32, t->erspan_index);
	if (t->erspan_egress)
		add(buf, " egress");
	if (t->erspan_hardware)
		add(buf, " hardware %u", t->erspan_hardware);
}

static void add_header(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	static const char *const sums[] = {"", " csum yes", " csum require", " csum receive"};
	static const char *const sequences[] = {"", " seq yes", " seq send", " seq receive"};
	static const char *const dfs[] = {"", " df copy", " df clear"};

	add(buf, "%s%s", sums[t->checksum], sequences[t->sequence]);
	if (t->udp_port)
		add(buf, " %s %u%s", t->gue ? "gue" : "udp", t->udp_port,
		    t->udp_checksum ? "" : " udp-csum no");
	if (t->nat)
		add(buf, " nat ~%08" PRIx32, (uint32_t)conf_nat_digest(t));
	if (t->ttl_inherit)
		add(buf, " ttl inherit");
	else if (t->ttl != 64)
		add(buf, " ttl %u", t->ttl);
	if (t->tos_inherit)
		add(buf, " tos inherit");
	else if (t->tos)
		add(buf, " tos 0x%02x", t->tos);
	add(buf, "%s%s", t->ecn ? "" : " ecn no", dfs[t->df]);
}

static void add_live(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	static const char *const forms[] = {
		"",	      " ka-cisco",   " ka-cmd",	    " ka-huawei",
		" ka-inside", " ka-openbsd", " ka-mikrotik"};
	char text[ADDR_TEXT_SIZE];

	if (t->keepalive_interval_ms)
		add(buf, " ka %" PRIu32 "ms %u", t->keepalive_interval_ms, t->keepalive_retries);
	add(buf, "%s%s%s", forms[t->keepalive_form], t->keepalive_hold ? "" : " ka-free",
	    t->keepalive_nat ? " ka-nat" : "");
	if (t->probe.family != IP_NONE)
		add(buf, " icmp %s", addr_format(&t->probe, text));
	if (t->echo_return)
		add(buf, " echo");
}

/* What does not fit gives way to a hash of the whole, so that texts still differ when tunnels do.
 */
static void fit(const char text[TEXT_SIZE], char buf[CONF_ALIAS_SIZE])
{
	uint32_t hash = 2166136261u;

	if (snprintf(buf, CONF_ALIAS_SIZE, "%s", text) < CONF_ALIAS_SIZE)
		return;
	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	snprintf(buf + CONF_ALIAS_SIZE - sizeof " ~12345678", sizeof " ~12345678", " ~%08" PRIx32,
		 hash);
}

/* How many, and a digest of which: what has another one is to be changed. */
static void add_peers(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < t->peer_count; i++)
		for (size_t k = 0; k < 16; k++) {
			hash = (hash ^ t->peers[i].inner.bytes[k]) * 16777619u;
			hash = (hash ^ t->peers[i].outer.bytes[k]) * 16777619u;
		}
	add(buf, " to %zu peers ~%08" PRIx32, t->peer_count, hash);
}

const char *conf_udp_text(uint16_t port, bool gue, char buf[CONF_UDP_SIZE])
{
	if (port == 0)
		return "no";
	if (port == (gue ? GUE_PORT : UDP_PORT_GRE))
		return gue ? "gue" : "yes";
	snprintf(buf, CONF_UDP_SIZE, "%s%u", gue ? "gue " : "", port);
	return buf;
}

/* The addresses in effect; while one is not known, where it will come from. */
static void add_ends(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	char text[ADDR_TEXT_SIZE];

	if (t->local.family == IP_NONE && t->local_device[0])
		add(buf, " local address-of %s", t->local_device);
	else
		add(buf, " local %s", addr_format(&t->local, text));
	if (t->peer_count)
		add_peers(buf, t);
	else if (t->remote.family == IP_NONE && t->remote_name)
		add(buf, " remote %.64s", t->remote_name);
	else if (t->remote.family == IP_NONE && t->remote_any)
		add(buf, " remote any");
	else if (t->remote_port)
		add(buf, " remote %s port %u", addr_format(&t->remote, text), t->remote_port);
	else
		add(buf, " remote %s", addr_format(&t->remote, text));
}

uint64_t conf_nat_digest(const struct conf_tunnel *tunnel)
{
	uint8_t text[4 + 4 + 2];

	put_be32(text, tunnel->ikey.value);
	put_be32(text + 4, tunnel->okey.value);
	put_be16(text + 8, tunnel->udp_port);
	return siphash24(&tunnel->nat_secret, text, sizeof text);
}

void conf_alias(const struct conf_tunnel *tunnel, char buf[CONF_ALIAS_SIZE])
{
	char text[TEXT_SIZE] = CONF_ALIAS_PREFIX;

	add(text, "%s", conf_mode_name(tunnel->mode));
	add_ends(text, tunnel);
	if (tunnel->bind[0])
		add(text, " dev %s", tunnel->bind);
	if (tunnel->fwmark)
		add(text, " fwmark 0x%" PRIx32, tunnel->fwmark);
	add_keys(text, tunnel);
	add_type(text, tunnel);
	add_header(text, tunnel);
	if (!tunnel->mss_auto && tunnel->mss)
		add(text, " mss %u", tunnel->mss);
	else if (!tunnel->mss_auto)
		add(text, " mss no");
	add_live(text, tunnel);
	fit(text, buf);
}

uint8_t conf_form(const struct conf_tunnel *tunnel)
{
	switch (tunnel->mode) {
	case MODE_GRE:
		return FORM_IP;
	case MODE_GRETAP:
		return FORM_ETHERNET;
	case MODE_NVGRE:
		return FORM_NVGRE;
	case MODE_ERSPAN:
		break;
	}
	return (uint8_t)(FORM_ERSPAN1 + tunnel->erspan_type - 1);
}

bool conf_sends_key(const struct conf_tunnel *tunnel)
{
	return tunnel->okey.present || tunnel->mode == MODE_NVGRE;
}

bool conf_sends_sequence(const struct conf_tunnel *tunnel)
{
	if (tunnel->mode == MODE_ERSPAN)
		return tunnel->erspan_type > 1;
	return tunnel->sequence == SEQUENCE_YES || tunnel->sequence == SEQUENCE_SEND;
}

unsigned conf_overhead(const struct conf_tunnel *tunnel)
{
	bool checksum = tunnel->checksum == CHECKSUM_YES || tunnel->checksum == CHECKSUM_REQUIRE;
	bool v6 = tunnel->local.family == IP_V6 || tunnel->remote.family == IP_V6;

	return tunnel_overhead(v6 ? IP_V6 : IP_V4, gue_udp_length(tunnel->udp_port, tunnel->gue),
			       conf_form(tunnel), checksum, conf_sends_key(tunnel),
			       conf_sends_sequence(tunnel));
}

uint32_t conf_fits(const struct conf_tunnel *tunnel, uint32_t path_mtu)
{
	unsigned overhead = conf_overhead(tunnel);

	return path_mtu > overhead ? path_mtu - overhead : 0;
}
