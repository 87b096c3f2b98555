# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows: what lies between the two hosts of lab.py."""
import json

import rules
from gretel_conf import conf_text, spread_subnet
from lab import INSIDE, KINDS, LANS, NOTHING, SPREAD, WIRE, Failed, run, wait_for
from switch import OpenVSwitch


class Contender:
    """kinds: the roads that it can be measured on. xdp: it has XDP programs on the routers' devices.
    on_wire: a filter that its packets pass between the routers. patience: seconds until it carries.
    both_cores: its processes may use the generator's core, too."""
    kinds, bridged, xdp, rules, on_wire, patience, both_cores = KINDS, False, False, False, "icmp", 15, False

    def __init__(self, established=False):
        self.established = established

    def start(self, lab):
        raise NotImplementedError

    def check(self, lab):
        """After packets have been seen to arrive."""

    def sink(self, lab):
        """Where packets are counted."""
        return lab.far, lab.far_device


class Sender(Contender):
    """No road: the frames end at A's device. What the generator takes for itself."""
    name, title, kinds, on_wire = "sender", "the generator alone", ("lanes",), NOTHING

    def start(self, lab):
        Route().start(lab)

    def sink(self, lab):
        return lab.a, lab.lan_devices[0]


class Route(Contender):
    """The kernel's routing, no tunnel: what the road itself bears."""
    name, title = "route", "kernel routing, no tunnel"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            router.ip(f"route add {LANS[1 - side]} via {WIRE[1 - side]}")


class WithRules:
    """What a row and its twin with rules differ by. `leaving`: the device towards the peer."""
    rules = True

    def start(self, lab):
        super().start(lab)
        for side, router in enumerate(lab.routers):
            rules.keep_flows(router)
            device, peer = self.leaving(lab, side)
            router.nft(rules.forward(self.established) + self.more_rules +
                       rules.masquerade([(LANS[side], device), (peer, lab.lan_devices[side])]))

    more_rules = ""


class RouteRules(WithRules, Route):
    name, title = "route-rules", "kernel routing, rules"

    def leaving(self, lab, side):
        return lab.wire_devices[side], WIRE[1 - side]


class XdpRoute(Route):
    """xdp_route.bpf.c: a lookup in the kernel's routing table for each packet, in XDP."""
    name, title, kinds, xdp, on_wire = "xdp-route", "XDP routing, no tunnel", ("lanes",), True, NOTHING

    def start(self, lab):
        super().start(lab)
        for side, router in enumerate(lab.routers):
            router.run([lab.build / "tests/bench/xdp_route", lab.lan_devices[side], lab.wire_devices[side]])

    def check(self, lab):
        """Not by the kernel behind its back."""
        for side, router in enumerate(lab.routers):
            text = router.run(["ethtool", "-S", lab.lan_devices[side]]).stdout
            counts = dict(line.strip().split(": ") for line in text.splitlines() if ": " in line)
            if not int(counts["rx_queue_0_xdp_redirect"]):
                raise Failed(f"{lab.lan_devices[side]} redirects nothing\n{text}")


class Vxlan(Contender):
    """The nearest kernel tunnel on a kernel without ip_gre; as iproute2 makes it."""
    name, title, on_wire = "vxlan", "kernel VXLAN", "udp port 4789"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            router.ip(f"link add {lab.tunnel} type vxlan id 7 local {WIRE[side]} "
                      f"remote {WIRE[1 - side]} dstport 4789 dev {lab.wire_devices[side]}",
                      f"link set dev {lab.tunnel} up",
                      f"address add {INSIDE[side]} peer {INSIDE[1 - side]} dev {lab.tunnel}",
                      f"route add {LANS[1 - side]} via {INSIDE[1 - side]} dev {lab.tunnel}")


class VxlanRules(WithRules, Vxlan):
    name, title, more_rules = "vxlan-rules", "kernel VXLAN, rules", rules.untracked(4789)

    def leaving(self, lab, side):
        return lab.tunnel, INSIDE[1 - side]


class Loop(Contender):
    """loop.c: one packet per system call."""
    name, title, kinds, on_wire = "loop", "one packet per call", ("packets", "tcp"), "ip proto 47"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            lab.daemon(router, [str(lab.build / "tests/bench/loop"), lab.tunnel, WIRE[side],
                                WIRE[1 - side]])
            lab.wait_for(lambda router=router: "UP" in (router.link(lab.tunnel) or {}).get("flags", []),
                         5, "no device")
            router.ip(f"address add {INSIDE[side]} peer {INSIDE[1 - side]} dev {lab.tunnel}",
                      f"route add {LANS[1 - side]} dev {lab.tunnel}")


