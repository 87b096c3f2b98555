# SPDX-License-Identifier: GPL-2.0-or-later
"""NVGRE (RFC 7637): virtual subnets between the same two addresses, FlowIDs, frames with tags."""
import pytest
from flow import Sink, udp
from gretel import NAME, Site, ping, section
from net import wait_for
from peer import gre
from scapy.all import ARP, GRE, ICMP, IP, UDP, Dot1Q, Ether, raw
from scene import A, B, UNDERLAY, other
from test_direct import Flood, becomes_direct
from test_erspan import doctor
from test_tunnels import send_frame
from wire import Capture, tshark

VSID = 0x123456
FAR_MAC, FAR, NEAR = "02:00:00:00:77:02", "10.77.0.2", "10.77.0.1"


def subnet(side, vsid=VSID, name=NAME, outer=4, **keys):
    return section("tunnel", name, mode="nvgre", vsid=vsid, local=UNDERLAY[outer][side],
                   remote=UNDERLAY[outer][other(side)], **keys)


@pytest.mark.parametrize("outer", (4, 6))
def test_subnets_between_two_addresses(scene, tmp_path, outer):
    """Two subnets, a gretap and a gre tunnel, which take nothing from each other; and what they write is
    NVGRE for tshark."""
    vsids = {"sub1": 0x1000, "sub2": 0xFFFFFE}
    sites = {}
    for side, end in ((A, 1), (B, 2)):
        text = "".join(subnet(side, vsid, name, outer, address=f"10.200.{i}.{end}/24")
                       for i, (name, vsid) in enumerate(vsids.items()))
        ends = {"local": UNDERLAY[outer][side], "remote": UNDERLAY[outer][other(side)]}
        text += section("tunnel", "tap", mode="gretap", key=0x2000_00, address=f"10.200.2.{end}/24", **ends)
        text += section("tunnel", "plain", address=f"10.200.3.{end}/24", **ends)
        sites[side] = Site(scene.router[side], tmp_path / side, text)
        sites[side].up()
    for site in sites.values():
        site.forget_drops()  # of packets for tunnels that were still being made
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for i in range(4):
            assert ping(scene.router[A], f"10.200.{i}.2", count=3)
    rows = tshark(path, ("gre.proto", "gre.key", "gre.flags_and_version", "_ws.malformed"), "gre and icmp")
    seen = [(int(row["gre.flags_and_version"][0], 16), int(row["gre.proto"][0], 16),
             int(row["gre.key"][0], 16) if row["gre.key"] else None) for row in rows]
    assert not any(row["_ws.malformed"] for row in rows)
    for vsid in vsids.values():
        keys = {key for flags, proto, key in seen if (flags, proto) == (0x2000, 0x6558) and key >> 8 == vsid}
        assert keys, (hex(vsid), seen)
    wait_for(lambda: "NVGRE" in sites[A].tunnel("sub1")["lane_reason"], 30, "the lane says why")
    status = sites[A].tunnel("sub1")
    assert (status["mode"], status["lane"]) == ("nvgre", "user")
    overhead = {4: 20, 6: 40}[outer] + 8 + 14
    assert scene.router[A].link("sub1")["mtu"] == 1500 - overhead
    for site in sites.values():
        for name in (*vsids, "tap", "plain"):
            assert site.tunnel(name)["rx"]["packets"] >= 3 and not site.drops(name)


def test_flow_ids(scene, tmp_path):
    """One for all packets of a flow, and many for many."""
    sites = {side: Site(scene.router[side], tmp_path / side,
                        subnet(side, address={A: NEAR, B: FAR}[side] + "/24")) for side in (A, B)}
    for site in sites.values():
        site.up()
    assert ping(scene.router[A], FAR)
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path, "ip proto 47"):
        for number in range(40):
            with udp(scene.router[A], 4, port=20000 + number) as sock:
                for _ in range(3):
                    sock.sendto(b"flow", (FAR, 9))
        wait_for(lambda: sites[B].tunnel()["rx"]["packets"] >= 120, 10)
    flows = {}
    rows = tshark(path, ("udp.srcport", "gre.key"), "gre and udp and not icmp")
    for row in rows:
        flows.setdefault(row["udp.srcport"][0], set()).add(int(row["gre.key"][0], 16) & 0xFF)
    assert len(flows) == 40 and all(len(ids) == 1 for ids in flows.values()), flows
    assert len({next(iter(ids)) for ids in flows.values()}) > 20
    wait_for(lambda: doctor(sites[A]) == (0, {}), 60, lambda: doctor(sites[A]))


