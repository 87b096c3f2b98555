# SPDX-License-Identifier: GPL-2.0-or-later
"""The road that every contender is measured on: a host, two routers, a host.

    near ──lan0─[ A ]─wan0 ═══ wan1─[ B ]─lan1── far
    10.10.1.2  10.10.1.1 172.19.1.1  172.19.1.2 20.10.1.1  20.10.1.2

Each contender has such a road of its own, with the same devices, addresses, MTUs and settings, so
that all of them are in place at once and the trials can alternate. Nobody is idle at a cost: what
has no packets sleeps.

Packet rates ("packets"). Generator and counter have core 1 for themselves; all that a router does
has core 0. The kernel's work gets there because A's LAN device receives in a NAPI thread that is
pinned to core 0; what follows from it (the wire, B, B's LAN) runs in the softirqs that it raises,
64 packets at a time, as behind a network card. The daemons of both routers are pinned there too.
So what is compared is the packets that one core carries through both routers, whether a kernel or
a process does the work, and the scheduler shares that core between the first receiver and the
daemons instead of letting softirqs starve them. (With every device's NAPI a thread, the threads
alternate by time slices and overrun each other's rings of 256: 0.3 of the rate, and not stable.)
Offloads are off: every frame is one that a wire could carry. GRO is on at the routers, since that is
what makes a veth receive by NAPI at all; single UDP packets are not merged by it.
The counter is a program at the ingress of the far host's device, in the softirq of the sender like
the rest of the road; on a thread of its own it would cost the routers an interrupt to another core
each packet.

In both, what takes part has a nice value of -19, NAPI threads, daemons, generator and iperf3 alike,
each in a session (a scheduling group) of its own as services have, so that other work on the
machine disturbs a trial less.

TCP ("tcp"). Offloads as the kernel sets them up, nothing pinned: two hosts and two routers share
the machine. The LAN's MTU of 1400 gives every contender the same segments, tunnel or not.
"""
import contextlib
import itertools
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/netns"))

from net import Failed, Namespace, run, veth, wait_for  # noqa: E402

ROUTER_CORE, TRAFFIC_CORE = 0, 1
NICE = -19
LAN_MTU, WIRE_MTU = 1400, 1500
NEAR, FAR = "10.10.1.2", "20.10.1.2"
LAN = ("10.10.1.1", "20.10.1.1")
WIRE = ("172.19.1.1", "172.19.1.2")
INSIDE = ("192.168.8.1", "192.168.8.11")
REMOTE_LAN = ("20.10.1.0/24", "10.10.1.0/24")

_serial = itertools.count(1)


def napi_threads(device):
    """Kernel threads that receive for `device`. Some kernels cut the name to 15 characters."""
    found = []
    for directory in pathlib.Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            name = (directory / "comm").read_text().strip()
            if re.fullmatch(rf"napi/{device}-\d+", name) or name == f"napi/{device}-"[:15]:
                found.append(int(directory.name))
    return found


def start(namespace, argv, **options):
    """A process that takes part in a trial: see the head of this file."""
    process = namespace.popen(["nice", "-n", str(NICE), *argv], start_new_session=True, **options)
    with contextlib.suppress(OSError):  # a kernel without autogroups goes by the nice value
        pathlib.Path(f"/proc/{process.pid}/autogroup").write_text(str(NICE), encoding="ascii")
    return process


