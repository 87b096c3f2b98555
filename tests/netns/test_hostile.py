# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that somebody sends who has no tunnel here: they are dropped for their reason, each is counted, and
greteld is none the worse for it. soak.py hostile has minutes of it, beside a good tunnel's rate."""
import random
import struct

import pytest
from figures import resident
from gretel import Site, both_up, site_text
from hostile import Account, Storm
from lanes import wait_lane, wait_loaded
from net import wait_for
from peer import gre
from siege import KEY, Siege
from scapy.all import ICMP, IP, IPv6ExtHdrFragment, Raw
from scene import HOST, A, B

GROWTH = 1 << 20  # octets of greteld's memory
LANES = ("user", "tc", "xdp")


def one(make_peer, directory, lane, **keys):
    scene, peer = make_peer(A)
    scene.take_frames()
    site = Site(scene.router[A], directory / A, site_text(A, lane=lane, **keys))
    site.up()
    wait_loaded(site)
    wait_lane(site, lane)
    return scene, peer, site


def passenger(number=1):
    return IP(src=HOST[4][B], dst=HOST[4][A]) / ICMP(id=1, seq=number & 0xFFFF) / b"passenger"


def carries_on(scene, site, peer, pid, before, family=4, **header):
    """The same process, of the same size, that carries what it should."""
    account = Account(scene, site)
    for number in range(20):
        peer.send(peer.outer(family) / gre(**header) / passenger(number))
    wait_for(lambda: account.counted().get("carried") == 20, 10, account.counted)
    assert site.pid() == pid
    assert resident(pid) - before < GROWTH


@pytest.mark.parametrize("lane", LANES)
def test_garbage(make_peer, tmp_path, lane):
    """Random octets as GRE, half of them with flags and keys that are in use."""
    scene, peer, site = one(make_peer, tmp_path, lane, key=KEY)
    account = Account(scene, site)
    account.balance(Storm(scene, KEY, seed=2, count=50_000).end())  # every buffer was in use then
    pid, before, account = site.pid(), resident(site.pid()), Account(scene, site)
    sent = Storm(scene, KEY, seed=3, count=200_000).end()
    assert sent == 200_000
    found = account.balance(sent)
    for reason in ("rx-truncated", "rx-version", "rx-routing", "rx-reserved", "rx-source", "rx-key-missing",
                   "rx-key-wrong", "rx-checksum", "rx-protocol", "rx-inner-malformed"):
        assert found.get(reason, 0) > 100, (reason, found)
    assert found.get("carried", 0) * 1000 < sent, found
    carries_on(scene, site, peer, pid, before, key=KEY)


@pytest.mark.parametrize("lane", LANES)
def test_flood(scene, tmp_path, lane):
    """1 Gbit/s of it on the wire, as far as other tests let it: each packet is in some counter, and so is each of the good tunnel's, whose
    hosts meanwhile finish what they do. How fast, `make soak` says."""
    siege = Siege(scene, both_up(scene, tmp_path, key=KEY, lane=lane), lane)
    pids = {side: site.pid() for side, site in siege.sites.items()}
    found = siege.run(rounds=1, octets=10 << 20, datagrams=2000)
    assert found["packets"] > 10_000 and found["uncounted"] == 0, found
    assert found["found"]["rx-key-wrong"] > 100 and found["found"]["rx-version"] > 100, found
    assert found["growth"] < GROWTH
    assert pids == {side: site.pid() for side, site in siege.sites.items()}


@pytest.mark.parametrize("lane", LANES)
def test_spoofed_source(make_peer, tmp_path, lane):
    """The right key and a good passenger, from every other address of the underlay."""
    scene, peer, site = one(make_peer, tmp_path, lane, key=KEY)
    pid, before, account = site.pid(), resident(site.pid()), Account(scene, site)
    strangers = [f"172.19.1.{last}" for last in range(3, 254)]
    frames = [peer.frame(peer.outer(4, src=source) / gre(key=KEY) / passenger()) for source in strangers]
    for turn in range(1, 11):
        for frame in frames:
            peer.sock.send(frame)
        assert account.balance(turn * len(frames)).keys() == {"rx-source"}
    assert len(site.status()["strays"]) <= 64
    carries_on(scene, site, peer, pid, before, key=KEY)


@pytest.mark.parametrize("lane", LANES)
def test_every_key_is_tried(make_peer, tmp_path, lane):
    """65,536 keys in random order, one of them the tunnel's; that one is carried."""
    scene, peer, site = one(make_peer, tmp_path, lane, key=0x1234)
    pid, before, account = site.pid(), resident(site.pid()), Account(scene, site)
    frame = bytearray(peer.frame(peer.outer() / gre(key=0) / passenger()))
    keys = list(range(1 << 16))
    random.Random(5).shuffle(keys)
    for number, key in enumerate(keys):
        struct.pack_into("!I", frame, 14 + 20 + 4, key)
        peer.sock.send(frame)
        if number % 1024 == 1023:
            account.balance(number + 1)
    assert account.found() == {"rx-key-wrong": (1 << 16) - 1, "carried": 1}
    carries_on(scene, site, peer, pid, before, key=0x1234)


def reassembly(router):
    """What the kernel counts of it for IPv4: (put together, given up). For IPv6 connection tracking does it
    before, and counts nothing."""
    with router.entered(), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Ip:")]
    found = dict(zip(names, values))
    return int(found["ReasmOKs"]), int(found["ReasmFails"])


def piece(peer, family, number, octets, at, more):
    if family == 4:
        return peer.outer(4, proto=47, id=number, flags="MF" if more else 0, frag=at // 8) / Raw(octets)
    return peer.outer(6, nh=44) / IPv6ExtHdrFragment(nh=47, id=number, offset=at // 8, m=int(more)) / Raw(octets)


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("lane", LANES)
def test_fragments(make_peer, tmp_path, lane, family):
    """Outer fragments of eight octets, so that the key is not in the first: a packet like others. Fragments
    that overlap are the kernel's to drop. Those whose rest does not come wait there."""
    scene, peer, site = one(make_peer, tmp_path, lane, key=KEY, outer=family)
    ok, fails = reassembly(scene.router[A])
    pid, before, account = site.pid(), resident(site.pid()), Account(scene, site)
    whole = bytes(gre(key=KEY) / passenger() / Raw(bytes(71)))
    whole += bytes(-len(whole) % 8)
    for at in range(0, len(whole), 8):
        peer.send(piece(peer, family, 1, whole[at:at + 8], at, at + 8 < len(whole)))
    assert account.balance(1) == {"carried": 1}
    for number in range(2, 52):
        peer.send(piece(peer, family, number, whole[:32], 0, True))
        peer.send(piece(peer, family, number, bytes(16) + whole[32:], 16, False))
    for number in range(100, 600):
        peer.send(piece(peer, family, number, whole[:32], 0, True))
    carries_on(scene, site, peer, pid, before, family=family, key=KEY)
    assert account.counted() == {"carried": 1 + 20}
    if family == 4:
        assert reassembly(scene.router[A])[0] == ok + 1 and reassembly(scene.router[A])[1] >= fails + 50
