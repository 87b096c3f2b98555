# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces for the tests: made with names of their own, gone again whatever happens.

A name is g<pid>x<n>-<label>. The pid says who made it, so that the next run can remove what a run
that was killed left behind, and two runs beside each other leave each other alone.
"""
import atexit
import contextlib
import ctypes
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
# Constants of the kernel that the socket module does not have.
SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)
_alive = {}


class Failed(AssertionError):
    """A command or a condition that did not come true, with what was seen."""


def wait_for(condition, deadline=5.0, what=None, interval=0.02):
    """Polls `condition` until it is true and returns its value; fails after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise Failed(f"not true within {deadline} s: {said or condition}")
        time.sleep(interval)


def run(argv, check=True, timeout=30, stdin=None, env=None):
    """Runs a command to its end. With `check` a status other than 0 fails and shows the output."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=env,
                          **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    if check and done.returncode:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}\n{stdin or ''}{done.stdout}{done.stderr}")
    return done


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """One host of a test. `patience`: seconds that its processes may take to end."""
    patience = 5

    def __init__(self, label):
        self.label = label
        self.name = f"g{os.getpid()}x{next(_serial)}-{label}"
        run(["ip", "netns", "add", self.name])
        _alive[self.name] = self
        self.processes = []
        self.ip("link set lo up")
        # No waiting for duplicate addresses, no router solicitations: the tests own the links.
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.router_solicitations", 0)

    def __str__(self):
        return self.label

    def argv(self, argv):
        return ["ip", "netns", "exec", self.name, *(str(word) for word in argv)]

    def run(self, argv, **options):
        return run(self.argv(argv), **options)

    def popen(self, argv, **options):
        """Starts a process that lives at most as long as the namespace. Its pid is the program's."""
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.argv(argv), text=True, **options)
        self.processes.append(process)
        return process

    def ip(self, *lines):
        """Words of ip(8), one command a line."""
        run(["ip", "-n", self.name, "-batch", "-"], stdin="\n".join(lines) + "\n")

    def ip_json(self, words):
        text = run(["ip", "-n", self.name, "-j", *words.split()]).stdout
        return json.loads(text) if text.strip() else []

    def nft(self, text):
        return self.run(["nft", "-f", "-"], stdin=text)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread lives in the namespace: sockets and /proc/sys/net are this host's."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _setns(there)
            yield self
        finally:
            _setns(home)
            os.close(home)
            os.close(there)

    def sysctl(self, name, value=None):
        """Reads, or writes, a setting of net.*; slashes may be used where a name has dots."""
        path = "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))
        with self.entered(), open(path, "r" if value is None else "w", encoding="ascii") as file:
            if value is None:
                return file.read().strip()
            file.write(str(value))
            return None

    def mac(self, device):
        return self.ip_json(f"link show dev {device}")[0]["address"]

    def link(self, device):
        """The link as `ip -d -j -s` shows it, or None."""
        done = run(["ip", "-n", self.name, "-d", "-j", "-s", "link", "show", "dev", device], check=False)
        return json.loads(done.stdout)[0] if done.returncode == 0 else None

    def pids(self):
        done = run(["ip", "netns", "pids", self.name], check=False)
        return [int(pid) for pid in done.stdout.split()]

    def kill_all(self):
        """Ends every process in the namespace; the test's own daemons among them."""
        def gone():
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.processes:
                process.poll()
            return not self.pids()
        wait_for(gone, self.patience, f"processes left in {self.name}")
        for process in self.processes:
            process.wait(self.patience)

    def close(self):
        if _alive.pop(self.name, None):
            self.kill_all()
            run(["ip", "netns", "del", self.name])


def veth(one, name_one, other, name_other, mtu=None):
    """A cable between two namespaces, both ends up."""
    size = f"mtu {mtu} " if mtu else ""
    one.ip(f"link add {name_one} {size}type veth peer name {name_other} {size}netns {other.name}",
           f"link set dev {name_one} up")
    other.ip(f"link set dev {name_other} up")


def packet_socket(namespace, device, kind=socket.SOCK_RAW, protocol=ETH_P_ALL):
    """A packet socket on a device, that sees what comes in there and not what goes out."""
    with namespace.entered():
        # Protocol 0: nothing is received before the socket is bound to its device.
        sock = socket.socket(socket.AF_PACKET, kind, 0)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.bind((device, protocol))
    return sock


def offloads_off(namespace, *devices):
    """Frames on these devices are what a wire would carry: whole checksums, no super-packets."""
    for device in devices:
        namespace.run(["ethtool", "-K", device, "tx", "off", "gso", "off", "tso", "off", "gro", "off"])


def sweep():
    """Removes namespaces of runs that do not exist any more."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for name in names:
        made = re.fullmatch(r"g(\d+)x\d+-.*", name)
        if made and not os.path.exists(f"/proc/{made[1]}"):
            pids = run(["ip", "netns", "pids", name], check=False).stdout.split()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            run(["ip", "netns", "del", name], check=False)


@atexit.register
def close_all():
    for namespace in list(_alive.values()):
        namespace.close()
