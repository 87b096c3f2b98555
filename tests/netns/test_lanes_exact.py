# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel lanes write is what the user lane would have written. The daemons stand still where
it matters, so nobody else can have done it."""
import socket

import lanes
import pytest
from flow import tcp_connect, tcp_listen, tcp_transfer
from gretel import NAME
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, other
from ticker import Flow
from wire import Capture, tshark

LANES = pytest.mark.parametrize("lane", lanes.LANES)
FAMILIES = (4, 6)
COUNT = 300
TIMESTAMPS = 12  # octets of the option in each segment
GRE_OF = {4: "ip.proto == 47", 6: "ipv6.nxt == 47"}
FIELDS = ["ip.ttl", "ip.dsfield", "ip.flags.df", "ipv6.hlim", "ipv6.tclass", "gre.key", "gre.sequence_number",
          "ip.id", "udp.dstport", "ip.checksum.status", "udp.checksum.status"]
CHECKED = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")


def number(text):
    return int(text, 16 if text.startswith("0x") else 10)


def fast_flow(scene, tmp_path, undo, lane, header=(), family=4, **keys):
    """The sites, and a flow that this lane carries on both routers."""
    sites = lanes.up(scene, tmp_path, lane, families=(family, ), **keys)
    flow = Flow(scene, family=family, header=header)
    undo.callback(flow.close)
    for side in (A, B):
        lanes.wait_fast(lane, lanes.Eyes(scene.router[side], undo), flow)
    return sites, flow


def outer_packets(scene, tmp_path, flow, outer=4):
    """The flow's packets on the wire, from A to B, for a moment."""
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path, f"ip{'6' if outer == 6 else ''} proto 47"):
        flow.wait_answered(COUNT)
    frames = tshark(path, FIELDS, f"{GRE_OF[outer]} and udp.dstport == 6000", CHECKED)
    assert len(frames) >= COUNT * 0.9
    return frames


def only(frames, field, at=0):
    """The one value that they all have."""
    values = {number(frame[field][at]) for frame in frames}
    assert len(values) == 1, (field, values)
    return values.pop()


# Keys of the tunnel, TTL and TOS of the datagrams as sent; TTL, TOS and DF of the outer packet.
HEADERS = (
    ({}, 64, 0, (64, 0, 1)),
    ({"ttl": 9, "tos": "0x20"}, 33, 0xB8, (9, 0x20, 1)),
    ({"ttl": "inherit", "tos": "inherit"}, 33, 0xB8, (32, 0xB8, 1)),
    ({"tos": "inherit"}, 64, 0x2A, (64, 0x2A, 1)),
    ({"tos": "inherit", "ecn": "no"}, 64, 0x2A, (64, 0x28, 1)),
    ({"df": "clear"}, 64, 0, (64, 0, 0)),
    ({"df": "copy"}, 64, 0, (64, 0, 1)),
)


@LANES
@pytest.mark.parametrize("keys, ttl, tos, expected", HEADERS)
def test_outer_header(scene, tmp_path, undo, lane, keys, ttl, tos, expected):
    sites, flow = fast_flow(scene, tmp_path, undo, lane, (ttl, tos), **keys)
    with lanes.alone(sites):
        frames = outer_packets(scene, tmp_path, flow)
    assert (only(frames, "ip.ttl"), only(frames, "ip.dsfield"), only(frames, "ip.flags.df")) == expected
    assert {number(frame["ip.ttl"][1]) for frame in frames} == {ttl - 1}
    assert not any("0" in frame["ip.checksum.status"] + frame["udp.checksum.status"] for frame in frames)
    arrived = flow.far.source()
    assert (arrived["ttl"], arrived["tos"]) == (ttl - 2, tos)
    if not expected[2]:
        identities = [frame["ip.id"][0] for frame in frames]
        assert len(set(identities)) == len(identities)


@LANES
@pytest.mark.parametrize("outer, inner", ((4, 6), (6, 4), (6, 6)))
def test_families(scene, tmp_path, undo, lane, outer, inner):
    sites, flow = fast_flow(scene, tmp_path, undo, lane, (33, 0xB8), inner, outer=outer, tos="inherit", ttl="inherit")
    with lanes.alone(sites):
        frames = outer_packets(scene, tmp_path, flow, outer)
    ttl, tos = ("ip.ttl", "ip.dsfield") if outer == 4 else ("ipv6.hlim", "ipv6.tclass")
    assert only(frames, ttl) == 32
    assert {number(frame[tos][0]) for frame in frames} == {0xB8}
    arrived = flow.far.source()
    assert (arrived["ttl"], arrived["tos"]) == (31, 0xB8)


@LANES
@pytest.mark.parametrize("outer", FAMILIES)
def test_key(scene, tmp_path, undo, lane, outer):
    sites, flow = fast_flow(scene, tmp_path, undo, lane, outer=outer, key="0xC0FFEE01")
    with lanes.alone(sites):
        frames = outer_packets(scene, tmp_path, flow, outer)
    assert only(frames, "gre.key") == 0xC0FFEE01


