# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's control plane: its socket under bad requests, tunnels that wait, routes that turn
against their tunnel while it runs, somebody who will not give in, and what the daemon may still do."""
import json
import pathlib
import socket
import subprocess

import pytest
from gretel import BUILD, NAME, Site, ping, site_text
from net import wait_for
from scene import A, B, HOST, TUNNEL, UNDERLAY

USAGE = 2
LONGEST = 65536
CLIENTS = 64


@pytest.fixture
def site(scene, tmp_path):
    made = Site(scene.router[A], tmp_path / A, site_text(A, key=4242))
    made.up()
    return made


@pytest.fixture
def connect(site, undo):
    def connect():
        sock = socket.socket(socket.AF_UNIX)
        undo.callback(sock.close)
        sock.connect(str(site.run_directory / "control.sock"))
        sock.settimeout(5)
        return sock
    return connect


def answers(sock, count=1):
    """The next replies; fewer when the daemon closes the connection before."""
    text = b""
    while text.count(b"\n") < count:
        part = sock.recv(65536)
        if not part:
            break
        text += part
    return [json.loads(line) for line in text.splitlines()]


def ask(connect, line):
    sock = connect()
    sock.sendall(line + b"\n")
    return answers(sock)[0]


BAD = [
    (b"", "not a JSON object on one line"),
    (b"[]", "not a JSON object on one line"),
    (b"nonsense", "not a JSON object on one line"),
    (b"\xff\xfe", "not a JSON object on one line"),
    (b"[" * 60000, "not a JSON object on one line"),
    (b'{"verb": "ping", "verb": "down"}', "duplicate object key"),
    (b"{}", 'no "verb" that is a string'),
    (b'{"verb": 1}', 'no "verb" that is a string'),
    (b'{"verb": "nonsense"}', 'unknown verb "nonsense": the verbs are add, change'),
    (b'{"verb": "reload", "config": "gretel.conf"}', "must be an absolute path"),
    (b'{"verb": "add"}', "must be an array of at most 64 strings"),
    (b'{"verb": "add", "words": "g1"}', "must be an array of at most 64 strings"),
    (b'{"verb": "add", "words": [1]}', "each word must be a string"),
    (b'{"verb": "add", "words": [' + b",".join([b'"x"'] * 65) + b"]}", "must be an array of at most 64"),
    (b'{"verb": "add", "words": ["' + b"x" * 256 + b'"]}', "at most 255 octets"),
    (b'{"verb": "add", "words": []}', "the tunnel has no name"),
]


@pytest.mark.parametrize("line, said", BAD, ids=range(len(BAD)))
def test_bad_request(site, connect, line, said):
    reply = ask(connect, line)
    assert said in reply["error"] and reply["exit"] == USAGE
    assert ask(connect, b'{"verb": "ping"}')["exit"] == 0


def test_many_bad_clients(site, connect):
    """Too long, cut short, too many, never reading: each is told or dropped, and others are served."""
    long = connect()
    long.sendall(b"x" * (LONGEST + 1))
    assert "longer than 65536 octets" in answers(long)[0]["error"]
    cut = connect()
    cut.sendall(b'{"verb": "ping"}')
    cut.shutdown(socket.SHUT_WR)
    assert "ends without a newline" in answers(cut)[0]["error"]
    two = connect()
    two.sendall(b'{"verb": "ping"}\n{"verb": "version"}\n')
    assert [one["exit"] for one in answers(two, 2)] == [0, 0]
    deaf = connect()
    deaf.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            deaf.sendall(b'{"verb": "status"}\n' * 1000)
    assert ask(connect, b'{"verb": "ping"}')["exit"] == 0
    silent = [connect() for _ in range(CLIENTS)]
    assert "too many clients" in answers(silent[-1])[0]["error"]
    for sock in [long, cut, two, deaf, *silent]:
        sock.close()
    wait_for(lambda: ask(connect, b'{"verb": "ping"}').get("exit") == 0, 5, "served again")
    assert site.tunnel()["state"] == "up"


def test_socket_is_for_root_only(site):
    mode = (site.run_directory / "control.sock").stat().st_mode
    assert mode & 0o777 == 0o600


def test_run_directory_of_another_namespace(scene, site):
    """The daemon of A found by a command in B: B's `up` must not become A's reload."""
    command = [BUILD / "src/cmd/gretel", "-c", site.file, "-r", site.run_directory]
    for words in (["up"], ["add", "t2", "remote", UNDERLAY[4][B], "local", UNDERLAY[4][A]]):
        done = scene.router[B].run([*command, *words], check=False)
        assert done.returncode == 1 and "serves another network namespace" in done.stderr
    assert json.loads(scene.router[B].run([*command, "--json", "status"]).stdout)["pid"] == site.pid()


def test_waits_for_the_local_address(scene, tmp_path):
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A).replace(f"local = {UNDERLAY[4][A]}", "local = 172.19.1.77"))
    done = site.gretel("up", check=False)
    assert done.returncode == 1 and "172.19.1.77 is not on this host" in done.stderr
    assert site.tunnel()["state"] == "waiting" and "172.19.1.77" in site.tunnel()["reason"]
    router.ip("address add 172.19.1.77/24 dev bond0")
    wait_for(lambda: site.tunnel()["state"] == "up", 1, "up once the address is there")
    assert site.tunnel()["reason"] == ""
    router.ip("address del 172.19.1.77/24 dev bond0")
    wait_for(lambda: site.tunnel()["state"] == "waiting", 1, "waiting once it is gone")


def test_waits_for_a_route(scene, tmp_path):
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A).replace(f"remote = {UNDERLAY[4][B]}", "remote = 198.51.100.7"))
    router.run(["ip", "route", "del", "default"], check=False)
    site.gretel("up", check=False)
    assert site.tunnel()["state"] == "waiting" and "no route to 198.51.100.7" in site.tunnel()["reason"]
    router.ip(f"route add 198.51.100.0/24 via {UNDERLAY[4][B]}")
    wait_for(lambda: site.tunnel()["state"] == "up", 1, "up once there is a route")


def test_route_turns_against_the_tunnel(scene, site):
    """Somebody sends the packets to the peer into the tunnel itself: said at once, and over when it is."""
    router = scene.router[A]
    router.ip(f"route add {UNDERLAY[4][B]}/32 dev {NAME}")
    wait_for(lambda: site.tunnel()["state"] == "failed", 1, "the loop is seen")
    assert UNDERLAY[4][B] in site.tunnel()["reason"]
    router.ip(f"route del {UNDERLAY[4][B]}/32 dev {NAME}")
    wait_for(lambda: site.tunnel()["state"] == "up", 1, "the loop is over")


def test_underlay_mtu_is_followed(scene, site):
    router = scene.router[A]
    before = router.link(NAME)["mtu"]
    router.ip("link set dev bond0 mtu 1400")
    wait_for(lambda: router.link(NAME)["mtu"] == before - 100, 1, "smaller")
    router.ip("link set dev bond0 mtu 1500")
    wait_for(lambda: router.link(NAME)["mtu"] == before, 1, "as before")


def test_somebody_does_not_give_in(scene, tmp_path):
    """Whoever deletes the route as soon as it is back is answered, then waited for; not for ever."""
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A))
    log = open(tmp_path / "log", "w")
    router.popen([BUILD / "src/cmd/greteld", "-c", site.file, "-r", site.run_directory, "-f"], stderr=log)
    said = pathlib.Path(log.name).read_text
    wait_for(lambda: "20.10.1.0/24" in router.run(["ip", "route"]).stdout, 5)

    def delete():
        router.run(["ip", "route", "del", "20.10.1.0/24"], check=False)
        return "from now on repairing every 5 s only" in said()
    wait_for(delete, 20, "it notices")
    assert "route 20.10.1.0/24 was removed by ip" in said()
    repaired = said().count("repaired:")
    assert 10 <= repaired <= 20
    wait_for(lambda: "20.10.1.0/24" in router.run(["ip", "route"]).stdout, 7, "the last word")
    log.close()


def test_privileges_are_given_up(site):
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{site.pid()}/status").read_text().splitlines() if ":\t" in line)
    net_admin, net_raw, dac_override = 1 << 12, 1 << 13, 1 << 1
    for kind in ("CapEff", "CapPrm"):
        assert int(status[kind], 16) & ~(net_admin | net_raw | dac_override) == 0
    assert status["NoNewPrivs"] == "1"
    tasks = pathlib.Path(f"/proc/{site.pid()}/task")

    def all_gave_up():
        # The thread that loads the programs of the kernel lanes needs its rights, and ends then.
        return all(f"CapEff:\t{status['CapEff']}" in (task / "status").read_text()
                   for task in tasks.iterdir() if (task / "status").exists())
    wait_for(all_gave_up, 10, "a thread has kept its rights")


def test_few_capabilities_are_enough(scene, tmp_path):
    """Started with these two and nothing else, all works: what a container or a unit file gives."""
    router = scene.router[A]
    site = Site(router, tmp_path / A, site_text(A, forward={"masquerade": f"10.10.9.0/24 out {NAME}"}))
    bounds = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--inh-caps=-all"]
    daemon = router.popen([*bounds, BUILD / "src/cmd/greteld", "-c", site.file, "-r", site.run_directory, "-f"],
                          stderr=subprocess.PIPE)
    wait_for(lambda: site.gretel("status", check=False).returncode == 0, 5)
    assert site.tunnel()["state"] == "up" and router.sysctl("net.ipv4.ip_forward") == "1"
    Site(scene.router[B], tmp_path / B, site_text(B)).up()
    ping(scene.router[A], TUNNEL[4][B])
    ping(scene.host[A], HOST[4][B])
    site.down()
    assert daemon.wait(10) == 0 and router.link(NAME) is None
