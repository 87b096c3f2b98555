/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_device.c: the devices where the programs are. The map `links` is also the record of them for
 * the next process. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "dp/fast_state.h"
#include "os/bpfattach.h"

static const struct fast_place empty = {.held = {-1, -1, -1}};

static struct fast_place *find(struct fast *fast, uint32_t ifindex)
{
	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		if (fast->places[i].ifindex == ifindex)
			return &fast->places[i];
	return NULL;
}

bool fast_place_mac(struct fast *fast, uint32_t ifindex, uint8_t mac[6])
{
	const struct fast_place *place;

	pthread_mutex_lock(&fast->lock);
	place = ifindex ? find(fast, ifindex) : NULL;
	if (place)
		memcpy(mac, place->link.mac, sizeof place->link.mac);
	pthread_mutex_unlock(&fast->lock);
	return place != NULL;
}

void fast_place_why(struct fast *fast, uint32_t ifindex, char *why, unsigned size)
{
	const struct fast_place *place = ifindex ? find(fast, ifindex) : NULL;

	if (!place)
		snprintf(why, size, "the programs are not on the device that it leaves by");
	else
		snprintf(why, size, "%s", place->why_not_xdp);
}

/* The file that keeps a link for the next process; "" without a place for pins. */
static void pin_of(const struct fast *fast, const struct fast_place *place, enum bpf_place kind,
		   char pin[PATH_MAX])
{
	static const char *const names[PLACES] = {"xdp", "in", "out"};
	const char *pins = bpf_pins(fast->bpf);

	pin[0] = '\0';
	if (pins[0] &&
	    snprintf(pin, PATH_MAX, "%s/%s-%u", pins, names[kind], place->ifindex) >= PATH_MAX)
		pin[0] = '\0';
}

/* Puts a program there, by a link. 0 or -errno. */
static int hold(struct fast *fast, struct fast_place *place, enum bpf_place kind, int program)
{
	char pin[PATH_MAX];
	int link;

	if (place->held[kind] >= 0)
		return 0;
	if (program < 0)
		return -ENOSYS;
	pin_of(fast, place, kind, pin);
	link = bpf_attach_link(place->ifindex, program, kind, pin);
	if (link < 0)
		return link;
	place->held[kind] = link;
	return 0;
}

static void let_go(struct fast *fast, struct fast_place *place, enum bpf_place kind)
{
	char pin[PATH_MAX];

	if (place->held[kind] < 0)
		return;
	pin_of(fast, place, kind, pin);
	bpf_detach_link(place->held[kind], pin);
	place->held[kind] = -1;
}

void fast_places_take_over(struct fast *fast)
{
	struct fast_link link;
	uint32_t ifindex = 0;

	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		fast->places[i] = empty;
	/* A slot of a device stays its own: flows that are known speak of it. */
	while (bpf_link_next(fast->bpf, &ifindex, &link)) {
		struct fast_place *place;

		if (link.slot > FAST_DEVICES_MAX)
			continue;
		place = link.slot ? &fast->places[link.slot - 1] : find(fast, 0);
		if (!place || place->ifindex)
			continue;
		place->ifindex = ifindex;
		place->link = link;
	}
}

static void leave(struct fast *fast, struct fast_place *place)
{
	/* Of a device that the last process has left and nobody wants, the links are in their files
	 * only: taking them over is how to get hold of them. */
	if (place->held[BPF_PLACE_TC_IN] < 0 && !place->filters) {
		(void)hold(fast, place, BPF_PLACE_TC_IN, bpf_program_device_in(fast->bpf));
		(void)hold(fast, place, BPF_PLACE_TC_OUT, bpf_program_device_out(fast->bpf));
		(void)hold(fast, place, BPF_PLACE_XDP, bpf_program_xdp(fast->bpf));
	}
	for (int kind = 0; kind < PLACES; kind++)
		let_go(fast, place, (enum bpf_place)kind);
	bpf_port_set(fast->bpf, (uint32_t)(place - fast->places), 0);
	bpf_detach_tc(place->ifindex);
	bpf_link_remove(fast->bpf, place->ifindex);
	pthread_mutex_lock(&fast->lock);
	*place = empty;
	pthread_mutex_unlock(&fast->lock);
}

void fast_places_close(struct fast *fast, bool keep)
{
	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		if (fast->places[i].ifindex && !keep)
			leave(fast, &fast->places[i]);
}

static bool is_named(const struct fast_place *place, const struct fast_device *devices,
		     unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (devices[i].ifindex == place->ifindex)
			return true;
	return false;
}

