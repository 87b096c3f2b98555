# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel lanes on Linux 6.1: the programs load there, packets pass in each lane, and nothing is left."""
import pytest
from gretel import Site, ping_between_lans, site_text
from kernelpeer import LOAD, GuestSite
from net import wait_for
from scene import HOST, A, B
from streams import carries

LOADED = 60  # seconds that an emulated processor may take for it


def conntrack(guest):
    """As it is where somebody filters by connection: the programs then find its functions."""
    guest.run(["modprobe", "-a", "nf_conntrack", "sch_ingress", "cls_bpf"])


def wait_for_lane(site, lane):
    wait_for(lambda: site.tunnel()["lane"] == lane, LOADED,
             lambda: (site.tunnel()["lane"], site.tunnel()["lane_reason"]), 0.5)


def programs(guest):
    return guest.script("ip -d link; for d in bond0 eth1; do tc filter show dev $d ingress; "
                        "tc filter show dev $d egress; done").stdout


@pytest.mark.parametrize("lane, outer", (("tc", 4), ("tc", 6), ("xdp", 4), ("xdp", 6)))
def test_lane(scene, tmp_path, lane, outer):
    guest = scene.router[B]
    conntrack(guest)
    site = GuestSite(guest, site_text(B, outer, lane=lane, key=7))
    Site(scene.router[A], tmp_path / A, site_text(A, outer, lane="user", key=7)).up()
    site.up()
    ping_between_lans(scene)
    wait_for_lane(site, lane)
    site.forget_drops()
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)}, LOAD)
    assert not site.drops()
    assert site.tunnel()["lane"] == lane
    assert ("xdp" in programs(guest)) == (lane == "xdp")
    site.down()
    assert "bpf" not in programs(guest)


def test_spread(scene, tmp_path):
    """The kernel takes the program of other CPUs, too. Where there are any, they carry."""
    guest = scene.router[B]
    conntrack(guest)
    site = GuestSite(guest, site_text(B, lane="xdp") + "[daemon]\nspread = yes\n")
    Site(scene.router[A], tmp_path / A, site_text(A, lane="user")).up()
    site.up()
    ping_between_lans(scene)
    wait_for_lane(site, "xdp")
    cpus = int(guest.script("grep -c ^cpu[0-9] /proc/stat").stdout)
    said = site.status()["spread"]
    if cpus > 1:
        assert said == {"setting": "yes", "cpus": cpus, "lost": 0, "reason": ""}
    else:
        assert said["reason"] == "greteld may use one CPU"  # and not that the kernel refuses
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)}, LOAD)
    assert not site.drops() and site.status()["spread"]["lost"] in (0, None)
    site.down()
    assert "bpf" not in programs(guest)
