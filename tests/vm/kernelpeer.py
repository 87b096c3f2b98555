# SPDX-License-Identifier: GPL-2.0-or-later
"""The scene with another kernel as router B: Debian 12's, in the emulated machine.

    hostA ──eth1─[ A: greteld ]─bond0 ═══ [wire] ═══ bond0─[ B: ip_gre, emulated ]─eth1── hostB

Each scene gets a network namespace of its own inside the machine, so a test leaves nothing to the
next one. hostB is a namespace of this machine, as ever: the tests' streams begin and end here.
"""
import contextlib
import json
import os

from gretel import NAME, Site
from lanes import wait_loaded
from machine import Machine
from net import Failed, offloads_off, wait_for
from scene import LAN, TUNNEL, UNDERLAY, A, B, Scene
from streams import LIGHT, WHOLE

ROUTER = "router"
LOAD = WHOLE if os.environ.get("GRETEL_LOAD") == "whole" else LIGHT
# The machine's devices: the name outside of a scene, that in it, and the tap it is plugged into.
DEVICES = (("eth0", "bond0", "underlay"), ("eth1", "eth1", "lan"))

# Devices go home first: one that the kernel sends home itself keeps its name, and that of a tunnel
# would be in the way. A process that was left in the namespace would keep it alive.
END = f"""
for one in /proc/[0-9]*; do [ ! $one/ns/net -ef /run/netns/{ROUTER} ] || kill -KILL "${{one#/proc/}}"; done
ip -n {ROUTER} -batch - <<'END'
""" + "".join(f"link set {name} down\nlink set {name} mtu 1500 netns 1 name {home}\n"
              for home, name, _ in DEVICES) + f"""netns del {ROUTER}
END
"""

# What a test left that was killed goes first.
BEGIN = f"""[ ! -e /run/netns/{ROUTER} ] || {{ {END} }} 2>/dev/null
set -e
ip -batch - <<'END'
netns add {ROUTER}
""" + "".join(f"link set {home} netns {ROUTER} name {name}\n" for home, name, _ in DEVICES) + f"""END
ip -n {ROUTER} -batch - <<'END'
link set lo up
""" + "".join(f"link set {name} up\n" for _, name, _ in DEVICES)  # more lines, and END

LIMIT = "end of the file"
# Without udev, as in a container: a /sys that is only read tells so. These directories are made by the
# service's unit.
NETWORKD = """set -e
mount -o remount,ro /sys
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network:systemd-network /run/systemd/netif
SYSTEMD_LOG_TARGET=console setsid /usr/lib/systemd/systemd-networkd </dev/null >/run/networkd.log 2>&1 &
"""


