# SPDX-License-Identifier: GPL-2.0-or-later
"""The other router, played by the test: scapy makes its packets and reads the answers."""
import select
import struct
import time

from net import Failed, packet_socket
from scapy.all import GRE, ICMP, IP, Ether, ICMPv6DestUnreach, IPv6
from scene import UNDERLAY, other

MAC = "02:00:00:00:00:99"
PORT = {"A": "a", "B": "b"}


class Peer:
    """Sits on the open wire in front of router `side` and owns the other router's addresses."""

    def __init__(self, scene, side):
        self.side, self.router = side, scene.router[side]
        self.device_mac = self.router.mac("bond0")
        for family in (4, 6):
            self.router.ip(f"neigh replace {UNDERLAY[family][other(side)]} lladdr {MAC} dev bond0")
        self.sock = packet_socket(scene.wire, PORT[side])

    def outer(self, family=4, **fields):
        """The outer header of a packet to the router, unless `fields` say otherwise."""
        fields = {"src": UNDERLAY[family][other(self.side)], "dst": UNDERLAY[family][self.side]} | fields
        return IP(**fields) if family == 4 else IPv6(**fields)

    def frame(self, packet):
        return bytes(Ether(src=MAC, dst=self.device_mac) / packet)

    def send(self, packet):
        self.sock.send(self.frame(packet))

    def send_raw(self, family, octets, **fields):
        """An outer header with these octets in place of GRE."""
        name = "proto" if family == 4 else "nh"
        self.send(self.outer(family, **{name: 47}, **fields) / octets)

    def receive(self, wanted, deadline=5.0):
        """The next packet from the router for which wanted(packet) is true, without Ethernet."""
        end, seen = time.monotonic() + deadline, []
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                break
            packet = Ether(self.sock.recv(65535)).payload
            if wanted(packet):
                return packet
            seen.append(packet.summary())
        raise Failed(f"no such packet within {deadline} s, but: {seen[-10:]}")

    def receive_gre(self, inside=None, deadline=5.0):
        """The next GRE packet, with a layer `inside` if given; an ICMP error that quotes one is none."""
        return self.receive(lambda p: isinstance(p.payload, GRE) and (inside is None or inside in p[GRE]),
                            deadline)

    def drain(self):
        """Forgets what came so far."""
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(65535)


def unreachable(family):
    """For receive(): the router says that it takes no such packet, port unreachable."""
    def wanted(packet):
        if family == 6:
            return ICMPv6DestUnreach in packet and packet[ICMPv6DestUnreach].code == 4
        return ICMP in packet and (packet[ICMP].type, packet[ICMP].code) == (3, 3)
    return wanted


def gre(key=None, seq=None, csum=False, **fields):
    """A GRE header with just these optional fields."""
    words = {"chksum_present": int(csum)} | fields
    if key is not None:
        words |= {"key_present": 1, "key": key}
    if seq is not None:
        words |= {"seqnum_present": 1, "sequence_number": seq}
    return GRE(**words)


def octets_of(packet):
    """What the packet is on the wire."""
    return bytes(packet)


def be32(value):
    return struct.pack("!I", value)
