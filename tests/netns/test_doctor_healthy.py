# SPDX-License-Identifier: GPL-2.0-or-later
"""Where nothing is wrong the doctor finds nothing: neither right after the start, nor under load, nor
beside other people's rules. GRETEL_DOCTOR_RUNS (10) examinations in each condition that is marked so."""
import contextlib
import os
import threading

import failover
import pytest
from clinic import HEALTHY, Answer
from flow import CHUNK, tcp_connect, tcp_listen
from gretel import NAME, Site, both_up, ping_between_lans, section, site_text, tunnel
from lanes import wait_loaded
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY, other

RUNS = int(os.environ.get("GRETEL_DOCTOR_RUNS", 10))
DOCKER = """table ip filter {
chain FORWARD { type filter hook forward priority 0; policy drop;
ct state established,related accept
ip saddr 10.0.0.0/8 accept
ip saddr 20.0.0.0/8 accept
}
chain INPUT { type filter hook input priority 0; policy drop;
ct state established,related accept
ip protocol { gre, icmp } accept
}
}
table ip nat { chain POSTROUTING { type nat hook postrouting priority 100;
ip saddr 172.17.0.0/16 oifname != docker0 masquerade
}
}
"""


def examine(site, *words):
    answer = Answer(site.gretel("--json", "doctor", *words, check=False, timeout=60))
    assert answer.exit == HEALTHY and not answer.found, str(answer)
    return answer


def examine_all(sites, times=1):
    for _ in range(times):
        for site in sites.values():
            examine(site)


@pytest.mark.parametrize("outer", (4, 6))
def test_right_after_up(scene, tmp_path, outer):
    """Nobody has sent a packet yet."""
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, outer)) for side in (A, B)}
    for site in sites.values():
        site.up()
    examine_all(sites)


def test_while_hosts_talk(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=4242, keepalive="200ms 5")
    ping_between_lans(scene)
    examine_all(sites, RUNS)


