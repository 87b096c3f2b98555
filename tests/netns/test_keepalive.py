# SPDX-License-Identifier: GPL-2.0-or-later
"""The keepalive: two routers that ask each other, and a peer made by scapy that plays the other one."""
import contextlib
import re
import select
import threading
import time

import pytest
from flow import udp
from gretel import NAME, Site, both_up, ping, ping_between_lans, site_text
from net import Failed, wait_for
from peer import gre
from scapy.all import GRE, IP, UDP, IPv6
from scene import A, B, HOST, ROUTER, TUNNEL, UNDERLAY, other

KEY = 0xC0FFEE01
INTERVAL, RETRIES = 0.2, 3
KEEPALIVE = f"{INTERVAL * 1000:.0f}ms {RETRIES}"
NOT_HELD, CISCO = {"keepalive-hold": "no"}, {"keepalive-form": "cisco"}
# From the loss to the verdict, and what a busy machine adds.
VERDICT, MARGIN = INTERVAL * RETRIES * 1.1, 1.0
OUTERS = pytest.mark.parametrize("outer", (4, 6))


def carrier(router):
    return "LOWER_UP" in router.link(NAME)["flags"]


def heard(site):
    return site.tunnel()["keepalive"]["state"] == "up"


def lost(site):
    """Drops, but not answers that a busy machine brought together: the first closes all questions."""
    return {reason: n for reason, n in site.drops().items() if reason != "rx-keepalive-unasked"}


def up(scene, tmp_path, **keys):
    site = Site(scene.router[A], tmp_path / A, site_text(A, **keys))
    site.up()
    return site


@OUTERS
@pytest.mark.parametrize("keys", ({}, {"key": KEY, "sequence": "yes", "checksum": "require"},
                                  {"mode": "gretap"}), ids=("plain", "all", "gretap"))
def test_cut_and_return(make_relay, tmp_path, outer, keys):
    """A path that dies in silence takes the carrier on both sides, and one that returns brings it
    back; the kernel's own way from there is left alone."""
    scene, relay = make_relay()
    sites = both_up(scene, tmp_path, outer=outer, keepalive=KEEPALIVE, **NOT_HELD, **keys)
    for site in sites.values():
        wait_for(lambda: heard(site), 5, lambda: site.tunnel())
    begun = {side: lost(site) for side, site in sites.items()}  # before both interfaces were up
    for _ in range(2):
        relay.set(cut="both")
        begin = time.monotonic()
        for router in scene.router.values():
            wait_for(lambda: not carrier(router), VERDICT + MARGIN, "no carrier")
        assert time.monotonic() - begin > INTERVAL * (RETRIES - 1), "too early"
        for site in sites.values():
            tunnel = site.tunnel()
            assert tunnel["state"] == "down"
            assert re.fullmatch(r"no answer to \d+ keepalives since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
                                tunnel["reason"])
            assert tunnel["keepalive"]["unanswered"] >= RETRIES
            plan = site.plan()
            assert plan.returncode == 0, plan.stdout
        relay.set(cut="none")
        for side, router in scene.router.items():
            wait_for(lambda: carrier(router), INTERVAL + MARGIN, "carrier")
            wait_for(lambda: sites[side].tunnel()["state"] == "up", 5)
    if "mode" not in keys:
        ping_between_lans(scene)
    assert {side: lost(site) for side, site in sites.items()} == begun


