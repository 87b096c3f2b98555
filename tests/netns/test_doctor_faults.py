# SPDX-License-Identifier: GPL-2.0-or-later
"""One fault at a time, wherever it is, and A's doctor names it in its first line. The rows are in
faults_outside.py, faults_inside.py and faults_rare.py."""
import re

import faults_inside
import faults_outside
import faults_rare
import pytest
from clinic import DEGRADED, Answer, Clinic, Failed
from gretel import ROOT, Site, tunnel
from scene import A, B

FAULTS = faults_outside.ROWS + faults_inside.ROWS + faults_rare.ROWS


@pytest.fixture(scope="module")
def kept():
    """[the clinic], replaced by a new one when a fault has left it damaged."""
    box = [Clinic()]
    yield box
    box[0].close()


@pytest.fixture
def clinic(kept):
    try:
        kept[0].ready()
    except (Failed, AssertionError):
        kept[0].close()
        kept[0] = Clinic()
        kept[0].ready()
    return kept[0]


@pytest.mark.parametrize("fault", FAULTS, ids=[one.name for one in FAULTS])
def test_fault(clinic, fault):
    with fault.inject(clinic):
        answer = clinic.ask(*fault.ask)
    assert answer.first["check"] == fault.check, str(answer)
    missing = [word for word in fault.words if word not in answer.line]
    assert not missing, f"{missing} not in {answer}"
    assert not [word for word in fault.never if word in answer.line], str(answer)
    assert answer.exit == fault.exit, str(answer)


# Checks whose faults are elsewhere: in test_inside.c, test_managers.c, test_vrf61.py, below, or they
# only repeat what others find.
ELSEWHERE = {"conntrack-full", "networkd", "boot", "bridge-mtu", "state", "drops", "vrf-deaf"}


def test_each_check_has_a_fault():
    table = re.findall(r'X\(\w+, "([\w-]+)"', (ROOT / "src/ctl/doctor/checks.h").read_text())
    assert set(table) - {one.check for one in FAULTS} == ELSEWHERE


def test_a_bridge_with_larger_frames(scene, tmp_path):
    """The LAN's device carries 1500 octets, the tunnel in the same bridge fewer."""
    router = scene.router[A]
    router.ip("link add br0 type bridge", "link set dev br0 up", "link set dev eth1 master br0")
    sites = {}
    for side, bridge in ((A, "br0"), (B, None)):
        sites[side] = Site(scene.router[side], tmp_path / side,
                           tunnel(side, mode="gretap", bridge=bridge, address=[], route=[]))
        sites[side].up()
    answer = Answer(sites[A].gretel("--json", "doctor", check=False))
    assert answer.first["check"] == "bridge-mtu" and answer.exit == DEGRADED, str(answer)
    assert "frames of 1500 octets on eth1" in answer.line and "mtu = 1500" in answer.line
    sites[A].edit("mode = gretap", "mode = gretap\nmtu = 1500\ndf = clear")
    sites[A].reload()
    assert "bridge-mtu" not in Answer(sites[A].gretel("--json", "doctor", check=False)).found


def test_each_fault_has_a_name_of_its_own():
    assert len({one.name for one in FAULTS}) == len(FAULTS)
