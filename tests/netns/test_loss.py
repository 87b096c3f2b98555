# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP over a bad road."""
import pytest
from flow import tcp_transfer
from gretel import both_up, ping, ping_between_lans
from scene import HOST

OCTETS = 100_000_000


def test_hundred_megabytes_over_a_bad_road(make_relay, tmp_path):
    """1 % lost, 1 % doubled, 5 % out of order, both ways: every octet arrives."""
    scene, relay = make_relay(seed=20)
    sites = both_up(scene, tmp_path, key=4242)
    ping_between_lans(scene, families=(4,))
    relay.set(drop=1, dup=1, reorder=5)
    done = tcp_transfer(*scene.hosts(), 4, HOST[4]["B"], OCTETS, timeout=140)
    assert done and done.octets == OCTETS, done
    road = relay.stats()["ab"]
    frames = road["frames"]
    assert frames > OCTETS / 1500 and not road["oversize"], road
    assert 0.005 < road["dropped"] / frames < 0.02 and 0.005 < road["doubled"] / frames < 0.02
    assert 0.03 < road["reordered"] / frames < 0.07
    for site in sites.values():
        assert not site.drops(), f"the routers lost packets themselves: {site.drops()}"


@pytest.mark.parametrize("inner", (4, 6))
def test_sequenced_tunnel_over_a_bad_road(make_relay, tmp_path, inner):
    """Sequence numbers make late packets lost ones; TCP still brings all octets."""
    scene, relay = make_relay(seed=21)
    sites = both_up(scene, tmp_path, sequence="yes", checksum="require")
    relay.set(dup=1, reorder=1)
    done = tcp_transfer(*scene.hosts(), inner, HOST[inner]["B"], 10_000_000, timeout=100)
    assert done and done.octets == 10_000_000, done
    assert set(sites["B"].drops()) == {"rx-sequence"}


def test_one_way_cut(make_relay, tmp_path):
    """What one direction loses is not lost in the other: the counters tell which is dead."""
    scene, relay = make_relay()
    sites = both_up(scene, tmp_path)
    ping_between_lans(scene, families=(4,))
    relay.set(cut="ba")
    before = {side: site.tunnel() for side, site in sites.items()}
    scene.host["A"].run(["ping", "-c", 5, "-i", "0.05", "-W", "0.2", HOST[4]["B"]], check=False)
    after = {side: site.tunnel() for side, site in sites.items()}
    assert after["B"]["rx"]["packets"] >= before["B"]["rx"]["packets"] + 5
    assert after["A"]["rx"]["packets"] == before["A"]["rx"]["packets"]
    relay.set(cut="none")
    ping(scene.host["A"], HOST[4]["B"])
