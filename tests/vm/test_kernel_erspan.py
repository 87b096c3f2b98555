# SPDX-License-Identifier: GPL-2.0-or-later
"""Mirror sessions between greteld on A and the kernel's own erspan and ip6erspan on B, of each type."""
import pytest
from gretel import NAME, Site
from kernelpeer import become_router
from scapy.all import IP, UDP, raw
from scene import A, B, UNDERLAY
from test_erspan import FIELDS, FRAME, TAGGED, Copies, mirror
from test_tunnels import send_frame
from wire import Capture, tshark

# Not called short by the kernel, which counts octets without padding.
LONG = FRAME[:14] + raw(IP(src="198.51.100.1", dst="198.51.100.2") / UDP(sport=1, dport=2) / (b"padded" * 10))
# What ip(8) says for what the file says.
KERNEL = {1: "erspan_ver 0", 2: f"seq key 5 erspan_ver 1 erspan {0x12345}",
          3: "seq key 5 erspan_ver 2 erspan_dir egress erspan_hwid 9"}


# The kernel's ip6erspan has no type I.
@pytest.mark.parametrize("kind, outer", ((1, 4), (2, 4), (3, 4), (2, 6), (3, 6)))
def test_erspan(scene, tmp_path, undo, kind, outer):
    """B's LAN device and its mirror interface are in one bridge, so that hostB sends and sees copies. The
    two fill in the same fields for the same frame, apart from the clock, and have one MTU."""
    guest, host = scene.router[B], scene.host[B]
    device = "erspan" if outer == 4 else "ip6erspan encaplimit none"
    become_router(guest, f"link add {NAME} type {device} local {UNDERLAY[outer][B]} remote {UNDERLAY[outer][A]} "
                  f"{KERNEL[kind]}", f"link set {NAME} up", "address flush dev eth1",
                  "link add br0 type bridge mcast_snooping 0", "link set br0 up",
                  "link set eth1 master br0", f"link set {NAME} master br0")
    site = Site(scene.router[A], tmp_path / A, mirror(A, kind, outer=outer))
    site.up()
    there, here = Copies(host, "eth0"), Copies(scene.router[A])
    for copies in (there, here):
        undo.callback(copies.sock.close)
    site.forget_drops()
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for frame in (FRAME, TAGGED):
            send_frame(scene.router[A], NAME, frame)
            there.wait_for(frame)
        send_frame(host, "eth0", LONG)
        here.wait_for(LONG)
        send_frame(scene.router[A], NAME, LONG)
        there.wait_for(LONG)
    assert not site.drops()
    link = guest.link(NAME)
    assert not link["stats64"]["rx"]["errors"], link
    assert link["mtu"] == scene.router[A].link(NAME)["mtu"]
    fields = ("gre.proto", "gre.flags_and_version", "erspan.version", "erspan.vlan", "erspan.cos", "erspan.encap",
              "erspan.bso", "erspan.truncated", "erspan.spanid", "erspan.index", "erspan.hw", "erspan.direction",
              "erspan.p", "erspan.ft", "erspan.gra", "erspan.o", "erspan.sgt")
    rows = tshark(path, fields, "gre and udp.dstport == 2 and frame contains 70:61:64:64:65:64")
    if outer == 6:  # where the kernel has something else
        for row in rows:
            del row["erspan.cos"]
    assert len(rows) == 2 and rows[0] == rows[1], (FIELDS[kind], rows)
