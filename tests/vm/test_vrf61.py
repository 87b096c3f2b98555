# SPDX-License-Identifier: GPL-2.0-or-later
"""VRFs, which this machine's kernel has not: greteld on Linux 6.1 in the emulated machine, with the
tunnel in a VRF, or its underlay."""
import socket
import struct

import pytest
from flow import ask, serve_peername
from gretel import NAME, Site, ping, ping_between_lans, ping_refused, site_text
from kernelpeer import LOAD, GuestSite, wait_up
from lanes import lane_of
from net import wait_for
from scapy.all import GRE, ICMP, IP, IPv6, Raw
from scene import HOST, LAN, ROUTER, TUNNEL, UNDERLAY, A, B, other
from streams import carries_all

BLUE = ("link add blue type vrf table 10", "link set blue up")
WORDS = {"keepalive": "300ms 4"}


def into_vrf(guest, device, *addresses):
    """The device leaves the main table. Addresses of IPv6 go with the change."""
    if not guest.link("blue"):
        guest.ip(*BLUE)
    guest.ip(f"link set {device} master blue",
             *(f"address replace {address} dev {device} nodad" for address in addresses))


def lan_into_vrf(guest):
    into_vrf(guest, "eth1", f"{ROUTER[6][B]}/64")


def underlay_into_vrf(guest, outer):
    into_vrf(guest, "bond0", *[f"{UNDERLAY[6][B]}/64"] if outer == 6 else [])


def two_sites(scene, directory, outer=4, ours=None, **theirs):
    """Up on both sides: A as ever, B as the test says."""
    sites = {A: Site(scene.router[A], directory / A, site_text(A, outer, **WORDS, **(ours or {}))),
             B: GuestSite(scene.router[B], site_text(B, outer, **WORDS, **theirs))}
    for site in sites.values():
        site.up()
    wait_up(sites)
    return sites


def routes(guest, table, family=4):
    return {one["dst"] for one in guest.ip_json(f"-{family} route show table {table}") if one.get("dev") == NAME}


def in_vrf(guest):
    """The interface is a part of the VRF, with addresses and routes of both families."""
    link = guest.link(NAME)
    return (link.get("master") == "blue" and LAN[4][A] in routes(guest, 10) and LAN[6][A] in routes(guest, 10, 6)
            and TUNNEL[6][A] in routes(guest, 10, 6) and not routes(guest, "main"))


@pytest.mark.parametrize("lane", ("user", "auto"))
def test_tunnel_in_a_vrf(scene, tmp_path, lane):
    """Interface, connected routes and those of the file are in the VRF with the LAN, the underlay is not.
    The kernel lanes carry it, too; their flows are not remembered, since the LAN's device is a part of
    something."""
    guest = scene.router[B]
    lan_into_vrf(guest)
    sites = two_sites(scene, tmp_path, vrf="blue", lane=lane)
    wait_for(lambda: in_vrf(guest), 5, lambda: guest.ip_json("route show table 10"))
    carries_all(scene, *sites.values(), load=LOAD)
    assert lane_of(sites[B])[0] == ("user" if lane == "user" else "tc")
    assert sites[B].tunnel()["vrf"] == "blue" and "in the VRF blue" in sites[B].gretel("status", NAME).stdout
    healthy = sites[B].gretel("doctor", NAME, check=False)
    assert healthy.returncode == 0, healthy.stdout
    sites[B].down()
    assert guest.link(NAME) is None and guest.link("eth1")["master"] == "blue"


def refused(guest):
    """Packets that no allow line let pass."""
    return int(guest.run(["nft", "list", "counter", "inet", "gretel", "forward-refused"])
               .stdout.split("packets ")[1].split()[0])


def test_what_is_allowed_in_a_vrf(scene, tmp_path):
    """What comes in by a tunnel in a VRF is judged, as what leaves by it: the kernel's name for where it came
    from is the VRF's."""
    guest = scene.router[B]
    lan_into_vrf(guest)
    two_sites(scene, tmp_path, vrf="blue", forward={"allow": f"{HOST[4][A]} -> {LAN[4][B]}"})
    ping(scene.host[A], HOST[4][B])
    for side in (A, B):
        before = refused(guest)
        ping_refused(scene.host[side], HOST[6 if side == A else 4][other(side)])
        assert refused(guest) > before, side


