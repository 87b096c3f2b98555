# SPDX-License-Identifier: GPL-2.0-or-later
"""`remote = NAME`: asked of the name server, obeyed by its TTL, followed when it changes, kept when it
fails; and what it means for the other tunnels."""
import json
import time

import pytest
from dns import AAAA, CNAME, NO_ERROR, SERVER_FAILURE, NamedSite, NameServer
from gretel import NAME, Site, ping, section, site_text, tunnel
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY, UNDERLAY_LENGTH

PEER = "peer.example.org"
OTHER = "172.19.1.9"


@pytest.fixture
def server(scene, undo):
    made = NameServer(scene.router[A])
    undo.callback(made.close)
    return made


def named_text(side=A, outer=4, name=PEER, **keys):
    """The scene's file with a name in place of the peer's address."""
    text = site_text(side, outer, **keys)
    return text.replace(f"remote = {UNDERLAY[outer][B]}", f"remote = {name}")


@pytest.fixture
def site(scene, tmp_path, server):
    return NamedSite(scene.router[A], tmp_path / A, named_text(key=7))


@pytest.fixture
def peer(scene, tmp_path):
    made = Site(scene.router[B], tmp_path / B, site_text(B, key=7))
    made.up()
    return made


def remote(site, name=NAME):
    return site.tunnel(name)["remote"]


def test_up_with_the_first_answer(scene, server, site, peer):
    """`gretel up` waits for it, and all is in place when it returns."""
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    status = site.tunnel()
    assert (status["state"], status["remote"], status["remote_name"]) == ("up", UNDERLAY[4][B], PEER)
    ping(scene.host[A], HOST[4][B])
    assert UNDERLAY[4][B] in scene.router[A].run(["nft", "list", "set", "inet", "gretel", "outer4"]).stdout
    assert site.plan().returncode == 0


def test_six(scene, server, tmp_path):
    """The family follows `local`."""
    server.set(PEER, UNDERLAY[4][B])
    server.set(PEER, UNDERLAY[6][B])
    site = NamedSite(scene.router[A], tmp_path / A, named_text(outer=6))
    site.up()
    assert remote(site) == UNDERLAY[6][B] and server.asked(PEER) == 0


def test_check_and_config_ask_nobody(server, site):
    assert site.gretel("check").stdout.endswith("correct, 1 tunnel\n")
    assert f"remote = {PEER}\n" in site.gretel("config").stdout
    assert not server.questions


def test_ttl_is_obeyed(server, site):
    server.set(PEER, UNDERLAY[4][B], ttl=2)
    site.up()
    begun, asked = time.monotonic(), server.asked(PEER)
    wait_for(lambda: server.asked(PEER) == asked + 3, 15)
    assert 5.0 < time.monotonic() - begun < 9.0


def test_long_ttl(server, site):
    """Nobody is asked again before it has passed; an alias's shorter one counts."""
    site.write(site.file.read_text() + section("tunnel", "tick", local=UNDERLAY[4][A], remote="tick.test"))
    server.set("tick.test", OTHER, ttl=1)
    server.set("long.example.org", UNDERLAY[4][B], ttl=600)
    server.records[PEER, CNAME] = (2, ["long.example.org"])
    site.up()
    asked = server.asked(PEER)
    wait_for(lambda: server.asked(PEER) == asked + 1, 10)
    server.records[PEER, CNAME] = (600, ["long.example.org"])
    wait_for(lambda: server.asked(PEER) == asked + 2, 10)
    ticks = server.asked("tick.test")
    wait_for(lambda: server.asked("tick.test") >= ticks + 3, 10)
    assert server.asked(PEER) == asked + 2


def test_change_is_followed(scene, server, site, peer):
    """The interface, its key, addresses and counters go on; another tunnel loses no packet."""
    site.write(site.file.read_text() + tunnel(A, name="other", key=8, address="10.60.0.1 peer 10.60.0.2",
                                              route=[]))
    peer.write(peer.file.read_text() + tunnel(B, name="other", key=8, address="10.60.0.2 peer 10.60.0.1",
                                              route=[]))
    peer.reload()
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    ping(scene.host[A], HOST[4][B])
    index, sent = scene.router[A].link(NAME)["ifindex"], site.tunnel()["tx"]["packets"]
    flood = scene.router[A].popen(["ping", "-n", "-q", "-i", "0.01", "-c", 300, "10.60.0.2"], stdout=-1)
    scene.router[B].ip(f"address add {OTHER}/{UNDERLAY_LENGTH[4]} dev bond0")
    peer.write(peer.file.read_text().replace(f"local = {UNDERLAY[4][B]}", f"local = {OTHER}", 1))
    peer.reload()
    server.set(PEER, OTHER)
    wait_for(lambda: remote(site) == OTHER, 5)
    ping(scene.host[A], HOST[4][B])
    assert scene.router[A].link(NAME)["ifindex"] == index
    assert site.tunnel()["tx"]["packets"] > sent > 0 and site.tunnel()["okey"] == 7
    listed = scene.router[A].run(["nft", "list", "set", "inet", "gretel", "outer4"]).stdout
    assert OTHER in listed
    assert " 0% packet loss" in flood.communicate(timeout=20)[0]
    assert site.plan().returncode == 0


