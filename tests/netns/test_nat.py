# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels in UDP through a NAT: the side that is reached learns where its peer is, from nobody but the peer."""
import os
import select
import signal
import time

import pytest
from dns import PEER, NamedSite
from gretel import NAME, Site, ping, ping_between_lans
from nat import (GATEWAY, INSIDE, KEY, PORT, PROOF, QUESTION, SECRET, UNDERLAY, Nat, Stranger, doubted, place, text, up,
                 wait_learned)
from net import packet_socket, wait_for
from peer import gre, octets_of
from scapy.all import IP, UDP, Ether, Raw
from scene import HOST, TUNNEL, A, B
from streams import Load, carries_all
from wire import Capture, tshark

WAITS = "the peer behind its NAT has not proved itself yet"
OTHER_SECRET = SECRET[::-1]


@pytest.fixture
def nat(make_scene):
    return Nat(make_scene(wire="open"))


def proofs(nat):
    """A socket that sees what B sends, before the NAT."""
    return packet_socket(nat.wire, "b")


def next_proof(sock, deadline=5.0):
    """The payload of the next datagram of B's that is a proof."""
    end = time.monotonic() + deadline
    while (left := end - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
        packet = Ether(sock.recv(65535))
        if UDP in packet and bytes(packet[UDP].payload)[8:12] == PROOF:
            return bytes(packet[UDP].payload)
    raise AssertionError(f"no proof within {deadline} s")


def from_nat(port, octets):
    """A datagram to A that says it comes by this port of the NAT."""
    return IP(src=GATEWAY[4], dst=UNDERLAY[4][A]) / UDP(sport=port, dport=PORT) / Raw(octets)


@pytest.mark.parametrize("outer", (4, 6))
def test_lan_to_lan(nat, tmp_path, outer):
    """Nothing leaves before the peer has proved itself; then everything passes, both ways, between one port
    of each side, as the NAT needs it."""
    path = tmp_path / "wire.pcap"
    with Capture(nat.wire, "a", path, only=f"udp port {PORT}"):
        site = Site(nat.scene.router[A], tmp_path / A, text(A, outer))
        done = site.gretel("up", check=False)
        assert f"tunnel {NAME} is not up: {WAITS}" in done.stderr
        status = site.tunnel()
        assert (status["state"], status["reason"], status["remote"], status["remote_any"], status["remote_port"]) == (
            "waiting", WAITS, "", True, None)
        ping(nat.scene.router[A], HOST[4][A])
        nat.scene.router[A].run(["ping", "-c", 1, "-W", 1, "-I", NAME, TUNNEL[4][B]], check=False)
        assert site.tunnel()["tx"]["packets"] == 0
    assert not tshark(path, ("frame.number",), "udp")
    with Capture(nat.wire, "a", path, only=f"udp port {PORT}"):
        sites = up(nat, tmp_path, outer)
        carries_all(nat.scene, *sites.values(), load=Load(1 << 20, 1000))
    field = "ip.src" if outer == 4 else "ipv6.src"
    ways = {(row[field][0], row["udp.srcport"][0], row["udp.dstport"][0])
            for row in tshark(path, (field, "udp.srcport", "udp.dstport"), "udp")}
    assert ways == {(UNDERLAY[outer][A], str(PORT), "20001"), (GATEWAY[outer], "20001", str(PORT))}
    shown = sites[A].gretel("status").stdout
    assert (f"{GATEWAY[4]}:20001" if outer == 4 else f"[{GATEWAY[6]}]:20001") in shown
    assert sites[A].tunnel()["lane"] == "user" and sites[B].tunnel()["remote_port"] == PORT


def test_a_new_mapping(nat, tmp_path):
    """The NAT forgets the peer and gives it another port: the first packets from there are asked for a proof,
    and everything goes on."""
    sites = up(nat, tmp_path)
    for port in (20002, 20003):
        nat.map(port)
        wait_learned(sites[A], port)
        ping_between_lans(nat.scene)
    assert doubted(sites[A])["rx-unproved"] >= 2 and "rx-proof-forged" not in doubted(sites[A])
    assert not doubted(sites[B])
    sites[A].forget_drops()
    carries_all(nat.scene, *sites.values(), load=Load(1 << 20, 1000))


def test_forgers_change_nothing(nat, tmp_path):
    """Somebody without the key, with the key, with the key and an answer, and with recorded proofs: counted, and
    the peer stays where it is."""
    sock = proofs(nat)
    sites = up(nat, tmp_path)
    site, stranger, recorded = sites[A], Stranger(nat), next_proof(sock)
    learned = place(site)

    def counted(**expected):
        expected = {reason.replace("_", "-"): n for reason, n in expected.items()}
        wait_for(lambda: doubted(site) == expected, 5, site.drops)
        assert place(site) == learned

    stranger.send(bytes(40), key=KEY + 1)
    wait_for(lambda: site.stray() == {"rx-source": 1}, 5, lambda: (site.stray(), site.drops()))
    stranger.send(bytes(10))  # too short to be asked: nobody makes A send more than it is sent
    counted(rx_unproved=1)
    stranger.send(bytes(28))
    question = stranger.question()
    assert question[:4] == QUESTION and len(question) == 28
    counted(rx_unproved=2)
    stranger.send(PROOF + question[4:])
    counted(rx_unproved=2, rx_proof_forged=1)
    stranger.send(recorded[8:])
    counted(rx_unproved=2, rx_proof_forged=1, rx_proof_stale=1)
    nat.inject(A, from_nat(nat.port, recorded))
    counted(rx_unproved=2, rx_proof_forged=1, rx_proof_stale=2)
    before = learned[1]
    nat.map(20002)
    wait_learned(site, 20002)
    learned = place(site)
    stale = site.drops()["rx-proof-stale"]
    nat.inject(A, from_nat(before, recorded))
    wait_for(lambda: site.drops()["rx-proof-stale"] == stale + 1, 5, site.drops)
    ping_between_lans(nat.scene)
    assert place(site) == learned
    # What the stranger was sent: one question, and no packet of the tunnel.
    stranger.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.sock.recv(2048)


def test_a_proof_is_of_one_place(nat, tmp_path):
    """A question that a stranger got, answered by the true peer, proves nothing: not of the stranger, and
    not of the peer, who was asked elsewhere."""
    sites = up(nat, tmp_path)
    stranger = Stranger(nat)
    learned = place(sites[A])
    stranger.send(bytes(28))
    nat.inject(B, IP(src=UNDERLAY[4][A], dst=INSIDE[4]) / UDP(sport=PORT, dport=PORT)
               / Raw(octets_of(gre(key=KEY, proto=0)) + stranger.question()))  # B takes it for A's
    wait_for(lambda: doubted(sites[A]) == {"rx-unproved": 1, "rx-proof-stale": 1}, 5, sites[A].drops)
    assert place(sites[A]) == learned and not doubted(sites[B])
    ping_between_lans(nat.scene)


def test_other_secrets(nat, tmp_path):
    """A peer with the key and another secret is none; and one that was learned by an old secret is none."""
    site = {side: Site(nat.scene.router[side], tmp_path / side, text(side, secret=secret))
            for side, secret in ((A, SECRET), (B, OTHER_SECRET))}
    site[A].gretel("up", check=False)
    site[B].up()
    wait_for(lambda: site[B].drops().get("rx-proof-forged", 0) >= 3, 10, site[B].drops)
    assert (site[A].tunnel()["state"], site[A].tunnel()["reason"]) == ("waiting", WAITS)
    assert set(site[A].drops()) == {"rx-unproved"} and site[A].tunnel()["tx"]["packets"] == 0
    site[B].edit(OTHER_SECRET, SECRET)
    site[B].reload()
    wait_learned(site[A], nat.port)
    ping_between_lans(nat.scene)
    site[A].edit(SECRET, OTHER_SECRET)
    site[A].gretel("reload", check=False)
    assert site[A].tunnel()["reason"] == WAITS
    site[B].edit(SECRET, OTHER_SECRET)
    site[B].reload()
    wait_learned(site[A], nat.port)


def test_the_next_daemon_knows(nat, tmp_path):
    """Killed and started again, A sends to where its peer was, at once; and the peer may have moved meanwhile."""
    sites = up(nat, tmp_path)
    for port in (nat.port, 20002):
        pid = sites[A].pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: pid not in sites[A].namespace.pids())
        nat.map(port)
        sites[A].up()
        wait_learned(sites[A], port)
        ping_between_lans(nat.scene)


