# SPDX-License-Identifier: GPL-2.0-or-later
"""Passengers that are no IP: other EtherTypes in a tunnel of packets, tagged frames in one of frames."""
import itertools
import os
import socket
import struct

import lanes
import pytest
from gretel import NAME, Site, both_up, ping, section
from net import SOL_PACKET, packet_socket, wait_for
from scene import A, B, UNDERLAY, other
from wire import Capture, tshark

MPLS, MPLS_MULTICAST, TRILL_ISIS, LEAST = 0x8847, 0x8848, 0x22F4, 0x0600
EXPERIMENT, EXPERIMENT_2 = 0x88B5, 0x88B6  # the first also ends captures
# Underlay, and what is left for the passenger behind 24 or 44 octets.
ROOM = {4: 1476, 6: 1456}


def listen(router, protocol, undo):
    sock = packet_socket(router, NAME, socket.SOCK_DGRAM, protocol)
    sock.settimeout(10)
    undo.callback(sock.close)
    return sock


@pytest.mark.parametrize("lane", ("user", *lanes.LANES))
@pytest.mark.parametrize("outer", (4, 6))
def test_octet_by_octet(scene, tmp_path, undo, outer, lane):
    """Any EtherType, from one octet to what the tunnel's MTU allows, both ways; there is nothing that a
    lane cannot carry, and hands on, that does not arrive."""
    sites = both_up(scene, tmp_path, outer=outer) if lane == "user" else \
        lanes.up(scene, tmp_path, lane, outer=outer)
    for protocol in (MPLS, MPLS_MULTICAST, EXPERIMENT, TRILL_ISIS, LEAST):
        ends = {side: listen(scene.router[side], protocol, undo) for side in (A, B)}
        for side, sock in ends.items():
            for size in (1, 2, 45, 46, 577, ROOM[outer]):
                octets = os.urandom(size)
                sock.sendto(octets, (NAME, protocol))
                data, address = ends[other(side)].recvfrom(2000)
                assert (data, address[1]) == (octets, protocol)
    for site in sites.values():
        assert not site.drops()


@pytest.mark.parametrize("lane", ("user", *lanes.LANES))
def test_no_ethertype(scene, tmp_path, undo, lane):
    """Below 0x0600 a type is a length, or means something else in GRE (0 is a keepalive's): it is not
    sent, and counted."""
    site = (both_up(scene, tmp_path) if lane == "user" else lanes.up(scene, tmp_path, lane))[A]
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for protocol in (1, 4, 0x05FF):
            sock = listen(scene.router[A], protocol, undo)
            sock.sendto(b"octets of no type", (NAME, protocol))
        wait_for(lambda: site.drops() == {"tx-protocol": 3}, 10, site.drops)
        ping(scene.router[A], UNDERLAY[4][B])
    assert not tshark(path, ("gre.proto",), "gre and frame contains \"octets of no type\"")


# The tags of a frame, outside in.
TAGS = {"untagged": b"", "802.1Q": bytes.fromhex("81000005"), "QinQ": bytes.fromhex("88a8000581000006")}
PACKET_AUXDATA, VLAN_VALID = 8, 1 << 4


def bridged(scene, tmp_path, **keys):
    """Both LANs in one Ethernet, whose hosts may send 1500 octets behind two tags."""
    sites = {}
    for side in (A, B):
        router = scene.router[side]
        router.ip("address flush dev eth1", "link add br0 type bridge", "link set br0 up", "link set eth1 mtu 1508",
                  "link set eth1 master br0")
        scene.host[side].ip("address flush dev eth0", "link set eth0 mtu 1508")
        sites[side] = Site(router, tmp_path / side, section(
            "tunnel", "tap0", mode="gretap", local=UNDERLAY[4][side], remote=UNDERLAY[4][other(side)], key=7,
            bridge="br0", **keys))
        sites[side].up()
    for site in sites.values():
        site.forget_drops()
    return sites


def on_wire(sock):
    """The next frame as it was on the wire: the kernel takes the outer tag off."""
    data, control, _, _ = sock.recvmsg(2000, 100)
    for level, kind, value in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tci, tpid = struct.unpack("IIIHHHH", value)
            if status & VLAN_VALID:
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def arrives(sock, frame):
    try:
        return on_wire(sock) == frame
    except TimeoutError:
        return False


@pytest.mark.parametrize("lane", ("user", "auto"))
@pytest.mark.parametrize("underlay", (1500, 1550))
def test_full_frames_with_tags(make_scene, tmp_path, undo, underlay, lane):
    """docs/bridging.md: with `df = clear` over 1500 octets each full frame is two outer packets; over
    an underlay that is as much larger as headers and tags are, it is one. The frame arrives as it was."""
    scene = make_scene(mtu=underlay)
    keys = {"mtu": 1508, "df": "clear"} if underlay == 1500 else {}
    sites = bridged(scene, tmp_path, lane=lane, **keys)
    socks = {}
    for side in (A, B):
        socks[side] = packet_socket(scene.host[side], "eth0")
        undo.callback(socks[side].close)
        socks[side].setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        socks[side].settimeout(1)
    macs = {side: bytes.fromhex(scene.host[side].mac("eth0").replace(":", "")) for side in (A, B)}
    for kind, tags in TAGS.items():
        path = tmp_path / f"{kind}.pcap"
        with Capture(scene.wire, "a", path, "ip"):
            for size, side in itertools.product((46, 1500), (A, B)):
                frame = macs[other(side)] + macs[side] + tags + EXPERIMENT_2.to_bytes(2, "big") + os.urandom(size)
                socks[side].send(frame)
                wait_for(lambda: arrives(socks[other(side)], frame), 15, f"{kind} {size} from {side}")
        rows = tshark(path, ("ip.len", "ip.flags.mf", "ip.frag_offset"), "ip.proto == 47", ["-o", "ip.defragment:FALSE"])
        first = [row for row in rows if row["ip.frag_offset"] == ["0"] and int(row["ip.len"][0]) > 1000]
        whole = 20 + 8 + 14 + len(tags) + 1500
        assert first and all(int(row["ip.len"][0]) <= underlay for row in rows), (kind, rows)
        assert {row["ip.flags.mf"][0] for row in first} == ({"1"} if underlay == 1500 else {"0"})
        assert underlay == 1500 or {row["ip.len"][0] for row in first} == {str(whole)}
    for site in sites.values():
        assert not site.drops("tap0")
