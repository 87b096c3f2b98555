# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers of other makes that answer keepalives: each knows its own form and takes no other.

All of them live on the open wire in front of one router, each with an outer address of its own, and
are played by one thread. They are written from the descriptions of the forms, octet by octet, and
share nothing with the program."""
import random
import select
import socket
import struct
import threading

from net import packet_socket
from peer import MAC
from scene import A, UNDERLAY

PORT = "a"


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def turned(packet):
    """The IP packet as a router forwards it: one hop less to live."""
    octets = bytearray(packet)
    if octets[0] >> 4 == 6:
        octets[7] -= 1
        return bytes(octets)
    octets[8] -= 1
    octets[10:12] = b"\0\0"
    octets[10:12] = struct.pack("!H", checksum(bytes(octets[:20])))
    return bytes(octets)


def header4(source, destination, payload, protocol=47, ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, 0, source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def header6(source, destination, payload, protocol=47):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, source, destination) + payload


class Dialect:
    """`ask_type` is the protocol type of the question, `front` what stands before its passenger,
    `lengths` those that the passenger may have, and `inner_type` its own protocol type."""

    def __init__(self, form, ask_type, lengths, family=4, inner_type=0, front=b"", **keys):
        self.ask_type, self.lengths, self.family = ask_type, lengths, family
        self.inner_type, self.front = inner_type, front
        self.keys = {"keepalive-form": form} | keys
        self.refused = []

    def answer(self, outer, gre):
        """The IP packet to send for the GRE packet `gre` that came in `outer`, or None."""
        flags, kind = struct.unpack("!HH", gre[:4])
        passenger = gre[4 + len(self.front):]
        ip_len = 20 if self.family == 4 else 40
        good = (flags == 0 and kind == self.ask_type and gre[4:].startswith(self.front)
                and len(passenger) in self.lengths
                and struct.unpack("!HH", passenger[ip_len:ip_len + 4]) == (0, self.inner_type)
                and passenger[ip_len - 2 * self.size():ip_len] == self.swapped(outer))
        if good:
            return self.back(outer, passenger)
        self.refused.append(gre.hex())
        return None

    def size(self):
        return 4 if self.family == 4 else 16

    def swapped(self, outer):
        at = 12 if self.family == 4 else 8
        source, destination = outer[at:at + self.size()], outer[at + self.size():at + 2 * self.size()]
        return destination + source

    def back(self, outer, passenger):
        return turned(passenger)


class Inside(Dialect):
    """Asked between the inner addresses; the answer comes through the tunnel."""

    INNER = bytes([10, 77, 0, 2, 10, 77, 0, 1])

    def __init__(self):
        super().__init__("inside", 0x0800, (24,), address="10.77.0.1 peer 10.77.0.2")

    def swapped(self, outer):
        return self.INNER

    def back(self, outer, passenger):
        return header4(outer[16:20], outer[12:16], struct.pack("!HH", 0, 0x0800) + turned(passenger))


class Echo(Dialect):
    """Answers echo requests that come through the tunnel."""

    def __init__(self):
        super().__init__("auto", 0x0800, (44,), address="10.78.0.1 peer 10.78.0.2", probe="icmp 10.78.0.2")

    def answer(self, outer, gre):
        ip, icmp = gre[4:24], bytearray(gre[24:])
        if gre[:4] != b"\0\0\x08\0" or ip[9] != 1 or icmp[0] != 8 or checksum(bytes(icmp)) != 0:
            self.refused.append(gre.hex())
            return None
        icmp[0], icmp[2:4] = 0, b"\0\0"
        icmp[2:4] = struct.pack("!H", checksum(bytes(icmp)))
        reply = header4(ip[16:20], ip[12:16], bytes(icmp), 1)
        return header4(outer[16:20], outer[12:16], struct.pack("!HH", 0, 0x0800) + reply)


def dialects():
    """{name: peer}; outer addresses go by the position."""
    return {
        "cisco": Dialect("cisco", 0x0800, (24,)),
        "cisco-cmd": Dialect("cisco-cmd", 0x8909, (24,), front=bytes.fromhex("0800010100010000")),
        "mikrotik4": Dialect("mikrotik", 0x0800, (24,)),
        "mikrotik6": Dialect("mikrotik", 0x86DD, (44,), 6, 0x86DD),
        "huawei": Dialect("huawei", 0x0004, (24,)),
        "inside": Inside(),
        "openbsd4": Dialect("openbsd", 0x0800, (40,)),
        "openbsd6": Dialect("openbsd", 0x86DD, (60,), 6),
        "auto": Dialect("auto", 0x0800, (40,)),
        "auto6": Dialect("auto", 0x86DD, (60,), 6),
        "auto-exact": Dialect("auto", 0x0800, (24,)),
        "icmp": Echo(),
    }


def outer_address(family, index):
    return f"172.19.1.{100 + index}" if family == 4 else f"2001:db8:19::{100 + index}"


class Company:
    """The peers at work. Lose a share of the answers, by a seeded chance: with seed 3 and a tenth never
    five in a row among the first 1,500 of a peer."""

    def __init__(self, scene, peers, loss=0.0, seed=1):
        self.peers, self.loss = peers, loss
        # Of each its own, so that which answers are lost does not depend on who is asked when.
        self.random = {name: random.Random(f"{seed} {name}") for name in peers}
        self.silent, self.stop = set(), threading.Event()
        self.answered = dict.fromkeys(peers, 0)
        self.by_address = {}
        router = scene.router[A]
        for index, (name, peer) in enumerate(peers.items()):
            address = outer_address(peer.family, index)
            router.ip(f"neigh replace {address} lladdr {MAC} dev bond0")
            self.by_address[self._octets(peer.family, address)] = name
        self.mac = router.mac("bond0")
        self.sock = packet_socket(scene.wire, PORT)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    @staticmethod
    def _octets(family, address):
        return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, address)

    def _work(self):
        while not self.stop.is_set():
            if select.select([self.sock], [], [], 0.05)[0]:
                self._one(self.sock.recv(2048))

    def _one(self, frame):
        kind, packet = frame[12:14], frame[14:]
        if kind == b"\x08\0" and packet[9] == 47:
            name, outer, gre = self.by_address.get(packet[16:20]), packet[:20], packet[20:]
            gre = gre[:struct.unpack("!H", packet[2:4])[0] - 20]
        elif kind == b"\x86\xdd" and packet[6] == 47:
            name, outer, gre = self.by_address.get(packet[24:40]), packet[:40], packet[40:]
        else:
            return
        if name is None or name in self.silent:
            return
        answer = self.peers[name].answer(outer, gre)
        if answer is None or self.random[name].random() < self.loss:
            return
        mac = bytes.fromhex(self.mac.replace(":", "")) + bytes.fromhex(MAC.replace(":", ""))
        self.sock.send(mac + (b"\x08\0" if answer[0] >> 4 == 4 else b"\x86\xdd") + answer)
        self.answered[name] += 1

    def close(self):
        self.stop.set()
        self.thread.join()
        self.sock.close()


def tunnels(peers, keepalive, section):
    """The file of the router that all of them are peers of; `section` as in gretel.py."""
    return "".join(
        section("tunnel", name.replace("-", "_"), **{"local": UNDERLAY[peer.family][A],
                "remote": outer_address(peer.family, index), "keepalive": keepalive,
                "keepalive-hold": "no"} | peer.keys)
        for index, (name, peer) in enumerate(peers.items()))
