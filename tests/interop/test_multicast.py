# SPDX-License-Identifier: GPL-2.0-or-later
"""Multicast streams between the LANs, over a network that carries no multicast: by PIM, and by routes of a file."""
import re
import socket
import struct

import pytest
from flow import Sink, Stream, udp
from frr import Frr, Smcroute
from gretel import NAME, both_up
from net import wait_for
from scene import A, B, HOST, LAN, ROUTER, TUNNEL, Scene, other
from wire import Capture, tshark

GROUP, PORT = "239.1.2.3", 5000
STATIC_GROUP = {4: "239.1.2.4", 6: "ff05::1:2:4"}
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


def cables_are_memory(scene):
    """Here a checksum that conntrack has verified follows the packet into the host, and multicast forwarding
    does not say that the packet was changed."""
    for router in scene.router.values():
        router.sysctl("net.netfilter.nf_conntrack_checksum", 0)


def neighbours(router):
    return router.show("ip pim neighbor").get(NAME, {})


def received(sink, first=0, source=HOST[4][A]):
    return {number for number in sink.numbers.get(source, ()) if number >= first}


def expects(router, device):
    """Whether the kernel forwards what A's host sends to the group, if it comes by this device."""
    table = router.run(["ip", "mroute"]).stdout
    return re.search(rf"^\({HOST[4][A]},{GROUP}\)\s+Iif: {device}\s.*State: resolved", table, re.M)


def index(host):
    return host.link("eth0")["ifindex"]


def joined(scene, undo, side, group, port):
    """A sink of `side`'s host that is a member of the group; `group` is an address of IPv4 or IPv6."""
    family = 6 if ":" in group else 4
    sink = Sink(scene.host[side], family, port)
    undo.callback(sink.close)
    if family == 4:
        sink.sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                             struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(HOST[4][side])))
    else:
        sink.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                             struct.pack("16sI", socket.inet_pton(socket.AF_INET6, group), index(scene.host[side])))
    return sink


def speaker(scene, undo, side, group, port):
    """A socket of `side`'s host that sends to the group, over some routers."""
    family = 6 if ":" in group else 4
    sender = udp(scene.host[side], family)
    undo.callback(sender.close)
    if family == 4:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
    else:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index(scene.host[side]))
    sender.connect((group, port))
    return sender


@pytest.fixture
def stream(undo, tmp_path):
    """(scene, sender, sink): two routers that are neighbours of PIM, a host that has joined, and one that
    may send."""
    scene = undo.enter_context(Scene())
    scene.wire.nft(UNDERLAY_RULES)
    allow = [f"{LAN[4][A]} <-> {LAN[4][B]}", f"{LAN[4][A]} -> 239.0.0.0/8"]
    both_up(scene, tmp_path, route=[], forward={"allow": allow})
    cables_are_memory(scene)
    routers = [Frr(scene.router[side], undo, pim(side), "staticd", "pimd") for side in (A, B)]
    wait_for(lambda: all(map(neighbours, routers)), 30, lambda: [neighbours(router) for router in routers])
    sink = joined(scene, undo, B, GROUP, PORT)
    sender = speaker(scene, undo, A, GROUP, PORT)

    def flows():
        """The first datagram comes by the tree that all sources share; when PIM makes the source's own of it, the
        kernel drops what comes until the device to expect it on is right, too."""
        sender.send(struct.pack("!I", 0) + bytes(96))
        return received(sink) and all(expects(scene.router[side], device) for side, device in ((A, "eth1"), (B, NAME)))
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


def static(family):
    """smcroute.conf: what comes from the LAN goes into the tunnel, and the reverse."""
    return "".join(f"phyint {device} enable\n" for device in ("eth1", NAME)) + "".join(
        f"mroute from {here} group {STATIC_GROUP[family]} to {there}\n" for here, there in (("eth1", NAME), (NAME, "eth1")))


@pytest.mark.parametrize("family", (4, 6))
def test_static_routes(undo, tmp_path, family):
    """SMCRoute on both routers, nothing that speaks between them: a stream each way at once, every datagram."""
    scene, group = undo.enter_context(Scene()), STATIC_GROUP[family]
    scene.wire.nft(UNDERLAY_RULES)
    allow = [f"{LAN[family][side]} -> {group}" for side in (A, B)]
    both_up(scene, tmp_path, route=[], forward={"allow": allow})
    cables_are_memory(scene)
    routers = [Smcroute(scene.router[side], tmp_path / f"smcroute{side}", static(family)) for side in (A, B)]
    sinks = {side: joined(scene, undo, side, group, PORT) for side in (A, B)}
    senders = {side: speaker(scene, undo, other(side), group, PORT) for side in (A, B)}

    def came(side, first=0):
        return received(sinks[side], first, HOST[family][other(side)])

    def flows():
        for sender in senders.values():
            sender.send(struct.pack("!I", 0) + bytes(96))
        return came(A) and came(B)
    wait_for(flows, 10, lambda: [router.told() for router in routers])
    with Capture(scene.wire, "a", tmp_path / "wire.pcap", "proto 47"):
        streams = {side: Stream([sender], rate=1000) for side, sender in senders.items()}
        wait_for(lambda: all(stream.sent > PACKETS for stream in streams.values()), 20)
        sent = {side: stream.stop() for side, stream in streams.items()}
        wait_for(lambda: all(came(side) >= set(range(sent[side])) for side in (A, B)), 5,
                 lambda: {side: f"{sent[side] - len(came(side))} of {sent[side]} are missing" for side in (A, B)})
    names = {4: ("ip.dst", "ip.src"), 6: ("ipv6.dst", "ipv6.src")}[family]
    rows = tshark(tmp_path / "wire.pcap", names, f"gre and {names[0]} == {group}")
    for side in (A, B):
        assert sum(row[names[1]][-1] == HOST[family][side] for row in rows) >= PACKETS
