# SPDX-License-Identifier: GPL-2.0-or-later
"""Multipoint tunnels and Linux's own GRE, each as the hub of the other."""
import pytest
from gretel import NAME, Site, ping, section, site_text
from kernelpeer import become_router, kernel_tunnel
from scene import HOST, LAN, TUNNEL, UNDERLAY, A, B

KEY = 77
NETWORK = {4: 24, 6: 64}


def hub_text(outer):
    """A's file: B is a peer, and so is somebody who is not there."""
    peers = [f"{TUNNEL[family][B]} at {UNDERLAY[outer][B]}" for family in (4, 6)]
    return section("tunnel", NAME, local=UNDERLAY[outer][A], key=KEY, lane="auto",
                   peer=peers + [f"192.168.8.99 at {UNDERLAY[outer][B]}9"],
                   address=[f"{TUNNEL[family][A]}/{NETWORK[family]}" for family in (4, 6)],
                   route=[f"{LAN[family][B]} via {TUNNEL[family][B]}" for family in (4, 6)]) \
        + section("forward", enable="yes")


def kernel_hub():
    """Lines of ip(8) for a multipoint tunnel of the kernel's, over and for IPv4."""
    return [f"link add {NAME} type gre local {UNDERLAY[4][B]} key {KEY} ttl 64",
            f"address add {TUNNEL[4][B]}/24 dev {NAME}", f"link set {NAME} up mtu 1472",
            f"neigh add {TUNNEL[4][A]} lladdr {UNDERLAY[4][A]} dev {NAME}",
            f"route add {LAN[4][A]} via {TUNNEL[4][A]} dev {NAME}"]


@pytest.mark.parametrize("outer", (4, 6))
def test_kernel_spoke(scene, tmp_path, outer):
    site = Site(scene.router[A], tmp_path, hub_text(outer))
    site.up()
    become_router(scene.router[B], *kernel_tunnel(outer, key=KEY))
    for family in (4, 6):
        ping(scene.host[A], HOST[family][B], deadline=20)
        ping(scene.host[B], HOST[family][A], deadline=20)
        ping(scene.router[A], TUNNEL[family][B], deadline=20)
    peer = [one for one in site.tunnel()["peers"] if one["name"] == f"{NAME}/{TUNNEL[4][B]}"]
    assert peer[0]["rx"]["packets"] >= 6 and peer[0]["tx"]["packets"] >= 6


@pytest.mark.parametrize("text", (site_text(A, key=KEY, address=f"{TUNNEL[4][A]} peer {TUNNEL[4][B]}",
                                            route=LAN[4][B]), hub_text(4)), ids=("spoke", "hub"))
def test_kernel_hub(scene, tmp_path, text):
    site = Site(scene.router[A], tmp_path, text)
    site.up()
    become_router(scene.router[B], *kernel_hub())
    ping(scene.host[A], HOST[4][B], deadline=20)
    ping(scene.host[B], HOST[4][A], deadline=20)
    assert not [reason for reason in site.drops() if reason.startswith("rx-key")]
