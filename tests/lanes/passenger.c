/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "passenger.h"

#include <string.h>

static uint32_t address_sum(const struct recipe *r)
{
	uint32_t size = r->version == 4 ? 4 : 16;

	return sum_words(r->dst, size, sum_words(r->src, size, 0));
}

static void put_payload(struct octets *o, const struct recipe *r, struct dice *dice)
{
	uint32_t left = r->payload;

	if (r->marked && left >= 12) {
		put32(o, MARK);
		put32(o, r->flow);
		put32(o, r->number);
		left -= 12;
	}
	put_noise(o, dice, left);
}

static void put_tcp(struct octets *o, const struct recipe *r, struct dice *dice)
{
	int words = 5 + (r->mss ? r->odd_mss ? 2 : 1 : 0);

	put16(o, r->ports[0]);
	put16(o, r->ports[1]);
	put32(o, r->sequence);
	put32(o, 1);
	put8(o, ((uint32_t)(words + r->offset_more) & 15) << 4);
	put8(o, r->tcp_flags);
	put16(o, 512);
	put32(o, 0);
	if (r->mss) {
		if (r->odd_mss)
			put8(o, 1);
		put16(o, 0x0204);
		put16(o, r->mss);
		if (r->odd_mss) {
			put16(o, 0x0101);
			put8(o, 0);
		}
	}
	put_payload(o, r, dice);
}

static void put_transport(struct octets *o, const struct recipe *r, struct dice *dice)
{
	switch (r->protocol) {
	case TCP:
		put_tcp(o, r, dice);
		return;
	case UDP:
		put16(o, r->ports[0]);
		put16(o, r->ports[1]);
		put16(o, 8u + r->payload);
		put16(o, 0);
		break;
	case ICMP:
	case ICMPV6:
		put8(o, r->icmp_type);
		put8(o, 0);
		put16(o, 0);
		put16(o, r->ports[0]);
		put16(o, r->ports[1]);
		break;
	default:
		break;
	}
	put_payload(o, r, dice);
}

/* Completes the transport header at `at`. */
static void sum_transport(struct octets *o, uint32_t at, const struct recipe *r)
{
	uint32_t where = r->protocol == TCP ? 16 : r->protocol == UDP ? 6 : 2, len = o->len - at;
	uint32_t sum = r->protocol == ICMP ? 0 : address_sum(r) + r->protocol + len;
	uint16_t value;

	if ((r->protocol != TCP && r->protocol != UDP && r->protocol != ICMP &&
	     r->protocol != ICMPV6) ||
	    r->no_sum)
		return;
	value = sum_end(sum_words(o->data + at, len, sum));
	if (value == 0 && r->protocol == UDP)
		value = 0xffff;
	if (r->bad_sum) {
		value ^= 0x1100;
		/* Not one that was left to a device: greteld completes what looks like that. */
		if ((value ^ sum_end(sum)) == 0xffff)
			value ^= 0x0011;
	}
	set16(o->data + at + where, value);
}

static void put4(struct octets *o, const struct recipe *r, struct dice *dice)
{
	uint32_t begin = o->len, header = 20u + r->option_words * 4u, at;

	put8(o, 0x40 | ((header / 4 + (uint32_t)r->ihl_more) & 15));
	put8(o, r->tos);
	put16(o, 0);
	put16(o, r->id);
	put16(o, r->fragment);
	put8(o, r->ttl);
	put8(o, r->protocol);
	put16(o, 0);
	put_bytes(o, r->src, 4);
	put_bytes(o, r->dst, 4);
	for (unsigned i = 0; i < r->option_words; i++)
		put32(o, 0x01010101);
	at = o->len;
	put_transport(o, r, dice);
	sum_transport(o, at, r);
	set16(o->data + begin + 2, o->len - begin + (uint32_t)r->length_more);
	set16(o->data + begin + 10,
	      sum_end(sum_words(o->data + begin, header, 0)) ^ (r->bad_header_sum ? 0x0101u : 0));
}

static void put6(struct octets *o, const struct recipe *r, struct dice *dice)
{
	uint32_t begin = o->len, at;
	bool extended = r->extension != 255;

	put32(o, 6u << 28 | (uint32_t)r->tos << 20);
	put16(o, 0);
	put8(o, extended ? r->extension : r->protocol);
	put8(o, r->ttl);
	put_bytes(o, r->src, 16);
	put_bytes(o, r->dst, 16);
	if (extended) {
		put8(o, r->protocol);
		put8(o, 0);
		put16(o, r->extension == 44 ? r->fragment : 0x0104);
		put32(o, r->extension == 44 ? r->id : 0);
	}
	at = o->len;
	put_transport(o, r, dice);
	sum_transport(o, at, r);
	set16(o->data + begin + 4, o->len - begin - 40 + (uint32_t)r->length_more);
}

void passenger_put(struct octets *o, const struct recipe *r, struct dice *dice)
{
	uint32_t begin = o->len;

	if (r->version == 4)
		put4(o, r, dice);
	else
		put6(o, r, dice);
	cut(o, r->shorter < o->len - begin ? r->shorter : o->len - begin);
	put_noise(o, dice, r->trailing);
}
