# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix (matrix.py) with gretel and Open vSwitch as the peer; tests/vm has a Linux kernel's GRE."""
import pytest
from crossing import bridge, cross, one_ethernet
from gretel import Site, site_text
from matrix import GRETEL, OPTIONS, OVS, roads
from net import wait_for
from ovs import SwitchedRouter
from scene import HOST, A, B, Scene

# Open vSwitch's words for what our file says.
THEIRS = {"key": "key", "checksum": "csum", "sequence": "seq"}
WHOLE = 1400  # octets that fit into each of these tunnels


@pytest.fixture
def scene():
    with Scene() as made:
        made.take_frames()
        yield made


@pytest.mark.parametrize("road", roads(GRETEL), ids=str)
def test_gretel(scene, tmp_path, road):
    if road.frames():
        one_ethernet(scene)
        for router in scene.router.values():
            bridge(router)
    cross(road, scene, {side: Site(scene.router[side], tmp_path / side, "") for side in (A, B)})


@pytest.mark.parametrize("road", roads(OVS), ids=str)
def test_open_vswitch(scene, tmp_path, road):
    if road.frames():
        one_ethernet(scene)
        bridge(scene.router[A])
    else:
        scene.narrow_host(B, WHOLE)
    words = {THEIRS[key]: value if key == "key" else "true" for key, value in OPTIONS[road.options].items()}
    SwitchedRouter(scene, tmp_path / "ovs").tunnel(road.transport, road.frames(), **words)
    cross(road, scene, {A: Site(scene.router[A], tmp_path / A, "")})


def test_open_vswitch_checksum_and_sequence(scene, tmp_path):
    """Why there is no such cell: their sum does not cover the number that they write after it."""
    scene.narrow_host(B, WHOLE)
    SwitchedRouter(scene, tmp_path / "ovs").tunnel(4, False, csum="true", seq="true")
    site = Site(scene.router[A], tmp_path / A, site_text(A, checksum="require", sequence="yes"))
    site.up()

    def dropped():
        scene.host[B].run(["ping", "-c", 2, "-i", "0.1", "-W", "0.1", HOST[4][A]], check=False)
        return site.drops().get("rx-checksum", 0) > 2
    wait_for(dropped, 10, site.drops)


def test_open_vswitch_packets_over_ipv6(scene, tmp_path):
    """Why there are no such cells: the switch refuses the port."""
    router = SwitchedRouter(scene, tmp_path / "ovs")
    router.add_port(6, False)
    assert "cannot carry L3 traffic" in router.switch.vsctl("get", "interface", "gre0", "error")
    router.add_port(6, True)
    assert router.switch.vsctl("get", "interface", "gre0", "error").strip() == "[]"
