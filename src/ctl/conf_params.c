/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_params.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "proto/udp.h"

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

static void add_header(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	static const char *const sums[] = {"", " csum yes", " csum require", " csum receive"};
	static const char *const sequences[] = {"", " seq yes", " seq send", " seq receive"};
	static const char *const dfs[] = {"", " df copy", " df clear"};

	add(buf, "%s%s", sums[t->checksum], sequences[t->sequence]);
	if (t->udp_port)
		add(buf, " udp %u%s", t->udp_port, t->udp_checksum ? "" : " udp-csum no");
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

/* The addresses in effect; while one is not known, where it will come from. */
static void add_ends(char buf[TEXT_SIZE], const struct conf_tunnel *t)
{
	char text[ADDR_TEXT_SIZE];

	if (t->local.family == IP_NONE && t->local_device[0])
		add(buf, " local address-of %s", t->local_device);
	else
		add(buf, " local %s", addr_format(&t->local, text));
	if (t->remote.family == IP_NONE && t->remote_name)
		add(buf, " remote %.64s", t->remote_name);
	else
		add(buf, " remote %s", addr_format(&t->remote, text));
}

void conf_alias(const struct conf_tunnel *tunnel, char buf[CONF_ALIAS_SIZE])
{
	char text[TEXT_SIZE] = CONF_ALIAS_PREFIX;

	add(text, "%s", tunnel->mode == MODE_GRETAP ? "gretap" : "gre");
	add_ends(text, tunnel);
	if (tunnel->bind[0])
		add(text, " dev %s", tunnel->bind);
	add_keys(text, tunnel);
	add_header(text, tunnel);
	if (!tunnel->mss_auto && tunnel->mss)
		add(text, " mss %u", tunnel->mss);
	else if (!tunnel->mss_auto)
		add(text, " mss no");
	add_live(text, tunnel);
	fit(text, buf);
}

unsigned conf_overhead(const struct conf_tunnel *tunnel)
{
	unsigned outer = tunnel->local.family == IP_V6 ? 40 : 20;
	unsigned gre = 4;

	if (tunnel->checksum == CHECKSUM_YES || tunnel->checksum == CHECKSUM_REQUIRE)
		gre += 4;
	if (tunnel->okey.present)
		gre += 4;
	if (tunnel->sequence == SEQUENCE_YES || tunnel->sequence == SEQUENCE_SEND)
		gre += 4;
	return outer + (tunnel->udp_port ? UDP_HEADER_LENGTH : 0) + gre +
	       (tunnel->mode == MODE_GRETAP ? 14 : 0);
}
