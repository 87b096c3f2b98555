# SPDX-License-Identifier: GPL-2.0-or-later
"""gretel doctor in front of the kernel's own GRE: a peer that sends no probe back and speaks by ICMP."""
import pytest
from clinic import BROKEN, HEALTHY, Answer
from gretel import NAME, Site, ping, ping_between_lans, site_text
from kernelpeer import become_router, kernel_tunnel
from scene import TUNNEL, UNDERLAY, A, B

KEY = 40


def doctor(site):
    return Answer(site.gretel("--json", "doctor", NAME, check=False, timeout=60))


def site_of(scene, tmp_path, outer=4, **keys):
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer, key=KEY, **keys))
    site.up()
    ping(scene.router[A], UNDERLAY[outer][B])
    return site


@pytest.mark.parametrize("outer", (4, 6))
def test_healthy(scene, tmp_path, outer):
    """It answers no probe, but a ping inside GRE."""
    become_router(scene.router[B], *kernel_tunnel(outer, key=KEY))
    site = site_of(scene, tmp_path, outer)
    ping_between_lans(scene)
    answer = doctor(site)
    assert answer.exit == HEALTHY, answer


# What the peer has instead of the tunnel, what is found, and words of the first line.
FAULTS = {
    "other-key": (kernel_tunnel(key=7), "no-tunnel", "with key 40"),
    "no-key": (kernel_tunnel(), "no-tunnel", "with key 40"),
    "other-address": (["link add other type gre local any remote 172.19.1.99 key 40", "link set other up"],
                      "no-tunnel", "takes GRE"),
    "down": (kernel_tunnel(key=KEY) + [f"link set {NAME} down"], "no-tunnel", "takes GRE"),
    "frames": (kernel_tunnel(kind="gretap", key=KEY), "type", "sends Ethernet frames"),
    "sequence": (kernel_tunnel(key=KEY, iseq=None), "silent", "protocol 47"),
}


@pytest.mark.parametrize("theirs, check, words", FAULTS.values(), ids=FAULTS)
def test_faults(scene, tmp_path, theirs, check, words):
    become_router(scene.router[B], *theirs)
    answer = doctor(site_of(scene, tmp_path))
    assert (answer.exit, answer.first["check"]) == (BROKEN, check), answer
    assert words in answer.line, answer


def test_checksums_wanted(scene, tmp_path):
    """The kernel drops what has none in silence; its own packets show what it wants."""
    become_router(scene.router[B], *kernel_tunnel(key=KEY, csum=None))
    site = site_of(scene, tmp_path)
    scene.router[B].run(["ping", "-c", "1", "-W", "1", TUNNEL[4][A]], check=False)
    answer = doctor(site)
    assert (answer.exit, answer.first["check"]) == (BROKEN, "options"), answer
    assert "probably requires, checksums" in answer.line and "checksum = yes at" in answer.line


def test_no_gre(scene, tmp_path):
    """No module: the kernel says so itself."""
    scene.router[B].machine.run(["modprobe", "-r", "ip6_gre", "ip_gre"])
    try:
        answer = doctor(site_of(scene, tmp_path))
    finally:
        scene.router[B].machine.run(["modprobe", "-a", "ip_gre", "ip6_gre"])
    assert (answer.exit, answer.first["check"]) == (BROKEN, "no-gre"), answer
    assert f"{UNDERLAY[4][B]} has nothing that takes GRE" in answer.line
