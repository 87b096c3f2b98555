# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 2784 on the wire: what the router sends octet by octet, and what it makes of each odd header."""
import itertools

import pytest
from bench import (LAN_HOST, TUNNELS, far, forwarded, inbound, is_gre, key_in, key_out, octets,
                   outbound)
from net import wait_for
from peer import gre
from scapy.all import GRE, ICMP, IP, UDP, ICMPv6EchoRequest, IPOption_NOP, IPv6, Raw
from scene import A, B, UNDERLAY

LAYER3 = [kind for kind, keys in TUNNELS.items() if keys.get("mode") != "gretap"]
EVERY_FLAG_SET = list(itertools.product((0, 1), repeat=3))  # checksum, key, sequence number
TYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}


def raw_gre(flags, protocol=b"\x08\x00", fields=b""):
    return Raw(flags.to_bytes(2, "big") + protocol + fields)


def key_of(kind):
    return b"" if key_in(kind) is None else key_in(kind).to_bytes(4, "big")


def gre_of(packet):
    """The octets from the GRE header on."""
    whole = bytes(packet)
    return whole[20:] if packet.version == 4 else whole[40:]


def test_four_octets(bench, inner, outer):
    """Without options: outer header, protocol 47, four octets, and the passenger as it was routed."""
    passenger = outbound("plain", inner, outer)
    bench.from_lan(passenger)
    sent, = bench.sent("plain", outer)
    assert (sent.src, sent.dst) == (UNDERLAY[outer][A], UNDERLAY[outer][B])
    assert (sent.proto if outer == 4 else sent.nh) == 47
    assert gre_of(sent) == b"\x00\x00" + TYPE[inner] + forwarded(passenger)


def test_only_defined_bits_are_sent(bench, outer):
    """The first two octets hold C, K and S and nothing else; Reserved1 is zero."""
    for kind in LAYER3:
        bench.from_lan(outbound(kind, 4, outer))
        sent, = bench.sent(kind, outer)
        keys, header = TUNNELS[kind], gre_of(sent)
        expected = 0x8000 * ("checksum" in keys) | 0x2000 * (key_out(kind) is not None) | \
            0x1000 * ("sequence" in keys)
        assert int.from_bytes(header[:2], "big") == expected
        if "checksum" in keys:
            assert header[6:8] == b"\x00\x00"


def test_checksum_that_was_not_asked_for(bench, inner, outer):
    """A tunnel that sends none takes packets that have one, if it is right, and no others."""
    passenger = inbound("key", inner, outer, b"x" * 57)
    bench.send("key", passenger, outer, bench.header("key", csum=True))
    assert octets(bench.delivered("key", outer)) == [forwarded(passenger)]
    bench.send("key", passenger, outer, bench.header("key", csum=True, chksum=0x1234))
    assert not bench.delivered("key", outer)
    assert bench.drops("key", outer) == {"rx-checksum": 1}


@pytest.mark.parametrize("size", (0, 1, 2, 57, 1300))
def test_checksum_of_what_is_sent(bench, outer, size):
    """Over header and passenger, an odd last octet as if a zero followed; scapy computes it anew."""
    passenger = outbound("all", 4, outer, bytes(range(1, 1 + size % 250)) + bytes(size - size % 250))
    bench.from_lan(passenger)
    sent, = bench.sent("all", outer)
    again = sent[GRE].copy()
    again.chksum = None
    assert bytes(again) == bytes(sent[GRE])


def test_one_wrong_bit_under_the_checksum(bench):
    """In the flags that may be ignored, in Reserved1, in the key, in the passenger: each is noticed."""
    good = bytearray(octets([bench.header("csum") / inbound("csum")])[0])
    for at, bit in ((0, 1), (6, 0x80), (7, 1), (8 + 4, 1), (len(good) - 1, 0x80)):
        bad = bytearray(good)
        bad[at] ^= bit
        bench.peer.send_raw(4, bytes(bad))
    assert not bench.delivered("csum")
    bench.wait_drops("csum", {"rx-checksum": 5})


