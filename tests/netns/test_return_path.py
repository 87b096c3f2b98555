# SPDX-License-Identifier: GPL-2.0-or-later
"""`return-path = same-tunnel`: a server behind A is published at B's public address; A's default route
leads elsewhere, and every interface of A but the tunnels filters reverse paths strictly.

    client ── B (public address) ═══ tunnels ═══ A ── server        (hostB, hostA of the scene)
                                                 │
                                             elsewhere              A's default route: a dead end
"""
import os
import threading

import pytest
from dump import assert_same, dump
from flow import tcp_connect, tcp_listen
from gretel import NAME, Site, section, tunnel
from net import veth, wait_for
from scene import A, B, HOST, ROUTER, TUNNEL

FAMILIES = pytest.mark.parametrize("family", (4, 6))


def elsewhere(scene):
    """A's default route, and strict filtering on all that it has."""
    router, dead_end = scene.router[A], scene.namespace("elsewhere")
    veth(router, "wan", dead_end, "wan")
    router.ip("address add 192.0.2.2/24 dev wan", "address add 2001:db8:2::2/64 dev wan nodad",
              "route add default via 192.0.2.1", "route add default via 2001:db8:2::1")
    dead_end.ip("address add 192.0.2.1/24 dev wan", "address add 2001:db8:2::1/64 dev wan nodad")
    for name in ("all", "default", "wan", "eth1", "bond0"):
        router.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)


def sites(scene, tmp_path, **keys):
    """B publishes port 443 at the server behind A, and 444 at A itself; A knows no way to the client."""
    a = tunnel(A, route=[], **keys)
    b = tunnel(B)
    publish = [f"tcp/443 in eth1 to {HOST[4][A]}:8443", f"tcp/443 in eth1 to [{HOST[6][A]}]:8443",
               f"tcp/444 in eth1 to {TUNNEL[4][A]}:8444", f"tcp/444 in eth1 to [{TUNNEL[6][A]}]:8444"]
    made = {A: Site(scene.router[A], tmp_path / A, a + section("forward", enable="yes")),
            B: Site(scene.router[B], tmp_path / B, b + section("forward", publish=publish))}
    for site in made.values():
        site.up()
    return made


def serve(namespace, family, address, port, undo):
    """Answers each connection with the address that it came from, and what it says."""
    server = tcp_listen(namespace, family, address, port)
    undo.callback(server.close)

    def talk(peer, name):
        with peer:
            while data := peer.recv(4096):
                peer.sendall(name.encode() + b" " + data)

    def work():
        while True:
            try:
                peer, name = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(peer, name[0]), daemon=True).start()
    threading.Thread(target=work, daemon=True).start()


def ask(sock, text=b"hello"):
    sock.sendall(text)
    return sock.recv(4096).decode()


@FAMILIES
def test_published_server(scene, tmp_path, undo, family):
    """Answers leave by the tunnel, forwarded ones and the router's own; without the line, nowhere."""
    elsewhere(scene)
    before = dump(scene.router[A])
    made = sites(scene, tmp_path)
    serve(scene.host[A], family, HOST[family][A], 8443, undo)
    serve(scene.router[A], family, TUNNEL[family][A], 8444, undo)
    for port in (443, 444):
        with pytest.raises(OSError):
            tcp_connect(scene.host[B], family, ROUTER[family][B], port, timeout=0.7)
    made[A].edit("[tunnel My_Tunnel]", "[tunnel My_Tunnel]\nreturn-path = same-tunnel")
    made[A].reload()
    for port in (443, 444):
        with tcp_connect(scene.host[B], family, ROUTER[family][B], port, timeout=5) as sock:
            assert ask(sock) == f"{HOST[family][B]} hello"
    assert scene.router[A].sysctl("net.ipv4.conf.wan.rp_filter") == "1"
    assert made[A].plan().returncode == 0, made[A].plan().stdout
    made[A].down()
    made[B].down()
    assert_same(before, dump(scene.router[A]))


@FAMILIES
def test_much_data(scene, tmp_path, undo, family):
    """The answers are as large as the tunnel takes, from a host behind the router and from itself."""
    elsewhere(scene)
    sites(scene, tmp_path, **{"return-path": "same-tunnel"})
    data = os.urandom(2 << 20)
    for namespace, address, port, public in ((scene.host[A], HOST[family][A], 8443, 443),
                                             (scene.router[A], TUNNEL[family][A], 8444, 444)):
        server = tcp_listen(namespace, family, address, port)
        undo.callback(server.close)

        def send():
            peer, _ = server.accept()
            with peer:
                peer.sendall(data)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        got = b""
        with tcp_connect(scene.host[B], family, ROUTER[family][B], public, timeout=10) as sock:
            while chunk := sock.recv(1 << 18):
                got += chunk
        thread.join(5)
        assert got == data, f"{len(got)} octets of {len(data)}"


RULE = "fwmark 0x1000000/0xff000000"