def test_right_after_a_reload(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=1)
    for key in range(2, 2 + (RUNS + 1) // 2):
        for site in sites.values():
            site.edit(f"key = {key - 1}\n", f"key = {key}\n")
            site.reload()
        examine_all(sites)


@contextlib.contextmanager
def full_speed(scene):
    """TCP from A's host to B's, as fast as it goes."""
    server, total, stop = tcp_listen(scene.host[B], 4, HOST[4][B], 7000), [0], threading.Event()
    sock = tcp_connect(scene.host[A], 4, HOST[4][B], 7000)

    def receive():
        peer, _ = server.accept()
        with peer:
            while data := peer.recv(CHUNK):
                total[0] += len(data)

    def send():
        data = bytes(CHUNK)
        with sock:
            while not stop.is_set():
                sock.sendall(data)
    threads = [threading.Thread(target=one, daemon=True) for one in (receive, send)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: total[0] > 1 << 20, 10, "the transfer is on its way")
        yield total
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
        server.close()


def test_under_load(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=4242)
    with full_speed(scene) as total:
        examine_all(sites, RUNS)
        before = total[0]
        wait_for(lambda: total[0] > before, 10, "and still is")


def test_beside_rules_of_others(scene, tmp_path):
    """A closed firewall that lets through what it should."""
    sites = both_up(scene, tmp_path)
    for router in scene.router.values():
        router.nft(DOCKER)
    ping_between_lans(scene, families=(4,))
    examine_all(sites, 2)


def test_with_translation(scene, tmp_path):
    """Each side shows one address to the other; nobody has routes to the other's LAN."""
    sites = {}
    for side in (A, B):
        text = tunnel(side, route=[LAN[4]["B" if side == A else "A"]],
                      address=f"{TUNNEL[4][side]} peer {TUNNEL[4]['B' if side == A else 'A']}")
        text += (f"[forward]\nenable = yes\nallow = {LAN[4][A]} <-> {LAN[4][B]}\n"
                 f"masquerade = {LAN[4][side]} out {NAME}\n"
                 f"masquerade = {TUNNEL[4]['B' if side == A else 'A']} out eth1\n")
        sites[side] = Site(scene.router[side], tmp_path / side, text)
        sites[side].up()
    ping_between_lans(scene, families=(4,))
    examine_all(sites, 2)


def test_one_way_and_no_lan(scene, tmp_path):
    """A may open connections to B; B forwards nothing that A has not asked for."""
    one_way = {"allow": f"{LAN[4][A]} -> {LAN[4][B]}"}
    sites = {A: Site(scene.router[A], tmp_path / A, site_text(A, forward=one_way)),
             B: Site(scene.router[B], tmp_path / B, site_text(B, forward=one_way))}
    for site in sites.values():
        site.up()
    examine_all(sites)


def test_without_forwarding(scene, tmp_path):
    """Two hosts and a tunnel, no [forward] section, ip_forward off: that is no fault."""
    sites = {side: Site(scene.router[side], tmp_path / side, tunnel(side)) for side in (A, B)}
    for site in sites.values():
        site.up()
    examine_all(sites)


def test_a_dead_host_is_not_the_tunnels_fault(scene, tmp_path):
    """Somebody asks for a host that is not there, while others are answered."""
    sites = both_up(scene, tmp_path)
    ping_between_lans(scene)
    scene.host[A].run(["ping", "-e", 1, "-c", 1, "-W", "0.2", "20.10.1.99"], check=False)
    examine_all(sites)
    examine_all(sites)  # what the first one left behind is not taken for a fault


def test_loose_filter_and_default_route(scene, tmp_path):
    """rp_filter as distributions set it, and an internet behind the underlay."""
    sites = both_up(scene, tmp_path)
    for router in scene.router.values():
        router.sysctl("net.ipv4.conf.all.rp_filter", 2)
        router.ip("route add default via 172.19.1.254")
    examine_all(sites)
    for router in scene.router.values():
        router.sysctl("net.ipv4.conf.all.rp_filter", 1)
    examine_all(sites)


@pytest.mark.parametrize("ways", (
    ({"keepalive": "200ms 5"}, {"keepalive": "200ms 5", "backup-of": "first"}),
    ({"group": "both", "keepalive": "200ms 5"}, {"group": "both", "keepalive": "200ms 5",
                                                 "routes": [LAN[f][B] for f in (4, 6)]}),
    ({"return-path": "same-tunnel"}, {}),
), ids=("backup", "group", "return-path"))
def test_two_tunnels(scene, tmp_path, ways):
    """What goes out by one may be answered by the other."""
    failover.second_wire(scene)
    first, second = ways
    sites = {}
    for side in (A, B):
        routes = [LAN[family][other(side)] for family in (4, 6)]
        keys = {**second, **({"routes": routes} if "routes" in second else {})}
        text = failover.tunnel(side, "first", routes=routes, **first) + failover.tunnel(side, "second", **keys)
        text += section("forward", allow=[f"{LAN[f][side]} <-> {LAN[f][other(side)]}" for f in (4, 6)])
        sites[side] = Site(scene.router[side], tmp_path / side, text)
        sites[side].up()
    ping_between_lans(scene)
    examine_all(sites, 2)


def test_it_leaves_nothing(scene, tmp_path):
    """Neither rules nor sysctls nor routes are another after an examination."""
    sites = both_up(scene, tmp_path)
    router = scene.router[A]
    wait_loaded(sites[A])

    def state():
        return [router.run(words.split()).stdout for words in
                ("nft list ruleset", "ip -4 route show table all", "ip rule", "ip link")]
    router.nft("table inet foreign { chain forward { type filter hook forward priority 10\n"
               f"ip daddr {LAN[4][B]} drop\n}}\n}}\n")
    before = state()
    done = sites[A].gretel("doctor", check=False)
    assert "table inet foreign" in done.stdout.splitlines()[0], done.stdout
    assert state() == before
    assert UNDERLAY[4][A] in before[1]