@pytest.mark.parametrize("bits", [[bit] for bit in range(6, 13)] + [list(range(6, 13))], ids=str)
def test_bits_to_ignore(bench, outer, bits):
    """Bits 6 to 12 change nothing, alone or together, also beside a key."""
    flags = sum(0x8000 >> bit for bit in bits)
    for kind in ("plain", "key"):
        passenger = inbound(kind, 4, outer)
        key = 0x2000 if key_of(kind) else 0
        bench.send(kind, passenger, outer, raw_gre(flags | key, fields=key_of(kind)))
        assert octets(bench.delivered(kind, outer)) == [forwarded(passenger)]


@pytest.mark.parametrize("bit, reason", ((1, "rx-routing"), (4, "rx-reserved"), (5, "rx-reserved")))
def test_bits_to_refuse(bench, outer, bit, reason):
    """The ones of bits 1 to 5 that RFC 2890 has not taken, in every company."""
    sent = 0
    for others in (0, 0x8000, 0x2000, 0x1000, 0xB000, 0x03F8):
        bench.send("plain", inbound("plain", 4, outer), outer, raw_gre(0x8000 >> bit | others, fields=bytes(12)))
        sent += 1
    assert not bench.delivered("plain", outer)
    assert bench.stray() == {reason: sent}


def test_versions(bench, outer):
    for version in range(1, 8):
        bench.send("plain", inbound("plain", 4, outer), outer, raw_gre(version, fields=bytes(12)))
        bench.send("plain", inbound("plain", 4, outer), outer, raw_gre(0x2000 | version, b"\x88\x0b", bytes(8)))
    assert not bench.delivered("plain", outer)
    assert bench.stray() == {"rx-version": 14}


def test_types_that_are_no_ethertypes(bench, outer):
    """Below 0x0600, PPP's form with an acknowledgment, frames where packets are carried, other uses."""
    types = (0x0001, 0x0004, 0x05FF, 0x6558, 0x883E, 0x88BE, 0x22EB)
    for number in types:
        bench.send("key", inbound("key", 4, outer), outer, bench.header("key", proto=number))
    assert not bench.delivered("key", outer)
    bench.wait_drops("key", {"rx-protocol": len(types)}, outer)


@pytest.mark.parametrize("checksum, key, sequence", EVERY_FLAG_SET)
def test_cut_in_the_header(bench, outer, checksum, key, sequence):
    """Each length up to the header's end, for each set of fields: dropped, and counted once."""
    flags = 0x8000 * checksum | 0x2000 * key | 0x1000 * sequence
    whole = flags.to_bytes(2, "big") + b"\x08\x00" + bytes(4 * (checksum + key + sequence))
    for length in range(len(whole)):
        bench.peer.send_raw(outer, whole[:length])
    wait_for(lambda: bench.stray() == {"rx-truncated": len(whole)}, 5, bench.stray)


def test_nothing_behind_the_header(bench, outer):
    """A passenger of no octets, and one that ends inside its IP header."""
    for octets_of_ip in (0, 1, 19):
        cut = bytes(IP(src=far("key"), dst=LAN_HOST[4]))[:octets_of_ip]
        bench.send("key", Raw(cut), outer, bench.header("key", proto=0x0800))
    for octets_of_ip in (0, 39) if outer == 4 else (1, 39):  # 0x86dd and nothing: a keepalive's answer
        cut = bytes(IPv6(src=far("key", 6), dst=LAN_HOST[6]))[:octets_of_ip]
        bench.send("key", Raw(cut), outer, bench.header("key", proto=0x86DD))
    assert not bench.delivered("key", outer)
    bench.wait_drops("key", {"rx-inner-malformed": 5}, outer)


