/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_params.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* A default tunnel needs about 60 octets and the longest 252 (see test_conf), so `buf` never
 * overflows; should it, the text is cut and still compares. */
static void add(char buf[CONF_ALIAS_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(char buf[CONF_ALIAS_SIZE], const char *format, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + used, CONF_ALIAS_SIZE - used, format, args);
	va_end(args);
}

static void add_keys(char buf[CONF_ALIAS_SIZE], const struct conf_tunnel *t)
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

static void add_header(char buf[CONF_ALIAS_SIZE], const struct conf_tunnel *t)
{
	static const char *const sums[] = {"", " csum yes", " csum require", " csum receive"};
	static const char *const sequences[] = {"", " seq yes", " seq send", " seq receive"};
	static const char *const dfs[] = {"", " df copy", " df clear"};

	add(buf, "%s%s", sums[t->checksum], sequences[t->sequence]);
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

void conf_alias(const struct conf_tunnel *tunnel, char buf[CONF_ALIAS_SIZE])
{
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	snprintf(buf, CONF_ALIAS_SIZE, CONF_ALIAS_PREFIX "%s local %s remote %s",
		 tunnel->mode == MODE_GRETAP ? "gretap" : "gre", addr_format(&tunnel->local, local),
		 addr_format(&tunnel->remote, remote));
	if (tunnel->bind[0])
		add(buf, " dev %s", tunnel->bind);
	add_keys(buf, tunnel);
	add_header(buf, tunnel);
	if (!tunnel->mss_auto && tunnel->mss)
		add(buf, " mss %u", tunnel->mss);
	else if (!tunnel->mss_auto)
		add(buf, " mss no");
	if (tunnel->keepalive_interval_ms)
		add(buf, " ka %" PRIu32 "ms %u", tunnel->keepalive_interval_ms,
		    tunnel->keepalive_retries);
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
	return outer + gre + (tunnel->mode == MODE_GRETAP ? 14 : 0);
}
