# SPDX-License-Identifier: GPL-2.0-or-later
"""Keepalives answered by the kernel's own GRE, which routes them back and knows nothing of them."""
import pytest
from gretel import NAME, Site, ping_between_lans, site_text
from kernelpeer import become_router, kernel_tunnel
from net import wait_for
from scene import TUNNEL, UNDERLAY, A, B

KEY = 40
INTERVAL, RETRIES = 0.2, 3
KEEPALIVE = f"{INTERVAL * 1000:.0f}ms {RETRIES}"
VERDICT, MARGIN = INTERVAL * (RETRIES + 1), 3.0


def reflecting(guest):
    """What docs/interoperate.md tells the administrator of a Linux peer to set."""
    guest.run(["sysctl", "-qw", f"net.ipv4.conf.{NAME}.accept_local=1", "net.ipv4.conf.all.rp_filter=0",
               f"net.ipv4.conf.{NAME}.rp_filter=0"])


def carrier(router):
    return "LOWER_UP" in router.link(NAME)["flags"]


def heard(site):
    return site.tunnel()["keepalive"]["state"] == "up"


# The outer family, what the file says, what ip(8) says on the other side, devices to set down there,
# and the form that is heard. A kernel does not know the other forms' protocol types.
FORM = "keepalive-form"
CASES = {
    "auto": (4, {}, {}, ["bond0", NAME], "openbsd"),
    "openbsd": (4, {"key": KEY, FORM: "openbsd"}, {"key": KEY}, ["bond0"], "openbsd"),
    "cisco": (4, {"key": KEY, "checksum": "require", FORM: "cisco"}, {"key": KEY, "csum": None}, [NAME], "cisco"),
    "inside": (4, {FORM: "inside"}, {}, [NAME], "inside"),
    "auto-six": (6, {}, {}, ["bond0"], "openbsd"),
    "mikrotik": (6, {"key": KEY, FORM: "mikrotik"}, {"key": KEY}, [NAME], "mikrotik"),
    "icmp": (4, {"probe": f"icmp {TUNNEL[4][B]}"}, {}, [NAME], "icmp"),
}


@pytest.mark.parametrize("outer, ours, theirs, devices, form", CASES.values(), ids=CASES)
def test_reflected(scene, tmp_path, outer, ours, theirs, devices, form):
    """Up while the kernel answers; down when its device is set down; up again with it."""
    guest, router = scene.router[B], scene.router[A]
    become_router(guest, *kernel_tunnel(outer, **theirs))
    reflecting(guest)
    site = Site(router, tmp_path / A, site_text(A, outer, keepalive=KEEPALIVE, **ours))
    site.up()
    wait_for(lambda: heard(site), 30, lambda: site.tunnel())
    wait_for(lambda: site.tunnel()["keepalive"]["received"] > 5, 30, lambda: site.tunnel())
    assert site.tunnel()["keepalive"]["form"] == form
    ping_between_lans(scene)
    for device in devices:
        guest.ip(f"link set {device} down")
        wait_for(lambda: not carrier(router), VERDICT + MARGIN, "no carrier")
        assert site.tunnel()["state"] == "down"
        guest.ip(f"link set {device} up")
        if outer == 6 and device == "bond0":  # IPv6 addresses go with their device's link
            guest.ip(f"address replace {UNDERLAY[6][B]}/64 dev bond0 nodad")
        wait_for(lambda: carrier(router), VERDICT + MARGIN, "carrier")
    assert heard(site)


def test_not_reflected(scene, tmp_path):
    """A kernel that is not told to routes nothing back: down is what the router is for the file."""
    guest, router = scene.router[B], scene.router[A]
    become_router(guest, *kernel_tunnel())
    site = Site(router, tmp_path / A, site_text(A, keepalive=KEEPALIVE))
    site.up()
    wait_for(lambda: not carrier(router), VERDICT + MARGIN, "no carrier")
    reflecting(guest)
    wait_for(lambda: carrier(router), VERDICT + MARGIN, "carrier")