MALFORMED = {
    "longer than it is": lambda p: p[:2] + b"\x7f\xff" + p[4:], "header of 16 octets": lambda p: b"\x44" + p[1:],
    "shorter than its header": lambda p: p[:2] + b"\x00\x13" + p[4:], "version 5": lambda p: b"\x55" + p[1:],
    "IPv6 under the type of IPv4": lambda p: bytes(IPv6(src="fd00::1", dst="fd00::2") / UDP()),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_passenger(bench, outer, fault):
    octets_of_ip = MALFORMED[fault](bytes(inbound("key", 4, outer)))
    bench.send("key", Raw(octets_of_ip), outer, bench.header("key", proto=0x0800))
    assert not bench.delivered("key", outer)
    bench.wait_drops("key", {"rx-inner-malformed": 1}, outer)


def test_header_checksum_of_the_passenger(bench, outer):
    """Judged by the kernel, as for what comes in by any interface: not forwarded."""
    bench.send("key", inbound("key", 4, outer, chksum=0x1234), outer)
    assert not bench.delivered("key", outer)


def test_header_checksum_of_the_outer_packet(bench):
    bench.send("key", inbound("key"), chksum=0x1234)
    assert not bench.delivered("key") and not bench.drops("key") and not bench.stray()


def test_routed_by_its_destination(bench, inner, outer):
    """By the destination inside, one hop less to live, every other octet as it came."""
    for ttl in (2, 64, 255):
        hops = {"ttl": ttl} if inner == 4 else {"hlim": ttl}
        passenger = inbound("plain", inner, outer, bytes(range(256)), **hops)
        bench.send("plain", passenger, outer)
        assert octets(bench.delivered("plain", outer)) == [forwarded(passenger)]


def test_last_hop_inside(bench, inner, outer):
    """A passenger whose time is over at the router: its source is told, through the tunnel."""
    hops = {"ttl": 1} if inner == 4 else {"hlim": 1}
    passenger = type(inbound("plain", inner))(bytes(inbound("plain", inner, outer, **hops)))
    bench.send("plain", passenger, outer)
    told = bench.peer.receive(lambda p: is_gre(p) and GRE in p and bytes(passenger.payload) in bytes(p))
    error = told[GRE].payload
    kind = error[ICMP].type if inner == 4 else error.payload.type
    assert error.dst == passenger.src and kind == (11 if inner == 4 else 3)
    assert not bench.delivered("plain", outer)


def test_addressed_to_the_encapsulator(bench, inner, outer):
    """To the peer's outer address, and to its address in the tunnel: not sent back for ever."""
    number = far("plain", 4, outer).split(".")[2]
    ends = [f"10.200.{number}.2"] if inner == 4 else [f"fd00:200:{number}::2"]
    ends += [UNDERLAY[outer][B]] if inner == outer else []
    for end in ends:
        echo = IP(dst=end, src=far("plain", 4, outer)) / ICMP() if inner == 4 else \
            IPv6(dst=end, src=far("plain", 6, outer)) / ICMPv6EchoRequest()
        bench.send("plain", echo, outer)
    assert not bench.delivered("plain", outer)
    bench.wait_drops("plain", {"rx-loop": len(ends)}, outer)
    assert not bench.sent("plain", outer)


def test_octets_behind_the_outer_packet(bench, outer):
    """Padding of a short frame is neither passenger nor under the checksum."""
    passenger = inbound("csum", 4, outer, b"")
    packet = bench.peer.outer(outer) / bench.header("csum") / passenger
    bench.peer.sock.send(bench.peer.frame(packet) + b"\xaa" * 18)
    assert octets(bench.delivered("csum", outer)) == [forwarded(passenger)]


def test_octets_behind_the_passenger(bench, outer):
    """More octets than the passenger's own length says are not passed on with it."""
    passenger = inbound("key", 4, outer)
    bench.send("key", passenger / Raw(b"\xaa" * 18), outer, bench.header("key"))
    long = bytes(passenger) + b"\xaa" * 18
    bench.peer.send_raw(outer, bytes(bench.header("key", proto=0x0800)) + long)
    assert octets(bench.delivered("key", outer))[1:] == [forwarded(passenger)]


def test_outer_header_with_options(bench, outer):
    """IPv4 options, and their end, do not move the GRE header for us."""
    if outer == 6:
        return
    passenger = inbound("csum")
    for words in (1, 10):
        bench.send("csum", passenger, options=[IPOption_NOP()] * 4 * words)
    assert octets(bench.delivered("csum")) == [forwarded(passenger)] * 2


def test_own_packets_that_return(bench, outer):
    """A packet of ours, come back to us from the wire, is not decapsulated or sent again."""
    bench.from_lan(outbound("plain", 4, outer))
    sent, = bench.sent("plain", outer)
    bench.peer.send(sent)
    bench.peer.send(bench.peer.outer(outer, src=UNDERLAY[outer][A]) / gre() / inbound("plain", 4, outer))
    assert not bench.delivered("plain", outer)
    # Addressed to the peer, IPv6 routes it on as any packet, one hop less to live.
    assert [p.hlim for p in bench.sent("plain", outer)] == ([] if outer == 4 else [sent.hlim - 1])