def test_translation_in_a_vrf(scene, tmp_path, undo):
    """Published in by the tunnel, and masqueraded out of it, as outside of a VRF."""
    guest = scene.router[B]
    lan_into_vrf(guest)
    serve_peername(scene.host[B], 4, HOST[4][B], 8080, undo)
    serve_peername(scene.host[A], 4, HOST[4][A], 7001, undo)
    # Loaded by the way, they take longer than `up` may.
    guest.machine.script("modprobe -a nft_fib_inet nft_nat nft_masq", timeout=60)
    two_sites(scene, tmp_path, vrf="blue", ours={"forward": {"allow": "0.0.0.0/0 <-> 0.0.0.0/0"}},
              forward={"publish": f"tcp/80 in {NAME} to {HOST[4][B]}:8080", "allow": f"{LAN[4][B]} -> {LAN[4][A]}",
                       "masquerade": [f"{LAN[4][B]} out {NAME}", f"{LAN[4][A]} out eth1"]})
    assert ask(scene.host[B], 4, HOST[4][A], 7001) == TUNNEL[4][B]
    assert ask(scene.host[A], 4, TUNNEL[4][B], 80) == ROUTER[4][B]


def test_moves_in_and_out(scene, tmp_path):
    """A reload moves the interface: it is the same one, greteld goes on answering, and everything is where it
    belongs. Who takes it out of the VRF, or the VRF away, is answered; what is not a VRF is refused."""
    guest = scene.router[B]
    into_vrf(guest, "eth1", f"{ROUTER[6][B]}/64")
    sites = two_sites(scene, tmp_path, vrf="blue")
    wait_for(lambda: in_vrf(guest), 5, "it is in the VRF")
    index, restarts = guest.link(NAME)["ifindex"], sites[A].tunnel()["keepalive"]["received"]
    inside = site_text(B, 4, **WORDS, vrf="blue")
    outside = site_text(B, 4, **WORDS)
    replace(sites[B], outside)
    out = sites[B].reload().stdout
    assert f"take {NAME} out of VRF blue" in out and f"create {NAME}" not in out, out
    assert not guest.link(NAME).get("master") and routes(guest, "main") and TUNNEL[6][A] in routes(guest, "main", 6)
    assert not routes(guest, 10) and guest.link(NAME)["ifindex"] == index
    ping(guest, TUNNEL[6][A])
    replace(sites[B], inside)
    assert f"put {NAME} into VRF blue" in sites[B].reload().stdout
    assert in_vrf(guest) and guest.link(NAME)["ifindex"] == index
    carries_all(scene, *sites.values(), load=LOAD)
    guest.ip(f"link set {NAME} nomaster")
    wait_for(lambda: in_vrf(guest), 5, lambda: guest.link(NAME))
    guest.ip("link del blue")
    wait_for(lambda: "there is no VRF blue" in sites[B].gretel("doctor", NAME, check=False).stdout, 5, "it is told")
    lan_into_vrf(guest)
    wait_for(lambda: in_vrf(guest), 5, lambda: guest.link(NAME))
    carries_all(scene, *sites.values(), load=LOAD)
    assert sites[A].tunnel()["keepalive"]["received"] > restarts
    replace(sites[B], inside.replace("vrf = blue", "vrf = eth1"))
    done = sites[B].gretel("reload", check=False)
    assert done.returncode == 3 and "eth1 is not a VRF" in done.stderr and in_vrf(guest), done.stderr


def replace(site, text):
    """Writes the file; the run directory stays, unlike with GuestSite.write()."""
    site.namespace.machine.put(site.file, text.encode(), 0o644)


@pytest.mark.parametrize("bind", ("bond0", "blue"))
@pytest.mark.parametrize("outer", (4, 6))
def test_underlay_in_a_vrf(scene, tmp_path, outer, bind):
    """Bound to a VRF, or to a device in it, a tunnel of the main table has its way by the VRF's; greteld
    carries it itself."""
    guest = scene.router[B]
    underlay_into_vrf(guest, outer)
    sites = two_sites(scene, tmp_path, outer, bind=bind)
    carries_all(scene, *sites.values(), load=LOAD)
    assert lane_of(sites[B])[0] == "user"
    assert guest.link(NAME)["mtu"] == scene.router[A].link(NAME)["mtu"]
    healthy = sites[B].gretel("doctor", NAME, check=False)
    assert healthy.returncode == 0, healthy.stdout


def say_too_big(scene, outer, mtu):
    """A says that the path to it is that narrow, about a packet of B's tunnel."""
    quoted = (IP if outer == 4 else IPv6)(src=UNDERLAY[outer][B], dst=UNDERLAY[outer][A])
    setattr(quoted, "proto" if outer == 4 else "nh", 47)
    quoted = bytes(quoted / GRE() / IP(src=HOST[4][B], dst=HOST[4][A]) / Raw(bytes(64)))
    error = ICMP(type=3, code=4, nexthopmtu=mtu) / quoted if outer == 4 else struct.pack("!BBHI", 2, 0, 0, mtu) + quoted
    with scene.router[A].entered():
        sock = socket.socket(*((socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) if outer == 4 else
                               (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)))
    with sock:
        sock.sendto(bytes(error), (UNDERLAY[outer][B], 0))


