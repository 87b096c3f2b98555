# SPDX-License-Identifier: GPL-2.0-or-later
"""One interface with several peers, as docs/multipoint.md has it."""
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest
from gretel import ping, ping_refused, section
from net import wait_for
from star import (HUB, KEY, NAME, SITES, SPOKES, Star, host, hub_text, inner, lan, outer, peer,
                  spoke_text)
from wire import Capture, tshark


@pytest.fixture
def star(tmp_path):
    with Star(tmp_path) as made:
        yield made


def hub_status(site):
    return site.tunnel(NAME)


@pytest.mark.parametrize("underlay", (4, 6))
def test_lans_of_each_pair(star, underlay):
    """Each LAN reaches each other, those of two spokes by the hub, of both families."""
    star.up(underlay)
    for family in (4, 6):
        for site in SITES:
            for other in SITES:
                if other != site:
                    ping(star.host[site], host(other, family))
    for site in SPOKES:
        ping(star.router[HUB], inner(site))
        ping(star.router[HUB], inner(site, 6))


def test_plan_and_reload(star):
    """What is in place is no step; a peer comes and goes alone, and the others lose nothing."""
    site = star.up(peers=[peer(12)], routes=[f"{lan(12)} via {inner(12)}"])
    assert site.plan().stdout == "nothing to do\n"
    assert site.reload().stdout == "nothing to do\n"
    source = star.host[HUB].popen(["ping", "-n", "-i", "0.01", "-c", 10000, host(12)],
                                  stdout=subprocess.PIPE)
    sent = site.tunnel(NAME)["tx"]["packets"]
    wait_for(lambda: site.tunnel(NAME)["tx"]["packets"] > sent + 20, 20, "the ping runs")
    text = site.file.read_text()
    for words in ("add peer hub/192.168.8.13 at 172.19.1.13", "delete peer hub/192.168.8.13"):
        site.write(text if words.startswith("delete") else
                   text.replace(f"peer = {peer(12)}\n", f"peer = {peer(13)}\npeer = {peer(12)}\n"))
        assert words in site.plan().stdout + site.reload().stdout
        assert site.plan().stdout == "nothing to do\n"
        if words.startswith("add"):
            ping(star.router[HUB], inner(13))
    assert [one["name"] for one in hub_status(site)["peers"]] == ["hub/192.168.8.12"]
    source.send_signal(signal.SIGINT)
    came = [int(number) for number in re.findall(r"icmp_seq=(\d+)", source.communicate(timeout=20)[0])]
    assert sorted(came) == list(range(1, len(came) + 1)), "one is missing in between"


def test_moved_peer(star):
    """A peer that has another outer address is changed, and no other one."""
    site = star.up(spokes=(12,), peers=[peer(12), f"{inner(13)} at {outer(99)}"], routes=[])
    star.site(13, spoke_text(13) + section("forward", enable="yes")).up()
    star.router[HUB].run(["ping", "-n", "-c", 1, "-W", 1, inner(13)], check=False)
    assert any(one["dst"] == inner(13) and one.get("lladdr")
               for one in star.router[HUB].ip_json(f"neigh show dev {NAME}"))
    site.edit(outer(99), outer(13))
    assert "change peer hub/192.168.8.13 at 172.19.1.13" in site.reload().stdout
    ping(star.router[HUB], inner(13))  # the kernel need not ask again
    ping(star.router[HUB], inner(12))


def test_routes_are_followed(star):
    """Whoever makes a route decides by which peer packets go, and at once."""
    star.up()
    hub, prefix = star.router[HUB], "10.200.0.0/24"
    for site in SPOKES:  # both have that network
        star.router[site].ip("address add 10.200.0.1/32 dev lo")
    for site in (*SPOKES, *SPOKES):
        hub.ip(f"route replace {prefix} via {inner(site)} dev {NAME}")
        with Capture(star.router[site], "bond0", star.directory / "route.pcap", "proto 47") as capture:
            ping(hub, "10.200.0.1")
        assert tshark(capture.path, ["ip.dst"], "ip.dst == 10.200.0.1")
    hub.ip(f"route replace {prefix} via {inner(12)} dev {NAME}")
    before = {one["name"]: one["tx"]["packets"] for one in hub_status(star.sites[HUB])["peers"]}
    for _ in range(10):
        ping(hub, "10.200.0.1")
    after = {one["name"]: one["tx"]["packets"] for one in hub_status(star.sites[HUB])["peers"]}
    assert after["hub/192.168.8.12"] >= before["hub/192.168.8.12"] + 10
    assert after["hub/192.168.8.13"] < before["hub/192.168.8.13"] + 10


