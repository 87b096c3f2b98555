# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels of frames as tshark reads them: every header field over both outer families; test_carry.py has
those of packets."""
import pytest
from crossing import FRAME_HOST, bridge, one_ethernet, site_of
from flow import tcp_transfer
from gretel import Site, ping
from matrix import GRETEL, roads
from scapy.all import GRE, IP, Ether, Raw, wrpcap
from scene import A, B
from wire import Capture, assert_clean, tshark

FLAGS = {"plain": 0, "key": 0x2000, "csum": 0x8000, "seq": 0x1000, "all": 0xB000}


@pytest.mark.parametrize("road", [road for road in roads(GRETEL) if road.frames()], ids=str)
def test_frames(scene, tmp_path, road):
    one_ethernet(scene)
    path, host = tmp_path / "wire.pcap", scene.host
    for side, router in scene.router.items():
        bridge(router)
        Site(router, tmp_path / side, site_of(road, side, "auto")).up()
    with Capture(scene.wire, "a", path):
        ping(host[A], FRAME_HOST[B], size=4000, count=3)
        assert tcp_transfer(host[A], host[B], 4, FRAME_HOST[B], 100_000)
    assert_clean(path)
    rows = tshark(path, ("gre.flags_and_version", "gre.proto", "gre.checksum.status"), "gre")
    assert {int(row["gre.flags_and_version"][0], 16) for row in rows} == {FLAGS[road.options]}
    assert {int(row["gre.proto"][0], 16) for row in rows} == {0x6558}
    assert {*sum((row["gre.checksum.status"] for row in rows), [])} <= {"1"}


def test_a_bad_capture_is_found(tmp_path):
    """A header that says it has a key and ends before it."""
    path = tmp_path / "bad.pcap"
    wrpcap(str(path), [Ether() / IP(src="192.0.2.1", dst="192.0.2.2", proto=47) / Raw(bytes.fromhex("20000800")),
                       Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / GRE() / IP(src="10.0.0.1", dst="10.0.0.2")])
    with pytest.raises(AssertionError, match="frame.number"):
        assert_clean(path)
