#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make demo: two sites joined, each step with what it proves; leaves nothing behind."""
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import time

import net
from flow import tcp_transfer
from gretel import BUILD, NAME, ROOT, Site
from scene import A, B, HOST, TUNNEL, UNDERLAY, Scene, other

PICTURE = """
    10.10.1.0/24 ── eth1 [A] bond0 ═══ 172.19.1.0/24 ═══ bond0 [B] eth1 ── 20.10.1.0/24
     hostA .10   10.10.1.1  172.19.1.1         172.19.1.2  20.10.1.1   .10 hostB
                    My_Tunnel 192.168.8.1  ⇄  192.168.8.11 My_Tunnel

    Every box is a network namespace of this machine; A and B see each other on 172.19.1.0/24
    only, and each host knows its own router as gateway and nothing else.
"""
FILES = {A: ROOT / "examples/site-a.conf", B: ROOT / "examples/site-b.conf"}
OCTETS = 50_000_000
NARROW = 1400
GRE_WITH_KEY = 0x2000


class Demo:
    """Prints what each step proves, and remembers whether one failed."""

    def __init__(self):
        self.failed = 0

    def title(self, text):
        print(f"\n{text}", flush=True)

    def step(self, text, action):
        """`action` returns what was seen; raising, or returning False, is a failure."""
        try:
            seen = action()
        except (AssertionError, OSError) as error:
            seen, text = False, f"{text}\n           {error}"
        good = seen is not False
        self.failed += not good
        detail = f": {seen}" if isinstance(seen, str) else ""
        print(f"  {'ok    ' if good else 'FAILED'}  {text}{detail}", flush=True)
        return good


class Wire:
    """Reads what A and B put on the wire."""

    def __init__(self, namespace):
        self.socks = [net.packet_socket(namespace, port) for port in "ab"]

    def frames(self):
        for sock in self.socks:
            sock.setblocking(False)
            try:
                while True:
                    yield sock.recv(65536)
            except BlockingIOError:
                sock.close()

    def only_gre(self, key):
        """Every IPv4 packet is GRE with just this key, between just these addresses."""
        count = 0
        for frame in self.frames():
            if frame[12:14] != b"\x08\x00":
                continue
            addresses = {socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])}
            flags, protocol, found = struct.unpack("!HHI", frame[34:42])
            assert addresses == set(UNDERLAY[4].values()), f"a packet between {addresses}"
            assert (frame[23], flags, protocol, found) == (47, GRE_WITH_KEY, 0x0800, key), frame.hex()
            count += 1
        assert count, "nothing was seen"
        return f"{count} packets, all GRE (protocol 47) with key {key}, {UNDERLAY[4][A]} ⇄ {UNDERLAY[4][B]}"


def ping(source, destination, size=56, df="dont", count=5):
    done = source.run(["ping", "-n", "-q", "-c", count, "-i", "0.05", "-W", 1, "-M", df, "-s", size,
                       destination], check=False)
    rtt = re.search(r"= [\d.]+/([\d.]+)/", done.stdout)
    assert done.returncode == 0 and f" {count} received" in done.stdout, done.stdout + done.stderr
    return f"{count} of {count}, {rtt[1]} ms"


def no_ping(source, destination):
    done = source.run(["ping", "-n", "-c", 1, "-W", 1, destination], check=False)
    assert done.returncode != 0, "it answered"
    said = re.search(r"From .*", done.stdout)
    return f"“{said[0]}”" if said else "no answer"


def refused_as_too_big(source, destination, size, limit):
    done = source.run(["ping", "-n", "-c", 2, "-i", "0.1", "-W", 1, "-M", "do", "-s", size, destination],
                      check=False)
    assert done.returncode != 0 and f"mtu = {limit}" in (done.stdout + done.stderr).replace("mtu=", "mtu = "), \
        done.stdout + done.stderr
    return f"the source is told “mtu = {limit}”"


def transfer(scene, side):
    done = tcp_transfer(scene.host[side], scene.host[other(side)], 4, HOST[4][other(side)], OCTETS)
    assert done and done.octets == OCTETS, str(done)
    rate = OCTETS * 8 / done.seconds / 1e9
    return f"sha256 {done.received_digest[:16]}… on both ends, {done.seconds:.2f} s, {rate:.1f} Gbit/s"


def command(demo, site, side, verb):
    """Runs a command as a person would, and shows it with its time."""
    name = FILES[side].relative_to(ROOT)

    def run():
        begun = time.monotonic()
        done = site.gretel(*verb.split(), check=False)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return f"exit 0 after {(time.monotonic() - begun) * 1000:.0f} ms"
    return demo.step(f"{side}# gretel -c {name} {verb}", run)


def tunnel_mtu(scene, side):
    return scene.router[side].link(NAME)["mtu"]