def test_one_side_asks(make_relay, tmp_path):
    """The side without a keepalive answers, and its own interface shows nothing."""
    scene, relay = make_relay()
    sites = both_up(scene, tmp_path, keepalive="no")
    sites[A].edit("keepalive = no", f"keepalive = {KEEPALIVE}")
    sites[A].reload()
    wait_for(lambda: heard(sites[A]), 5, lambda: sites[A].tunnel())
    silent = sites[B].tunnel()["keepalive"]
    assert (silent["state"], silent["sent"], silent["received"], silent["rtt_us"]) == ("off", 0, 0, None)
    relay.set(cut="both")
    wait_for(lambda: not carrier(scene.router[A]), VERDICT + MARGIN, "no carrier")
    assert carrier(scene.router[B]) and sites[B].tunnel()["state"] == "up"
    sites[A].edit(f"keepalive = {KEEPALIVE}", "keepalive = no")
    sites[A].reload()
    assert carrier(scene.router[A]) and sites[A].tunnel()["state"] == "up"


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("behind", (False, True), ids=("peer", "behind"))
def test_both_ends_ask_by_echo(make_relay, tmp_path, family, behind):
    """Interfaces without carrier send no answer of the kernel's: both ends are down after an outage, stay so
    while the way is broken in one direction, and come up again all the same."""
    scene, relay = make_relay()
    sites = {}
    for side in (A, B):
        target = (HOST if behind else TUNNEL)[family][other(side)]
        sites[side] = Site(scene.router[side], tmp_path / side,
                           site_text(side, forward={}, keepalive="100ms 3", probe=f"icmp {target}"))
        sites[side].up()

    def all_are(state):
        for site in sites.values():
            wait_for(lambda site=site: site.tunnel()["keepalive"]["state"] == state, 20, site.tunnel)
    all_are("up")
    for one_way in ("ab", "ba"):
        relay.set(cut="both")
        all_are("down")
        relay.set(cut=one_way)
        before = {side: site.tunnel()["keepalive"] for side, site in sites.items()}
        for side, site in sites.items():
            wait_for(lambda: site.tunnel()["keepalive"]["sent"] > before[side]["sent"] + 10, 20)
            assert site.tunnel()["keepalive"]["received"] == before[side]["received"]
        all_are("down")
        relay.set(cut="none")
        all_are("up")
        ping_between_lans(scene)


def test_machine_behind_that_was_gone(make_relay, tmp_path):
    """Both ends ask machines behind the other, and one of them is gone for a while: its return is noticed."""
    scene, _ = make_relay()
    sites = {}
    for side in (A, B):
        sites[side] = Site(scene.router[side], tmp_path / side,
                           site_text(side, forward={}, keepalive="100ms 3", probe=f"icmp {HOST[4][other(side)]}"))
        sites[side].up()
    for site in sites.values():
        wait_for(lambda site=site: heard(site), 20, site.tunnel)
    scene.host[B].ip("link set dev eth0 down")
    wait_for(lambda: sites[A].tunnel()["keepalive"]["state"] == "down", 20, sites[A].tunnel)
    scene.host[B].ip("link set dev eth0 up", f"route replace default via {ROUTER[4][B]}")
    for site in sites.values():
        wait_for(lambda site=site: heard(site), 20, site.tunnel)


def test_daemon_that_dies_while_down(make_relay, tmp_path):
    """The next daemon begins with a carrier, and finds out anew."""
    scene, relay = make_relay()
    sites = both_up(scene, tmp_path, keepalive=KEEPALIVE)
    wait_for(lambda: heard(sites[A]), 5)
    relay.set(cut="both")
    wait_for(lambda: not carrier(scene.router[A]), VERDICT + MARGIN, "no carrier")
    scene.router[A].kill_all()
    relay.set(cut="none")
    sites[A].up()
    assert carrier(scene.router[A])
    wait_for(lambda: heard(sites[A]), 5)
    ping(scene.host[A], HOST[4][B])


def question(peer, outer, proto=0, back=None, **fields):
    """What a Cisco router in place of the peer sends; returns the question and its passenger."""
    layer = IP if outer == 4 else IPv6
    words = {"src": UNDERLAY[outer][A], "dst": UNDERLAY[outer][B]}
    words |= {"tos": 0xC0, "ttl": 255, "id": 0xA3, "proto": 47} if outer == 4 else \
             {"tc": 0xC0, "hlim": 255, "nh": 47}
    inner = layer(**words | (back or {})) / gre(proto=proto, **fields)
    return peer.outer(outer) / gre(proto=0x0800 if outer == 4 else 0x86DD, **fields) / inner, bytes(inner)


def turned(passenger, outer):
    """The passenger as a router forwards it."""
    layer = IP if outer == 4 else IPv6
    packet = layer(passenger)
    if outer == 4:
        packet.ttl -= 1
        del packet.chksum
    else:
        packet.hlim -= 1
    return bytes(packet)


