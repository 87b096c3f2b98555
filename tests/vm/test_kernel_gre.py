# SPDX-License-Identifier: GPL-2.0-or-later
"""greteld on A, the kernel's own GRE (ip_gre, ip6_gre, gretap of Debian 12) on B, LAN to LAN."""
import pytest
from gretel import NAME, Site, ping, ping_between_lans, section, site_text
from kernelpeer import become_router, kernel_tunnel
from scene import HOST, UNDERLAY, A, B, other
from streams import carries
from wire import Capture, tshark

KEY = 0xC0FFEE01
# What the file says, and what ip(8) says on the other side.
KINDS = {
    "plain": ({}, {}),
    "key": ({"key": KEY}, {"key": KEY}),
    "csum": ({"checksum": "require"}, {"csum": None}),
    "seq": ({"sequence": "yes"}, {"seq": None}),
    "all": ({"key": KEY, "checksum": "require", "sequence": "yes"}, {"key": KEY, "csum": None, "seq": None}),
    "two-keys": ({"ikey": 5, "okey": 6}, {"ikey": 6, "okey": 5}),
}


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_gre(scene, tmp_path, kind, outer):
    ours, theirs = KINDS[kind]
    guest = scene.router[B]
    become_router(guest, *kernel_tunnel(outer, **theirs))
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer, **ours))
    site.up()
    ping_between_lans(scene)
    site.forget_drops()
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)})
    assert not site.drops()
    link = guest.link(NAME)
    counters = link["stats64"]
    assert not counters["rx"]["errors"] and not counters["tx"]["errors"], counters
    # One size for both: no packet of either side is too large for the other.
    assert link["mtu"] == scene.router[A].link(NAME)["mtu"]


@pytest.mark.parametrize("lane", ("user", "auto"))
def test_encapsulation_limit(scene, tmp_path, lane):
    """Without `encaplimit none` the kernel puts a destination option of eight octets before GRE, which
    no lane minds. A passenger of its own may then be as much shorter."""
    guest = scene.router[B]
    become_router(guest, *kernel_tunnel(6, encaplimit=4))
    site = Site(scene.router[A], tmp_path / A, site_text(A, 6, lane=lane))
    site.up()
    path = tmp_path / "wire.pcap"
    with Capture(scene.router[A], "bond0", path, "ip6"):
        ping_between_lans(scene)
    options = tshark(path, ("ipv6.opt.tel",), "ipv6.opt.tel")
    assert options and {row["ipv6.opt.tel"][0] for row in options} == {"4"}
    site.forget_drops()
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)})
    assert not site.drops()
    assert guest.link(NAME)["mtu"] == scene.router[A].link(NAME)["mtu"] - 8


@pytest.mark.parametrize("outer", (4, 6))
def test_gretap(scene, tmp_path, outer):
    """One Ethernet over both: a bridge here with our TAP, one there with the kernel's gretap."""
    guest, router = scene.router[B], scene.router[A]
    kind = "gretap" if outer == 4 else "ip6gretap"
    for machine in (guest, router):
        machine.ip("address flush dev eth1", "link add br0 type bridge", "link set br0 up",
                   "link set eth1 master br0")
    guest.ip(*kernel_tunnel(outer, kind=kind, address=False, key=7), f"link set {NAME} master br0")
    for side, end in ((A, 1), (B, 2)):
        scene.host[side].ip(f"address add 10.77.0.{end}/24 dev eth0", "link set dev eth0 mtu 1400")
    site = Site(router, tmp_path / A, section("tunnel", NAME, mode="gretap", local=UNDERLAY[outer][A],
                                              remote=UNDERLAY[outer][B], key=7, bridge="br0"))
    site.up()
    for side, end in ((A, 1), (B, 2)):
        ping(scene.host[other(side)], f"10.77.0.{end}", count=3)
    site.forget_drops()
    carries(scene, {(A, 4): "10.77.0.1", (B, 4): "10.77.0.2"})
    assert not site.drops()