def test_one_of_several_is_kept(server, site):
    server.set(PEER, UNDERLAY[4][B], OTHER)
    site.up()
    asked = server.asked(PEER)
    server.set(PEER, OTHER, UNDERLAY[4][B])
    wait_for(lambda: server.asked(PEER) >= asked + 2, 10)
    assert remote(site) == UNDERLAY[4][B]
    server.set(PEER, OTHER, "172.19.1.10")
    wait_for(lambda: remote(site) == OTHER, 5)


def test_unknown_name(scene, server, site, peer):
    """The tunnel waits with the resolver's words, without a carrier; it comes up when there is an
    answer, and the others are up all the time."""
    site.write(site.file.read_text() + section("tunnel", "other", local=UNDERLAY[4][A], remote=OTHER))
    done = site.gretel("up", check=False)
    assert done.returncode == 1 and f"{PEER} cannot be looked up: Domain name not found" in done.stderr
    status = site.tunnel()
    assert status["state"] == "waiting" and "Domain name not found" in status["reason"]
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
    wait_for(lambda: server.asked(PEER) >= asked + 3, 15)
    assert (site.tunnel()["state"], remote(site)) == ("up", UNDERLAY[4][B])
    ping(scene.host[A], HOST[4][B])
    server.set(PEER, OTHER)
    server.code = NO_ERROR
    wait_for(lambda: remote(site) == OTHER, 15)


def test_known_to_the_next_daemon(server, site):
    """What was found is there after a SIGKILL, though no server answers."""
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    site.namespace.run(["kill", "-9", site.pid()])
    wait_for(lambda: site.pid() is None, 5)
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


def test_reload_waits_for_a_new_name(server, site):
    """The new name is looked up before anything is touched; other commands are answered meanwhile."""
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    site.edit(PEER, "new.example.org")
    server.silent = True
    reload = site.popen("reload", stdout=-1, stderr=-1)
    wait_for(lambda: server.asked("new.example.org"), 5)
    assert remote(site) == UNDERLAY[4][B] and reload.poll() is None
    server.set("new.example.org", OTHER)
    server.silent = False
    assert reload.wait(10) == 0 and remote(site) == OTHER


def test_hosts_file(server, site):
    site.hosts(f"{UNDERLAY[4][B]} {PEER}")
    site.up()
    assert remote(site) == UNDERLAY[4][B] and server.asked(PEER) == 0


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


def test_asked_when_the_peer_is_silent(scene, server, site, peer):
    """A long TTL does not keep a dead peer's address: it is asked for anew at the verdict."""
    site.edit("key = 7", "key = 7\nkeepalive = 200ms 5")
    server.set(PEER, UNDERLAY[4][B], ttl=3600)
    site.up()
    wait_for(lambda: site.tunnel()["usable"] is True, 5)
    scene.router[B].ip(f"address add {OTHER}/{UNDERLAY_LENGTH[4]} dev bond0")
    server.set(PEER, OTHER)
    peer.edit(f"local = {UNDERLAY[4][B]}", f"local = {OTHER}")
    peer.reload()
    wait_for(lambda: remote(site) == OTHER, 10)
    wait_for(lambda: site.tunnel()["usable"] is True, 5)


def test_plan_says_what_it_means(server, site):
    """The command has no resolver; it knows what the daemon has found."""
    server.set(PEER, UNDERLAY[4][B])
    plan = site.plan()
    assert plan.returncode == 5 and f"{PEER} has not been looked up yet" in plan.stdout
    site.up()
    assert site.plan().stdout.startswith("nothing to do")


def test_both_ends_move(scene, server, tmp_path):
    """A name of both families beside a device of one: the family that both have."""
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    server.set(PEER, UNDERLAY[4][B])
    server.set(PEER, UNDERLAY[6][B])
    text = named_text().replace(f"local = {UNDERLAY[4][A]}", "local = address-of bond0")
    site = NamedSite(scene.router[A], tmp_path / A, text)
    site.up()
    status = site.tunnel()
    assert (status["local"], status["remote"]) == (UNDERLAY[6][A], UNDERLAY[6][B])
    assert server.asked(PEER, AAAA) > 0
    scene.router[A].ip(f"address add {UNDERLAY[4][A]}/24 dev bond0")
    wait_for(lambda: site.tunnel()["local"] == UNDERLAY[4][A], 5)
    assert json.loads(site.gretel("--json", "plan").stdout)["exit"] == 0


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
