# SPDX-License-Identifier: GPL-2.0-or-later
"""The keepalive with routers of other makes: they answer us, each in its own form, and ask us."""
import time

import pytest
from dialects import Company, dialects, tunnels
from gretel import NAME, Site, section, site_text
from net import Failed, wait_for
from peer import gre
from scapy.all import GRE, ICMP, IP, IPv6, ICMPv6EchoReply, Raw
from scene import A, B, TUNNEL, UNDERLAY
from wire import Capture, assert_clean

INTERVAL, RETRIES = 0.2, 5
# What a machine that does other work adds to a moment that is polled for.
SLACK = 0.5


def states(site):
    return {one["name"]: one["keepalive"]["state"] for one in site.status()["tunnels"]}


def test_all_forms(make_scene, tmp_path, undo):
    """Each is up in its form, stays up with a tenth of the answers lost, and is down in time when its
    peer stops, the others untouched. (soak.py dialects: 1,000 intervals.)"""
    scene = make_scene(wire="open")
    peers = dialects()
    company = Company(scene, peers, loss=0.1, seed=3)
    undo.callback(company.close)
    site = Site(scene.router[A], tmp_path, tunnels(peers, f"{INTERVAL * 1000:.0f}ms {RETRIES}", section))
    with Capture(scene.wire, "a", tmp_path / "wire.pcap"):
        site.up()
        wait_for(lambda: set(states(site).values()) == {"up"}, 10, lambda: states(site))
    assert_clean(tmp_path / "wire.pcap")
    wait_for(lambda: min(company.answered.values()) > 20, 20, lambda: company.answered)
    assert set(states(site).values()) == {"up"}
    for one in site.status()["tunnels"]:
        assert one["keepalive"]["rtt_us"] is not None and one["keepalive"]["jitter_us"] is not None
        assert one["keepalive"]["unanswered"] < RETRIES
    forms = {one["name"]: one["keepalive"]["form"] for one in site.status()["tunnels"]}
    assert (forms["auto"], forms["auto6"], forms["auto_exact"], forms["icmp"]) == ("openbsd", "openbsd", "cisco", "icmp")
    assert not any(peer.refused for name, peer in peers.items() if name != "auto-exact")
    for name in list(peers)[::4]:
        company.silent.add(name)
        stopped = time.monotonic()
        wait_for(lambda: states(site)[name.replace("-", "_")] == "down", 5, lambda: states(site))
        took = time.monotonic() - stopped
        assert INTERVAL * (RETRIES - 2) < took < INTERVAL * RETRIES * 1.1 + SLACK
        assert {state for other, state in states(site).items() if other.replace("_", "-") not in company.silent} == {"up"}


def questions():
    """(name, outer family, keys of our file, outer type, octets in front, inner type, body)"""
    return [
        ("cisco", 4, {}, 0x0800, b"", 0, b""),
        ("cisco6", 6, {}, 0x86DD, b"", 0, b""),
        ("cisco-key", 4, {"key": 40}, 0x0800, b"", 0, b""),
        ("cisco-cmd", 4, {"key": 40}, 0x8909, bytes.fromhex("0800010100010000"), 0, b""),
        ("cisco-cmd-tag", 4, {}, 0x8909, bytes.fromhex("0800010100010064"), 0, b""),
        ("mikrotik6", 6, {}, 0x86DD, b"", 0x86DD, b""),
        ("huawei", 4, {}, 0x0004, b"", 0, b""),
        ("openbsd", 4, {}, 0x0800, b"", 0, bytes(range(16))),
        ("openbsd6", 6, {"key": 40}, 0x86DD, b"", 0, bytes(range(16))),
    ]


