# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands on a real router: their words, their exit codes, their JSON; and the daemon's manners."""
import json
import os
import signal
import socket
import subprocess

import pytest
from gretel import BUILD, NAME, ROOT, Site, both_up, ping, section, site_text
from net import run, wait_for
from scene import A, B, HOST, TUNNEL, UNDERLAY

USAGE, CONFIG, NOT_RUNNING, CHANGES = 2, 3, 4, 5


@pytest.fixture
def site(scene, tmp_path):
    return Site(scene.router[A], tmp_path / A, site_text(A, key=4242))


@pytest.mark.parametrize("verb", ("status", "reload", "show"))
def test_nobody_answers(site, verb):
    done = site.gretel(verb, check=False)
    assert done.returncode == NOT_RUNNING and "gretel up" in done.stderr


def test_wrong_words(site):
    for words in (["nonsense"], [], ["up", "now", "please"], ["add"], ["change", "x"]):
        assert site.gretel(*words, check=False).returncode == USAGE, words


def test_check_touches_nothing(site):
    assert site.gretel("check").returncode == 0
    site.edit("key = 4242", "key = 42x42")
    done = site.gretel("check", check=False)
    assert done.returncode == CONFIG and f"{site.file}:" in done.stderr
    assert site.gretel("up", check=False).returncode == CONFIG
    assert site.namespace.link(NAME) is None and not site.run_directory.joinpath("control.sock").exists()


def test_plan_before_up(site):
    done = site.plan()
    assert done.returncode == CHANGES
    assert NAME in done.stdout and "20.10.1.0/24" in done.stdout
    assert site.namespace.link(NAME) is None


def test_config_is_the_inverse_of_reading(site):
    site.up()
    text = site.gretel("config").stdout
    site.write(text)
    assert site.gretel("config").stdout == text
    assert site.plan().returncode == 0, "the printed file says the same"


def test_status_for_programs(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=4242)
    ping(scene.host[A], HOST[4][B])
    status = sites[A].status()
    assert status["pid"] == sites[A].pid() and status["workers"] >= 1
    tunnel = sites[A].tunnel()
    assert (tunnel["name"], tunnel["state"], tunnel["lane"]) == (NAME, "up", "user")
    assert (tunnel["local"], tunnel["remote"]) == (UNDERLAY[4][A], UNDERLAY[4][B])
    assert (tunnel["ikey"], tunnel["okey"], tunnel["mtu"], tunnel["mss4"]) == (4242, 4242, 1472, 1432)
    for way in ("rx", "tx"):
        assert tunnel[way]["packets"] >= 1 and tunnel[way]["bytes"] >= 84
    assert tunnel["last_rx_ms"] < 10_000
    assert all(count == 0 for count in tunnel["drops"].values())


def test_status_for_people(scene, tmp_path):
    sites = both_up(scene, tmp_path, key=4242)
    text = sites[A].gretel("status").stdout
    for word in (NAME, "up", "user", UNDERLAY[4][A], UNDERLAY[4][B], "1472", "4242"):
        assert word in text, text


def test_status_counts_packets_as_the_interface_does(scene, tmp_path):
    """In the user lane; the kernel does not let anybody count on the interface what its lanes carry."""
    sites = both_up(scene, tmp_path, lane="user")
    ping(scene.host[A], HOST[4][B], count=20)

    def agree():
        """Nothing passed between the two looks."""
        tunnel, link = sites[A].tunnel(), scene.router[A].link(NAME)["stats64"]
        return all(tunnel[way]["packets"] == link[way]["packets"] >= 20 for way in ("rx", "tx"))
    wait_for(agree, 5)


def test_words_of_ip_tunnel(scene, tmp_path):
    """The classic first line with one word changed, then the rest of the recipe by hand."""
    for side, far in ((A, B), (B, A)):
        site = Site(scene.router[side], tmp_path / side, "")
        site.file.unlink()
        words = f"add gre1 mode gre remote {UNDERLAY[4][far]} local {UNDERLAY[4][side]} ttl 200 key 5 csum"
        command = [BUILD / "src/cmd/gretel", "-r", site.run_directory, *words.split()]
        scene.router[side].run(command, env=site.env)
        scene.router[side].ip(f"address add {TUNNEL[4][side]} peer {TUNNEL[4][far]} dev gre1",
                              "link set dev gre1 up")
    ping(scene.router[A], TUNNEL[4][B])
    gretel = [BUILD / "src/cmd/gretel", "-r", site.run_directory]
    shown = scene.router[B].run([*gretel, "show"], env=site.env).stdout
    for word in ("gre1", "remote", UNDERLAY[4][A], "local", UNDERLAY[4][B], "ttl 200", "key 5", "csum"):
        assert word in shown, shown
    scene.router[B].run([*gretel, "change", "gre1", "key", "6"], env=site.env)
    assert "key 6" in scene.router[B].run([*gretel, "show", "gre1"], env=site.env).stdout
    assert TUNNEL[4][B] in str(scene.router[B].ip_json("address show dev gre1"))
    scene.router[B].run([*gretel, "del", "gre1"], env=site.env)
    assert scene.router[B].link("gre1") is None


