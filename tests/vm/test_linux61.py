# SPDX-License-Identifier: GPL-2.0-or-later
"""greteld on Linux 6.1, the oldest kernel that it promises to run on, with greteld on this machine's
kernel as its peer."""
import pytest
from flow import ask, serve_peername
from gretel import NAME, Site, ping, site_text
from kernelpeer import LOAD, GuestSite, wait_up
from scene import HOST, LAN, TUNNEL, A, B
from streams import carries_all

KEEPALIVE = "300ms 4"
KINDS = {
    "plain": {},
    "all": {"key": 0xC0FFEE01, "checksum": "require", "sequence": "yes"},
}
# What a router has that greteld could have left behind.
LOOK = "ip -d link; ip address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; " \
       "nft list ruleset; sysctl -a 2>/dev/null | grep -E 'forward|rp_filter|accept_local|linkdown'"


def state(guest):
    """All of it, without what moves by itself."""
    return guest.script(LOOK).stdout


@pytest.mark.parametrize("outer, kind", ((4, "plain"), (6, "all")))
def test_both_kernels(scene, tmp_path, outer, kind):
    """A tunnel between the two, up, carrying, changed while it carries, down, and nothing left."""
    guest = scene.router[B]
    words = KINDS[kind] | {"keepalive": KEEPALIVE}
    before = state(guest)
    sites = {A: Site(scene.router[A], tmp_path / A, site_text(A, outer, **words)),
             B: GuestSite(guest, site_text(B, outer, **words))}
    for site in sites.values():
        site.up()
    wait_up(sites)
    carries_all(scene, *sites.values(), load=LOAD)
    plan = sites[B].plan()
    assert plan.returncode == 0, plan.stdout
    sites[B].down()
    assert state(guest) == before


def test_rules(scene, tmp_path, undo):
    """Translation, a forward rule of one direction and a published port, by nftables there."""
    guest, host = scene.router[B], scene.host
    forward = {"allow": f"{LAN[4][B]} -> {LAN[4][A]}", "masquerade": f"{LAN[4][B]} out {NAME}",
               "publish": f"tcp/8443 in {NAME} to {HOST[4][B]}:7004"}
    anything = {"allow": [f"{LAN[4][A]} <-> {there}" for there in (LAN[4][B], TUNNEL[4][B])]}
    Site(scene.router[A], tmp_path / A, site_text(A, forward=anything)).up()
    GuestSite(guest, site_text(B, forward=forward)).up()
    for side in (A, B):
        serve_peername(host[side], 4, HOST[4][side], 7004, undo)
    ping(host[B], HOST[4][A])
    assert ask(host[B], 4, HOST[4][A], 7004) == TUNNEL[4][B]
    assert ask(host[A], 4, TUNNEL[4][B], 8443) == HOST[4][A]
    with pytest.raises(OSError):
        ask(host[A], 4, HOST[4][B], 7004, timeout=1.0)


def test_without_the_device(scene):
    """A container that lacks /dev/net/tun is told so."""
    guest = scene.router[B]
    site = GuestSite(guest, site_text(B))
    words = " ".join(map(str, site.argv("up")))
    done = guest.run(["sh", "-c", f"mount -t tmpfs none /dev/net && {words}"], check=False, env=site.env)
    assert done.returncode and "/dev/net/tun: load the module tun" in done.stderr
