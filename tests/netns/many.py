# SPDX-License-Identifier: GPL-2.0-or-later
"""Very many tunnels with keepalives from one router to one peer that reflects (reflector.c)."""
import json
import os
import pathlib
import subprocess
import time

from gretel import BUILD, Site, section
from net import Namespace, veth, wait_for

LONG = 600  # seconds: the kernel takes its time over ten thousand interfaces
LOCAL, REMOTE = "10.9.0.1", "10.9.0.2"


def site_text(count, keepalive):
    """One worker: each tunnel takes a descriptor of each, and 20,000 are what a process may have."""
    return "".join(section("tunnel", f"t{i}", local=LOCAL, remote=REMOTE, key=i, keepalive=keepalive,
                           address=f"10.{100 + i // 16384}.{i // 64 % 256}.{i % 64 * 4 + 1}/30")
                   for i in range(count)) + section("daemon", workers=1)


def seconds_of_cpu(pid):
    """User and system time that the process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Many:
    """The scene; as a context. `up_seconds` is what `gretel up` took."""

    def __init__(self, directory, count, keepalive):
        self.count, self.directory, self.keepalive = count, directory, keepalive
        self.made = []

    def __enter__(self):
        self.router, self.peer = Namespace("many"), Namespace("peer")
        self.made = [self.router, self.peer]
        # The kernel's own time for IPv6 grows with the square of the interfaces.
        self.router.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        veth(self.router, "u0", self.peer, "u0")
        self.router.ip(f"address add {LOCAL}/24 dev u0")
        self.peer.ip(f"address add {REMOTE}/24 dev u0")
        self.reflector = self.peer.popen([BUILD / "tests/netns/reflector"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
        assert self.reflector.stdout.readline() == "ready\n"
        self.site = Site(self.router, self.directory, site_text(self.count, self.keepalive))
        begun = time.monotonic()
        self.site.gretel("up", timeout=LONG)
        self.up_seconds = time.monotonic() - begun
        return self

    def __exit__(self, *_):
        for namespace in self.made:
            namespace.close()

    def keepalives(self):
        return [one["keepalive"] for one in self.status()["tunnels"]]

    def status(self):
        return json.loads(self.site.gretel("--json", "status", timeout=LONG).stdout)

    def wait_until_all_up(self, deadline):
        def waiting():
            return sum(one["state"] != "up" for one in self.keepalives())
        wait_for(lambda: waiting() == 0, deadline, lambda: f"{waiting()} are not up", interval=0.3)

    def down(self):
        """Seconds that `gretel down` takes."""
        begun = time.monotonic()
        self.site.gretel("down", timeout=LONG)
        return time.monotonic() - begun