@LANES
def test_mss_of_a_syn(scene, tmp_path, lane):
    """SYN and SYN-ACK: 1500 octets less 24 for GRE, less 40 for IP and TCP."""
    sites = lanes.up(scene, tmp_path, lane)
    server = tcp_listen(scene.host[B], 4, HOST[4][B], 7000)
    path = tmp_path / "lan.pcap"
    with lanes.alone(sites), Capture(scene.host[B], "eth0", path, "tcp"):
        with tcp_connect(scene.host[A], 4, HOST[4][B], 7000) as sock, server.accept()[0]:
            # The other end's, of the SYN-ACK.
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == 1436 - TIMESTAMPS
    server.close()
    frames = tshark(path, ["tcp.options.mss_val", "tcp.checksum.status"], "tcp.flags.syn == 1 and tcp.flags.ack == 0",
                    CHECKED)
    assert [frame["tcp.options.mss_val"] for frame in frames] == [["1436"]]
    assert frames[0]["tcp.checksum.status"] != ["0"]


def offloads_on(scene):
    """Super-packets on the whole way, and checksums that are left to the device."""
    for side in (A, B):
        for namespace, device in ((scene.host[side], "eth0"), (scene.router[side], "eth1"),
                                  (scene.router[side], "bond0"), (scene.wire, "ab"[side == B])):
            namespace.run(["ethtool", "-K", device, "tx", "on", "gso", "on", "tso", "on", "gro", "on"])


@pytest.mark.parametrize("outer", FAMILIES)
@pytest.mark.parametrize("inner", FAMILIES)
def test_super_packets(scene, tmp_path, outer, inner):
    """TCP through the TC lane as it comes: in packets far larger than the path's."""
    sites = lanes.up(scene, tmp_path, "tc", families=(inner, ), outer=outer)
    offloads_on(scene)
    octets = 20 << 20
    before = {side: site.tunnel() for side, site in sites.items()}
    frames = scene.router[A].link("bond0")["stats64"]["tx"]["packets"]
    with lanes.alone(sites):
        done = tcp_transfer(scene.host[A], scene.host[B], inner, HOST[inner][B], octets, timeout=20)
    assert done, str(done)
    frames = scene.router[A].link("bond0")["stats64"]["tx"]["packets"] - frames
    assert frames < octets / 1400 / 3, f"{frames} frames"
    for side, way in ((A, "tx"), (B, "rx")):
        after = sites[side].tunnel()
        # Counted are the packets that the super-packets stand for.
        packets = after[way]["packets"] - before[side][way]["packets"]
        assert octets / 1436 <= packets < octets / 1300, packets
        assert after[way]["bytes"] - before[side][way]["bytes"] > octets + 40 * packets


@LANES
def test_masquerade(scene, tmp_path, undo, lane):
    """TCP and UDP with another source and back, every checksum right."""
    sites = lanes.up(scene, tmp_path, lane)
    for side, line in ((A, f"masquerade = {LAN[4][A]} out {NAME}"), (B, f"allow = {TUNNEL[4][A]} <-> {LAN[4][B]}")):
        sites[side].edit("enable = yes\n", f"enable = yes\n{line}\n")
        sites[side].reload()
    flow = Flow(scene)
    undo.callback(flow.close)
    for side in (A, B):
        lanes.wait_fast(lane, lanes.Eyes(scene.router[side], undo), flow)
    assert flow.far.source()["address"] == TUNNEL[4][A]
    paths = {side: tmp_path / f"{side}.pcap" for side in (A, B)}
    with lanes.alone(sites), Capture(scene.host[A], "eth0", paths[A], "udp or tcp"), \
            Capture(scene.host[B], "eth0", paths[B], "udp or tcp"):
        flow.wait_answered(COUNT)
        done = tcp_transfer(scene.host[A], scene.host[B], 4, HOST[4][B], 4 << 20)
        assert done, str(done)
    for side, source in ((A, HOST[4][B]), (B, TUNNEL[4][A])):
        frames = tshark(paths[side], ["udp.checksum.status", "tcp.checksum.status", "ip.checksum.status"],
                        f"ip.src == {source} and ip.len <= 1476", CHECKED)  # longer ones are merged here
        kinds = {kind: [one[f"{kind}.checksum.status"] for one in frames] for kind in ("udp", "tcp", "ip")}
        assert kinds["udp"].count(["1"]) >= COUNT * 0.9 and kinds["tcp"].count(["1"]) > 5
        assert not any(["0"] in found for found in kinds.values())
    far, near, said = flow.lost()
    assert (far, near) == (0, 0), said


@LANES
def test_lan_to_lan_transfer_both_ways(scene, tmp_path, lane):
    """TCP between the LANs while nobody but the programs is there, in either direction."""
    sites = lanes.up(scene, tmp_path, lane)
    with lanes.alone(sites):
        for side in (A, B):
            done = tcp_transfer(scene.host[side], scene.host[other(side)], 4, HOST[4][other(side)], 8 << 20, timeout=20)
            assert done, str(done)


@LANES
def test_samples_are_not_lost(scene, tmp_path, undo, lane):
    """Now and then a packet of a fast flow takes the kernel's path, to see that it still is the same."""
    _, flow = fast_flow(scene, tmp_path, undo, lane)
    seen = lanes.forwarded(scene.router[B])
    begun = flow.answered()
    wait_for(lambda: lanes.forwarded(scene.router[B]) >= seen + 4, 60, interval=0.5)
    assert (lanes.forwarded(scene.router[B]) - seen) * 10 < flow.answered() - begun
    far, near, said = flow.lost()
    assert (far, near) == (0, 0), said
    assert flow.near.stats()["twice"] == flow.far.stats()["twice"] == 0
