/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input.h"

#include <string.h>

#include "outer.h"

enum { FRAME_LIMIT = 1514 };

/* The last octets of the addresses of this router and the other end. */
struct macs {
	uint8_t here, there;
};

static const struct macs on_wire = {1, 0x99}, on_lan = {2, 0x98}, in_tunnel = {3, 0x97};

static void put_ethernet(struct octets *o, const struct macs *macs, struct dice *dice, bool odd,
			 uint16_t type)
{
	static const uint8_t broadcast[] = {255, 255, 255, 255, 255, 255};
	uint8_t to[] = {2, 0, 0, 0, 0, macs->here};
	uint8_t from[] = {2, 0, 0, 0, 0, macs->there};

	if (odd && chance(dice, 20))
		to[5] = 0x77;
	put_bytes(o, odd && chance(dice, 20) ? broadcast : to, 6);
	put_bytes(o, from, 6);
	if (odd && chance(dice, 20))
		put32(o, 0x81000005);
	put16(o, type);
}

/* GRE header and passenger. */
static void put_gre(struct octets *o, const struct outer *u, const struct recipe *r,
		    struct dice *dice, bool odd)
{
	uint32_t begin = o->len;

	put16(o, u->flags);
	put16(o, u->type);
	if (u->flags & (CHECKSUM | ROUTING))
		put32(o, 0);
	if (u->flags & KEY)
		put32(o, u->key);
	if (u->flags & SEQUENCE)
		put32(o, r->number);
	if (u->ethernet)
		put_ethernet(o, &in_tunnel, dice, odd, r->version == 4 ? 0x0800 : 0x86dd);
	passenger_put(o, r, dice);
	cut(o, u->shorter < o->len - begin ? u->shorter : o->len - begin);
	put_noise(o, dice, u->padding);
	if (u->flags & CHECKSUM && o->len >= begin + 8)
		set16(o->data + begin + 4, sum_end(sum_words(o->data + begin, o->len - begin, 0)) ^
						   (u->bad_sum ? 1u : 0));
}

/* One frame or several: the packet in fragments where the recipe says so. */
static void put_outer(struct input *in, const struct outer *u, const struct octets *gre,
		      struct dice *dice, bool odd)
{
	uint32_t size = u->pieces > 1 ? (gre->len / u->pieces) & ~7u : gre->len, at = 0;
	unsigned pieces = size ? u->pieces : 1;

	if (pieces == 1)
		size = gre->len;
	for (unsigned i = 0; i < pieces; i++) {
		uint32_t len = i + 1 < pieces ? size : gre->len - at;
		struct octets *o = &in->frames[u->backwards ? pieces - 1 - i : i];

		o->len = 0;
		put_ethernet(o, &on_wire, dice, odd && pieces == 1,
			     u->version == 4 ? 0x0800 : 0x86dd);
		outer_put(o, u, in->number, at, len, i + 1 < pieces);
		put_bytes(o, gre->data + at, len);
		if (odd && chance(dice, 50))
			put_noise(o, dice, 1 + roll(dice, 40));
		if (o->len > FRAME_LIMIT) /* by the noise */
			o->len = FRAME_LIMIT;
		at += len;
	}
	in->count = pieces - (u->incomplete && pieces > 1);
}

/* A keepalive of the peer: its passenger is one more outer packet, back to the sender. */
static void put_question(struct octets *o, const struct outer *u, struct dice *dice)
{
	struct octets inner = {.len = 0};
	struct outer back = *u;

	memcpy(back.src, u->dst, 16);
	memcpy(back.dst, u->src, 16);
	back.option_words = 0;
	back.pieces = 1;
	back.length_more = 0;
	back.ttl = 255;
	put16(&inner, u->flags & KEY);
	put16(&inner, chance(dice, 800) ? 0 : roll(dice, 65536));
	if (u->flags & KEY)
		put32(&inner, u->key);
	put_noise(&inner, dice, chance(dice, 500) ? 0 : roll(dice, 30));
	put16(o, u->flags);
	put16(o, u->version == 4 ? 0x0800 : 0x86dd);
	if (u->flags & KEY)
		put32(o, u->key);
	outer_put(o, &back, 0, 0, inner.len, false);
	put_bytes(o, inner.data, inner.len);
}