@pytest.fixture
def one(make_peer, tmp_path):
    """Router A in the subnet, and the test in the place of B."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, subnet(A, address=f"{NEAR}/24"))
    site.up()
    scene.router[A].ip(f"neigh replace {FAR} lladdr {FAR_MAC} dev {NAME}")
    return scene, peer, site


def frame(scene, tag=None):
    ether = Ether(src=FAR_MAC, dst=scene.router[A].mac(NAME))
    return (ether / tag if tag else ether) / IP(src=FAR, dst=NEAR) / ICMP(id=77) / b"subnet"


def test_every_flow_id_is_taken(one):
    scene, peer, site = one
    for flow in (0, 1, 0x80, 0xFF):
        peer.send(peer.outer() / gre(key=VSID << 8 | flow, proto=0x6558) / frame(scene))
        answer = peer.receive(lambda p: GRE in p and ICMP in p[GRE] and p[GRE][ICMP].type == 0)[GRE]
        assert (answer.key >> 8, answer.chksum_present, answer.seqnum_present) == (VSID, 0, 0)
        assert answer[Ether].dst == FAR_MAC
    assert not site.drops()


def test_what_is_refused(one):
    """Another subnet, no subnet, a tag in a frame either way, IP packets."""
    scene, peer, site = one
    site.forget_drops()
    cases = {
        "rx-key-wrong": gre(key=VSID + 1 << 8, proto=0x6558) / frame(scene),
        "rx-key-missing": gre(proto=0x6558) / frame(scene),
        "rx-vlan": gre(key=VSID << 8, proto=0x6558) / frame(scene, Dot1Q(vlan=5)),
        "rx-inner-malformed": gre(key=VSID << 8, proto=0x6558) / b"short",
    }
    for reason, packet in cases.items():
        peer.send(peer.outer() / packet)
        wait_for(lambda: site.drops().get(reason) == 1, 10, reason)
    tagged = Ether(dst=FAR_MAC, src=scene.router[A].mac(NAME)) / Dot1Q(vlan=5) / ARP(pdst=FAR)
    send_frame(scene.router[A], NAME, raw(tagged))
    wait_for(lambda: site.drops().get("tx-vlan") == 1, 10, "tx-vlan")
    assert set(site.drops()) == {*cases, "tx-vlan"}


def test_doctor(one):
    """It names the subnet that the other end sends, whatever the number of the flow."""
    scene, peer, site = one
    peer.send(peer.outer() / gre(key=0x654321 << 8 | 7, proto=0x6558) / frame(scene))
    wait_for(lambda: site.drops().get("rx-key-wrong") == 1, 10)
    found = doctor(site)[1]["key"]
    assert found.endswith(f"sends vsid {0x654321}, but this side expects vsid {VSID}")


def test_busy_subnet_is_sent_directly(scene, tmp_path, undo):
    """Packets of many FlowIDs have one way, which is found by those of any."""
    for side in (A, B):
        Site(scene.router[side], tmp_path / side, subnet(side, address={A: NEAR, B: FAR}[side] + "/24")).up()
    undo.callback(Sink(scene.router[B], 4, 6000).close)
    assert ping(scene.router[A], FAR)
    becomes_direct(scene, undo, Flood(scene.router[A], FAR))


def test_too_big_is_not_fragmented(make_peer, tmp_path):
    """RFC 7637 4.4: neither inside nor outside, though the file lets the frame come."""
    scene, _ = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, subnet(A, address=f"{NEAR}/24", mtu=1500))
    site.up()
    site.forget_drops()
    send_frame(scene.router[A], NAME, raw(Ether(dst=FAR_MAC) / IP(src=NEAR, dst=FAR) / UDP() / bytes(1450)))
    wait_for(lambda: site.drops().get("tx-too-big") == 1, 10)
