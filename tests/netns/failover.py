# SPDX-License-Identifier: GPL-2.0-or-later
"""Two wires between the routers of the scene and a tunnel over each: paths that are cut in silence,
and how long what runs between the LANs stands still.

    hostA ── A ═══ bond0 172.19.1.0/24 ═══ B ── hostB      tunnel `first`
               ═══ bond1 172.19.2.0/24 ═══                 tunnel `second`
"""
import contextlib
import pathlib
import socket
import struct
import threading
import time

from flow import tcp_connect, tcp_listen, udp
from gretel import Site, section
from net import offloads_off, veth, wait_for
from scene import A, B, HOST, LAN, UNDERLAY, other

IPV6_AUTOFLOWLABEL = 70  # of linux/in6.h
NAMES = ("first", "second")
# A tunnel's addresses on its wire, and inside.
OUTER = {"first": {side: {4: UNDERLAY[4][side], 6: UNDERLAY[6][side]} for side in (A, B)},
         "second": {A: {4: "172.19.2.1", 6: "2001:db8:20::1"}, B: {4: "172.19.2.2", 6: "2001:db8:20::2"}}}
INNER = {"first": {A: ("192.168.8.1", "fd00:8::1"), B: ("192.168.8.11", "fd00:8::11")},
         "second": {A: ("192.168.9.1", "fd00:9::1"), B: ("192.168.9.11", "fd00:9::11")}}
PORTS = {"first": ("a", "b", "br0"), "second": ("a2", "b2", "br1")}


def second_wire(scene):
    for side, port in ((A, "a2"), (B, "b2")):
        router = scene.router[side]
        veth(router, "bond1", scene.wire, port)
        router.ip(f"address add {OUTER['second'][side][4]}/24 dev bond1",
                  f"address add {OUTER['second'][side][6]}/64 dev bond1 nodad")
        offloads_off(router, "bond1")
    offloads_off(scene.wire, "a2", "b2")
    scene.wire.ip("link add br1 type bridge mcast_snooping 0", "link set dev br1 up",
                  "link set dev a2 master br1", "link set dev b2 master br1")


def cut(scene, name):
    """Nothing passes any more, and no interface of the routers shows it."""
    scene.wire.ip(f"link set dev {PORTS[name][0]} nomaster")


def mend(scene, name):
    scene.wire.ip(f"link set dev {PORTS[name][0]} master {PORTS[name][2]}")


def tunnel(side, name, outer=4, routes=(), **keys):
    far = other(side)
    address = [f"{mine} peer {theirs}" for mine, theirs in zip(INNER[name][side], INNER[name][far])]
    return section("tunnel", name, local=OUTER[name][side][outer], remote=OUTER[name][far][outer],
                   address=address, route=list(routes), **keys)


def both(scene, directory, first, second, **keys):
    """Both tunnels on both routers, up; `first` and `second` are the keys of each."""
    sites = {}
    for side in (A, B):
        routes = [LAN[family][other(side)] for family in (4, 6)]
        text = tunnel(side, "first", **{"routes": routes, **keys, **first})
        text += tunnel(side, "second", **{**keys, **second})
        text += section("forward", allow=[f"{LAN[f][side]} <-> {LAN[f][other(side)]}" for f in (4, 6)])
        sites[side] = Site(scene.router[side], pathlib.Path(directory) / side, text)
        sites[side].up()
    return sites


def carrier(router, name):
    return "LOWER_UP" in router.link(name)["flags"]


def carriers(scene, name, wanted):
    return all(carrier(scene.router[side], name) == wanted for side in (A, B))


