# SPDX-License-Identifier: GPL-2.0-or-later
"""What greteld occupies: resident (RSS) and its share of it (PSS), from smaps_rollup, in kilobytes.

With one tunnel; with 101 (a greteld started with them, so that nothing is left of an earlier state);
and every half second while iperf3 sends through the one tunnel. "Flat" compares the last tenth of
the transfer with the second tenth: the first batches make their buffers resident.
"""
import pathlib
import re
import statistics
import threading

from contenders import GretelUser
from lab import Lab, wait_for
from trial import tcp

MANY = 101


def occupied(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name.lower(): int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1])
            for name in ("Rss", "Pss")}


class Settled(GretelUser):
    """`tunnels` of them on both sides, and greteld of A is known."""

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            self.conf(lab, side)
            process = lab.daemon(router, self.argv(lab, side))
            lab.greteld = process.pid if side == 0 else lab.greteld
        for router in lab.routers:
            wait_for(lambda router=router: self._up(router) == self.tunnels, 30, lab.logs)

    def _up(self, router):
        return sum("UP" in link.get("flags", []) for link in router.ip_json("link show type tun"))


def during(lab, seconds):
    """Samples while a transfer of about `seconds` runs."""
    samples, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.5):
            samples.append(occupied(lab.greteld))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        bits = tcp(lab, seconds)["bits"]
    finally:
        stop.set()
        watcher.join()
    tenth = max(1, len(samples) // 10)
    early = statistics.median(sample["rss"] for sample in samples[tenth:2 * tenth])
    late = statistics.median(sample["rss"] for sample in samples[-tenth:])
    return {"seconds": seconds, "bits": bits, "early_rss": early, "late_rss": late,
            "growth": late - early, "max_rss": max(sample["rss"] for sample in samples)}


def measure(build, directory, seconds):
    with Lab(Settled(), "tcp", build, directory) as lab:
        one = occupied(lab.greteld)
        transfer = during(lab, seconds)
        after = occupied(lab.greteld)
    with Lab(Settled(tunnels=MANY), "tcp", build, directory) as lab:
        many = occupied(lab.greteld)
    return {"one": one, "transfer": transfer, "after": after, "many": many,
            "per_tunnel": {key: (many[key] - one[key]) / (MANY - 1) for key in one}}
