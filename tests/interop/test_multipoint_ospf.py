# SPDX-License-Identifier: GPL-2.0-or-later
"""OSPF between a hub and two spokes: what the daemon routes by a next hop goes to that peer."""
import pytest
from frr import Frr, routes
from gretel import ping, section
from net import wait_for
from star import HUB, KEY, NAME, SITES, SPOKES, Star, host, hub_text, inner, lan, outer, peer

FULL_WITHIN = 60


@pytest.fixture
def star(tmp_path):
    with Star(tmp_path) as made:
        yield made


def ospf(site):
    return f"""
interface {NAME}
 ip ospf network point-to-multipoint
 ip ospf area 0
 ip ospf hello-interval 2
 ip ospf dead-interval 8
interface eth1
 ip ospf area 0
 ip ospf passive
router ospf
 ospf router-id {inner(site)}
 timers throttle spf 0 50 50
"""


def test_lans_are_learned(star, undo):
    forward = section("forward", enable="yes")
    star.site(HUB, hub_text(peers=[peer(site) for site in SPOKES], routes=[]) + forward).up()
    for site in SPOKES:
        star.site(site, section("tunnel", NAME, local=outer(site), remote=outer(HUB), key=KEY,
                                address=f"{inner(site)}/24") + forward).up()
    routers = {site: Frr(star.router[site], undo, ospf(site), "ospfd") for site in SITES}

    def learned():
        return [(site, other) for site in SITES for other in SITES if site != other
                and any(route["dev"] == NAME for route in routes(star.router[site], lan(other)))]

    wait_for(lambda: len(learned()) == 6, FULL_WITHIN,
             lambda: [learned(), *(router.do("show ip ospf neighbor") for router in routers.values())])
    for site in SITES:
        for other in SITES:
            if site != other:
                ping(star.host[site], host(other))
    via = {site: routes(star.router[HUB], lan(site))[0]["gateway"] for site in SPOKES}
    assert via == {site: inner(site) for site in SPOKES}
    star.sites[13].down()
    wait_for(lambda: not routes(star.router[HUB], lan(13)), FULL_WITHIN, "the site that is gone is forgotten")
    ping(star.host[HUB], host(12))
