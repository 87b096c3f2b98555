#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the lanes are beside the kernel's own GRE, where there is one: in the emulated machine.

    rate.py [--rounds N] [--flows N] [--length OCTETS]

A road for each contender, all of it inside the machine: host, router, router, host, joined by veth. Packets
come and are counted in XDP (tests/bench/traffic); contenders take turns, and a figure is the median of its
rounds. An emulated processor is slow in its own way: only ratios of one run say something. Prints JSON.
"""
import argparse
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import net  # noqa: E402
from gretel import BUILD  # noqa: E402
from machine import OPT, Machine  # noqa: E402

CONTENDERS = ("route", "ip_gre", "tc", "xdp")
OPEN, MEASURE_MS = 2000, 2000  # flows opened in a second; the length of a trial
TRAFFIC = "/opt/gretel/traffic"

# $1: the name of the road. A veth receives by polling, as XDP wants it, where GRO is on.
ROAD = r"""set -e
for end in near a b far; do
	ip netns add $1-$end
	ip netns exec $1-$end sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.ip_forward=1
	ip -n $1-$end link set lo up
done
cable() { # name-end device, twice, and the MTU
	ip -n $1 link add $2 mtu $5 type veth peer name $4 mtu $5 netns $3
	for end in "$1 $2" "$3 $4"; do
		ip netns exec ${end% *} ethtool -K ${end#* } tx off tso off gso off gro on >/dev/null 2>&1
		ip -n ${end% *} link set ${end#* } up
	done
}
cable $1-near lan $1-a lan 1400
cable $1-a wire $1-b wire 1500
cable $1-b lan $1-far lan 1400
mac() { ip netns exec $1 cat /sys/class/net/$2/address; }
neighbours() { # namespace device its-address other-address other-namespace other-device
	ip -n $1 address add $3/24 dev $2
	ip -n $1 neigh replace $4 lladdr $(mac $5 $6) dev $2
}
neighbours $1-near lan 10.10.1.2 10.10.1.1 $1-a lan
neighbours $1-a lan 10.10.1.1 10.10.1.2 $1-near lan
neighbours $1-a wire 172.19.1.1 172.19.1.2 $1-b wire
neighbours $1-b wire 172.19.1.2 172.19.1.1 $1-a wire
neighbours $1-b lan 20.10.1.1 20.10.1.2 $1-far lan
neighbours $1-far lan 20.10.1.2 20.10.1.1 $1-b lan
ip -n $1-near route add default via 10.10.1.1
ip -n $1-far route add default via 20.10.1.1
mac $1-a lan
"""
ROUTES = """ip -n route-a route add 20.10.1.0/24 via 172.19.1.2
ip -n route-b route add 10.10.1.0/24 via 172.19.1.1
"""
KERNEL = """for side in 'a 1 2 20' 'b 2 1 10'; do
	set -- $side
	ip -n ip_gre-$1 link add name over type gre local 172.19.1.$2 remote 172.19.1.$3 ttl 64
	ip -n ip_gre-$1 link set dev over up
	ip -n ip_gre-$1 route add $4.10.1.0/24 dev over
done
"""
PING = "ip netns exec {0}-near ping -c 1 -W 1 20.10.1.2"


class Road:
    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        self.mac = self._must(f"set -- {name}\n{ROAD}").strip()
        if name in ("route", "ip_gre"):
            self._must("modprobe -a ip_gre nf_conntrack; " + (ROUTES if name == "route" else KERNEL))
        else:
            for side, this, other, lan in (("a", 1, 2, 20), ("b", 2, 1, 10)):
                self._start(side, this, other, lan)
        self._must(f"for i in 1 2 3 4 5 6 7 8 9; do {PING.format(name)} && exit 0; done; exit 1")
        if name not in ("route", "ip_gre"):
            for side in "ab":
                net.wait_for(lambda: self._lane(side)[0] == name, 60, lambda: self._lane(side), 0.5)

    def _must(self, text, timeout=60):
        done = self.machine.script(text, timeout=timeout)
        if done.returncode:
            raise net.Failed(f"{self.name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _gretel(self, side, *words):
        folder = f"/run/{self.name}-{side}"
        return self._must(f"GRETELD={OPT}/src/cmd/greteld ip netns exec {self.name}-{side} {OPT}/src/cmd/gretel "
                          f"-c {folder}.conf -r {folder} " + " ".join(words))

    def _start(self, side, this, other, lan):
        text = f"[tunnel over]\nlocal = 172.19.1.{this}\nremote = 172.19.1.{other}\nroute = {lan}.10.1.0/24\n" \
               f"lane = {self.name}\nnotrack = no\n[daemon]\nworkers = 1\nflows = 8192\n"
        self.machine.put(f"/run/{self.name}-{side}.conf", text.encode(), 0o644)
        self._gretel(side, "up")

    def _lane(self, side):
        tunnel, = json.loads(self._gretel(side, "--json", "status"))["tunnels"]
        return tunnel["lane"], tunnel["lane_reason"]

    def measure(self, flows, length):
        """Packets a second that arrive, of as many as can be offered."""
        text = self._must(f"{TRAFFIC} -g {self.name}-near,lan -s {self.name}-far,lan -m {self.mac} -a 10.10.1.2 "
                          f"-b 20.10.1.2 -l {length} -f {flows} -o {OPEN} -x -c 0 -w 300 -t {MEASURE_MS}", 120)
        return json.loads(text)["received"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flows", type=int, default=100)
    parser.add_argument("--length", type=int, default=60, help="octets of a frame without check sequence")
    options = parser.parse_args()
    net.sweep()
    with Machine() as machine:
        machine.install()
        machine.put(TRAFFIC, (BUILD / "tests/bench/traffic").read_bytes())
        roads = [Road(machine, name) for name in CONTENDERS]
        rates = {road.name: [] for road in roads}
        for number in range(options.rounds):
            for road in roads:
                rates[road.name].append(road.measure(options.flows, options.length))
                print(f"round {number + 1}: {road.name} {rates[road.name][-1]:.0f}/s", file=sys.stderr, flush=True)
        release = machine.script("uname -r").stdout.strip()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    print(json.dumps({"kernel": release, **vars(options), "packets_per_second": medians, "all": rates, "ratio_to_ip_gre":
                      {name: round(rate / medians["ip_gre"], 2) for name, rate in medians.items()}}, indent=1))


if __name__ == "__main__":
    main()
