# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch with its user-space datapath, in a namespace: its kernel module is not needed."""
import os

from net import run, wait_for
from scene import UNDERLAY, UNDERLAY_LENGTH, A, B, other

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Switch:
    """A database and a daemon whose files are in `directory`. `start(argv, env=...)` runs a process in the
    namespace; `said()` is what to show when one does not come up."""

    def __init__(self, namespace, directory, start, said=None):
        self.namespace, self.directory = namespace, directory
        directory.mkdir(parents=True)
        self.env = {**os.environ, **{f"OVS_{what}": str(directory) for what in
                                     ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")}}
        self.socket = f"unix:{directory}/db.sock"
        run(["ovsdb-tool", "create", directory / "conf.db", SCHEMA], env=self.env)
        start(["ovsdb-server", f"{directory}/conf.db", f"--remote=p{self.socket}",
               f"--unixctl={directory}/ovsdb.ctl", "--no-chdir"], env=self.env)
        wait_for((directory / "db.sock").exists, 10, said)
        run(["ovs-vsctl", f"--db={self.socket}", "--no-wait", "init"], env=self.env)
        start(["ovs-vswitchd", self.socket, f"--unixctl={directory}/vswitchd.ctl", "--disable-system",
               "--no-chdir"], env=self.env)
        wait_for((directory / "vswitchd.ctl").exists, 10, said)

    def vsctl(self, *words):
        return self.namespace.run(["ovs-vsctl", f"--db={self.socket}", *words], env=self.env).stdout

    def appctl(self, *words):
        return self.namespace.run(["ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *words], env=self.env).stdout

    def flows(self, bridge, *lines):
        """These and no others."""
        self.namespace.run(["ovs-ofctl", "add-flows", f"unix:{self.directory}/{bridge}.mgmt", "-"],
                           stdin="\n".join(("delete", *lines)) + "\n", env=self.env)

    def through(self, bridge, one, two):
        """Whatever comes in by one port leaves by the other."""
        self.flows(bridge, f"in_port={one},actions=output:{two}", f"in_port={two},actions=output:{one}")


class SwitchedRouter:
    """Open vSwitch in the place of router B: `outer` has the underlay's device and its addresses, `inner`
    the LAN's device and the port of a tunnel. It does not route and does not cut what is too long."""

    def __init__(self, scene, directory):
        self.scene, router = scene, scene.router[B]
        mac = router.mac("bond0")
        router.ip("address flush dev eth1", "address flush dev bond0")
        # Its ports take frames as they are: checksums that were left to the device would stay open.
        scene.host[B].run(["ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off"])
        self.log = directory.with_suffix(".log")
        with open(self.log, "wb") as log:
            self.switch = Switch(router, directory, lambda argv, env: router.popen(argv, env=env, stderr=log),
                                 self.log.read_text)
        self.switch.vsctl("add-br", "outer", "--", "set", "bridge", "outer", "datapath_type=netdev",
                          f"other_config:hwaddr={mac}", "--", "add-port", "outer", "bond0")
        self.switch.vsctl("add-br", "inner", "--", "set", "bridge", "inner", "datapath_type=netdev",
                          "--", "add-port", "inner", "eth1")
        self.switch.through("outer", "bond0", "LOCAL")
        router.ip("link set dev outer up")
        for family in (4, 6):
            router.ip(f"address add {UNDERLAY[family][B]}/{UNDERLAY_LENGTH[family]} dev outer"
                      + (" nodad" if family == 6 else ""))
            self.switch.appctl("tnl/neigh/set", "outer", UNDERLAY[family][A], scene.router[A].mac("bond0"))

    def tunnel(self, outer, frames, **options):
        """Another tunnel in place of the one before."""
        self.add_port(outer, frames, **options)
        if frames:
            self.switch.through("inner", "eth1", "gre0")
        else:
            self._packets()

    def add_port(self, outer, frames, **options):
        """A port that nothing leads to."""
        words = [f"options:{key}={value}" for key, value in options.items()]
        if not frames:
            words.append("options:packet_type=legacy_l3")
        self.switch.vsctl("--if-exists", "del-port", "inner", "gre0", "--", "add-port", "inner", "gre0", "--",
                          "set", "interface", "gre0", f"type={'gre' if outer == 4 else 'ip6gre'}",
                          f"options:remote_ip={UNDERLAY[outer][A]}", f"options:local_ip={UNDERLAY[outer][B]}", *words)

    def _packets(self):
        """A frame around each packet for the host, which finds its router where none is."""
        host, router = self.scene.host[B], self.scene.router[B].mac("eth1")
        head = f"set_field:{router}->eth_src,set_field:{host.mac('eth0')}->eth_dst"
        self.switch.flows("inner", *(f"in_port=eth1,{kind},actions=output:gre0" for kind in ("ip", "ipv6")),
                          f"in_port=gre0,actions={head},output:eth1")