class Lab:
    def __init__(self, contender, packets, build, directory):
        self.contender, self.packets, self.build = contender, packets, build
        self.directory = directory / f"{contender.name}-{next(_serial)}"
        self.directory.mkdir(parents=True)
        self._undo = contextlib.ExitStack()
        try:
            self._build()
            contender.start(self)
            self._check()
        except BaseException:
            self.close()
            raise

    def _build(self):
        # Unique on the machine: a NAPI thread is known by its device's name alone.
        stem = f"b{os.getpid()}{next(_serial)}"
        self.tunnel = f"{stem}t"
        self.near, self.a, self.b, self.far = (self._namespace(label) for label in
                                               ("near", "A", "B", "far"))
        self.routers = (self.a, self.b)
        self.near_device, self.far_device = f"{stem}n", f"{stem}f"
        self.lan_devices = (f"{stem}l", f"{stem}r")
        self.wire_devices = (f"{stem}a", f"{stem}b")
        veth(self.near, self.near_device, self.a, self.lan_devices[0], LAN_MTU)
        veth(self.far, self.far_device, self.b, self.lan_devices[1], LAN_MTU)
        veth(self.a, self.wire_devices[0], self.b, self.wire_devices[1], WIRE_MTU)
        self._addresses()
        if self.packets:
            self._packet_settings()

    def _namespace(self, label):
        made = Namespace(f"{self.contender.name}-{label}")
        self._undo.callback(made.close)
        made.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        made.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        for scope in ("all", "default"):
            made.sysctl(f"net.ipv4.conf.{scope}.rp_filter", 0)
        return made

    def ends(self):
        """(namespace, device) of every end of a cable."""
        return [(self.near, self.near_device), (self.a, self.lan_devices[0]),
                (self.a, self.wire_devices[0]), (self.b, self.wire_devices[1]),
                (self.b, self.lan_devices[1]), (self.far, self.far_device)]

    def _addresses(self):
        macs = {device: namespace.mac(device) for namespace, device in self.ends()}
        hosts = ((self.near, self.near_device, NEAR), (self.far, self.far_device, FAR))
        # A contender that carries Ethernet has no router between the hosts: the gateway's address
        # is the other host's.
        bridged = self.contender.bridged
        gateways = [macs[hosts[1 - side][1]] if bridged else macs[self.lan_devices[side]]
                    for side in (0, 1)]
        self.gateway_mac = gateways[0]
        for side, (host, device, address) in enumerate(hosts):
            host.ip(f"address add {address}/24 dev {device}", f"route add default via {LAN[side]}",
                    f"neigh replace {LAN[side]} lladdr {gateways[side]} dev {device}")
            router, other = self.routers[side], 1 - side
            lan, wire = self.lan_devices[side], self.wire_devices[side]
            if not bridged:
                router.ip(f"address add {LAN[side]}/24 dev {lan}",
                          f"address add {WIRE[side]}/24 dev {wire}",
                          f"neigh replace {address} lladdr {macs[device]} dev {lan}",
                          f"neigh replace {WIRE[other]} lladdr {macs[self.wire_devices[other]]} "
                          f"dev {wire}")
                router.sysctl("net.ipv4.ip_forward", 1)

    def _packet_settings(self):
        for namespace, device in self.ends():
            gro = "on" if namespace in self.routers else "off"
            namespace.run(["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off",
                           "gro", gro])
            if device != self.lan_devices[0]:  # of A
                continue
            namespace.run(["sh", "-c", f"echo 1 >/sys/class/net/{device}/threaded"])
            threads = wait_for(lambda device=device: napi_threads(device), 5,
                               f"{device} has no NAPI thread")
            self._pin(threads)

    @staticmethod
    def _pin(threads):
        for pid in threads:
            os.sched_setaffinity(pid, {ROUTER_CORE})
            os.setpriority(os.PRIO_PROCESS, pid, NICE)

    def pin_tunnel(self):
        """A contender may have made its tunnel device's NAPI a thread: that is router work too."""
        if self.packets:
            self._pin(napi_threads(self.tunnel))

    def daemon(self, router, argv, **options):
        """Starts a contender's process on its core."""
        pin = ["taskset", "-c", str(ROUTER_CORE)] if self.packets else []
        name = pathlib.Path(argv[0]).name
        log = self.directory / f"{name}-{self.routers.index(router)}.log"
        with open(log, "wb") as file:
            return start(router, [*pin, *argv], stdout=file, stderr=file, **options)

    def logs(self):
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}"
                       for log in sorted(self.directory.glob("*.log")))

    def ping(self):
        return self.near.run(["ping", "-c", "1", "-W", "0.3", FAR], check=False).returncode == 0

    def _check(self):
        """Packets arrive, and on the wire they look as the row says."""
        wait_for(self.ping, 15, lambda: f"{self.contender.name} carries nothing\n{self.logs()}")
        self.pin_tunnel()
        capture = self.a.popen(["tcpdump", "-p", "-n", "-c", "1", "-i", self.wire_devices[0],
                                self.contender.on_wire], stdout=-3, stderr=-3)
        try:
            wait_for(lambda: self.ping() and capture.poll() is not None, 10,
                     f"{self.contender.name}: no packet on the wire is '{self.contender.on_wire}'")
        finally:
            if capture.poll() is None:
                capture.kill()
            capture.wait()

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Route:
    """The kernel's routing, no tunnel: what the road itself bears."""
    name, title, bridged, on_wire = "route", "kernel routing, no tunnel", False, "icmp"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            router.ip(f"route add {REMOTE_LAN[side]} via {WIRE[1 - side]}")


