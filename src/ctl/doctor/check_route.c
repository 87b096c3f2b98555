/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where outer packets begin and which way they take, by the kernel's own answers. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "ctl/doctor/doctor.h"
#include "os/address.h"

struct owner {
	const struct ip_addr *addr;
	uint32_t index;
};

static int match_address(void *arg, const struct address_info *address)
{
	struct owner *owner = arg;

	if (addr_equal(&address->local.addr, owner->addr))
		owner->index = address->index;
	return 0;
}

/* The device that has the local address, or else the one that the route names. */
static const struct link_info *find_device(struct doctor *d)
{
	struct owner owner = {&d->tunnel->local, 0};

	if (d->nl)
		address_each(d->nl, match_address, &owner);
	if (!d->way->error && d->way->way.oif)
		return actual_link_at(d->actual, d->way->way.oif);
	return owner.index ? actual_link_at(d->actual, owner.index) : NULL;
}

void check_device_down(struct doctor *d)
{
	const struct link_info *device;
	char local[ADDR_TEXT_SIZE];

	if (!d->way)
		return;
	device = find_device(d);
	if (!device)
		return;
	if (!(device->flags & IFF_UP)) {
		doctor_found(d, DOCTOR_BROKEN, "the underlay device %s, which has %s, is down",
			     device->name, addr_format(&d->tunnel->local, local));
		doctor_mend(d, "ip link set %s up", device->name);
	} else if (!(device->flags & IFF_RUNNING) && !actual_is_ours(d->actual, device)) {
		doctor_found(d, DOCTOR_BROKEN, "the underlay device %s has no carrier",
			     device->name);
		doctor_mend(d, "look at its cable, or at what it is connected to: ip link show %s",
			    device->name);
	} else {
		doctor_saw(d, "%s is up, MTU %u", device->name, device->mtu);
	}
}

void check_recursive_route(struct doctor *d)
{
	char remote[ADDR_TEXT_SIZE], match[PREFIX_TEXT_SIZE];
	const struct link_info *link;

	if (!d->way || d->way->error)
		return;
	link = actual_link_at(d->actual, d->way->way.oif);
	if (!link || !actual_is_ours(d->actual, link))
		return;
	addr_format(&d->tunnel->remote, remote);
	doctor_found(d, DOCTOR_BROKEN,
		     "the route %s leads the outer packets to the peer %s into the tunnel %s",
		     prefix_format(&d->way->way.match, match), remote, link->name);
	doctor_mend(d, "give the peer a way of its own: ip route add %s via GATEWAY dev DEVICE",
		    remote);
}

void check_local_address(struct doctor *d)
{
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE], place[DOCTOR_PLACE_SIZE];

	if (!d->way || (d->way->why[0] && !d->way->local_missing))
		return;
	addr_format(&d->tunnel->local, local);
	if (d->way->local_missing) {
		doctor_found(d, DOCTOR_BROKEN,
			     "the local address %s is on no interface of this host", local);
		doctor_mend(
			d,
			"write an address of this host as local at %s, or: ip address add %s dev "
			"DEVICE",
			doctor_place(d, TUNNEL_LOCAL, place), local);
		return;
	}
	doctor_saw(d, "%s is an address of this host", local);
	if (d->way->error || d->way->way.type != RTN_LOCAL)
		return;
	doctor_found(d, DOCTOR_BROKEN, "the remote address %s is this host's own",
		     addr_format(&d->tunnel->remote, remote));
	doctor_mend(d, "write the peer's address at %s", doctor_place(d, TUNNEL_REMOTE, place));
}

/* A socket that is bound to no device gets what comes in by a VRF only if this host says so. */
void check_vrf_deaf(struct doctor *d)
{
	const struct link_info *bind =
		d->actual && d->tunnel->bind[0] ? actual_link(d->actual, d->tunnel->bind) : NULL;
	const struct link_info *master = bind ? actual_link_at(d->actual, bind->master) : NULL;
	const struct link_info *vrf = bind && bind->vrf_table ? bind : master;

	if (!vrf || !vrf->vrf_table)
		return;
	doctor_saw(d, "the underlay is in the VRF %s, table %u", vrf->name, vrf->vrf_table);
	if (d->actual->raw_deaf) {
		doctor_found(d, DOCTOR_BROKEN,
			     "net.ipv4.raw_l3mdev_accept is 0, so nothing that comes in by the VRF "
			     "%s reaches greteld",
			     vrf->name);
		doctor_mend(d, "sysctl -w net.ipv4.raw_l3mdev_accept=1");
	} else if (d->actual->udp_deaf && d->tunnel->udp_port) {
		doctor_found(d, DOCTOR_DEGRADED,
			     "net.ipv4.udp_l3mdev_accept is 0, so this host answers the peer's "
			     "packets with \"port unreachable\"");
		doctor_mend(d, "sysctl -w net.ipv4.udp_l3mdev_accept=1");
	}
}

void check_no_route(struct doctor *d)
{
	char remote[ADDR_TEXT_SIZE], gateway[ADDR_TEXT_SIZE] = "";
	const struct link_info *link;

	if (!d->way || d->way->why[0])
		return;
	addr_format(&d->tunnel->remote, remote);
	if (d->way->error) {
		doctor_found(d, DOCTOR_BROKEN, "there is no route to the peer %s (%s)", remote,
			     strerror(-d->way->error));
		doctor_mend(d, "ip route add %s via GATEWAY dev DEVICE", remote);
		return;
	}
	link = actual_link_at(d->actual, d->way->way.oif);
	if (d->way->leaves_vrf) {
		doctor_found(
			d, DOCTOR_BROKEN,
			"the VRF %s has no route to the peer %s, and outer packets leave it by "
			"%s, where answers are not looked for",
			d->tunnel->bind, remote, link ? link->name : "another device");
		doctor_mend(d, "ip route add vrf %s %s via GATEWAY dev DEVICE", d->tunnel->bind,
			    remote);
		return;
	}
	if (d->way->way.gateway.family != IP_NONE)
		addr_format(&d->way->way.gateway, gateway);
	doctor_saw(d, "%s is reached by %s%s%s", remote, link ? link->name : "?",
		   gateway[0] ? " via " : ", on the link", gateway);
}
