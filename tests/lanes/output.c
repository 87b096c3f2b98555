/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output.h"

#include <string.h>

#include "passenger.h"

enum { ETHERNET = 14, MULTICAST_REPORT = 0x16, FRAME = 0x6558 };

struct packet {
	uint8_t *ip, *end, *body;
	uint8_t version, protocol;
	bool first; /* no later fragment */
};

static bool read_ip(struct packet *p, uint8_t *at, uint8_t *end)
{
	*p = (struct packet){.ip = at, .end = end, .first = true};
	if (end - at < 20)
		return false;
	p->version = at[0] >> 4;
	if (p->version == 4) {
		p->body = at + (at[0] & 15) * 4;
		p->protocol = at[9];
		p->first = (get16(at + 6) & 0x1fff) == 0;
		return p->body <= end;
	}
	if (p->version != 6 || end - at < 40)
		return false;
	p->body = at + 40;
	p->protocol = at[6];
	if (p->protocol == 44 && end - p->body >= 8) {
		p->protocol = p->body[0];
		p->first = (get16(p->body + 2) & 0xfff8) == 0;
		p->body += 8;
	}
	return true;
}

/* The router's own addresses, see differ.py. */
static bool is_router(const struct packet *p)
{
	static const uint8_t outside6[] = {0x20, 1, 0xd, 0xb8, 0, 0x19}, zero[8];
	const uint8_t *a = p->ip + (p->version == 4 ? 12 : 8);

	if (p->version == 4)
		return a[3] == 1 &&
		       (a[0] == 172 || (a[0] == 10 && a[1] == 10) || (a[0] == 192 && a[1] == 168));
	return a[15] == 1 && memcmp(a + 7, zero, 8) == 0 &&
	       (memcmp(a, outside6, sizeof outside6) == 0 || (a[0] == 0xfd && a[3] <= 0x10));
}

static bool is_noise(const struct packet *p)
{
	const uint8_t *to = p->ip + 24;

	if (p->version != 6)
		return p->version != 4;
	if (to[0] == 0xff && to[1] == 2 && (to[15] == MULTICAST_REPORT || to[15] == 2))
		return true;
	return p->protocol == ICMPV6 && p->end > p->body && p->body[0] >= 133 && p->body[0] <= 137;
}

/* ICMP from greteld about GRE: nobody else here says such a thing. */
static bool is_limited(const struct packet *p)
{
	bool v4 = p->version == 4;
	const uint8_t *icmp = p->body;

	if (p->protocol != (v4 ? ICMP : ICMPV6) || p->end - icmp < 8 + (v4 ? 20 : 40) ||
	    icmp[8 + (v4 ? 9 : 6)] != GRE || !is_router(p))
		return false;
	return v4 ? (icmp[0] == 3 && icmp[1] == 3) || icmp[0] == 12
		  : (icmp[0] == 1 && icmp[1] == 4) || icmp[0] == 4;
}

static bool is_icmp_error(const struct packet *p)
{
	return p->version == 4 && p->protocol == ICMP && p->end > p->body &&
	       (p->body[0] == 3 || p->body[0] == 11 || p->body[0] == 12);
}

/* The identification of what must not be cut means nothing (RFC 6864), and that of fragments of
 * IPv6 is new where connection tracking has put them together. */
static bool has_free_id(const struct packet *p)
{
	return p->version == 6 || (get16(p->ip + 6) & 0x7fff) == 0x4000;
}

static void clear_id(struct packet *p, struct output *out)
{
	if (p->version == 6 && p->ip[6] == 44) {
		memset(p->ip + 44, 0, 4);
		return;
	}
	if (p->version != 4)
		return;
	if (sum_end(sum_words(p->ip, (uint32_t)(p->body - p->ip), 0)) != 0)
		out->bad_sum = true;
	set16(p->ip + 4, 0);
	set16(p->ip + 10, 0);
}

/* Where the payload of a marked packet would be. */
static void read_mark(const struct packet *p, struct output *out)
{
	const uint8_t *at = p->body + 8;

	if (p->protocol == TCP && p->end - p->body > 12)
		at = p->body + (p->body[12] >> 4) * 4;
	if (!p->first || p->end - at < 12 || get32(at) != MARK)
		return;
	out->marked = true;
	out->flow = get32(at + 4);
	out->number = get32(at + 8);
}

static void read_passenger(uint8_t *at, uint8_t *end, struct output *out)
{
	struct packet p;

	if (!read_ip(&p, at, end))
		return;
	if (is_router(&p) || is_icmp_error(&p) || has_free_id(&p))
		clear_id(&p, out);
	read_mark(&p, out);
}

/* The checksum covers what is cleared here, so it is verified and cleared, too. */
static void check_gre(struct packet *p, struct output *out)
{
	if (sum_end(sum_words(p->body, (uint32_t)(p->end - p->body), 0)) != 0)
		out->bad_sum = true;
	memset(p->body + 4, 0, 4);
}

/* The outer packet that a router has made; returns its passenger. */
static uint8_t *read_gre(struct packet *p, struct output *out)
{
	uint8_t *at = p->body + 4;
	uint32_t flags;

	if (!p->first || p->end - p->body < 16)
		return NULL;
	flags = get16(p->body);
	if (flags & 0x8000) {
		check_gre(p, out);
		at += 4;
	}
	at += flags & 0x2000 ? 4 : 0;
	if (flags & 0x1000) {
		out->numbered = true;
		out->sequence = get32(at);
		out->tunnel = p->ip[p->version == 4 ? 19 : 39];
		memset(at, 0, 4);
		at += 4;
	}
	if (get16(p->body + 2) == FRAME)
		at += ETHERNET;
	return at < p->end ? at : NULL;
}

enum output_kind output_read(uint8_t *frame, uint32_t len, struct output *out)
{
	uint8_t *end = frame + len, *inner;
	struct packet p;
	uint32_t type = len >= ETHERNET ? get16(frame + 12) : 0;

	*out = (struct output){.flow = 0};
	if ((type != 0x0800 && type != 0x86dd) || !read_ip(&p, frame + ETHERNET, end) ||
	    is_noise(&p))
		return OUTPUT_NOISE;
	if (is_limited(&p))
		return OUTPUT_LIMITED;
	if (p.protocol != GRE || !is_router(&p)) {
		read_passenger(p.ip, end, out);
		return OUTPUT_PACKET;
	}
	clear_id(&p, out);
	inner = read_gre(&p, out);
	if (inner && read_ip(&p, inner, end) && is_noise(&p))
		return OUTPUT_NOISE;
	if (inner)
		read_passenger(inner, end, out);
	return OUTPUT_PACKET;
}