@pytest.mark.parametrize("bind", ("bond0", "blue"))
@pytest.mark.parametrize("outer", (4, 6))
def test_narrower_path_in_a_vrf(scene, tmp_path, outer, bind):
    """What is said about the path is believed for the route in the VRF."""
    guest = scene.router[B]
    underlay_into_vrf(guest, outer)
    sites = two_sites(scene, tmp_path, outer, bind=bind)
    assert sites[B].tunnel()["path_mtu"] == 1500
    say_too_big(scene, outer, 1400)
    wait_for(lambda: sites[B].tunnel()["path_mtu"] == 1400, 10, sites[B].tunnel)


@pytest.mark.parametrize("outer", (4, 6))
def test_a_device_joins_the_vrf(scene, tmp_path, outer):
    """Outer packets may come in by any device that is in the VRF, and by those that come later; not by one
    that is not in it."""
    guest = scene.router[B]
    guest.ip(*BLUE)
    sites = {A: Site(scene.router[A], tmp_path / A, site_text(A, outer, **WORDS)),
             B: GuestSite(guest, site_text(B, outer, bind="blue", **WORDS))}
    for site in sites.values():
        site.up()
    wait_for(sites[B].drops, 10, sites[B].tunnel)
    assert sites[B].tunnel()["keepalive"]["received"] == 0
    assert f"the VRF blue has no route to {UNDERLAY[outer][A]}" in sites[B].plan().stdout
    assert "the VRF blue has no route" in sites[B].gretel("doctor", NAME, check=False).stdout
    underlay_into_vrf(guest, outer)
    wait_up(sites)
    ping(scene.host[A], HOST[4][B])


def test_both_in_a_vrf(scene, tmp_path):
    """Inside and outside in one VRF: a route that would take the outer packets into the tunnel is refused."""
    guest = scene.router[B]
    underlay_into_vrf(guest, 4)
    lan_into_vrf(guest)
    sites = two_sites(scene, tmp_path, bind="blue", vrf="blue")
    carries_all(scene, *sites.values(), load=LOAD)
    replace(sites[B], site_text(B, 4, **WORDS, bind="blue", vrf="blue", route="172.19.1.0/24"))
    done = sites[B].gretel("reload", check=False)
    assert done.returncode == 3 and f"ip route add {UNDERLAY[4][A]} vrf blue dev bond0" in done.stderr, done.stderr


@pytest.mark.parametrize("setting", ("raw", "udp"))
def test_what_the_kernel_keeps(scene, tmp_path, setting):
    """Sockets that are bound to nothing have to be let in: plan and doctor say which setting does it."""
    guest = scene.router[B]
    underlay_into_vrf(guest, 4)
    guest.sysctl(f"net.ipv4.{setting}_l3mdev_accept", 0)
    site = GuestSite(guest, site_text(B, bind="blue", udp="yes" if setting == "udp" else "no"))
    assert f"net.ipv4.{setting}_l3mdev_accept is 0" in site.plan().stdout
    site.up()
    found = site.gretel("doctor", NAME, check=False)
    assert f"net.ipv4.{setting}_l3mdev_accept is 0" in found.stdout, found.stdout
    guest.sysctl(f"net.ipv4.{setting}_l3mdev_accept", 1)
    assert f"{setting}_l3mdev_accept" not in site.plan().stdout
    site.down()


def refusals(site):
    return sum(one["packets"] for one in site.status()["refusals"])


def test_gre_in_udp_in_a_vrf(scene, tmp_path):
    """What arrives is not answered with "port unreachable", as it would be without the setting."""
    guest = scene.router[B]
    underlay_into_vrf(guest, 4)
    guest.sysctl("net.ipv4.udp_l3mdev_accept", 1)
    words = {"udp": "yes", "keepalive-form": "inside"}
    sites = two_sites(scene, tmp_path, ours=words, bind="blue", **words)
    before = refusals(sites[A])
    ping_between_lans(scene)
    assert refusals(sites[A]) == before
    guest.sysctl("net.ipv4.udp_l3mdev_accept", 0)
    wait_for(lambda: refusals(sites[A]) > before, 10, "that is what it is for")


def test_what_is_refused(scene):
    """Without the device there is no way, which is noted; a VRF that is not there."""
    guest = scene.router[B]
    underlay_into_vrf(guest, 4)
    site = GuestSite(guest, site_text(B))
    assert f"there is no way to {UNDERLAY[4][A]}" in site.plan().stdout
    replace(site, site_text(B, bind="bond0", vrf="red"))
    done = site.gretel("up", check=False)
    assert done.returncode == 3 and "there is no VRF red" in done.stderr, done.stderr
