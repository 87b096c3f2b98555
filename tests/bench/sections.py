# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements in which contenders take turns: A B C A B C ...

A contender that cannot be set up, or that fails in a trial, is reported with its words and takes no
further part; the others go on. Names of sections are words with their parameters:

    lanes SIZE FLOWS          packets SIZE FLOWS          tcp STREAMS          tunnels SIZE FLOWS TUNNELS
"""
import contextlib
import subprocess
import sys

import trial
from contenders import CONTENDERS
from lab import Failed, Lab

# What a row can fail by without ending the run.
TROUBLE = (Failed, subprocess.TimeoutExpired)
# Without --rows: what each part compares.
ROWS = {
    "lanes": ["sender", "route", "route-rules", "xdp-route", "vxlan", "vxlan-rules", "gretel-tc",
              "gretel-tc-rules", "gretel-xdp", "gretel-xdp-rules", "gretel-xdp-spread"],
    "packets": ["route", "vxlan", "ovs", "loop", "gretel-user"],
    "tcp": ["route", "route-rules", "vxlan", "vxlan-rules", "ovs", "loop", "gretel-user", "gretel-tc",
            "gretel-tc-rules", "gretel-xdp", "gretel-xdp-rules"],
    "tunnels": ["gretel-tc", "gretel-xdp"],
}
# Each of very many tunnels carries at least one flow: they go round and round.
TUNNELS_SIZE, TUNNELS_FLOWS = "64", 10_000


def say(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


class Sections:
    """`done`: the rows of every section. `failed`: what could not be measured, and why."""

    def __init__(self, options, directory):
        self.options, self.directory, self.done, self.failed = options, directory, {}, {}

    def rows(self, part):
        kind = "lanes" if part == "tunnels" else part
        wanted = self.options.rows or ROWS[part]
        found = [name for name in wanted if kind in CONTENDERS[name].kinds]
        return [name for name in found if part != "tunnels" or name.startswith("gretel")]

    def _lab(self, stack, part, kind, key, **options):
        say(f"{part}: set up {key}")
        try:
            contender = CONTENDERS[key.split()[0]](established=self.options.established, **options)
            return stack.enter_context(Lab(contender, kind, self.options.build, self.directory))
        except TROUBLE as failure:
            self.failed[f"{part} {key}"] = str(failure)
            return None

    def _labs(self, stack, part):
        made = {name: self._lab(stack, part, part, name) for name in self.rows(part)}
        return {name: road for name, road in made.items() if road}

    def _rounds(self, part, cases, measure):
        """`cases`: (section, row, arguments) of everything that takes its turn in a round. Returns
        {(section, row): trials}."""
        seen, bad = {}, set()
        for number in range(self.options.repeat):
            say(f"{part}: round {number + 1} of {self.options.repeat}")
            for section, row, arguments in cases:
                if (section, row) in bad:
                    continue
                try:
                    seen.setdefault((section, row), []).append(measure(*arguments))
                except TROUBLE as failure:
                    bad.add((section, row))
                    self.failed[f"{section} {row}"] = str(failure)
        return {key: trials for key, trials in seen.items() if key not in bad}

    def _keep(self, seen, value, more=lambda section, row: {}):
        for (section, row), trials in seen.items():
            self.done.setdefault(section, {})[row] = {
                **trial.spread([one[value] for one in trials]), "trials": trials, **more(section, row)}

    def lanes(self, stack):
        options, roads = self.options, self._labs(stack, "lanes")
        cases = [(f"lanes {size} {flows}", name, (road, size, flows, 0, options.lanes_ms))
                 for size, flows in options.cases for name, road in roads.items()]
        self._keep(self._rounds("lanes", cases, trial.offer), "received")

    def tunnels(self, _):
        """The numbers of tunnels take turns; so many interfaces are enough for one row at a time."""
        for name in self.rows("tunnels"):
            with contextlib.ExitStack() as row:
                self._tunnels(row, name)

    def _tunnels(self, stack, name):
        cases = []
        for count in self.options.tunnels:
            road = self._lab(stack, "tunnels", "lanes", f"{name} {count}", tunnels=count)
            if road:
                cases.append((f"tunnels {TUNNELS_SIZE} {TUNNELS_FLOWS} {count}", name,
                              (road, TUNNELS_SIZE, TUNNELS_FLOWS, 0, self.options.lanes_ms, count)))
        self._keep(self._rounds(f"tunnels {name}", cases, trial.offer), "received")

    def packets(self, stack):
        roads = self._labs(stack, "packets")
        for size, flows in self.options.cases:
            self._packets(roads, size, flows)

    def _search(self, section, name, road, size, flows):
        say(f"{section}: looking for the best load of {name}")
        try:
            return trial.Search(road, size, flows)
        except TROUBLE as failure:
            self.failed[f"{section} {name}"] = str(failure)
            return None

    def _packets(self, roads, size, flows):
        section = f"packets {size} {flows}"
        loads = {name: self._search(section, name, road, size, flows) for name, road in roads.items()}
        loads = {name: load for name, load in loads.items() if load}
        cases = [(section, name, (roads[name], size, flows, load.best["wanted"], self.options.packet_ms))
                 for name, load in loads.items()]
        seen = self._rounds(section, cases, trial.offer)

        def more(_, name):
            return {"load": loads[name].best["wanted"], "bounded": loads[name].bounded,
                    "fallen_short": max(1 - one["offered"] / one["wanted"]
                                        for one in seen[section, name]),
                    "search": loads[name].trials}
        self._keep(seen, "received", more)

    def tcp(self, stack):
        roads = self._labs(stack, "tcp")
        cases = [(f"tcp {streams}", name, (road, self.options.tcp_seconds, streams))
                 for streams in self.options.streams for name, road in roads.items()]
        self._keep(self._rounds("tcp", cases, trial.tcp), "bits")

    def measure(self, part):
        with contextlib.ExitStack() as stack:
            getattr(self, part)(stack)
