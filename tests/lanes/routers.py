# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers that differ in nothing but the lane, and the far ends of all of them in one namespace.

    l0 ──eth1─[ user ]─bond0── w0      ┐
    l1 ──eth1─[ tc   ]─bond0── w1      │ differ (differ.c) sends and receives here
    l2 ──eth1─[ xdp  ]─bond0── w2      ┘
       10.10.1.1    172.19.1.1

Addresses, MACs and tunnels are the same, so what comes out of them can be compared octet by octet.
Tunnel n has the peer 172.19.1.<2 + n> or 2001:db8:19::<2 + n>, the inner addresses 192.168.<8 + n>.1
and .11 (fd00:8:<n>::1 and ::11), and leads to 20.10.<1 + n>.0/24 and fd00:20:<1 + n>::/64.
"""
import contextlib
import json
import pathlib
import re

from gretel import BUILD, Site, section
from net import Namespace, offloads_off, run, veth, wait_for

LANES = ("user", "tc", "xdp")
KEY = 0xC0FFEE01
# What the file says of a tunnel, and what differ.c has to know of it.
EVERYTHING = (
    ({}, "4"),
    ({"key": KEY}, f"4k{KEY}"),
    ({"key": 7, "sequence": "send"}, "4k7"),
    ({}, "6"),
    ({"key": 9, "ttl": "inherit", "tos": "inherit", "mss": 1000}, "6k9"),
    ({"ttl": "inherit", "tos": "inherit", "df": "copy"}, "4"),
    ({"df": "clear", "mtu": 1500, "ecn": "no", "mss": "no"}, "4"),
    ({"key": 11, "checksum": "require"}, "4k11c"),
)
FRAMES = (
    ({"mode": "gretap"}, "4e"),
    ({"mode": "gretap", "key": KEY, "tos": "inherit", "ttl": "inherit", "mss": 1000}, f"6k{KEY}e"),
    ({"mode": "gretap", "key": 7, "sequence": "send", "df": "copy"}, "4k7e"),
    ({}, "4"),
)
# Flows are masqueraded, and four tunnels fill a batch of differ.c with one packet of each.
TRANSLATED = (({}, "4n"), ({"key": KEY}, f"4k{KEY}n"), ({}, "6n"), ({"key": 7, "sequence": "send"}, "4k7n"))
# What connection tracking would find wrong with packets that it sees, it cannot find in those that it does
# not: a checksum, or a number outside of the window.
TRACKING = {"net.netfilter.nf_conntrack_tcp_be_liberal": 1, "net.netfilter.nf_conntrack_checksum": 0,
            "net.netfilter.nf_conntrack_frag6_timeout": 3}
SETTINGS = {
    "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
    # Whoever leaves a packet to the kernel must get the kernel's answer, each time.
    "net.ipv4.icmp_ratemask": 0, "net.ipv6.icmp.ratelimit": 0, "net.ipv6.icmp.ratemask": "\n",
    "net.ipv6.auto_flowlabels": 0, "net.ipv4.ipfrag_time": 3, "net.ipv6.ip6frag_time": 3,
    **{f"net.ipv4.conf.{which}.{what}": 0 for which in ("all", "default")
       for what in ("rp_filter", "send_redirects")},
}


def is_translated(tunnels):
    return any(far.endswith("n") for _, far in tunnels)


def site_text(lane, tunnels=EVERYTHING):
    lans = [(f"20.10.{1 + n}.0/24", f"fd00:20:{1 + n:x}::/64") for n in range(len(tunnels))]
    forward = section("forward", enable="yes", allow=[f"{here} <-> {lan[v]}" for lan in lans for v, here in
                                                      enumerate(("10.10.1.0/24", "fd00:10:1::/64"))],
                      masquerade=[f"10.10.1.0/24 out t{n}" for n in range(len(tunnels))])
    return (forward if is_translated(tunnels) else "") + "".join(section(
        "tunnel", f"t{n}", lane=lane,
        local="2001:db8:19::1" if far[0] == "6" else "172.19.1.1",
        remote=f"2001:db8:19::{2 + n:x}" if far[0] == "6" else f"172.19.1.{2 + n}",
        address=[f"192.168.{8 + n}.1 peer 192.168.{8 + n}.11", f"fd00:8:{n:x}::1 peer fd00:8:{n:x}::11"],
        route=[f"20.10.{1 + n}.0/24", f"fd00:20:{1 + n:x}::/64"], **keys)
        for n, (keys, far) in enumerate(tunnels))


def expected_lane(lane, keys):
    if "checksum" in keys or "sequence" in keys:
        return "user"
    return "tc" if lane == "xdp" and "mode" in keys else lane


class Router:
    def __init__(self, ends, number, lane, directory, tunnels):
        self.lane, self.tunnels, self.before = lane, tunnels, {}
        self.namespace = Namespace(lane)
        for name, value in SETTINGS.items():
            self.namespace.sysctl(name, value)
        for device, far, last in (("bond0", f"w{number}", 0x99), ("eth1", f"l{number}", 0x98)):
            veth(self.namespace, device, ends, far)
            ends.ip(f"link set {far} address 02:00:00:00:00:{last:02x} arp off")
            offloads_off(self.namespace, device)
            offloads_off(ends, far)
            # It takes frames of XDP before `differ` has its program there; packets do not get as far as GRO.
            ends.run(["ethtool", "-K", far, "gro", "on"])
            self.namespace.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
        self._address()
        self.site = Site(self.namespace, directory, site_text(lane, tunnels))

    def _address(self):
        # That there is no route IPv4 tells no source more often than once a second: here it tells nobody.
        lines = ["link set bond0 address 02:00:00:00:00:01", "link set eth1 address 02:00:00:00:00:02",
                 "route add blackhole default"]
        for device, address, length, last, hosts in (
                ("bond0", "172.19.1.{}", 24, 0x99, range(2, 18)), ("eth1", "10.10.1.{}", 24, 0x98, range(10, 14)),
                ("bond0", "2001:db8:19::{:x}", 64, 0x99, range(2, 18)),
                ("eth1", "fd00:10:1::{:x}", 64, 0x98, range(0x10, 0x14))):
            lines.append(f"address add {address.format(1)}/{length} dev {device}" + (" nodad" if length == 64 else ""))
            lines += [f"neigh replace {address.format(host)} lladdr 02:00:00:00:00:{last:02x} nud permanent dev {device}"
                      for host in hosts]
        self.namespace.ip(*lines)

    def up(self):
        self.site.up()
        for n, (keys, _) in enumerate(self.tunnels):
            if "mode" in keys:
                self._populate(n)
        for name, value in TRACKING.items() if is_translated(self.tunnels) else ():
            self.namespace.sysctl(name, value)

    def _populate(self, n):
        """The Ethernet in the tunnel: this router's address there, and those of the hosts behind."""
        hosts = [f"20.10.{1 + n}.{10 + host}" for host in range(4)] + [f"192.168.{8 + n}.11"] \
            + [f"fd00:20:{1 + n:x}::{0x10 + host:x}" for host in range(4)] + [f"fd00:8:{n:x}::11"]
        self.namespace.ip(f"link set t{n} address 02:00:00:00:00:03",
                          *(f"neigh replace {host} lladdr 02:00:00:00:00:97 nud permanent dev t{n}" for host in hosts))

    def join(self):
        """Devices wait a moment for more segments of a connection, and hand them on as one packet."""
        for device in ("bond0", "eth1"):
            self.namespace.run(["sh", "-c", f"ethtool -K {device} gro on; cd /sys/class/net/{device}; "
                                "echo 300000 >gro_flush_timeout; echo 2 >napi_defer_hard_irqs"])

    def wait_for_lanes(self):
        def there():
            return all(one["lane"] == expected_lane(self.lane, keys)
                       for one, (keys, _) in zip(self.site.status()["tunnels"], self.tunnels))
        wait_for(there, 30, lambda: [(one["name"], one["lane"], one["lane_reason"])
                                     for one in self.site.status()["tunnels"]], 0.1)

    def counted(self):
        """What the status has counted since forget_counts(): {(tunnel, what, which): number}, without zeros.
        Packets of no tunnel are those of the tunnel ""."""
        return {key: number - self.before.get(key, 0) for key, number in self._counts().items()
                if number != self.before.get(key, 0)}

    def forget_counts(self):
        self.before = self._counts()

    def _counts(self):
        status = self.site.status()
        found = {("", "drops", reason): number for reason, number in status["stray_drops"].items()}
        for one in status["tunnels"]:
            for what in ("drops", "rx", "tx"):
                found |= {(one["name"], what, which): number for which, number in one[what].items()}
        return found

    def carried(self):
        """Packets of flows that the programs have carried, as their maps have it."""
        total = 0
        for one in self._maps():
            if one.get("name") in ("flows4", "flows6"):
                entries = json.loads(run(["bpftool", "map", "dump", "id", one["id"], "-j"]).stdout)
                total += sum(entry["formatted"]["value"]["packets"] for entry in entries)
        return total

    def by_greteld(self):
        """Packets that the daemon has read from or written to the interfaces of tunnels; those that the
        programs carry are not seen there."""
        total = 0
        for n, (keys, _) in enumerate(self.tunnels):
            if not {"checksum", "sequence"} & set(keys):
                stats = self.namespace.link(f"t{n}")["stats64"]
                total += stats["rx"]["packets"] + stats["tx"]["packets"]
        return total

    def _maps(self):
        """Those that the daemon has open."""
        text = ""
        for path in pathlib.Path(f"/proc/{self.site.pid()}/fdinfo").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has closed that one by now
                text += path.read_text()
        ids = sorted(set(re.findall(r"^map_id:\s*(\d+)$", text, re.M)))
        return [json.loads(run(["bpftool", "map", "show", "id", number, "-j"]).stdout) for number in ids]

    def close(self):
        self.namespace.close()


