# SPDX-License-Identifier: GPL-2.0-or-later
"""An underlay in a VRF, which this machine's kernel has not: greteld on Linux 6.1 in the emulated machine."""
import pytest
from gretel import NAME, Site, site_text
from kernelpeer import GuestSite, wait_up
from lanes import lane_of
from scene import UNDERLAY, A, B
from streams import carries_all


def into_vrf(guest, outer):
    """The underlay device leaves the main table. Addresses of IPv6 go with the change."""
    guest.ip("link add blue type vrf table 10", "link set blue up", "link set bond0 master blue")
    flag = " nodad" if outer == 6 else ""
    if outer == 6:
        guest.ip(f"address replace {UNDERLAY[6][B]}/64 dev bond0{flag}")


@pytest.mark.parametrize("outer", (4, 6))
def test_underlay_in_a_vrf(scene, tmp_path, outer):
    """Bound to a device of the VRF, a tunnel of the main table has its way by the VRF's; greteld carries it
    itself."""
    guest = scene.router[B]
    into_vrf(guest, outer)
    words = {"keepalive": "300ms 4"}
    sites = {A: Site(scene.router[A], tmp_path / A, site_text(A, outer, **words)),
             B: GuestSite(guest, site_text(B, outer, bind="bond0", **words))}
    for site in sites.values():
        site.up()
    wait_up(sites)
    carries_all(scene, *sites.values())
    assert lane_of(sites[B])[0] == "user"
    assert guest.link(NAME)["mtu"] == scene.router[A].link(NAME)["mtu"]


def test_what_is_refused(scene):
    """Without the device there is no way, which is noted; the VRF itself is none."""
    guest = scene.router[B]
    into_vrf(guest, 4)
    site = GuestSite(guest, site_text(B))
    assert "there is no way to 172.19.1.1" in site.plan().stdout
    site.write(site_text(B, bind="blue"))
    refused = site.gretel("up", check=False)
    assert refused.returncode == 3 and "blue is a VRF" in refused.stderr, refused.stderr
