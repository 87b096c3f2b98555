# SPDX-License-Identifier: GPL-2.0-or-later
"""A good tunnel's traffic while somebody sends garbage, and while nobody does, in turns: figures."""
import statistics
import time

from figures import resident
from flow import Sink, Stream, tcp_transfer, udp
from gretel import ping
from hostile import Account, Storm, settled
from lanes import wait_lane
from net import wait_for
from scene import HOST, A, B

KEY = 0xC0FFEE01
ROUNDS, OCTETS, DATAGRAMS, RATE = 5, 100 << 20, 4000, 2000
WARM = 100_000  # packets until greteld's memory is what it will be


class Siege:
    def __init__(self, scene, sites, lane):
        self.scene, self.site = scene, sites[A]
        scene.take_frames()
        for site in sites.values():
            wait_lane(site, lane)
        ping(scene.host[A], HOST[4][B], count=20)
        Storm(scene, KEY, seed=1, count=WARM).end()

    def _tcp(self):
        """Octets a second from B to A, whose router it is that gets the garbage."""
        done = tcp_transfer(self.scene.host[B], self.scene.host[A], 4, HOST[4][A], OCTETS)
        assert done, done
        return done.octets / done.seconds

    def _datagrams(self):
        """Which share of a stream arrives."""
        sink, sender = Sink(self.scene.host[A], 4, 9000), udp(self.scene.host[B], 4)
        sender.connect((HOST[4][A], 9000))
        stream = Stream([sender], RATE)
        wait_for(lambda: stream.sent >= DATAGRAMS, 60)
        sent = stream.stop()
        sender.close()

        came = settled(lambda: len(set(sink.numbers.get(HOST[4][B], ()))))
        sink.close()
        return came / sent

    def _garbage(self, number, work):
        """The work's result, how many packets of garbage there were, and for how many seconds."""
        begun, storm = time.monotonic(), Storm(self.scene, KEY, seed=number + 2)
        result = work()
        return result, storm.end(), time.monotonic() - begun

    def run(self):
        before, account = resident(self.site.pid()), Account(self.scene, self.site)
        calm, rough, came, sent, seconds = [], [], [], 0, 0.0
        for number in range(ROUNDS):
            calm.append(self._tcp())
            for results, work in ((rough, self._tcp), (came, self._datagrams)):
                result, packets, took = self._garbage(number, work)
                results.append(result)
                sent, seconds = sent + packets, seconds + took
        found = settled(account.found)
        return {"garbage": sent, "garbage_per_second": sent / seconds, "growth": resident(self.site.pid()) - before,
                "counted": found, "uncounted": max(0, sent - sum(n for reason, n in found.items() if reason != "carried")),
                "tcp_calm": calm, "tcp_rough": rough, "datagrams": came, "share_datagrams": statistics.median(came),
                "share_tcp": statistics.median(rough) / statistics.median(calm)}
