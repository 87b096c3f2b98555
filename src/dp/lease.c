/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/lease.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/table.h"
#include "os/packet.h"
#include "proto/gre.h"
#include "proto/ip.h"
#include "proto/nvgre.h"
#include "proto/outer.h"

/* A lease outlives one missed renewal. */
#define TICK_MS 300
#define TAP_MS	20

static void lease_write(struct lease *lease, const struct lease *next)
{
	__atomic_store_n(&lease->version, lease->version + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	lease->ifindex = next->ifindex;
	memcpy(lease->mac, next->mac, sizeof lease->mac);
	lease->revoked = next->revoked;
	lease->until_ns = next->until_ns;
	__atomic_store_n(&lease->version, lease->version + 1, __ATOMIC_RELEASE);
}

void lease_grant(const struct lease_tap *tap, struct lease *lease, const struct packet_seen *seen)
{
	struct lease next = {.ifindex = seen->ifindex,
			     .until_ns = tap->round_ns + LEASE_NS,
			     .revoked = tap->clock.revoked};

	memcpy(next.mac, seen->mac, sizeof next.mac);
	lease_write(lease, &next);
}

void lease_revoke(struct lease *lease)
{
	if (lease->until_ns)
		lease_write(lease, &(struct lease){.until_ns = 0});
}

void lease_revoke_all(struct lease_tap *tap)
{
	tap->void_round = tap->clock.round;
	__atomic_store_n(&tap->clock.revoked, tap->clock.revoked + 1, __ATOMIC_RELEASE);
}

bool lease_read(const struct lease *lease, const struct lease_clock *clock, uint8_t family,
		uint64_t now_ns, struct sockaddr_ll *to)
{
	uint32_t before = __atomic_load_n(&lease->version, __ATOMIC_ACQUIRE);
	struct lease copy = *(const volatile struct lease *)lease;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (before & 1 || before != __atomic_load_n(&lease->version, __ATOMIC_RELAXED))
		return false;
	if (now_ns >= copy.until_ns ||
	    copy.revoked != __atomic_load_n(&clock->revoked, __ATOMIC_ACQUIRE))
		return false;
	*to = packet_address(family, copy.ifindex, copy.mac);
	return true;
}

/* The outer IP header, the offset of what follows it to *gre_at. */
static bool outer_matches(const struct dp_params *params, const uint8_t *p, uint32_t len,
			  uint32_t *gre_at)
{
	unsigned size = addr_size(params->local.family);
	bool v4 = params->local.family == IP_V4;
	uint8_t tos, ttl;

	*gre_at = ip_outer_length(params->local.family);
	if (len < *gre_at + GRE_LENGTH_MAX || p[0] >> 4 != (v4 ? 4 : 6) || (v4 && p[0] != 0x45))
		return false;
	tos = v4 ? p[1] : (uint8_t)(get_be16(p) >> 4);
	ttl = v4 ? p[8] : p[7];
	if (!params->ttl_inherit && ttl != params->ttl)
		return false;
	if (!params->tos_inherit && (tos & ~ECN_MASK) != (params->tos & ~ECN_MASK))
		return false;
	if (p[v4 ? 9 : 6] != IP_PROTOCOL_GRE)
		return false;
	return memcmp(p + (v4 ? 12 : 8), params->local.bytes, size) == 0 &&
	       memcmp(p + (v4 ? 16 : 24), params->remote.bytes, size) == 0;
}

bool lease_matches(const struct dp_params *params, const struct packet_seen *seen)
{
	const uint8_t *end = seen->octets + seen->len;
	struct gre_header gre;
	uint32_t at;

	/* What is sent directly has a mark of its own, and the tap sees GRE in IP only. */
	if (params->fwmark || params->udp_port)
		return false;
	if (params->bind_ifindex && !table_is_bound_to(params, seen->ifindex))
		return false;
	if (!outer_matches(params, seen->octets, seen->len, &at) ||
	    gre_decode(seen->octets + at, end, &gre) != DROP_NONE)
		return false;
	if (params->form == FORM_NVGRE)
		gre.key = nvgre_key(nvgre_vsid(gre.key), 0);
	return gre.has_checksum == params->csum_send && gre.has_sequence == params->seq_send &&
	       gre.has_key == params->has_okey && gre.key == (params->has_okey ? params->okey : 0);
}

bool lease_owner(const struct packet_seen *seen, struct ip_addr *remote, uint32_t *key)
{
	const uint8_t *end = seen->octets + seen->len;
	struct gre_header gre;

	/* The packet is cut short where our look at it ends. */
	if (seen->len < IP6_HEADER_LENGTH)
		return false;
	*remote = (struct ip_addr){.family = seen->octets[0] >> 4 == 4 ? IP_V4 : IP_V6};
	memcpy(remote->bytes, seen->octets + (remote->family == IP_V4 ? 16 : 24),
	       addr_size(remote->family));
	if (gre_decode(seen->octets + ip_outer_length(remote->family), end, &gre) != DROP_NONE)
		return false;
	*key = gre.key;
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct lease_tap *tap = poll->data;
	struct packet_seen seen;

	(void)status;
	(void)events;
	while (packet_next(tap->fd, &seen) > 0)
		tap->on_seen(tap->arg, &seen);
}

/* Closing waits for all CPUs, which the main loop must not. */
struct closing {
	uv_work_t work;
	int fd;
};

static void close_work(uv_work_t *work)
{
	close(((struct closing *)work->data)->fd);
}

static void close_done(uv_work_t *work, int status)
{
	(void)status;
	free(work->data);
}

static void close_aside(uv_loop_t *loop, int fd)
{
	struct closing *closing = malloc(sizeof *closing);

	if (closing) {
		*closing = (struct closing){.work.data = closing, .fd = fd};
		if (uv_queue_work(loop, &closing->work, close_work, close_done) == 0)
			return;
		free(closing);
	}
	close(fd);
}

static void on_closed(uv_handle_t *handle)
{
	struct lease_tap *tap = handle->data;

	if (handle == (uv_handle_t *)&tap->poll)
		tap->poll_closing = false;
	if (--tap->handles == 0)
		tap->on_stopped(tap->arg);
}

static void close_poll(struct lease_tap *tap)
{
	tap->poll_closing = true;
	uv_close((uv_handle_t *)&tap->poll, on_closed);
}

static void on_end(uv_timer_t *timer)
{
	struct lease_tap *tap = timer->data;

	close_poll(tap);
	close_aside(timer->loop, tap->fd);
	tap->fd = -1;
}

static void on_tick(uv_timer_t *timer)
{
	struct lease_tap *tap = timer->data;

	if (tap->fd >= 0 || tap->poll_closing ||
	    !__atomic_exchange_n(&tap->clock.busy, 0, __ATOMIC_RELAXED))
		return;
	tap->fd = packet_open_tap(LEASE_MARK);
	if (tap->fd < 0)
		return; /* no lease, no harm: everything goes by the raw socket */
	if (uv_poll_init(timer->loop, &tap->poll, tap->fd)) {
		close(tap->fd);
		tap->fd = -1;
		return;
	}
	tap->poll.data = tap;
	tap->handles++;
	uv_poll_start(&tap->poll, UV_READABLE, on_readable);
	uv_timer_start(&tap->end, on_end, TAP_MS, 0);
	tap->round_ns = uv_hrtime();
	/* Not before the tap is open: the sample of this round has to be seen. */
	__atomic_store_n(&tap->clock.round, tap->clock.round + 1, __ATOMIC_RELEASE);
}

int lease_tap_start(struct lease_tap *tap, uv_loop_t *loop,
		    void (*on_seen)(void *arg, const struct packet_seen *seen), void *arg)
{
	*tap = (struct lease_tap){.fd = -1, .on_seen = on_seen, .arg = arg};
	uv_timer_init(loop, &tap->tick);
	uv_timer_init(loop, &tap->end);
	tap->handles = 2;
	tap->tick.data = tap->end.data = tap;
	uv_unref((uv_handle_t *)&tap->tick);
	uv_unref((uv_handle_t *)&tap->end);
	return uv_timer_start(&tap->tick, on_tick, TICK_MS, TICK_MS);
}

void lease_tap_stop(struct lease_tap *tap, void (*on_stopped)(void *arg))
{
	tap->on_stopped = on_stopped;
	uv_close((uv_handle_t *)&tap->tick, on_closed);
	uv_close((uv_handle_t *)&tap->end, on_closed);
	if (tap->fd < 0)
		return;
	close_poll(tap);
	close(tap->fd);
	tap->fd = -1;
}
