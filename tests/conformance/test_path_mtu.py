# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 791, 1191, 6864, 8200, 8201: packets that are too long, and what the path says of them."""
import contextlib
import json
import re

import pytest
from bench import LAN_HOST, forwarded, name, outbound, overhead
from gretel import NAME, Site, both_up, ping, site_text
from net import wait_for
from peer import Peer
from scapy.all import GRE, ICMP, IP, ICMPv6PacketTooBig, IPv6, Raw
from scene import A, B, HOST, ROUTER, UNDERLAY, Scene

PAYLOAD = bytes(n % 251 for n in range(3000))


def mtu(bench, kind, outer):
    return bench.router.link(name(kind, outer))["mtu"]


def sized(kind, outer, length, **fields):
    return outbound(kind, 4, outer, PAYLOAD[:length - 28], **fields)


@pytest.mark.parametrize("kind", ("plain", "csum", "all"))
def test_df_and_too_long(bench, outer, kind):
    """Dropped; its source is told by code 4 with the tunnel's MTU and at least 28 octets of the packet."""
    limit = mtu(bench, kind, outer)
    passenger = sized(kind, outer, limit + 1, flags="DF")
    bench.from_lan(passenger)
    assert not bench.sent(kind, outer)
    told, = [p for p in bench.delivered(kind, outer) if ICMP in p]
    error = told[ICMP]
    assert (error.type, error.code, error.nexthopmtu) == (3, 4, limit)
    assert (told.src, told.dst) == (ROUTER[4][A], LAN_HOST[4]) and len(bytes(told)) <= 576
    quoted = bytes(error.payload)
    assert len(quoted) >= 28 and quoted[20:] == bytes(passenger)[20:len(quoted)]


@pytest.mark.parametrize("kind", ("plain", "csum", "all"))
def test_df_and_just_fits(bench, outer, kind):
    passenger = sized(kind, outer, mtu(bench, kind, outer), flags="DF")
    bench.from_lan(passenger)
    sent, = bench.sent(kind, outer)
    assert len(bytes(sent)) == 1500 and bytes(sent).endswith(forwarded(passenger))


def reassemble(pieces):
    """The payload that IPv4 fragments stand for; they share all that they have to."""
    assert len({(p.src, p.dst, p.proto, p.id) for p in pieces}) == 1
    assert all(len(bytes(p.payload)) % 8 == 0 for p in pieces if p.flags.MF)
    whole = b""
    for piece in sorted(pieces, key=lambda p: p.frag):
        assert piece.frag * 8 == len(whole)
        whole += bytes(piece.payload)
    assert [bool(p.flags.MF) for p in sorted(pieces, key=lambda p: p.frag)] == [True] * (len(pieces) - 1) + [False]
    return whole


@pytest.mark.parametrize("length", (1477, 1480, 2000, 2900))
def test_may_be_cut(bench, outer, length):
    """Without DF the passenger is cut, not the packet outside; together the pieces are the passenger."""
    bench.router.ip("link set dev eth1 mtu 4000")
    bench.scene.host[A].ip("link set dev eth0 mtu 4000")
    passenger = sized("plain", outer, length, id=77)
    bench.from_lan(passenger)
    sent = bench.sent("plain", outer)
    assert all(len(bytes(p)) <= 1500 and (outer == 6 or p.frag == 0 and not p.flags.MF) for p in sent)
    pieces = [IP(bytes(p[GRE].payload)) for p in sent]
    assert reassemble(pieces) == bytes(passenger.payload) and {p.ttl for p in pieces} == {63}


def outer_pieces(bench, outer, passenger):
    """What the tunnel that cuts outside (`df = clear`) made of the passenger: its GRE octets."""
    sent = []

    def cut():
        """The mark may go by a faster lane, and so arrive before what was sent before it."""
        sent.extend(p for p in bench.seen("clear", outer)
                    if (p.proto == 47 if outer == 4 else p.nh == 44) and len(bytes(p)) > 200)
        return len(sent) > 1
    bench.from_lan(passenger)
    wait_for(cut, 5)
    assert all(len(bytes(p)) <= 1500 for p in sent)
    if outer == 4:
        assert not any(p.flags.DF for p in sent)
        return reassemble(sent), {p.id for p in sent}
    headers = [bytes(p.payload)[:8] for p in sent]
    parts = [bytes(p.payload)[8:] for p in sent]
    assert {(h[0], h[1]) for h in headers} == {(47, 0)} and len({h[4:] for h in headers}) == 1
    offsets = [int.from_bytes(h[2:4], "big") for h in headers]
    assert [o & 7 for o in offsets] == [1] * (len(sent) - 1) + [0]
    assert [o & ~7 for o in offsets] == [sum(map(len, parts[:i])) for i in range(len(parts))]
    return b"".join(parts), {int.from_bytes(headers[0][4:], "big")}


