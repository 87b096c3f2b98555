/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fast_witness.c: how the programs come to know what the kernel does with the outer packets of a
 * tunnel. A witness is a GRE packet with the tunnel's own outer header, protocol type 0 and a body
 * that only this host can write. One is sent every WITNESS_TICKS for each tunnel that is in use, or
 * more rarely where those are many; where it would leave, device_out (src/bpf/gre_tc.bpf.c) notes
 * the device and the link header, and drops it. Others come in by the raw sockets, made by
 * device_in of packets of the peer.
 *
 * What a rule stops, changes or leads elsewhere is not seen, or not as it was written, and what was
 * known of the way is over: FAST_LEASE_NS after the last witness that was seen, wherever greteld
 * has heard of a change, or does not hear of all.
 */
#include <errno.h>
#include <string.h>
#include <uv.h>

#include "dp/fast_state.h"
#include "os/rawsock.h"
#include "proto/gre.h"
#include "proto/ip.h"

enum {
	WITNESS_TICKS = 3,
	VOID_TICKS = 3,
	WITNESS_MAX = IP6_HEADER_LENGTH + GRE_LENGTH_MAX + FAST_WITNESS_LENGTH,
	UNSEEN_MAX = 3, /* then the way out is known to be closed */
};

/* A tunnel without packets for so long is not looked at. */
#define IN_USE_NS 1000000000ull
/* A way in that is not renewed for so long, although packets come, is closed. */
#define SILENT_NS 500000000ull
/* Each way is looked at again after so long; of many tunnels each has its turn, with one witness in
 * RENEW_EACH_NS, but at least as often as a flow takes the kernel's path (FAST_WATCHED_NS). A way
 * that has not been seen SEEN_NS after its turn may be closed. */
#define RENEW_NS      300000000ull
#define RENEW_EACH_NS 500000ull
#define RENEW_MAX_NS  4900000000ull
#define SEEN_NS	      (FAST_LEASE_NS - RENEW_NS)
/* What a program has sent may wait for so long in the queue of a device. */
#define LATE_NS 1000000000ull

/* Returns the length. */
static size_t build(const struct fast *fast, uint32_t slot, uint64_t now, uint8_t out[WITNESS_MAX])
{
	const struct fast_tunnel *t = &fast->tunnels[slot];
	struct fast_witness body = {.cookie = fast->control->cookie,
				    .sent_ns = now,
				    .tunnel = (uint16_t)slot,
				    .generation = (uint16_t)fast->control->generation};
	struct gre_header gre = {.protocol = GRE_PROTOCOL_KEEPALIVE,
				 .has_key = t->flags & FAST_OKEY,
				 .key = t->okey};
	uint8_t gre_len = gre_header_length(false, gre.has_key, false);
	struct ip_outer ip = {.family = t->family,
			      .protocol = IP_PROTOCOL_GRE,
			      .tos = t->policy.tos_inherit ? 0 : t->policy.tos & 0xfc,
			      .ttl = t->policy.ttl_inherit ? OUTER_TTL_DEFAULT : t->policy.ttl,
			      .df = t->policy.df == OUTER_DF_SET,
			      .payload_len = gre_len + sizeof body,
			      .src = t->local,
			      .dst = t->remote};
	size_t at = ip_outer_encode(out, &ip);

	at += gre_encode(out + at, &gre);
	memcpy(out + at, &body, sizeof body);
	return at + sizeof body;
}

/* Whether there is an answer: that the kernel refuses it is one, too. */
static bool send_witness(struct fast *fast, uint32_t slot, uint64_t now)
{
	const struct fast_tunnel *t = &fast->tunnels[slot];
	struct raw_way way = {.from = addr_of(t->family, t->local),
			      .ifindex = t->bind_ifindex,
			      .mark = t->fwmark};
	struct ip_addr remote = addr_of(t->family, t->remote);
	int fd = t->family == IP_V4 ? fast->raw4 : fast->raw6;
	uint8_t packet[WITNESS_MAX], mac[6];
	size_t len;

	if (!fast_place_mac(fast, __atomic_load_n(&fast->own[slot].way, __ATOMIC_RELAXED), mac))
		return false; /* nobody would take it */
	if (fd < 0 || (t->family != IP_V4 && t->family != IP_V6))
		return false;
	len = build(fast, slot, now, packet);
	switch (raw_send(fd, &way, &remote, packet, len)) {
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
		return false; /* short of memory, which says nothing of the way */
	default:
		return true;
	}
}

static bool is_current(const struct fast *fast, const struct fast_path *path)
{
	return path->generation == (uint16_t)fast->control->generation;
}

/* When the way is to have been seen again, if it is still what it was. */
static uint64_t seen_by(const struct fast *fast, const struct fast_path *path)
{
	return path->sent_ns + SEEN_NS + (is_current(fast, path) ? fast->renew_ns : RENEW_NS);
}

