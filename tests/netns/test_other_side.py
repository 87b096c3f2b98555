# SPDX-License-Identifier: GPL-2.0-or-later
"""`gretel peer --for gretel` of A is a file with which B works, as it is."""
import pytest
from flow import ask, serve_peername, tcp_transfer
from gretel import NAME, Site, ping, ping_between_lans, ping_refused, site_text
from net import wait_for
from scene import HOST, LAN, ROUTER, TUNNEL, A, B, other

PAIR = {"allow": [f"{LAN[f][A]} <-> {LAN[f][B]}" for f in (4, 6)]}

# What A's file has beside the tunnel and its routes.
VARIANTS = {
    "plain": {},
    "key": {"key": 4242},
    "two-keys": {"ikey": 7, "okey": "0.0.1.0"},
    "checksum-sent": {"checksum": "yes"},
    "checksum-asked": {"checksum": "receive"},
    "sequence-sent": {"sequence": "send"},
    "all": {"key": 1, "checksum": "require", "sequence": "yes"},
    "header": {"ttl": 9, "tos": "0xb8", "ecn": "no", "df": "clear", "mtu": 1300, "mss": 1200},
    "underlay-6": {"outer": 6, "key": 6},
    "keepalive": {"keepalive": "300ms 4"},
    "bound": {"bind": "bond0"},
    "prefixes": {"address": ["192.168.8.1/24", "fd00:8::1/64"]},
    "pairs": {"address": ["192.168.8.0/31", "fd00:8::/127"]},
}


def both_from(scene, directory, text):
    """A with `text`, B with what A's gretel prints for it; returns {side: Site}."""
    sites = {A: Site(scene.router[A], directory / A, text)}
    sites[A].up()
    sites[B] = Site(scene.router[B], directory / B, sites[A].gretel("peer", NAME, "--for", "gretel").stdout)
    sites[B].up()
    for site in sites.values():
        site.forget_drops()
    return sites


def mirrored(site, directory):
    """The mirror of a running site's file, without comments."""
    file = directory / "mirror.conf"
    file.write_text(site.gretel("peer", NAME, "--for", "gretel").stdout)
    return site.gretel("-c", file, "config").stdout


@pytest.mark.parametrize("variant", VARIANTS)
def test_works_unchanged(scene, tmp_path, variant):
    sites = both_from(scene, tmp_path, site_text(A, **VARIANTS[variant]))
    for site in sites.values():
        site.forget_drops()
    ping_between_lans(scene)
    for side in (A, B):
        assert tcp_transfer(scene.host[side], scene.host[other(side)], 4, HOST[4][other(side)], 1 << 20)
    for site in sites.values():
        assert not site.drops(), variant
    if "keepalive" in VARIANTS[variant]:
        for site in sites.values():
            wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 10, site.tunnel)
    assert mirrored(sites[B], tmp_path) == sites[A].gretel("config").stdout


def test_one_way(scene, tmp_path, undo):
    """Only A's LAN may begin: with the mirrored file B's rules say the same."""
    both_from(scene, tmp_path, site_text(A, forward={"allow": [f"{LAN[f][A]} -> {LAN[f][B]}" for f in (4, 6)]}))
    for family in (4, 6):
        serve_peername(scene.host[B], family, HOST[family][B], 7001, undo)
        assert ask(scene.host[A], family, HOST[family][B], 7001) == HOST[family][A]
    ping_refused(scene.host[B], HOST[4][A])


def test_masqueraded_hosts_need_no_route(scene, tmp_path, undo):
    forward = {"allow": f"{LAN[4][A]} -> {LAN[4][B]}", "masquerade": f"{LAN[4][A]} out {NAME}"}
    sites = both_from(scene, tmp_path, site_text(A, forward=forward))
    assert "route = " not in sites[B].file.read_text()
    serve_peername(scene.host[B], 4, HOST[4][B], 7002, undo)
    assert ask(scene.host[A], 4, HOST[4][B], 7002) == TUNNEL[4][A]


