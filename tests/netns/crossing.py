# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries something through the cells of a road (matrix.py), lane by lane, and writes down that it did."""
import matrix
from gretel import BUILD, NAME, ping, section, site_text
from lanes import wait_lane, xdp_sent
from net import wait_for
from scene import HOST, UNDERLAY, A, B, other
from streams import FRAGMENTED, WHOLE, carries

FOUND = BUILD / "matrix"
FRAME_HOST = {A: "10.77.0.1", B: "10.77.0.2"}  # in the one Ethernet of a road of frames
SEGMENT = 2000  # octets; no road has longer ones


def site_of(road, side, lane):
    """The file of a side of ours."""
    words = matrix.OPTIONS[road.options] | {"lane": lane}
    if not road.frames():
        return site_text(side, road.transport, **words)
    return section("tunnel", NAME, mode="gretap", local=UNDERLAY[road.transport][side],
                   remote=UNDERLAY[road.transport][other(side)], bridge="br0", **words)


def bridge(router):
    """Where a router does not route, the LAN's device and the tunnel are in one bridge."""
    router.ip("address flush dev eth1", "link add br0 type bridge", "link set br0 up", "link set eth1 master br0")


def one_ethernet(scene):
    """The hosts in one network. Nobody on the way tells them what fits, so they know it."""
    for side, address in FRAME_HOST.items():
        scene.host[side].ip(f"address add {address}/24 dev eth0", "link set dev eth0 mtu 1400")


def addresses(road):
    """Where packets of this road go: {(side, family): address}"""
    if road.frames():
        return {(side, 4): FRAME_HOST[side] for side in (A, B)}
    return {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)}


class Counts:
    """What a router has carried since it was made: in all, through greteld, and from device to device
    by XDP."""

    def __init__(self, site, octets=0):
        """When it will have carried so many octets of TCP."""
        self.site, self.before, self.segments = site, (0, 0, 0), octets // SEGMENT
        self.before = self.now()

    def now(self):
        link, tunnel = self.site.namespace.link(NAME)["stats64"], self.site.tunnel()
        found = (tunnel["rx"]["packets"] + tunnel["tx"]["packets"], link["rx"]["packets"] + link["tx"]["packets"],
                 xdp_sent(self.site.namespace))
        return tuple(now - then for now, then in zip(found, self.before))

    def slow_is(self, most):
        """Whether most of them went through greteld, or else few."""
        carried, slow, _ = self.now()
        return slow * 2 >= carried if most else slow * 2 < carried

    def are_of(self, lane):
        """Whether it was this lane that carried them."""
        return self.slow_is(lane == "user") and (self.now()[2] > self.segments) == (lane == "xdp")


def settle(sites, lane, scene, addresses_of_all):
    """Until the lane is there, and echoes go by it: a program has to see where packets leave and come in."""
    for site in sites.values():
        wait_lane(site, lane)

    def goes_by_it():
        counts = [Counts(site) for site in sites.values()]
        for (side, _), address in addresses_of_all.items():
            ping(scene.host[other(side)], address, count=10)
        return all(count.slow_is(lane == "user") for count in counts)
    wait_for(goes_by_it, 30, lambda: [(site.tunnel()["lane_reason"], Counts(site).before) for site in sites.values()])


def cross(road, scene, sites, load=WHOLE):
    """Datagrams and TCP through each lane of the road; `sites` are those of ours, {side: Site}, one or two,
    whose files are written here. Fails when something is lost, dropped, or takes another lane."""
    for lane in road.lanes():
        for side, site in sites.items():
            site.write(site_of(road, side, lane))
            site.up()
        settle(sites, lane, scene, addresses(road))
        for site in sites.values():
            site.forget_drops()
        counts = [Counts(site, load.octets) for site in sites.values()]
        seconds = carries(scene, addresses(road), load, FRAGMENTED)
        for site, count in zip(sites.values(), counts):
            assert not site.drops(), f"{site.namespace}, lane {lane}: {site.drops()}"
            wait_for(lambda: count.are_of(lane), 5, lambda: f"{site.namespace}, {lane}: {count.now()}")
        for cell, (_, took) in zip(road.cells(lane), sorted(seconds.items())):
            matrix.write(FOUND, cell, tcp_octets=load.octets, datagrams=load.datagrams, tcp_seconds=took)
