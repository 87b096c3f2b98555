# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be forwarded, whose address it takes, what is published, and what conntrack never sees."""
import socket

import pytest
from flow import ask, serve_peername, tcp_connect, tcp_listen
from gretel import NAME, Site, both_up, ping, ping_between_lans, ping_refused, site_text, tunnel
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY, other


def bring_up(scene, tmp_path, forward_a, forward_b, **keys):
    sites = {}
    for side, forward in ((A, forward_a), (B, forward_b)):
        sites[side] = Site(scene.router[side], tmp_path / side, site_text(side, forward=forward, **keys))
        sites[side].up()
    return sites


def refused(namespace, family, address, port):
    with pytest.raises(OSError):
        ask(namespace, family, address, port, timeout=1.0)


def test_allow_both_ways(scene, tmp_path):
    both_up(scene, tmp_path)
    ping_between_lans(scene)


def test_allow_one_way(scene, tmp_path, undo):
    """A's LAN may open connections to B's; answers pass, new connections the other way do not."""
    one_way = {"allow": [f"{LAN[f][A]} -> {LAN[f][B]}" for f in (4, 6)]}
    bring_up(scene, tmp_path, one_way, {"allow": [f"{LAN[f][A]} <-> {LAN[f][B]}" for f in (4, 6)]})
    for family in (4, 6):
        for side in (A, B):
            serve_peername(scene.host[side], family, HOST[family][side], 7001, undo)
        ping(scene.host[A], HOST[family][B])
        assert ask(scene.host[A], family, HOST[family][B], 7001) == HOST[family][A]
        ping_refused(scene.host[B], HOST[family][A])
        refused(scene.host[B], family, HOST[family][A], 7001)


def test_allow_nobody_else(scene, tmp_path):
    """A second network behind A that the file does not name stays outside."""
    sites = bring_up(scene, tmp_path, {"allow": f"{LAN[4][A]} <-> {LAN[4][B]}"},
                     {"allow": f"{LAN[4][A]} <-> {LAN[4][B]}"})
    scene.host[A].ip("address add 10.10.2.10/24 dev eth0")
    scene.router[A].ip("address add 10.10.2.1/24 dev eth1")
    scene.router[B].ip(f"route add 10.10.2.0/24 dev {NAME}")
    ping(scene.host[A], HOST[4][B])
    done = scene.host[A].run(["ping", "-c", 2, "-i", "0.1", "-W", 1, "-I", "10.10.2.10", HOST[4][B]],
                             check=False)
    assert done.returncode == 1 and " 0 received" in done.stdout, done.stdout + done.stderr
    rules = sites[A].namespace.run(["nft", "list", "table", "inet", "gretel"]).stdout
    assert "drop" in rules


def test_other_forwarding_is_not_judged(scene, tmp_path):
    """`allow` speaks of the tunnels; what passes between other interfaces is not our business."""
    bring_up(scene, tmp_path, {"allow": "10.1.0.0/16 <-> 10.2.0.0/16"}, {"allow": "10.1.0.0/16 <-> 10.2.0.0/16"})
    scene.router[B].ip(f"route replace {LAN[4][A]} via {UNDERLAY[4][A]} metric 1")
    ping(scene.host[A], UNDERLAY[4][B])


def test_masquerade_into_the_tunnel(scene, tmp_path, undo):
    """B has no route to A's LAN and needs none: A's hosts come with A's tunnel address."""
    sites = bring_up(scene, tmp_path, {"masquerade": f"{LAN[4][A]} out {NAME}"}, {})
    sites[B].edit(f"route = {LAN[4][A]}\n", "")
    sites[B].reload()
    serve_peername(scene.host[B], 4, HOST[4][B], 7002, undo)
    assert ask(scene.host[A], 4, HOST[4][B], 7002) == TUNNEL[4][A]


def test_masquerade_of_the_peer_into_the_lan(scene, tmp_path, undo):
    """The line `masquerade = 192.168.8.11 out eth1`: the peer appears in the LAN as the router."""
    bring_up(scene, tmp_path, {"masquerade": f"{TUNNEL[4][B]} out eth1"}, {})
    serve_peername(scene.host[A], 4, HOST[4][A], 7003, undo)
    assert ask(scene.router[B], 4, HOST[4][A], 7003) == "10.10.1.1"


