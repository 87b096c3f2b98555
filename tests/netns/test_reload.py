# SPDX-License-Identifier: GPL-2.0-or-later
"""A change touches what it changes and nothing else."""
import contextlib
import os
import signal
import subprocess

import pytest
from flow import Sink, Stream, numbers_complete, udp
from gretel import NAME, Site, both_up, ping, ping_between_lans, section
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY, other

TUNNELS, CHANGED, RATE = 100, 50, 6000


def hundred(side, keys):
    ends = {A: 1, B: 2}
    return "".join(section("tunnel", f"t{i}", local=UNDERLAY[4][side], key=key,
                           remote=UNDERLAY[4][other(side)], address=f"10.200.{i}.{ends[side]}/30")
                   for i, key in keys.items())


@contextlib.contextmanager
def link_events(namespace):
    """The names of links that the kernel announces, collected while the context lasts."""
    process = namespace.popen(["stdbuf", "-oL", "ip", "-o", "monitor", "link"], stdout=subprocess.PIPE)
    names = set()
    try:
        yield names
    finally:
        # A link made last ends the list: all announced before it has been written.
        namespace.ip("link add endmark type bridge")
        for line in process.stdout:
            words = line.split()
            name = words[2 if words[0] == "Deleted" else 1].rstrip(":").split("@")[0]
            if name == "endmark":
                break
            names.add(name)
        process.kill()
        process.wait(5)
        namespace.ip("link del endmark")


def test_one_key_among_hundred_tunnels(scene, tmp_path, undo):
    keys = {i: i for i in range(1, TUNNELS + 1)}
    sites = {side: Site(scene.router[side], tmp_path / side, hundred(side, keys)) for side in (A, B)}
    for site in sites.values():
        site.up()
    ping(scene.router[A], f"10.200.{TUNNELS}.2")
    others = [i for i in keys if i != CHANGED]
    sinks, streams = {}, {}
    for side in (A, B):
        sinks[side] = Sink(scene.router[side], 4, 6000)
        undo.callback(sinks[side].close)
    for side, far in ((A, 2), (B, 1)):
        socks = [udp(scene.router[side], 4) for _ in others]
        for i, sock in zip(others, socks):
            undo.callback(sock.close)
            sock.connect((f"10.200.{i}.{far}", 6000))
        streams[side] = Stream(socks, rate=RATE)
    wait_for(lambda: all(stream.sent > 20 for stream in streams.values()), 10)

    keys[CHANGED] = 1000 + CHANGED
    for side in (A, B):
        sites[side].write(hundred(side, keys))
    with link_events(scene.router[A]) as touched:
        said = sites[A].reload().stdout
    sites[B].reload()
    at_reload = streams[A].sent
    wait_for(lambda: streams[A].sent > at_reload + 20, 10)

    sent = {side: stream.stop() for side, stream in streams.items()}
    assert not streams[A].refused and not streams[B].refused
    for side, far in ((A, 2), (B, 1)):
        for i in others:
            lost = numbers_complete(sinks[side], f"10.200.{i}.{far}", sent[other(side)], 3)
            assert not lost, f"tunnel t{i} to {side} lost {len(lost)} of {sent[other(side)]}: {lost[:9]}"
    assert touched <= {f"t{CHANGED}"}, touched
    assert f"t{CHANGED}" in said
    ping(scene.router[A], f"10.200.{CHANGED}.2")


def test_plan_of_an_unchanged_file(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=5)
    ping_between_lans(scene)
    for site in sites.values():
        done = site.plan()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "nothing to do" in done.stdout.lower()
        before = site.namespace.link(NAME)["ifindex"]
        site.reload()
        assert site.namespace.link(NAME)["ifindex"] == before


def test_plan_shows_and_does_nothing(scene, tmp_path):
    site = both_up(scene, tmp_path)[A]
    site.edit("route = 20.10.1.0/24", "route = 20.10.2.0/24")
    done = site.plan()
    assert done.returncode == 5, done.stdout + done.stderr
    assert "20.10.1.0/24" in done.stdout and "20.10.2.0/24" in done.stdout
    assert any(route["dst"] == "20.10.1.0/24" for route in site.namespace.ip_json("route show"))
    site.reload()
    routes = {route["dst"] for route in site.namespace.ip_json("route show")}
    assert "20.10.2.0/24" in routes and "20.10.1.0/24" not in routes
    assert site.plan().returncode == 0


def test_faulty_file_changes_nothing(scene, tmp_path):
    site = both_up(scene, tmp_path)[A]
    ping_between_lans(scene)
    site.edit("remote = 172.19.1.2", "remote = 172.19.1.300")
    done = site.gretel("reload", check=False)
    assert done.returncode == 3
    assert f"{site.file}:3: " in done.stdout + done.stderr
    ping_between_lans(scene)


CHANGES = {
    "key": ("key = 5", "key = 6"), "ttl": ("ttl = 64", "ttl = 9"),
    "mtu": ("mtu = 1400", "mtu = 1380"), "checksum": ("checksum = yes", "checksum = no"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_live_change_keeps_the_interface(scene, tmp_path, what):
    """These change without a new interface: its index, and what others put on it, stay."""
    sites = both_up(scene, tmp_path, key=5, ttl=64, mtu=1400, checksum="yes")
    for site in sites.values():
        index = site.namespace.link(NAME)["ifindex"]
        site.namespace.ip(f"address add 10.55.0.1/32 dev {NAME}")
        site.edit(*CHANGES[what])
        site.reload()
        assert site.namespace.link(NAME)["ifindex"] == index
        assert "10.55.0.1" in str(site.namespace.ip_json(f"address show dev {NAME}"))
        assert site.plan().returncode == 0
    ping(scene.host[A], HOST[4][B])


@pytest.mark.parametrize("what", (f"address delete {TUNNEL[4][A]} peer {TUNNEL[4][B]} dev {NAME}", f"route delete {LAN[4][B]}",
                                  f"link set dev {NAME} down"))
def test_what_was_announced_counts(scene, tmp_path, what):
    """greteld keeps what it saw last for as long as nothing is announced. What somebody does just before a
    reload is in its sockets together with the request, and is made good by the time of the answer."""
    site = both_up(scene, tmp_path)[A]
    router = scene.router[A]

    def looks():
        return (router.ip_json(f"address show dev {NAME}")[0]["addr_info"], router.ip_json("route show"),
                "UP" in router.link(NAME)["flags"])
    for _ in range(5):
        wait_for(lambda: "nothing to do" in site.gretel("reload").stdout, 10)
        before, pid = looks(), site.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            router.ip(what)
            assert looks() != before
            asking = router.popen(site.argv("reload"), env=site.env, stdout=subprocess.PIPE)
            wait_for(lambda: asked(router, site), 10)
        finally:
            os.kill(pid, signal.SIGCONT)
        asking.communicate(timeout=20)
        assert asking.returncode == 0
        assert looks() == before


def asked(router, site):
    """Whether a command waits for the daemon to take its connection."""
    listening = router.run(["ss", "-xlH", "src", site.run_directory / "control.sock"]).stdout.split()
    return int(listening[2]) > 0