class Gretel(Contender):
    """greteld, a plain tunnel: no key, no checksum. `lane` and `spread` go into the file as they are;
    None is left out. `more`: further lines of the tunnel."""
    on_wire, lane, spread, more = "ip proto 47", None, None, ""

    def __init__(self, established=False, tunnels=1):
        super().__init__(established)
        self.tunnels, self.patience = tunnels, 15 + tunnels / 100

    def conf(self, lab, side):
        path = lab.directory / f"side{side}.conf"
        path.write_text(conf_text(lab, side, self))
        return path

    def argv(self, lab, side):
        return [str(lab.build / "src/cmd/greteld"), "-f", "-c", str(lab.directory / f"side{side}.conf"),
                "-r", str(lab.directory / f"run{side}")]

    def gretel(self, lab, side, *words, check=True):
        """The command, beside a daemon that runs."""
        return run([lab.build / "src/cmd/gretel", "-c", lab.directory / f"side{side}.conf",
                    "-r", lab.directory / f"run{side}", *words], check=check, timeout=120)

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            self.conf(lab, side)
            lab.daemon(router, self.argv(lab, side))
            if self.rules:
                rules.keep_flows(router)
                router.nft(rules.forward(self.established))

    def all_up(self, lab, side):
        """A route is the last that a tunnel gets. Looks at one, and then at all: to list ten thousand
        again and again would cost more than what is waited for."""
        def routes(words):
            return len(lab.routers[side].ip_json(f"-4 route show {words}"))
        if self.tunnels == 1:
            return routes(f"exact {LANS[1 - side]}") == 1
        last = spread_subnet(self.tunnels - 1, 1 - side)
        return bool(routes(f"exact {last}")) and routes(f"root {SPREAD} proto 71") == self.tunnels - 1

    def _lane(self, lab, side):
        tunnel = json.loads(self.gretel(lab, side, "--json", "status", lab.tunnel).stdout)["tunnels"][0]
        return tunnel["lane"], f"the lane is {tunnel['lane']}: {tunnel.get('lane_reason')}"

    def check(self, lab):
        """All tunnels are there, in the lane that was asked for: what carries instead is another
        row."""
        for side in (0, 1):
            lab.wait_for(lambda side=side: self.all_up(lab, side), 120, "not all tunnels came up")
            if self.lane:
                wait_for(lambda side=side: self._lane(lab, side)[0] == self.lane, self.patience,
                         lambda side=side: f"{self.name}: {self._lane(lab, side)[1]}", interval=0.2)


class GretelUser(Gretel):
    name, title, kinds, lane = "gretel-user", "gretel, user lane", ("packets", "tcp"), "user"


class GretelFull(GretelUser):
    """The same with all that GRE has: key, checksum and sequence numbers."""
    name, title = "gretel-full", "gretel, key+checksum+sequence"
    more = "key = 4242\nchecksum = yes\nsequence = yes\n"


class GretelTc(Gretel):
    name, title, lane, kinds = "gretel-tc", "gretel, TC lane", "tc", ("lanes", "tcp")


class GretelXdp(Gretel):
    name, title, lane, kinds, xdp = "gretel-xdp", "gretel, XDP lane", "xdp", ("lanes", "tcp"), True


class GretelXdpSpread(GretelXdp):
    """What B receives is handed to both cores, the only row of this kind that has two."""
    name, title, spread, both_cores = "gretel-xdp-spread", "gretel, XDP lane, spread", "yes", True

    def check(self, lab):
        super().check(lab)
        for side in (0, 1):
            spread = json.loads(self.gretel(lab, side, "--json", "status").stdout)["spread"]
            if spread["cpus"] < 2:
                raise Failed(f"{self.name}: nothing is spread: {spread}")


class GretelUserRules(GretelUser):
    name, title, rules = "gretel-user-rules", "gretel, user lane, rules", True


class GretelTcRules(GretelTc):
    name, title, rules = "gretel-tc-rules", "gretel, TC lane, rules", True


class GretelXdpRules(GretelXdp):
    name, title, rules = "gretel-xdp-rules", "gretel, XDP lane, rules", True


class Ovs(OpenVSwitch, Contender):
    kinds = ("packets", "tcp")


CONTENDERS = {kind.name: kind for kind in (
    Sender, Route, RouteRules, XdpRoute, Vxlan, VxlanRules, Ovs, Loop, GretelUser, GretelUserRules,
    GretelFull, GretelTc, GretelTcRules, GretelXdp, GretelXdpRules,
    GretelXdpSpread)}

__all__ = ["CONTENDERS", "GretelUser"]
