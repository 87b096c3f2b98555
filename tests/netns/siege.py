#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""siege.py LANE [ROUNDS]: prints figures as JSON.

A good tunnel's traffic while somebody sends 1 Gbit/s of garbage, and while nobody does, in turns.

Everything here runs on the few cores of one machine: the garbage is made there (storm.c), and the kernel
receives it on the time of who sends it. So a third condition shows what is gretel's part in what the good
tunnel loses: the same flood at the same router, of a protocol that nobody there takes. Run as a program, all that
takes part goes before the other work of the machine; beside other tests it does not.
"""
import json
import os
import statistics
import sys
import tempfile
import time

from figures import resident
from flow import tcp_transfer
from gretel import both_up, ping
from hostile import Account, Storm, goes_first, settled
from lanes import wait_lane
from scene import HOST, A, B, Scene
from ticker import Flow

KEY = 0xC0FFEE01
LENGTH, RATE = 1400, 90_000  # octets of a packet, and packets a second: 1.02 Gbit/s with Ethernet headers
FRAME_BITS = (LENGTH + 14) * 8
FLOOD = ("-l", LENGTH, "-r", RATE)
NOBODYS = 253  # an IP protocol for experiments (RFC 3692)
CONDITIONS = {"calm": None, "elsewhere": (*FLOOD, "-p", NOBODYS), "garbage": FLOOD}
WARM = 100_000  # packets until greteld's memory is what it will be
STREAM, OCTETS = 5000, 1000  # of datagrams between the LANs and of their answers: a second, octets in each


class Siege:
    """`first`: flood and daemons go before the machine's other work."""

    def __init__(self, scene, sites, lane, first=False):
        self.scene, self.sites, self.site, self.first = scene, sites, sites[A], first
        scene.take_frames()
        for site in sites.values():
            wait_lane(site, lane)
            if first:
                goes_first(site.pid())
        ping(scene.host[A], HOST[4][B], count=20)
        for options in ((), FLOOD):
            Storm(scene, KEY, seed=1, count=WARM, options=options).end()
        self.garbage = {"packets": 0, "seconds": 0.0, "uncounted": 0, "found": {}}

    def _tcp(self, octets):
        """Gbit/s from B to A, whose router it is that gets the garbage."""
        done = tcp_transfer(self.scene.host[B], self.scene.host[A], 4, HOST[4][A], octets)
        assert done, done
        return done.octets * 8 / done.seconds / 1e9

    def _stream(self, datagrams):
        """Datagrams from B that A's host answers, a second."""
        flow = Flow(self.scene, side=B, rate=STREAM, size=OCTETS)
        begun, first = time.monotonic(), flow.answered()
        flow.wait_answered(datagrams, 60)
        rate = (flow.answered() - first) / (time.monotonic() - begun)
        flow.stop()
        settled(flow.answered, 0.3)
        flow.close()
        return rate

    def _sent_by_peer(self):
        """Packets that have left its device."""
        lost = self.scene.router[B].link("bond0")["stats64"]["tx"]["dropped"]
        return sum(one["tx"]["packets"] for one in self.sites[B].status()["tunnels"]) - lost

    def _during(self, condition, number, work):
        """What the work returns. Of garbage it is looked where each packet is; what the peer sends meanwhile
        comes on top. The kernel's part may be too large: Linux 6.18 counts a packet at every raw socket that is
        full, also at that of a worker whose share it is not."""
        if CONDITIONS[condition] is None:
            return work()
        account, peer = Account(self.scene, self.site), self._sent_by_peer()
        storm = Storm(self.scene, KEY, seed=number + 2, options=CONDITIONS[condition], first=self.first)
        result, sent = work(), storm.end()
        if condition == "garbage":
            found = settled(account.found)
            self.garbage["packets"] += sent
            self.garbage["seconds"] += storm.seconds
            self.garbage["uncounted"] += max(0, sent + self._sent_by_peer() - peer - sum(found.values()))
            for reason, packets in found.items():
                self.garbage["found"][reason] = self.garbage["found"].get(reason, 0) + packets
        return result

    def run(self, rounds=5, octets=100 << 20, datagrams=10_000):
        before = resident(self.site.pid())
        tcp, stream = ({condition: [] for condition in CONDITIONS} for _ in range(2))
        for number in range(rounds):
            for condition in CONDITIONS:
                tcp[condition].append(self._during(condition, number, lambda: self._tcp(octets)))
                stream[condition].append(self._during(condition, number, lambda: self._stream(datagrams)))

        def share(of, against):
            return statistics.median(of["garbage"]) / statistics.median(of[against])
        return {**self.garbage, "gbit_per_second": self.garbage["packets"] * FRAME_BITS / self.garbage["seconds"] / 1e9,
                "growth": resident(self.site.pid()) - before, "tcp": tcp, "stream": stream,
                "share_stream": share(stream, "calm"), "share_stream_elsewhere": share(stream, "elsewhere"),
                "share_tcp": share(tcp, "calm"), "share_tcp_elsewhere": share(tcp, "elsewhere")}


def main():
    goes_first(os.getpid())  # and what it starts
    lane, rounds = sys.argv[1], int((sys.argv[2:] or ["5"])[0])
    with Scene() as scene, tempfile.TemporaryDirectory(prefix="gretel-siege-") as directory:
        found = Siege(scene, both_up(scene, directory, key=KEY, lane=lane), lane, first=True).run(rounds)
    print(json.dumps({"hostile": lane, **found, "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
