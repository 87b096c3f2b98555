# SPDX-License-Identifier: GPL-2.0-or-later
"""`remote = NAME` when there is no answer, no good one, or one that clashes: the tunnel waits or keeps
what it had, and the others do not notice."""
import time

import pytest
from dns import (NO_ERROR, OTHER, PEER, SERVER_FAILURE, NamedSite, peer, remote, server, site)
from gretel import NAME, ping, section, tunnel
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY


def test_unknown_name(scene, server, site, peer):
    """The tunnel waits with the resolver's words, without a carrier; it comes up when there is an
    answer, and the others are up all the time."""
    site.write(site.file.read_text() + section("tunnel", "other", local=UNDERLAY[4][A], remote=OTHER))
    done = site.gretel("up", check=False)
    assert done.returncode == 1 and f"{PEER} cannot be looked up: Domain name not found" in done.stderr
    status = site.tunnel()
    assert status["state"] == "waiting" and "Domain name not found" in status["reason"]
    assert scene.router[A].link(NAME)["ifalias"].startswith(f"gretel: gre local {UNDERLAY[4][A]} remote {PEER}")
    assert status["remote"] == "" and site.tunnel("other")["state"] == "up"
    link = scene.router[A].link(NAME)
    assert "LOWER_UP" not in link["flags"] and TUNNEL[4][A] in str(scene.router[A].ip_json("address"))
    server.set(PEER, UNDERLAY[4][B])
    wait_for(lambda: site.tunnel()["state"] == "up", 10)
    ping(scene.host[A], HOST[4][B])
    assert "LOWER_UP" in scene.router[A].link(NAME)["flags"]


def test_failure_keeps_the_last_address(scene, server, site, peer):
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    server.code = SERVER_FAILURE
    asked = server.asked(PEER)
    wait_for(lambda: server.asked(PEER) >= asked + 2, 15)
    assert (site.tunnel()["state"], remote(site)) == ("up", UNDERLAY[4][B])
    ping(scene.host[A], HOST[4][B])
    server.set(PEER, OTHER)
    server.code = NO_ERROR
    wait_for(lambda: remote(site) == OTHER, 15)


def test_asked_anew_when_the_underlay_changes(scene, server, site):
    """After a failure the next question would be seconds away; a new default route may be the cure."""
    server.code = SERVER_FAILURE
    site.gretel("up", check=False)
    looks = []  # times at which a question came that was not a repeated one

    def slower():
        if server.asked(PEER) != (looks[-1][1] if looks else 0):
            looks.append((time.monotonic(), server.asked(PEER)))
        return len(looks) > 1 and time.monotonic() - looks[-1][0] > 1.5
    wait_for(slower, 20)
    server.code = NO_ERROR
    server.set(PEER, UNDERLAY[4][B])
    begun = time.monotonic()
    scene.router[A].ip("route add default via 172.19.1.254")
    wait_for(lambda: site.tunnel()["state"] == "up", 10)
    assert time.monotonic() - begun < 1.5


def test_known_to_the_next_daemon(server, site):
    """What was found is there after a SIGKILL, though no server answers."""
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    site.namespace.run(["kill", "-9", site.pid()])
    wait_for(lambda: site.pid() is None, 10)
    server.silent = True
    begun = time.monotonic()
    site.up()
    assert time.monotonic() - begun < 2 and remote(site) == UNDERLAY[4][B]


def test_silent_server_is_not_waited_for(server, site):
    """The first look-up has three seconds; what has nothing to do with it goes on meanwhile."""
    server.silent = True
    begun = time.monotonic()
    done = site.gretel("up", check=False)
    assert time.monotonic() - begun > 2.5
    assert done.returncode == 1 and f"{PEER} has not been looked up yet" in done.stderr


@pytest.mark.parametrize("address, said", [("127.0.0.1", "is a loopback address"),
                                           ("224.0.0.5", "is a multicast address"),
                                           (UNDERLAY[4][A], "is the local address, too"),
                                           ("10.10.1.1", "is an address of this host")])
def test_answer_that_cannot_be(scene, server, site, address, said):
    server.set(PEER, address)
    assert site.gretel("up", check=False).returncode == 1
    assert said in site.tunnel()["reason"]
    server.set(PEER, UNDERLAY[4][B])
    wait_for(lambda: site.tunnel()["state"] == "up", 10)


@pytest.mark.parametrize("address", ["10.60.0.2", TUNNEL[4][B]])
def test_answer_behind_a_tunnel(scene, server, site, address):
    """A peer that would be reached through a tunnel, another one or its own: this one waits, and all
    others are kept as the file says."""
    site.write(site.file.read_text() + tunnel(A, name="other", key=8, address="10.60.0.1 peer 10.60.0.2",
                                              route="10.61.0.0/16"))
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    server.set(PEER, address)
    wait_for(lambda: site.tunnel()["state"] == "waiting", 10)
    assert f"{address}, which {PEER} stands for, would be reached through" in site.tunnel()["reason"]
    scene.router[A].ip("route del 10.61.0.0/16")
    wait_for(lambda: scene.router[A].ip_json("route show 10.61.0.0/16"), 10)
    server.set(PEER, UNDERLAY[4][B])
    wait_for(lambda: site.tunnel()["state"] == "up", 10)


def test_clash_shows_later(scene, server, tmp_path):
    """Two names turn out to be one machine: the later tunnel waits, until they are two again."""
    keys = {"local": UNDERLAY[4][A], "address": None, "route": None}
    site = NamedSite(scene.router[A], tmp_path / A, section("tunnel", "one", **{**keys, "remote": "one.test"})
                     + section("tunnel", "two", **{**keys, "remote": "two.test"}))
    server.set("one.test", UNDERLAY[4][B])
    server.set("two.test", UNDERLAY[4][B])
    done = site.gretel("up", check=False)
    assert done.returncode == 1 and "received packets could not be told apart" in done.stderr
    assert (site.tunnel("one")["state"], site.tunnel("two")["state"]) == ("up", "waiting")
    assert "as that of one" in site.tunnel("two")["reason"]
    server.set("two.test", OTHER)
    wait_for(lambda: site.tunnel("two")["state"] == "up", 10)


def test_all_else_is_there_before_the_name(server, site):
    """Interface, addresses and routes do not wait for it; the route is dead, there is no carrier."""
    assert site.gretel("up", check=False).returncode == 1
    routes = [route for route in site.namespace.ip_json("route") if route["dst"] == LAN[4][B]]
    assert routes and routes[0]["dev"] == NAME and "linkdown" in routes[0]["flags"]


def test_show_and_doctor(server, site):
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    assert f"remote {UNDERLAY[4][B]} " in site.gretel("show").stdout
    server.code = SERVER_FAILURE
    site.edit(PEER, "other.example.org")
    site.gretel("reload", check=False)
    first = site.gretel("doctor", check=False).stdout.splitlines()[0]
    assert "other.example.org cannot be looked up: Could not contact DNS servers" in first
    assert "remote any " in site.gretel("show").stdout
