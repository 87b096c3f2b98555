# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody else deletes or changes is back within a second."""
import time

import pytest
from gretel import NAME, Site, ping, site_text
from net import Failed, wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY

SECOND = 1.0

RULES = {"forward": {"allow": "10.10.1.0/24 <-> 20.10.1.0/24",
                     "masquerade": f"10.10.9.0/24 out {NAME}"}}


def has_address(router):
    return TUNNEL[4][A] in str(router.ip_json(f"-4 address show dev {NAME}"))


def has_route(router):
    return any(route["dst"] == "20.10.1.0/24" and route["dev"] == NAME
               for route in router.ip_json("route show"))


def has_rule(router, word):
    return word in router.run(["nft", "list", "table", "inet", "gretel"], check=False).stdout


# What is done to the router, and what must be true again.
DAMAGE = {
    "address": (lambda r: r.ip(f"address flush dev {NAME} scope global"), has_address),
    "route": (lambda r: r.ip("route del 20.10.1.0/24"), has_route),
    "route replaced": (lambda r: r.ip("route replace 20.10.1.0/24 via 172.19.1.2 dev bond0"), has_route),
    "table": (lambda r: r.nft("delete table inet gretel"), lambda r: has_rule(r, "masquerade")),
    "chain emptied": (lambda r: r.nft("flush chain inet gretel postrouting"),
                      lambda r: has_rule(r, "masquerade")),
    "all rules": (lambda r: r.nft("flush ruleset"), lambda r: has_rule(r, "10.10.1.0/24")),
    "link": (lambda r: r.ip(f"link del {NAME}"),
             lambda r: r.link(NAME) and has_address(r) and has_route(r)),
    "link down": (lambda r: r.ip(f"link set dev {NAME} down"),
                  lambda r: "UP" in r.link(NAME)["flags"] and has_route(r)),
    "mtu": (lambda r: r.ip(f"link set dev {NAME} mtu 1200"), lambda r: r.link(NAME)["mtu"] == 1476),
    "alias": (lambda r: r.ip(f"link set dev {NAME} alias mine"),
              lambda r: r.link(NAME).get("ifalias", "").startswith("gretel:")),
    "ip_forward": (lambda r: r.sysctl("net.ipv4.ip_forward", 0),
                   lambda r: r.sysctl("net.ipv4.ip_forward") == "1"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_back_within_a_second(scene, tmp_path, what):
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, **RULES))
             for side in (A, B)}
    for site in sites.values():
        site.up()
    ping(scene.host[A], HOST[4][B])
    router, (harm, healed) = scene.router[A], DAMAGE[what]
    assert healed(router), "the test sees what it must see before the damage"
    harm(router)
    begun = time.monotonic()
    wait_for(lambda: healed(router), 5, what)
    seconds = time.monotonic() - begun
    assert seconds < SECOND, f"{what}: back after {seconds:.2f} s"
    ping(scene.host[A], HOST[4][B])
    assert sites[A].plan().returncode == 0


def test_what_the_user_adds_is_left_alone(scene, tmp_path):
    """An address and a route without our mark on our interface are the user's."""
    site = Site(scene.router[A], tmp_path / A, site_text(A))
    site.up()
    scene.router[A].ip(f"address add 10.44.0.1/32 dev {NAME}", f"route add 10.45.0.0/16 dev {NAME}")
    scene.router[A].ip("route del 20.10.1.0/24")
    wait_for(lambda: has_route(scene.router[A]), 5, "our own route is back")
    assert "10.44.0.1" in str(scene.router[A].ip_json(f"address show dev {NAME}"))
    assert "10.45.0.0/16" in str(scene.router[A].ip_json("route show"))
    assert site.plan().returncode == 0


def test_user_address_that_is_ours_too(scene, tmp_path):
    """Somebody adds by hand just what the file says: no quarrel."""
    site = Site(scene.router[A], tmp_path / A, site_text(A))
    site.up()
    try:
        scene.router[A].ip(f"route replace 20.10.1.0/24 dev {NAME}")
    except Failed:
        pytest.fail("the route could not be replaced")
    wait_for(lambda: site.plan().returncode == 0, 5, "the plan is empty again")
    assert has_route(scene.router[A])


@pytest.mark.parametrize("family", (4, 6))
def test_route_of_somebody_else_in_our_place(scene, tmp_path, family):
    """As a router advertisement adds one: it survives the repair of ours, and `down`."""
    router, to = scene.router[A], LAN[family][B]
    metric = " metric 1024" if family == 6 else ""
    site = Site(router, tmp_path / A, site_text(A))
    site.up()
    router.ip(f"route append {to} via {UNDERLAY[family][B]} dev bond0{metric}")

    def devices():
        return [route["dev"] for route in router.ip_json(f"-{family} route show {to}")]
    assert devices() == [NAME, "bond0"]
    router.ip(f"route del {to} dev {NAME} proto 71")
    wait_for(lambda: sorted(devices()) == [NAME, "bond0"], 5, devices)
    assert devices()[0] == (NAME if family == 4 else "bond0")
    wait_for(lambda: site.plan().returncode == 0, 5, "the plan is empty again")
    site.down()
    assert devices() == ["bond0"]
