# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server of a test's own, in a namespace of its own, and what a program there must have in
/etc to ask it."""
import socket
import struct
import threading

import pytest
from gretel import NAME, Site, site_text
from scene import A, B, UNDERLAY

PEER = "peer.example.org"  # whose address is B's, or
OTHER = "172.19.1.9"
ADDRESS = "127.0.0.53"
A_RECORD, CNAME, AAAA = 1, 5, 28
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


def wire_name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def read_name(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), at + 1


class NameServer:
    """Answers on UDP from `records`: {(name, type): (ttl, [data])}; data is an address or a name."""

    def __init__(self, namespace):
        self.records = {}
        self.code = NO_ERROR  # of every answer
        self.silent = False
        self.questions = []
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 53))
        self.socket.settimeout(0.1)
        self.closing = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def set(self, name, *addresses, ttl=1):
        kind = AAAA if ":" in addresses[0] else A_RECORD
        self.records[name, kind] = (ttl, addresses)

    def asked(self, name, kind=A_RECORD):
        return self.questions.count((name, kind))

    def _serve(self):
        while not self.closing:
            try:
                message, source = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            name, at = read_name(message, 12)
            kind = struct.unpack_from("!H", message, at)[0]
            self.questions.append((name, kind))
            if not self.silent:
                self.socket.sendto(self._answer(message, message[12:at + 4], name, kind), source)

    def _records(self, name, kind):
        """(owner, type, ttl, data), an alias and what it leads to included."""
        if (name, CNAME) in self.records:
            ttl, (other,) = self.records[name, CNAME]
            return [(name, CNAME, ttl, wire_name(other)), *self._records(other, kind)]
        ttl, addresses = self.records.get((name, kind), (0, ()))
        family = socket.AF_INET if kind == A_RECORD else socket.AF_INET6
        return [(name, kind, ttl, socket.inet_pton(family, address)) for address in addresses]

    def _answer(self, message, question, name, kind):
        found = [] if self.code else self._records(name, kind)
        known = any(owner == name for owner, _ in self.records)
        code = self.code or (NO_ERROR if known else NO_SUCH_NAME)
        body = b"".join(wire_name(owner) + struct.pack("!HHIH", kind_, 1, ttl, len(data)) + data
                        for owner, kind_, ttl, data in found)
        return message[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0) + question + body

    def close(self):
        self.closing = True
        self.thread.join(5)
        self.socket.close()


class NamedSite(Site):
    """A site whose programs see an /etc with just a resolv.conf and a hosts file."""

    def __init__(self, namespace, directory, text, **options):
        super().__init__(namespace, directory, text, **options)
        self.etc = self.directory / "etc"
        self.etc.mkdir()
        (self.etc / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
        self.hosts("127.0.0.1 localhost")

    def hosts(self, *lines):
        (self.etc / "hosts").write_text("".join(f"{line}\n" for line in lines))

    def argv(self, *words):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                'mount --bind "$0" /etc && exec "$@"', self.etc, *super().argv(*words)]


def named_text(outer=4, **keys):
    """A's file of the scene with a name in place of B's address."""
    text = site_text(A, outer, **keys)
    return text.replace(f"remote = {UNDERLAY[outer][B]}", f"remote = {PEER}")


def remote(site, name=NAME):
    return site.tunnel(name)["remote"]


# Fixtures, for the files that import them: the name server of A, A itself, and B.

@pytest.fixture
def server(scene, undo):
    made = NameServer(scene.router[A])
    undo.callback(made.close)
    return made


@pytest.fixture
def site(scene, tmp_path, server):
    return NamedSite(scene.router[A], tmp_path / A, named_text(key=7))


@pytest.fixture
def peer(scene, tmp_path):
    made = Site(scene.router[B], tmp_path / B, site_text(B, key=7))
    made.up()
    return made
