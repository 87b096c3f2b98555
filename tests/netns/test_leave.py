# SPDX-License-Identifier: GPL-2.0-or-later
"""`gretel down` leaves interfaces, routes, rules, nftables and sysctls as the first `up` found them."""
import pytest
from dump import assert_same, dump
from gretel import NAME, Site, section, site_text, tunnel
from net import wait_for
from scene import A, B, UNDERLAY

SITES = {
    "plain": site_text(A),
    "over IPv6": site_text(A, outer=6),
    "all rules": site_text(A, key=9, forward={
        "allow": "10.10.1.0/24 <-> 20.10.1.0/24", "masquerade": f"10.10.1.0/24 out {NAME}",
        "snat": "10.10.2.0/24 out bond0 to 172.19.1.1",
        "publish": "tcp/443 in bond0 to 10.10.1.10:8443"}),
    "no forwarding": tunnel(A),
    "two tunnels": tunnel(A) + section("tunnel", "t2", local=UNDERLAY[4][A], remote=UNDERLAY[4][B],
                                       key=2, address="10.9.0.1/30", route="10.8.0.0/16 metric 50"),
}


@pytest.mark.parametrize("forwarding_before", (0, 1))
@pytest.mark.parametrize("kind", SITES)
def test_up_and_down(scene, tmp_path, kind, forwarding_before):
    router = scene.router[A]
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        router.sysctl(name, forwarding_before)
    before = dump(router)
    site = Site(router, tmp_path / A, SITES[kind])
    site.up()
    assert dump(router) != before
    site.down()
    assert_same(before, dump(router))
    assert not router.pids()
    site.up()
    site.down()
    assert_same(before, dump(router))


def test_what_others_made_stays(scene, tmp_path):
    """Only what carries our mark is taken away."""
    router = scene.router[A]
    router.nft("table inet mine { chain c { type filter hook forward priority 5; }; }")
    router.ip("route add 10.66.0.0/16 via 172.19.1.2", "link add mine0 type bridge")
    before = dump(router)
    site = Site(router, tmp_path / A, site_text(A))
    site.up()
    site.down()
    assert_same(before, dump(router))


def test_setting_changed_by_another_meanwhile(scene, tmp_path):
    """A setting that somebody wrote after us with our value is restored to what we found."""
    router = scene.router[A]
    router.sysctl("net.ipv4.conf.bond0.forwarding", 0)
    site = Site(router, tmp_path / A, site_text(A))
    site.up()
    assert router.sysctl("net.ipv4.conf.bond0.forwarding") == "1"
    site.reload()
    site.down()
    assert router.sysctl("net.ipv4.conf.bond0.forwarding") == "0"
    assert router.sysctl("net.ipv4.ip_forward") == "0"


def test_bridge_member_is_released(scene, tmp_path):
    router = scene.router[A]
    router.ip("link add br0 address 02:00:00:00:00:0b type bridge", "link set dev br0 up",
              "link set dev eth1 master br0")
    wait_for(lambda: "LOWER_UP" in router.link("br0")["flags"], 5)
    before = dump(router)
    site = Site(router, tmp_path / A, section("tunnel", "tap0", mode="gretap", local=UNDERLAY[4][A],
                                              remote=UNDERLAY[4][B], bridge="br0"))
    site.up()
    assert router.link("tap0")["master"] == "br0"
    site.down()
    assert router.link("tap0") is None
    assert_same(before, dump(router))