/* What greteld's absence would keep alive has to end where it is known to be wrong. */
static void close_ways(struct fast *fast, uint32_t slot, uint64_t now)
{
	struct fast_tunnel *t = &fast->tunnels[slot];
	struct fast_own *own = &fast->own[slot];

	if (now < seen_by(fast, &t->out))
		own->unseen = 0;
	else if (own->unseen < UNSEEN_MAX)
		own->unseen++;
	else
		t->out.ifindex = 0;
	if (t->in.ifindex && now > seen_by(fast, &t->in) + SILENT_NS &&
	    t->in.sample_ns + IN_USE_NS > now)
		t->in.ifindex = 0;
}

/* A witness is seen on its way out, before the call that sends it returns, or else something stops
 * it since the last change, or holds it back: a queue of netfilter, a neighbour that is being asked
 * for. So a second one is sent in the next round, and if that is not seen, the way is closed. */
static void judge_witness(struct fast *fast, uint32_t slot)
{
	struct fast_tunnel *t = &fast->tunnels[slot];
	struct fast_own *own = &fast->own[slot];

	bool missed = !is_current(fast, &t->out);

	if (missed && own->missed)
		t->out.ifindex = 0;
	else if (missed)
		__atomic_store_n(&fast->hurry, 1, __ATOMIC_RELAXED);
	own->missed = missed;
}

/* Returns whether the tunnel is in use. */
static bool look_after(struct fast *fast, uint32_t slot, uint64_t now, bool hurry)
{
	const struct fast_tunnel *t = &fast->tunnels[slot];
	bool due;

	if (!t->ifindex || !(t->flags & FAST_CARRIES) || now - t->used_ns > IN_USE_NS)
		return false;
	close_ways(fast, slot, now);
	/* Or the next round would be too late. */
	due = hurry || now + RENEW_NS > t->out.sent_ns + fast->renew_ns;
	if (t->flags & FAST_ENCAP && due && send_witness(fast, slot, now))
		judge_witness(fast, slot);
	return true;
}

/* For so many tunnels in use. */
static void choose_pace(struct fast *fast, uint32_t count)
{
	uint64_t renew = count * RENEW_EACH_NS;

	if (renew < RENEW_NS || !fast->control->watched)
		renew = RENEW_NS;
	if (renew > RENEW_MAX_NS)
		renew = RENEW_MAX_NS;
	__atomic_store_n(&fast->renew_ns, renew, __ATOMIC_RELAXED);
	__atomic_store_n(&fast->control->lease_ns, renew == RENEW_NS ? FAST_LEASE_NS : 2 * renew,
			 __ATOMIC_RELAXED);
}

/* Whoever changes many things does it one by one: what is known is not made void for each. */
static void void_flows(struct fast *fast, uint32_t top)
{
	if (fast->ticks - fast->void_tick < VOID_TICKS ||
	    !__atomic_exchange_n(&fast->void_flows, 0, __ATOMIC_RELAXED))
		return;
	fast->void_tick = fast->ticks;
	__atomic_fetch_add(&fast->control->generation, 1, __ATOMIC_RELAXED);
	for (uint32_t slot = 0; slot < top; slot++)
		fast->tunnels[slot].in.sample_ns = 0;
	__atomic_store_n(&fast->hurry, 1, __ATOMIC_RELAXED);
}

bool fast_sends(const struct fast *fast, int slot, uint64_t since_ns)
{
	const struct fast_tunnel *t = &fast->tunnels[slot];
	uint64_t lease = fast->control->lease_ns;

	if (!(t->flags & FAST_ENCAP) || fast->own[slot].detached)
		return false;
	if (lease < FAST_LEASE_NS)
		lease = FAST_LEASE_NS;
	return t->out.sent_ns + lease + LATE_NS > since_ns ||
	       fast->control->beat_ns + FAST_BEAT_LOST_NS < since_ns;
}

void fast_tick(struct fast *fast)
{
	uint64_t now = uv_hrtime();
	uint32_t top = __atomic_load_n(&fast->top, __ATOMIC_ACQUIRE);
	uint32_t in_use = 0;
	bool hurry;

	(void)bpf_beat(fast->bpf);
	void_flows(fast, top);
	hurry = __atomic_exchange_n(&fast->hurry, 0, __ATOMIC_RELAXED);
	if (fast->ticks++ % WITNESS_TICKS != 0 && !hurry)
		return;
	for (uint32_t slot = 0; slot < top; slot++)
		in_use += look_after(fast, slot, now, hurry);
	choose_pace(fast, in_use);
}

bool fast_take_witness(struct fast *fast, const uint8_t *body, const uint8_t *end)
{
	struct fast_witness w;
	struct fast_tunnel *t;

	if ((size_t)(end - body) < sizeof w)
		return false;
	memcpy(&w, body, sizeof w);
	if (w.cookie != fast->control->cookie || w.tunnel >= FAST_TUNNELS_MAX)
		return false;
	t = &fast->tunnels[w.tunnel];
	if (!t->ifindex || !fast_place_mac(fast, w.ifindex, t->in.header))
		return true;
	t->in.ifindex = w.ifindex;
	t->in.generation = w.generation;
	t->in.sent_ns = w.sent_ns;
	if (w.generation == (uint16_t)fast->control->generation)
		t->in.sample_ns = w.sent_ns + __atomic_load_n(&fast->renew_ns, __ATOMIC_RELAXED);
	return true;
}
