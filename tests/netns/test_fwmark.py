# SPDX-License-Identifier: GPL-2.0-or-later
"""`fwmark`: outer packets leave by the route that belongs to their mark, whatever carries them."""
import ctypes
import re
import socket
import struct

import lanes
import pytest
from flow import tcp_transfer
from gretel import NAME, Site, ping, ping_refused, site_text
from net import PACKET_IGNORE_OUTGOING, SOL_PACKET, packet_socket, wait_for
from scapy.all import ICMP, IP, ICMPv6PacketTooBig, IPv6, Raw
from scene import A, B, GATEWAY, HOST, UNDERLAY

MARK = 42
HEADER = {4: 24, 6: 44}
# Classic BPF, and what the kernel tells it beside the octets.
LOAD_W, LOAD_B, JUMP_EQUAL, RETURN = 0x20, 0x30, 0x15, 0x06
AD_PKTTYPE, AD_MARK = 0xfffff004, 0xfffff014
OUTGOING, ATTACH_FILTER = 4, 26


def rule(router, outer, verb):
    router.run(["ip", f"-{outer}", "rule", verb, "fwmark", MARK, "lookup", 100])


def only_by_mark(router, outer):
    """The peer is out of reach but for packets with the mark, which have a path of 1400 octets."""
    router.ip(f"route add unreachable {UNDERLAY[outer][B]} metric 1",
              f"route add {UNDERLAY[outer][B]} dev bond0 mtu 1400 table 100")
    rule(router, outer, "add")


class Egress:
    """Counts the GRE packets that leave a device with the mark and without it. A packet socket does, since
    a chain at the egress keeps the kernel lanes away."""

    def __init__(self, router, outer, undo):
        self.sockets = []
        for marked in (True, False):
            sock = packet_socket(router, "bond0")
            undo.callback(sock.close)
            self.sockets.append(sock)
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 0)
            self._attach(sock, 23 if outer == 4 else 20, marked)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.getsockopt(SOL_PACKET, lanes.PACKET_STATISTICS, 8)  # a look sets it to zero
        self.total = [0, 0]

    @staticmethod
    def _attach(sock, protocol_at, marked):
        """Outgoing, GRE, and with the mark or not."""
        yes, no = (0, 1) if marked else (1, 0)
        code = [(LOAD_B, 0, 0, AD_PKTTYPE), (JUMP_EQUAL, 0, 5, OUTGOING), (LOAD_B, 0, 0, protocol_at),
                (JUMP_EQUAL, 0, 3, 47), (LOAD_W, 0, 0, AD_MARK), (JUMP_EQUAL, yes, no, MARK),
                (RETURN, 0, 0, 64), (RETURN, 0, 0, 0)]
        octets = b"".join(struct.pack("HBBI", *one) for one in code)
        held = ctypes.create_string_buffer(octets)
        sock.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER,
                        struct.pack("HP", len(code), ctypes.addressof(held)))

    def look(self):
        """Packets so far: [with the mark, without]."""
        for i, sock in enumerate(self.sockets):
            self.total[i] += struct.unpack("II", sock.getsockopt(SOL_PACKET, lanes.PACKET_STATISTICS, 8))[0]
        return self.total


def up(scene, tmp_path, outer, lane):
    """Only A marks its packets."""
    only_by_mark(scene.router[A], outer)
    scene.take_frames()
    texts = {side: site_text(side, outer, lane=lane, keepalive="200ms 3", fwmark=MARK if side == A else None)
             for side in (A, B)}
    sites = {side: Site(scene.router[side], tmp_path / side, text) for side, text in texts.items()}
    for site in sites.values():
        site.up()
    lanes.settle(scene, sites, lane)
    return sites


