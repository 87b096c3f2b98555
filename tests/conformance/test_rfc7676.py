# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 7676, IPv6 inside and outside of GRE; and what RFC 8200 and its relatives ask of the outer header."""
import pytest
from bench import LAN_HOST, far, forwarded, inbound, name, octets, outbound, overhead
from gretel import both_up, ping
from net import wait_for
from peer import gre
from scapy.all import (GRE, IP, UDP, HBHOptUnknown, ICMPv6PacketTooBig, ICMPv6ParamProblem, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, Raw)
from scene import A, B, HOST, ROUTER, UNDERLAY, Scene
from wire import Capture, tshark

ENCAPSULATION_LIMIT = HBHOptUnknown(otype=4, optlen=1, optdata=b"\x04")
IN_FRONT = {
    "hop-by-hop": lambda: IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]),
    "destination options": lambda: IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
    "encapsulation limit": lambda: IPv6ExtHdrDestOpt(options=[ENCAPSULATION_LIMIT, PadN(optdata=b"\x00")]),
    "both": lambda: IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))])
    / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
    "fragment of one": lambda: IPv6ExtHdrFragment(nh=47, id=99),
}


def only(look):
    """What look() finds, which is one packet. The mark goes by a faster lane than headers of a passenger
    do, and so may arrive before what was sent before it."""
    found = []
    wait_for(lambda: found.extend(look()) or found, 10)
    one, = found
    return one


@pytest.mark.parametrize("headers", IN_FRONT)
@pytest.mark.parametrize("kind", ("plain", "csum"))
def test_headers_before_gre(bench, headers, kind):
    """Extension headers between the outer header and GRE; the checksum covers none of them."""
    passenger = inbound(kind, 6, 6)
    chain = IN_FRONT[headers]()
    chain.lastlayer().nh = 47
    bench.peer.send(IPv6(src=UNDERLAY[6][B], dst=UNDERLAY[6][A]) / chain / bench.header(kind) / passenger)
    assert octets([only(lambda: bench.delivered(kind, 6))]) == [forwarded(passenger)]


def test_source_route_outside(bench):
    """A routing header that still names a hop is refused by the kernel; nothing is decapsulated."""
    chain = IPv6ExtHdrRouting(type=0, segleft=1, addresses=["2001:db8:19::9"], nh=47)
    bench.peer.send(IPv6(src=UNDERLAY[6][B], dst=UNDERLAY[6][A]) / chain / gre() / inbound("plain", 6, 6))
    assert not bench.delivered("plain", 6)


def test_header_chain_of_what_is_sent(bench, inner):
    """GRE follows the IPv6 header at once; no option for an encapsulation limit, no flow label."""
    bench.from_lan(outbound("plain", inner, 6))
    sent, = bench.sent("plain", 6)
    assert (sent.nh, sent.plen, sent.fl, sent.hlim) == (47, len(bytes(sent)) - 40, 0, 64)


def test_type_and_hop_limit(bench, outer):
    """0x86DD for IPv6 passengers, which were routed like any: one hop less to live."""
    passenger = outbound("key", 6, outer, hlim=9)
    bench.from_lan(passenger)
    sent, = bench.sent("key", outer)
    assert sent[GRE].proto == 0x86DD and bytes(sent[GRE].payload) == forwarded(passenger)


def mtu(bench, kind, outer):
    return bench.router.link(name(kind, outer))["mtu"]


def sized(kind, inner, outer, length, **fields):
    """A passenger of so many octets."""
    return outbound(kind, inner, outer, bytes(n % 251 for n in range(length - (28 if inner == 4 else 48))), **fields)


@pytest.mark.parametrize("kind", ("plain", "csum", "all"))
def test_nothing_is_cut_that_fits(bench, outer, kind):
    """An IPv6 passenger as long as the tunnel's MTU: one packet, as long as the underlay's, no fragment."""
    assert mtu(bench, kind, outer) == 1500 - overhead(kind, outer)
    passenger = sized(kind, 6, outer, mtu(bench, kind, outer))
    bench.from_lan(passenger)
    sent, = bench.sent(kind, outer)
    assert len(bytes(sent)) == 1500
    assert (sent.flags.MF, sent.frag) == (0, 0) if outer == 4 else sent.nh == 47
    assert bytes(sent).endswith(forwarded(passenger))


@pytest.mark.parametrize("kind", ("plain", "csum", "all"))
def test_too_long_is_told(bench, outer, kind):
    """One octet more: dropped, and its source is told the tunnel's MTU, with what fits of the packet."""
    passenger = sized(kind, 6, outer, mtu(bench, kind, outer) + 1)
    bench.from_lan(passenger)
    assert not bench.sent(kind, outer)
    told, = [p for p in bench.delivered(kind, outer) if ICMPv6PacketTooBig in p]
    assert told[ICMPv6PacketTooBig].mtu == mtu(bench, kind, outer)
    assert (told.src, told.dst) == (ROUTER[6][A], LAN_HOST[6]) and len(bytes(told)) <= 1280
    quoted = bytes(told[ICMPv6PacketTooBig].payload)
    assert bytes(passenger)[:7] + bytes(passenger)[8:len(quoted)] == quoted[:7] + quoted[8:]