class Guest:
    """Router B: a namespace inside the machine, used like net.Namespace."""

    def __init__(self, machine: Machine, lines):
        """With these lines of ip(8) as its beginning."""
        self.machine, self.label, self._undo = machine, B, contextlib.ExitStack()
        self._must(BEGIN + "\n".join(lines) + "\nEND\n")

    def _must(self, text):
        done = self.machine.script(text)
        if done.returncode or done.stderr:
            raise Failed(f"{text}\nexit {done.returncode}: {done.stderr}\n{self.machine.said()}")

    def __str__(self):
        return self.label

    def run(self, argv, **options):
        return self.machine.run(argv, namespace=ROUTER, **options)

    def script(self, text, shell="/bin/sh", **options):
        """Runs the text from a file, as an administrator would who was given it."""
        self.machine.put("/tmp/script", text.encode())
        return self.run([shell, "/tmp/script"], **options)

    def ip(self, *lines):
        """Words of ip(8), one command a line."""
        self.run(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n")

    def ip_json(self, words):
        text = self.run(["ip", "-j", *words.split()]).stdout
        return json.loads(text) if text.strip() else []

    def link(self, device):
        """The link as `ip -d -j -s` shows it, or None."""
        done = self.run(["ip", "-d", "-j", "-s", "link", "show", "dev", device], check=False)
        return json.loads(done.stdout)[0] if done.returncode == 0 else None

    def mac(self, device):
        return self.ip_json(f"link show dev {device}")[0]["address"]

    def sysctl(self, name, value):
        self.run(["sysctl", "-qw", f"{name}={value}"])

    def nft(self, text):
        return self.run(["nft", "-f", "-"], stdin=text)

    def networkd(self, files):
        """Puts files in their places, {path: text}, and lets systemd-networkd, which is started as a
        system does, make of them what it will. They go away with the namespace."""
        lines = "".join(f"mkdir -p $(dirname {path})\ncat >{path} <<'{LIMIT}'\n{text}{LIMIT}\n"
                        for path, text in files.items())
        self._undo.callback(self.machine.script, f"rm {' '.join(files)}")
        self.run(["sh", "-c", lines + NETWORKD])

    def networkd_said(self):
        return self.run(["cat", "/run/networkd.log"]).stdout

    def close(self):
        self._undo.close()
        self._must(END)


class Lines(list):
    """Takes the words of ip(8) in place of a router that is not there yet."""

    def ip(self, *lines):
        self += lines


class KernelScene(Scene):
    def __init__(self, machine, **options):
        self.machine = machine
        super().__init__(**options)

    def namespace(self, label):
        """Router B's cables go into the bay, where the machine's are."""
        return self.machine.bay if label == B else super().namespace(label)

    def _address(self, side):
        if side == A:
            super()._address(A)
            return
        lines = self.router[B] = Lines()
        super()._address(B)
        self.router[B] = self._plug_in(lines)

    def _as_wires(self, side):
        if side == A:  # the machine's are so from the beginning
            super()._as_wires(A)

    def _plug_in(self, lines):
        """Joins the scene's cables with the machine's, whose router begins with these lines."""
        bay = self.machine.bay
        mtu = bay.ip_json("link show dev bond0")[0]["mtu"]
        for _, name, tap in DEVICES:
            offloads_off(bay, name)
            bay.ip(f"link add {name}-br type bridge mcast_snooping 0",
                   f"link set {name}-br up", f"link set {name} master {name}-br",
                   f"link set {tap} master {name}-br")
            self._undo.callback(bay.ip, f"link del {name}-br", f"link del {name}")
        guest = Guest(self.machine, [*lines, f"link set bond0 mtu {mtu}"])
        self._undo.callback(guest.close)
        return guest


def kernel_tunnel(outer=4, name=NAME, address=True, **words):
    """Lines of ip(8) that make the kernel's own tunnel on B, as the file's tunnel on A has it. A word
    with None as its value stands alone."""
    kind = words.pop("kind", "gre" if outer == 4 else "ip6gre")
    if outer == 6:
        words.setdefault("encaplimit", "none")
    options = " ".join(key.replace("_", "-") + (f" {value}" if value is not None else "")
                       for key, value in words.items())
    lines = [f"link add {name} type {kind} local {UNDERLAY[outer][B]} remote {UNDERLAY[outer][A]} {options}",
             f"link set {name} up"]
    if address:
        for family in (4, 6):
            flag = " nodad" if family == 6 else ""
            lines += [f"address add {TUNNEL[family][B]} peer {TUNNEL[family][A]} dev {name}{flag}",
                      f"route add {LAN[family][A]} dev {name}"]
    return lines


def become_router(guest, *lines):
    """Forwards, and has what these lines of ip(8) make."""
    guest.run(["sh", "-ec", "ip -batch -\ncd /proc/sys/net\necho 1 >ipv4/ip_forward\necho 1 >ipv6/conf/all/forwarding"],
              stdin="\n".join(lines) + "\n")


def wait_up(sites):
    """The programs are loaded, which keepalives may not outlive on an emulated processor, and both are
    heard."""
    for site in sites.values():
        wait_loaded(site, deadline=60)
    for site in sites.values():
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 30, site.tunnel)


class GuestSite(Site):
    """greteld inside the machine, on its kernel, with the programs that were built here."""

    def __init__(self, guest, text):  # not the base's: nothing of it is on this machine
        self.namespace, self.build, self.forgotten = guest, guest.machine.install(), {}
        self.file = self.build / "gretel.conf"
        self.run_directory = self.build / "run"
        self.env = {"GRETELD": self.build / "src/cmd/greteld"}
        self.write(text)

    def write(self, text):
        self.namespace.machine.script(f"rm -rf {self.run_directory}")  # of the scene before
        self.namespace.machine.put(self.file, text.encode(), 0o644)

    def pid(self):
        raise NotImplementedError("its processes are the machine's")
