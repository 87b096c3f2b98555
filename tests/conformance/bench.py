# SPDX-License-Identifier: GPL-2.0-or-later
"""A router under test between two packet sockets.

    lan ──eth1─[ A ]─bond0── peer          the test plays the host in the LAN and the other router

Router A has a tunnel of each kind in TUNNELS over IPv4 and over IPv6, told apart by their keys; the
networks 20.10.N.0/24 and fd00:20:N::/64 lie behind number N. One worker, so that packets leave in
the order in which they came, and a mark that is sent last shows what of the others did not come.
"""
import itertools
import select
import time

from gretel import Site, section
from net import Failed, packet_socket, wait_for
from peer import Peer, gre
from scapy.all import IP, UDP, Ether, IPv6, Raw
from scene import A, B, UNDERLAY, Scene

# Number, key and settings of each kind of tunnel; the one without a key is "plain".
TUNNELS = {
    "plain": {}, "key": {"key": 7}, "csum": {"key": 8, "checksum": "require"},
    "seq": {"key": 9, "sequence": "yes"},
    "all": {"key": 10, "checksum": "require", "sequence": "yes"},
    "copy": {"key": 11, "df": "copy", "tos": "inherit", "ttl": "inherit"},
    "noecn": {"key": 12, "ecn": "no"}, "clear": {"key": 13, "df": "clear", "mtu": 2000},
    "zero": {"key": 0}, "ones": {"key": 0xFFFFFFFF}, "two": {"ikey": 15, "okey": 16},
    "frames": {"key": 17, "mode": "gretap"},
}
NUMBER = {kind: number for number, kind in enumerate(TUNNELS)}
LAN_HOST = {4: "10.10.1.77", 6: "fd00:10:1::77"}
LAN_MAC = "02:00:00:00:00:77"
MARK_PORT = 54321
# The kernel tells the routers of a new interface which groups it is in, whenever it likes.
MLD_ROUTERS = bytes.fromhex("ff020000000000000000000000000016")


def name(kind, outer=4):
    return f"{kind}{outer}"


def far(kind, inner=4, outer=4):
    """A host behind the peer that is reached by this tunnel."""
    number = NUMBER[kind] + (100 if outer == 6 else 0)
    return f"20.10.{number}.10" if inner == 4 else f"fd00:20:{number}::10"


def key_in(kind):
    keys = TUNNELS[kind]
    return keys.get("key", keys.get("ikey"))


def key_out(kind):
    keys = TUNNELS[kind]
    return keys.get("key", keys.get("okey"))


def overhead(kind, outer=4):
    keys = TUNNELS[kind]
    return (20 if outer == 4 else 40) + 4 + 4 * (key_out(kind) is not None) + \
        4 * ("checksum" in keys) + 4 * ("sequence" in keys)


def text():
    """The file of the router."""
    made = section("forward", enable="yes") + section("daemon", workers=1)
    for outer, (kind, keys) in itertools.product((4, 6), TUNNELS.items()):
        number = NUMBER[kind] + (100 if outer == 6 else 0)
        layer3 = {} if keys.get("mode") == "gretap" else {
            "address": [f"10.200.{number}.1 peer 10.200.{number}.2",
                        f"fd00:200:{number}::1 peer fd00:200:{number}::2"],
            "route": [f"20.10.{number}.0/24", f"fd00:20:{number}::/64"]}
        made += section("tunnel", name(kind, outer), local=UNDERLAY[outer][A],
                        remote=UNDERLAY[outer][B], **layer3, **keys)
    return made


