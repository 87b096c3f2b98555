# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets for which there is no tunnel: the ICMP error that they get, and what status remembers."""
import threading

import pytest
from gretel import Site, ping, section, site_text
from net import Failed, wait_for
from peer import gre, octets_of, unreachable
from scapy.all import GRE, ICMP, IP, UDP, Ether, ICMPv6DestUnreach, ICMPv6ParamProblem, Raw
from scene import A, B, HOST, UNDERLAY

QUIET = 0.3


@pytest.fixture(params=(4, 6), ids=("ipv4", "ipv6"))
def one(request, make_peer, tmp_path):
    """Router A with a tunnel of key 7, and the test in the place of B."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=request.param, key=7))
    site.up()
    return request.param, peer, site


def passenger():
    return IP(src=HOST[4][B], dst=HOST[4][A]) / ICMP() / b"stray"


def stray(site, reason):
    return next((one for one in site.status()["strays"] if one["reason"] == reason), None)


def test_other_key(one):
    """Answered as the kernel's GRE does, with the packet quoted; and the key is remembered."""
    family, peer, site = one
    sent = peer.outer(family) / gre(key=9) / passenger()
    peer.drain()
    peer.send(sent)
    answer = peer.receive(unreachable(family))
    assert (answer.src, answer.dst) == (UNDERLAY[family][A], UNDERLAY[family][B])
    header = 28 if family == 4 else 48
    quoted = octets_of(answer)[header:]
    assert quoted[20 if family == 4 else 40:] == octets_of(sent)[20 if family == 4 else 40:]
    found = wait_for(lambda: stray(site, "rx-key-wrong"))
    assert (found["remote"], found["local"], found["key"], found["protocol"], found["packets"]) == \
        (UNDERLAY[family][B], UNDERLAY[family][A], 9, 0x0800, 1)
    assert found["flags"] == 0x2000 and found["last_ms"] < 10_000
    assert site.status()["stray_answers"] == 1
    assert site.drops()["rx-key-wrong"] == 1


def test_answers_are_limited(one):
    family, peer, site = one
    packet = peer.outer(family) / gre() / passenger()
    for _ in range(50):
        peer.send(packet)
    found = wait_for(lambda: (stray(site, "rx-key-missing") or {}).get("packets") == 50)
    assert found and 1 <= site.status()["stray_answers"] <= 10


def test_unknown_source(one):
    family, peer, site = one
    stranger = "172.19.1.77" if family == 4 else "2001:db8:19::77"
    peer.send(peer.outer(family, src=stranger) / gre(key=7) / passenger())
    found = wait_for(lambda: stray(site, "rx-source"))
    assert (found["remote"], found["key"]) == (stranger, 7)


def test_while_greteld_starts(make_peer, tmp_path):
    """A peer that sends before its tunnel is in place has made no mistake, and is told of none."""
    scene, peer = make_peer(A)
    count = 60
    text = site_text(A, key=count) + "".join(
        section("tunnel", f"t{n}", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=n) for n in range(1, count))
    site = Site(scene.router[A], tmp_path / A, text)
    ping(scene.router[A], HOST[4][A])
    stop, packet = threading.Event(), peer.outer(4) / gre(key=count - 1) / passenger()

    def speak():
        while not stop.wait(0.001):
            peer.send(packet)
    thread = threading.Thread(target=speak)
    thread.start()
    try:
        site.up()
        wait_for(lambda: site.tunnel(f"t{count - 1}")["rx"]["packets"] > 0, 10)
    finally:
        stop.set()
        thread.join(5)
    status = site.status()
    assert {reason for reason, n in status["stray_drops"].items() if n} == {"rx-starting"}
    blamed = {reason for one in status["tunnels"] for reason, n in one["drops"].items() if n}
    assert blamed <= {"rx-device"}, blamed  # a tunnel is in place a moment before its interface is up
    assert status["strays"] == [] and status["stray_answers"] == 0


def test_frame_for_a_tunnel_of_packets(one):
    family, peer, site = one
    peer.send(peer.outer(family) / gre(key=7, proto=0x6558) / Raw(bytes(Ether() / passenger())))
    peer.receive(unreachable(family))
    assert stray(site, "rx-protocol")["protocol"] == 0x6558


def in_udp(port, between):
    return lambda packet: UDP(sport=50000, dport=port) / Raw(between + octets_of(packet))


# What stands between the outer IP header and GRE, how long it is, and what the file says of it.
CARRIED = {"ip": (lambda packet: packet, 0, "no"), "udp": (in_udp(4754, b""), 8, "yes"),
           "gue": (in_udp(6080, bytes.fromhex("002f0000")), 12, "gue")}


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize("key, at", (("checksum", 4), ("sequence", 12)))
def test_missing_field(make_peer, tmp_path, family, carried, key, at):
    """Told by a parameter problem whose pointer says where in the GRE header the field should be."""
    scene, peer = make_peer(A)
    put, more, word = CARRIED[carried]
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=family, key=7, udp=word, **{key: "receive"}))
    site.up()
    peer.drain()
    peer.send(peer.outer(family) / put(gre(key=7) / passenger()))
    at += more

    def wanted(packet):
        if family == 6:
            return ICMPv6ParamProblem in packet and packet[ICMPv6ParamProblem].ptr == 40 + at
        return ICMP in packet and (packet[ICMP].type, packet[ICMP].code, packet[ICMP].ptr) == (12, 1, 20 + at)
    peer.receive(wanted)
    assert stray(site, f"rx-{key}-missing")["packets"] == 1


def test_good_packets_are_not_answered(one):
    family, peer, site = one
    peer.drain()
    peer.send(peer.outer(family) / gre(key=7) / passenger())
    wait_for(lambda: site.tunnel()["rx"]["packets"] == 1)
    with pytest.raises(Failed):
        peer.receive(unreachable(family), QUIET)
    assert site.status()["strays"] == [] and site.status()["stray_answers"] == 0


def test_broadcast_is_not_answered(make_peer, tmp_path):
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A, key=7))
    site.up()
    peer.drain()
    peer.send(peer.outer(4, dst="172.19.1.255") / gre(key=9) / passenger())
    wait_for(lambda: stray(site, "rx-source"))
    with pytest.raises(Failed):
        peer.receive(unreachable(4), QUIET)
    assert site.status()["stray_answers"] == 0


def test_errors_of_the_peer_are_remembered(make_peer, tmp_path):
    """The peer has nothing that takes GRE."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A))
    site.up()
    scene.host[A].popen(["ping", "-c", 1, "-W", 1, HOST[4][B]])
    seen = peer.receive(lambda p: IP in p and GRE in p)
    quoted = octets_of(seen)[:64]
    peer.send(peer.outer(4, proto=1) / ICMP(type=3, code=2) / Raw(quoted))
    found = wait_for(lambda: site.status()["refusals"])
    assert (found[0]["remote"], found[0]["from"], found[0]["type"], found[0]["code"]) == \
        (UNDERLAY[4][B], UNDERLAY[4][B], 3, 2)
