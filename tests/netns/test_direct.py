# SPDX-License-Identifier: GPL-2.0-or-later
"""A busy tunnel may send around the kernel's output path, but never for longer than a second after
that path stops to let its packets pass, or sends them elsewhere."""
import socket
import threading
import time

import pytest
from flow import Sink, udp
from gretel import NAME, Site, both_up, ping, site_text
from lanes import wait_lane
from net import packet_socket, wait_for
from scene import A, B, HOST, TUNNEL, UNDERLAY
from ticker import last_after
from wire import Watch

UDP_SEGMENT = 103  # of linux/udp.h
IPV6_DSTOPTS = 59  # of linux/in6.h
PADDED = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # destination options that ask for nothing
PIECE, PIECES = 1000, 40
SECOND = 1.0
ELSEWHERE = "02:00:00:00:00:77"


class Flood:
    """Super-packets to an address, hostB's unless told otherwise, about 20,000 datagrams a second; with
    `options`, which the kernel lanes leave to greteld, over IPv6."""

    def __init__(self, namespace, address=HOST[4][B], options=b""):
        self.sock = udp(namespace, 6 if options else 4)
        self.sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, PIECE)
        if options:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, options)
        self.sock.connect((address, 6000))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self):
        data = bytes(PIECE * PIECES)
        while not self._stop.wait(0.002):
            try:
                self.sock.send(data)
            except OSError:
                continue  # the network says that it stopped: that is the test

    def close(self):
        self._stop.set()
        self._thread.join(5)
        self.sock.close()


def seen_by_netfilter(router):
    text = router.run(["nft", "-j", "list", "counter", "inet", "watch", "out"]).stdout
    return int(text.split('"packets": ')[1].split(",")[0])


def by_greteld(router, way):
    """What the tunnel's interface has counted, "rx" or "tx": packets that passed greteld."""
    return router.link(NAME)["stats64"][way]["packets"]


def busy(scene, tmp_path, undo, outer):
    """The tunnel under load, until most of its packets leave without passing netfilter."""
    both_up(scene, tmp_path, outer=outer)
    undo.callback(Sink(scene.host[B], 4, 6000).close)
    ping(scene.host[A], HOST[4][B])
    return becomes_direct(scene, undo, Flood(scene.host[A]))


def becomes_direct(scene, undo, flood):
    """The flood by A, until most of its packets leave without passing netfilter."""
    router = scene.router[A]
    undo.callback(flood.close)
    router.nft("table inet watch { counter out { }\n chain o { type filter hook output priority 1\n"
               " meta l4proto 47 counter name out\n }\n }")
    watch = Watch(scene.wire, "a")
    undo.callback(watch.close)
    state = [0, 0]

    def direct():
        before, state[:] = list(state), [seen_by_netfilter(router), watch.count]
        return state[1] - before[1] > 500 and (state[0] - before[0]) * 2 < state[1] - before[1]
    wait_for(direct, 10, lambda: f"netfilter and wire saw {state}", interval=0.2)
    return router, watch


# What somebody does to the output path: (do, undo) of one router, for the outer family.
STOPS = {
    "firewall": (lambda r, f: r.nft("table inet fw { chain o { type filter hook output priority 0\n"
                                    " meta l4proto 47 drop\n }\n }"),
                 lambda r, f: r.nft("delete table inet fw")),
    "policy": (lambda r, f: r.ip(f"xfrm policy add src {UNDERLAY[f][A]} dst {UNDERLAY[f][B]} "
                                 "dir out action block"),
               lambda r, f: r.ip("xfrm policy flush")),
    "route": (lambda r, f: r.ip(f"route add blackhole {UNDERLAY[f][B]}"),
              lambda r, f: r.ip(f"route del blackhole {UNDERLAY[f][B]}")),
    "device": (lambda r, f: r.ip("link set dev bond0 down"), None),
}


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("how", STOPS)
def test_stopped_within_a_second(scene, tmp_path, undo, how, outer):
    router, watch = busy(scene, tmp_path, undo, outer)
    stop, resume = STOPS[how]
    stop(router, outer)
    last_after(lambda: {"last_ns": watch.last_ns})
    if resume:
        resume(router, outer)
        before = watch.count
        wait_for(lambda: watch.count > before + 500, 10, "the tunnel carries again")


