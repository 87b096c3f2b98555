# SPDX-License-Identifier: GPL-2.0-or-later
"""Where gretel doctor is tried: a scene that is kept up while one fault after the other is made and
taken back.

A fault is a generator that makes it, yields, and undoes it, registered with what A's doctor has to
say about it:

    @fault("no-forwarding-at-b", "peer-forwarding", "the peer", "does not forward")
    def no_forwarding_at_b(clinic):
        with clinic.sysctl(B, "net.ipv4.ip_forward", 0):
            yield

The words are looked for in the first line of the answer; choose those that no other cause contains.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import tempfile
from dataclasses import dataclass, field

from gretel import BUILD, NAME, Site, ping_between_lans, site_text
from net import Failed, wait_for
from scene import A, B, HOST, Scene
from wire import Relay

HEALTHY, DEGRADED, BROKEN = 0, 6, 7
KEYS = {"key": 4242}
TABLE = "foreign"


@dataclass
class Fault:
    name: str
    check: str  # of the first finding
    words: tuple  # in the first line, all of them
    inject: object  # clinic -> context
    exit: int = BROKEN
    ask: tuple = ()  # more words of the command line
    never: tuple = field(default=())  # words that must not be in the first line


def registry():
    """A list of faults and the decorator that adds to it."""
    rows = []

    def fault(name, check, *words, **options):
        def add(function):
            rows.append(Fault(name, check, words, contextlib.contextmanager(function), **options))
            return function
        return add
    return rows, fault


class Answer:
    def __init__(self, done):
        self.exit, self.text, self.errors = done.returncode, done.stdout, done.stderr
        try:
            self.json = json.loads(done.stdout)
        except ValueError:
            raise Failed(f"no answer in JSON: exit {self.exit}\n{self.text}{self.errors}") from None
        tunnels = self.json.get("tunnels", [])
        findings = tunnels[0]["findings"] if tunnels else []
        self.first = findings[0] if findings else {"check": None, "cause": self.json.get("cause")}
        self.line = f"{self.first['cause']}: {self.first.get('mend')}"
        self.found = [one["check"] for one in findings if one["verdict"] != "healthy"]

    def __str__(self):
        """The first line, then what each check saw; short enough to be read in a log."""
        tunnels = self.json.get("tunnels") or [{}]
        seen = [f"  {one['verdict']:9}{one['check']:16} {one['outcome'][:8]:9}{one['evidence'] or ''}"
                for one in tunnels[0].get("checks", [])]
        others = [f"  {one['verdict']}: {one['check']}: {one['cause']}" for one in tunnels[0].get("findings", [])]
        return "\n".join([f"exit {self.exit}: {self.line}", *others, *seen, self.errors])


class Clinic:
    """The scene over the relay, with the tunnel up at both ends."""

    def __init__(self):
        self.undo = contextlib.ExitStack()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gretel-clinic-"))
        self.undo.callback(shutil.rmtree, self.directory, True)
        self._build()

    def _build(self):
        self.scene = self.undo.enter_context(Scene(wire="open"))
        # One fault follows the other faster than a host may send errors.
        for machine in (*self.scene.router.values(), *self.scene.host.values()):
            machine.sysctl("net.ipv4.icmp_ratelimit", 0)
            machine.sysctl("net.ipv6.icmp.ratelimit", 0)
        self.relay = Relay(BUILD / "tests/netns/relay", self.scene.wire, 1)
        self.sites = {}
        for side in (A, B):
            self.sites[side] = Site(self.scene.router[side], self.directory / side, site_text(side, **KEYS))
            self.sites[side].up()
        self.scene.host[B].run(["conntrack", "-F"], check=False)

    def close(self):
        self.undo.close()

    def forget(self):
        """Nobody has spoken with anybody."""
        for router in self.scene.router.values():
            router.run(["conntrack", "-F"], check=False)

    def ready(self):
        """All is well again; connections of earlier faults are forgotten."""
        self.forget()
        for side, site in self.sites.items():
            if not site.pid():
                site.up()
            wait_for(lambda s=site: s.tunnel()["state"] == "up", 5, f"{side}'s tunnel is up")
        ping_between_lans(self.scene)

    def ask(self, *words, side=A):
        return Answer(self.sites[side].gretel("--json", "doctor", NAME, *words, check=False, timeout=60))

    # What faults are made of. Each undoes itself. -------------------------------------------------

    @contextlib.contextmanager
    def edited(self, side, *changes):
        """The file says something else: pairs of old and new text."""
        site = self.sites[side]
        before = site.file.read_text()
        try:
            for old, new in zip(changes[::2], changes[1::2]):
                site.edit(old, new)
            site.gretel("reload", check=False)
            yield site
        finally:
            site.write(before)
            site.gretel("reload", check=False)

    @contextlib.contextmanager
    def sysctl(self, side, *pairs):
        router = self.scene.router[side]
        before = [(name, router.sysctl(name)) for name in pairs[::2]]
        try:
            for name, value in zip(pairs[::2], pairs[1::2]):
                router.sysctl(name, value)
            yield
        finally:
            for name, value in reversed(before):
                router.sysctl(name, value)

    @contextlib.contextmanager
    def rules(self, side, chain, *rules, policy="accept", kind="filter", priority="10"):
        """A table of somebody else's with one base chain."""
        router = self.scene.router[side]
        body = "\n".join(rules)
        router.nft(f"table inet {TABLE} {{\nchain {chain} {{\n"
                   f"type {kind} hook {chain} priority {priority}; policy {policy};\n{body}\n}}\n}}\n")
        try:
            yield router
        finally:
            router.nft(f"delete table inet {TABLE}\n")

    @contextlib.contextmanager
    def ip(self, side, do, undo, host=False):
        """Words of ip(8), and those that take it back."""
        there = (self.scene.host if host else self.scene.router)[side]
        there.ip(*([do] if isinstance(do, str) else do))
        try:
            yield there
        finally:
            there.ip(*([undo] if isinstance(undo, str) else undo))

    @contextlib.contextmanager
    def wire(self, **settings):
        """The relay does something to the packets: cut="ab", mtu=1400, icmp="no"."""
        usual = {"drop": 0, "cut": "none", "mtu": 1500, "icmp": "yes"}
        self.relay.set(**settings)
        try:
            yield
        finally:
            self.relay.set(**{name: usual[name] for name in settings})

    @contextlib.contextmanager
    def stopped(self, side, clean=False):
        """No daemon: gone with its interfaces (`clean`), or killed."""
        site = self.sites[side]
        if clean:
            site.down()
        else:
            self._kill(site)
        try:
            yield site
        finally:
            site.up()

    @staticmethod
    def _kill(site):
        os.kill(site.pid(), signal.SIGKILL)
        wait_for(lambda: site.pid() is None, 5, "greteld is gone")

    def traffic(self, family=4, to=None):
        """A's host asks B's: whether answered or not, A's connection tracking has seen it. The doctor takes echoes
        of the identifiers 0x67xx for its own, and ping would take its process' number."""
        self.scene.host[A].run(["ping", "-n", "-q", "-e", 1, "-c", 2, "-i", "0.05", "-W", "0.3", to or HOST[family][B]],
                               check=False)
