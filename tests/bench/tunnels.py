# SPDX-License-Identifier: GPL-2.0-or-later
"""Very many tunnels: seconds until greteld has all of them up, what it occupies then, and how long a
reload takes that changes one of them.

The memory is what is resident of the process and what its BPF maps hold of the kernel's, as
/proc/PID/fdinfo tells; the interfaces themselves are not in it.
"""
import pathlib
import re
import statistics
import time

from contenders import CONTENDERS
from lab import Failed, Lab
from memory import occupied

# The fastest first.
LANES = ("gretel-xdp", "gretel-tc", "gretel-user")
RELOADS = 7


def of_maps(pid):
    """Kilobytes of the kernel's memory in BPF maps that the process holds."""
    found = {}
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        text = path.read_text()
        number = re.search(r"^map_id:\s+(\d+)", text, re.M)
        if number:
            found[number[1]] = int(re.search(r"^memlock:\s+(\d+)", text, re.M)[1])
    return sum(found.values()) / 1024


def timed(lab, condition, deadline, what):
    begun = time.monotonic()
    lab.wait_for(condition, deadline, what)
    return time.monotonic() - begun


def of_lane(name):
    """The lane's contender; its sides come up one after the other, since only one is measured."""
    class Many(CONTENDERS[name]):
        def start(self, lab):
            for side, router in enumerate(lab.routers):
                self.conf(lab, side)
                process = lab.daemon(router, self.argv(lab, side))
                seconds = timed(lab, lambda side=side: self.all_up(lab, side), 300, "not all tunnels came up")
                if side == 0:
                    self.pid, self.seconds = process.pid, seconds
    return Many


def reload(lab, name, key):
    """Milliseconds of `gretel reload` with another key for the last tunnel, to its effect."""
    path = lab.directory / "side0.conf"
    text = path.read_text()
    at = text.rindex("key = ")
    path.write_text(text[:at] + f"key = {key}" + text[text.index("\n", at):])
    begun = time.monotonic()
    lab.contender.gretel(lab, 0, "reload")
    taken = (time.monotonic() - begun) * 1000
    if f"key = {key}" not in lab.contender.gretel(lab, 0, "config").stdout:
        raise Failed(f"{name}: the reload changed nothing")
    return taken


def reloads(lab, name):
    """(median, worst) of some in a row; one may meet the look with which greteld follows the one before."""
    taken = [reload(lab, name, lab.contender.tunnels + 70_000 + i) for i in range(RELOADS)]
    return statistics.median(taken), max(taken)


def measure_one(name, build, directory, tunnels):
    contender = of_lane(name)(tunnels=tunnels)
    with Lab(contender, "lanes", build, directory) as lab:
        process, maps = occupied(contender.pid), of_maps(contender.pid)
        middle, worst = reloads(lab, name)
        return {"row": name, "tunnels": tunnels, "up": contender.seconds, "rss": process["rss"],
                "maps": maps, "resident": process["rss"] + maps, "reload": middle, "reload_worst": worst}


def measure(build, directory, tunnels, rows):
    """Of the fastest lane that this build has, or of the rows that were asked for."""
    failures = []
    for name in [name for name in LANES if not rows or name in rows]:
        try:
            return measure_one(name, build, directory, tunnels)
        except Failed as failure:
            failures.append(str(failure))
    raise Failed("\n".join(failures) or "none of the rows has tunnels")
