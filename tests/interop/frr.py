# SPDX-License-Identifier: GPL-2.0-or-later
"""FRRouting, BIRD and SMCRoute in a namespace of a test: their own configuration, sockets and state beside the
test's other files, nothing of the machine's service. They end with the namespace."""
import json
import pathlib
import shutil
import tempfile

from net import run, wait_for

FRR = pathlib.Path("/usr/lib/frr")


class Frr:
    """zebra and some of its daemons on one router; `config` is that of all of them."""

    def __init__(self, namespace, undo, config, *daemons):
        self.namespace = namespace
        # The daemons give up root for a user of their own, who could not enter a folder of the test's.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gretel-frr-"))
        undo.callback(shutil.rmtree, self.directory)
        shutil.chown(self.directory, "frr", "frr")
        (self.directory / "frr.conf").write_text(f"hostname {namespace.label}\n{config}")
        self.log = undo.enter_context(open(self.directory / "log", "w", encoding="utf-8"))
        self.processes = []
        undo.callback(self.stop)
        for daemon in ("zebra", *daemons):
            self._start(daemon)
        run(self._vtysh("-b"))

    def _start(self, daemon):
        extra = ["--bfdctl", self.directory / "bfdd.sock"] if daemon == "bfdd" else []
        # Port 0: no terminal over TCP. An empty file: the configuration comes by vtysh, when all run.
        argv = [FRR / daemon, "-P", 0, "-f", "/dev/null", "-i", self.directory / f"{daemon}.pid", "-z",
                self.directory / "zserv.api", "--vty_socket", self.directory, "--log", "stdout", *extra]
        self.processes.append(self.namespace.popen(argv, stdout=self.log, stderr=self.log))
        wait_for(lambda: (self.directory / f"{daemon}.vty").exists(), 10, self.said)

    def stop(self):
        for process in self.processes:
            process.terminate()
        wait_for(lambda: all(process.poll() is not None for process in self.processes), 20, self.said)

    def said(self):
        return (self.directory / "log").read_text()[-2000:]

    def _vtysh(self, *words):
        return ["vtysh", "--vty_socket", self.directory, "--config_dir", self.directory, *words]

    def do(self, *lines):
        """Commands, as they are typed."""
        return run(self._vtysh(*(word for line in lines for word in ("-c", line)))).stdout

    def show(self, what):
        return json.loads(self.do(f"show {what} json") or "{}")


class Bird:
    """BIRD on one router."""

    def __init__(self, namespace, directory, config):
        self.socket = pathlib.Path(directory) / "bird.ctl"
        self.socket.parent.mkdir(parents=True)
        file = self.socket.with_name("bird.conf")
        file.write_text(config)
        namespace.popen(["bird", "-f", "-c", file, "-s", self.socket, "-P", self.socket.with_name("bird.pid")])
        wait_for(self.socket.exists, 10, "bird's socket")

    def do(self, command):
        return run(["birdc", "-r", "-s", self.socket, command]).stdout


class Smcroute:
    """SMCRoute on one router: multicast routes that a file says."""

    def __init__(self, namespace, directory, config):
        self.socket = pathlib.Path(directory) / "smcroute.sock"
        self.socket.parent.mkdir(parents=True)
        file = self.socket.with_name("smcroute.conf")
        file.write_text(config)
        # -N: no device takes part that the file does not name.
        namespace.popen(["smcrouted", "-n", "-N", "-f", file, "-u", self.socket, "-P", self.socket.with_name("pid")])
        wait_for(self.socket.exists, 10, "smcroute's socket")

    def told(self):
        return run(["smcroutectl", "-u", self.socket, "-d", "show", "routes"]).stdout


def routes(namespace, prefix, family=4):
    """The kernel's routes to just this prefix that lead somewhere at the moment."""
    return [route for route in namespace.ip_json(f"-{family} route show {prefix}")
            if "dead" not in route.get("flags", [])]