@pytest.mark.parametrize("outer", (4, 6))
def test_follows_a_neighbour_within_a_second(scene, tmp_path, undo, outer):
    router, watch = busy(scene, tmp_path, undo, outer)
    before = watch.station
    router.ip(f"neigh replace {UNDERLAY[outer][B]} lladdr {ELSEWHERE} dev bond0 nud permanent")
    last_after(lambda: watch.to(before))
    assert watch.station == ELSEWHERE


def test_stopped_at_the_receiver(scene, tmp_path, undo):
    """A drop in the input chain of the other router."""
    busy(scene, tmp_path, undo, 4)
    scene.router[B].nft("table inet fw { chain i { type filter hook input priority 0\n meta l4proto 47 drop\n }\n }")
    stopped = time.monotonic()
    wait_for(lambda: time.monotonic() > stopped + SECOND, 5)
    before = by_greteld(scene.router[B], "rx")
    wait_for(lambda: time.monotonic() > stopped + 1.5 * SECOND, 5)
    assert by_greteld(scene.router[B], "rx") == before


def test_nat_of_the_outer_packet_is_obeyed(scene, tmp_path, undo):
    """Where others' rules translate the outer source (`notrack = no` leaves it to them), no packet
    leaves without the translation, so every one takes the kernel's path."""
    public, router = "172.19.1.77", scene.router[A]
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, notrack="no"))
             for side in (A, B)}
    sites[B].edit(f"remote = {UNDERLAY[4][A]}", f"remote = {public}")
    router.ip(f"address add {public}/24 dev bond0")
    router.nft("table inet watch { counter out { }\n chain o { type filter hook output priority 1\n"
               " meta l4proto 47 counter name out\n }\n"
               " chain nat { type nat hook postrouting priority 100\n"
               f" ip protocol gre snat ip to {public}\n }}\n }}")
    # A begins: the connection tracker has to know the tunnel by A's packets.
    sites[A].up()
    router.run(["ping", "-n", "-q", "-c", 1, "-W", 1, TUNNEL[4][B]], check=False)
    sites[B].up()
    undo.callback(Sink(scene.host[B], 4, 6000).close)
    ping(scene.host[A], HOST[4][B])
    with packet_socket(scene.wire, "a") as wire:
        undo.callback(Flood(scene.host[A]).close)
        wait_for(lambda: seen_by_netfilter(router) > 20000, 20, "the flood does not flow")
        frames = [wire.recv(100) for _ in range(5000)]
    sources = {socket.inet_ntoa(frame[26:30]) for frame in frames if frame[23] == 47}
    assert sources == {public}


def test_no_lane_keeps_another_open(scene, tmp_path, undo):
    """Two floods in one tunnel, one in the TC lane and one in greteld's: what the first sends is no sign for
    the second that the output path lets anything pass. Nobody announces a policy."""
    sites = both_up(scene, tmp_path, lane="tc")
    for site in sites.values():
        wait_lane(site, "tc")
    for family in (4, 6):
        undo.callback(Sink(scene.host[B], family, 6000, HOST[family][B]).close)
        ping(scene.host[A], HOST[family][B])
    router, watch = becomes_direct(scene, undo, Flood(scene.host[A]))
    left = by_greteld(router, "tx")
    undo.callback(Flood(scene.host[A], HOST[6][B], PADDED).close)
    wait_for(lambda: by_greteld(router, "tx") > left + 500, 10, "greteld has the other flood")
    STOPS["policy"][0](router, 4)
    last_after(lambda: {"last_ns": watch.last_ns})


def test_what_is_not_busy_is_the_kernels(scene, tmp_path):
    """No lease for a few pings: all of them pass the output chain."""
    site = both_up(scene, tmp_path, lane="user")[A]
    ping(scene.host[A], HOST[4][B])
    scene.router[A].nft("table inet watch { counter out { }\n chain o { type filter hook output "
                        "priority 1\n meta l4proto 47 counter name out\n }\n }")
    before = site.tunnel()["tx"]["packets"]
    scene.host[A].run(["ping", "-n", "-q", "-c", 200, "-i", "0.01", HOST[4][B]])
    # Netfilter's counter began earlier and is read later: what the host says by itself may be in it.
    carried = site.tunnel()["tx"]["packets"] - before
    assert 200 <= carried <= seen_by_netfilter(scene.router[A])