class Numbers:
    """Numbered datagrams from hostA, or from `address` of router A, to hostB, one each `interval`
    seconds, and when each arrived; from the port `source` if given, and then routers have nothing but what is
    in the packets to choose a way by: where the kernel of the sender has a hash of its own for them, that of
    the socket or of a flow label, it stays with them on their way over a veth."""

    def __init__(self, scene, family=4, port=6100, interval=0.002, address="", source=0):
        self.sender = udp(scene.router[A] if address else scene.host[A], family, address, source)
        self.receiver = udp(scene.host[B], family, port=port)
        to = (HOST[family][B], port)
        if source and family == 6:
            self.sender.setsockopt(socket.IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0)
        if not source:
            self.sender.connect(to)
        self.put = (lambda data: self.sender.sendto(data, to)) if source else self.sender.send
        self.receiver.settimeout(0.05)
        self.interval, self.sent, self.arrived = interval, 0, {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        while not self._stop.wait(self.interval):
            with contextlib.suppress(OSError):  # an ICMP error of before
                self.put(struct.pack("!I", self.sent) + bytes(96))
            self.sent += 1

    def _receive(self):
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                number = struct.unpack("!I", self.receiver.recv(200)[:4])[0]
                self.arrived.setdefault(number, time.monotonic())

    def flows(self, beyond=20):
        """Waits until what is sent from now on arrives; returns the number of the first such."""
        begin = self.sent
        wait_for(lambda: any(n >= begin for n in list(self.arrived)), 10, "datagrams arrive")
        mark = max(self.arrived)
        wait_for(lambda: mark + beyond in self.arrived, 10, "datagrams go on arriving")
        return mark

    def missing(self, first, last):
        """The numbers from first to last that never arrived."""
        def lost():
            return [n for n in range(first, last + 1) if n not in self.arrived]
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not lost(), 1)
        return lost()

    def gap_since(self, moment):
        """The longest time without an arrival, from `moment` on."""
        times = [moment] + sorted(when for when in self.arrived.values() if when >= moment)
        return max((b - a for a, b in zip(times, times[1:])), default=0)

    def close(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self.sender.close()
        self.receiver.close()


class Line:
    """One TCP connection from hostA to hostB that sends all the time; what arrives is what was sent."""

    def __init__(self, scene, family=4, port=7100, chunk=1400, interval=0.002):
        server = tcp_listen(scene.host[B], family, HOST[family][B], port)
        self.sock = tcp_connect(scene.host[A], family, HOST[family][B], port)
        self.peer, _ = server.accept()
        server.close()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.chunk, self.interval, self.times = chunk, interval, []
        self.sent = self.received = 0
        self.error = None
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        try:
            while not self._stop.wait(self.interval):
                self.sock.sendall(struct.pack("!I", self.sent) * (self.chunk // 4))
                self.sent += 1
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def _receive(self):
        self.peer.settimeout(30)
        kept = b""
        try:
            while data := self.peer.recv(1 << 16):
                self.times.append(time.monotonic())
                kept += data
                while len(kept) >= self.chunk:
                    if kept[:self.chunk] != struct.pack("!I", self.received) * (self.chunk // 4):
                        raise OSError(f"chunk {self.received} is not what was sent")
                    self.received += 1
                    kept = kept[self.chunk:]
        except OSError as error:
            self.error = error

    def gap_since(self, moment):
        times = [moment] + [when for when in self.times if when >= moment]
        return max((b - a for a, b in zip(times, times[1:])), default=0)

    def finish(self):
        """Ends the connection; everything that was sent must have arrived."""
        self._stop.set()
        for thread in self._threads:
            thread.join(40)
        self.sock.close()
        self.peer.close()
        assert self.error is None and self.sent == self.received, (self.error, self.sent, self.received)


def cut_and_mend(scene, numbers, line=None, name="first"):
    """One silent cut of a tunnel's wire and its return. Returns how long datagrams and TCP stood
    still, in seconds, and the numbers that were lost by the switch back."""
    numbers.flows()
    begin = time.monotonic()
    cut(scene, name)
    wait_for(lambda: carriers(scene, name, False), 10, f"{name} has no carrier")
    resumed = numbers.flows()
    if line:
        heard = len(line.times)
        wait_for(lambda: len(line.times) > heard + 5, 20, "TCP goes on")
    stood = numbers.gap_since(begin), line.gap_since(begin) if line else None
    mend(scene, name)
    wait_for(lambda: carriers(scene, name, True), 10, f"{name} has its carrier again")
    last = numbers.flows(50)
    return *stood, numbers.missing(resumed, last)
