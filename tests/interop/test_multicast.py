# SPDX-License-Identifier: GPL-2.0-or-later
"""A multicast stream from one LAN to the other by PIM, over a network that carries no multicast."""
import socket
import struct

import pytest
from flow import Sink, Stream, udp
from frr import Frr
from gretel import NAME, both_up
from net import wait_for
from scene import A, B, HOST, LAN, ROUTER, TUNNEL, Scene, other
from wire import Capture, tshark

GROUP, PORT = "239.1.2.3", 5000
PACKETS = 1000
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # the socket module does not have them
# Neither multicast nor what is addressed to all, except for ARP.
UNDERLAY_RULES = """table bridge nobody {
    chain forward {
        type filter hook forward priority 0
        ether type arp accept
        meta pkttype { multicast, broadcast } counter drop
    }
}
"""


def pim(side):
    """The routes name the peer, since PIM looks for the neighbour that a route leads to; ours lead to the
    interface."""
    listens = " ip igmp\n" if side == B else ""
    return f"""ip pim rp {ROUTER[4][A]} 239.0.0.0/8
ip route {LAN[4][other(side)]} {TUNNEL[4][other(side)]}
interface {NAME}
 ip pim
 ip pim hello 1
interface eth1
 ip pim
{listens}"""


def neighbours(router):
    return router.show("ip pim neighbor").get(NAME, {})


def received(sink, first=0):
    return {number for number in sink.numbers.get(HOST[4][A], ()) if number >= first}


@pytest.fixture
def stream(undo, tmp_path):
    """(scene, sender, sink): two routers that are neighbours of PIM, a host that has joined, and one that
    may send."""
    scene = undo.enter_context(Scene())
    scene.wire.nft(UNDERLAY_RULES)
    allow = [f"{LAN[4][A]} <-> {LAN[4][B]}", f"{LAN[4][A]} -> 239.0.0.0/8"]
    both_up(scene, tmp_path, route=[], forward={"allow": allow})
    # Here a checksum that conntrack has verified follows the packet into the host, since a cable of this
    # test is only memory, and multicast forwarding does not say that the packet was changed.
    scene.router[B].sysctl("net.netfilter.nf_conntrack_checksum", 0)
    routers = [Frr(scene.router[side], undo, pim(side), "staticd", "pimd") for side in (A, B)]
    wait_for(lambda: all(map(neighbours, routers)), 15, lambda: [neighbours(router) for router in routers])
    sink = Sink(scene.host[B], 4, PORT)
    undo.callback(sink.close)
    membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(HOST[4][B]))
    sink.sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    sender = udp(scene.host[A], 4)
    undo.callback(sender.close)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
    sender.connect((GROUP, PORT))

    def flows():
        sender.send(struct.pack("!I", 0) + bytes(96))
        return received(sink)
    wait_for(flows, 20, lambda: [scene.router[side].run(["ip", "mroute"]).stdout for side in (A, B)])
    return scene, sender, sink


def test_pim(stream, tmp_path):
    """Every datagram of the stream arrives; on the underlay each is a GRE packet to the peer."""
    scene, sender, sink = stream
    sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path, "proto 47"):
        running = Stream([sender], rate=2000)
        wait_for(lambda: running.sent > PACKETS, 15)
        sent = running.stop()
        wait_for(lambda: received(sink) >= set(range(sent)), 5,
                 lambda: f"{sent - len(received(sink))} of {sent} are missing")
    rows = tshark(path, ("eth.dst", "ip.ttl"), f"ip.dst == {GROUP}")
    assert len(rows) >= PACKETS and {row["ip.ttl"][1] for row in rows} == {"7"}
    assert {row["eth.dst"][0] for row in rows} == {scene.router[B].mac("bond0")}


def test_burst(stream):
    """Several datagrams at once, with DF as Linux sends them: what is bundled on the way is still cut."""
    scene, sender, sink = stream
    for number in range(1, PACKETS + 1):
        sender.send(struct.pack("!I", number) + bytes(96))
        if number % 200 == 0:
            wait_for(lambda: len(received(sink, 1)) == number, 3, lambda: f"{number - len(received(sink, 1))} of "
                     f"{number} are missing; " + scene.router[B].run(["nstat", "-asz", "IpFragFails"]).stdout)