def test_added_tunnels_live_beside_the_file(site):
    site.up()
    words = f"add extra mode gre remote {UNDERLAY[4][B]} local {UNDERLAY[4][A]} key 9".split()
    site.gretel(*words)
    assert {one["name"] for one in site.status()["tunnels"]} == {NAME, "extra"}
    os.kill(site.pid(), signal.SIGKILL)
    wait_for(lambda: not site.namespace.pids(), 5)
    site.up()
    assert {one["name"] for one in site.status()["tunnels"]} == {NAME, "extra"}, "added ones outlive the daemon"
    assert site.gretel(*words, check=False).returncode != 0, "the name is taken"
    assert site.gretel("del", NAME, check=False).returncode != 0, "the file's tunnels are the file's"
    site.gretel("del", "extra")
    assert site.namespace.link("extra") is None and site.namespace.link(NAME)


def test_two_daemons_in_one_namespace(site, tmp_path):
    """The second one says that there is one, and where."""
    site.up()
    second = Site(site.namespace, tmp_path / "second", section(
        "tunnel", "t2", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=1))
    done = second.gretel("up", check=False)
    assert done.returncode == 1 and done.stderr.strip(), done.stdout + done.stderr
    assert site.namespace.link("t2") is None and site.namespace.link(NAME)


def test_underlay_address_is_missing(scene, tmp_path):
    """A tunnel that cannot be in place is told by name, with the reason, and the command fails."""
    site = Site(scene.router[A], tmp_path / A, site_text(A).replace(f"local = {UNDERLAY[4][A]}", "local = 172.19.1.9"))
    done = site.gretel("up", check=False)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "172.19.1.9" in done.stdout + done.stderr


def foreground(site, **options):
    return site.namespace.popen([BUILD / "src/cmd/greteld", "-c", site.file, "-r", site.run_directory, "-f"],
                                env={**site.env, **options.pop("env", {})}, stderr=subprocess.PIPE, **options)


def notify_socket(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(10)
    return sock


def test_foreground_under_a_service_manager(site, tmp_path, undo):
    """READY=1 once every tunnel is in place; SIGHUP reloads; SIGTERM ends it."""
    sock = notify_socket(tmp_path / "notify")
    undo.callback(sock.close)
    daemon = foreground(site, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    wait_for(lambda: b"READY=1" in sock.recv(4096), 10)
    assert "UP" in site.namespace.link(NAME)["flags"]
    site.edit("key = 4242", "key = 4243")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: site.tunnel()["ikey"] == 4243, 5)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(10) == 0


def test_watchdog(site, tmp_path, undo):
    sock = notify_socket(tmp_path / "notify")
    undo.callback(sock.close)
    foreground(site, env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
    wait_for(lambda: b"WATCHDOG=1" in sock.recv(4096), 10)
    wait_for(lambda: b"WATCHDOG=1" in sock.recv(4096), 10)


def test_service_stop_keeps_the_site_or_says_so(site):
    """A stopped daemon leaves interfaces for the next start; `down` is what removes them."""
    daemon = foreground(site)
    wait_for(lambda: site.namespace.link(NAME) and site.pid(), 10)
    wait_for(lambda: site.gretel("status", check=False).returncode == 0, 5)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(10)
    site.down()
    assert site.namespace.link(NAME) is None


def test_version_and_help():
    gretel, greteld = BUILD / "src/cmd/gretel", BUILD / "src/cmd/greteld"
    assert run([gretel, "version"]).stdout.startswith("gretel ")
    assert json.loads(run([gretel, "--json", "version"]).stdout)["version"] in run([gretel, "version"]).stdout
    text = run([gretel, "help"]).stdout
    for verb in "check plan up down reload status doctor config add change del show version".split():
        assert verb in text
    assert run([greteld, "--version"]).stdout and run([greteld, "--help"]).stdout


@pytest.mark.parametrize("name", ("site-a.conf", "site-b.conf"))
def test_shipped_example(scene, tmp_path, name):
    """The files of the demo, as they are."""
    side = A if name == "site-a.conf" else B
    site = Site(scene.router[side], tmp_path / side, (ROOT / "examples" / name).read_text())
    site.up()
    assert site.tunnel()["state"] == "up"
