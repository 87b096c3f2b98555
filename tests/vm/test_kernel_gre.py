# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix (matrix.py) with the kernel's own GRE (ip_gre, ip6_gre, gretap of Debian 12) on B; and what
is beside the matrix."""
import pytest
from crossing import bridge, cross, one_ethernet
from gretel import NAME, Site, ping_between_lans, site_text
from kernelpeer import LOAD, become_router, kernel_tunnel
from matrix import LINUX, OPTIONS, roads
from scene import A, B
from streams import carries_all
from wire import Capture, tshark

# ip(8)'s words for what our file says.
THEIRS = {"key": "key", "checksum": "csum", "sequence": "seq"}


def assert_no_errors(guest):
    counters = guest.link(NAME)["stats64"]
    assert not counters["rx"]["errors"] and not counters["tx"]["errors"], counters


@pytest.mark.parametrize("road", roads(LINUX), ids=str)
def test_kernel(scene, tmp_path, road):
    guest, router = scene.router[B], scene.router[A]
    scene.take_frames()
    words = {THEIRS[key]: value if key == "key" else None for key, value in OPTIONS[road.options].items()}
    if road.frames():
        one_ethernet(scene)
        for machine in (guest, router):
            bridge(machine)
        kind = "gretap" if road.transport == 4 else "ip6gretap"
        guest.ip(*kernel_tunnel(road.transport, kind=kind, address=False, **words), f"link set {NAME} master br0")
    else:
        become_router(guest, *kernel_tunnel(road.transport, **words))
    cross(road, scene, {A: Site(router, tmp_path / A, "")}, LOAD)
    assert_no_errors(guest)
    # One size for both: no packet of either side is too large for the other.
    assert guest.link(NAME)["mtu"] == router.link(NAME)["mtu"]


@pytest.mark.parametrize("outer", (4, 6))
def test_two_keys(scene, tmp_path, outer):
    guest = scene.router[B]
    become_router(guest, *kernel_tunnel(outer, ikey=6, okey=5))
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer, ikey=5, okey=6))
    site.up()
    carries_all(scene, site, load=LOAD)
    assert_no_errors(guest)


def test_encapsulation_limit(scene, tmp_path):
    """Without `encaplimit none` the kernel puts a destination option of eight octets before GRE, which
    no lane minds. A passenger of its own may then be as much shorter."""
    guest = scene.router[B]
    become_router(guest, *kernel_tunnel(6, encaplimit=4))
    site = Site(scene.router[A], tmp_path / A, "")
    for lane in ("user", "auto"):
        site.write(site_text(A, 6, lane=lane))
        site.up()
        path = tmp_path / f"{lane}.pcap"
        with Capture(scene.router[A], "bond0", path, "ip6"):
            ping_between_lans(scene)
        options = tshark(path, ("ipv6.opt.tel",), "ipv6.opt.tel")
        assert options and {row["ipv6.opt.tel"][0] for row in options} == {"4"}
        carries_all(scene, site, load=LOAD)
        assert guest.link(NAME)["mtu"] == scene.router[A].link(NAME)["mtu"] - 8