def test_next_hop_without_a_peer(star):
    """The reason is counted, and status names the next hop; the sender is told by the kernel."""
    site = star.up()
    star.router[HUB].ip(f"route add 10.201.0.0/24 via {inner(99)} dev {NAME}",
                        f"route add fd00:201::/64 via {inner(99, 6)} dev {NAME}")
    said = star.host[HUB].run(["ping", "-n", "-c", 1, "-W", 20, "10.201.0.1"], check=False)
    assert "Destination Host Unreachable" in said.stdout
    star.host[HUB].run(["ping", "-n", "-c", 1, "-W", 1, "fd00:201::1"], check=False)
    assert site.drops(NAME)["tx-no-next-hop"] >= 2


    def asked():
        return {one["next_hop"]: one["asked"] for one in hub_status(site)["unresolved"]}

    assert set(asked()) == {inner(99), inner(99, 6)}
    assert f"no peer has the address {inner(99)}" in site.gretel("status").stdout
    site.edit(f"peer = {peer(13)}\n", f"peer = {peer(13)}\npeer = {inner(99)} at {outer(99)}\n")
    star.router[12].ip(f"address add {outer(99)}/24 dev bond0")
    star.sites[12].write(spoke_text(12) + section(
        "tunnel", "ninetynine", local=outer(99), remote=outer(HUB), key=KEY,
        address=f"{inner(99)} peer {inner(HUB)}", route=f"{inner(HUB)} metric 5 src {inner(99)}"))
    star.sites[12].reload()
    site.reload()
    count = asked()[inner(99)]
    ping(star.router[HUB], inner(99), deadline=20)
    assert asked()[inner(99)] == count


def receive_from(namespace, group, port=5001):
    """A socket that has joined a multicast group on the tunnel."""
    with namespace.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(NAME)
    sock.bind((group, port))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                    struct.pack("4s4si", socket.inet_aton(group), bytes(4), index))
    sock.settimeout(20)
    return sock


@pytest.mark.parametrize("to", ("239.1.1.1", "192.168.8.255"))
def test_for_all(star, to):
    """What is for a group, or for everybody of the network, is copied to every peer, once."""
    site = star.up()
    if to == "239.1.1.1":
        sockets = [receive_from(star.router[spoke], to) for spoke in SPOKES]
    else:
        sockets = []
    before = {one["name"]: one["tx"]["packets"] for one in hub_status(site)["peers"]}
    with contextlib.ExitStack() as stack:
        captures = [stack.enter_context(
            Capture(star.router[spoke], "bond0", star.directory / f"all{spoke}.pcap", "proto 47"))
            for spoke in SPOKES]
        with star.router[HUB].entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                           socket.inet_aton(inner(HUB)))
            for number in range(5):
                out.sendto(b"number %d" % number, (to, 5001))
        for sock in sockets:
            assert [sock.recv(100) for _ in range(5)] == [b"number %d" % n for n in range(5)]
        wait_for(lambda: all(one["tx"]["packets"] >= before[one["name"]] + 5
                             for one in hub_status(site)["peers"]), 20, "all copies are sent")
    for spoke, capture in zip(SPOKES, captures):
        # A bridge may show what is for the other.
        show = f"ip.dst == {outer(spoke)} and udp.dstport == 5001 and not icmp"
        assert len(tshark(capture.path, ["udp.length"], show)) == 5


def test_strangers(star):
    """An outer source that is no peer's is refused, counted and remembered; so is another key."""
    site = star.up(spokes=(12,), peers=[peer(12)], routes=[f"{lan(12)} via {inner(12)}"])
    star.site(13, spoke_text(13)).up()
    star.router[13].run(["ping", "-n", "-c", 2, "-i", "0.1", "-W", 1, inner(HUB)], check=False)
    wait_for(lambda: site.stray().get("rx-source", 0) >= 2, 20, "they are counted")
    assert outer(13) in {one["remote"] for one in site.status()["strays"]}
    star.sites[12].edit(f"key = {KEY}", "key = 78")
    star.sites[12].reload()
    star.router[12].run(["ping", "-n", "-c", 2, "-i", "0.1", "-W", 1, inner(HUB)], check=False)
    wait_for(lambda: site.drops(NAME).get("rx-key-wrong", 0) >= 2, 20,
             "the other key is counted")


