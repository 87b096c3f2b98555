# SPDX-License-Identifier: GPL-2.0-or-later
"""gretel doctor: its manners. What each check finds is in test_doctor_faults.py."""
import json
import time

import pytest
from gretel import NAME, Site, both_up, ping, ping_between_lans, site_text
from scene import A, B, UNDERLAY

HEALTHY, FAILED, DEGRADED, BROKEN = 0, 1, 6, 7


@pytest.fixture
def site(scene, tmp_path):
    return Site(scene.router[A], tmp_path / A, site_text(A, key=4242))


def doctor(site, *words, **options):
    """What it answers to a program, with its exit code."""
    done = site.gretel("--json", "doctor", *words, check=False, **options)
    return json.loads(done.stdout) | {"code": done.returncode}


def test_nobody_carries(site):
    """Without a daemon it examines what the file says."""
    done = site.gretel("doctor", check=False)
    assert done.returncode == BROKEN
    first = done.stdout.splitlines()[0]
    assert first == f"{NAME}: broken: greteld is not running, so nobody carries packets: " \
                    f"gretel -c {site.file} up"
    answer = doctor(site)
    assert answer["code"] == answer["exit"] == BROKEN
    assert answer["tunnels"][0]["findings"][0]["check"] == "daemon"
    assert site.namespace.link(NAME) is None, "it changes nothing"


def test_healthy(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=4242)
    ping_between_lans(scene)  # the kernel lets IPv6 in when it has noticed that the link is up
    for site in sites.values():
        done = site.gretel("doctor", NAME, check=False)
        assert done.returncode == HEALTHY, done.stdout
        assert done.stdout.splitlines()[0] == f"{NAME}: healthy"
        assert done.stderr == "", "no progress where there is no terminal"
        assert doctor(site)["verdict"] == "healthy"


def test_the_worst_comes_first(scene, tmp_path):
    text = site_text(A, key=1) + site_text(A, name="other", key=2, address=[], route=[],
                                           forward={}).split("[forward]")[0]
    site = Site(scene.router[A], tmp_path / A, text)
    Site(scene.router[B], tmp_path / B, site_text(B, key=1)).up()
    site.write(text.replace(UNDERLAY[4][B], "203.0.113.9", 1))
    site.gretel("up", check=False)
    done = site.gretel("doctor", check=False)
    assert done.returncode == BROKEN
    assert done.stdout.startswith(f"{NAME}: broken: there is no route to the peer 203.0.113.9"), done.stdout


def first_of(site):
    answer = doctor(site, NAME)
    return answer["code"], answer["tunnels"][0]["findings"][0]


def test_time_to_live(make_scene, tmp_path):
    """A router on the way: the wire answers for either side's peer."""
    scene = make_scene(wire="open")
    for port, side in (("a", A), ("b", B)):
        scene.wire.sysctl(f"net.ipv4.conf.{port}.proxy_arp", 1)
        scene.wire.ip(f"address add 172.19.1.{253 if side == A else 254}/32 dev {port}",
                      f"route add {UNDERLAY[4][side]}/32 dev {port}")
    scene.wire.sysctl("net.ipv4.ip_forward", 1)
    sites = both_up(scene, tmp_path, ttl=1)
    code, found = first_of(sites[A])
    assert (code, found["check"]) == (BROKEN, "ttl")
    assert "TTL 1" in found["cause"] and f"ttl = 64 at {sites[A].file}:" in found["mend"]


def outer6(scene, tmp_path, **keys):
    sites = both_up(scene, tmp_path, outer=6, key=4242, **keys)
    ping(scene.router[A], UNDERLAY[6][B])
    return sites


@pytest.mark.parametrize("rule, check", [
    ("drop", "silent"), ("reject with icmpv6 type admin-prohibited", "filtered"),
    ("reject with icmpv6 type no-route", "unreachable")])
def test_ipv6_filters(scene, tmp_path, rule, check):
    sites = outer6(scene, tmp_path)
    only = "" if check == "unreachable" else "meta l4proto gre "
    saddr = f"ip6 saddr {UNDERLAY[6][A]} icmpv6 type echo-request {rule}\n" if check == "unreachable" else ""
    scene.router[B].nft("table inet foreign { chain input { type filter hook input priority 10\n"
                        f"{saddr}{only or 'meta l4proto gre '}{rule}\n}}\n}}\n")
    code, found = first_of(sites[A])
    assert (code, found["check"]) == (BROKEN, check), found


def test_ipv6_peer(scene, tmp_path):
    sites = outer6(scene, tmp_path)
    sites[B].edit("key = 4242", "ikey = 7\nokey = 4242")
    sites[B].reload()
    assert first_of(sites[A])[1]["check"] == "no-tunnel"
    sites[B].edit("ikey = 7\nokey = 4242", "key = 4242\nchecksum = require")
    sites[B].reload()
    assert first_of(sites[A])[1]["check"] == "options"
    sites[B].down()
    code, found = first_of(sites[A])
    assert (code, found["check"]) == (BROKEN, "no-gre") and "unknown next header" in found["cause"]


def test_without_rights(scene, tmp_path):
    """It does what it can, and says what it could not."""
    sites = both_up(scene, tmp_path)
    words = ["setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-net_raw,-net_admin"]
    done = scene.router[A].run(words + sites[A].argv("doctor"), check=False, env=sites[A].env)
    assert done.returncode == HEALTHY, done.stdout + done.stderr
    assert "needs root (CAP_NET_RAW): " in done.stdout and "neighbour" in done.stdout
    sites[A].down()
    done = scene.router[A].run(words + sites[A].argv("doctor"), check=False, env=sites[A].env)
    assert done.returncode == BROKEN and "greteld is not running" in done.stdout.splitlines()[0]


def test_it_takes_no_longer_than_it_says(make_relay, tmp_path):
    """Half of all packets are lost, and every wait is waited to its end."""
    scene, relay = make_relay(seed=3)
    sites = both_up(scene, tmp_path)
    relay.set(drop=50)
    begun = time.monotonic()
    sites[A].gretel("doctor", check=False)
    assert time.monotonic() - begun < 14


def test_no_such_tunnel(site):
    assert site.gretel("doctor", "none", check=False).returncode == FAILED
    assert doctor(site, "none")["code"] == FAILED


def test_file_is_faulty(site):
    site.edit("key = 4242", "key = 42x42")
    done = site.gretel("doctor", check=False)
    assert done.returncode == BROKEN and f"{site.file}:" in done.stdout.splitlines()[0]
