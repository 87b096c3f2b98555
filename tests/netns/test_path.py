# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes and marks: path MTU, too big passengers, segment sizes, TTL, TOS, ECN; and no recursion."""
import pytest
from flow import tcp_transfer
from gretel import NAME, Site, both_up, ping, ping_refused, site_text
from net import wait_for
from peer import gre
from scapy.all import GRE, ICMP, IP, TCP, IPv6, Raw
from scene import A, B, HOST, TUNNEL, UNDERLAY
from wire import Capture, assert_clean, tshark

HEADER = {4: 24, 6: 44}  # outer header and the four octets of plain GRE


def mtu(scene, side=A):
    return scene.router[side].link(NAME)["mtu"]


def path_mtu(namespace, family, destination):
    """What the host has learnt of a path: the MTU of its route to there."""
    route = namespace.ip_json(f"-{family} route get {destination}")[0]
    return next((m["mtu"] for m in route.get("metrics", []) if "mtu" in m), None)


@pytest.mark.parametrize("outer, underlay, keys, optional", [
    (4, 1500, {}, 0), (6, 1500, {}, 0), (4, 1400, {"key": 1}, 4), (6, 1400, {"key": 1, "sequence": "yes"}, 8),
    (4, 9000, {"key": 1, "sequence": "yes", "checksum": "yes"}, 12)])
def test_mtu_is_computed(make_scene, tmp_path, outer, underlay, keys, optional):
    scene = make_scene(mtu=underlay)
    sites = both_up(scene, tmp_path, outer=outer, **keys)
    expected = underlay - HEADER[outer] - optional
    assert mtu(scene) == expected and sites[A].tunnel()["mtu"] == expected
    # The largest passenger passes whole, one octet more does not.
    ping(scene.router[A], TUNNEL[4][B], size=expected - 28, df="do")


@pytest.mark.parametrize("outer", (4, 6))
def test_narrower_path_is_learnt(make_relay, tmp_path, outer):
    """The path drops to 1400 octets and says so: the interface follows, sources are told, and both
    families still pass, fragmented where that is allowed."""
    scene, relay = make_relay()
    both_up(scene, tmp_path, outer=outer)
    ping(scene.host[A], HOST[4][B], size=1300)
    relay.set(mtu=1400)
    expected = 1400 - HEADER[outer]
    big = mtu(scene) - 28

    def learnt():
        scene.host[A].run(["ping", "-c", 1, "-W", "0.2", "-M", "dont", "-s", big, HOST[4][B]], check=False)
        return mtu(scene) == expected
    wait_for(learnt, 5, lambda: f"MTU {mtu(scene)}, not {expected}")
    for family in (4, 6):
        told = scene.host[A].run(["ping", "-c", 2, "-i", "0.1", "-W", "0.5", "-M", "do", "-s", 1400,
                                  HOST[family][B]], check=False)
        assert told.returncode == 1, told.stdout
        assert path_mtu(scene.host[A], family, HOST[family][B]) == expected
    ping(scene.host[A], HOST[4][B], size=1400, df="dont")
    ping(scene.host[B], HOST[4][A], size=1400, df="dont")
    for family in (4, 6):
        done = tcp_transfer(*scene.hosts(), family, HOST[family][B], 2_000_000, timeout=60)
        assert done, done


def test_outer_fragments_where_asked(scene, tmp_path):
    """`df = clear` with an MTU above the path's: outer fragments, passengers whole."""
    path = tmp_path / "wire.pcap"
    both_up(scene, tmp_path, df="clear", mtu=1500)
    with Capture(scene.wire, "a", path):
        ping(scene.host[A], HOST[4][B], size=1472, df="do")
        ping(scene.host[A], HOST[6][B], size=1452, df="do")
    rows = tshark(path, ("ip.flags.mf", "ip.frag_offset", "ip.len"), "ip.proto == 47",
                  ["-o", "ip.defragment:FALSE"])
    first = [row for row in rows if row["ip.flags.mf"][0] == "1"]
    last = [row for row in rows if row["ip.frag_offset"][0] != "0"]
    assert len(first) == len(last) >= 4
    assert all(int(row["ip.len"][0]) <= 1500 for row in rows)
    assert_clean(path)


def test_mss_is_clamped_both_ways(scene, tmp_path):
    """SYN and SYN-ACK carry at most what the tunnel takes, in both families."""
    path = tmp_path / "wire.pcap"
    both_up(scene, tmp_path, key=3)
    with Capture(scene.wire, "a", path):
        for family in (4, 6):
            assert tcp_transfer(*scene.hosts(), family, HOST[family][B], 10000)
    rows = tshark(path, ("tcp.options.mss_val", "ipv6.src", "tcp.flags.ack", "tcp.checksum.status"),
                  "tcp.flags.syn == 1", ["-o", "tcp.check_checksum:TRUE"])
    seen = {(6 if row["ipv6.src"] else 4, row["tcp.flags.ack"][0], row["tcp.options.mss_val"][0],
             row["tcp.checksum.status"][0]) for row in rows}
    assert seen == {(family, ack, str(1472 - 40 - 20 * (family == 6)), "1")
                    for family in (4, 6) for ack in "01"}


