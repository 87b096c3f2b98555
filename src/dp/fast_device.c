/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_device.c: the devices where the programs are. The map `links` is also the record of them for
 * the next process. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "dp/fast_state.h"
#include "os/bpfattach.h"

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

/* "" without pins. */
static void pin_of(const struct fast *fast, uint32_t ifindex, char pin[PATH_MAX])
{
	const char *pins = bpf_pins(fast->bpf);

	pin[0] = '\0';
	if (pins[0] && snprintf(pin, PATH_MAX, "%s/xdp-%u", pins, ifindex) >= PATH_MAX)
		pin[0] = '\0';
}

void fast_places_take_over(struct fast *fast)
{
	struct fast_link link;
	uint32_t ifindex = 0;

	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		fast->places[i].xdp = -1;
	/* A slot of a device stays its own: flows that are known speak of it. */
	while (bpf_link_next(fast->bpf, &ifindex, &link)) {
		struct fast_place *place;

		if (link.slot > FAST_DEVICES_MAX)
			continue;
		place = link.slot ? &fast->places[link.slot - 1] : find(fast, 0);
		if (place && !place->ifindex)
			*place = (struct fast_place){.ifindex = ifindex, .link = link, .xdp = -1};
	}
}

static void leave(struct fast *fast, struct fast_place *place)
{
	char pin[PATH_MAX];

	pin_of(fast, place->ifindex, pin);
	if (place->xdp >= 0)
		bpf_detach_xdp(place->xdp, pin);
	bpf_port_set(fast->bpf, (uint32_t)(place - fast->places), 0);
	bpf_detach_tc(place->ifindex);
	bpf_link_remove(fast->bpf, place->ifindex);
	pthread_mutex_lock(&fast->lock);
	*place = (struct fast_place){.xdp = -1};
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

static int attach_tc(struct fast *fast, struct fast_place *place)
{
	int err = 0;

	if (place->tc)
		return 0;
	err = bpf_attach_egress(place->ifindex, bpf_program_device_out(fast->bpf));
	if (!err)
		err = bpf_attach_ingress(place->ifindex, bpf_program_device_in(fast->bpf));
	place->tc = !err;
	return err;
}

static void say_why_not_xdp(struct fast_place *place, const struct fast_device *device, int err)
{
	const char *why = "";

	if (!device->native && !device->forced)
		why = device->why_not_xdp;
	else if (err == -EBUSY)
		why = "somebody else's XDP program is on it";
	else if (err == -EOPNOTSUPP || err == -ENOTSUP)
		why = "its driver has no XDP";
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
		       const struct fast_device *device)
{
	bool wanted = device->native || device->forced;
	uint32_t port = (uint32_t)(place - fast->places);
	char pin[PATH_MAX];
	int err = 0;

	pin_of(fast, place->ifindex, pin);
	if (wanted && bpf_others_filter(place->ifindex, true)) {
		wanted = false;
		snprintf(place->why_not_xdp, sizeof place->why_not_xdp,
			 "%s: XDP would pass by somebody else's TC filter", device->name);
	} else {
		if (wanted && place->xdp < 0) {
			err = bpf_program_xdp(fast->bpf) < 0
				      ? -ENOSYS
				      : bpf_attach_xdp(place->ifindex, bpf_program_xdp(fast->bpf),
						       pin);
			place->xdp = err < 0 ? -1 : err;
			err = err < 0 ? err : 0;
		}
		say_why_not_xdp(place, device, err);
	}
	if (!wanted && place->xdp >= 0) {
		bpf_detach_xdp(place->xdp, pin);
		place->xdp = -1;
	}
	place->link.slot = place->xdp >= 0 ? port + 1 : 0;
	bpf_port_set(fast->bpf, port, place->xdp >= 0 ? place->ifindex : 0);
}

static void settle(struct fast *fast, struct fast_place *place, struct fast_device *device)
{
	struct fast_link before = place->link;
	int err;

	pthread_mutex_lock(&fast->lock);
	place->ifindex = device->ifindex;
	place->link.mtu = device->mtu;
	memcpy(place->link.mac, device->mac, sizeof place->link.mac);
	pthread_mutex_unlock(&fast->lock);
	err = attach_tc(fast, place);
	if (err)
		snprintf(device->why_not_tc, sizeof device->why_not_tc, "%s: %s", device->name,
			 strerror(-err));
	else
		settle_xdp(fast, place, device);
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
