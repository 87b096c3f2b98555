# SPDX-License-Identifier: GPL-2.0-or-later
"""GRE in UDP (RFC 8086), also with a header of GUE between the two: greteld on A, the kernel's "foo over UDP"
with GRE in it on B, LAN to LAN."""
import pytest
from gretel import NAME, Site, ping, ping_between_lans, site_text
from kernelpeer import LOAD, become_router, kernel_tunnel
from net import wait_for
from scene import HOST, TUNNEL, UNDERLAY, A, B
from streams import carries_all

PORT, KEY = {"fou": 4754, "gue": 6080}, 0xC0FFEE01
OURS = {"fou": "yes", "gue": "gue"}
# What the file says, and what ip(8) says on the other side.
KINDS = {
    "plain": ({}, {}),
    "key": ({"key": KEY}, {"key": KEY}),
    "csum": ({"checksum": "require"}, {"csum": None}),
    "seq": ({"sequence": "yes"}, {"seq": None}),
    "all": ({"key": KEY, "checksum": "require", "sequence": "yes"}, {"key": KEY, "csum": None, "seq": None}),
}


def fou_port(guest, outer, encap, port=None):
    """Where the kernel takes GRE out of UDP."""
    guest.run(["modprobe", "fou" if outer == 4 else "fou6"])
    guest.run(["ip", *(["-6"] if outer == 6 else []), "fou", "add", "port", port or PORT[encap],
               *(["gue"] if encap == "gue" else ["ipproto", 47])])


def fou_link(guest, outer, encap, port=None, checksum=True, **words):
    """The kernel's tunnel."""
    word = ("" if checksum else "no") + ("encap-csum" if outer == 4 else "encap-udp6-csum")
    become_router(guest, *kernel_tunnel(outer, encap=encap, encap_sport="auto", encap_dport=port or PORT[encap],
                                        **{word: None}, **words))


def fou_tunnel(guest, outer, encap="fou", port=None, **words):
    fou_port(guest, outer, encap, port)
    fou_link(guest, outer, encap, port, **words)


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("encap", PORT)
def test_fou(scene, tmp_path, encap, outer):
    """The kinds take turns in one scene: the file changes, and the kernel's tunnel is another one."""
    guest = scene.router[B]
    fou_port(guest, outer, encap)
    site = Site(scene.router[A], tmp_path / A, "")
    for kind, (ours, theirs) in KINDS.items():
        site.write(site_text(A, outer, udp=OURS[encap], **ours))
        site.up()
        fou_link(guest, outer, encap, **theirs)
        carries_all(scene, site, load=LOAD)
        link = guest.link(NAME)
        counters = link["stats64"]
        assert not counters["rx"]["errors"] and not counters["tx"]["errors"], (kind, counters)
        # One size for both: no packet of either side is too large for the other.
        assert link["mtu"] == scene.router[A].link(NAME)["mtu"], kind
        guest.ip(f"link del {NAME}")


@pytest.mark.parametrize("encap, outer", (("fou", 4), ("fou", 6), ("gue", 6)))
def test_without_checksums(scene, tmp_path, encap, outer):
    """The kernel sends none: over IPv6 that has to be allowed."""
    word = "5000" if encap == "fou" else "gue 5000"
    fou_tunnel(scene.router[B], outer, encap, port=5000, checksum=False)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer, udp=word))
    site.up()
    if outer == 6:
        scene.router[B].run(["ping", "-c", 1, "-W", 1, TUNNEL[4][A]], check=False)
        wait_for(lambda: site.drops().get("rx-udp-checksum-missing"), what=site.drops)
    site.edit(f"udp = {word}", f"udp = {word}\nudp-checksum = no")
    site.reload()
    ping_between_lans(scene)


@pytest.mark.parametrize("outer", (4, 6))
def test_what_gretel_peer_prints(scene, tmp_path, outer):
    """The script for iproute2, run twice as it is; keepalives come back through the tunnel."""
    keys = {"key": KEY, "keepalive": "300ms 4", "keepalive-form": "inside"} if outer == 4 else {}
    site = Site(scene.router[A], tmp_path / A, "")
    for word in OURS.values():
        site.write(site_text(A, outer, udp=word, **keys))
        site.up()
        text = site.gretel("peer", NAME, "--for", "iproute2").stdout
        for _ in range(2):
            done = scene.router[B].script(text)
            assert not done.stderr, done.stderr
        ping_between_lans(scene)
        if outer == 4:
            wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 20, site.tunnel)


def test_import(scene):
    """A tunnel of the kernel in UDP becomes one of ours; but not one that leaves checksums to the receiver, in
    a field of GUE."""
    guest = scene.router[B]
    gretel = guest.machine.install() / "src/cmd/gretel"
    for encap, word in OURS.items():
        fou_tunnel(guest, 4, encap, key=KEY)
        text = guest.run([gretel, "import", NAME]).stdout
        assert f"key = {KEY}\nudp = {word}\n" in text, text
        assert "mtu" not in text.split("[tunnel")[1].split("\n[")[0], text
        assert f"ip fou del port {PORT[encap]}" in text
        guest.ip(f"link del {NAME}")
    fou_link(guest, 4, "gue", encap_remcsum=None)
    text = guest.run([gretel, "import", NAME]).stdout
    assert "NOT CARRIED OVER: its GUE leaves checksums to the receiver" in text and "#udp = gue\n" in text, text


def test_wrong_port_is_told(scene, tmp_path):
    """The kernel answers port unreachable where nobody takes GRE out of UDP, and status has it."""
    become_router(scene.router[B])
    site = Site(scene.router[A], tmp_path / A, site_text(A, udp="yes"))
    site.up()
    ping(scene.router[A], UNDERLAY[4][B])
    scene.host[A].run(["ping", "-c", 1, "-W", 1, HOST[4][B]], check=False)
    wait_for(lambda: [(r["from"], r["type"], r["code"]) for r in site.status()["refusals"]]
             == [(UNDERLAY[4][B], 3, 3)], what=lambda: site.status()["refusals"])
