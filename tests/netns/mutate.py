# SPDX-License-Identifier: GPL-2.0-or-later
"""GRE packets with every kind of fault, and what RFC 2784 and 2890 say is in them."""
import random
import struct

from scapy.all import ICMP, IP, TCP, UDP, Ether, IPv6, Raw

KEY = 0xC0FFEE01
FLAG_C, FLAG_K, FLAG_S = 0x8000, 0x2000, 0x1000
PROTOCOLS = (0x0800, 0x86DD, 0x0800, 0x86DD, 0x8847, 0x6558, 0x0000, 0x1234, 0x880B, 0x0004, 0x88BE)


def passenger(chance, source, destination):
    """A whole IPv4 or IPv6 packet; each of a flow of its own, so that none can be joined."""
    six = ":" in destination
    layer = IPv6(src=source, dst=destination) if six else IP(src=source, dst=destination,
                                                             id=chance.randrange(65536))
    ports = {"sport": chance.randrange(1024, 65536), "dport": chance.randrange(20000, 65536)}
    upper = chance.choice((UDP(**ports), TCP(flags=chance.choice(("A", "R", "FA")), **ports), ICMP(type=13)))
    return 0x86DD if six else 0x0800, bytes(layer / upper / Raw(chance.randbytes(chance.randrange(0, 200))))


def header(flags, protocol, key, sequence):
    parts = struct.pack("!HH", flags, protocol)
    parts += bytes(4) if flags & FLAG_C else b""
    parts += struct.pack("!I", key) if flags & FLAG_K else b""
    return parts + (struct.pack("!I", sequence) if flags & FLAG_S else b"")


def checksum(octets):
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_checksum(octets):
    return octets[:4] + struct.pack("!H", checksum(octets)) + octets[6:]


def flip(chance, octets, within):
    """Some bits of the first `within` octets turned over."""
    if not octets:
        return octets
    changed = bytearray(octets)
    for _ in range(chance.randrange(1, 5)):
        changed[chance.randrange(min(within, len(changed)))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def mutated(chance, pairs):
    """What follows the outer IP header of one packet; pairs: (source, destination) of passengers."""
    protocol, inner = passenger(chance, *chance.choice(pairs))
    if chance.random() < 0.15:
        protocol = chance.choice(PROTOCOLS)
    if protocol == 0x6558:
        inner = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")) + inner
    flags = chance.choice((0, FLAG_C)) | chance.choice((FLAG_K, FLAG_K, FLAG_K, 0)) | chance.choice((0, FLAG_S))
    key = KEY if chance.random() < 0.9 else chance.randrange(1 << 32)
    octets = header(flags, protocol, key, chance.randrange(1 << 32)) + inner
    if flags & FLAG_C:
        octets = with_checksum(octets)
    kind = chance.randrange(8)
    if kind == 0:
        return octets[:chance.randrange(len(octets) + 1)]
    if kind == 1:
        return flip(chance, octets, 4)
    if kind == 2:
        return flip(chance, octets, 40)
    if kind == 3:
        return flip(chance, octets, len(octets))
    if kind == 4:
        return struct.pack("!H", chance.randrange(65536)) + octets[2:]
    if kind == 5:
        return octets + chance.randbytes(chance.randrange(1, 40))
    return octets


def carried(octets):
    """(protocol, passenger) that a keyed tunnel would carry of these octets; None: it must not.
    A passenger's own length is believed, as far as it is there."""
    if len(octets) < 4:
        return None
    flags, protocol = struct.unpack("!HH", octets[:4])
    size = 4 + 4 * sum(bool(flags & flag) for flag in (FLAG_C, FLAG_K, FLAG_S))
    if flags & 0x4C07 or not flags & FLAG_K or len(octets) < size:
        return None
    at = 8 if flags & FLAG_C else 4
    if octets[at:at + 4] != struct.pack("!I", KEY) or flags & FLAG_C and checksum(octets) != 0:
        return None
    inner = octets[size:]
    if protocol == 0x0800:
        length = struct.unpack("!H", inner[2:4])[0] if len(inner) >= 20 else 0
        good = length and inner[0] >> 4 == 4 and 20 <= (inner[0] & 15) * 4 <= length <= len(inner)
        return (protocol, inner[:length]) if good else None
    if protocol == 0x86DD:
        length = 40 + struct.unpack("!H", inner[4:6])[0] if len(inner) >= 40 else 0
        return (protocol, inner[:length]) if length and inner[0] >> 4 == 6 and length <= len(inner) else None
    return protocol, inner


def stream(seed, pairs):
    chance = random.Random(seed)
    while True:
        yield mutated(chance, pairs)