def test_cut_outside(bench, outer):
    """`df = clear` and an MTU above the path's: the outer packet is cut by the rules of its family, the
    GRE header stands in the first piece only, and no two packets have the same number."""
    bench.router.ip("link set dev eth1 mtu 4000")
    bench.scene.host[A].ip("link set dev eth0 mtu 4000")
    numbers = []
    for flags in ("DF", 0, "DF"):
        passenger = sized("clear", outer, 1900, flags=flags)
        whole, number = outer_pieces(bench, outer, passenger)
        assert whole == b"\x20\x00\x08\x00" + (13).to_bytes(4, "big") + forwarded(passenger)
        numbers += number
    assert len(set(numbers)) == 3
    if outer == 6:  # 32 bits that do not count (RFC 7739)
        assert len({number >> 16 for number in numbers}) > 1, numbers


@pytest.mark.parametrize("kind, inner_df, df", (
    ("plain", False, True), ("plain", True, True), ("copy", False, False), ("copy", True, True), ("clear", True, False)))
def test_df_outside(bench, kind, inner_df, df):
    bench.from_lan(outbound(kind, flags="DF" if inner_df else 0))
    sent, = bench.sent(kind)
    assert bool(sent.flags.DF) == df and not sent.flags.MF and sent.frag == 0


def test_numbers_of_packets_that_may_be_cut(bench):
    """IPv4 packets without DF have different numbers, one after the other (RFC 6864 4.2)."""
    for _ in range(20):
        bench.from_lan(outbound("copy"))
    numbers = [p.id for p in bench.sent("copy")]
    assert len(set(numbers)) == 20 and 0 not in numbers


def test_time_to_live_outside(bench, inner, outer):
    """Fixed, or that of the passenger after this router (`ttl = inherit`)."""
    for kind, expected in (("plain", 64), ("copy", 40)):
        bench.from_lan(outbound(kind, inner, outer, **({"ttl": 41} if inner == 4 else {"hlim": 41})))
        sent, = bench.sent(kind, outer)
        assert (sent.ttl if outer == 4 else sent.hlim) == expected


@pytest.fixture
def narrow(tmp_path):
    """A router of its own, whose path the test makes narrower."""
    with contextlib.ExitStack() as stack:
        def make(outer):
            scene = stack.enter_context(Scene(wire="open"))
            site = Site(scene.router[A], tmp_path / A, site_text(A, outer))
            site.up()
            peer = Peer(scene, A)
            stack.callback(peer.sock.close)
            return scene, peer, site
        yield make


def a_packet_of_ours(scene, peer, outer):
    scene.host[A].run(["ping", "-c", 1, "-W", "0.1", HOST[4][B]], check=False)
    return peer.receive(lambda p: (p.proto == 47 if isinstance(p, IP) else isinstance(p, IPv6) and p.nh == 47)
                        and b"\x08\x00" in bytes(p)[20 if outer == 4 else 40:][:4])


def too_big(peer, outer, value, quoted):
    router = {4: "172.19.1.254", 6: "2001:db8:19::fe"}[outer]
    if outer == 4:
        return peer.outer(4, src=router, proto=1) / ICMP(type=3, code=4, nexthopmtu=value) / Raw(quoted[:64])
    return peer.outer(6, src=router) / ICMPv6PacketTooBig(mtu=value) / Raw(quoted[:500])


def path_of(scene, outer):
    route, = json.loads(scene.router[A].run(["ip", "-j", f"-{outer}", "route", "get", UNDERLAY[outer][B]]).stdout)
    text = scene.router[A].run(["ip", f"-{outer}", "route", "get", UNDERLAY[outer][B]]).stdout
    expires = re.search(r"expires (\d+)sec", text)
    return route, int(expires[1]) if expires else None


def test_narrower_path(narrow, outer):
    """An error about a packet of ours: the tunnel is as much narrower, for ten minutes at most and
    never less than five; passengers that are too long are told at once."""
    scene, peer, site = narrow(outer)
    ours = a_packet_of_ours(scene, peer, outer)
    peer.send(too_big(peer, outer, 1400, bytes(ours)))
    expected = 1400 - overhead("plain", outer)
    wait_for(lambda: site.tunnel()["mtu"] == expected == scene.router[A].link(NAME)["mtu"], 5,
             lambda: site.tunnel()["mtu"])
    _, seconds = path_of(scene, outer)
    assert 300 <= seconds <= 600
    told = scene.host[A].run(["ping", "-c", 1, "-W", "0.5", "-M", "do", "-s", 1400, HOST[4][B]], check=False)
    assert f"mtu = {expected}" in told.stdout + told.stderr