@OUTERS
@pytest.mark.parametrize("fields", ({}, {"key": 40}), ids=("plain", "key"))
@pytest.mark.parametrize("keepalive", ("no", KEEPALIVE))
def test_answers_octet_by_octet(make_peer, tmp_path, outer, fields, keepalive):
    """The answer is the passenger, its TTL 254; with our own keepalive off too."""
    scene, peer = make_peer(A)
    site = up(scene, tmp_path, outer=outer, keepalive=keepalive, **fields)
    packet, passenger = question(peer, outer, **fields)
    peer.send(packet)
    want = turned(passenger, outer)
    answer = peer.receive(lambda p: bytes(p)[:len(want)] == want, 3)
    assert (answer.src, answer.dst) == (UNDERLAY[outer][A], UNDERLAY[outer][B])
    assert (answer.ttl if outer == 4 else answer.hlim) == 254
    assert site.tunnel()["keepalive"]["reflected"] == 1 and not site.drops()
    assert site.tunnel()["rx"]["packets"] == 0


def test_answers_mikrotik(make_peer, tmp_path):
    """Over IPv6 the inner protocol type may be that of IPv6."""
    scene, peer = make_peer(A)
    up(scene, tmp_path, outer=6)
    packet, passenger = question(peer, 6, proto=0x86DD)
    peer.send(packet)
    want = turned(passenger, 6)
    peer.receive(lambda p: bytes(p)[:len(want)] == want)


NO_QUESTION = {
    "not swapped": ({"back": {"src": UNDERLAY[4][B]}}, "rx-loop"),
    "source elsewhere": ({"back": {"src": "172.19.1.66"}}, "rx-loop"),
    "TTL 1": ({"back": {"ttl": 1}}, "rx-loop"),
    "no GRE": ({"back": {"proto": 17}}, "rx-loop"),
    "a passenger inside": ({"proto": 0x0800}, "rx-loop"),
}


@pytest.mark.parametrize("name", NO_QUESTION)
def test_sends_nothing_else_back(make_peer, tmp_path, name):
    """RFC 2784 3.1 holds for whatever is not exactly a question."""
    scene, peer = make_peer(A)
    words, reason = NO_QUESTION[name]
    site = up(scene, tmp_path)
    peer.send(question(peer, 4, **words)[0])
    wait_for(lambda: site.drops() == {reason: 1}, 5, site.drops)
    assert site.tunnel()["keepalive"]["reflected"] == 0


def test_other_key_inside(make_peer, tmp_path):
    scene, peer = make_peer(A)
    site = up(scene, tmp_path, key=40)
    inner = IP(src=UNDERLAY[4][A], dst=UNDERLAY[4][B], proto=47, ttl=255) / gre(key=41, proto=0)
    peer.send(peer.outer() / gre(key=40) / inner)
    wait_for(lambda: site.drops() == {"rx-loop": 1}, 5, site.drops)


def test_limit(make_peer, tmp_path):
    """A flood of questions is not answered one by one."""
    scene, peer = make_peer(A)
    site = up(scene, tmp_path)
    frame = peer.frame(question(peer, 4)[0])
    begin = time.monotonic()
    for _ in range(500):
        peer.sock.send(frame)

    def counted():
        return site.tunnel()["keepalive"]["reflected"] + site.drops().get("rx-keepalive-limit", 0)
    wait_for(lambda: counted() == 500, 5, counted)
    seconds = int(time.monotonic() - begin) + 1
    assert 100 <= site.tunnel()["keepalive"]["reflected"] <= 100 * (seconds + 1) < 500


class Responder:
    """Answers our questions as a router does that forwards what it decapsulates."""

    def __init__(self, peer, outer=4):
        self.peer, self.outer = peer, outer

    def answer(self, deadline=5.0):
        asked = self.peer.receive(lambda p: GRE in p and GRE in p[GRE].payload, deadline)
        back = turned(bytes(asked[GRE].payload), self.outer)
        layer = IP if self.outer == 4 else IPv6
        self.peer.send(layer(back))
        return asked

    @contextlib.contextmanager
    def answering(self):
        """Answers whatever is asked inside the context."""
        stop = threading.Event()

        def work():
            while not stop.is_set():
                if select.select([self.peer.sock], [], [], 0.02)[0]:
                    with contextlib.suppress(Failed):
                        self.answer(0.02)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@OUTERS