class Vxlan:
    """The nearest kernel tunnel on a kernel without ip_gre; as iproute2 makes it."""
    name, title, bridged, on_wire = "vxlan", "kernel VXLAN", False, "udp port 4789"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            router.ip(f"link add {lab.tunnel} type vxlan id 7 local {WIRE[side]} "
                      f"remote {WIRE[1 - side]} dstport 4789 dev {lab.wire_devices[side]}",
                      f"link set dev {lab.tunnel} up",
                      f"address add {INSIDE[side]} peer {INSIDE[1 - side]} dev {lab.tunnel}",
                      f"route add {REMOTE_LAN[side]} via {INSIDE[1 - side]} dev {lab.tunnel}")


class Loop:
    """loop.c: one packet per system call."""
    name, title, bridged, on_wire = "loop", "one packet per call", False, "ip proto 47"

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            lab.daemon(router, [str(lab.build / "tests/bench/loop"), lab.tunnel, WIRE[side],
                                WIRE[1 - side]])
            wait_for(lambda router=router: (router.link(lab.tunnel) or {}).get("flags", []).count("UP"),
                     5, lambda: f"loop made no device\n{lab.logs()}")
            router.ip(f"address add {INSIDE[side]} peer {INSIDE[1 - side]} dev {lab.tunnel}",
                      f"route add {REMOTE_LAN[side]} dev {lab.tunnel}")


class OpenVSwitch:
    """Open vSwitch's user-space datapath, GRE between two bridges, AF_PACKET ports. It carries
    Ethernet and does not route; two fixed flows a bridge spare it all learning."""
    name, title, bridged, on_wire = "ovs", "Open vSwitch user space", True, "ip proto 47"

    def start(self, lab):
        macs = [router.mac(device) for router, device in zip(lab.routers, lab.wire_devices)]
        if not lab.packets:
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


class Gretel:
    """greteld's user lane, a plain tunnel: no key, no checksum, no rules."""
    name, title, bridged, on_wire = "gretel", "gretel, user lane", False, "ip proto 47"
    options = ""

    def conf(self, lab, side, tunnels=1):
        """The file of one side. Tunnels after the first carry nothing and differ by their key."""
        text = [f"[tunnel {lab.tunnel}]\nlocal = {WIRE[side]}\nremote = {WIRE[1 - side]}\n"
                f"address = {INSIDE[side]} peer {INSIDE[1 - side]}\nroute = {REMOTE_LAN[side]}\n"
                f"notrack = no\n{self.options}"]
        text += [f"[tunnel {lab.tunnel[-5:]}x{number}]\nlocal = {WIRE[side]}\n"
                 f"remote = {WIRE[1 - side]}\nkey = {number}\nnotrack = no\n"
                 for number in range(1, tunnels)]
        path = lab.directory / f"side{side}.conf"
        path.write_text("\n".join(text))
        return path

    def argv(self, lab, side):
        return [str(lab.build / "src/cmd/greteld"), "-f", "-c", str(lab.directory / f"side{side}.conf"),
                "-r", str(lab.directory / f"run{side}")]

    def start(self, lab):
        for side, router in enumerate(lab.routers):
            self.conf(lab, side)
            lab.daemon(router, self.argv(lab, side))


class GretelFull(Gretel):
    """The same with all that GRE has: key, checksum and sequence numbers."""
    name, title = "gretel-full", "gretel, key+checksum+sequence"
    options = "key = 4242\nchecksum = yes\nsequence = yes\n"


CONTENDERS = {kind.name: kind for kind in (Route, Vxlan, OpenVSwitch, Loop, Gretel, GretelFull)}

__all__ = ["CONTENDERS", "FAR", "Failed", "Gretel", "Lab", "NEAR", "ROOT", "TRAFFIC_CORE", "run",
           "start", "wait_for"]
