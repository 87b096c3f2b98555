# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens between the routers: the relay that loses packets, captures, and their decoding."""
import functools
import os
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time

from net import packet_socket, run, wait_for
from scene import GATEWAY

EXPERT_ERROR = 0x00800000  # of tshark's severities
SO_TIMESTAMPNS, TIMESPEC = 35, "=qq"  # of asm-generic/socket.h
TIMESPEC_SPACE = socket.CMSG_SPACE(struct.calcsize(TIMESPEC))
MARKER_TYPE = 0x88B5  # IEEE local experimental EtherType: the mark that ends a capture


class Relay:
    """Drives tests/netns/relay.c between `wire`'s ports a and b."""

    def __init__(self, program, wire, seed=1, **settings):
        self.process = wire.popen([program, "a", "b", seed], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self._answer("ready")
        for address in GATEWAY.values():
            self._order(f"gateway {address}")
        self.set(**settings)

    def _answer(self, expected):
        line = self.process.stdout.readline().strip()
        if line != expected:
            raise AssertionError(f"relay answered {line!r}, not {expected!r}")

    def _order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self._answer("ok")

    def set(self, **settings):
        """drop=, dup=, reorder= in percent; mtu=, icmp="yes"/"no"; cut="none"/"ab"/"ba"/"both"."""
        for name, value in settings.items():
            self._order(f"{name} {value}")

    def stats(self):
        """{"ab": {"frames": …, "dropped": …}, "ba": …}"""
        self.process.stdin.write("stats\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        found = {}
        for word, value in zip(words, words[1:] + [""]):
            if word in ("ab", "ba"):
                found[word] = way = {}
            elif not word.isdigit():
                way[word] = int(value)
        return found


class Watch:
    """Counts frames of an IP protocol (GRE's, unless told otherwise) that come in on a device: to which
    station, and when the last one came, as the kernel has it: this program may read it late."""

    def __init__(self, namespace, device, protocol=47):
        self.sock = packet_socket(namespace, device)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.settimeout(0.05)
        self.protocol, self.seen = protocol, {}
        self.epoch_ns = time.time_ns() - time.monotonic_ns()
        self.count, self.last_ns, self.station = 0, 0, None  # of all
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            try:
                frame, ((_, _, stamp),), _, _ = self.sock.recvmsg(100, TIMESPEC_SPACE)
            except TimeoutError:
                continue
            if frame[20 if frame[12:14] == b"\x86\xdd" else 23] == self.protocol:
                self.count += 1
                seconds, ns = struct.unpack(TIMESPEC, stamp)
                self.last_ns = seconds * 10**9 + ns - self.epoch_ns
                self.station = frame[:6].hex(":")
                before = self.to(self.station)["count"]
                self.seen[self.station] = {"count": before + 1, "last_ns": self.last_ns}

    def to(self, station):
        """What came for a station; zeros if nothing did."""
        return self.seen.get(station, {"count": 0, "last_ns": 0})

    def close(self):
        self._stop.set()
        self._thread.join(5)
        self.sock.close()


class Capture:
    """tcpdump on one device into a file. Use as a context; `path` is whole after the context."""

    def __init__(self, namespace, device, path, only="ip or ip6"):
        self.namespace, self.device, self.path = namespace, device, str(path)
        self.only = f"ether proto {MARKER_TYPE} or ({only})"  # `vlan` moves what follows it

    def __enter__(self):
        self.log = open(self.path + ".log", "w+", encoding="utf-8")
        self.process = self.namespace.popen(
            ["tcpdump", "--immediate-mode", "-Z", "root", "-U", "-n", "-s", "66000", "-B", "131072",
             "-i", self.device, "-w", self.path, self.only], stderr=self.log)
        wait_for(lambda: "listening on" in self._said() or self.process.poll() is not None, 10,
                 "tcpdump listens")
        if self.process.poll() is not None:
            raise AssertionError(self._said())
        return self

    def _said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def __exit__(self, *_):
        """Ends after a frame of ours has come by, so that everything sent before is in the file."""
        mark = os.urandom(46)
        with self.namespace.entered():
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            sender.bind((self.device, 0))
            sender.send(b"\x02" + bytes(11) + struct.pack("!H", MARKER_TYPE) + mark)
            sender.close()

        def written():
            with open(self.path, "rb") as file:
                return mark in file.read()
        wait_for(written, 10, "the mark is in the capture")
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.log.close()


def tshark(path, fields, show="", options=()):
    """Decodes a capture: one dictionary for each frame, with a list of values for each field."""
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a",
            "-E", "aggregator=|", *options]
    not_mark = f"not eth.type == {MARKER_TYPE:#x}"
    argv += ["-Y", f"({show}) and {not_mark}" if show else not_mark]
    for field in fields:
        argv += ["-e", field]
    lines = run(argv, timeout=120).stdout.splitlines()
    return [{field: value.split("|") if value else []
             for field, value in zip(fields, line.split("\t"))} for line in lines]


@functools.cache
def _guessed():
    """Protocols that tshark takes payload for by its look, which random octets have now and then."""
    rows = [line.split() for line in run(["tshark", "-G", "heuristic-decodes"]).stdout.splitlines()]
    return sorted({protocol for table, protocol, _ in rows if table in ("tcp", "udp")})


def assert_clean(path, show="gre"):
    """No frame is malformed for tshark, or an error, its checksums among them."""
    checks = [word for field in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum")
              for word in ("-o", f"{field}:TRUE")]
    # The port of our streams is gryphon's.
    checks += [word for protocol in ("gryphon", *_guessed()) for word in ("--disable-protocol", protocol)]
    assert tshark(path, ("frame.number",), show), f"no frame is {show}"
    # An ICMP error quotes no more than the beginning of a packet.
    bad = tshark(path, ("frame.number", "_ws.expert.message"),
                 f"({show}) and not icmp.type in {{3, 11, 12}} and not icmpv6.type in {{1, 2, 3, 4}} and "
                 f"(_ws.malformed or _ws.expert.severity >= {EXPERT_ERROR})", checks)
    assert not bad, bad


def tshark_text(path, show=""):
    """The whole decoding, to show when an assertion fails."""
    words = shlex.split(f"tshark -n -r {shlex.quote(str(path))} -V")
    return run(words + (["-Y", show] if show else []), timeout=120).stdout
