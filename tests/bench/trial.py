# SPDX-License-Identifier: GPL-2.0-or-later
"""One trial of each kind, and the search for the load at which a contender carries most."""
import contextlib
import json
import pathlib
import statistics
import subprocess

from lab import FAR, NEAR, ROUTER_CORE, TRAFFIC_CORE, Failed, start, wait_for

# Lengths of frames without their check sequence: 60 is the 64-octet frame of RFC 2544.
SIZES = {"64": [60], "imix": [60] * 7 + [566] * 4 + [1414], "1400": [1414]}

LOWEST, STEP, HIGHEST = 20_000, 1.3, 4_000_000
LOSS_BOUND = 0.005  # of the "PDR" figure
WARM_MS, SEARCH_MS = {"lanes": 100, "packets": 150}, 300
# How fast flows are opened: where the road sets the pace anyway (in batches of 64 its rings would
# overflow, since opening costs far more than carrying), and where a process carries them.
OPEN_LANES, OPEN_PACKETS = 400_000, 20_000
# With more flows than this, connection tracking forgets a trial's before the next row's: all
# namespaces share one table of the kernel.
KEPT_FLOWS = 10_000


def finish(process, timeout):
    """The output of a process started for a trial; its failure fails the trial."""
    try:
        out, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"{process.args[-1]}: not done after {timeout} s") from None
    if process.returncode:
        raise Failed(f"{' '.join(map(str, process.args))}: exit {process.returncode}\n{errors}{out}")
    return out


def traffic_argv(lab, size, flows, rate, tunnels=1):
    sink, device = lab.contender.sink(lab)
    return [str(lab.build / "tests/bench/traffic"),
            "-g", f"{lab.near.name},{lab.near_device}", "-s", f"{sink.name},{device}",
            "-m", lab.gateway_mac, "-a", NEAR, "-b", FAR, "-l", ",".join(map(str, SIZES[size])),
            "-f", str(flows), "-n", str(tunnels), "-r", str(int(rate))]


def _kind_argv(lab):
    if lab.kind == "lanes":
        return ["-x", "-o", str(OPEN_LANES), "-c", str(ROUTER_CORE)]
    return ["-c", str(TRAFFIC_CORE), *(["-o", str(OPEN_PACKETS)] if lab.contender.rules else [])]


def stolen_seconds():
    """What the machine below has kept from this one, of all its CPUs."""
    return int(pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / 100


def begin(lab, size, flows, rate, milliseconds, tunnels=1):
    lab.pin_tunnel()
    return start(lab.near, [*traffic_argv(lab, size, flows, rate, tunnels), *_kind_argv(lab),
                            "-w", str(WARM_MS[lab.kind]), "-t", str(int(milliseconds))],
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextlib.contextmanager
def offered(lab, size, flows, rate):
    """Packets are being offered in this block."""
    process = begin(lab, size, flows, rate, 600_000)
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


def offer(lab, size, flows, rate, milliseconds, tunnels=1):
    """Offers packets; returns what traffic.c prints, in packets a second, and the loss."""
    stolen = stolen_seconds()
    process = begin(lab, size, flows, rate, milliseconds, tunnels)
    seen = json.loads(finish(process, 60 + milliseconds / 1000))
    seen["loss"] = max(0.0, 1 - seen["received"] / seen["offered"]) if seen["offered"] else 1.0
    seen["stolen"] = stolen_seconds() - stolen
    if "-o" in process.args and seen["opened"] < flows:
        raise Failed(f"{lab.contender.name}: {seen['opened']} of {flows} flows had an answer")
    if lab.contender.rules and flows > KEPT_FLOWS:
        for router in lab.routers:
            router.run(["conntrack", "-F"])
    return seen


class Search:
    """Loads from low to high until more load carries clearly less, then closer steps around the
    best one. `best`: the load at which most arrives (maximum receive rate); `bounded`: the highest
    rate of arrival with a loss below the bound."""

    def __init__(self, lab, size, flows):
        self.trials = []
        self._seek = lambda rate: self._try(lab, size, flows, rate)
        rate, worse = LOWEST, 0
        while rate < HIGHEST and worse < 3:
            top = max((seen["received"] for seen in self.trials), default=0)
            worse = worse + 1 if self._seek(rate)["received"] < top * 1.02 else 0
            rate *= STEP
        for factor in (0.92, 1.09, 1.18):
            self._seek(self.best["wanted"] * factor)
        self._closer_bound()

    def _try(self, lab, size, flows, rate):
        self.trials.append(offer(lab, size, flows, rate, SEARCH_MS))
        return self.trials[-1]

    @property
    def best(self):
        return max(self.trials, key=lambda seen: seen["received"])

    @property
    def bounded(self):
        good = [seen["received"] for seen in self.trials if seen["loss"] <= LOSS_BOUND]
        return max(good, default=0.0)

    def _closer_bound(self):
        for _ in range(3):
            good = max((s["wanted"] for s in self.trials if s["loss"] <= LOSS_BOUND), default=0)
            bad = min((s["wanted"] for s in self.trials if s["loss"] > LOSS_BOUND
                       and s["wanted"] > good), default=0)
            if not good or not bad:
                return
            self._seek((good + bad) / 2)


def tcp(lab, seconds, streams=1):
    """iperf3 from near to far; bits a second at the receiver, first second omitted."""
    server = start(lab.far, ["iperf3", "-s", "-1", "-B", FAR], stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE)
    try:
        wait_for(lambda: lab.far.run(["ss", "-Htln", "sport = 5201"]).stdout, 5, "iperf3 does not listen")
        client = start(lab.near, ["iperf3", "-c", FAR, "-t", str(seconds), "-O", "1", "-J",
                                  "-P", str(streams)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = json.loads(finish(client, seconds + 20))
    finally:
        server.kill()
        server.communicate()
    return {"bits": seen["end"]["sum_received"]["bits_per_second"],
            "retransmits": seen["end"]["sum_sent"]["retransmits"]}


def spread(values):
    middle = statistics.median(values)
    return {"median": middle, "min": min(values), "max": max(values), "all": values,
            "spread": (max(values) - min(values)) / middle if middle else None}