def test_ends_that_move(nat, tmp_path):
    """Both have their address from a device. B's private one changes; then A's, which B has by its name."""
    router = nat.scene.router
    site = {A: Site(router[A], tmp_path / A, text(A).replace(f"local = {UNDERLAY[4][A]}", "local = address-of bond0")),
            B: NamedSite(router[B], tmp_path / B, text(B).replace(f"local = {INSIDE[4]}", "local = address-of bond0")
                         .replace(f"remote = {UNDERLAY[4][A]}", f"remote = {PEER}"))}
    site[A].gretel("up", check=False)
    assert site[A].tunnel()["local"] == UNDERLAY[4][A]
    site[B].hosts(f"{UNDERLAY[4][A]} {PEER}")
    site[B].up()
    wait_learned(site[A], nat.port)
    router[B].ip(f"address del {INSIDE[4]}/24 dev bond0", "address add 10.99.0.3/24 dev bond0",
                 "route replace default via 10.99.0.254")
    wait_for(lambda: site[B].tunnel()["local"] == "10.99.0.3", 5, site[B].tunnel)
    nat.map(20002)  # the NAT keeps the old one for a while, and this one has no other port for the same
    wait_learned(site[A], nat.port)
    ping_between_lans(nat.scene)
    router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0", "address add 172.19.1.3/24 dev bond0")
    wait_for(lambda: site[A].tunnel()["local"] == "172.19.1.3", 5, site[A].tunnel)
    site[B].hosts(f"172.19.1.3 {PEER}")
    wait_for(lambda: site[B].tunnel()["remote"] == "172.19.1.3", 40, site[B].tunnel)  # asked when A is silent
    wait_for(lambda: site[A].tunnel()["state"] == "up", 10, site[A].tunnel)
    ping_between_lans(nat.scene)


