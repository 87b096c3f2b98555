# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that were merged before greteld sees them, as a network card's GRO or a virtual link hands
them over: one long packet with an open checksum. They come out as the segments that were sent."""
import fcntl
import os
import select
import socket
import struct

import pytest
from gretel import Site, site_text
from net import offloads_off, packet_socket, veth, wait_for
from peer import MAC, gre, octets_of
from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw
from scene import A, B, HOST, LAN, ROUTER, UNDERLAY

NEEDS_CSUM, GSO_NONE, GSO_TCPV4, GSO_TCPV6 = 1, 0, 1, 4
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000
KEY, SEGMENT, PORT = 7, 1000, 7200
TCP_CHECK = 16


class Card:
    """A's underlay device is a TAP that the test holds: what is written there with an offload header
    arrives as from a card that merges."""

    def __init__(self, router):
        with router.entered():
            self.fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.fd, TUNSETIFF,
                        struct.pack("16sH14x", b"bond0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        router.ip("link set dev bond0 up", f"address add {UNDERLAY[4][A]}/24 dev bond0",
                  f"neigh replace {UNDERLAY[4][B]} lladdr {MAC} dev bond0")
        self.mac = router.mac("bond0")

    def send(self, header, inner, offload=bytes(10)):
        outer = IP(src=UNDERLAY[4][B], dst=UNDERLAY[4][A])
        self.write(bytes(Ether(src=MAC, dst=self.mac) / outer / header / inner), offload)

    def write(self, frame, offload=bytes(10)):
        os.write(self.fd, offload + frame)

    def send_open(self, header, inner, gso_type, gso_size):
        """The checksum field of TCP gets the sum of the pseudo-header only."""
        outer = IP(src=UNDERLAY[4][B], dst=UNDERLAY[4][A])
        frame = bytearray(bytes(Ether(src=MAC, dst=self.mac) / outer / header / inner))
        start = len(frame) - len(bytes(inner[TCP]))
        at = start + TCP_CHECK
        frame[at:at + 2] = struct.pack("!H", pseudo_sum(inner, len(frame) - start))
        self.write(bytes(frame),
                   struct.pack("=BBHHHH", NEEDS_CSUM, gso_type, start + 20, gso_size, start, TCP_CHECK))

    def close(self):
        os.close(self.fd)


def pseudo_sum(packet, length):
    addresses = b"".join(socket.inet_pton(socket.AF_INET if IP in packet else socket.AF_INET6, text)
                         for text in (packet.src, packet.dst))
    total = sum(struct.unpack(f"!{len(addresses) // 2}H", addresses)) + socket.IPPROTO_TCP + length
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def passenger(family, number, octets):
    ip = IP(src=HOST[4][B], dst=HOST[4][A], id=100) if family == 4 else IPv6(src=HOST[6][B], dst=HOST[6][A])
    data = bytes((number + index // SEGMENT) % 251 for index in range(octets))
    return ip / TCP(sport=5000, dport=PORT, flags="PA", seq=number * 100000, ack=1) / data


def segments(sock, deadline=5.0):
    """[(sequence number, payload)] of TCP segments that reach the host, until nothing comes."""
    found = []
    while select.select([sock], [], [], deadline)[0]:
        deadline = 0.3
        packet = Ether(sock.recv(65535))
        if TCP in packet and packet[TCP].dport == PORT:
            check = packet[TCP].chksum
            del packet[TCP].chksum
            assert Ether(bytes(packet))[TCP].chksum == check, "a segment's checksum is wrong"
            found.append((packet[TCP].seq, bytes(packet[TCP].payload)))
    return found


def make_merging(host, tmp_path, undo, **keys):
    near, router = host("hostA"), host("A")
    veth(near, "eth0", router, "eth1")
    offloads_off(near, "eth0")
    offloads_off(router, "eth1")
    for family, flag in ((4, ""), (6, " nodad")):
        length = LAN[family][A].split("/")[1]
        router.ip(f"address add {ROUTER[family][A]}/{length} dev eth1{flag}")
        near.ip(f"address add {HOST[family][A]}/{length} dev eth0{flag}")
    card = Card(router)
    undo.callback(card.close)
    site = Site(router, tmp_path / "A", site_text(A, key=KEY, forward={}, **keys))
    site.up()
    sock = packet_socket(near, "eth0")
    undo.callback(sock.close)
    return card, site, sock


@pytest.fixture
def merging(host, tmp_path, undo):
    """(the card, A's site, what reaches hostA)."""
    return make_merging(host, tmp_path, undo)


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("checksum", (False, True))
def test_a_super_packet_comes_out_as_its_segments(merging, family, checksum):
    card, site, sock = merging
    gso = GSO_TCPV4 if family == 4 else GSO_TCPV6

    def send(number):
        card.send_open(gre(key=KEY, csum=checksum), passenger(family, number, 20500), gso, SEGMENT)

    # How the first one was merged is not known: that is counted, and known of the next.
    send(0)
    wait_for(lambda: site.drops().get("rx-merged") == 1)
    for number in range(1, 6):
        send(number)
    got = segments(sock)
    for number in range(1, 6):
        mine = [(seq, data) for seq, data in got if seq // 100000 == number]
        assert [seq for seq, _ in mine] == [number * 100000 + at for at in range(0, 20500, SEGMENT)]
        whole = bytes(passenger(family, number, 20500)[TCP].payload)
        assert b"".join(data for _, data in mine) == whole
    assert site.drops() == {"rx-merged": 1}
    assert site.tunnel()["rx"]["packets"] == 5 * 21


@pytest.mark.parametrize("octets", (0, 1200))
def test_an_open_checksum_is_completed(merging, octets):
    """One packet whose sender left the checksum to a device that it never met."""
    card, site, sock = merging

    def arrived():
        card.send_open(gre(key=KEY), passenger(4, 1, octets), GSO_NONE, 0)
        return segments(sock, 0.3)
    # Of a long one it has to be seen first that it is not several.
    got = wait_for(arrived)
    assert got[0] == (100000, bytes(passenger(4, 1, octets)[TCP].payload))
    assert sum(site.drops().values()) <= 1


def test_a_wrong_checksum_stays_wrong(merging):
    """A corrupted segment is neither repaired nor bundled: whoever it is for has to see it."""
    card, site, sock = merging
    octets = bytearray(bytes(passenger(4, 1, 500)))
    octets[-1] ^= 1
    for _ in range(3):
        card.send(gre(key=KEY, proto=0x0800), bytes(octets))

    def corrupted():
        packet = Ether(sock.recv(65535))
        return TCP in packet and bytes(packet[IP]).endswith(bytes(octets[20:]))
    sock.settimeout(5)
    for _ in range(3):
        wait_for(corrupted)
    assert not site.drops()


@pytest.mark.parametrize("word, port, between", (("yes", 4754, b""), ("gue", 6080, b"\0\x2f\0\0")), ids=("gre", "gue"))
def test_in_udp(host, tmp_path, undo, word, port, between):
    """The same behind a UDP header, and behind one of GUE. Its checksum is that of the packet whose inner
    checksum is completed, as a kernel makes it that leaves the inner one to a device."""
    card, site, sock = make_merging(host, tmp_path, undo, udp=word)
    header = UDP(sport=50000, dport=port) / Raw(between + octets_of(gre(key=KEY, proto=0x0800)))

    def arrived():
        card.send_open(header, passenger(4, 1, 1200), GSO_NONE, 0)
        return segments(sock, 0.3)
    got = wait_for(arrived)
    assert got[0] == (100000, bytes(passenger(4, 1, 1200)[TCP].payload))
    assert set(site.drops()) <= {"rx-merged"} and sum(site.drops().values()) <= 1


def test_an_open_checksum_of_udp(host, tmp_path, undo):
    """A sender on the same machine leaves the outer checksum to a device that the packet never meets."""
    card, site, sock = make_merging(host, tmp_path, undo, udp="yes")
    outer = IP(src=UNDERLAY[4][B], dst=UNDERLAY[4][A])
    frame = bytearray(bytes(Ether(src=MAC, dst=card.mac) / outer / UDP(sport=50000, dport=4754) /
                            gre(key=KEY) / passenger(4, 1, 1200)))
    start, length = 14 + 20, len(frame) - 34
    sum_of = pseudo_sum(IP(src=UNDERLAY[4][B], dst=UNDERLAY[4][A]), length) - socket.IPPROTO_TCP + socket.IPPROTO_UDP
    frame[start + 6:start + 8] = struct.pack("!H", sum_of)
    card.write(bytes(frame), struct.pack("=BBHHHH", NEEDS_CSUM, GSO_NONE, 0, 0, start, 6))
    assert segments(sock) == [(100000, bytes(passenger(4, 1, 1200)[TCP].payload))]
    assert not site.drops()
