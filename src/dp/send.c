/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/send.h"

#include <errno.h>
#include <string.h>

#include "dp/counters.h"
#include "dp/tunnel.h"
#include "dp/worker.h"

uint8_t *sender_header(struct sender *sender)
{
	return sender->headers[sender->count] + OUTER_ROOM;
}

int sender_full(const struct sender *sender)
{
	return sender->count == SEND_BATCH;
}

void sender_add(struct sender *sender, const struct send_item *item, uint8_t *head,
		uint32_t head_len, struct payload payload)
{
	unsigned i = sender->count++;
	struct port *port = item->port;
	struct iovec *pieces = sender->pieces[i];
	bool v4 = port->params.remote.family == IP_V4;

	pieces[0] = (struct iovec){head, head_len};
	pieces[1] = (struct iovec){(void *)(uintptr_t)payload.data, payload.len};
	sender->items[i] = *item;
	sender->messages[i].msg_hdr =
		(struct msghdr){.msg_name = &port->to.any,
				.msg_namelen = v4 ? sizeof port->to.v4 : sizeof port->to.v6,
				.msg_iov = pieces,
				.msg_iovlen = payload.len ? 2 : 1};
	if (port->params.bind_ifindex)
		raw_send_by(&sender->messages[i].msg_hdr, sender->control[i],
			    port->params.remote.family, port->params.bind_ifindex);
}

static enum drop_reason reason_of(int error)
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

static void count_sent(const struct send_item *item)
{
	counter_add(&item->port->counters.tx_packets, item->packets);
	counter_add(&item->port->counters.tx_bytes, item->octets);
}

/* The kernel refused this packet: count it, and where its size was the reason, let the main thread
 * look at the route again. */
static void count_refused(const struct send_item *item, int error)
{
	struct port *port = item->port;
	struct dp_event event = {.kind = DP_EVENT_PATH_MTU, .remote = port->params.remote};

	counter_add(&port->counters.drops[reason_of(error)], 1);
	if (error == EMSGSIZE)
		port->worker->notify(port->worker->notify_arg, &event);
}

void sender_flush(struct sender *sender)
{
	unsigned done = 0;
	bool retried = false;

	while (done < sender->count) {
		const struct send_item *item = &sender->items[done];
		const struct worker *worker = item->port->worker;
		int fd = item->port->params.remote.family == IP_V4 ? worker->raw4 : worker->raw6;
		int n = sendmmsg(fd, sender->messages + done, sender->count - done, 0);

		if (n > 0) {
			for (int i = 0; i < n; i++)
				count_sent(&sender->items[done++]);
			retried = false;
		} else if (!retried) {
			/* The error may be an older packet's, left on the socket by an ICMP
			 * message. */
			retried = true;
		} else {
			count_refused(item, errno);
			done++;
			retried = false;
		}
	}
	sender->count = 0;
}
