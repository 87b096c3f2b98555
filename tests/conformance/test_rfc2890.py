# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 2890 on the wire: keys and sequence numbers."""
import contextlib
import struct

import pytest
from bench import NUMBER, Bench, forwarded, inbound, is_gre, octets, outbound
from net import wait_for
from peer import gre
from scene import A, UNDERLAY

LAST = 0xFFFFFFFF


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A router whose sequenced tunnels nobody has used yet."""
    with contextlib.ExitStack() as stack:
        yield Bench(stack, tmp_path_factory.mktemp("fresh"))


def fields_of(packet, outer):
    """(flags, the words behind the four octets) of a GRE packet with that many fields."""
    header = bytes(packet)[20 if outer == 4 else 40:]
    flags, = struct.unpack("!H", header[:2])
    count = sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
    return flags, struct.unpack(f"!{count}I", header[4:4 + 4 * count])


def test_numbers_count_from_zero(fresh, outer):
    """0, 1, 2 … for the tunnel, whatever the passengers; each tunnel has its own."""
    fresh.begin()
    for kind, key in (("seq", 9), ("all", 10)):
        for family in (4, 6, 4):
            fresh.from_lan(outbound(kind, family, outer))
        # Among them what the kernel announces of the interface's groups, whenever it does.
        fields = [fields_of(packet, outer)[1] for packet in fresh.seen(kind, outer) if is_gre(packet)]
        numbers = [words[-1] for words in fields if key in words[-2:-1]]
        assert len(numbers) >= 3
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] < 8


@pytest.mark.parametrize("kind, flags, words", (
    ("plain", 0x0000, 0), ("key", 0x2000, 1), ("csum", 0xA000, 2), ("seq", 0x3000, 2), ("all", 0xB000, 3)))
def test_order_of_the_fields(bench, outer, kind, flags, words):
    """Checksum and Reserved1, then the key, then the number: each four octets, and only those told of."""
    bench.from_lan(outbound(kind, 4, outer))
    sent, = bench.sent(kind, outer)
    found, fields = fields_of(sent, outer)
    assert (found, len(fields)) == (flags, words)
    keys = {"key": 7, "csum": 8, "seq": 9, "all": 10}
    if flags & 0x2000:
        assert fields[bool(flags & 0x8000)] == keys[kind]
    assert bytes(sent)[-3:] == b"odd"


@pytest.mark.parametrize("kind, key", (("zero", 0), ("ones", LAST)))
def test_every_key_is_a_key(bench, outer, kind, key):
    """Also 0, which is not the absence of a key, and the largest one; big-endian."""
    bench.from_lan(outbound(kind, 4, outer))
    sent, = bench.sent(kind, outer)
    assert fields_of(sent, outer) == (0x2000, (key,))
    passenger = inbound(kind, 4, outer)
    bench.send(kind, passenger, outer)
    assert octets(bench.delivered(kind, outer)) == [forwarded(passenger)]


def test_key_by_direction(bench, outer):
    """`ikey` is asked of what comes, `okey` written on what goes."""
    bench.from_lan(outbound("two", 4, outer))
    sent, = bench.sent("two", outer)
    assert fields_of(sent, outer) == (0x2000, (16,))
    passenger = inbound("two", 4, outer)
    bench.send("two", passenger, outer, gre(key=15))
    bench.send("two", passenger, outer, gre(key=16))
    assert octets(bench.delivered("two", outer)) == [forwarded(passenger)]
    assert bench.stray() == {"rx-key-wrong": 1}


def test_the_key_tells_the_tunnel(bench, outer):
    """Tunnels between the same two addresses: the key alone decides which one a packet came by."""
    for kind in ("plain", "key", "zero", "ones"):
        before = bench.site.tunnel(f"{kind}{outer}")["rx"]["packets"]
        bench.send(kind, inbound(kind, 4, outer), outer)
        assert len(bench.delivered(kind, outer)) == 1
        wait_for(lambda kind=kind, before=before:  # the packet, and the mark behind it
                 bench.site.tunnel(f"{kind}{outer}")["rx"]["packets"] == before + 2)


def give(bench, numbers, outer=4, kind="seq"):
    """Packets with these numbers."""
    for number in numbers:
        header = gre(key={"seq": 9, "all": 10}[kind], seq=number, csum=kind == "all")
        bench.send(kind, inbound(kind, 4, outer, b"%10d" % number), outer, header)


def take(bench, numbers, outer=4, kind="seq"):
    """Packets with these numbers; returns what reached the LAN, of those given before, too. The tunnel's own
    numbers go on above all of them."""
    give(bench, numbers, outer, kind)
    bench.numbers[kind] = iter(range(LAST + 1)[(numbers[-1] + 1000) % (LAST + 1):])
    return [int(bytes(p)[-10:]) for p in bench.delivered(kind, outer)]


def test_any_number_may_be_the_first(fresh, outer):
    fresh.begin()
    assert take(fresh, [0xDEADBEEF], outer) == [0xDEADBEEF]
    assert not fresh.drops("seq", outer)


def test_what_is_late_or_repeated(fresh, outer):
    """Out of sequence is the last number and the 2^31 - 1 before it; the one before those is ahead."""
    fresh.begin()
    base = 0xDEADBEEF + 100000
    late = [base, base - 1, base - 5, base - 400, (base - 0x7FFFFFFF) % 2 ** 32]
    give(fresh, [base, *late], outer)
    # Of the next number the last of these would be ahead, so that may not overtake it.
    fresh.wait_drops("seq", {"rx-sequence": len(late)}, outer)
    assert take(fresh, [base + 1], outer) == [base, base + 1]
    fresh.wait_drops("seq", {"rx-sequence": len(late)}, outer)


def test_nobody_is_told_of_a_late_packet(fresh, outer):
    """It is discarded in silence: no ICMP to its sender."""
    fresh.begin()
    base = 0xDEADBEEF + 200000
    take(fresh, [base, base - 7, base + 1], outer)
    fresh.wait_drops("seq", {"rx-sequence": 1}, outer)
    assert not fresh.told("plain", outer)


def test_gaps_are_not_waited_for(fresh, outer):
    """What is ahead is delivered at once, and sets the last number."""
    fresh.begin()
    base = 0xDEADBEEF + 300000
    assert take(fresh, [base, base + 2, base + 1, base + 1000, base + 3], outer) == [base, base + 2, base + 1000]
    fresh.wait_drops("seq", {"rx-sequence": 2}, outer)


def test_numbers_wrap(fresh, outer):
    """2^32 - 1 is followed by 0."""
    fresh.begin()
    assert take(fresh, [LAST - 1, LAST, 0, 1], outer, "all") == [LAST - 1, LAST, 0, 1]
    assert not fresh.drops("all", outer)


def test_a_number_for_each_key(fresh, outer):
    """Two flows that are told apart by their keys do not disturb each other."""
    fresh.begin()
    seq, every = 0xE0000000, 2000000
    for step in range(5):
        assert take(fresh, [seq + step * 2000], outer, "seq") == [seq + step * 2000]
        assert take(fresh, [every + step * 2000], outer, "all") == [every + step * 2000]
    assert not fresh.drops("seq", outer) and not fresh.drops("all", outer)


def test_numbers_that_nobody_asked_for(bench, outer):
    """A tunnel without `sequence` takes them in any order, and packets without among them."""
    for number in (5, 5, 3, None, 4):
        bench.send("key", inbound("key", 4, outer), outer, gre(key=7, seq=number))
    assert len(bench.delivered("key", outer)) == 5
    assert not bench.drops("key", outer)


def test_no_number_on_a_sequenced_tunnel(bench, outer):
    """Dropped, against the RFC, and the sender is told by a parameter problem."""
    bench.send("seq", inbound("seq", 4, outer), outer, gre(key=9))
    assert not bench.delivered("seq", outer)
    bench.wait_drops("seq", {"rx-sequence-missing": 1}, outer)
    assert bench.told("plain", outer) == [(12, 1) if outer == 4 else (4, 0)]


CAUSES = {
    "rx-key-wrong": lambda: gre(key=1000),
    "rx-checksum-missing": lambda: gre(key=8), "rx-checksum": lambda: gre(key=8, csum=True, chksum=1),
    "rx-sequence-missing": lambda: gre(key=9), "rx-protocol": lambda: gre(key=7, proto=0x22EB),
    "rx-version": lambda: gre(version=3), "rx-routing": lambda: gre(routing_present=1, offset=0),
    "rx-reserved": lambda: gre(recursion_control=4),
}


@pytest.mark.parametrize("reason", CAUSES)
def test_each_cause_is_counted(bench, outer, reason):
    """By its name, at the tunnel that is meant, or among those of no tunnel."""
    header = CAUSES[reason]()
    for _ in range(3):
        bench.send("key", inbound("key", 4, outer), outer, header)
    assert not bench.delivered("key", outer)
    counted = {}
    for kind in NUMBER:
        for name, n in bench.drops(kind, outer).items():
            counted[name] = counted.get(name, 0) + n
    for name, n in bench.stray().items():
        counted[name] = counted.get(name, 0) + n
    assert counted == {reason: 3}


def test_what_was_dropped_is_remembered(bench):
    """Flags, key, addresses, type and reason, with a count and a time, for the last 32 kinds."""
    bench.send("key", inbound("key"), header=gre(key=0xABCD))
    bench.delivered("key")
    found, = [kind for kind in bench.site.status()["strays"] if kind["key"] == 0xABCD]
    assert (found["reason"], found["packets"], found["protocol"], found["flags"]) == ("rx-key-wrong", 1, 0x0800, 0x2000)
    assert (found["remote"], found["local"]) == (UNDERLAY[4]["B"], UNDERLAY[4][A])
