/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/fast.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#include "dp/fast_state.h"
#include "dp/out.h"
#include "os/bpfattach.h"
#include "os/rawsock.h"
#include "proto/gre.h"
#include "proto/ip.h"

/* What comes before it in an entry is greteld's, what comes after it the programs'. */
#define CONFIG_SIZE offsetof(struct fast_tunnel, used_ns)

int fast_open(struct bpf *bpf, struct fast **out)
{
	struct fast *fast = calloc(1, sizeof *fast);
	uint32_t ifindex = 0, slot;

	if (!fast)
		return -ENOMEM;
	fast->own = calloc(FAST_TUNNELS_MAX, sizeof *fast->own);
	if (!fast->own) {
		free(fast);
		return -ENOMEM;
	}
	fast->bpf = bpf;
	fast->control = bpf_control(bpf);
	fast->tunnels = bpf_tunnels(bpf);
	pthread_mutex_init(&fast->lock, NULL);
	fast->raw4 = raw_open_sender(IP_V4, FAST_WITNESS_PRIORITY);
	fast->raw6 = raw_open_sender(IP_V6, FAST_WITNESS_PRIORITY);
	if (fast->control->cookie == 0 &&
	    getrandom(&fast->control->cookie, sizeof fast->control->cookie, 0) < 0)
		fast->control->cookie = uv_hrtime();
	fast->control->flows = 1;
	fast->control->lease_ns = FAST_LEASE_NS;
	fast->control->stateless = fast->control->watched = 0; /* until it is known */
	(void)bpf_beat(bpf); /* the clock of the programs, before they run */
	/* The map itself is large, and what is not used of it should stay untouched. */
	while (bpf_interface_next(bpf, &ifindex, &slot))
		if (slot < FAST_TUNNELS_MAX && fast->top <= slot)
			fast->top = slot + 1;
	fast_places_take_over(fast);
	bpf_tunnel_renew(bpf_program_tunnel_out(bpf));
	*out = fast;
	return 0;
}

void fast_close(struct fast *fast, bool keep)
{
	if (!keep) {
		for (uint32_t i = 0; i < fast->top; i++)
			fast->tunnels[i].flags = 0;
		bpf_unpin(fast->bpf);
	}
	fast_places_close(fast, keep);
	if (fast->raw4 >= 0)
		close(fast->raw4);
	if (fast->raw6 >= 0)
		close(fast->raw6);
	pthread_mutex_destroy(&fast->lock);
	free(fast->own);
	free(fast);
}

/* Tunnels. */

/* Programs on several processors would overtake each other between the number and the wire, and
 * Linux, for one, drops what comes late: numbers are left to the one sender of greteld. */
static uint32_t flags_of(const struct dp_params *params)
{
	uint32_t flags =
		(form_is_ethernet(params->form) ? FAST_ETHERNET : 0) |
		(params->has_ikey ? FAST_IKEY : 0) | (params->has_okey ? FAST_OKEY : 0) |
		(params->seq_receive ? FAST_ISEQ : 0) | (params->stateless ? FAST_STATELESS : 0) |
		(params->peer4.family ? FAST_NEAR4 : 0) | (params->peer6.family ? FAST_NEAR6 : 0) |
		(params->echo_return || params->probe.family ? FAST_ECHO : 0);

	if (params->lane == DP_LANE_USER || params->remote.family == IP_NONE || params->udp_port ||
	    !form_is_plain(params->form))
		return flags;
	if (!params->csum_send && !params->seq_send)
		flags |= FAST_ENCAP;
	if (!params->csum_require)
		flags |= FAST_DECAP;
	if (params->lane != DP_LANE_TC)
		flags |= FAST_XDP;
	return flags;
}

bool fast_may_carry(const struct dp_params *params)
{
	return flags_of(params) & FAST_CARRIES;
}

/* `out` is zeroed, padding included: entries are compared as octets. */
static void describe(const struct dp_params *params, uint32_t ifindex, struct fast_tunnel *out)
{
	uint32_t outer;

	out->ifindex = ifindex;
	out->flags = flags_of(params);
	out->family = params->remote.family;
	out->gre_len = gre_header_length(false, params->has_okey, false);
	out->mss4 = params->mss4;
	out->mss6 = params->mss6;
	outer = ip_outer_length(params->remote.family) + out->gre_len;
	out->room = params->path_mtu > outer ? params->path_mtu - outer : 0;
	out->okey = params->okey;
	out->ikey = params->ikey;
	out->bind_ifindex = params->bind_ifindex;
	out->fwmark = params->fwmark;
	out->policy = out_policy(params);
	memcpy(out->local, params->local.bytes, sizeof out->local);
	memcpy(out->remote, params->remote.bytes, sizeof out->remote);
	memcpy(out->peer4, params->peer4.bytes, sizeof out->peer4);
	memcpy(out->peer6, params->peer6.bytes, sizeof out->peer6);
}

