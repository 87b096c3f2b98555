/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that come in by the tunnel, and whether answers to them would go back into it. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/doctor/doctor.h"
#include "os/sample.h"

#define PACKETS_MAX   64
#define WATCH_MS      250
#define RECENT_MS     3000
#define ADDRESSES_MAX 16

/* The way of an answer: of this host's own, or of one behind it. */
static int ask_answer(struct doctor *d, const struct ip_addr *from, const struct ip_addr *to,
		      struct route_way *way)
{
	struct route_question question = {.to = *to, .oif = doctor_vrf(d)};
	int err = route_ask(d->nl, &question, way);

	if (err)
		return err;
	question = (struct route_question){.to = *from, .from = *to, .oif = question.oif};
	/* Who is asked lives behind another device: the answer comes in there. */
	if (addr_is_multicast(to))
		return -EINVAL;
	if (way->type != RTN_LOCAL) {
		question.iif = way->oif;
		question.oif = 0;
	}
	return route_ask(d->nl, &question, way);
}

static bool is_ours(const struct doctor *d, uint32_t index)
{
	const struct link_info *link = actual_link_at(d->actual, index);

	return link && actual_is_ours(d->actual, link);
}

/* True when there is nothing more to look at. */
static bool look_at(struct doctor *d, const struct ip_addr *from, const struct ip_addr *to)
{
	char source[ADDR_TEXT_SIZE], target[ADDR_TEXT_SIZE];
	const struct link_info *link;
	struct route_way way;

	if (addr_is_link_local(from) || ask_answer(d, from, to, &way) != 0 || is_ours(d, way.oif))
		return false;
	link = actual_link_at(d->actual, way.oif);
	addr_format(from, source);
	addr_format(to, target);
	doctor_found(
		d, DOCTOR_DEGRADED,
		"answers take another way: packets of %s to %s come in by %s, and what answers "
		"them leaves by %s",
		source, target, d->tunnel->name, link ? link->name : "another device");
	doctor_mend(d, "return-path = same-tunnel in [tunnel %s], or a route to %s over it",
		    d->tunnel->name, source);
	return true;
}

static void watch(struct doctor *d, int fd)
{
	struct ip_addr seen[ADDRESSES_MAX], from, to;
	unsigned packets = 0, addresses = 0;
	uint64_t end = clock_now_ns() + doctor_time_left(d, WATCH_MS) * 1000000ull;

	while (packets < PACKETS_MAX && addresses < ADDRESSES_MAX) {
		uint64_t now = clock_now_ns();
		unsigned i = 0;

		if (now >= end ||
		    sample_next(fd, (int)((end - now) / 1000000 + 1), &from, &to) != 1)
			break;
		packets++;
		while (i < addresses && !addr_equal(&seen[i], &from))
			i++;
		if (i < addresses)
			continue;
		seen[addresses++] = from;
		if (look_at(d, &from, &to))
			return;
	}
	doctor_saw(d, "%u packets of %u addresses came in; answers to them would go back", packets,
		   addresses);
}

void check_return_path(struct doctor *d)
{
	json_t *status;
	int64_t age;
	int fd;

	if (!d->link || !d->actual || !d->nl || d->tunnel->return_path)
		return;
	status = doctor_status_now(d, false);
	age = doctor_number(status, "last_rx_ms", -1);
	json_decref(status);
	if (age < 0 || age > RECENT_MS)
		return;
	fd = sample_open(d->link->index);
	if (fd < 0)
		return;
	doctor_progress(d, "which way answers take");
	watch(d, fd);
	close(fd);
}
