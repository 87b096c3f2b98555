# SPDX-License-Identifier: GPL-2.0-or-later
"""The scene: two LANs, two routers, somebody else's network between them.

    hostA ──eth1─[ A ]─bond0 ═══ a [wire] b ═══ bond0─[ B ]─eth1── hostB
    10.10.1.10  10.10.1.1  172.19.1.1       172.19.1.2  20.10.1.1  20.10.1.10
    fd00:10:1::10     ::1  2001:db8:19::1          ::2  fd00:20:1::1     ::10

A host knows its own router as gateway and nothing else; a router knows its LAN and the underlay.
The wire is a bridge, or left open for the relay (wire.py), which loses and delays, or for a peer
that a test plays itself (peer.py).
"""
import contextlib
import os

from net import Namespace, offloads_off, veth

A, B = "A", "B"

UNDERLAY = {4: {A: "172.19.1.1", B: "172.19.1.2"}, 6: {A: "2001:db8:19::1", B: "2001:db8:19::2"}}
UNDERLAY_LENGTH = {4: 24, 6: 64}
GATEWAY = {4: "172.19.1.254", 6: "2001:db8:19::fe"}
LAN = {4: {A: "10.10.1.0/24", B: "20.10.1.0/24"}, 6: {A: "fd00:10:1::/64", B: "fd00:20:1::/64"}}
ROUTER = {4: {A: "10.10.1.1", B: "20.10.1.1"}, 6: {A: "fd00:10:1::1", B: "fd00:20:1::1"}}
HOST = {4: {A: "10.10.1.10", B: "20.10.1.10"}, 6: {A: "fd00:10:1::10", B: "fd00:20:1::10"}}
TUNNEL = {4: {A: "192.168.8.1", B: "192.168.8.11"}, 6: {A: "fd00:8::1", B: "fd00:8::11"}}


def other(side):
    return B if side == A else A


class Scene:
    def __init__(self, wire="bridge", mtu=1500):
        self._undo = contextlib.ExitStack()
        try:
            self._build(wire, mtu)
        except BaseException:
            self.close()
            raise

    def namespace(self, label):
        made = Namespace(label)
        self._undo.callback(made.close)
        return made

    def _build(self, wire, mtu):
        self.host = {A: self.namespace("hostA"), B: self.namespace("hostB")}
        self.router = {A: self.namespace("A"), B: self.namespace("B")}
        self.wire = self.namespace("wire")
        self.wire.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.wire.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        for side, port in ((A, "a"), (B, "b")):
            veth(self.host[side], "eth0", self.router[side], "eth1")
            veth(self.router[side], "bond0", self.wire, port, mtu=mtu)
            self._address(side)
            self._as_wires(side)
        offloads_off(self.wire, "a", "b")
        if os.environ.get("GRETEL_LANE") == "xdp":
            self.take_frames()
        if wire == "bridge":  # else "open"
            self.wire.ip(f"link add br0 mtu {mtu} type bridge mcast_snooping 0", "link set dev br0 up",
                         "link set dev a master br0", "link set dev b master br0")

    def take_frames(self):
        """XDP of a router hands frames to a veth only where its peer takes them one by one, and loses
        checksums that were left to the device."""
        for host in self.hosts():
            host.run(["ethtool", "-K", "eth0", "gro", "on", "tx", "off"])
        for port in ("a", "b"):
            self.wire.run(["ethtool", "-K", port, "gro", "on"])
            # Nothing is merged: a relay that knows an MTU would take it for too long, and a capture would
            # show the checksums inside as they are before a device has computed them.
            self.wire.ip(f"link set dev {port} gro_max_size 1")

    def _as_wires(self, side):
        offloads_off(self.router[side], "bond0")

    def _address(self, side):
        host, router = self.host[side], self.router[side]
        for family in (4, 6):
            length = LAN[family][side].split("/")[1]
            flag = " nodad" if family == 6 else ""
            router.ip(f"address add {ROUTER[family][side]}/{length} dev eth1{flag}",
                      f"address add {UNDERLAY[family][side]}/{UNDERLAY_LENGTH[family]} dev bond0{flag}")
            host.ip(f"address add {HOST[family][side]}/{length} dev eth0{flag}",
                    f"route add default via {ROUTER[family][side]}")

    def narrow_host(self, side, mtu):
        """A host that sends no longer packets to its router, which it knows for good: none is there to ask."""
        mac = self.router[side].mac("eth1")
        for family in (4, 6):
            gateway = ROUTER[family][side]
            self.host[side].ip(f"route replace default via {gateway} mtu {mtu}",
                               f"neigh replace {gateway} lladdr {mac} nud permanent dev eth0")

    def hosts(self):
        return self.host[A], self.host[B]

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
