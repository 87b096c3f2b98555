# SPDX-License-Identifier: GPL-2.0-or-later
"""`remote = NAME`: asked of the name server, obeyed by its TTL, followed when it changes; and what that
means for the other tunnels."""
import json
import time

from dns import (AAAA, CNAME, OTHER, PEER, NamedSite, named_text, peer, remote, server, site)
from gretel import NAME, ping, section, tunnel
from net import wait_for
from scene import A, B, HOST, UNDERLAY, UNDERLAY_LENGTH


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
    wait_for(lambda: server.asked(PEER) == asked + 2, 15)
    assert 3.0 < time.monotonic() - begun < 6.0


def test_long_ttl(server, site):
    """Nobody is asked again before it has passed; an alias's shorter one counts."""
    site.write(site.file.read_text() + section("tunnel", "tick", local=UNDERLAY[4][A], remote="tick.test"))
    server.set("tick.test", OTHER, ttl=1)
    server.set("long.example.org", UNDERLAY[4][B], ttl=600)
    server.records[PEER, CNAME] = (1, ["long.example.org"])
    site.up()
    asked = server.asked(PEER)
    wait_for(lambda: server.asked(PEER) == asked + 1, 10)
    server.records[PEER, CNAME] = (600, ["long.example.org"])
    wait_for(lambda: server.asked(PEER) == asked + 2, 10)
    ticks = server.asked("tick.test")
    wait_for(lambda: server.asked("tick.test") >= ticks + 2, 10)
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
    flood = scene.router[A].popen(["ping", "-n", "-q", "-i", "0.01", "-c", 200, "10.60.0.2"], stdout=-1)
    scene.router[B].ip(f"address add {OTHER}/{UNDERLAY_LENGTH[4]} dev bond0")
    peer.write(peer.file.read_text().replace(f"local = {UNDERLAY[4][B]}", f"local = {OTHER}", 1))
    peer.reload()
    server.set(PEER, OTHER)
    wait_for(lambda: remote(site) == OTHER, 10)
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
    wait_for(lambda: remote(site) == OTHER, 10)


def test_reload_waits_for_a_new_name(server, site):
    """The new name is looked up before anything is touched; other commands are answered meanwhile."""
    server.set(PEER, UNDERLAY[4][B])
    site.up()
    site.edit(PEER, "new.example.org")
    server.silent = True
    reload = site.popen("reload", stdout=-1, stderr=-1)
    wait_for(lambda: server.asked("new.example.org"), 10)
    assert remote(site) == UNDERLAY[4][B] and reload.poll() is None
    server.set("new.example.org", OTHER)
    server.silent = False
    assert reload.wait(10) == 0 and remote(site) == OTHER


def test_hosts_file(server, site):
    site.hosts(f"{UNDERLAY[4][B]} {PEER}")
    site.up()
    assert remote(site) == UNDERLAY[4][B] and server.asked(PEER) == 0


def test_asked_when_the_peer_is_silent(scene, server, site, peer):
    """A long TTL does not keep a dead peer's address: it is asked for anew at the verdict."""
    site.edit("key = 7", "key = 7\nkeepalive = 200ms 5")
    server.set(PEER, UNDERLAY[4][B], ttl=3600)
    site.up()
    wait_for(lambda: site.tunnel()["usable"] is True, 10)
    scene.router[B].ip(f"address add {OTHER}/{UNDERLAY_LENGTH[4]} dev bond0")
    server.set(PEER, OTHER)
    peer.edit(f"local = {UNDERLAY[4][B]}", f"local = {OTHER}")
    peer.reload()
    wait_for(lambda: remote(site) == OTHER, 10)
    wait_for(lambda: site.tunnel()["usable"] is True, 10)


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
    wait_for(lambda: site.tunnel()["local"] == UNDERLAY[4][A], 10)
    assert json.loads(site.gretel("--json", "plan").stdout)["exit"] == 0
