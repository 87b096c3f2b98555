# SPDX-License-Identifier: GPL-2.0-or-later
"""gretel doctor: its manners. What each check finds is in test_doctor_faults.py."""
import json

import pytest
from gretel import NAME, Site, both_up, ping_between_lans, site_text
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


def test_no_such_tunnel(site):
    assert site.gretel("doctor", "none", check=False).returncode == FAILED
    assert doctor(site, "none")["code"] == FAILED


def test_file_is_faulty(site):
    site.edit("key = 4242", "key = 42x42")
    done = site.gretel("doctor", check=False)
    assert done.returncode == BROKEN and f"{site.file}:" in done.stdout.splitlines()[0]
