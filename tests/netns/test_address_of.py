# SPDX-License-Identifier: GPL-2.0-or-later
"""`local = address-of DEVICE`: which address, one that comes later than the daemon, one that changes,
and that other tunnels do not notice."""
import json
import time

import pytest
from gretel import NAME, Site, ping, section, site_text, tunnel
from net import wait_for
from scene import A, B, HOST, UNDERLAY, UNDERLAY_LENGTH

SECOND = 1.0
NEW = {4: "172.19.1.77", 6: "2001:db8:19::77"}


def moving_text(outer=4, device="bond0", **keys):
    return site_text(A, outer, **keys).replace(f"local = {UNDERLAY[outer][A]}", f"local = address-of {device}")


@pytest.fixture
def make(scene, tmp_path):
    def make(text):
        return Site(scene.router[A], tmp_path / A, text)
    return make


def change_address(router, outer, old, new):
    length = UNDERLAY_LENGTH[outer]
    flag = " nodad" if outer == 6 else ""
    router.ip(f"address del {old}/{length} dev bond0", f"address add {new}/{length} dev bond0{flag}")


def local(site, name=NAME):
    return site.tunnel(name)["local"]


@pytest.mark.parametrize("outer", [4, 6])
def test_taken(scene, make, tmp_path, outer):
    site = make(moving_text(outer))
    site.up()
    Site(scene.router[B], tmp_path / B, site_text(B, outer)).up()
    status = site.tunnel()
    assert (status["local"], status["local_device"]) == (UNDERLAY[outer][A], "bond0")
    ping(scene.host[A], HOST[4][B])
    assert "local = address-of bond0\n" in site.gretel("config").stdout
    assert f"local {UNDERLAY[outer][A]} " in scene.router[A].link(NAME)["ifalias"] + " "
    assert site.plan().returncode == 0


@pytest.mark.parametrize("outer", [4, 6])
def test_change_is_followed_within_a_second(scene, make, tmp_path, outer):
    site = make(moving_text(outer))
    site.up()
    peer = Site(scene.router[B], tmp_path / B, site_text(B, outer).replace(UNDERLAY[outer][A], NEW[outer]))
    peer.up()
    index = scene.router[A].link(NAME)["ifindex"]
    begun = time.monotonic()
    change_address(scene.router[A], outer, UNDERLAY[outer][A], NEW[outer])
    wait_for(lambda: local(site) == NEW[outer], 10)
    assert time.monotonic() - begun < SECOND
    ping(scene.host[A], HOST[4][B])
    assert scene.router[A].link(NAME)["ifindex"] == index and site.plan().returncode == 0


def add_device(router, name):
    router.ip(f"link add {name} type veth peer name {name}-far", f"link set dev {name}-far up",
              f"link set dev {name} up")


def test_others_lose_nothing(scene, make, tmp_path):
    """Another tunnel, between addresses that stay, carries on while this one moves about."""
    address = {side: f"10.60.0.{n} peer 10.60.0.{3 - n}" for side, n in ((A, 1), (B, 2))}
    add_device(scene.router[A], "wan0")
    site = make(moving_text(device="wan0")
                + tunnel(A, name="other", key=8, address=address[A], route=[]))
    site.gretel("up", check=False)
    Site(scene.router[B], tmp_path / B, tunnel(B, name="other", key=8, address=address[B], route=[])).up()
    ping(scene.router[A], "10.60.0.2")
    flood = scene.router[A].popen(["ping", "-n", "-q", "-i", "0.01", "-c", 200, "10.60.0.2"], stdout=-1)
    for new in ("198.51.100.7", "198.51.100.8", "198.51.100.9"):
        scene.router[A].ip(f"address add {new}/32 dev wan0")
        wait_for(lambda: local(site) == new, 10)
        scene.router[A].ip(f"address del {new}/32 dev wan0")
        wait_for(lambda: local(site) == "", 10)
    assert " 0% packet loss" in flood.communicate(timeout=20)[0]