static void from_wire(struct input *in, struct dice *dice, const struct far_end *tunnel,
		      unsigned index, const struct recipe *r, bool odd)
{
	struct octets gre = {.len = 0};
	struct outer u;

	outer_regular(&u, tunnel, index, r);
	if (odd && chance(dice, 5) && !tunnel->has_checksum) {
		put_question(&gre, &u, dice);
		put_outer(in, &u, &gre, dice, false);
		return;
	}
	if (odd)
		outer_make_odd(&u, dice);
	put_gre(&gre, &u, r, dice, odd);
	if (gre.len > FRAME_LIMIT - ETHERNET - 80 && u.pieces == 1) {
		u.pieces = 2;
		u.fragment = 0;
	}
	put_outer(in, &u, &gre, dice, odd);
}

static void from_lan(struct input *in, struct dice *dice, const struct recipe *r, bool odd)
{
	struct octets *o = &in->frames[0];

	o->len = 0;
	put_ethernet(o, &on_lan, dice, odd, r->version == 4 ? 0x0800 : 0x86dd);
	passenger_put(o, r, dice);
	if (odd && chance(dice, 20))
		cut(o, roll(dice, 1500));
	if (o->len < ETHERNET)
		put_noise(o, dice, ETHERNET - o->len);
	if (o->len > FRAME_LIMIT)
		o->len = FRAME_LIMIT;
	in->count = 1;
}

static void put_one(struct input *in, struct dice *dice, const struct far_end *tunnels,
		    unsigned index, const struct recipe *r, bool odd)
{
	if (in->side == WIRE)
		from_wire(in, dice, &tunnels[index], index, r, odd);
	else
		from_lan(in, dice, r, odd);
}

/* Segments of a TCP connection, one behind the other, which may travel as one. */
static void put_burst(struct input *in, struct dice *dice, const struct far_end *tunnels,
		      unsigned index, struct recipe *r)
{
	struct input one = *in;

	r->payload = (uint16_t)(100 + 4 * roll(dice, 200));
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		put_one(&one, dice, tunnels, index, r, false);
		in->frames[i] = one.frames[0];
		r->sequence += r->payload;
		r->id++;
		r->number++;
	}
	in->count = FRAMES_MAX;
}

/* Where translated flows are opened first: one packet of each out, and one back. */
static bool is_opening(const struct far_end *tunnels, unsigned count, uint32_t number)
{
	return tunnels[0].translated && number < 2 * count * FLOWS;
}

void input_make(struct input *in, uint64_t seed, uint32_t number, const struct far_end *tunnels,
		unsigned count, unsigned odd)
{
	struct dice dice = dice_for(seed, number);
	struct place place = {.tunnel = roll(&dice, count), .tunnels = count};
	bool opening = is_opening(tunnels, count, number);
	bool strange = chance(&dice, opening ? 0 : odd);
	unsigned flow = roll(&dice, FLOWS);
	struct recipe r;

	place.side = roll(&dice, 2) ? WIRE : LAN;
	if (opening) {
		place.side = number < count * FLOWS ? LAN : WIRE;
		place.tunnel = number / FLOWS % count;
		flow = number % FLOWS;
	}
	place.translated = tunnels[place.tunnel].translated;
	in->side = place.side;
	in->number = number;
	recipe_of_flow(&r, &dice, &place, flow, number);
	if (strange)
		recipe_make_odd(&r, &dice, &place);
	if (!strange && !opening && r.protocol == TCP && chance(&dice, 150))
		put_burst(in, &dice, tunnels, place.tunnel, &r);
	else
		put_one(in, &dice, tunnels, place.tunnel, &r, strange);
}