class Bench:
    def __init__(self, stack, directory, mtu=1500):
        self.scene = stack.enter_context(Scene(wire="open", mtu=mtu))
        self.router = self.scene.router[A]
        self.site = Site(self.router, directory, text())
        self.site.up()
        self.peer = Peer(self.scene, A)
        for family in (4, 6):
            self.router.ip(f"neigh replace {LAN_HOST[family]} lladdr {LAN_MAC} dev eth1")
        self.router_mac = self.router.mac("eth1")
        self.lan = packet_socket(self.scene.host[A], "eth0")
        stack.callback(self.lan.close)
        stack.callback(self.peer.sock.close)
        self.numbers = {"seq": itertools.count(1), "all": itertools.count(1)}
        self.marks = itertools.count(1)

    def begin(self):
        self.site.forget_drops()
        self.strays = self.site.status()["stray_drops"]
        self.peer.drain()
        _received(self.lan, lambda p: False, 0)

    def header(self, kind, **fields):
        """The GRE header that this tunnel takes, unless `fields` say otherwise."""
        keys = TUNNELS[kind]
        words = {"key": key_in(kind), "csum": "checksum" in keys}
        if "sequence" in keys:
            words["seq"] = next(self.numbers[kind])
        return gre(**words | fields)

    def send(self, kind, passenger, outer=4, header=None, **outer_fields):
        """From the peer: a passenger in this tunnel, behind `header` if given."""
        front = self.peer.outer(outer, **{"proto" if outer == 4 else "nh": 47}, **outer_fields)
        self.peer.send(front / (self.header(kind) if header is None else header) / passenger)

    def delivered(self, kind, outer=4):
        """The packets that reached the LAN, up to a mark that is sent now. It has a checksum, which no kernel lane
        has: by one of those it would overtake what waits for greteld."""
        mark = self._mark()
        self.send(kind, datagram(4, far(kind, 4, outer), LAN_HOST[4], mark, MARK_PORT), outer,
                  self.header(kind, csum=True))
        seen = _received(self.lan, lambda p: UDP in p and p[UDP].dport == MARK_PORT
                         and bytes(p[UDP].payload) == mark)
        return [p for p in seen if isinstance(p, (IP, IPv6)) and not p.dst.startswith("ff02:")]

    def from_lan(self, packet):
        """From the host in the LAN."""
        self.lan.send(bytes(Ether(src=LAN_MAC, dst=self.router_mac) / packet))

    def seen(self, kind, outer=4):
        """What the router sent to the peer, up to a mark that is sent now."""
        mark = self._mark()
        self.from_lan(datagram(4, LAN_HOST[4], far(kind, 4, outer), mark, MARK_PORT))
        return _received(self.peer.sock, lambda p: bytes(p).endswith(mark))

    def sent(self, kind, outer=4):
        """The GRE packets among them."""
        return [packet for packet in self.seen(kind, outer)
                if is_gre(packet) and MLD_ROUTERS not in bytes(packet)]

    def told(self, kind, outer=4):
        """(type, code) of the ICMP errors among them."""
        errors = [bytes(p.payload) for p in self.seen(kind, outer) if is_icmp(p)]
        return [(e[0], e[1]) for e in errors if e[0] in (3, 4, 11, 12) or e[0] < 3 and outer == 6]

    def _mark(self):
        return b"mark %10d" % next(self.marks)

    def drops(self, kind, outer=4):
        return self.site.drops(name(kind, outer))

    def stray(self):
        """Packets of no tunnel since begin(), as drops()."""
        return {reason: n - self.strays.get(reason, 0) for reason, n in self.site.stray().items()
                if n > self.strays.get(reason, 0)}

    def wait_drops(self, kind, expected, outer=4):
        wait_for(lambda: self.drops(kind, outer) == expected, 5,
                 lambda: f"{self.drops(kind, outer)}, not {expected}; stray {self.stray()}")


def is_gre(packet):
    if isinstance(packet, IP):
        return packet.proto == 47
    return isinstance(packet, IPv6) and packet.nh in (44, 47)


def is_icmp(packet):
    return isinstance(packet, IP) and packet.proto == 1 or isinstance(packet, IPv6) and packet.nh == 58


def _received(sock, last, deadline=5.0):
    """Packets without Ethernet up to the one for which last() is true, which is not among them."""
    end, seen = time.monotonic() + deadline, []
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        frame = Ether(sock.recv(70000))
        if last(frame.payload):
            return seen
        seen.append(frame.payload)
    if deadline:
        raise Failed(f"the mark did not come within {deadline} s, but: {[p.summary() for p in seen[-9:]]}")
    return seen


def datagram(family, source, destination, payload=b"odd", port=9, **fields):
    layer = IP if family == 4 else IPv6
    return layer(src=source, dst=destination, **fields) / UDP(sport=4000, dport=port) / Raw(payload)


def inbound(kind, inner=4, outer=4, payload=b"odd", **fields):
    """A passenger from behind the peer to the host in the LAN."""
    return datagram(inner, far(kind, inner, outer), LAN_HOST[inner], payload, **fields)


def outbound(kind, inner=4, outer=4, payload=b"odd", **fields):
    return datagram(inner, LAN_HOST[inner], far(kind, inner, outer), payload, **fields)


def forwarded(packet):
    """The octets of a passenger after one router: TTL or hop limit less by one."""
    layer = IP if IP in packet else IPv6
    copy = layer(bytes(packet))
    if layer is IP:
        copy.ttl -= 1
        del copy.chksum
    else:
        copy.hlim -= 1
    return bytes(copy)


def octets(packets):
    return [bytes(packet) for packet in packets]