static int take_slot(struct fast *fast, uint32_t ifindex)
{
	uint32_t left;

	/* That of the last process. */
	if (bpf_interface_get(fast->bpf, ifindex, &left) == 0 && left < FAST_TUNNELS_MAX &&
	    fast->tunnels[left].ifindex == ifindex && !fast->own[left].used)
		return (int)left;
	for (uint32_t n = 0; n < FAST_TUNNELS_MAX; n++) {
		uint32_t i = (fast->free_hint + n) % FAST_TUNNELS_MAX;

		if (fast->tunnels[i].ifindex == 0 && !fast->own[i].used) {
			memset(&fast->tunnels[i], 0, sizeof fast->tunnels[i]);
			bpf_counters_clear(fast->bpf, i);
			fast->free_hint = i + 1;
			return (int)i;
		}
	}
	return -ENOSPC;
}

static void forget_outer(struct fast *fast, uint32_t slot)
{
	const struct fast_tunnel *t = &fast->tunnels[slot];
	struct ip_addr local = addr_of(t->family, t->local), remote = addr_of(t->family, t->remote);

	if (t->family)
		bpf_outer_remove(fast->bpf, &local, &remote, t->flags & FAST_IKEY, t->ikey, slot);
}

/* Whether packets of `t` are found by the same key as those of another tunnel, which is bound to
 * another device. The programs do not tell them apart. */
static bool has_twin(const struct fast *fast, uint32_t slot, const struct fast_tunnel *t)
{
	for (uint32_t i = 0; t->bind_ifindex && i < fast->top; i++) {
		const struct fast_tunnel *other = &fast->tunnels[i];

		if (i != slot && fast->own[i].used && other->family == t->family &&
		    other->ikey == t->ikey &&
		    (other->flags & FAST_IKEY) == (t->flags & FAST_IKEY) &&
		    memcmp(other->local, t->local, sizeof t->local) == 0 &&
		    memcmp(other->remote, t->remote, sizeof t->remote) == 0)
			return true;
	}
	return false;
}

/* Writes a changed description. While it is being written no program uses the entry. */
static void write_entry(struct fast *fast, uint32_t slot, const struct fast_tunnel *wanted)
{
	struct fast_tunnel *t = &fast->tunnels[slot];
	uint32_t flags = wanted->flags;

	__atomic_store_n(&t->flags, 0, __ATOMIC_SEQ_CST);
	t->in = t->out = (struct fast_path){0};
	memcpy(t, wanted, CONFIG_SIZE);
	t->flags = 0;
	__atomic_store_n(&t->flags, flags, __ATOMIC_SEQ_CST);
}

static int make_known(struct fast *fast, uint32_t slot, const struct fast_tunnel *t)
{
	struct ip_addr local = addr_of(t->family, t->local), remote = addr_of(t->family, t->remote);
	int err = bpf_interface_set(fast->bpf, t->ifindex, slot);

	if (!err && t->flags & FAST_DECAP && !fast->own[slot].shadowed)
		err = bpf_outer_set(fast->bpf, &local, &remote, t->flags & FAST_IKEY, t->ikey,
				    slot);
	return err;
}

int fast_tunnel_set(struct fast *fast, int slot, const struct dp_params *params)
{
	struct fast_tunnel wanted;
	uint32_t ifindex = if_nametoindex(params->name), at;
	bool fresh = slot < 0;
	int err = 0;

	if (!ifindex || ifindex >= 1u << 24) /* a flow's key has no more room */
		return -ENODEV;
	if (fresh)
		slot = take_slot(fast, ifindex);
	if (slot < 0)
		return slot;
	at = (uint32_t)slot;
	memset(&wanted, 0, sizeof wanted);
	describe(params, ifindex, &wanted);
	if (memcmp(&fast->tunnels[at], &wanted, CONFIG_SIZE) != 0) {
		forget_outer(fast, at);
		write_entry(fast, at, &wanted);
	}
	fast->own[at] = (struct fast_own){.way = fast->own[at].way,
					  .used = true,
					  .shadowed = has_twin(fast, at, &wanted),
					  .lane = params->lane};
	fast->tunnels[at].used_ns = uv_hrtime(); /* so that its ways are looked at soon */
	if (fast->top <= at)
		__atomic_store_n(&fast->top, at + 1, __ATOMIC_RELEASE);
	err = make_known(fast, at, &wanted);
	if (!err && wanted.flags & FAST_CARRIES)
		err = bpf_tunnel_attach(ifindex, bpf_program_tunnel_out(fast->bpf));
	else if (!err && !fresh)
		bpf_tunnel_detach(ifindex);
	if (err) {
		fast_tunnel_remove(fast, slot);
		return err;
	}
	__atomic_store_n(&fast->hurry, 1, __ATOMIC_RELAXED);
	return slot;
}

