/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/addr.h"

#include <arpa/inet.h>
#include <string.h>

unsigned addr_size(uint8_t family)
{
	return family == IP_V4 ? 4 : 16;
}

struct ip_addr addr_of(uint8_t family, const uint8_t *bytes)
{
	struct ip_addr addr = {.family = family};

	memcpy(addr.bytes, bytes, addr_size(family));
	return addr;
}

static uint8_t addr_bits(uint8_t family)
{
	return family == IP_V4 ? 32 : 128;
}

bool addr_parse(const char *text, struct ip_addr *out)
{
	struct ip_addr addr = {.family = strchr(text, ':') ? IP_V6 : IP_V4};

	if (inet_pton(addr.family, text, addr.bytes) != 1)
		return false;
	*out = addr;
	return true;
}

/* "0".."128" without sign, space or leading zeros. */
static bool parse_length(const char *text, uint8_t max, uint8_t *out)
{
	unsigned value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return false;
	}
	*out = (uint8_t)value;
	return true;
}

bool prefix_parse(const char *text, struct ip_prefix *out)
{
	char addr[ADDR_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct ip_prefix prefix;

	if (len >= sizeof addr)
		return false;
	memcpy(addr, text, len);
	addr[len] = 0;
	if (!addr_parse(addr, &prefix.addr))
		return false;
	prefix.len = addr_bits(prefix.addr.family);
	if (slash && !parse_length(slash + 1, prefix.len, &prefix.len))
		return false;
	*out = prefix;
	return true;
}

const char *addr_format(const struct ip_addr *addr, char buf[ADDR_TEXT_SIZE])
{
	if (addr->family != IP_V4 && addr->family != IP_V6)
		memcpy(buf, "none", sizeof("none"));
	else
		inet_ntop(addr->family, addr->bytes, buf, ADDR_TEXT_SIZE);
	return buf;
}

const char *prefix_format(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE])
{
	char *end;
	unsigned len = prefix->len;

	addr_format(&prefix->addr, buf);
	end = buf + strlen(buf);
	*end++ = '/';
	if (len >= 100)
		*end++ = (char)('0' + len / 100);
	if (len >= 10)
		*end++ = (char)('0' + len / 10 % 10);
	*end++ = (char)('0' + len % 10);
	*end = 0;
	return buf;
}

bool addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family &&
	       (a->family == IP_NONE || memcmp(a->bytes, b->bytes, addr_size(a->family)) == 0);
}

bool addr_is_any(const struct ip_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, addr_size(addr->family)) == 0;
}

bool addr_is_multicast(const struct ip_addr *addr)
{
	return addr->family == IP_V4 ? (addr->bytes[0] & 0xf0) == 0xe0 : addr->bytes[0] == 0xff;
}

bool addr_is_loopback(const struct ip_addr *addr)
{
	static const uint8_t one[16] = {[15] = 1};

	return addr->family == IP_V4 ? addr->bytes[0] == 127 : memcmp(addr->bytes, one, 16) == 0;
}

bool addr_is_link_local(const struct ip_addr *addr)
{
	if (addr->family == IP_V4)
		return addr->bytes[0] == 169 && addr->bytes[1] == 254;
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

/* True when the first `bits` bits are the same. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
	return prefix->addr.family == addr->family &&
	       same_bits(prefix->addr.bytes, addr->bytes, prefix->len);
}

bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

bool prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	uint8_t shorter = a->len < b->len ? a->len : b->len;

	return a->addr.family == b->addr.family && same_bits(a->addr.bytes, b->addr.bytes, shorter);
}

struct ip_prefix prefix_network(const struct ip_prefix *prefix)
{
	struct ip_prefix out = *prefix;

	for (unsigned bit = prefix->len; bit < addr_bits(prefix->addr.family); bit++)
		out.addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	return out;
}
