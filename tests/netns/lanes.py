# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel lanes: a scene that they can run in, what carries a tunnel, and who sees its packets."""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import time

from gretel import NAME, both_up, ping
from net import SOL_PACKET, packet_socket, run, wait_for
from scene import A, B, HOST

LANES = ("tc", "xdp")
LOAD = 30  # seconds that a busy machine may take to load programs
PACKET_STATISTICS = 6
RATE = 1000
INCLUDE = "/usr/include/x86_64-linux-gnu"
GONE = 1.5  # seconds without a sign of life


def pins(site, undo):
    """A BPF file system in the run directory, for a daemon that is not started yet."""
    place = site.run_directory / "bpf"
    place.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "bpf", "bpf", place])
    undo.callback(run, ["umount", "-l", place], check=False)
    return place


def lane_of(site, name=NAME):
    tunnel = site.tunnel(name)
    return tunnel["lane"], tunnel["lane_reason"]


def wait_loaded(site, name=NAME, deadline=LOAD):
    """Until the programs are there, or are known not to come. It takes memory, and an emulated processor does
    nothing else meanwhile."""
    wait_for(lambda: "being loaded" not in site.tunnel(name)["lane_reason"], deadline, lambda: site.tunnel(name), 0.2)


def wait_lane(site, lane, name=NAME, deadline=LOAD):
    wait_for(lambda: lane_of(site, name)[0] == lane, deadline, lambda: lane_of(site, name), 0.05)


def compile_program(path, source):
    """A program in C for the kernel as an object file."""
    run(["clang", "-O2", "-g", "-target", "bpf", *(["-I", INCLUDE] if os.path.isdir(INCLUDE) else []),
         "-x", "c", "-c", "-", "-o", path], stdin=source)
    return path


def up(scene, directory, lane, families=(4, ), **keys):
    """The scene's tunnel in place, carried by `lane` on both sides; {side: Site}."""
    scene.take_frames()
    sites = both_up(scene, directory, lane=lane, **keys)
    settle(scene, sites, lane, families)
    return sites


def settle(scene, sites, lane, families=(4, )):
    """Until the lane is there and has seen where outer packets leave and come in."""
    for site in sites.values():
        wait_lane(site, lane)
    for family in families:
        ping(scene.host[A], HOST[family][B], count=15)


@contextlib.contextmanager
def alone(sites):
    """The daemons stand still meanwhile: what passes is carried in the kernel. Begins when they count
    as gone there."""
    pids = [site.pid() for site in sites.values()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        wait_for(lambda: time.monotonic() > begun + GONE, GONE + 5)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Eyes:
    """What the kernel's own path of a router sees: a chain in its forward hook, and a packet socket
    on each of its devices, which XDP passes by and TC does not."""

    def __init__(self, router, undo, match="meta l4proto udp"):
        self.router = router
        router.nft("table inet eyes { counter seen { }\n chain f { type filter hook forward priority 5\n"
                   f" {match} counter name seen\n }}\n }}")
        self.sockets = {}
        for device in ("eth1", "bond0"):
            self.sockets[device] = sock = packet_socket(router, device)
            undo.callback(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.total = dict.fromkeys(self.sockets, 0)

    def look(self):
        """Packets so far: in the forward hook, and received by each device."""
        for device, sock in self.sockets.items():
            self.total[device] += struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[0]
        return {"forward": forwarded(self.router), **self.total}


def forwarded(router):
    """Packets that the forward hook of a router with eyes has seen."""
    text = router.run(["nft", "-j", "list", "counter", "inet", "eyes", "seen"]).stdout
    return int(text.split('"packets": ')[1].split(",")[0])


def carried(eyes, flow, seconds=1.0):
    """What became of the flow's packets, both ways, for a while: {"flow", "forward", "eth1", "bond0"}."""
    def look():
        near = flow.near.stats()
        return {"flow": near["sent"] + near["received"], **eyes.look()}
    before, begun = look(), time.monotonic()
    wait_for(lambda: time.monotonic() >= begun + seconds, seconds + 5)
    return {name: n - before[name] for name, n in look().items()}


def is_fast(lane, seen, least):
    """Whether that lane's flow path carried nearly all of them."""
    if seen["flow"] < least or seen["forward"] * 10 > seen["flow"]:
        return False
    devices = seen["eth1"] + seen["bond0"]
    return devices * 5 < seen["flow"] if lane == "xdp" else devices > seen["flow"] * 0.8


def wait_fast(lane, eyes, flow, rate=RATE, deadline=LOAD):
    """Until the flow is carried by the lane's flows and no more by the kernel's path."""
    last = []

    def fast():
        last[:] = [carried(eyes, flow, 0.5)]
        return is_fast(lane, last[0], rate * 0.4)
    wait_for(fast, deadline, lambda: f"carried {last}")


def map_ids(pid):
    """The BPF maps that a process holds."""
    found = set()
    for number in run(["ls", f"/proc/{pid}/fdinfo"]).stdout.split():
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            held = re.search(r"^map_id:\s+(\d+)$", file.read(), re.M)
            if held:
                found.add(int(held[1]))
    return found


def map_id(site, name):
    held = map_ids(site.pid())
    for one in json.loads(run(["bpftool", "-j", "map", "show"]).stdout):
        if one["id"] in held and one.get("name") == name:
            return one["id"]
    raise AssertionError(f"the daemon has no map {name}")


def dump_map(site, name):
    """Keys and values of a map of the daemon, as bpftool decodes them."""
    entries = json.loads(run(["bpftool", "-j", "map", "dump", "id", map_id(site, name)]).stdout)
    return [entry["formatted"] for entry in entries]


def received_by(site):
    """Packets that the programs have received on each CPU, {cpu: packets}, of the daemon's only tunnel."""
    (entry, ) = dump_map(site, "interfaces")
    key = entry["value"].to_bytes(4, "little").hex(" ").split()
    said = run(["bpftool", "-j", "map", "lookup", "id", map_id(site, "counters"), "key", "hex", *key]).stdout
    return {one["cpu"]: one["value"]["rx_packets"] for one in json.loads(said)["formatted"]["values"]}


def flow_packets(site, family=4):
    """Packets that the flows of this router have carried, by (protocol, ports)."""
    found = {}
    for entry in dump_map(site, f"flows{family}"):
        key, value = entry["key"], entry["value"]
        ports = struct.unpack("!HH", bytes(key["ports"]))
        found[key["from"] & 255, *ports] = value["packets"]
    return found


def xdp_sent(router):
    """Frames that XDP of a router's two devices has handed to the other one, and the tunnels' own."""
    said = "".join(router.run(["ethtool", "-S", device]).stdout for device in ("bond0", "eth1"))
    return sum(int(line.split(":")[1]) for line in said.splitlines() if "xdp_redirect:" in line)
