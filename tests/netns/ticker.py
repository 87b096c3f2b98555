# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives tests/netns/ticker.c: a flow of numbered datagrams, and of their answers."""
import contextlib
import json
import subprocess
import time

from gretel import BUILD
from net import wait_for
from scene import A, HOST, other

PROGRAM = BUILD / "tests/netns/ticker"
PORT = 6000


class Ticker:
    """One end. `port` is its own."""

    def __init__(self, namespace, *words):
        self.process = namespace.popen([PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().split()
        assert line and line[0] == "ready", line
        self.port = int(line[1])

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stats(self):
        return self.order("stats")

    def source(self, address=None):
        """What came from the address (None: the only one); zeros if nothing did."""
        found = [one for one in self.stats()["sources"] if address in (None, one["address"])]
        assert len(found) < 2, found
        return found[0] if found else {"address": address, "port": 0, "count": 0, "last_ns": 0, "ttl": 0, "tos": 0}

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Flow:
    """Datagrams from the host of `side` to the other one, `rate` a second, each sent back."""

    def __init__(self, scene, side=A, family=4, rate=1000, size=100, header=(), port=PORT, answers=True):
        there, address = scene.host[other(side)], HOST[family][other(side)]
        self.far = Ticker(there, "answer", address, port)
        self.near = Ticker(scene.host[side], "send", address, port, rate, size, *header)

    def stop(self):
        return self.near.order("stop")["sent"]

    def answered(self):
        return self.near.stats()["received"]

    def wait_answered(self, more, deadline=20):
        """Until so many more answers have come."""
        wanted = self.answered() + more
        wait_for(lambda: self.answered() >= wanted, deadline, lambda: f"{self.near.stats()} {self.far.stats()}")

    def lost(self, deadline=5):
        """Stops, and returns how many numbers did not arrive, and how many answers."""
        sent, found = self.stop(), {}

        def complete():
            found.update({end: getattr(self, end).order(f"missing {sent}") for end in ("far", "near")})
            return not any(one["count"] for one in found.values())
        with contextlib.suppress(AssertionError):
            wait_for(complete, deadline)
        return found["far"]["count"], found["near"]["count"], f"of {sent}: {found}"

    def close(self):
        self.near.close()
        self.far.close()


def last_after(what, longest=1.0, settle=1.8):
    """Seconds from now to the last packet that `what()`, a count and the time of the last in ns, saw. Waits
    until nothing has come for a while; fails when that does not happen."""
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() > begun + settle, settle + 1)
    late = what()["last_ns"] / 1e9 - begun
    assert late > -longest, "nothing came in the last second before either"
    assert late < longest, f"packets came {late:.2f} s after"
    return late