@pytest.mark.parametrize("name, family, keys, kind, front, inner, body", questions(), ids=[q[0] for q in questions()])
def test_reflects_exactly(make_peer, tmp_path, name, family, keys, kind, front, inner, body):
    """The answer is the passenger, one hop less to live, octet by octet."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, site_text(A, outer=family, **keys))
    site.up()
    layer = IP if family == 4 else IPv6
    fields = {"tos": 0xC0, "ttl": 255, "id": 0xA3, "proto": 47} if family == 4 else {"tc": 0xC0, "hlim": 255, "nh": 47}
    passenger = layer(src=UNDERLAY[family][A], dst=UNDERLAY[family][B], **fields) / gre(keys.get("key"), proto=inner) / Raw(body)
    want = layer(bytes(passenger))
    if family == 4:
        want.ttl = 254
        del want.chksum
    else:
        want.hlim = 254
    peer.send(peer.outer(family) / gre(keys.get("key"), proto=kind) / Raw(front + bytes(passenger)))
    want = bytes(want)
    peer.receive(lambda p: bytes(p)[:len(want)] == want, 3)
    assert site.tunnel()["keepalive"]["reflected"] == 1 and not site.drops()


@pytest.mark.parametrize("family", (4, 6))
def test_reflects_inside(make_peer, tmp_path, family):
    """A question between the inner addresses goes back through the tunnel."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, site_text(A, key=7))
    site.up()
    layer = IP if family == 4 else IPv6
    fields = {"ttl": 255, "proto": 47} if family == 4 else {"hlim": 255, "nh": 47}
    passenger = layer(src=TUNNEL[family][A], dst=TUNNEL[family][B], **fields) / gre(proto=0)
    peer.send(peer.outer() / gre(7, proto=0x0800 if family == 4 else 0x86DD) / passenger)
    answer = peer.receive(lambda p: GRE in p and GRE in p[GRE].payload, 3)
    inner = answer[GRE].payload
    assert answer[GRE].key == 7 and inner.dst == TUNNEL[family][B]
    assert (inner.ttl if family == 4 else inner.hlim) == 254
    assert site.tunnel()["keepalive"]["reflected"] == 1


@pytest.mark.parametrize("nat", ("yes", "no"))
def test_behind_nat(make_peer, tmp_path, nat):
    """A question that names the peer's private address goes to where it came from, if the file says so."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, site_text(A, **{"keepalive-nat": nat}))
    site.up()
    passenger = IP(src=UNDERLAY[4][A], dst="192.168.88.2", ttl=255, proto=47) / gre(proto=0)
    peer.send(peer.outer() / gre() / passenger)
    if nat == "no":
        wait_for(lambda: site.tunnel()["rx"]["packets"] or site.drops(), 3)
        assert site.tunnel()["keepalive"]["reflected"] == 0
        return
    want = IP(src=UNDERLAY[4][A], dst=UNDERLAY[4][B], ttl=254, proto=47) / gre(proto=0)
    peer.receive(lambda p: bytes(p)[:24] == bytes(want), 3)


@pytest.mark.parametrize("cut", ("ab", "ba"))
def test_one_way(make_relay, tmp_path, cut):
    """What passes in one direction only is noticed at both ends."""
    scene, relay = make_relay()
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, keepalive="200ms 3"))
             for side in (A, B)}
    for site in sites.values():
        site.up()
    for site in sites.values():
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 5)
    relay.set(cut=cut)
    for site in sites.values():
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "down", 0.66 + SLACK, site.tunnel)
        assert "LOWER_UP" not in site.namespace.link(NAME)["flags"]


def test_hold_down(make_relay, tmp_path):
    """A peer that returns is kept away for RETRIES answers; the second time for twice as many."""
    scene, relay = make_relay()
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, keepalive="200ms 3"))
             for side in (A, B)}
    for site in sites.values():
        site.up()
    site, seen = sites[A], []
    for _ in range(2):
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 10)
        relay.set(cut="both")
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "down", 3)
        relay.set(cut="none")
        held = wait_for(lambda: (found := site.tunnel())["keepalive"]["state"] == "hold" and found, 3,
                        site.tunnel, interval=0.005)
        begun = time.monotonic()
        assert held["state"] == "down" and "held down" in held["reason"] and not held["usable"]
        assert "LOWER_UP" not in scene.router[A].link(NAME)["flags"]
        seen.append(held["keepalive"]["held"])
        wait_for(lambda: "LOWER_UP" in scene.router[A].link(NAME)["flags"], 10)
        assert time.monotonic() - begun > 0.2 * (seen[-1] - 2)
    assert seen[1] > seen[0]


def test_forged_stale_and_repeated(make_peer, tmp_path):
    """Only a signature of ours, within ten seconds and once, is an answer."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, site_text(A, keepalive="250ms 255", **{"keepalive-form": "openbsd"}))
    site.up()

    def passenger():
        return bytes(peer.receive(lambda p: GRE in p and GRE in p[GRE].payload, 3)[GRE].payload)
    old, begun = passenger(), time.monotonic()
    good = passenger()
    peer.send(IP(good))
    wait_for(lambda: site.tunnel()["keepalive"]["received"] == 1, 3)
    peer.send(IP(good))
    wait_for(lambda: site.drops() == {"rx-keepalive-unasked": 1}, 3, site.drops)
    for at in (24, 28, 39):  # the time, the random number, the hash
        bad = bytearray(passenger())
        bad[at] ^= 1
        peer.send(IP(bytes(bad)))
    peer.send(IP(passenger()[:2] + b"\0\x18" + good[4:24]))
    plain = IP(good[:24])
    plain.len = 24
    del plain.chksum
    peer.send(plain)
    wait_for(lambda: site.drops().get("rx-keepalive-forged") == 4, 3, site.drops)
    wait_for(lambda: time.monotonic() - begun > 10.2, 12)
    peer.send(IP(old))
    wait_for(lambda: site.drops().get("rx-keepalive-stale") == 1, 3, site.drops)
    assert site.tunnel()["keepalive"]["received"] == 1


