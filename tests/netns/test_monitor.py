# SPDX-License-Identifier: GPL-2.0-or-later
"""`gretel monitor`: the snapshot, then every event as it happens; readers that are slow or vanish,
and the end of the daemon."""
import datetime
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest
from gretel import NAME, Site, both_up, site_text
from lanes import wait_loaded
from net import Failed, wait_for
from scene import A, B, LAN, UNDERLAY

NOT_RUNNING = 4
QUEUE_MAX = 256 << 10


class Monitor:
    """A running `gretel monitor` whose lines are read as they come."""

    def __init__(self, site, *words):
        self.process = site.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.snapshot = self.next()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((json.loads(line), time.monotonic()))

    def next(self, deadline=10):
        try:
            return self.lines.get(timeout=deadline)[0]
        except queue.Empty:
            raise Failed("no event came") from None

    def until(self, event, deadline=5, **members):
        """The next event of this name with these members; those before it are passed over."""
        end, seen = time.monotonic() + deadline, []
        while time.monotonic() < end:
            try:
                line = self.next(max(end - time.monotonic(), 0.01))
            except Failed:
                break
            seen.append(line)
            if line["event"] == event and all(line.get(key) == value for key, value in members.items()):
                return line
        raise Failed(f"no {event} with {members}; seen {seen}")

    def end(self):
        code = self.process.wait(10)
        self.reader.join(5)
        return code


@pytest.fixture
def site(scene, tmp_path):
    made = Site(scene.router[A], tmp_path / A, site_text(A))
    made.up()
    return made


def test_snapshot(site):
    monitor = Monitor(site, "monitor")
    assert monitor.snapshot["event"] == "snapshot" and monitor.snapshot["pid"] == site.pid()
    tunnel, = monitor.snapshot["tunnels"]
    assert (tunnel["name"], tunnel["state"], tunnel["usable"]) == (NAME, "up", True)
    assert tunnel["remote"] == UNDERLAY[4][B] and "drops" not in tunnel
    when = datetime.datetime.fromisoformat(monitor.snapshot["time"].replace("Z", "+00:00"))
    assert abs(when.timestamp() - time.time()) < 5
    assert abs(monitor.snapshot["monotonic_ms"] / 1000 - time.monotonic()) < 5


def test_unknown_tunnel(site):
    done = site.gretel("monitor", "nonsense", check=False)
    assert done.returncode == 1 and "there is no tunnel nonsense" in done.stderr


def test_no_daemon(site):
    site.down()
    done = site.gretel("monitor", check=False)
    assert done.returncode == NOT_RUNNING and "is not running" in done.stderr


def test_repair_and_reload(scene, site):
    """Who removed what, what was put back; a reload that is refused, one that adds, one that removes."""
    monitor = Monitor(site, "--json", "monitor")
    scene.router[A].ip(f"route del {LAN[4][B]}")
    repair = monitor.until("repair")
    assert any(LAN[4][B] in step for step in repair["steps"])
    assert repair["removed"][0]["what"] == f"route {LAN[4][B]}" and repair["removed"][0]["pid"] > 0
    text = site.file.read_text()
    site.write("[tunnel]\n")
    assert site.gretel("reload", check=False).returncode == 3
    assert monitor.until("reload")["accepted"] is False
    site.write(text + f"[tunnel t2]\nlocal = {UNDERLAY[4][A]}\nremote = 172.19.1.77\nkey = 7\n")
    site.reload()
    assert monitor.until("state")["tunnel"] == "t2"
    assert monitor.until("usable", tunnel="t2")["usable"] is True
    reload = monitor.until("reload")
    assert (reload["accepted"], reload["tunnels"], reload["up"]) == (True, 2, 2)
    site.write(text)
    site.reload()
    assert monitor.until("state", tunnel="t2")["state"] == "removed"
    assert monitor.until("usable", tunnel="t2")["usable"] is False


def test_waiting(scene, site):
    monitor = Monitor(site, "monitor")
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    assert UNDERLAY[4][A] in monitor.until("state", state="waiting")["reason"]
    assert monitor.until("usable")["usable"] is False
    scene.router[A].ip(f"address add {UNDERLAY[4][A]}/24 dev bond0")
    monitor.until("state", state="up")
    assert monitor.until("usable")["usable"] is True


