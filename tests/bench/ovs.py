# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch between the two hosts of lab.py."""
import os

from lab import WIRE, run, wait_for


class OpenVSwitch:
    """Open vSwitch's user-space datapath, GRE between two bridges, AF_PACKET ports. It carries
    Ethernet and does not route; two fixed flows a bridge spare it all learning."""
    name, title, bridged, on_wire = "ovs", "Open vSwitch user space", True, "ip proto 47"

    def start(self, lab):
        macs = [router.mac(device) for router, device in zip(lab.routers, lab.wire_devices)]
        if lab.kind == "tcp":
            # Its AF_PACKET ports hand a checksum that the kernel left open on as it is.
            lab.near.run(["ethtool", "-K", lab.near_device, "tx", "off"])
            lab.far.run(["ethtool", "-K", lab.far_device, "tx", "off"])
        for side, router in enumerate(lab.routers):
            self._side(lab, side, router, macs)

    def _side(self, lab, side, router, macs):
        directory = lab.directory / f"ovs{side}"
        directory.mkdir()
        env = {**os.environ, "OVS_RUNDIR": str(directory), "OVS_LOGDIR": str(directory),
               "OVS_DBDIR": str(directory), "OVS_SYSCONFDIR": str(directory)}
        socket = f"unix:{directory}/db.sock"
        run(["ovsdb-tool", "create", directory / "conf.db",
             "/usr/share/openvswitch/vswitch.ovsschema"], env=env)
        lab.daemon(router, ["ovsdb-server", f"{directory}/conf.db", f"--remote=p{socket}",
                            f"--unixctl={directory}/ovsdb.ctl", "--no-chdir"], env=env)
        wait_for((directory / "db.sock").exists, 10, lab.logs)
        run(["ovs-vsctl", f"--db={socket}", "--no-wait", "init"], env=env)
        lab.daemon(router, ["ovs-vswitchd", socket, f"--unixctl={directory}/vswitchd.ctl",
                            "--disable-system", "--no-chdir"], env=env)
        wait_for((directory / "vswitchd.ctl").exists, 10, lab.logs)

        def vsctl(*words):
            router.run(["ovs-vsctl", f"--db={socket}", *words], env=env)

        lan, wire = lab.lan_devices[side], lab.wire_devices[side]
        vsctl("add-br", "outer", "--", "set", "bridge", "outer", "datapath_type=netdev",
              f"other_config:hwaddr={macs[side]}", "--", "add-port", "outer", wire)
        vsctl("add-br", "inner", "--", "set", "bridge", "inner", "datapath_type=netdev",
              "--", "add-port", "inner", lan, "--", "add-port", "inner", "gre0", "--",
              "set", "interface", "gre0", "type=gre", f"options:remote_ip={WIRE[1 - side]}")
        router.ip("link set dev outer up", f"address add {WIRE[side]}/24 dev outer")
        router.run(["ovs-appctl", "-t", f"{directory}/vswitchd.ctl", "tnl/arp/set", "outer",
                    WIRE[1 - side], macs[1 - side]], env=env)
        for bridge, one, other in (("outer", wire, "outer"), ("inner", lan, "gre0")):
            self._flows(router, directory, env, bridge, one, other)

    @staticmethod
    def _flows(router, directory, env, bridge, one, other):
        target = f"unix:{directory}/{bridge}.mgmt"
        text = (f"in_port={one},actions=output:{other}\nin_port={other},actions=output:{one}\n"
                .replace(f"in_port={bridge},", "in_port=LOCAL,")
                .replace(f"output:{bridge}\n", "LOCAL\n"))
        router.run(["ovs-ofctl", "add-flows", target, "-"], stdin="delete\n" + text, env=env)