def test_both_sides_masquerade(scene, tmp_path, undo):
    """The scene of the README: each LAN sees the other as its own router's address."""
    forward = {"allow": f"{LAN[4][A]} <-> {LAN[4][B]}",
               "masquerade": [f"{LAN[4][A]} out {NAME}", f"{TUNNEL[4][B]} out eth1"]}
    both_from(scene, tmp_path, site_text(A, forward=forward, keepalive="300ms 4"))
    for side in (A, B):
        scene.host[side].ip("route del default", f"route add {LAN[4][other(side)]} via {ROUTER[4][side]}")
        serve_peername(scene.host[side], 4, HOST[4][side], 7003, undo)
    for side in (A, B):
        assert ask(scene.host[side], 4, HOST[4][other(side)], 7003) == ROUTER[4][other(side)]


def test_published_ports(scene, tmp_path, undo):
    """A port of A leads to a host behind B, and one of A's tunnel address to a host behind A."""
    forward = {"allow": PAIR["allow"],
               "publish": [f"tcp/8001 in eth1 to {HOST[4][B]}:7004", f"tcp/8002 in {NAME} to {HOST[4][A]}:7004"]}
    both_from(scene, tmp_path, site_text(A, forward=forward))
    for side in (A, B):
        serve_peername(scene.host[side], 4, HOST[4][side], 7004, undo)
    ping_between_lans(scene)
    assert ask(scene.host[A], 4, ROUTER[4][A], 8001) == HOST[4][A]
    assert ask(scene.host[B], 4, TUNNEL[4][A], 8002) == HOST[4][B]


def test_published_for_anybody(scene, tmp_path, undo):
    """A client that no file names: B's answers find the tunnel by which the question came."""
    scene.host[A].ip("address add 198.51.100.9/24 dev eth0")
    scene.router[A].ip("address add 198.51.100.1/24 dev eth1")
    sites = both_from(scene, tmp_path, site_text(A, forward={"publish": f"tcp/8001 in eth1 to {HOST[4][B]}:7004"}))
    assert "return-path = same-tunnel" in sites[B].file.read_text()
    serve_peername(scene.host[B], 4, HOST[4][B], 7004, undo)
    assert ask(scene.host[A], 4, "198.51.100.1", 8001) == "198.51.100.9"


def test_sizes_follow_our_way(make_scene, tmp_path):
    """Outputs with numbers have those of the path that this machine has, whether the tunnel is up or not."""
    scene = make_scene(mtu=1400)
    site = Site(scene.router[A], tmp_path / A, site_text(A, key=1))
    script = site.gretel("peer", NAME, "--for", "iproute2").stdout
    assert f"ip link set dev {NAME} mtu {1400 - 28}\n" in script and "maxseg size set 1332" in script
    site.up()
    assert site.gretel("peer", NAME, "--for", "iproute2").stdout == script


def test_ethernet(scene, tmp_path):
    """Frames between the two routers, with addresses on the interface itself."""
    text = site_text(A, mode="gretap", address=["192.168.8.1/30", "fd00:8::/127"], route=[], forward={}, key=5)
    sites = both_from(scene, tmp_path, text)
    for address in "192.168.8.2", "fd00:8::1":
        ping(scene.router[A], address)
    assert mirrored(sites[B], tmp_path) == sites[A].gretel("config").stdout


def test_bridged(scene, tmp_path):
    """One Ethernet: the two LANs' devices and the tunnel are ports of bridges of the same name."""
    for side in (A, B):
        scene.router[side].ip("link add br0 type bridge", "link set br0 up", "address flush dev eth1",
                              "link set eth1 master br0")
    scene.host[B].ip("address add 10.10.1.20/24 dev eth0")
    both_from(scene, tmp_path, site_text(A, mode="gretap", bridge="br0", key=100, address=[], route=[], df="clear",
                                         mtu=1500, forward={}))
    ping(scene.host[A], "10.10.1.20", size=1472)