def narrow(scene):
    """The underlay's devices get a smaller MTU; gretel has to notice by itself."""
    for side, port in ((A, "a"), (B, "b")):
        scene.wire.ip(f"link set dev {port} mtu {NARROW}")
        scene.router[side].ip(f"link set dev bond0 mtu {NARROW}")
    expected = NARROW - 20 - 8
    net.wait_for(lambda: {tunnel_mtu(scene, side) for side in (A, B)} == {expected}, 5,
                 lambda: f"MTU of A's tunnel {tunnel_mtu(scene, A)}, of B's {tunnel_mtu(scene, B)}")
    return f"{expected} = {NARROW} - 20 (IPv4) - 8 (GRE with key)"


def both_ways(demo, scene, text, **options):
    for side in (A, B):
        demo.step(f"{scene.host[side]} → {scene.host[other(side)]} {text}",
                  lambda: ping(scene.host[side], HOST[4][other(side)], **options))


def before(demo, scene, sites):
    demo.title("Before")
    demo.step("the two LANs do not know each other; hostA pings hostB",
              lambda: no_ping(scene.host[A], HOST[4][B]))
    demo.step("A reaches B on the underlay", lambda: ping(scene.router[A], UNDERLAY[4][B]))
    for side in (A, B):
        command(demo, sites[side], side, "check")


def joined(demo, scene, sites):
    demo.title("Join them")
    for side in (A, B):
        command(demo, sites[side], side, "up")
    demo.step("the tunnel's own addresses answer", lambda: ping(scene.router[A], TUNNEL[4][B]))
    wire = Wire(scene.wire)
    both_ways(demo, scene, "LAN to LAN")
    demo.step("on the wire", lambda: wire.only_gre(4242))
    for side in (A, B):
        demo.step(f"50 MB of random octets over TCP, {scene.host[side]} → {scene.host[other(side)]}",
                  lambda: transfer(scene, side))
    for side in (A, B):
        demo.step(f"{side}# gretel plan", lambda: sites[side].gretel("plan").stdout.strip())


def fragmented(demo, scene):
    demo.title("A path that needs fragmentation")
    both_ways(demo, scene, "4000 octets, DF clear: three pieces through an MTU of 1472", size=4000)
    demo.step(f"the underlay's MTU drops to {NARROW}; the tunnel's follows", lambda: narrow(scene))
    both_ways(demo, scene, "4000 octets, DF clear", size=4000)
    demo.step("1400 octets with DF are refused, not lost",
              lambda: refused_as_too_big(scene.host[A], HOST[4][B], 1400, NARROW - 28))
    demo.step("50 MB over TCP on the narrower path", lambda: transfer(scene, A))


def status(demo, sites):
    for side in (A, B):
        demo.title(f"{side}# gretel status")
        print(sites[side].gretel("status").stdout, end="")


def leave(demo, sites):
    demo.title("Take it down")
    for side in (A, B):
        command(demo, sites[side], side, "down")
        demo.step(f"{side} has no tunnel, no rule and no daemon any more",
                  lambda: sites[side].namespace.link(NAME) is None and not sites[side].namespace.pids()
                  and not sites[side].namespace.run(["nft", "list", "ruleset"]).stdout)


def machine():
    """What a demo could leave on the machine itself."""
    links = net.run(["ip", "-o", "link"]).stdout
    rules = net.run(["nft", "list", "tables"]).stdout
    mine = [name for name in os.listdir("/run/netns") if name.startswith(f"g{os.getpid()}x")] \
        if os.path.isdir("/run/netns") else []
    daemons = [pid for pid in os.listdir("/proc") if pid.isdigit() and runs_ours(pid)]
    return {"links": [line.split(":")[1] for line in links.splitlines()], "tables": rules,
            "namespaces": mine, "processes": daemons}


def runs_ours(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").startswith(str(BUILD / "src/cmd"))
    except OSError:
        return False


def main():
    if os.geteuid() != 0:
        sys.exit("the demo makes network namespaces: sudo make demo")
    net.sweep()
    demo, found = Demo(), machine()
    directory = tempfile.mkdtemp(prefix="gretel-demo-")
    print(f"gretel: two sites, one file each, one command\n{PICTURE}")
    try:
        with Scene() as scene:
            sites = {side: Site(scene.router[side], f"{directory}/{side}", FILES[side].read_text())
                     for side in (A, B)}
            before(demo, scene, sites)
            joined(demo, scene, sites)
            fragmented(demo, scene)
            status(demo, sites)
            leave(demo, sites)
    finally:
        shutil.rmtree(directory)
    demo.title("Afterwards")
    demo.step("namespaces, processes, interfaces and rules of this machine are as they were",
              lambda: machine() == found or f"{found} became {machine()}" and False)
    print(f"\n{'all of it holds' if not demo.failed else f'{demo.failed} steps failed'}")
    return 1 if demo.failed else 0


if __name__ == "__main__":
    sys.exit(main())