def test_the_other_side_as_it_is_printed(nat, tmp_path):
    """What A prints for its peer, with the name of B's device in it, is B's file."""
    site = Site(nat.scene.router[A], tmp_path / A, text(A))
    printed = site.gretel("peer", NAME, "--for", "gretel").stdout
    assert "address-of DEVICE" in printed and f"remote = {UNDERLAY[4][A]}" in printed
    site.gretel("up", check=False)
    Site(nat.scene.router[B], tmp_path / B, printed.replace("address-of DEVICE", "address-of bond0")).up()
    wait_learned(site, nat.port)
    ping_between_lans(nat.scene)
    back = Site(nat.scene.router[B], tmp_path / "back", printed.replace("address-of DEVICE", f"{INSIDE[4]}"))
    assert "remote = any" in back.gretel("peer", NAME, "--for", "gretel").stdout


def test_other_tunnels_do_not_notice(nat, tmp_path):
    """Two tunnels of one address and port, told apart by their keys; one peer is learned, the other is not."""
    first = text(A)
    second = text(A, key=7, name="second", address="192.168.9.1 peer 192.168.9.2", route=[], forward={})
    site = Site(nat.scene.router[A], tmp_path / A, first + second.split("[forward]")[0])
    site.gretel("up", check=False)
    other_side = Site(nat.scene.router[B], tmp_path / B, text(B))
    other_side.up()
    wait_learned(site, nat.port)
    assert site.tunnel("second")["state"] == "waiting"
    ping_between_lans(nat.scene)


def test_the_doctor_knows(nat, tmp_path):
    """Why nobody has proved to be the peer: nothing came, another key, another secret; and that all is well."""
    site = {side: Site(nat.scene.router[side], tmp_path / side, text(side)) for side in (A, B)}
    site[A].gretel("up", check=False)

    def said(side):
        return site[side].gretel("doctor", NAME, check=False, timeout=60).stdout

    alone = said(A)
    assert WAITS in alone and f"let UDP to {UNDERLAY[4][A]} port {PORT} in here" in alone
    site[B].edit(f"key = {KEY}", "key = 7")
    site[B].up()
    wait_for(lambda: site[A].stray(), 5)
    assert f"if {GATEWAY[4]} is the peer: it sends key 7, and this side expects key {KEY}" in said(A)
    site[B].edit("key = 7", f"key = {KEY}")
    site[B].edit(SECRET, OTHER_SECRET)
    site[B].reload()
    wait_for(lambda: site[B].drops().get("rx-proof-forged"), 5)
    assert "write the same nat-secret at both ends" in said(A)
    assert f"{UNDERLAY[4][A]} asks who this side is, but with another nat-secret than this side has" in said(B)
    site[B].edit(OTHER_SECRET, SECRET)
    site[B].reload()
    wait_learned(site[A], nat.port)
    wait_for(lambda: site[B].tunnel()["keepalive"]["state"] == "up", 10)
    for side in (A, B):
        wait_for(lambda side=side: f"{NAME}: healthy" in said(side), 30)
