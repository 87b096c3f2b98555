# SPDX-License-Identifier: GPL-2.0-or-later
"""What a tunnel has to carry between the hosts: datagrams of random sizes, and TCP, octet by octet."""
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from flow import tcp_transfer, udp
from gretel import ping, ping_between_lans
from scene import HOST, A, B, other

LARGEST = 1300  # with its headers below the MTU of every tunnel here
FRAGMENTED = 9000  # most of them are, by their host
WHOLE_LAN = 1472  # octets in an echo request that no tunnel here takes whole and unfragmented
LATE = 20.0  # seconds: an emulated processor does nothing else while it verifies programs
WINDOW = 4  # datagrams on the way: all streams together stay below the ninety frames that Open vSwitch buffers


class Load(NamedTuple):
    """What goes to each address."""
    octets: int  # of TCP
    datagrams: int


WHOLE = Load(10 << 20, 1000)
LIGHT = Load(1 << 19, 200)  # for whom an emulated processor has to carry it


class Datagrams:
    """Sends `count` datagrams to `address`; result() waits for the last one. The sender waits for the
    receiver, so that no queue on the way is too short for them, however slow the machine is."""

    def __init__(self, source, sink, family, address, largest, port=9000, count=WHOLE.datagrams, seed=1):
        dice = random.Random(f"{seed} {address}")
        self.sent = [dice.randbytes(dice.randint(1, largest)) for _ in range(count)]
        self.came = []
        self._room = threading.Semaphore(WINDOW)
        self._receiver, self._sender = udp(sink, family, address, port), udp(source, family)
        self._sender.connect((address, port))
        self._receiver.settimeout(LATE)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        for octets in self.sent:
            if not self._room.acquire(timeout=LATE):
                break  # so many were lost
            self._sender.send(octets)

    def _receive(self):
        while len(self.came) < len(self.sent):
            try:
                self.came.append(self._receiver.recv(65535))
            except TimeoutError:
                break
            self._room.release()

    def result(self):
        """(datagrams that did not arrive as they were sent, those that came and were never sent)"""
        for thread in self._threads:
            thread.join()
        self._receiver.close()
        self._sender.close()
        here, there = Counter(self.sent), Counter(self.came)
        return (here - there).total(), (there - here).total()


def carries(scene, addresses, load=WHOLE, largest=LARGEST):
    """Datagrams of at most `largest` octets to each of these addresses, {(side, family): address}, all at
    once; then TCP to each, both ways at once, one family after the other. Returns the seconds that TCP took,
    by family."""
    for (side, _), address in addresses.items():
        ping(scene.host[other(side)], address, size=WHOLE_LAN, deadline=20, patience=0.2)  # both learn the MTU
    streams = {to: Datagrams(scene.host[other(to[0])], scene.host[to[0]], to[1], address, largest,
                             count=load.datagrams)
               for to, address in addresses.items()}
    lost = {to: stream.result() for to, stream in streams.items()}
    assert not any(map(any, lost.values())), f"(lost, foreign) = {lost}"
    took = {}
    for family in sorted({family for _, family in addresses}):
        ways = [(side, address) for (side, of), address in addresses.items() if of == family]
        with ThreadPoolExecutor(len(ways)) as pool:
            done = list(pool.map(lambda to: tcp_transfer(scene.host[other(to[0])], scene.host[to[0]], family, to[1],
                                                         load.octets), ways))
        assert all(done), [f"to {side} by IPv{family}: {one}" for (side, _), one in zip(ways, done)]
        took[family] = round(max(one.seconds for one in done), 2)
    return took


def carries_all(scene, *sites, load=WHOLE):
    """The same between both hosts in both families, of which these sites drop nothing."""
    ping_between_lans(scene)
    for site in sites:
        site.forget_drops()
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)}, load)
    for site in sites:
        assert not site.drops()
