# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs under test: configuration files for the scene, and gretel's commands on a router."""
import json
import os
import pathlib

from net import run, wait_for
from scene import HOST, LAN, TUNNEL, UNDERLAY, other

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build"))
# The same programs, compiled with AddressSanitizer and UndefinedBehaviorSanitizer.
BUILD_ASAN = pathlib.Path(os.environ.get("GRETEL_BUILD_ASAN", ROOT / "build-asan"))

NAME = "My_Tunnel"
# `lane =` of tunnels whose test does not say; without it the tests have what the file's default is,
# which on the devices of a scene is the TC lane.
LANE = os.environ.get("GRETEL_LANE")


def section(kind, name="", **keys):
    """One section of the file. A list makes repeated keys; None leaves the key out."""
    lines = [f"[{kind} {name}]" if name else f"[{kind}]"]
    if kind == "tunnel" and LANE:
        keys.setdefault("lane", LANE)
    for key, value in keys.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        lines += [f"{key} = {one}" for one in values if one is not None]
    return "\n".join(lines) + "\n\n"


def tunnel(side, outer=4, name=NAME, address=None, route=None, **keys):
    """The tunnel of the scene as `side` sees it, with an address and a route of each family."""
    if address is None:
        address = [f"{TUNNEL[f][side]} peer {TUNNEL[f][other(side)]}" for f in (4, 6)]
    if route is None:
        route = [LAN[f][other(side)] for f in (4, 6)]
    return section("tunnel", name, local=UNDERLAY[outer][side], remote=UNDERLAY[outer][other(side)],
                   address=address, route=route, **keys)


def site_text(side, outer=4, forward=None, **keys):
    """A whole file: the tunnel, and forwarding between the two LANs unless said otherwise."""
    if forward is None:
        forward = {"allow": [f"{LAN[f][side]} <-> {LAN[f][other(side)]}" for f in (4, 6)]}
    return tunnel(side, outer, **keys) + section("forward", enable="yes", **forward)


class Site:
    """One router's gretel: its file, its run directory, its commands, its daemon."""

    def __init__(self, namespace, directory, text, build=BUILD, env=None):
        self.namespace = namespace
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.file = self.directory / "gretel.conf"
        self.run_directory = self.directory / "run"
        self.build = build
        self.env = {**os.environ, "GRETELD": str(build / "src/cmd/greteld"), **(env or {})}
        self.forgotten = {}
        self.write(text)

    def write(self, text):
        self.file.write_text(text)

    def edit(self, old, new):
        text = self.file.read_text()
        assert old in text, f"{old!r} is not in the file"
        self.write(text.replace(old, new))

    def argv(self, *words):
        return [self.build / "src/cmd/gretel", "-c", self.file, "-r", self.run_directory, *words]

    def gretel(self, *words, check=True, timeout=30):
        return self.namespace.run(self.argv(*words), check=check, timeout=timeout, env=self.env)

    def popen(self, *words, **options):
        return self.namespace.popen(self.argv(*words), env=self.env, **options)

    def up(self):
        return self.gretel("up")

    def down(self):
        return self.gretel("down")

    def reload(self):
        return self.gretel("reload")

    def plan(self):
        return self.gretel("plan", check=False)

    def status(self):
        return json.loads(self.gretel("--json", "status").stdout)

    def tunnel(self, name=NAME):
        """The status of one tunnel."""
        found = [one for one in self.status()["tunnels"] if one["name"] == name]
        assert found, f"{name} is not in the status"
        return found[0]

    def drops(self, name=NAME):
        """{reason: count} of one tunnel since forget_drops(), without zeros."""
        return {reason: n - self.forgotten.get((name, reason), 0)
                for reason, n in self.tunnel(name)["drops"].items()
                if n > self.forgotten.get((name, reason), 0)}

    def forget_drops(self):
        """What the peer sends while our interface is not up yet is dropped, and counted as that."""
        self.forgotten = {(one["name"], reason): n for one in self.status()["tunnels"]
                          for reason, n in one["drops"].items()}

    def stray(self):
        """{reason: count} of packets that belong to no tunnel, without zeros and without what came before the
        tunnels were in place."""
        return {reason: n for reason, n in self.status()["stray_drops"].items() if n and reason != "rx-starting"}

    def pid(self):
        """The daemon's pid, or None."""
        try:
            pid = int((self.run_directory / "greteld.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if pid in self.namespace.pids() else None


def both_up(scene, directory, **keys):
    """The scene with the same tunnel on both sides, up; returns {side: Site}."""
    sites = {side: Site(scene.router[side], pathlib.Path(directory) / side, site_text(side, **keys))
             for side in scene.router}
    for site in sites.values():
        site.up()
    for site in sites.values():
        site.forget_drops()
    return sites


def ping(source, destination, size=56, count=1, df=None, deadline=5.0, patience=1):
    """True when `destination` answers within `patience` seconds; asked again until the deadline."""
    words = ["ping", "-n", "-q", "-c", count, "-i", "0.005", "-W", patience, "-s", size]
    words += ["-M", df] if df else []

    def answered():
        return source.run([*words, destination], check=False).returncode == 0
    return wait_for(answered, deadline, lambda: f"{source} pings {destination}: "
                    + source.run([*words, destination], check=False).stdout)


def ping_refused(source, destination, size=56):
    """One request that must not be answered. Returns what ping said."""
    done = source.run(["ping", "-n", "-c", 1, "-W", 1, "-s", size, destination], check=False)
    assert done.returncode != 0, f"{destination} answered: {done.stdout}"
    return done.stdout


def ping_between_lans(scene, families=(4, 6)):
    for family in families:
        for side in scene.host:
            ping(scene.host[side], HOST[family][other(side)])


def prefetch_neighbours(scene, outer):
    """Underlay neighbours known before a test counts its first packets."""
    for side, router in scene.router.items():
        ping(router, UNDERLAY[outer][other(side)])


def version(build=BUILD):
    return run([build / "src/cmd/gretel", "version"]).stdout