@pytest.mark.parametrize("lane", ("user", *lanes.LANES))
@pytest.mark.parametrize("outer", (4, 6))
def test_routed_by_mark(scene, tmp_path, undo, outer, lane):
    """Route, MTU and keepalive are those of the mark; no packet leaves without it, also under load.
    When the rule is gone the tunnel has no way any more."""
    egress = Egress(scene.router[A], outer, undo)
    sites = up(scene, tmp_path, outer, lane)
    assert scene.router[A].link(NAME)["mtu"] == 1400 - HEADER[outer]
    assert tcp_transfer(*scene.hosts(), 4, HOST[4][B], 3_000_000, timeout=60)
    ping(scene.host[A], HOST[6][B])
    wait_for(lambda: sites[A].tunnel()["keepalive"]["state"] == "up", 20, sites[A].tunnel)
    marked, bare = egress.look()
    assert bare == 0 and marked > (10 if lane == "xdp" else 100), (marked, bare)  # XDP's are not seen
    rule(scene.router[A], outer, "del")
    wait_for(lambda: sites[A].tunnel()["keepalive"]["state"] == "down", 20, sites[A].tunnel)
    ping_refused(scene.host[A], HOST[4][B])
    rule(scene.router[A], outer, "add")
    ping(scene.host[A], HOST[4][B], deadline=30)
    lanes.wait_lane(sites[A], lane)


@pytest.mark.parametrize("lane", lanes.LANES)
def test_keepalives_are_sent_back_with_the_mark(scene, tmp_path, undo, lane):
    """Also when greteld stands still."""
    egress = Egress(scene.router[A], 4, undo)
    sites = up(scene, tmp_path, 4, lane)
    with lanes.alone({A: sites[A]}):
        before = egress.look()[0]
        wait_for(lambda: egress.look()[0] >= before + 5, 10, lambda: egress.total)
    assert egress.look()[1] == 0


def test_route_into_the_tunnel_by_mark(scene, tmp_path):
    """A route of the mark's table that leads the outer packets into the tunnel is refused; to one of the
    main table, which they do not meet, no way has to be pinned."""
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A, fwmark=MARK, route=f"{UNDERLAY[4][B]}/32 table 100"))
    router.run(["ip", "rule", "add", "fwmark", MARK, "lookup", 100])
    router.ip(f"route add {UNDERLAY[4][B]} dev bond0 table 100 metric 5")
    refused = site.gretel("up", check=False)
    assert refused.returncode != 0
    assert re.search(r"over My_Tunnel would lead the outer packets", refused.stderr), refused.stderr
    site.write(site_text(A, fwmark=MARK, route="172.19.1.0/25"))
    assert "pin" not in site.plan().stdout
    site.up()


def test_doctor_asks_with_the_mark(scene, tmp_path, undo):
    """What the doctor sends takes the way of the tunnel's packets."""
    egress = Egress(scene.router[A], 4, undo)
    sites = up(scene, tmp_path, 4, "user")
    told = sites[A].gretel("doctor", NAME, check=False, timeout=60)
    assert "no route" not in told.stdout and egress.look()[1] == 0, told.stdout


@pytest.mark.parametrize("outer", (4, 6))
def test_narrower_path_is_learnt(make_peer, tmp_path, outer):
    """An error about a marked packet makes the path of the mark narrower, and the tunnel with it."""
    scene, peer = make_peer(A)
    router = scene.router[A]
    router.ip(f"route add {UNDERLAY[outer][B]} dev bond0 table 100")
    rule(router, outer, "add")
    Site(router, tmp_path / A, site_text(A, outer, fwmark=MARK)).up()

    def told():
        scene.host[A].run(["ping", "-c", 1, "-W", "0.1", HOST[4][B]], check=False)
        ours = peer.receive(lambda p: isinstance(p, IP) and p.proto == 47 or isinstance(p, IPv6) and p.nh == 47)
        quoted = Raw(bytes(ours)[:64])
        if outer == 4:
            peer.send(peer.outer(4, src=GATEWAY[4], proto=1) / ICMP(type=3, code=4, nexthopmtu=1400) / quoted)
        else:
            peer.send(peer.outer(6, src=GATEWAY[6]) / ICMPv6PacketTooBig(mtu=1400) / quoted)
        return router.link(NAME)["mtu"] == 1400 - HEADER[outer]
    wait_for(told, 10, lambda: router.link(NAME)["mtu"])