void fast_filters_changed(struct fast *fast, uint32_t ifindex)
{
	uint32_t slot;

	if (bpf_interface_get(fast->bpf, ifindex, &slot) == 0 && slot < FAST_TUNNELS_MAX &&
	    fast->own[slot].used && fast->tunnels[slot].flags & FAST_CARRIES)
		fast->own[slot].detached = !bpf_tunnel_attached(ifindex);
}

void fast_tunnel_way(struct fast *fast, int slot, uint32_t ifindex)
{
	if (__atomic_exchange_n(&fast->own[slot].way, ifindex, __ATOMIC_RELAXED) == ifindex)
		return;
	fast->tunnels[slot].used_ns = uv_hrtime(); /* so that it is looked at, used or not */
	__atomic_store_n(&fast->hurry, 1, __ATOMIC_RELAXED);
}

void fast_tunnel_remove(struct fast *fast, int slot)
{
	struct fast_tunnel *t = &fast->tunnels[slot];

	forget_outer(fast, (uint32_t)slot);
	bpf_interface_remove(fast->bpf, t->ifindex);
	__atomic_store_n(&t->flags, 0, __ATOMIC_SEQ_CST);
	memset(t, 0, sizeof *t);
	fast->own[slot] = (struct fast_own){.used = false};
}

void fast_forget_others(struct fast *fast)
{
	for (uint32_t i = 0; i < fast->top; i++)
		if (fast->tunnels[i].ifindex && !fast->own[i].used)
			fast_tunnel_remove(fast, (int)i);
}

uint32_t *fast_sequence(struct fast *fast, int slot)
{
	return &fast->tunnels[slot].seq_next;
}

struct seq_state *fast_received(struct fast *fast, int slot)
{
	return &fast->tunnels[slot].seq;
}

void fast_void_flows(struct fast *fast)
{
	__atomic_store_n(&fast->void_flows, 1, __ATOMIC_RELAXED);
}

void fast_set_rules(struct fast *fast, bool stateless, bool watched)
{
	if (fast->control->stateless == stateless && fast->control->watched == watched)
		return;
	fast->control->stateless = stateless;
	fast->control->watched = watched;
	fast_void_flows(fast);
}

void fast_heard(struct fast *fast)
{
	/* Of the programs' own clock, which may be behind ours by a tick. */
	__atomic_store_n(&fast->control->heard_ns,
			 __atomic_load_n(&fast->control->beat_ns, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
}

void fast_count(const struct fast *fast, int slot, struct dp_counters *sum)
{
	struct fast_counters c;

	if (bpf_counters(fast->bpf, (uint32_t)slot, &c) != 0)
		return;
	sum->rx_packets += c.rx_packets;
	sum->rx_bytes += c.rx_octets;
	sum->tx_packets += c.tx_packets;
	sum->tx_bytes += c.tx_octets;
	sum->keepalives_reflected += c.reflected;
	if (c.last_rx_ns > sum->last_rx_ns) {
		sum->last_rx_ns = c.last_rx_ns;
		sum->last_rx_gre = c.last_rx_gre;
	}
}

/* Why the programs leave this tunnel to the user lane; NULL: they do not. */
static const char *why_user(const struct fast *fast, int slot, const struct dp_params *params)
{
	const struct fast_tunnel *t = &fast->tunnels[slot];

	if (params->lane == DP_LANE_USER)
		return "the file says lane = user";
	if (params->remote.family == IP_NONE)
		return "an end of the tunnel is not known";
	if (params->udp_port)
		return "only the user lane has GRE in UDP";
	if (params->form == FORM_NVGRE)
		return "only the user lane has NVGRE";
	if (form_is_erspan(params->form))
		return "only the user lane has ERSPAN";
	if (params->csum_send || params->csum_require)
		return "only the user lane has checksums";
	if (params->seq_send)
		return "numbered packets are kept in order by one sender";
	if (fast->own[slot].detached)
		return "somebody took the place for filters from its interface";
	if (fast->own[slot].shadowed)
		return "another tunnel differs by its device alone";
	if (!t->out.ifindex)
		return "no outer packet was seen to leave by an Ethernet device as it was "
		       "written: a rule, NAT, IPsec, or no route";
	return NULL;
}

enum fast_lane fast_lane(const struct fast *fast, int slot, const struct dp_params *params,
			 char *why, unsigned size)
{
	const char *user = why_user(fast, slot, params);

	why[0] = '\0';
	if (user) {
		snprintf(why, size, "%s", user);
		return FAST_LANE_USER;
	}
	if (params->lane == DP_LANE_TC)
		snprintf(why, size, "the file says lane = tc");
	else if (form_is_ethernet(params->form) || params->seq_receive)
		snprintf(why, size, "only the TC lane has %s",
			 form_is_ethernet(params->form) ? "Ethernet frames"
							: "sequence numbers that are checked");
	else if (!fast->tunnels[slot].out.slot)
		fast_place_why((struct fast *)(uintptr_t)fast, fast->tunnels[slot].out.ifindex, why,
			       size);
	return why[0] ? FAST_LANE_TC : FAST_LANE_XDP;
}