def echo_reply(family, source, destination):
    if family == 4:
        return IP(src=source, dst=destination, ttl=60) / ICMP(type=0, id=7, seq=9) / b"probe"
    return IPv6(src=source, dst=destination, hlim=60) / ICMPv6EchoReply(id=7, seq=9, data=b"probe")


@pytest.mark.parametrize("family, source", ((4, UNDERLAY[4][A]), (4, TUNNEL[4][A]), (4, "172.64.240.253"), (6, TUNNEL[6][A])))
def test_echo_replies_go_back(make_peer, tmp_path, family, source):
    """A scrubbing service's probe: unseen by the firewall, which drops what has no connection."""
    scene, peer = make_peer(A)
    scene.router[A].nft("table inet strict { chain p { type filter hook prerouting priority -150; "
                        "ct state invalid drop; }; chain f { type filter hook forward priority 0; policy drop; }; }")
    site = Site(scene.router[A], tmp_path, site_text(A, forward={}, **{"echo-reply": "return"}))
    site.up()
    target = "203.0.113.9" if family == 4 else "2001:db8:113::9"
    probe = echo_reply(family, source, target)
    peer.send(peer.outer() / GRE(proto=0x0800 if family == 4 else 0x86DD) / probe)
    back = peer.receive(lambda p: GRE in p and target in (p[GRE].payload.dst,), 3)
    inner = back[GRE].payload
    assert (back.src, back.dst) == (UNDERLAY[4][A], UNDERLAY[4][B])
    assert (inner.ttl if family == 4 else inner.hlim) == 59
    assert bytes(inner.payload) == bytes(probe.payload)
    assert site.tunnel()["keepalive"]["returned"] == 1 and not site.drops()
    # what is no probe is delivered: a reply from behind the peer, to an address of this side
    peer.send(peer.outer() / GRE() / echo_reply(4, TUNNEL[4][B], TUNNEL[4][A]))
    wait_for(lambda: site.tunnel()["rx"]["packets"] == 1, 3, site.tunnel)
    assert site.tunnel()["keepalive"]["returned"] == 1


def test_echo_replies_are_delivered(make_peer, tmp_path):
    """Without the key they are passengers like others."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path, site_text(A))
    site.up()
    peer.send(peer.outer() / GRE() / echo_reply(4, TUNNEL[4][A], "203.0.113.9"))
    wait_for(lambda: site.tunnel()["rx"]["packets"] == 1, 3, site.tunnel)
    with pytest.raises(Failed):
        peer.receive(lambda p: GRE in p and p[GRE].payload.dst == "203.0.113.9", 0.3)


def test_probe_leaves_other_echoes_alone(make_relay, tmp_path):
    """The kernel of the other end answers; the answers to this host's own pings reach it."""
    scene, _ = make_relay()
    for family in (4, 6):
        site = Site(scene.router[A], tmp_path / A, site_text(
            A, keepalive="200ms 3", probe=f"icmp {TUNNEL[family][B]}"))
        far = Site(scene.router[B], tmp_path / B, site_text(B))
        far.up()
        site.up()
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 5, site.tunnel)
        assert site.tunnel()["keepalive"]["form"] == "icmp"
        site.forget_drops()
        scene.router[A].run(["ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", TUNNEL[family][B]])
        seen = site.tunnel()
        assert seen["keepalive"]["received"] > 0 and not site.drops()
        far.down()
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "down", 0.66 + SLACK, site.tunnel)
        site.down()
