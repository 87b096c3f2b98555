# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams between hosts: numbered UDP datagrams, and TCP compared by its digest."""
import hashlib
import random
import socket
import struct
import threading
import time

from net import wait_for

CHUNK = 1 << 18


def udp(namespace, family, address="", port=0):
    """A UDP socket that lives in the namespace, with room for a burst."""
    with namespace.entered():
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((address, port))
    return sock


class Sink:
    """Receives numbered datagrams on a port; `numbers[source address]` are those that came."""

    def __init__(self, namespace, family, port, address=""):
        self.sock = udp(namespace, family, address, port)
        self.sock.settimeout(0.05)
        self.numbers = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self):
        while not self._stop.is_set():
            try:
                data, source = self.sock.recvfrom(65535)
            except TimeoutError:
                continue
            self.numbers.setdefault(source[0], []).append(struct.unpack("!I", data[:4])[0])

    def close(self):
        self._stop.set()
        self._thread.join(5)
        self.sock.close()


class Stream:
    """Sends numbered datagrams over several connected sockets in turn, `rate` a second in all."""

    def __init__(self, sockets, rate=2000, size=100):
        self.sockets, self.rate, self.size = sockets, rate, size
        self.sent = 0  # by each socket
        self.refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self):
        begun, count = time.monotonic(), 0
        while not self._stop.is_set():
            data = struct.pack("!I", self.sent) + bytes(self.size - 4)
            for sock in self.sockets:
                try:
                    sock.send(data)
                except OSError:
                    self.refused += 1
            self.sent += 1
            count += len(self.sockets)
            ahead = begun + count / self.rate - time.monotonic()
            if ahead > 0:
                self._stop.wait(ahead)

    def stop(self):
        self._stop.set()
        self._thread.join(10)
        return self.sent


def tcp_listen(namespace, family, address, port):
    with namespace.entered():
        server = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(8)
    return server


def tcp_connect(namespace, family, address, port, timeout=10.0):
    with namespace.entered():
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    sock.settimeout(timeout)
    sock.connect((address, port))
    return sock


def serve_peername(namespace, family, address, port, undo):
    """A server that answers each connection with the address that it came from."""
    server = tcp_listen(namespace, family, address, port)

    def serve():
        while True:
            try:
                peer, name = server.accept()
            except OSError:
                return
            peer.sendall(name[0].encode())
            peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def stop():
        # The number of a socket that accept() still waits for must not become that of a pipe.
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()
    undo.callback(stop)


def ask(namespace, family, address, port, timeout=5.0):
    sock = tcp_connect(namespace, family, address, port, timeout)
    with sock:
        return sock.recv(100).decode()


class Transfer:
    """What a TCP transfer did."""

    def __init__(self):
        self.sent_digest = self.received_digest = None
        self.octets = 0
        self.seconds = 0.0
        self.error = None

    def __bool__(self):
        return self.error is None and self.sent_digest == self.received_digest

    def __str__(self):
        return (f"{self.octets} octets in {self.seconds:.1f} s, sent {self.sent_digest} "
                f"received {self.received_digest} error {self.error}")


def tcp_transfer(source, sink, family, address, octets, port=7000, timeout=120.0, seed=1):
    """Sends `octets` random octets from a host to `address` on another and compares digests. The
    time is that of the transfer alone."""
    result, received = Transfer(), []
    data = random.Random(seed).randbytes(octets)
    server = tcp_listen(sink, family, address, port)
    server.settimeout(timeout)

    def receive():
        try:
            peer, _ = server.accept()
            peer.settimeout(timeout)
            while chunk := peer.recv(CHUNK):
                received.append(chunk)
            peer.close()
        except OSError as error:
            result.error = f"receiver: {error}"

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    begun = time.monotonic()
    try:
        with tcp_connect(source, family, address, port, timeout) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            thread.join(timeout)
    except OSError as error:
        result.error = f"sender: {error}"
    server.close()
    thread.join(5)
    result.seconds = time.monotonic() - begun
    result.octets = sum(map(len, received))
    result.sent_digest = hashlib.sha256(data).hexdigest()
    result.received_digest = hashlib.sha256(b"".join(received)).hexdigest()
    return result


def numbers_complete(sink, source, count, deadline=5.0):
    """Waits for every number below `count` from `source`; returns the missing ones, sorted."""
    def missing():
        return sorted(set(range(count)) - set(sink.numbers.get(source, ())))
    try:
        wait_for(lambda: not missing(), deadline)
    except AssertionError:
        pass
    return missing()