# With IPv6 the kernel believes one that quotes another source, too.
ABOUT_NOTHING = [(4, "source"), (4, "destination"), (4, "protocol"), (4, "nothing"),
                 (6, "destination"), (6, "protocol"), (6, "nothing")]


@pytest.mark.parametrize("outer, what", ABOUT_NOTHING)
def test_error_about_nothing_of_ours(narrow, outer, what):
    """Other addresses, another protocol, or no quotation: path and MTU stay."""
    scene, peer, site = narrow(outer)
    quoted = a_packet_of_ours(scene, peer, outer)
    before = site.tunnel()["mtu"]
    elsewhere = "172.19.1.77" if outer == 4 else "2001:db8:19::77"
    if what == "protocol":
        setattr(quoted, "proto" if outer == 4 else "nh", 253)
    elif what != "nothing":
        setattr(quoted, {"source": "src", "destination": "dst"}[what], elsewhere)
    if outer == 4:
        del quoted.chksum
    peer.send(too_big(peer, outer, 1300, b"" if what == "nothing" else bytes(quoted)))
    a_packet_of_ours(scene, peer, outer)
    assert path_of(scene, outer)[1] is None and site.tunnel()["mtu"] == before


@pytest.mark.parametrize("value", (0, 68, 300))
def test_least_path(narrow, outer, value):
    """What no path is: IPv4 is not taken below the kernel's floor, IPv6 not below 1280."""
    scene, peer, site = narrow(outer)
    ours = a_packet_of_ours(scene, peer, outer)
    before = site.tunnel()["mtu"]
    peer.send(too_big(peer, outer, value, bytes(ours)))
    for _ in range(3):
        a_packet_of_ours(scene, peer, outer)
    floor = 552 if outer == 4 else 1280
    assert site.tunnel()["mtu"] in (before, max(1280, floor - overhead("plain", outer)))
    assert path_of(scene, outer)[0].get("metrics", [{}])[0].get("mtu", 1500) >= floor


def test_error_about_another_key(narrow, outer):
    """The kernel believes what quotes our addresses and protocol, whatever is behind them; no narrower than
    its floor."""
    scene, peer, site = narrow(outer)
    quoted = a_packet_of_ours(scene, peer, outer)
    quoted.remove_payload()
    if outer == 4:
        del quoted.chksum
    peer.send(too_big(peer, outer, 1300, bytes(quoted / GRE(key_present=1, key=99) / Raw(bytes(100)))))
    wait_for(lambda: site.tunnel()["path_mtu"] == 1300, 5, site.tunnel)


def test_old_router(narrow):
    """Without an MTU in it an error is believed at once, before another packet is too long. How narrow the
    path is says the kernel: it takes its floor, not the next plateau."""
    scene, peer, site = narrow(4)
    assert site.tunnel()["path_mtu"] == 1500
    peer.send(too_big(peer, 4, 0, bytes(a_packet_of_ours(scene, peer, 4))))
    wait_for(lambda: site.tunnel()["path_mtu"] == 552, 5, site.tunnel)


def told_of(scene, family, size):
    """A request of that many octets that must not be answered; the MTU that its sender was told."""
    done = scene.host[A].run(["ping", "-n", "-c", 1, "-W", 1, "-M", "do", "-s", size - (28 if family == 4 else 48),
                              HOST[family][B]], check=False)
    assert done.returncode, done.stdout
    told = re.search(r"mtu ?= ?(\d+)", done.stdout + done.stderr)
    assert told, done.stdout + done.stderr
    return int(told[1])


@pytest.mark.parametrize("underlay", (1280, 1400, 1476, 1500, 9000))
def test_ladder(tmp_path, outer, underlay):
    """The longest passenger passes whole, one octet more is answered with just that length; IPv6 has its
    1280 octets in any case."""
    room = underlay - overhead("key", outer)
    with Scene(mtu=underlay) as scene:
        both_up(scene, tmp_path, outer=outer, key=7)
        for side in (A, B):
            scene.host[side].ip("link set dev eth0 mtu 9100")
            scene.router[side].ip("link set dev eth1 mtu 9100")
        for family, limit in ((4, room), (6, max(room, 1280))):
            ping(scene.host[A], HOST[family][B], size=limit - (28 if family == 4 else 48), df="do")
            assert told_of(scene, family, limit + 1) == limit
