# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that may not be fragmented, one as long as the tunnel takes and one an octet longer, over underlays
from 1280 to 9000 octets, in each lane: the first passes, the other's source is told so."""
import select
import time

import pytest
from gretel import NAME, ping
from lanes import up
from net import Failed, packet_socket, wait_for
from scapy.all import ICMP, IP, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, Raw
from scene import HOST, ROUTER, TUNNEL, A, B

HEADER = {4: 24, 6: 44}  # outer header and the four octets of plain GRE
# With less room an IPv6 passenger of this length has its outer packet fragmented (RFC 7676). Then the
# interface takes what IPv4 passengers may not have, and greteld tells them by the address of the other end.
IPV6_LEAST = 1280
UNDERLAYS = (9000, 1500, 1476, 1400, 1280)
LAN_MTU = 9200


class Ladder:
    """Host A sends echo requests of a chosen length to host B, and reads what comes back."""

    def __init__(self, scene, undo):
        self.host, self.number = scene.host[A], 0
        self.mac, self.router_mac = self.host.mac("eth0"), scene.router[A].mac("eth1")
        self.sock = packet_socket(self.host, "eth0")
        undo.callback(self.sock.close)

    def send(self, family, length):
        """One that may not be fragmented; returns it without Ethernet."""
        self.number += 1
        if family == 4:
            packet = IP(src=HOST[4][A], dst=HOST[4][B], flags="DF", id=self.number) / ICMP(id=7, seq=self.number)
        else:
            packet = IPv6(src=HOST[6][A], dst=HOST[6][B]) / ICMPv6EchoRequest(id=7, seq=self.number)
        octets = bytes(packet / Raw(bytes(n % 251 for n in range(length - len(packet)))))
        self.sock.send(bytes(Ether(src=self.mac, dst=self.router_mac, type=0x0800 if family == 4 else 0x86DD))
                       + octets)
        return octets

    def answer(self, wanted, deadline):
        """The first packet for which wanted(packet) is true; None if there is none."""
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                break
            packet = Ether(self.sock.recv(65535)).payload
            if wanted(packet):
                return packet
        return None

    def passes(self, family, length):
        """Host B has answered, at the latest the third of them: a neighbour may have to be found first."""
        for _ in range(3):
            sent = self.send(family, length)

            def wanted(packet):
                reply = packet.getlayer(ICMP if family == 4 else ICMPv6EchoReply)
                return reply and reply.seq == self.number and reply.type in (0, 129) \
                    and bytes(packet)[-len(sent) + 60:] == sent[60:]
            if self.answer(wanted, 3):
                return
        raise Failed(f"IPv{family}, {length} octets: no answer")

    def is_told(self, family, length, mtu, by):
        """An error from this address, about this packet, with this MTU. One source is told only so often:
        then the next packet gets it."""
        def wanted(packet):
            if family == 4:
                return ICMP in packet and (packet[ICMP].type, packet[ICMP].code) == (3, 4)
            return ICMPv6PacketTooBig in packet
        for _ in range(5):
            sent = self.send(family, length)
            packet = self.answer(wanted, 1)
            if packet:
                break
        assert packet, f"IPv{family}, {length} octets: its source is not told"
        error = packet[ICMP] if family == 4 else packet[ICMPv6PacketTooBig]
        assert (packet.src, packet.dst) == (by, HOST[family][A])
        assert (error.nexthopmtu if family == 4 else error.mtu) == mtu
        quoted, header = bytes(error.payload), 20 if family == 4 else 40
        assert len(quoted) >= 28 and quoted[header:] == sent[header:len(quoted)]
        assert quoted[header - 16 if family == 6 else 12:header] == sent[header - 16 if family == 6 else 12:header]


def widen(scene, underlay):
    """The same MTU from end to end between the routers."""
    for side, port in ((A, "a"), (B, "b")):
        scene.router[side].ip(f"link set dev bond0 mtu {underlay}")
        scene.wire.ip(f"link set dev {port} mtu {underlay}")
    scene.wire.ip(f"link set dev br0 mtu {underlay}")


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("lane", ("user", "tc", "xdp"))
def test_ladder(make_scene, tmp_path, undo, lane, outer):
    scene = make_scene(mtu=LAN_MTU)
    for side in (A, B):
        scene.host[side].ip(f"link set dev eth0 mtu {LAN_MTU}")
        scene.router[side].ip(f"link set dev eth1 mtu {LAN_MTU}")
    up(scene, tmp_path, lane, (4, 6), outer=outer)
    ladder = Ladder(scene, undo)
    for underlay in UNDERLAYS:
        room = underlay - HEADER[outer]
        mtu = max(room, IPV6_LEAST)
        widen(scene, underlay)
        wait_for(lambda: all(scene.router[side].link(NAME)["mtu"] == mtu for side in (A, B)), 10,
                 lambda: (underlay, [scene.router[side].link(NAME)["mtu"] for side in (A, B)]))
        for family, most in ((4, room), (6, mtu)):
            ping(scene.host[A], HOST[family][B], count=20)
            ladder.passes(family, most)
            ladder.is_told(family, most + 1, most, ROUTER[family][A] if most == mtu else TUNNEL[family][B])
            ladder.passes(family, most)
