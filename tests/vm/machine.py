# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated machine: started, asked to run scripts, ended.

It has three network devices, all of them taps in one namespace of ours, the bay: the underlay, the
LAN, and one for the scripts. No device computes checksums or segments for the other side, so
what the machine sends is what a wire carries.
"""
import contextlib
import pathlib
import shlex
import socket
import subprocess
import tempfile

from gretel import BUILD
from image import image
from net import Failed, Namespace, wait_for

PORT, HERE, THERE = 7, "198.18.0.1", "198.18.0.2"
TAPS = {"underlay": "52:54:00:00:00:01", "lan": "52:54:00:00:00:02", "talk": "52:54:00:00:00:03"}
# Where our programs are, in the machine.
OPT = pathlib.PurePosixPath("/opt/gretel")
# Megabytes; seconds; how much later than the script's own end its answer may come.
MEMORY, BOOT, LATER = 768, 120.0, 10
# The emulator translates code anew for each address that it is loaded at: random ones cost each program
# that is started five times what it costs otherwise.
QUICKLY = "norandmaps mitigations=off init_on_alloc=0 rcupdate.rcu_expedited=1 apparmor=0 audit=0"
PLAIN = ",".join(f"{name}=off" for name in ("csum", "gso", "guest_csum", "guest_tso4", "guest_tso6",
                                            "guest_ecn", "guest_ufo", "host_tso4", "host_tso6",
                                            "host_ecn", "host_ufo", "mrg_rxbuf"))


class Machine:
    """Booted when it is made; `bay` is the namespace with its cables."""

    def __init__(self):
        self._undo = contextlib.ExitStack()
        self.installed = False
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self):
        kernel, disk = image()
        self.bay = Namespace("bay")
        self._undo.callback(self.bay.close)
        self.bay.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.bay.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        for name in TAPS:
            self.bay.run(["ip", "tuntap", "add", name, "mode", "tap"])
            self.bay.ip(f"link set {name} up" + (" mtu 9300" if name != "talk" else ""))
        self.bay.ip(f"address add {HERE}/30 dev talk")
        self.console = self._undo.enter_context(tempfile.NamedTemporaryFile(prefix="gretel-console-"))
        self.process = self.bay.popen(self._argv(kernel, disk), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.STDOUT)
        wait_for(self._answers, BOOT, lambda: f"the emulated machine answers\n{self.said()}", 0.1)

    def _argv(self, kernel, disk):
        # It ends with the tests, however they end.
        argv = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg,thread=multi",
                "-cpu", "qemu64", "-smp", 1, "-m", MEMORY, "-nodefaults", "-no-reboot", "-display", "none",
                "-serial", f"file:{self.console.name}", "-kernel", kernel, "-initrd", disk,
                "-append", f"console=ttyS0 quiet panic=-1 net.ifnames=0 {QUICKLY} rdinit=/init"]
        for name, mac in TAPS.items():
            argv += ["-netdev", f"tap,id={name},ifname={name},script=no,downscript=no",
                     "-device", f"virtio-net-pci,netdev={name},mac={mac},romfile=,{PLAIN}"]
        return argv

    def said(self):
        """The end of what it wrote on its console."""
        with open(self.console.name, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-40:])

    def _must_run(self):
        if self.process.poll() is not None:
            raise Failed(f"the emulator ended with {self.process.returncode}\n{self.said()}")

    def _answers(self):
        self._must_run()
        with contextlib.suppress(OSError, Failed):
            return self.script("true", timeout=2).returncode == 0
        return False

    def script(self, text, stdin=b"", timeout=30, namespace=""):
        """Runs a script of the shell there, in a network namespace or in none; returns what subprocess.run()
        does, both outputs as text."""
        self._must_run()
        octets = text.encode()
        with self.bay.entered():
            sock = socket.socket()
        with sock:
            sock.settimeout(timeout)
            sock.connect((THERE, PORT))
            sock.sendall(f"{timeout} {len(octets)} {namespace}\n".encode() + octets + stdin)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            sock.settimeout(timeout + LATER)
            try:
                while chunk := sock.recv(1 << 16):
                    answer += chunk
            except OSError as error:
                raise Failed(f"{error} after {text[:200]!r}\n{self.said()}") from None
        head, _, rest = answer.partition(b"\n")
        try:
            status, out, err = map(int, head.split())
        except ValueError:
            raise Failed(f"no answer to {text[:200]!r}, but {answer[:200]!r}\n{self.said()}") from None
        if len(rest) != out + err:
            raise Failed(f"{len(rest)} of {out + err} octets of the answer to {text[:200]!r}")
        return subprocess.CompletedProcess(text, status, rest[:out].decode(errors="replace"),
                                           rest[out:].decode(errors="replace"))

    def run(self, argv, check=True, timeout=30, stdin=None, env=None, namespace=""):
        """Runs a command there, as net.run() does here."""
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        text = "exec " + shlex.join(["env", *settings] * bool(settings) + [str(word) for word in argv])
        done = self.script(text, (stdin or "").encode(), timeout, namespace)
        if check and done.returncode:
            raise Failed(f"{text}: exit {done.returncode}\n{stdin or ''}{done.stdout}{done.stderr}")
        return done

    def put(self, path, octets, mode=0o755):
        """Writes a file there."""
        done = self.script(f'mkdir -p "$(dirname {path})" && cat >{path} && chmod {mode:o} {path}', octets, 60)
        if done.returncode:
            raise Failed(f"{path}: {done.stderr}")

    def install(self):
        """Brings the built programs there, once; returns the directory in place of the build's."""
        if not self.installed:
            for name in ("gretel", "greteld"):
                self.put(OPT / "src/cmd" / name, (BUILD / "src/cmd" / name).read_bytes())
            self.installed = True
        return OPT

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