/* `seen` is what is there now: somebody who took away the place for filters took ours, too. */
static int attach_filters(struct fast *fast, struct fast_place *place, unsigned seen)
{
	int err = 0;

	if (!place->filters || !(seen & BPF_FILTER_OUT))
		err = bpf_attach_egress(place->ifindex, bpf_program_device_out(fast->bpf));
	if (!err && (!place->filters || !(seen & BPF_FILTER_IN)))
		err = bpf_attach_ingress(place->ifindex, bpf_program_device_in(fast->bpf));
	if (err)
		return err;
	place->filters = true;
	let_go(fast, place, BPF_PLACE_TC_IN);
	let_go(fast, place, BPF_PLACE_TC_OUT);
	return 0;
}

/* By links, which run before any filter, where nobody else has one; else as a filter behind them.
 */
static int attach_tc(struct fast *fast, struct fast_place *place, unsigned seen)
{
	int err;

	if (seen & BPF_FILTER_FOREIGN)
		return attach_filters(fast, place, seen);
	err = hold(fast, place, BPF_PLACE_TC_OUT, bpf_program_device_out(fast->bpf));
	if (!err)
		err = hold(fast, place, BPF_PLACE_TC_IN, bpf_program_device_in(fast->bpf));
	if (err)
		return attach_filters(fast, place, seen);
	place->filters = false;
	if (seen)
		bpf_detach_tc(place->ifindex);
	return 0;
}

static void say_why_not_xdp(const struct fast *fast, struct fast_place *place,
			    const struct fast_device *device, int err)
{
	const char *why = "";

	if (!device->native && !device->forced)
		why = device->why_not_xdp;
	else if (err == -EBUSY)
		why = "somebody else's XDP program is on it";
	else if (err == -EOPNOTSUPP || err == -ENOTSUP)
		why = "its driver has no XDP";
	else if (err == -EEXIST)
		why = "XDP would pass by somebody else's TC filter";
	else if (bpf_program_xdp(fast->bpf) < 0)
		why = bpf_why_no_xdp(fast->bpf);
	else if (err)
		why = strerror(-err);
	if (why[0])
		snprintf(place->why_not_xdp, sizeof place->why_not_xdp, "%s: %.70s", device->name,
			 why);
	else
		place->why_not_xdp[0] = '\0';
}

/* Puts XDP there, or takes it away. */
static void settle_xdp(struct fast *fast, struct fast_place *place,
		       const struct fast_device *device, unsigned seen)
{
	uint32_t port = (uint32_t)(place - fast->places);
	int err = 0;

	if (!device->native && !device->forced)
		err = -ECANCELED;
	else if (seen & BPF_FILTER_FOREIGN)
		err = -EEXIST;
	else
		err = hold(fast, place, BPF_PLACE_XDP, bpf_program_xdp(fast->bpf));
	if (err)
		let_go(fast, place, BPF_PLACE_XDP);
	say_why_not_xdp(fast, place, device, err);
	place->link.slot = err ? 0 : port + 1;
	bpf_port_set(fast->bpf, port, err ? 0 : place->ifindex);
}

static void settle(struct fast *fast, struct fast_place *place, struct fast_device *device)
{
	struct fast_link before = place->link;
	unsigned seen = bpf_filters(device->ifindex);
	int err;

	pthread_mutex_lock(&fast->lock);
	place->ifindex = device->ifindex;
	place->link.mtu = device->mtu;
	memcpy(place->link.mac, device->mac, sizeof place->link.mac);
	pthread_mutex_unlock(&fast->lock);
	err = attach_tc(fast, place, seen);
	if (err)
		snprintf(device->why_not_tc, sizeof device->why_not_tc, "%s: %s", device->name,
			 strerror(-err));
	else
		settle_xdp(fast, place, device, seen);
	if (memcmp(&before, &place->link, sizeof before) == 0)
		return;
	bpf_link_set(fast->bpf, place->ifindex, &place->link);
	fast_void_flows(fast);
}

void fast_devices(struct fast *fast, struct fast_device *devices, unsigned count)
{
	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		if (fast->places[i].ifindex && !is_named(&fast->places[i], devices, count))
			leave(fast, &fast->places[i]);
	for (unsigned i = 0; i < count; i++) {
		struct fast_place *place = find(fast, devices[i].ifindex);

		if (!place)
			place = find(fast, 0);
		if (place)
			settle(fast, place, &devices[i]);
		else
			snprintf(devices[i].why_not_tc, sizeof devices[i].why_not_tc,
				 "more than %d devices", FAST_DEVICES_MAX);
	}
}
