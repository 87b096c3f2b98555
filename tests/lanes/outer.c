/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "outer.h"

#include <string.h>

static void address_outer(uint8_t out[16], unsigned version, unsigned last)
{
	static const uint8_t prefix[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x19};

	memset(out, 0, 16);
	if (version == 4)
		address4(out, 172, 19, 1, last);
	else
		memcpy(out, prefix, sizeof prefix);
	if (version == 6)
		out[15] = (uint8_t)last;
}

void outer_regular(struct outer *u, const struct far_end *tunnel, unsigned index,
		   const struct recipe *r)
{
	*u = (struct outer){.version = tunnel->outer,
			    .protocol = GRE,
			    .ttl = 60,
			    .fragment = 0x4000,
			    .pieces = 1,
			    .flags = (uint16_t)((tunnel->has_key ? KEY : 0) |
						(tunnel->has_checksum ? CHECKSUM : 0)),
			    .type = r->version == 4 ? 0x0800 : 0x86dd,
			    .key = tunnel->key,
			    .ethernet = tunnel->ethernet};
	if (u->ethernet)
		u->type = 0x6558;
	address_outer(u->src, u->version, 2 + index);
	address_outer(u->dst, u->version, 1);
	u->tos = r->tos & 3 ? (uint8_t)(r->flow % 3 ? 3 : 2) : 0;
}

static void odd_outer_ip(struct outer *u, struct dice *dice)
{
	static const uint8_t ttls[] = {0, 1, 2, 255};

	switch (roll(dice, 9)) {
	case 0:
		u->option_words = (uint8_t)(1 + roll(dice, 10));
		break;
	case 1:
		u->pieces = 2 + roll(dice, 2);
		u->fragment = 0;
		u->backwards = roll(dice, 2);
		u->incomplete = chance(dice, 100);
		break;
	case 2:
		u->fragment = roll(dice, 2) ? 0 : 0x8000;
		break;
	case 3:
		u->ttl = ttls[roll(dice, sizeof ttls)];
		break;
	case 4:
		u->bad_header_sum = true;
		break;
	case 5:
		u->length_more = (int16_t)((int)roll(dice, 60) - 50);
		break;
	case 6:
		address_outer(roll(dice, 2) ? u->src : u->dst, u->version, 1 + roll(dice, 9));
		break;
	case 7:
		u->protocol = roll(dice, 2) ? UDP : 4;
		break;
	default:
		u->tos = (uint8_t)roll(dice, 256);
	}
}

static void odd_gre(struct outer *u, struct dice *dice)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0000, 0x6558, 0x8847, 0x0806, 0x0004,
					 0x880b, 0x88be, 0x22eb, 0x883e, 0x8909, 0x05ff, 0x0600};

	switch (roll(dice, 7)) {
	case 0:
		u->flags = (uint16_t)roll(dice, 65536);
		break;
	case 1:
		u->flags ^= CHECKSUM;
		u->bad_sum = chance(dice, 300);
		break;
	case 2:
		u->flags ^= KEY;
		break;
	case 3:
		u->key ^= 1u << roll(dice, 32);
		break;
	case 4:
		u->flags ^= SEQUENCE;
		break;
	case 5:
		u->type = types[roll(dice, sizeof types / sizeof types[0])];
		break;
	default:
		u->flags |= (uint16_t)(roll(dice, 128) << 3); /* those to be ignored */
	}
}

void outer_make_odd(struct outer *u, struct dice *dice)
{
	for (unsigned n = roll(dice, 3); n; n--)
		if (roll(dice, 2))
			odd_outer_ip(u, dice);
		else
			odd_gre(u, dice);
	if (chance(dice, 60))
		u->shorter = roll(dice, 1000);
	if (chance(dice, 60))
		u->padding = 1 + roll(dice, 30);
}

static void put_outer4(struct octets *o, const struct outer *u, uint32_t number, uint32_t offset,
		       uint32_t len, bool more)
{
	uint32_t begin = o->len, header = 20u + u->option_words * 4u;

	put8(o, 0x40 | header / 4);
	put8(o, u->tos);
	put16(o, header + len + (uint32_t)u->length_more);
	put16(o, number);
	put16(o, u->fragment | offset / 8 | (more ? 0x2000u : 0));
	put8(o, u->ttl);
	put8(o, u->protocol);
	put16(o, 0);
	put_bytes(o, u->src, 4);
	put_bytes(o, u->dst, 4);
	for (unsigned i = 0; i < u->option_words; i++)
		put32(o, 0x01010101);
	set16(o->data + begin + 10,
	      sum_end(sum_words(o->data + begin, header, 0)) ^ (u->bad_header_sum ? 0x0101u : 0));
}

static void put_outer6(struct octets *o, const struct outer *u, uint32_t number, uint32_t offset,
		       uint32_t len, bool more)
{
	bool piece = u->pieces > 1;
	uint32_t extra = piece ? 8 : u->option_words ? 8 : 0;

	put32(o, 6u << 28 | (uint32_t)u->tos << 20);
	put16(o, extra + len + (uint32_t)u->length_more);
	put8(o, piece ? 44u : extra ? 60u : u->protocol);
	put8(o, u->ttl);
	put_bytes(o, u->src, 16);
	put_bytes(o, u->dst, 16);
	if (!extra)
		return;
	put8(o, u->protocol);
	put8(o, 0);
	put16(o, piece ? offset | more : 0x0104);
	put32(o, piece ? number : 0);
}

void outer_put(struct octets *o, const struct outer *u, uint32_t number, uint32_t offset,
	       uint32_t len, bool more)
{
	if (u->version == 4)
		put_outer4(o, u, number / 8, offset, len, more);
	else
		put_outer6(o, u, number, offset, len, more);
}
