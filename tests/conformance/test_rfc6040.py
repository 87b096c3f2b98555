# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 6040, which RFC 9601 extends to GRE: congestion marks in both directions; and the class of traffic
(RFC 2983), and marks on fragments (RFC 3168)."""
import itertools

import pytest
from bench import inbound, outbound
from net import wait_for
from scapy.all import IP, IPv6, IPv6ExtHdrFragment, Raw

NOT_ECT, ECT_1, ECT_0, CE = range(4)
MARKS = (NOT_ECT, ECT_1, ECT_0, CE)
DSCP = 0xB8
# Figure 4: (inner, outer) and what comes out; None: dropped.
OUT = {(NOT_ECT, NOT_ECT): NOT_ECT, (NOT_ECT, ECT_1): NOT_ECT, (NOT_ECT, ECT_0): NOT_ECT, (NOT_ECT, CE): None,
       (ECT_1, NOT_ECT): ECT_1, (ECT_1, ECT_1): ECT_1, (ECT_1, ECT_0): ECT_1, (ECT_1, CE): CE,
       (ECT_0, NOT_ECT): ECT_0, (ECT_0, ECT_1): ECT_1, (ECT_0, ECT_0): ECT_0, (ECT_0, CE): CE,
       (CE, NOT_ECT): CE, (CE, ECT_1): CE, (CE, ECT_0): CE, (CE, CE): CE}


def with_class(family, octet):
    return {"tos" if family == 4 else "tc": octet}


def class_of(packet):
    return packet.tos if isinstance(packet, IP) else packet.tc


def outer_class(bench, kind, inner, outer, octet):
    """The class that the router writes outside for a passenger of this class."""
    bench.from_lan(outbound(kind, inner, outer, **with_class(inner, octet)))
    sent, = bench.sent(kind, outer)
    return class_of(sent)


@pytest.mark.parametrize("mark", MARKS)
def test_copied_when_entering(bench, inner, outer, mark):
    """Normal mode, the default: the outer field is the passenger's."""
    assert outer_class(bench, "plain", inner, outer, DSCP | mark) & 3 == mark
    assert outer_class(bench, "copy", inner, outer, DSCP | mark) & 3 == mark


@pytest.mark.parametrize("mark", MARKS)
def test_zero_in_compatibility_mode(bench, inner, outer, mark):
    """`ecn = no`, for a peer that does not know about marks: never anything but Not-ECT."""
    assert outer_class(bench, "noecn", inner, outer, DSCP | mark) & 3 == NOT_ECT


@pytest.mark.parametrize("kind", ("plain", "noecn"))
@pytest.mark.parametrize("cell", OUT, ids=lambda cell: "%02d x %02d" % tuple(int(f"{n:b}") for n in cell))
def test_leaving(bench, inner, outer, kind, cell):
    """Each cell of the figure, in both modes of the entrance, with both families of passengers."""
    mark, outside = cell
    passenger = inbound(kind, inner, outer, **with_class(inner, DSCP | mark))
    bench.send(kind, passenger, outer, **with_class(outer, 0x48 | outside))
    came = bench.delivered(kind, outer)
    if OUT[cell] is None:
        assert not came and bench.drops(kind, outer) == {"rx-ecn": 1}
        return
    packet, = came
    assert class_of(packet) == DSCP | OUT[cell]
    if inner == 4:
        again = IP(bytes(packet))
        del again.chksum
        assert bytes(again) == bytes(packet)


def test_class_is_not_copied(bench, inner, outer):
    """Without `tos` the outer class is 0 whatever the passenger's (the pipe model), both ways."""
    for octet in (0x00, 0x20, 0xB8, 0xFC):
        assert outer_class(bench, "plain", inner, outer, octet) == 0
        passenger = inbound("plain", inner, outer, **with_class(inner, octet))
        bench.send("plain", passenger, outer, **with_class(outer, 0x48))
        packet, = bench.delivered("plain", outer)
        assert class_of(packet) == octet


def test_class_is_copied_where_asked(bench, inner, outer):
    """`tos = inherit`: the six bits of the passenger outside (the uniform model, entering)."""
    for octet in (0x00, 0x20, 0xB8, 0xFC):
        assert outer_class(bench, "copy", inner, outer, octet) == octet


def pieces(packet, outer, marks):
    """The outer packet in three fragments with these marks."""
    payload, size = bytes(packet.payload), 64
    for at, mark in zip(range(0, 3 * size, size), marks):
        more = at < 2 * size
        part = payload[at:at + size] if more else payload[at:]
        if outer == 4:
            yield IP(src=packet.src, dst=packet.dst, proto=47, id=0x1234 + marks[0] * 64 + marks[1] * 16 + marks[2],
                     flags="MF" if more else 0, frag=at // 8, tos=mark) / Raw(part)
        else:
            yield IPv6(src=packet.src, dst=packet.dst, tc=mark) / IPv6ExtHdrFragment(
                nh=47, offset=at // 8, m=int(more), id=0x1234 + marks[0] * 64 + marks[1] * 16 + marks[2]) / Raw(part)


@pytest.mark.parametrize("marks", itertools.product((NOT_ECT, ECT_0, CE), repeat=3), ids=str)
def test_marks_on_fragments(bench, outer, marks):
    """CE on one fragment is CE on the whole; Not-ECT beside anything else and the packet is dropped.
    The passenger can carry marks, so that it shows what the whole was taken for."""
    passenger = inbound("plain", 4, outer, b"x" * 200, **with_class(4, ECT_0))
    whole = bench.peer.outer(outer, **{"proto" if outer == 4 else "nh": 47}) / bench.header("plain") / passenger
    for part in pieces(whole, outer, marks):
        bench.peer.send(part)
    came = []

    def arrived():
        """The mark may go by a faster lane than fragments."""
        came.extend(class_of(packet) for packet in bench.delivered("plain", outer))
        return came
    if NOT_ECT in marks and len(set(marks)) > 1:
        assert not arrived()
    else:
        wait_for(arrived, 5)
        assert came == [CE if CE in marks else ECT_0]
    assert not bench.drops("plain", outer)