@pytest.mark.parametrize("keys", ({}, {"key": KEY}, {"ikey": 1, "okey": 2},
                                  {"key": KEY, "sequence": "yes", "checksum": "require"}),
                         ids=("plain", "key", "two-keys", "all"))
def test_asks_octet_by_octet(make_peer, tmp_path, outer, keys):
    """Our question is what a Cisco router sends; the answer that routing makes of it is heard."""
    scene, peer = make_peer(A)
    site = up(scene, tmp_path, outer=outer, keepalive=KEEPALIVE, **CISCO, **keys)
    asked = Responder(peer, outer).answer()
    octets, near, far = bytes(asked), UNDERLAY[outer][A], UNDERLAY[outer][B]
    all_fields = "sequence" in keys
    words = 4 + 4 * bool(keys) + 8 * all_fields
    assert len(octets) == 2 * ((20 if outer == 4 else 40) + words)
    inner = asked[GRE].payload
    assert (asked.src, asked.dst, inner.src, inner.dst) == (near, far, far, near)
    sent, back = asked[GRE], inner[GRE]
    assert (sent.proto, back.proto) == (0x0800 if outer == 4 else 0x86DD, 0)
    for header, key in ((sent, keys.get("okey")), (back, keys.get("ikey"))):
        assert header.key == keys.get("key", key)
        assert (header.chksum_present, header.seqnum_present) == (all_fields, all_fields)
    if outer == 4:
        assert [(p.tos, p.ttl, p.flags) for p in (asked, inner)] == [(0xC0, 255, 0)] * 2
        rebuilt = inner.copy()
        del rebuilt.chksum
        assert inner.id == asked.id - 1 and bytes(inner) == bytes(rebuilt)
    else:
        assert [(p.tc, p.hlim) for p in (asked, inner)] == [(0xC0, 255)] * 2
    wait_for(lambda: heard(site), 5, lambda: site.tunnel())
    assert site.tunnel()["keepalive"]["received"] == 1 and not site.drops()


def test_peer_that_stops_answering(make_peer, tmp_path, undo):
    """Down after the third loss; what the peer sends is delivered all the same; the first answer
    brings the carrier back; answers that nobody asked for count for nothing."""
    scene, peer = make_peer(A)
    site = up(scene, tmp_path, keepalive=KEEPALIVE, **NOT_HELD, **CISCO)
    router, responder = scene.router[A], Responder(peer)
    with responder.answering():
        wait_for(lambda: site.tunnel()["keepalive"]["received"] > 2 * RETRIES, 10, site.tunnel)
        assert carrier(router) and site.tunnel()["state"] == "up"
    wait_for(lambda: not carrier(router), VERDICT + MARGIN, "no carrier")
    sock = udp(scene.host[A], 4, port=9004)
    undo.callback(sock.close)
    sock.settimeout(5)
    peer.send(peer.outer() / GRE() / IP(src=HOST[4][B], dst=HOST[4][A]) / UDP(sport=4000, dport=9004) / b"odd")
    assert sock.recv(100) == b"odd"
    assert not carrier(router)
    peer.drain()
    responder.answer()
    wait_for(lambda: carrier(router), MARGIN, "carrier")


def test_unasked_answers(make_peer, tmp_path):
    """Without a keepalive, or beyond the open question, an answer is a drop."""
    scene, peer = make_peer(A)
    site = up(scene, tmp_path, **CISCO)
    bare = peer.outer(proto=47) / gre(proto=0)
    peer.send(bare)
    wait_for(lambda: site.drops() == {"rx-keepalive-unasked": 1}, 5, site.drops)
    site.edit("local =", "keepalive = 1000s 3\nlocal =")
    site.reload()
    Responder(peer).answer()
    wait_for(lambda: heard(site), 5)
    for _ in range(9):
        peer.send(bare)
    wait_for(lambda: site.drops() == {"rx-keepalive-unasked": 10}, 5, site.drops)
    found = site.tunnel()["keepalive"]
    assert (found["state"], found["sent"], found["received"], found["unanswered"]) == ("up", 1, 1, 0)
    peer.send(bare / b"body")
    wait_for(lambda: site.drops() == {"rx-keepalive-unasked": 10, "rx-protocol": 1}, 5, site.drops)
