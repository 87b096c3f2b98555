# SPDX-License-Identifier: GPL-2.0-or-later
"""The road that every contender is measured on: a host, two routers, a host.

    near ──lan0─[ A ]─wan0 ═══ wan1─[ B ]─lan1── far
    10.10.1.2  10.10.1.1 172.19.1.1  172.19.1.2 20.10.1.1  20.10.1.2

Each contender has such a road of its own, with the same devices, addresses, MTUs and settings, so
that all of them are in place at once and the trials can alternate. Nobody is idle at a cost: what
has no packets sleeps. A road is of one of three kinds.

In the kernel ("lanes"): contenders whose packets never leave the kernel. Generator, both routers and
the counter share core 0: the generator hands 64 packets to A's device and the softirq that this
raises carries them to the far host before the next 64 are made. So the road sets the pace, nothing
is lost by overload and no load has to be sought; a packet's time is the whole road's on one core,
the generator's share included. That share is a row of its own ("sender"), and including it makes the
ratios of fast rows to slow ones smaller than those of the roads alone. With a generator on the other
core, whose packets A receives in a NAPI thread, what is fast is measured worse: cache lines of each
frame cross between the cores, the ring of 256 frames overflows or runs empty as the scheduler likes,
and routing in XDP differed from itself by 0.3 where this way it differs by 0.1. Both ends count
in XDP.

Packet rates ("packets"): the road for contenders with a process in it, which has to sleep and wake
as it would. Generator and counter have core 1 for themselves; all that a router does has core 0. The
kernel's work gets there because A's LAN device receives in a NAPI thread that is pinned to core 0;
what follows from it (the wire, B, B's LAN) runs in the softirqs that it raises, 64 packets at a time,
as behind a network card. The daemons of both routers are pinned there too. So what is compared is the
packets that one core carries through both routers, whether a kernel or a process does the work, and
the scheduler shares that core between the first receiver and the daemons instead of letting softirqs
starve them. (With every device's NAPI a thread, the threads alternate by time slices and overrun each
other's rings: 0.3 of the rate, and not stable.) The counter is a program at the ingress of the far
host's device, in the softirq of the sender like the rest of the road; on a thread of its own it would
cost the routers an interrupt to another core each packet.

In both, offloads are off: every frame is one that a wire could carry. GRO is on at the routers, since
that is what makes a veth receive by NAPI at all; single UDP packets are not merged by it. Frames that
XDP redirects need it at the hosts too, or they vanish. What takes part has a nice value of -19, NAPI
threads, daemons, generator and iperf3 alike, each in a session (a scheduling group) of its own as
services have, so that other work on the machine disturbs a trial less.

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

KINDS = ("lanes", "packets", "tcp")
ROUTER_CORE, TRAFFIC_CORE = 0, 1
NICE = -19
LAN_MTU, WIRE_MTU = 1400, 1500
NEAR, FAR = "10.10.1.2", "20.10.1.2"
LAN = ("10.10.1.1", "20.10.1.1")
WIRE = ("172.19.1.1", "172.19.1.2")
INSIDE = ("192.168.8.1", "192.168.8.11")
LANS = ("10.10.1.0/24", "20.10.1.0/24")
# Where the subnets of tunnels after the first are (traffic.h): the hosts route for them.
SPREAD = "100.64.0.0/10"

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
    """One contender's road. `contender` is what contenders.py describes."""

    def __init__(self, contender, kind, build, directory):
        self.contender, self.kind, self.build = contender, kind, build
        self.directory = directory / f"{contender.name}-{next(_serial)}"
        self.directory.mkdir(parents=True)
        self.daemons = []
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
        if self.kind != "tcp":
            self._packet_settings()
        elif self.contender.xdp:
            self._redirected_tcp()
        if self.kind == "packets":
            self._receive_by_thread()

    def _namespace(self, label):
        made = Namespace(f"{self.contender.name}-{label}")
        made.patience = 120  # ten thousand TUN devices are closed one by one
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
                          f"dev {wire}", f"route add {SPREAD} via {address}")
                router.sysctl("net.ipv4.ip_forward", 1)

    def _packet_settings(self):
        for namespace, device in self.ends():
            gro = "on" if namespace in self.routers or self.kind == "lanes" else "off"
            namespace.run(["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off",
                           "gro", gro])

    def _redirected_tcp(self):
        """A frame that XDP redirects has nobody who completes its checksum, and needs a receiver."""
        for host, device in ((self.near, self.near_device), (self.far, self.far_device)):
            host.run(["ethtool", "-K", device, "tx", "off", "gro", "on"])

    def _receive_by_thread(self):
        device = self.lan_devices[0]
        self.a.run(["sh", "-c", f"echo 1 >/sys/class/net/{device}/threaded"])
        self._pin(wait_for(lambda: napi_threads(device), 5, f"{device} has no NAPI thread"))

    @staticmethod
    def _pin(threads):
        for pid in threads:
            os.sched_setaffinity(pid, {ROUTER_CORE})
            os.setpriority(os.PRIO_PROCESS, pid, NICE)

    def pin_tunnel(self):
        """A contender may have made its tunnel device's NAPI a thread: that is router work too."""
        if self.kind == "packets":
            self._pin(napi_threads(self.tunnel))

    def daemon(self, router, argv, **options):
        """Starts a contender's process on its core."""
        pin = ["taskset", "-c", str(ROUTER_CORE)] if self.kind != "tcp" and not self.contender.both_cores else []
        name = pathlib.Path(argv[0]).name
        log = self.directory / f"{name}-{self.routers.index(router)}.log"
        with open(log, "wb") as file:
            process = start(router, [*pin, *argv], stdout=file, stderr=file, **options)
        self.daemons.append(process)
        return process

    def logs(self):
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}"
                       for log in sorted(self.directory.glob("*.log")))

    def wait_for(self, condition, deadline, what):
        """As net.wait_for(), with the daemons' words; at once when one of them has ended."""
        def alive_and_true():
            if any(process.poll() is not None for process in self.daemons):
                raise Failed(f"{self.contender.name}: a process of it has ended\n{self.logs()}")
            return condition()
        return wait_for(alive_and_true, deadline, lambda: f"{self.contender.name}: {what}\n{self.logs()}")

    def ping(self):
        return self.near.run(["ping", "-c", "1", "-W", "0.3", FAR], check=False).returncode == 0

    def _check(self):
        """Packets arrive, and on the wire they look as the row says: the first of a flow does in
        every lane, or the contender has a check of its own."""
        capture = self.a.popen(["tcpdump", "--immediate-mode", "-p", "-n", "-c", "1", "-i",
                                self.wire_devices[0], self.contender.on_wire], stdout=-3, stderr=-1)
        try:
            capture.stderr.readline()  # it listens
            capture.stderr.readline()
            self.wait_for(self.ping, self.contender.patience, "nothing is carried")
            self.pin_tunnel()
            if self.contender.on_wire != NOTHING:
                self.wait_for(lambda: self.ping() and capture.poll() is not None, 10,
                              f"no packet on the wire is '{self.contender.on_wire}'")
        finally:
            if capture.poll() is None:
                capture.kill()
            capture.communicate()
        self.contender.check(self)

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# A filter that no packet passes: what XDP redirects is not seen by a capture.
NOTHING = "less 1"

__all__ = ["FAR", "Failed", "INSIDE", "KINDS", "LANS", "Lab", "NEAR", "NOTHING", "ROOT", "ROUTER_CORE",
           "SPREAD", "TRAFFIC_CORE", "WIRE", "run", "start", "wait_for"]
