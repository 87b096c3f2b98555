# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets made by scapy are accepted or refused as they should be, and its decoder reads ours."""
import itertools
import socket

import pytest
from flow import udp
from gretel import NAME, Site, site_text
from net import packet_socket, wait_for
from peer import MAC, gre
from scapy.all import GRE, ICMP, IP, UDP, Ether, IPOption_NOP, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, Raw
from scene import A, B, HOST, UNDERLAY, other
from wire import Capture, tshark

KEY = 0xC0FFEE01


def up(scene, side, tmp_path, **keys):
    site = Site(scene.router[side], tmp_path / side, site_text(side, **keys))
    site.up()
    return site


def echo(inner, side):
    """A ping from the far host to the host behind `side`, and what its answer is."""
    far, near = HOST[inner][other(side)], HOST[inner][side]
    if inner == 4:
        return IP(src=far, dst=near) / ICMP(id=77, seq=1) / Raw(b"x" * 57)
    return IPv6(src=far, dst=near) / ICMPv6EchoRequest(id=77, seq=1, data=b"x" * 57)


def is_reply(packet, inner):
    if inner == 4:
        return ICMP in packet and packet[ICMP].type == 0 and packet[ICMP].id == 77
    return ICMPv6EchoReply in packet and packet[ICMPv6EchoReply].id == 77


@pytest.mark.parametrize("side, outer", itertools.product((A, B), (4, 6)))
def test_every_flag_set_both_families(make_peer, tmp_path, side, outer):
    """All eight sets of checksum, key and sequence are accepted where the tunnel allows them, and
    the answers of the tunnel are what scapy reads."""
    scene, peer = make_peer(side)
    site = up(scene, side, tmp_path, outer=outer, key=KEY, checksum="yes")
    for number, (csum, seq, inner) in enumerate(itertools.product((False, True), (False, True), (4, 6))):
        header = gre(key=KEY, csum=csum, seq=1000 + number if seq else None)
        peer.send(peer.outer(outer) / header / echo(inner, side))
        answer = peer.receive(lambda p: GRE in p and is_reply(p[GRE], inner))
        assert (answer.src, answer.dst) == (UNDERLAY[outer][side], UNDERLAY[outer][other(side)])
        sent = answer[GRE]
        assert (sent.key, sent.chksum_present, sent.seqnum_present) == (KEY, 1, 0)
        assert (sent.version, sent.routing_present, sent.strict_route_source, sent.recursion_control,
                sent.flags) == (0, 0, 0, 0, 0)
        passenger = sent[IP if inner == 4 else IPv6]
        assert (passenger.src, passenger.dst) == (HOST[inner][side], HOST[inner][other(side)])
        assert bytes(passenger).endswith(b"x" * 57)
    assert not site.drops() and not site.stray()


def test_another_key_has_other_numbers(make_peer, tmp_path):
    """What the file gives another key is another stream: its numbers begin anywhere, at once."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, key=KEY, sequence="receive")

    def ask(key, number):
        peer.drain()
        peer.send(peer.outer(4) / gre(key=key, seq=number) / echo(4, A))
        peer.receive(lambda p: GRE in p and is_reply(p[GRE], 4))
    ask(KEY, 5000)
    site.edit(f"key = {KEY}", f"key = {KEY + 1}")
    site.reload()
    ask(KEY + 1, 0)
    ask(KEY + 1, 1)
    # What changes nothing of that goes on with them.
    site.edit("sequence = receive", "sequence = receive\nttl = 9")
    site.reload()
    peer.send(peer.outer(4) / gre(key=KEY + 1, seq=1) / echo(4, A))
    wait_for(lambda: site.drops() == {"rx-sequence": 1}, what=site.drops)


REFUSED = {
    "rx-key-missing": gre(), "rx-key-wrong": gre(key=KEY + 1), "rx-checksum": gre(key=KEY, csum=True, chksum=1),
    "rx-version": gre(key=KEY, version=1), "rx-routing": gre(key=KEY, routing_present=1),
    "rx-reserved": gre(key=KEY, strict_route_source=1), "rx-protocol": gre(key=KEY, proto=0x6558),
}


@pytest.mark.parametrize("outer", (4, 6))
def test_refused_and_counted(make_peer, tmp_path, outer):
    """Each fault has its reason and its counter, and nothing reaches the LAN."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, outer=outer, key=KEY)
    expected = {}
    with Capture(scene.host[A], "eth0", tmp_path / "lan.pcap", "icmp"):
        for reason, header in REFUSED.items():
            for _ in range(3):
                peer.send(peer.outer(outer) / header / echo(4, A))
            expected[reason] = 3
        wait_for(lambda: counted(site) == expected, 5, lambda: f"{counted(site)}, not {expected}")
    assert not tshark(tmp_path / "lan.pcap", ("frame.number",), "icmp")


def counted(site):
    """Drops of the tunnel and of no tunnel together: where a packet is counted is not asked here."""
    total = dict(site.stray())
    for reason, count in site.drops().items():
        total[reason] = total.get(reason, 0) + count
    return {reason: count for reason, count in total.items() if reason.startswith("rx-")}


def test_key_on_a_keyless_tunnel(make_peer, tmp_path):
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path)
    peer.send(peer.outer() / gre(key=5) / echo(4, A))
    wait_for(lambda: counted(site) == {"rx-key-unexpected": 1}, 5, lambda: counted(site))


