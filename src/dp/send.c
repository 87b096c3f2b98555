/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/send.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "dp/counters.h"
#include "dp/lease.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/frag.h"
#include "proto/outer.h"

/* A batch of this many packets means that there is a load to carry. */
#define BUSY_BATCH 8

uint8_t *sender_header(struct sender *sender)
{
	return sender->headers[sender->count] + OUTER_ROOM;
}

/* Of packets that may be cut, or are. */
static struct {
	struct siphash_key key;
	uint32_t next4, next6;
} ids;

int sender_draw_ids(void)
{
	return getrandom(&ids, sizeof ids, 0) < 0 ? -errno : 0;
}

uint32_t sender_next_id6(void)
{
	return frag6_id(&ids.key, __atomic_fetch_add(&ids.next6, 1, __ATOMIC_RELAXED));
}

uint16_t sender_next_id(struct port *port)
{
	uint16_t id;

	/* For 0 the kernel would choose one of its own. */
	do
		id = (uint16_t)(port->params.df == OUTER_DF_SET
					? port->ip_id++
					: __atomic_fetch_add(&ids.next4, 1, __ATOMIC_RELAXED));
	while (id == 0);
	return id;
}

int sender_full(const struct sender *sender)
{
	return sender->count == SEND_BATCH;
}

void sender_add(struct sender *sender, struct port *port, const struct send_item *item,
		uint8_t *head, uint32_t head_len, struct payload payload)
{
	unsigned i = sender->count++;
	struct iovec *pieces = sender->pieces[i];

	sender->port = port;
	sender->items[i] = *item;
	pieces[0] = (struct iovec){head, head_len};
	pieces[1] = (struct iovec){(void *)(uintptr_t)payload.data, payload.len};
	sender->messages[i].msg_hdr =
		(struct msghdr){.msg_iov = pieces, .msg_iovlen = payload.len ? 2 : 1};
}

struct raw_way sender_way(const struct dp_params *params)
{
	return (struct raw_way){
		.from = params->local, .ifindex = params->bind_ifindex, .mark = params->fwmark};
}

enum drop_reason sender_reason(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return DROP_TX_DENIED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENODEV:
		return DROP_TX_NO_ROUTE;
	case ENOBUFS:
	case EAGAIN:
	case ENOMEM:
		return DROP_TX_QUEUE;
	case EMSGSIZE:
		return DROP_TX_TOO_BIG;
	default:
		return DROP_TX_ERROR;
	}
}

static void count_sent(struct port *port, const struct send_item *items, unsigned count)
{
	uint64_t packets = 0, octets = 0;

	for (unsigned i = 0; i < count; i++) {
		packets += items[i].packets;
		octets += items[i].octets;
	}
	counter_add(&port->counters.tx_packets, packets);
	counter_add(&port->counters.tx_bytes, octets);
}

/* The kernel refused a packet: count it, and where its size was the reason, let the main thread
 * look at the route again. */
static void count_refused(struct port *port, const struct send_item *item, int error)
{
	struct dp_event event = {.kind = DP_EVENT_PATH_MTU, .remote = port->params.remote};

	counter_add(&port->counters.drops[sender_reason(error)], item->packets);
	if (error == EMSGSIZE)
		port->worker->notify(port->worker->notify_arg, &event);
}

static void address(struct sender *sender, unsigned from, unsigned to, void *name, socklen_t size,
		    size_t control)
{
	for (unsigned i = from; i < to; i++) {
		struct msghdr *message = &sender->messages[i].msg_hdr;
		message->msg_name = name;
		message->msg_namelen = size;
		message->msg_control = control ? sender->control : NULL;
		message->msg_controllen = control;
	}
}

/* Packets [from, to) through the kernel's output path. */
static void send_raw(struct sender *sender, unsigned from, unsigned to)
{
	struct port *port = sender->port;
	struct raw_way way = sender_way(&port->params);
	bool v4 = port->params.remote.family == IP_V4;
	int fd = v4 ? port->worker->raw4 : port->worker->raw6;
	bool retried = false;

	if (from == to)
		return;
	address(sender, from, to, &port->to, v4 ? sizeof port->to.v4 : sizeof port->to.v6,
		raw_source(sender->control, &way));
	while (from < to) {
		int n = sendmmsg(fd, sender->messages + from, to - from, 0);

		if (n > 0) {
			count_sent(port, sender->items + from, (unsigned)n);
			from += (unsigned)n;
			retried = false;
		} else if (!retried) {
			/* The error may be an older packet's, left on the socket by an ICMP
			 * message. */
			retried = true;
		} else {
			count_refused(port, &sender->items[from], errno);
			from++;
			retried = false;
		}
	}
}

void sender_send_now(struct port *port, const struct ip_addr *to, const void *packet, size_t len)
{
	int fd = to->family == IP_V4 ? port->worker->raw4 : port->worker->raw6;
	struct raw_way way = sender_way(&port->params);
	int err = raw_send(fd, &way, to, packet, len);

	/* The first error may be an older packet's, left on the socket by an ICMP message. */
	if (err)
		err = raw_send(fd, &way, to, packet, len);
	if (err)
		counter_add(&port->counters.drops[sender_reason(-err)], 1);
}

/* Packets [from, to) to the neighbour that the lease names. Returns the first that was not taken.
 */
static unsigned send_direct(struct sender *sender, unsigned from, unsigned to,
			    struct sockaddr_ll *neighbour)
{
	struct port *port = sender->port;

	address(sender, from, to, neighbour, sizeof *neighbour, 0);
	while (from < to) {
		int n = sendmmsg(port->worker->direct, sender->messages + from, to - from, 0);

		if (n > 0) {
			count_sent(port, sender->items + from, (unsigned)n);
			from += (unsigned)n;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			counter_add(&port->counters.drops[DROP_TX_QUEUE],
				    sender->items[from].packets);
			from++;
		} else {
			break; /* the device is down or gone: the kernel knows better */
		}
	}
	return from;
}

/* The first packet of a batch is the sample of the lease clock's round, once in each. */
static unsigned count_sample(struct port *port)
{
	uint32_t round = __atomic_load_n(&port->worker->clock->round, __ATOMIC_ACQUIRE);

	if (port->round == round)
		return 0;
	port->round = round;
	return 1;
}

void sender_flush(struct sender *sender)
{
	struct port *port = sender->port;
	unsigned done = 0, count = sender->count;
	struct sockaddr_ll neighbour;

	if (count == 0)
		return;
	if (count >= BUSY_BATCH)
		__atomic_store_n(&port->worker->clock->busy, 1, __ATOMIC_RELAXED);
	if (port->worker->direct >= 0 &&
	    lease_read(port->lease, port->worker->clock, port->params.remote.family, uv_hrtime(),
		       &neighbour)) {
		done = count_sample(port);
		send_raw(sender, 0, done);
		done = send_direct(sender, done, count, &neighbour);
	}
	send_raw(sender, done, count);
	sender->count = 0;
}