def test_snat_to_a_given_address(scene, tmp_path, undo):
    bring_up(scene, tmp_path, {"snat": f"{LAN[4][A]} out {NAME} to 192.168.8.77"}, {})
    scene.router[B].ip(f"route add 192.168.8.77 dev {NAME}")
    serve_peername(scene.host[B], 4, HOST[4][B], 7004, undo)
    assert ask(scene.host[A], 4, HOST[4][B], 7004) == "192.168.8.77"


@pytest.mark.parametrize("family, to", ((4, "10.10.1.10:8443"), (6, "[fd00:10:1::10]:8443")))
def test_publish(scene, tmp_path, undo, family, to):
    """B reaches A's public address on 443 and meets the server behind A on 8443; 444 is closed."""
    forward = {"publish": f"tcp/443 in bond0 to {to}",
               "allow": [f"{LAN[f][A]} <-> {LAN[f][B]}" for f in (4, 6)]}
    bring_up(scene, tmp_path, forward, None)
    serve_peername(scene.host[A], family, HOST[family][A], 8443, undo)
    assert ask(scene.router[B], family, UNDERLAY[family][A], 443) == UNDERLAY[family][B]
    refused(scene.router[B], family, UNDERLAY[family][A], 444)


def test_publish_udp_and_a_range(scene, tmp_path, undo):
    bring_up(scene, tmp_path, {"publish": "udp/5000-5003 in bond0 to 10.10.1.10"}, {})
    with scene.host[A].entered():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    undo.callback(server.close)
    server.bind(("10.10.1.10", 5002))
    server.settimeout(5)
    with scene.router[B].entered():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    undo.callback(client.close)
    client.sendto(b"hello", (UNDERLAY[4][A], 5002))
    assert server.recvfrom(100) == (b"hello", (UNDERLAY[4][B], client.getsockname()[1]))


def publish_through_tunnel_site():
    return {"publish": f"tcp/80 in {NAME} to 10.10.1.10:8080", "allow": f"{LAN[4][A]} -> {LAN[4][B]}"}


def test_publish_in_by_the_tunnel(scene, tmp_path, undo):
    """What comes in by the tunnel may be published too, and passes although `allow` has no line."""
    bring_up(scene, tmp_path, publish_through_tunnel_site(), None)
    serve_peername(scene.host[A], 4, HOST[4][A], 8080, undo)
    assert ask(scene.router[B], 4, TUNNEL[4][A], 80) == TUNNEL[4][B]


def tracked_gre(router):
    return [line for line in router.run(["conntrack", "-L"]).stdout.splitlines()
            if line.startswith(("gre", "unknown  47", "ipv4     2 gre"))]


def test_outer_packets_are_not_tracked(scene, tmp_path):
    both_up(scene, tmp_path)
    ping_between_lans(scene)
    for side in (A, B):
        text = scene.router[side].run(["conntrack", "-L"]).stdout
        assert HOST[4][other(side)] in text, "conntrack works at all"
        assert not tracked_gre(scene.router[side]), text


def test_outer_packets_are_tracked_when_asked(scene, tmp_path):
    both_up(scene, tmp_path, notrack="no")
    ping_between_lans(scene)
    wait_for(lambda: tracked_gre(scene.router[A]), 5,
             lambda: scene.router[A].run(["conntrack", "-L"]).stdout)


def test_no_forward_section_leaves_forwarding_alone(scene, tmp_path):
    for side in (A, B):
        Site(scene.router[side], tmp_path / side, tunnel(side)).up()
        assert scene.router[side].sysctl("net.ipv4.ip_forward") == "0"
    ping(scene.router[A], TUNNEL[4][B])
    ping_refused(scene.host[A], HOST[4][B])


def test_only_the_families_that_are_used(scene, tmp_path):
    """A site with IPv4 passengers leaves IPv6 forwarding as it was."""
    text = tunnel(A, address=f"{TUNNEL[4][A]} peer {TUNNEL[4][B]}", route=LAN[4][B]) + "[forward]\nenable = yes\n"
    Site(scene.router[A], tmp_path / A, text).up()
    assert scene.router[A].sysctl("net.ipv4.ip_forward") == "1"
    assert scene.router[A].sysctl("net.ipv6.conf.all.forwarding") == "0"