@pytest.mark.parametrize("offered, mss, expected", [(1460, "auto", 1436), (1400, "auto", 1400),
                                                    (1460, 1300, 1300), (1460, "no", 1460)])
def test_mss_of_a_syn_from_the_tunnel(make_peer, tmp_path, offered, mss, expected):
    """Also a SYN that a peer did not clamp; never raised; its checksum is right."""
    scene, peer = make_peer(A)
    Site(scene.router[A], tmp_path / A, site_text(A, mss=mss)).up()
    path = tmp_path / "lan.pcap"
    with Capture(scene.host[A], "eth0", path, "tcp"):
        syn = IP(src=HOST[4][B], dst=HOST[4][A]) / TCP(
            sport=1234, dport=9, flags="S", options=[("NOP", None), ("NOP", None), ("MSS", offered)])
        peer.send(peer.outer() / GRE() / syn)
        peer.receive(lambda p: GRE in p and TCP in p)
    row = tshark(path, ("tcp.options.mss_val", "tcp.checksum.status", "ip.ttl"), "tcp.flags.syn == 1",
                 ["-o", "tcp.check_checksum:TRUE"])[0]
    assert row == {"tcp.options.mss_val": [str(expected)], "tcp.checksum.status": ["1"], "ip.ttl": ["63"]}


def send_from_host(scene, inner, tos, ttl):
    words = ["ping", "-c", 1, "-W", "0.1", "-Q", tos, "-t", ttl, HOST[inner][B]]
    scene.host[A].run(words, check=False)


@pytest.mark.parametrize("keys, inner_tos, tos, ttl", [
    ({}, 0xB8, 0x00, 64), ({"ttl": 33, "tos": "0x20"}, 0xB8, 0x20, 33), ({"tos": "inherit"}, 0xB8, 0xB8, 64),
    ({"ttl": "inherit"}, 0x00, 0x00, 41), ({"tos": "inherit"}, 0xBA, 0xBA, 64),
    ({}, 0x02, 0x02, 64), ({}, 0x03, 0x03, 64), ({"ecn": "no", "tos": "inherit"}, 0xBB, 0xB8, 64)])
@pytest.mark.parametrize("outer", (4, 6))
def test_outer_tos_and_ttl(make_peer, tmp_path, outer, keys, inner_tos, tos, ttl):
    """A passenger that leaves its host with TTL 42, so has 41 when it is put into the tunnel."""
    scene, peer = make_peer(A)
    Site(scene.router[A], tmp_path / A, site_text(A, outer=outer, **keys)).up()
    for inner, layer in ((4, IP), (6, IPv6)):
        send_from_host(scene, inner, inner_tos, 42)
        packet = peer.receive(lambda p: GRE in p and layer in p[GRE] and
                              p[GRE][layer].dst == HOST[inner][B])
        passenger = packet[GRE][layer]
        if outer == 4:
            assert (packet.tos, packet.ttl, packet.flags.DF) == (tos, ttl, True)
        else:
            assert (packet.tc, packet.hlim) == (tos, ttl)
        assert (passenger.tos, passenger.ttl) == (inner_tos, 41) if inner == 4 else \
            (passenger.tc, passenger.hlim) == (inner_tos, 41)


@pytest.mark.parametrize("setting, inner_df, outer_df", [
    ("set", True, True), ("set", False, True), ("copy", True, True), ("copy", False, False),
    ("clear", True, False), ("clear", False, False)])
def test_outer_df(make_peer, tmp_path, setting, inner_df, outer_df):
    scene, peer = make_peer(A)
    Site(scene.router[A], tmp_path / A, site_text(A, df=setting)).up()
    scene.host[A].run(["ping", "-c", 1, "-W", "0.1", "-M", "do" if inner_df else "dont", HOST[4][B]],
                      check=False)
    packet = peer.receive_gre(ICMP)
    assert packet.flags.DF == outer_df and packet[GRE][IP].flags.DF == inner_df


# RFC 6040 figure 4: (inner, outer) and what comes out; None: dropped.
ECN = {(0, 0): 0, (0, 1): 0, (0, 2): 0, (0, 3): None, (1, 0): 1, (1, 1): 1, (1, 2): 1, (1, 3): 3,
       (2, 0): 2, (2, 1): 1, (2, 2): 2, (2, 3): 3, (3, 0): 3, (3, 1): 3, (3, 2): 3, (3, 3): 3}


