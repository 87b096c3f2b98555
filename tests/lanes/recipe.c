/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recipe.c: what is in a passenger. Addresses are those of scene.py, with a network for each tunnel
 * where there is one; see differ.py. */
#include <string.h>

#include "passenger.h"

void address4(uint8_t out[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
	out[0] = (uint8_t)a;
	out[1] = (uint8_t)b;
	out[2] = (uint8_t)c;
	out[3] = (uint8_t)d;
}

/* fd00:b:c::last */
void address6(uint8_t out[16], unsigned b, unsigned c, unsigned last)
{
	memset(out, 0, 16);
	out[0] = 0xfd;
	set16(out + 2, b);
	set16(out + 4, c);
	set16(out + 14, last);
}

static void set_host(uint8_t out[16], unsigned version, enum side side, unsigned tunnel,
		     unsigned host)
{
	if (version == 4 && side == LAN)
		address4(out, 10, 10, 1, 10 + host);
	else if (version == 4)
		address4(out, 20, 10, 1 + tunnel, 10 + host);
	else if (side == LAN)
		address6(out, 0x10, 1, 0x10 + host);
	else
		address6(out, 0x20, 1 + tunnel, 0x10 + host);
}

static void set_ends(struct recipe *r, enum side side, unsigned tunnel, unsigned host)
{
	set_host(r->src, r->version, side, tunnel, host);
	set_host(r->dst, r->version, side == LAN ? WIRE : LAN, tunnel, host);
}

static const uint8_t flow_protocols[] = {TCP, UDP, UDP, TCP, UDP, ICMP};

/* The answer to the flow of the LAN, which comes from the router for those who answer. */
static void make_answer(struct recipe *r, unsigned tunnel)
{
	uint16_t port = r->ports[0];

	r->ports[0] = r->ports[1];
	r->ports[1] = port;
	if (r->protocol == ICMP || r->protocol == ICMPV6) {
		r->icmp_type = r->version == 4 ? 0 : 129;
		r->ports[0] = port;
		r->ports[1] = 7000;
	}
	if (r->version == 4)
		address4(r->dst, 192, 168, 8 + tunnel, 1);
}

void recipe_of_flow(struct recipe *r, struct dice *dice, const struct place *place, unsigned flow,
		    uint32_t number)
{
	unsigned tunnel = place->tunnel, tunnels = place->tunnels;

	*r = (struct recipe){.version = flow & 1 ? 6 : 4,
			     .protocol = flow_protocols[flow / 2 % 6],
			     .ttl = 64,
			     .extension = 255,
			     .tcp_flags = TCP_ACK,
			     .icmp_type = 8,
			     .ports = {(uint16_t)(2000 + flow + 100 * tunnel), 7000},
			     .payload = (uint16_t)(12 + roll(dice, 300)),
			     .sequence = roll(dice, 0xffffffff),
			     .id = (uint16_t)roll(dice, 65536),
			     .fragment = flow & 2 ? 0x4000 : 0,
			     .marked = true,
			     .flow = (uint16_t)((place->side * tunnels + tunnel) * FLOWS + flow),
			     .number = number * 4};
	if (r->protocol == ICMP && r->version == 6) {
		r->protocol = ICMPV6;
		r->icmp_type = 128;
	}
	r->tos = flow % 5 == 0 ? 0x02 : flow % 5 == 1 ? 0xb8 : 0;
	if (chance(dice, 200))
		r->payload = (uint16_t)(900 + roll(dice, 200));
	set_ends(r, place->side, tunnel, flow / 12);
	if (place->translated && place->side == WIRE)
		make_answer(r, tunnel);
	else if (place->side == WIRE && flow >= FLOWS - 4) /* from one tunnel to the next */
		set_host(r->dst, r->version, WIRE, (tunnel + 1) % tunnels, 0);
}

/* greteld joins packets of a flow, and the kernel says only once what is wrong with those: an odd
 * one that it answers to gets a flow of its own. */
static void leave_flow(struct recipe *r, struct dice *dice)
{
	r->ports[0] = (uint16_t)roll(dice, 65536);
	r->ports[1] = (uint16_t)(1024 + roll(dice, 30000));
}

/* Destinations that are no host of the LAN behind. */
static void odd_destination(struct recipe *r, struct dice *dice, enum side side, unsigned tunnel)
{
	bool v4 = r->version == 4;
	unsigned which = roll(dice, 8);

	leave_flow(r, dice);
	if (side == LAN && which == 2)
		which = 0; /* the peer may be asked through its tunnel */
	switch (which) {
	case 0: /* this router in the tunnel */
		v4 ? address4(r->dst, 192, 168, 8 + tunnel, 1) : address6(r->dst, 8, tunnel, 1);
		break;
	case 1: /* and in the LAN */
		v4 ? address4(r->dst, 10, 10, 1, 1) : address6(r->dst, 0x10, 1, 1);
		break;
	case 2: /* the peer, outside */
		if (v4)
			address4(r->dst, 172, 19, 1, 2 + tunnel);
		break;
	case 3: /* and inside */
		v4 ? address4(r->dst, 192, 168, 8 + tunnel, 11) : address6(r->dst, 8, tunnel, 0x11);
		break;
	case 4: /* nowhere */
		v4 ? address4(r->dst, 99, 1, 2, 3) : address6(r->dst, 0x99, 1, 1);
		break;
	case 5:
		v4 ? address4(r->dst, 255, 255, 255, 255) : (void)(r->dst[0] = 0xff);
		break;
	case 6:
		v4 ? address4(r->dst, 224, 0, 1, 5) : memset(r->dst, 0, 16);
		break;
	default:
		v4 ? address4(r->dst, 127, 0, 0, 1) : (void)(r->dst[0] = 0xfe, r->dst[1] = 0x80);
	}
	/* This router answers an echo request alike each time, but not everything. */
	if (r->protocol == ICMP || r->protocol == ICMPV6)
		r->icmp_type = v4 ? 8 : 128;
}

static void odd_header(struct recipe *r, struct dice *dice)
{
	static const uint8_t extensions[] = {0, 43, 44, 60, 51, 135, 59};
	static const uint8_t protocols[] = {GRE, 50, 51, 4, 41, 132, 2, 59, 0, 255};
	static const uint8_t ttls[] = {0, 1, 2, 3, 255};

	switch (roll(dice, 10)) {
	case 0:
		r->ttl = ttls[roll(dice, sizeof ttls)];
		break;
	case 1:
		r->tos = (uint8_t)roll(dice, 256);
		break;
	case 2:
		r->option_words = (uint8_t)(1 + roll(dice, 10));
		r->extension = extensions[roll(dice, sizeof extensions)];
		break;
	case 3:
		r->ihl_more = (int8_t)(roll(dice, 2) ? 1 : -1);
		break;
	case 4:
		r->length_more = (int16_t)((int)roll(dice, 80) - 60);
		break;
	case 5:
		r->bad_header_sum = true;
		break;
	case 6: /* a fragment */
		r->extension = 44;
		r->fragment = (uint16_t)(roll(dice, 2) ? 0x2000 : 1 + roll(dice, 100));
		if (r->version == 6)
			r->fragment = (uint16_t)(roll(dice, 2) ? 1 : 8 * roll(dice, 100));
		break;
	case 7:
		r->protocol = protocols[roll(dice, sizeof protocols)];
		break;
	case 8:
		r->fragment = (uint16_t)(roll(dice, 2) ? 0x8000 : 0x4000);
		break;
	default:
		r->tos = (uint8_t)((r->tos & 0xfc) | roll(dice, 4));
	}
}

static void odd_transport(struct recipe *r, struct dice *dice)
{
	static const uint8_t types[] = {0, 3, 5, 8, 11, 12, 17, 1, 2, 4, 129, 200};
	static const uint8_t flags[] = {TCP_SYN,	   TCP_SYN | TCP_ACK,
					TCP_FIN | TCP_ACK, TCP_RST,
					TCP_PSH | TCP_ACK, 0,
					TCP_SYN | TCP_FIN, 0xff};

	switch (roll(dice, 6)) {
	case 0:
	case 1:
		r->protocol = TCP;
		r->tcp_flags = flags[roll(dice, sizeof flags)];
		r->mss = (uint16_t)(roll(dice, 2) ? 1460 : 300 + roll(dice, 9000));
		r->odd_mss = chance(dice, 300);
		if (chance(dice, 200))
			r->offset_more = (int8_t)((int)roll(dice, 6) - 3);
		break;
	case 2:
		r->bad_sum = true;
		break;
	case 3:
		r->protocol = UDP;
		r->no_sum = true;
		break;
	case 4:
		r->protocol = r->version == 4 ? ICMP : ICMPV6;
		r->icmp_type = types[roll(dice, sizeof types)];
		break;
	default:
		r->ports[roll(dice, 2)] = (uint16_t)roll(dice, 65536);
	}
}

/* From nothing at all to more than every MTU on the way. */
static void odd_size(struct recipe *r, struct dice *dice)
{
	switch (roll(dice, 4)) {
	case 0:
		r->payload = (uint16_t)roll(dice, 4);
		break;
	case 1:
		r->payload = (uint16_t)(1380 + roll(dice, 90));
		leave_flow(r, dice);
		break;
	case 2:
		r->shorter = 1 + roll(dice, 60);
		break;
	default:
		r->trailing = 1 + roll(dice, 40);
	}
}

void recipe_make_odd(struct recipe *r, struct dice *dice, const struct place *place)
{
	unsigned times = 1 + roll(dice, 3);

	r->marked = false;
	if (place->translated) /* connection tracking must not see it in the place of another */
		leave_flow(r, dice);
	while (times--)
		switch (roll(dice, 4)) {
		case 0:
			odd_header(r, dice);
			break;
		case 1:
			odd_transport(r, dice);
			break;
		case 2:
			odd_size(r, dice);
			break;
		default:
			odd_destination(r, dice, place->side, place->tunnel);
		}
}