def test_spoofed_source(make_peer, tmp_path):
    """A packet from somebody else's address is not decapsulated, and counted."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path)
    scene.router[A].ip("neigh replace 172.19.1.66 lladdr 02:00:00:00:00:99 dev bond0")
    with Capture(scene.host[A], "eth0", tmp_path / "lan.pcap", "icmp"):
        for _ in range(5):
            peer.send(peer.outer(src="172.19.1.66") / GRE() / echo(4, A))
        wait_for(lambda: counted(site) == {"rx-source": 5}, 5, lambda: counted(site))
    assert not tshark(tmp_path / "lan.pcap", ("frame.number",), "icmp")


def test_checksum_required(make_peer, tmp_path):
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, checksum="require")
    peer.send(peer.outer() / gre() / echo(4, A))
    wait_for(lambda: counted(site) == {"rx-checksum-missing": 1}, 5, lambda: counted(site))
    peer.send(peer.outer() / gre(csum=True) / echo(4, A))
    assert is_reply(peer.receive_gre(ICMP), 4)


def test_old_sequence_numbers(make_peer, tmp_path):
    """RFC 2890 2.2: old and repeated numbers are dropped, gaps and the wrap are not."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, sequence="receive", notrack="yes")
    good = (0xFFFFFFF0, 0xFFFFFFF1, 0xFFFFFFFF, 0, 7)
    old = (7, 6, 0, 0xFFFFFFF1)  # no run that a restarted peer would make
    for number in good:
        peer.send(peer.outer() / gre(seq=number) / echo(4, A))
        peer.receive(lambda p: GRE in p and is_reply(p[GRE], 4))
    for number in old:
        peer.send(peer.outer() / gre(seq=number) / echo(4, A))
    wait_for(lambda: counted(site) == {"rx-sequence": len(old)}, 5, lambda: counted(site))


def test_restarted_peer(make_peer, tmp_path):
    """A peer that begins anew at 0 is heard again after a bounded number of packets."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, sequence="receive")
    for number in range(100000, 100010):
        peer.send(peer.outer() / gre(seq=number) / echo(4, A))
        peer.receive(lambda p: GRE in p and is_reply(p[GRE], 4))
    numbers = itertools.count()

    def heard_again():
        peer.send(peer.outer() / gre(seq=next(numbers)) / echo(4, A))
        try:
            return peer.receive(lambda p: GRE in p and is_reply(p[GRE], 4), 0.05)
        except AssertionError:
            return None
    wait_for(heard_again, 20, "the restarted peer is heard")
    assert site.tunnel()["rx_restarts"] == 1


def test_passenger_for_the_encapsulator(make_peer, tmp_path):
    """RFC 2784 3.1: a passenger addressed to the one that sent it is never sent back."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path)
    peer.send(peer.outer() / GRE() / IP(src=HOST[4][B], dst=UNDERLAY[4][B]) / ICMP())
    wait_for(lambda: counted(site) == {"rx-loop": 1}, 5, lambda: counted(site))


def test_outer_options_and_padding(make_peer, tmp_path):
    """Outer IPv4 options are skipped; octets after the outer total length are not the passenger."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path, checksum="require")
    peer.send(peer.outer(options=[IPOption_NOP()] * 4) / gre(csum=True) / echo(4, A))
    assert is_reply(peer.receive_gre(ICMP), 4)
    packet = bytes(peer.outer() / gre(csum=True) / echo(4, A))
    peer.sock.send(bytes(Ether(src=MAC, dst=peer.device_mac, type=0x0800)) + packet + b"\xaa" * 18)
    assert is_reply(peer.receive_gre(ICMP), 4)
    assert not site.drops()


def test_host_receives_just_the_datagram(make_peer, tmp_path, undo):
    """UDP through the tunnel to a socket of the host: content and source as scapy made them."""
    scene, peer = make_peer(A)
    up(scene, A, tmp_path, key=KEY, sequence="yes", checksum="require")
    for inner, layer in ((4, IP), (6, IPv6)):
        sock = udp(scene.host[A], inner, port=9000 + inner)
        undo.callback(sock.close)
        sock.settimeout(5)
        far = HOST[inner][B]
        peer.send(peer.outer() / gre(key=KEY, seq=500 + inner, csum=True)
                  / layer(src=far, dst=HOST[inner][A]) / UDP(sport=4000, dport=9000 + inner) / b"odd")
        assert sock.recv(100) == b"odd"


@pytest.mark.parametrize("protocol", (0x8847, 0x1234))
def test_other_passengers(make_peer, tmp_path, undo, protocol):
    """MPLS, and an EtherType that nobody knows, pass both ways as they are."""
    scene, peer = make_peer(A)
    site = up(scene, A, tmp_path)
    sock = packet_socket(scene.router[A], NAME, socket.SOCK_DGRAM, protocol)
    sock.settimeout(5)
    undo.callback(sock.close)
    octets = b"\x00\x06\x41\x40" + bytes(IP() / ICMP())
    peer.send_raw(4, b"\x00\x00" + protocol.to_bytes(2, "big") + octets)
    data, address = sock.recvfrom(2000)
    assert (data, address[1]) == (octets, protocol)
    sock.sendto(octets[::-1], (NAME, protocol))
    sent = peer.receive(lambda p: GRE in p and p[GRE].proto == protocol)[GRE]
    assert bytes(sent)[4:] == octets[::-1]
    assert not site.drops()