def test_address_comes_later(scene, make, tmp_path):
    """The daemon is there before the address: it waits, says for what, and goes on by itself."""
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    site = make(moving_text())
    done = site.gretel("up", check=False)
    assert done.returncode == 1 and "bond0 has no IPv4 address yet" in done.stderr
    status = site.tunnel()
    assert (status["state"], status["local"], status["remote"]) == ("waiting", "", UNDERLAY[4][B])
    assert "LOWER_UP" not in scene.router[A].link(NAME)["flags"]
    Site(scene.router[B], tmp_path / B, site_text(B)).up()
    begun = time.monotonic()
    scene.router[A].ip(f"address add {UNDERLAY[4][A]}/24 dev bond0")
    wait_for(lambda: site.tunnel()["state"] == "up", 10)
    assert time.monotonic() - begun < SECOND
    ping(scene.host[A], HOST[4][B])


def test_device_comes_later(scene, make):
    site = make(moving_text(device="ppp0"))
    assert site.gretel("up", check=False).returncode == 1
    assert site.tunnel()["reason"] == "there is no interface ppp0 yet"
    add_device(scene.router[A], "ppp0")
    wait_for(lambda: site.tunnel()["reason"] == "ppp0 has no IPv4 address yet", 10)
    scene.router[A].ip("address add 198.51.100.7/32 dev ppp0")
    wait_for(lambda: local(site) == "198.51.100.7", 10)
    assert site.tunnel()["state"] == "up"
    scene.router[A].ip("link del ppp0")
    wait_for(lambda: site.tunnel()["state"] == "waiting", 10)
    assert local(site) == "" and scene.router[A].link(NAME)


def test_which_of_several(scene, make):
    """Not a secondary one while there is a primary, not a deprecated one while there is another, not
    one of the link."""
    router = scene.router[A]
    router.ip(f"address del {UNDERLAY[6][A]}/64 dev bond0", "address add fe80::77/64 dev bond0 nodad",
              "address add 2001:db8:19::66/64 dev bond0 nodad preferred_lft 0",
              "address add 2001:db8:19::55/64 dev bond0 nodad")
    site = make(moving_text(6))
    site.up()
    assert local(site) == "2001:db8:19::55"
    router.ip("address del 2001:db8:19::55/64 dev bond0")
    wait_for(lambda: local(site) == "2001:db8:19::66", 10)
    router.ip("address del 2001:db8:19::66/64 dev bond0")
    wait_for(lambda: site.tunnel()["state"] == "waiting", 10)


def test_clash_with_a_written_address(scene, make):
    """Both tunnels turn out to have the same ends: what the file says outright goes first."""
    site = make(section("tunnel", "moving", local="address-of bond0", remote=UNDERLAY[4][B])
                + section("tunnel", "fixed", local=UNDERLAY[4][A], remote=UNDERLAY[4][B]))
    assert site.gretel("up", check=False).returncode == 1
    assert site.tunnel("fixed")["state"] == "up"
    assert "as that of fixed" in site.tunnel("moving")["reason"]
    change_address(scene.router[A], 4, UNDERLAY[4][A], NEW[4])
    wait_for(lambda: site.tunnel("moving")["state"] == "up", 10)


def test_events(scene, make):
    """What `gretel monitor` says of it."""
    site = make(moving_text())
    site.up()
    monitor = site.popen("monitor", stdout=-1)
    assert json.loads(monitor.stdout.readline())["tunnels"][0]["local"] == UNDERLAY[4][A]
    change_address(scene.router[A], 4, UNDERLAY[4][A], NEW[4])
    seen = [json.loads(monitor.stdout.readline()) for _ in range(1)]
    while seen[-1]["event"] != "local" or seen[-1]["new"] != NEW[4]:
        seen.append(json.loads(monitor.stdout.readline()))
    assert seen[-1]["tunnel"] == NAME


def test_peer_and_doctor(scene, make):
    """Both speak of the address that is in effect, and of what is missing."""
    site = make(moving_text(**{"on-up": "true", "on-down": "true"}))
    site.up()
    done = site.gretel("peer", NAME, "--for", "gretel")
    assert f"remote = {UNDERLAY[4][A]}\n" in done.stdout and "on-up" not in done.stdout
    assert f"local is {UNDERLAY[4][A]} now" in site.gretel("--json", "doctor", check=False).stdout
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    wait_for(lambda: site.tunnel()["state"] == "waiting", 10)
    done = site.gretel("peer", NAME, "--for", "gretel")
    assert "remote = this-site.invalid\n" in done.stdout and "instead of this-site.invalid" in done.stderr
    first = site.gretel("doctor", check=False).stdout.splitlines()[0]
    assert "bond0 has no IPv4 address yet" in first and "ip address show dev bond0" in first