class Routers:
    def __init__(self, directory, lanes=LANES, tunnels=EVERYTHING, last=None):
        """`last`: other tunnels for the last router."""
        self._undo = contextlib.ExitStack()
        self.tunnels = tunnels
        try:
            self.ends = Namespace("ends")
            self._undo.callback(self.ends.close)
            for which in ("all", "default"):
                self.ends.sysctl(f"net.ipv6.conf.{which}.disable_ipv6", 1)
            self.all = []
            for number, lane in enumerate(lanes):
                mine = last if last and number == len(lanes) - 1 else tunnels
                router = Router(self.ends, number, lane, pathlib.Path(directory) / str(number), mine)
                self._undo.callback(router.close)
                self.all.append(router)
        except BaseException:
            self.close()
            raise

    def up(self):
        for router in self.all:
            router.up()
        for router in self.all:
            router.wait_for_lanes()

    def differ(self, seed, first, count, odd, limit=120):
        """Runs differ; returns (whether all was the same, what it counted, what it said)."""
        argv = [BUILD / "tests/lanes/differ", seed, first, count, odd, *(far for _, far in self.tunnels), "--",
                *(name for number in range(len(self.all)) for name in (f"w{number}", f"l{number}"))]
        done = self.ends.run(argv, check=False, timeout=limit)
        lines = done.stdout.splitlines()
        assert lines and lines[-1].startswith("{"), done.stdout + done.stderr
        return done.returncode == 0, json.loads(lines[-1]), "\n".join(lines[:-1])

    def close(self):
        self._undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