@pytest.mark.parametrize("outer", (4, 6))
def test_ecn_out_of_the_tunnel(make_peer, tmp_path, outer):
    """All sixteen cells; the DSCP of the passenger is its own."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=outer))
    site.up()
    path = tmp_path / "lan.pcap"
    field = "tos" if outer == 4 else "tc"
    with Capture(scene.host[A], "eth0", path, "icmp[0] == 8"):
        for number, (inner_ecn, outer_ecn) in enumerate(ECN):
            peer.send(peer.outer(outer, **{field: 0x40 | outer_ecn}) / GRE()
                      / IP(src=HOST[4][B], dst=HOST[4][A], tos=0xB8 | inner_ecn) / ICMP(id=9, seq=number))
        wait_for(lambda: site.tunnel()["rx"]["packets"] >= 15, 5)
        wait_for(lambda: site.drops() == {"rx-ecn": 1}, 5, site.drops)
    rows = tshark(path, ("icmp.seq", "ip.dsfield", "ip.checksum.status"), "icmp",
                  ["-o", "ip.check_checksum:TRUE"])
    got = {int(row["icmp.seq"][0]): (int(row["ip.dsfield"][0], 16), row["ip.checksum.status"][0])
           for row in rows}
    assert got == {number: (0xB8 | result, "1") for number, result in enumerate(ECN.values())
                   if result is not None}


RECURSION = {
    "its own route": {"route": "172.19.1.2/32"},
    "everything": {"route": ["0.0.0.0/0", "172.19.1.2/32"]},
}


@pytest.mark.parametrize("kind", RECURSION)
def test_route_to_the_peer_through_the_tunnel(scene, tmp_path, kind):
    """Refused before anything is touched, with the reason and the line."""
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A, **RECURSION[kind]))
    done = site.gretel("up", check=False)
    said = done.stdout + done.stderr
    assert done.returncode in (1, 3), said
    assert UNDERLAY[4][B] in said and str(site.file) in said
    assert router.link(NAME) is None and router.sysctl("net.ipv4.ip_forward") == "0"
    assert "gretel" not in router.run(["nft", "list", "ruleset"]).stdout


def test_default_route_through_the_tunnel(scene, tmp_path):
    """The peer is on the link: a default route through the tunnel is fine."""
    Site(scene.router[A], tmp_path / A, site_text(A, route="0.0.0.0/0")).up()
    Site(scene.router[B], tmp_path / B, site_text(B)).up()
    ping(scene.router[A], TUNNEL[4][B])


def test_time_exceeded_inside(make_peer, tmp_path):
    """A passenger whose TTL ends at the router is answered into the tunnel (RFC 2784 3.1)."""
    scene, peer = make_peer(A)
    Site(scene.router[A], tmp_path / A, site_text(A, forward={})).up()
    peer.send(peer.outer() / gre() / IP(src=HOST[4][B], dst=HOST[4][A], ttl=1) / ICMP() / Raw(b"x"))
    answer = peer.receive(lambda p: GRE in p and ICMP in p[GRE] and p[GRE][ICMP].type == 11)
    assert answer[GRE][IP].dst == HOST[4][B]


def test_frag_needed_for_a_packet_that_was_never_sent(make_peer, tmp_path):
    """A forged ICMP about a foreign pair of addresses changes nothing."""
    scene, peer = make_peer(A)
    Site(scene.router[A], tmp_path / A, site_text(A)).up()
    before = mtu(scene)
    quoted = IP(src="172.19.1.77", dst=UNDERLAY[4][B], proto=47) / Raw(bytes(8))
    peer.send(peer.outer() / ICMP(type=3, code=4, nexthopmtu=600) / quoted)
    peer.send(peer.outer() / GRE() / IP(src=HOST[4][B], dst=HOST[4][A]) / ICMP())
    peer.receive_gre(ICMP)
    assert mtu(scene) == before


@pytest.mark.parametrize("outer", (4, 6))
def test_policy_routing_by_the_tunnels_source(scene, tmp_path, outer):
    """A rule for packets from the local address decides about the outer packets, too."""
    site = both_up(scene, tmp_path, outer=outer)[A]
    ping(scene.host[A], HOST[4][B])
    assert "tx-no-route" not in site.drops()

    def rule(verb):
        scene.router[A].run(["ip", f"-{outer}", "rule", verb, "from", UNDERLAY[outer][A], "lookup", 100])

    scene.router[A].ip(f"route add unreachable {UNDERLAY[outer][B]} table 100")
    rule("add")
    ping_refused(scene.host[A], HOST[4][B])
    assert site.drops()["tx-no-route"] >= 1
    rule("del")
    ping(scene.host[A], HOST[4][B])
