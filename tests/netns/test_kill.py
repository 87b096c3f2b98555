# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGKILL at any point, and what `gretel down` leaves: the router as it was found."""
import contextlib
import os
import pathlib
import random
import signal
import time

import pytest
from dump import assert_same, dump
from gretel import NAME, Site, ping, section, site_text
from net import wait_for
from scene import A, B, HOST, TUNNEL, UNDERLAY

POINTS = int(os.environ.get("GRETEL_KILL_POINTS", 50))
ROUNDS = 5  # the points are shared among this many tests, which run beside each other


def files():
    """Four versions of A's file: they differ in parameters, routes, rules and tunnels."""
    full = {"forward": {"allow": "10.10.1.0/24 <-> 20.10.1.0/24",
                        "masquerade": f"10.10.1.0/24 out {NAME}"}}
    more = section("tunnel", "second", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=77,
                   address="10.99.0.1/30", route=["10.98.0.0/16", "10.97.0.0/16"])
    # A group, a backup, a return path, and a way to the peer that has to be pinned.
    ways = section("tunnel", "second", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=77,
                   address="10.99.0.1/30", route=["20.10.1.0/24", "fd00:20:1::/64", "172.19.1.0/25"],
                   group="g", **{"return-path": "same-tunnel"})
    ways += section("tunnel", "third", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=78,
                    **{"backup-of": "second"})
    return [site_text(A, **full), site_text(A, key=5, mtu=1300), site_text(A, **full) + more,
            site_text(A, group="g", **full) + ways]


def daemons(namespace):
    found = []
    for pid in namespace.pids():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "greteld":
                found.append(pid)
    return found


def kill_daemons(namespace):
    """What `kill -9` does to greteld, wherever it is in its work; the command it serves lives."""
    for pid in daemons(namespace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def interrupt(site, verb, after):
    """Starts a command and kills the daemon `after` seconds later."""
    command = site.popen(verb)
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun >= after or command.poll() is not None, 10, interval=0.0005)
    # One that is just forking itself into the background is two, of which one look sees one.
    wait_for(lambda: kill_daemons(site.namespace) or not daemons(site.namespace), 5, "the daemon is gone")
    # The command has to see that its daemon is gone, and end; `down` ends by doing it itself.
    command.wait(20)
    wait_for(lambda: kill_daemons(site.namespace) or not site.namespace.pids(), 5, "all are gone")


def converged(site):
    done = site.gretel("up", check=False)
    assert done.returncode == 0, f"up after SIGKILL: {done.returncode} {done.stdout}{done.stderr}"
    plan = site.plan()
    assert plan.returncode == 0, plan.stdout + plan.stderr
    link = site.namespace.link(NAME)
    assert link and "UP" in link["flags"]
    addresses = str(site.namespace.ip_json(f"address show dev {NAME}"))
    assert TUNNEL[4][A] in addresses and TUNNEL[6][A] in addresses
    assert "table inet gretel" in site.namespace.run(["nft", "list", "ruleset"]).stdout
    assert site.namespace.sysctl("net.ipv4.ip_forward") == "1"


def prepare(site, verb, chance):
    """The state that a verb starts from: down for `up`, up with another file for the rest."""
    if verb == "up":
        site.gretel("down", check=False)
        site.write(chance.choice(files()))
    else:
        site.gretel("up")
        if verb == "reload":
            site.write(chance.choice(files()))


@pytest.mark.parametrize("part", range(ROUNDS))
def test_sigkill_at_random_points(scene, tmp_path, part):
    chance = random.Random(5000 + part)
    router = scene.router[A]
    before = dump(router)
    site = Site(router, tmp_path / A, files()[0])
    begun = time.monotonic()
    site.up()
    longest = time.monotonic() - begun
    for _ in range(POINTS // ROUNDS):
        verb = chance.choice(("up", "reload", "down"))
        prepare(site, verb, chance)
        interrupt(site, verb, chance.uniform(0, 1.2 * longest))
        converged(site)
    site.down()
    assert_same(before, dump(router))


def test_down_after_sigkill_without_up(scene, tmp_path):
    """`down` with nobody running takes back what the killed daemon had made."""
    router = scene.router[A]
    before = dump(router)
    site = Site(router, tmp_path / A, files()[2])
    site.up()
    kill_daemons(router)
    wait_for(lambda: not router.pids(), 5)
    assert router.link(NAME), "the interface stays while nobody carries it"
    site.down()
    assert_same(before, dump(router))


def test_killed_daemon_is_followed_without_a_gap_in_the_interface(scene, tmp_path):
    """The next start adopts the interface: same index, and LANs talk again."""
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side)) for side in (A, B)}
    for site in sites.values():
        site.up()
    ping(scene.host[A], HOST[4][B])
    index = scene.router[A].link(NAME)["ifindex"]
    kill_daemons(scene.router[A])
    wait_for(lambda: not scene.router[A].pids(), 5)
    sites[A].up()
    assert scene.router[A].link(NAME)["ifindex"] == index
    ping(scene.host[A], HOST[4][B])