def test_path_mtu(scene, site):
    monitor = Monitor(site, "monitor")
    scene.router[A].ip("link set dev bond0 mtu 1400")
    event = monitor.until("path-mtu", tunnel=NAME)
    assert (event["old"], event["new"], event["mtu"]) == (1500, 1400, 1376)


def test_keepalive(scene, tmp_path):
    sites = both_up(scene, tmp_path, keepalive="200ms 5")
    wait_for(lambda: sites[A].tunnel()["usable"] is True, 10, "the first answer makes it usable")
    monitor = Monitor(sites[A], "monitor", NAME)
    scene.wire.ip("link set dev b down")
    event = monitor.until("keepalive", 10, state="down")
    assert event["tunnel"] == NAME and event["unanswered"] >= 5 and event["since"].endswith("Z")
    assert "no answer to" in monitor.until("usable", usable=False)["reason"]
    scene.wire.ip("link set dev b up")
    monitor.until("keepalive", 10, state="up")
    monitor.until("usable", usable=True)


def test_of_one_tunnel(scene, site):
    """Events of another tunnel are not this reader's; those of the daemon are."""
    monitor = Monitor(site, "monitor", NAME)
    site.write(site.file.read_text() + f"[tunnel t2]\nlocal = {UNDERLAY[4][A]}\n"
               "remote = 172.19.1.77\nkey = 7\n")
    site.reload()
    assert monitor.next()["event"] == "reload"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(site, number):
    monitor = Monitor(site, "monitor")
    os.kill(monitor.process.pid, number)
    assert monitor.end() == 0


def test_reader_gone(site):
    """`gretel monitor | head -1` ends, without waiting for the next event."""
    read, write = os.pipe()
    process = site.popen("monitor", stdout=write)
    os.close(write)
    with os.fdopen(read) as lines:
        assert json.loads(lines.readline())["event"] == "snapshot"
    assert process.wait(5) == 0


def test_daemon_ends(site):
    monitor = Monitor(site, "monitor")
    site.down()
    assert monitor.end() == NOT_RUNNING
    events = [line["event"] for line, _ in list(monitor.lines.queue)]
    assert events[-1] == "stop" and "state" in events
    assert monitor.process.stderr.read() == "gretel: greteld has ended\n"


def test_daemon_killed(site):
    monitor = Monitor(site, "monitor")
    os.kill(site.pid(), signal.SIGKILL)
    assert monitor.end() == NOT_RUNNING


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def connect(site):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(site.run_directory / "control.sock"))
    sock.settimeout(10)
    return sock


def make_events(site, count):
    """Each refused reload is one event."""
    with connect(site) as asking, asking.makefile("rb") as answers:
        for _ in range(count):
            asking.sendall(b'{"verb": "reload", "config": "/nonexistent"}\n')
            assert b'"exit":3' in answers.readline().replace(b" ", b"")


def test_slow_reader(site):
    """A subscriber that does not read costs a bounded queue, and learns how much it has missed; a quick
    one beside it misses nothing."""
    count, seen, lost, octets = 4000, 0, 0, 0
    slow = connect(site)
    slow.sendall(b'{"verb": "monitor"}\n')
    with slow.makefile("rb") as lines:
        lines.readline()
        quick = Monitor(site, "monitor")
        wait_loaded(site)
        before = memory_kb(site.pid())
        make_events(site, count)
        for _ in range(count):
            assert quick.next()["event"] == "reload"
        assert memory_kb(site.pid()) - before < 2048
        while not lost:
            line = lines.readline()
            event, octets = json.loads(line), octets + len(line)
            seen += event["event"] == "reload"
            lost = event.get("events", 0)
        assert seen + lost == count and octets < QUEUE_MAX + (1 << 20)
        make_events(site, 1)
        assert json.loads(lines.readline())["event"] == "reload"
    slow.close()


def test_vanished_reader(site):
    """Its place is free again at once: more come and go than there are places."""
    for _ in range(100):
        with connect(site) as sock:
            sock.sendall(b'{"verb": "monitor"}\n')
            assert b"snapshot" in sock.recv(65536)
    make_events(site, 1)
