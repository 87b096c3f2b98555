# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams of random sizes between two hosts, compared octet by octet."""
import random
import threading
import time
from collections import Counter

from flow import udp

LARGEST = 1300  # with its headers below the MTU of every tunnel here
LATE = 3.0


class Datagrams:
    """Sends `count` datagrams to `address`, `rate` a second; result() waits for the last one."""

    def __init__(self, source, sink, family, address, port=9000, count=1000, rate=1000, seed=1):
        dice = random.Random(f"{seed} {address}")
        self.sent = [dice.randbytes(dice.randint(1, LARGEST)) for _ in range(count)]
        self.came = []
        self._rate = rate
        self._receiver, self._sender = udp(sink, family, address, port), udp(source, family)
        self._sender.connect((address, port))
        self._receiver.settimeout(LATE)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        begun = time.monotonic()
        ahead = threading.Event()  # never set: a pause until the next one is due
        for number, octets in enumerate(self.sent):
            self._sender.send(octets)
            ahead.wait(max(0.0, begun + number / self._rate - time.monotonic()))

    def _receive(self):
        while len(self.came) < len(self.sent):
            try:
                self.came.append(self._receiver.recv(65535))
            except TimeoutError:
                break

    def result(self):
        """(datagrams that did not arrive as they were sent, those that came and were never sent)"""
        for thread in self._threads:
            thread.join()
        self._receiver.close()
        self._sender.close()
        here, there = Counter(self.sent), Counter(self.came)
        return (here - there).total(), (there - here).total()
