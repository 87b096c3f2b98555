# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of packets that nobody should have sent: every one is in some counter."""
import contextlib
import os
import pathlib
import subprocess
import time

from gretel import BUILD
from net import wait_for
from scene import UNDERLAY, A, B, other

GRE_IN_PROC = ":002F"
NICE = -19
STORM = BUILD / "tests/netns/storm"


def by_reason(site):
    """{reason: packets} of all tunnels and of none, with those that were carried as "carried"."""
    status, found = site.status(), {}
    for one in [{"drops": status["stray_drops"], "rx": {"packets": 0}}, *status["tunnels"]]:
        for reason, number in one["drops"].items():
            if reason.startswith("rx-"):
                found[reason] = found.get(reason, 0) + number
        found["carried"] = found.get("carried", 0) + one["rx"]["packets"]
    return {reason: number for reason, number in found.items() if number}


def lost_by_kernel(scene, router):
    """What it has dropped for want of room: on the way into the router's device, which the other end of the
    cable counts, and at the raw sockets for GRE."""
    with router.entered(), open("/proc/thread-self/net/raw", encoding="ascii") as file:
        raw = sum(int(line.split()[-1]) for line in file if GRE_IN_PROC in line.split()[1])
    return raw + scene.wire.link("a")["stats64"]["tx"]["dropped"]


def settled(look, seconds=1.0, deadline=60):
    """Waits until it is the same for so long, and returns it."""
    last = [look(), time.monotonic()]

    def same():
        now = look()
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() > last[1] + seconds
    wait_for(same, deadline, look)
    return last[0]


class Account:
    """Packets to router A since now: how many were sent is told, where they are is looked up."""

    def __init__(self, scene, site):
        self.scene, self.site, self.before = scene, site, by_reason(site)
        self.lost = lost_by_kernel(scene, site.namespace)

    def counted(self):
        now = by_reason(self.site)
        return {reason: number - self.before.get(reason, 0) for reason, number in now.items()
                if number != self.before.get(reason, 0)}

    def found(self):
        """{reason: packets}, with what the kernel had no room for as "kernel"."""
        kernel = lost_by_kernel(self.scene, self.site.namespace) - self.lost
        return self.counted() | ({"kernel": kernel} if kernel else {})

    def balance(self, sent, deadline=30):
        """Waits until each of so many packets is somewhere, and none twice. Returns what was found."""
        wait_for(lambda: sum(self.found().values()) >= sent, deadline, lambda: (sent, self.found()))
        found = self.found()
        assert sum(found.values()) == sent, (sent, found)
        return found


def goes_first(pid):
    """Before the other work of the machine; the process has a session of its own."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), NICE)
    with contextlib.suppress(OSError):  # a kernel without scheduling groups goes by the nice value
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(NICE), encoding="ascii")


class Storm:
    """tests/netns/storm.c from the wire's end in front of router `side`. `options` are its own. `first`: it
    goes before all that has no priority of real time, since a wire does not wait for the hosts on it."""

    def __init__(self, scene, key, seed=1, count=0, side=A, options=(), first=False):
        argv = [STORM, *options, {A: "a", B: "b"}[side], scene.router[side].mac("bond0"), UNDERLAY[4][other(side)],
                UNDERLAY[4][side], key, seed, count]
        self.seconds, self.begun = 0.0, time.monotonic()
        self.process = scene.wire.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        if first:
            os.sched_setscheduler(self.process.pid, os.SCHED_FIFO, os.sched_param(1))

    def end(self):
        """Packets that it has offered, all of them, or until now where no number was given; `seconds` is how
        long that took."""
        said, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        self.seconds = time.monotonic() - self.begun
        return int(said)
