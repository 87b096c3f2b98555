# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 2003 3.2: packets that a tunnel would put into itself, and passengers from its own ends."""
import socket

from bench import LAN_HOST, far, name, outbound
from net import packet_socket
from peer import gre
from scapy.all import IP, UDP, IPv6
from scene import A, B, UNDERLAY


def into(bench, kind, outer, packet):
    """Straight to the tunnel's interface, as if a route led there."""
    protocol = 0x86DD if isinstance(packet, IPv6) else 0x0800
    with packet_socket(bench.router, name(kind, outer), socket.SOCK_DGRAM, protocol) as sock:
        sock.sendto(bytes(packet), (name(kind, outer), protocol))


def outer_packet(bench, outer, **fields):
    return bench.peer.outer(outer, **{"src": UNDERLAY[outer][A], "dst": UNDERLAY[outer][B]} | fields)


def test_outer_packet_as_passenger(bench, outer):
    """What this tunnel has sent, or might have, is not encapsulated by it again."""
    for header in (gre(), gre(key=7, seq=1), gre(proto=0x6558)):
        into(bench, "key", outer, outer_packet(bench, outer) / header / outbound("key", 4, outer))
    assert not bench.sent("key", outer)
    bench.wait_drops("key", {"tx-loop": 3}, outer)


def test_nearly_an_outer_packet(bench, outer):
    """Another protocol between the same two addresses, or GRE to another one, is a passenger."""
    elsewhere = "172.19.1.9" if outer == 4 else "2001:db8:19::9"
    into(bench, "key", outer, outer_packet(bench, outer) / UDP(sport=1, dport=2) / b"odd")
    into(bench, "key", outer, outer_packet(bench, outer, dst=elsewhere) / gre() / outbound("key", 4, outer))
    assert len(bench.sent("key", outer)) == 2
    assert not bench.drops("key", outer)


def test_from_the_ends_themselves(bench, outer):
    """Passengers whose source is the router's own address, or the peer's, pass: against RFC 2003."""
    number = far("key", 4, outer).split(".")[2]
    for source in (UNDERLAY[4][A], UNDERLAY[4][B], f"10.200.{number}.1"):
        into(bench, "key", outer, IP(src=source, dst=far("key", 4, outer)) / UDP(sport=1, dport=2) / b"odd")
    assert len(bench.sent("key", outer)) == 3


def test_many_headers_deep(bench, outer):
    """A packet in a packet in a packet is a passenger like others; only the outermost is taken off."""
    packet = UDP(sport=1, dport=2) / b"odd"
    for _ in range(50 if outer == 4 else 25):
        packet = bench.peer.outer(outer, src=far("key", outer, outer), dst=LAN_HOST[outer]) / gre() / packet
    inner = packet.__class__(bytes(packet))
    bench.send("key", inner, outer, bench.header("key"))
    came, = bench.delivered("key", outer)
    assert bytes(came).endswith(bytes(inner)[40:])
