# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP connections that open, talk and close all the time, each in one of four ways."""
import asyncio
import contextlib
import hashlib
import random
import socket
import struct
import threading
import time

import lanes
from net import wait_for
from scene import A, B, HOST

PORT = 7000
ROUNDS, SIZE, PAUSE = 30, 2800, 0.03  # a connection lives for about a second: longer than a lease
# Who ends it, and whether with FIN or RST.
ENDS = (b"f", b"F", b"r", b"R")
CLIENT_FIN, SERVER_FIN, CLIENT_RST, SERVER_RST = ENDS
PATIENCE = 30
# A RST whose number is not the one that conntrack expects, because it saw few of the packets before,
# leaves the state and lets the entry end after ten seconds, in place of days.
FORGOTTEN = 20


def abort(writer):
    """Closes with a RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def answer(reader, writer):
    """Sends the digest of each round back; ends as the last octet says."""
    try:
        for _ in range(ROUNDS):
            writer.write(hashlib.sha256(await reader.readexactly(SIZE)).digest())
            await writer.drain()
        how = await reader.readexactly(1)
        if how == SERVER_RST:
            abort(writer)
            return
        if how != SERVER_FIN:
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
        writer.close()
        await writer.wait_closed()
    except (ConnectionResetError, asyncio.IncompleteReadError):
        writer.transport.abort()  # counted by the client


class Churn:
    """`at_once` connections from A's host to B's, until stop(). `done` counts those that came to their
    end as they should, for each way to end; `failed` holds what went wrong."""

    def __init__(self, scene, at_once=200, seed=1):
        self.at_once, self.chance = at_once, random.Random(seed)
        self.done, self.failed = dict.fromkeys(ENDS, 0), []
        self._ended, self._listening, self._idle = threading.Event(), threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._live, args=(scene.host[side], work), daemon=True)
                         for side, work in ((B, self._serve), (A, self._ask))]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _live(namespace, work):
        with namespace.entered():
            asyncio.run(work())

    async def _serve(self):
        async with await asyncio.start_server(answer, HOST[4][B], PORT, backlog=1000):
            self._listening.set()
            await asyncio.to_thread(self._idle.wait)

    async def _ask(self):
        self._listening.wait(PATIENCE)
        await asyncio.gather(*(self._worker() for _ in range(self.at_once)))
        self._idle.set()

    async def _worker(self):
        await asyncio.sleep(self.chance.random())
        while not self._ended.is_set():
            how = self.chance.choice(ENDS)
            try:
                await asyncio.wait_for(self._connection(how), PATIENCE)
                self.done[how] += 1
            except (OSError, TimeoutError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                self.failed.append(f"{how} after {sum(self.done.values())}: {error!r}")

    async def _connection(self, how):
        reader, writer = await asyncio.open_connection(HOST[4][B], PORT)
        try:
            for _ in range(ROUNDS):
                data = self.chance.randbytes(SIZE)
                writer.write(data)
                if await reader.readexactly(32) != hashlib.sha256(data).digest():
                    raise ValueError("another digest")
                await asyncio.sleep(PAUSE)
            writer.write(how)
            await writer.drain()
            if how == CLIENT_RST:
                abort(writer)
                return
            if how == CLIENT_FIN:
                writer.write_eof()
            with contextlib.suppress(ConnectionResetError) if how == SERVER_RST else contextlib.nullcontext():
                if await reader.read():
                    raise ValueError("more than was asked for")
        finally:
            writer.close()

    def stop(self):
        """Until the connections that there are have come to their ends."""
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE * 2)
        assert not any(thread.is_alive() for thread in self._threads)


def established(router):
    """Connections that conntrack still holds for established."""
    text = router.run(["conntrack", "-L", "-p", "tcp", "--orig-port-dst", PORT, "--state", "ESTABLISHED"]).stdout
    return text.splitlines()


def churn(scene, sites, undo, seconds, at_once=200):
    """Runs it for so long. Returns the connections, and the shares of packets that the kernel's own path
    saw on each router. Fails when one connection did, or is left in conntrack."""
    eyes = {side: lanes.Eyes(scene.router[side], undo, "meta l4proto tcp") for side in (A, B)}
    before = {side: site.tunnel() for side, site in sites.items()}
    begun = time.monotonic()
    run = Churn(scene, at_once)
    wait_for(lambda: time.monotonic() - begun > seconds or run.failed, seconds + 10, interval=0.2)
    run.stop()
    assert not run.failed, f"{len(run.failed)} of {sum(run.done.values())}: {run.failed[:5]}"
    share = {}
    for side, site in sites.items():
        after = site.tunnel()
        packets = sum(after[way]["packets"] - before[side][way]["packets"] for way in ("rx", "tx"))
        share[side] = eyes[side].look()["forward"] / packets
        left = lambda: established(scene.router[side])  # noqa: E731
        wait_for(lambda: not left(), FORGOTTEN, lambda: f"left in conntrack: {left()[:3]}", 0.5)
    return run.done, share
