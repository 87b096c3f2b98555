# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch between the two hosts of lab.py."""
from lab import WIRE
from ovs import Switch


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
        switch = Switch(router, lab.directory / f"ovs{side}",
                        lambda argv, env: lab.daemon(router, argv, env=env), lab.logs)
        lan, wire = lab.lan_devices[side], lab.wire_devices[side]
        switch.vsctl("add-br", "outer", "--", "set", "bridge", "outer", "datapath_type=netdev",
                     f"other_config:hwaddr={macs[side]}", "--", "add-port", "outer", wire)
        switch.vsctl("add-br", "inner", "--", "set", "bridge", "inner", "datapath_type=netdev",
                     "--", "add-port", "inner", lan, "--", "add-port", "inner", "gre0", "--",
                     "set", "interface", "gre0", "type=gre", f"options:remote_ip={WIRE[1 - side]}")
        router.ip("link set dev outer up", f"address add {WIRE[side]}/24 dev outer")
        switch.appctl("tnl/arp/set", "outer", WIRE[1 - side], macs[1 - side])
        switch.through("outer", wire, "LOCAL")
        switch.through("inner", lan, "gre0")
