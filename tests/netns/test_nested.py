# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels in tunnels. One that lies in another carries like any; but nobody has a packet opened more often
than its sender's tunnels can mean (src/dp/nest.h), whatever lane the tunnels are in."""
import pytest
from gretel import NAME, Site, both_up, section, site_text
from hostile import Account
from lanes import wait_lane, wait_loaded
from peer import gre
from scapy.all import ICMP, IP, UDP, Ether, Raw
from scene import HOST, LAN, TUNNEL, UNDERLAY, A, B, other
from streams import Load, carries_all

LANES = ("user", "tc", "xdp")
MEGABYTE = 1 << 20
MORE = 5  # tunnels of router A beside the first, each with a peer of its own
LAYERS = 100
UDP_PORT = 4754


def passenger():
    return IP(src=HOST[4][B], dst=HOST[4][A]) / ICMP(id=1) / b"passenger"


def beside(number):
    """The address of a further peer."""
    return f"172.19.1.{10 + number}"


@pytest.fixture(params=LANES)
def target(request, make_peer, tmp_path):
    """(peer, account, offer): router A with tunnels to seven peers, the last of them in UDP; offer(...)
    sends a packet to it, fragmented where that is longer than the link."""
    scene, peer = make_peer(A)
    scene.take_frames()
    more = "".join(section("tunnel", f"more{n}", local=UNDERLAY[4][A], remote=beside(n), lane=request.param)
                   for n in range(1, MORE + 1))
    udp = section("tunnel", "udp", local=UNDERLAY[4][A], remote=beside(MORE + 1), udp="yes")
    site = Site(scene.router[A], tmp_path, site_text(A, lane=request.param) + more + udp)
    site.up()
    wait_loaded(site)
    wait_lane(site, request.param)

    def offer(inside, source=UNDERLAY[4][B], proto=47):
        for at in range(0, len(inside), 1400):
            more = "MF" if at + 1400 < len(inside) else 0
            peer.send(peer.outer(src=source, proto=proto, id=9, frag=at // 8, flags=more) / Raw(inside[at:at + 1400]))
    return peer, Account(scene, site), offer


def in_gre(peer, inside, source):
    """(source, protocol and octets behind the outer header) of a packet around `inside`; for octets, since
    scapy does not get to the end of a hundred layers."""
    if source == IN_UDP:
        return source, 17, bytes((peer.outer(src=source) / UDP(sport=50000, dport=UDP_PORT, chksum=0)
                                  / gre(proto=0x0800) / Raw(inside)))[20:]
    return source, 47, bytes(gre(proto=0x0800)) + inside


def wrapped(peer, inside, sources):
    """Outer headers from these sources around a packet, the first of them outermost; what is behind that."""
    inside = bytes(inside)
    for source in reversed(sources[1:]):
        source, proto, octets = in_gre(peer, inside, source)
        inside = bytes(peer.outer(src=source, proto=proto) / Raw(octets))
    source, proto, octets = in_gre(peer, inside, sources[0])
    return {"inside": octets, "source": source, "proto": proto}


FIRST, SECOND, IN_UDP = UNDERLAY[4][B], beside(1), beside(MORE + 1)
RECURSIONS = {
    "one": [FIRST] * LAYERS,
    "two in turns": [FIRST, SECOND] * (LAYERS // 2),
    "with one in UDP": [FIRST, IN_UDP] * (LAYERS // 2),
    "one in UDP": [IN_UDP] * LAYERS,
    "behind a good one": [FIRST, SECOND, FIRST],
    "more than four": [FIRST, *map(beside, range(1, MORE + 1))],
}


@pytest.mark.parametrize("sources", RECURSIONS.values(), ids=RECURSIONS)
def test_recursion(target, sources):
    """It is opened once, and counted once."""
    peer, account, offer = target
    offer(**wrapped(peer, passenger(), sources))
    assert account.balance(1) == {"rx-nested": 1}
    peer.send(peer.outer() / gre() / passenger())
    assert account.balance(2) == {"rx-nested": 1, "carried": 1}


def test_four_in_one(target):
    """Each is opened by its tunnel; what hosts nest in their packets to each other is not looked at."""
    peer, account, offer = target
    offer(**wrapped(peer, passenger(), [FIRST, *map(beside, range(1, MORE))]))
    assert account.balance(MORE) == {"carried": MORE}
    theirs = bytes(passenger())
    for _ in range(10):
        theirs = bytes(IP(src=HOST[4][B], dst=HOST[4][A]) / gre(proto=0x0800) / Raw(theirs))
    peer.send(peer.outer() / gre(proto=0x0800) / Raw(theirs))
    assert account.balance(MORE + 1) == {"carried": MORE + 1}


def test_fragments_of_it(target):
    """The beginning of the packet inside shows whose it is; the rest alone is nothing that could be opened."""
    peer, account, _ = target
    inside = wrapped(peer, passenger(), [FIRST])["inside"]
    for at, octets in ((0, inside[:16]), (2, inside[16:])):
        inner = peer.outer(proto=47, id=7, flags="MF" if at == 0 else 0, frag=at) / Raw(octets)
        peer.send(peer.outer() / gre() / inner)
    assert account.balance(2) == {"rx-nested": 2}


def test_in_frames(make_peer, tmp_path):
    """The same in an Ethernet frame."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, section("tunnel", NAME, local=UNDERLAY[4][A], remote=UNDERLAY[4][B],
                                                   mode="gretap"))
    site.up()
    wait_loaded(site)
    account, frame = Account(scene, site), bytes(Ether() / passenger())
    for _ in range(10):
        frame = bytes(Ether(dst=scene.router[A].mac(NAME)) / peer.outer() / gre(proto=0x6558) / Raw(frame))
    peer.send(peer.outer() / gre(proto=0x6558) / Raw(frame))
    assert account.balance(1) == {"rx-nested": 1}


def inner_tunnel(side, lane):
    """Leads to the LAN by a tunnel whose ends are the inner addresses of the first."""
    far = other(side)
    end = {A: 1, B: 11}
    addresses = [f"{net}{end[side]} peer {net}{end[far]}" for net in ("192.168.9.", "fd00:9::")]
    return section(
        "tunnel", "within", local=TUNNEL[4][side], remote=TUNNEL[4][far], bind=NAME, address=addresses,
        route=[LAN[family][far] for family in (4, 6)], lane=lane)


@pytest.mark.parametrize("lane", LANES)
def test_tunnel_in_a_tunnel(scene, tmp_path, lane):
    """Everything that the inner one carries, the outer one carries."""
    scene.take_frames()
    sites = both_up(scene, tmp_path, route=[], lane=lane)
    for side, site in sites.items():  # whose device is there by now
        wait_lane(site, lane)
        site.write(site.file.read_text() + inner_tunnel(side, lane))
        site.reload()
    carries_all(scene, *sites.values(), load=Load(MEGABYTE, 1000))
    for site in sites.values():
        assert not site.drops("within")
        assert site.tunnel()["rx"]["packets"] >= site.tunnel("within")["rx"]["packets"] > MEGABYTE // 1500