def test_keepalive(star):
    """Each peer is asked by itself. The interface loses its carrier when none answers."""
    site = star.up(keepalive="200ms 3")

    def states():
        return {one["name"].split("/")[1]: one["state"] for one in hub_status(site)["peers"]
                if one["keepalive"]["state"] != "unknown"}

    def carrier():
        return star.router[HUB].link(NAME)["operstate"] != "DOWN"

    wait_for(lambda: states() == {inner(12): "up", inner(13): "up"}, 30, states)
    star.sites[13].down()
    wait_for(lambda: states() == {inner(12): "up", inner(13): "down"}, 30, states)
    assert hub_status(site)["state"] == "up" and carrier()
    assert f"hub/{inner(13)}: down: no answer to" in site.gretel("status").stdout
    ping(star.host[HUB], host(12))
    star.sites[12].down()
    wait_for(lambda: states() == {inner(12): "down", inner(13): "down"}, 30, states)
    wait_for(lambda: hub_status(site)["state"] == "down" and not carrier(), 30, "all is down")
    star.sites[13].up()
    wait_for(lambda: states()[inner(13)] == "up" and carrier(), 60, states)


def test_path_mtu(star):
    """The interface has the MTU of the narrowest way; TCP and large packets fit."""
    star.router[HUB].ip(f"route add {outer(13)} dev bond0 mtu 1400")
    site = star.up()
    assert hub_status(site)["mtu"] == 1400 - 28
    assert {one["name"]: one["path_mtu"] for one in hub_status(site)["peers"]} == {
        f"hub/{inner(12)}": 1500, f"hub/{inner(13)}": 1400}
    ping(star.host[HUB], host(13), size=1372 - 28, df="do")
    said = star.host[HUB].run(["ping", "-n", "-c", 1, "-M", "do", "-s", 1345, host(13)], check=False)
    assert "mtu = 1372" in said.stdout or "mtu=1372" in said.stdout + said.stderr
    ping(star.host[12], host(13), size=1344)


def test_deleted_interface_comes_back(star):
    """The peers find the interface that is made anew."""
    site = star.up()
    star.router[HUB].ip(f"link del {NAME}")
    wait_for(lambda: star.router[HUB].link(NAME), 20, "the interface is back")
    ping(star.host[12], host(13), deadline=20)
    assert len(hub_status(site)["peers"]) == 2


def test_restart_and_down(star):
    """Another daemon takes the interface over; `down` leaves nothing."""
    site = star.up()
    os.kill(site.pid(), signal.SIGKILL)
    wait_for(lambda: site.pid() is None, 20, "the daemon is gone")
    assert "create" not in site.up().stdout
    ping(star.host[12], host(13), deadline=20)
    site.down()
    assert star.router[HUB].link(NAME) is None


def test_bulk(star):
    """TCP in super-packets, both ways by the hub, arrives as it was sent."""
    star.up()
    data = os.urandom(1 << 20)
    for source, target in ((HUB, 12), (12, 13)):
        with star.host[target].entered():
            server = socket.create_server((host(target), 5001))
        with star.host[source].entered():
            client = socket.create_connection((host(target), 5001), 20)
        taken, _ = server.accept()
        sender = threading.Thread(target=lambda: (client.sendall(data), client.close()))
        sender.start()
        taken.settimeout(30)
        got = bytearray()
        while chunk := taken.recv(1 << 16):
            got += chunk
        sender.join(10)
        assert got == data
        taken.close()
        server.close()


def test_lane_is_told(star):
    site = star.up()
    assert hub_status(site)["lane"] == "user"
    wait_for(lambda: "one peer" in hub_status(site)["lane_reason"], 30,
             lambda: hub_status(site)["lane_reason"])


def test_not_for_several_peers(star):
    """What knows one peer for each interface says that it does not do this one."""
    site = star.up()
    done = site.gretel("doctor", NAME, check=False)
    assert (done.returncode, done.stdout) == (2, "") and "has several peers" in done.stderr
    done = site.gretel("peer", f"{NAME}/{inner(12)}", "--for", "gretel", check=False)
    assert done.returncode == 2 and "several peers" in done.stderr


def test_rules_between_spokes(star):
    """What passes from one peer to another is forwarded, by the rules of the file."""
    rules = "\n".join(("[forward]", f"allow = {lan(HUB)} <-> {lan(12)}", f"allow = {lan(12)} -> {lan(13)}"))
    star.site(HUB, hub_text() + rules + "\n").up()
    for spoke in SPOKES:
        star.site(spoke, spoke_text(spoke) + section("forward", enable="yes")).up()
    ping(star.host[12], host(13))
    ping(star.host[12], host(HUB))
    ping_refused(star.host[13], host(12))
    ping_refused(star.host[13], host(HUB))