def rules(router, family):
    return router.run(["ip", f"-{family}", "rule", "show"]).stdout


HARM = {
    "rule": (lambda r, f: r.run(["ip", f"-{f}", "rule", "del", "priority", "7100"]),
             lambda r, f: RULE in rules(r, f)),
    "table": (lambda r, f: r.run(["ip", f"-{f}", "route", "flush", "table", "7101"]),
              lambda r, f: len(r.ip_json(f"-{f} route show table 7101")) == 2),
    "marks": (lambda r, f: r.nft("flush chain inet gretel return_in"),
              lambda r, f: "ct direction original" in r.run(["nft", "list", "table", "inet", "gretel"]).stdout),
}


@FAMILIES
@pytest.mark.parametrize("what", HARM)
def test_repair(scene, tmp_path, undo, family, what):
    elsewhere(scene)
    made, router = sites(scene, tmp_path, **{"return-path": "same-tunnel"}), scene.router[A]
    serve(scene.host[A], family, HOST[family][A], 8443, undo)
    harm, healed = HARM[what]
    assert healed(router, family)
    with tcp_connect(scene.host[B], family, ROUTER[family][B], 443, timeout=5) as sock:
        ask(sock)
        harm(router, family)
        wait_for(lambda: healed(router, family), 5, what)
        wait_for(lambda: made[A].plan().returncode == 0, 5, lambda: made[A].plan().stdout)
        assert ask(sock) == f"{HOST[family][B]} hello"


def test_marks_of_others(scene, tmp_path, undo):
    """24 bits of the connection mark and of the packet mark are nobody's business here."""
    elsewhere(scene)
    sites(scene, tmp_path, **{"return-path": "same-tunnel"})
    router = scene.router[A]
    router.nft("table inet theirs { chain a { type filter hook prerouting priority -160; "
               "ct state new ct mark set 0x00abcdef; meta mark set 0x00123456; }; "
               "chain b { type filter hook postrouting priority 0; "
               "oifname My_Tunnel meta mark 0x01123456 ct mark 0x01abcdef counter comment \"both\"; }; }")
    serve(scene.host[A], 4, HOST[4][A], 8443, undo)
    with tcp_connect(scene.host[B], 4, ROUTER[4][B], 443, timeout=5) as sock:
        ask(sock)
    text = router.run(["nft", "list", "chain", "inet", "theirs", "b"]).stdout
    assert "packets 0 " not in text and "counter packets" in text, text


def test_flows_outlive_reloads(scene, tmp_path, undo):
    """Another tunnel with a return path comes before this one in the file, and goes again."""
    elsewhere(scene)
    made = sites(scene, tmp_path, **{"return-path": "same-tunnel"})
    serve(scene.host[A], 4, HOST[4][A], 8443, undo)
    text = made[A].file.read_text()
    other = tunnel(A, name="other", route=[], address="10.77.0.1/31", key=9,
                         **{"return-path": "same-tunnel"})
    with tcp_connect(scene.host[B], 4, ROUTER[4][B], 443, timeout=5) as sock:
        ask(sock)
        for now in (other + text, text, other + text):
            made[A].write(now)
            made[A].reload()
            assert ask(sock) == f"{HOST[4][B]} hello"
            assert made[A].plan().returncode == 0, made[A].plan().stdout
        scene.router[A].kill_all()
        made[A].up()
        assert ask(sock) == f"{HOST[4][B]} hello"
        assert RULE in rules(scene.router[A], 4) and "lookup 7102" in rules(scene.router[A], 4)


def test_lost_tunnel_is_a_dead_end(scene, tmp_path, undo):
    """Replies of a tunnel that has no carrier do not leave by the default route."""
    elsewhere(scene)
    made = sites(scene, tmp_path, **{"return-path": "same-tunnel", "keepalive": "200ms 2"})
    router = scene.router[A]
    serve(scene.host[A], 4, HOST[4][A], 8443, undo)
    router.nft("table inet t { chain c { type filter hook postrouting priority 0; "
               f"oifname wan ip daddr {HOST[4][B]} counter comment \"leak\"; }}; }}")
    with tcp_connect(scene.host[B], 4, ROUTER[4][B], 443, timeout=5) as sock:
        ask(sock)
        scene.wire.ip("link set dev a nomaster")
        wait_for(lambda: "LOWER_UP" not in router.link(NAME)["flags"], 5, "no carrier")
        said = router.run(["ip", "route", "get", HOST[4][B], "mark", "0x1000000"], check=False)
        assert "unreachable" in said.stdout + said.stderr or said.returncode == 2, said.stdout + said.stderr
        assert "counter packets 0 " in router.run(["nft", "list", "chain", "inet", "t", "c"]).stdout
        scene.wire.ip("link set dev a master br0")
        wait_for(lambda: "LOWER_UP" in router.link(NAME)["flags"], 5, "carrier")
        assert ask(sock) == f"{HOST[4][B]} hello"
    assert made[A].plan().returncode == 0
