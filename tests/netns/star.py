# SPDX-License-Identifier: GPL-2.0-or-later
"""Three sites around a hub:

    hostH ──eth1─[ hub ]─bond0 ═══ [wire] ═══ bond0─[ spoke N ]─eth1── hostN
    10.10.0.10  10.10.0.1  172.19.1.1      172.19.1.N       10.N.0.1  10.N.0.10
                 192.168.8.1, fd08::1               192.168.8.N, fd08::N

N is 12 and 13. The tunnel of the hub is a multipoint one, those of the spokes lead to the hub.
"""
import contextlib

from gretel import Site, section
from net import Namespace, offloads_off, veth

HUB, SPOKES = 1, (12, 13)
SITES = (HUB, *SPOKES)
NAME = "hub"
KEY = 77


def outer(site, family=4):
    return f"172.19.1.{site}" if family == 4 else f"2001:db8:19::{site}"


def inner(site, family=4):
    return f"192.168.8.{site}" if family == 4 else f"fd08::{site}"


def lan(site, family=4):
    number = 10 if site == HUB else site
    return f"10.{number}.0.0/24" if family == 4 else f"fd00:{number}::/64"


def host(site, family=4):
    return lan(site, family).replace("0.0/24", "0.10").replace("::/64", "::10")


def peer(site, family=4, underlay=4):
    return f"{inner(site, family)} at {outer(site, underlay)}"


def hub_text(underlay=4, peers=None, routes=None, tail="", **keys):
    if peers is None:
        peers = [peer(site, family, underlay) for site in SPOKES for family in (4, 6)]
    if routes is None:
        routes = [f"{lan(site, family)} via {inner(site, family)}" for site in SPOKES
                  for family in (4, 6)]
    keys.setdefault("key", KEY)
    return section("tunnel", NAME, local=outer(HUB, underlay), peer=peers, route=routes, lane="auto",
                   address=["192.168.8.1/24", "fd08::1/64"], **keys) + tail


def spoke_text(site, underlay=4, **keys):
    """A tunnel to one peer: behind the hub are all the others."""
    keys.setdefault("key", KEY)
    address = [f"{inner(site, family)} peer {inner(HUB, family)}" for family in (4, 6)]
    behind = [network(other, family) for other in SITES if other != site for family in (4, 6)
              for network in ((lan, inner) if other != HUB else (lan,))]
    return section("tunnel", NAME, local=outer(site, underlay), remote=outer(HUB, underlay),
                   address=address, route=behind, **keys)


class Star:
    """The namespaces; `sites` are filled in by up()."""

    def __init__(self, directory):
        self._undo = contextlib.ExitStack()
        self.directory, self.sites = directory, {}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _namespace(self, label):
        made = Namespace(label)
        self._undo.callback(made.close)
        return made

    def _build(self):
        self.wire = self._namespace("wire")
        self.wire.ip("link add br0 type bridge mcast_snooping 0", "link set dev br0 up")
        self.router = {site: self._namespace(f"r{site}") for site in SITES}
        self.host = {site: self._namespace(f"h{site}") for site in SITES}
        for site, router in self.router.items():
            veth(router, "bond0", self.wire, f"p{site}")
            veth(self.host[site], "eth0", router, "eth1")
            self.wire.ip(f"link set dev p{site} master br0")
            offloads_off(router, "bond0")
            offloads_off(self.wire, f"p{site}")
            for family, length, flag in ((4, 24, ""), (6, 64, " nodad")):
                near = host(site, family)[:-1]  # the same network's first
                near = near if near.endswith(".1") else host(site, family).replace("::10", "::1")
                router.ip(f"address add {near}/{length} dev eth1{flag}",
                          f"address add {outer(site, family)}/{length} dev bond0{flag}")
                self.host[site].ip(f"address add {host(site, family)}/{length} dev eth0{flag}",
                                   f"route add default via {near}")

    def site(self, site, text):
        """A router's gretel, not up yet."""
        self.sites[site] = Site(self.router[site], self.directory / str(site), text)
        return self.sites[site]

    def up(self, underlay=4, spokes=SPOKES, **keys):
        forward = section("forward", enable="yes")
        self.site(HUB, hub_text(underlay, **keys) + forward).up()
        for site in spokes:
            self.site(site, spoke_text(site, underlay) + forward).up()
        return self.sites[HUB]

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