@pytest.mark.parametrize("outer", (4, 6))
def test_least_mtu_of_ipv6(tmp_path, outer):
    """The underlay carries 1280 octets, so less is left: the interface still has 1280, what IPv6 needs,
    and the outer packet is cut for it, never the passenger; the other end puts it together."""
    path = tmp_path / "wire.pcap"
    with Scene(mtu=1280) as scene:
        both_up(scene, tmp_path, outer=outer)
        assert scene.router[A].link("My_Tunnel")["mtu"] == 1280
        with Capture(scene.wire, "a", path):
            for side in (A, B):
                ping(scene.host[side], HOST[6][B if side == A else A], size=1280 - 48)
    more, at = ("ip.flags.mf", "ip.frag_offset") if outer == 4 else ("ipv6.fraghdr.more", "ipv6.fraghdr.offset")
    show = "ip.proto == 47" if outer == 4 else "ipv6.nxt == 44"
    rows = tshark(path, (more, at), show, ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"])
    first = [row for row in rows if row[more] == ["1"]]
    # As many last pieces; a second value would be that of a piece of the passenger.
    assert len(first) == sum(row[at][0] != "0" for row in rows) >= 4
    assert outer == 4 or all(len(row[at]) == 1 for row in rows)


@pytest.mark.parametrize("order", ("forwards", "backwards"))
def test_outer_fragments_are_put_together(bench, outer, order):
    passenger = inbound("csum", 6, outer, bytes(n % 251 for n in range(1300)))
    whole = bytes(bench.header("csum") / passenger)
    parts = [fragment(outer, at, whole[at:at + 400], at + 400 < len(whole), 7) for at in range(0, len(whole), 400)]
    for part in parts if order == "forwards" else parts[::-1]:
        bench.peer.send(part)
    assert octets(bench.delivered("csum", outer)) == [forwarded(passenger)]


def fragment(outer, at, part, more, number):
    if outer == 4:
        return IP(src=UNDERLAY[4][B], dst=UNDERLAY[4][A], proto=47, id=number, flags="MF" if more else 0,
                  frag=at // 8) / Raw(part)
    return IPv6(src=UNDERLAY[6][B], dst=UNDERLAY[6][A]) / IPv6ExtHdrFragment(
        nh=47, offset=at // 8, m=int(more), id=number) / Raw(part)


def test_overlapping_fragments(bench, outer):
    """Pieces that overlap are no packet (RFC 5722, and the kernel does the same for IPv4)."""
    whole = bytes(bench.header("plain") / inbound("plain", 4, outer, bytes(600)))
    size = len(whole) // 16 * 8
    bench.peer.send(fragment(outer, 0, whole[:size + 8], True, 21))
    bench.peer.send(fragment(outer, size, whole[size:], False, 21))
    assert not bench.delivered("plain", outer)
    assert not bench.drops("plain", outer) and not bench.stray()


def test_passenger_with_headers(bench, outer):
    """Extension headers of a passenger are its own: carried as they are, both ways."""
    chain = IPv6ExtHdrDestOpt(options=[ENCAPSULATION_LIMIT, PadN(optdata=b"\x00")])
    back = IPv6(src=far("plain", 6, outer), dst=LAN_HOST[6]) / chain / UDP(sport=1, dport=2) / b"odd"
    bench.send("plain", back, outer)
    assert octets([only(lambda: bench.delivered("plain", outer))]) == [forwarded(back)]
    out = IPv6(dst=far("plain", 6, outer), src=LAN_HOST[6]) / chain / UDP(sport=1, dport=2) / b"odd"
    bench.from_lan(out)
    sent = only(lambda: bench.sent("plain", outer))
    assert bytes(sent).endswith(forwarded(out))


def limited(limit, outer=6):
    """A passenger with a tunnel encapsulation limit behind padding."""
    chain = IPv6ExtHdrDestOpt(options=[PadN(optdata=b""), HBHOptUnknown(otype=4, optlen=1, optdata=bytes([limit])),
                                       PadN(optdata=b"\x00" * 5)])
    return IPv6(dst=far("plain", 6, outer), src=LAN_HOST[6]) / chain / UDP(sport=1, dport=2) / b"odd"


def test_no_more_encapsulation(bench):
    """RFC 2473 4.1.1: a passenger whose own limit is 0 is not put into a tunnel over IPv6. Its source is
    told, with a pointer to the limit."""
    bench.from_lan(limited(0))
    told = only(lambda: [p for p in bench.delivered("plain", 6) if ICMPv6ParamProblem in p])
    assert not bench.sent("plain", 6)
    problem = told[ICMPv6ParamProblem]
    assert (told.dst, problem.code, problem.ptr) == (LAN_HOST[6], 0, 40 + 2 + 2 + 2)
    assert bytes(problem.payload)[problem.ptr] == 0
    assert bench.drops("plain", 6) == {"tx-encap-limit": 1}


@pytest.mark.parametrize("limit, outer", ((1, 6), (255, 6), (0, 4)))
def test_encapsulation_is_allowed(bench, limit, outer):
    """Another limit, or a tunnel over IPv4, which is none of RFC 2473."""
    passenger = limited(limit, outer)
    bench.from_lan(passenger)
    sent = only(lambda: bench.sent("plain", outer))
    assert bytes(sent).endswith(forwarded(passenger))
