# SPDX-License-Identifier: GPL-2.0-or-later
"""How long after execve() of greteld the first packet is carried.

B is up. On A there is nothing: no interface, no route, no state. Packets for the far LAN reach A,
10 000 a second, so the clock's step is 0.1 ms. The time runs from the child's
last instruction before execve() to the arrival of the first packet on the far host.
"""
import json
import subprocess

from contenders import GretelUser
from lab import Lab, start, wait_for
from trial import finish, spread, traffic_argv

RATE = 10_000


class OneSided(GretelUser):
    """Both sides are configured, the trial itself starts A."""

    def start(self, lab):
        for side in (0, 1):
            self.conf(lab, side)
        lab.daemon(lab.b, self.argv(lab, 1))


class StartLab(Lab):
    def _check(self):
        wait_for(lambda: self.b.link(self.tunnel), 10, lambda: f"greteld made nothing\n{self.logs()}")


def take_down(lab):
    gretel = [lab.build / "src/cmd/gretel", "-r", lab.directory / "run0", "-c", lab.directory / "side0.conf"]
    lab.a.run([*gretel, "down"])
    wait_for(lambda: not lab.a.link(lab.tunnel), 5, "the tunnel is still there after gretel down")


def once(lab):
    process = start(lab.a, [*traffic_argv(lab, "64", 1, RATE), "-w", "100",
                            "-e", f"{lab.a.name},{lab.wire_devices[0]}", "--", *GretelUser().argv(lab, 0)],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = json.loads(finish(process, 30))["first_ms"]
    take_down(lab)
    return first


def measure(build, directory, repeat):
    with StartLab(OneSided(), "packets", build, directory) as lab:
        return spread([once(lab) for _ in range(repeat)])
