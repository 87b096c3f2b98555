# SPDX-License-Identifier: GPL-2.0-or-later
"""What the XDP programs by themselves take for a packet of a known flow, without the road: progrun.

"out" is the program of A's LAN device with a frame of the generator, "in" that of B's wire device
with the same frame as A sends it. The flow is opened before, so caches know it. What a program does
is looked at as well: a redirect and the right length, or it has not carried the packet.
"""
import json
import struct

import trial
from contenders import CONTENDERS
from lab import FAR, NEAR, TRAFFIC_CORE, WIRE, Failed, Lab, run

XDP_REDIRECT = 4
ROWS = ("xdp-route", "gretel-xdp")
OUTER = 24  # octets of IPv4 and GRE
PORTS = (20000, 7047)  # of the first flow: traffic.h


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def address(text):
    return bytes(map(int, text.split(".")))


def ipv4(source, destination, protocol, ttl, payload):
    def header(total):
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, total) + \
            address(source) + address(destination)
    return header(checksum(header(0))) + payload


def packet(ttl):
    """The generator's of 46 octets, without its UDP checksum."""
    payload = bytes(18)
    return ipv4(NEAR, FAR, 17, ttl, struct.pack(">4H", *PORTS, 8 + len(payload), 0) + payload)


def frame(to, source, payload):
    return bytes.fromhex((to + source).replace(":", "") + "0800") + payload


def frames(lab):
    """{name: (router, device, frame, length of what leaves)}"""
    tunnel = lab.contender.name.startswith("gretel")
    on_wire = packet(63)
    if tunnel:
        on_wire = ipv4(*WIRE, 47, 64, bytes.fromhex("00000800") + on_wire)
    a, b = (router.mac(device) for router, device in zip(lab.routers, lab.wire_devices))
    return {"out": (lab.a, lab.lan_devices[0], frame(lab.gateway_mac, lab.near.mac(lab.near_device),
                                                     packet(64)), 60 + OUTER * tunnel),
            "in": (lab.b, lab.wire_devices[1], frame(b, a, on_wire), 60)}


def run_one(lab, router, device, octets, length, repeat=200_000):
    attached = router.ip_json(f"link show dev {device}")[0].get("xdp", {}).get("prog")
    if not attached:
        raise Failed(f"{lab.contender.name}: no XDP program on {device}")
    done = router.run(["taskset", "-c", str(TRAFFIC_CORE), lab.build / "tests/bench/progrun",
                       attached["id"], device, octets.hex(), repeat])
    seen = json.loads(done.stdout)
    seen["carried"] = (seen["verdict"], seen["length"]) == (XDP_REDIRECT, length)
    return seen


def time_one(lab, *what):
    seen = run_one(lab, *what)
    if not seen["carried"]:
        raise Failed(f"{lab.contender.name}: the program of {what[1]} does not carry the frame: {seen}")
    return seen


def measure_one(name, build, directory, repeat):
    with Lab(CONTENDERS[name](), "lanes", build, directory) as lab, trial.offered(lab, "64", 1, 1000):
        seen = {}
        for way, what in frames(lab).items():
            lab.wait_for(lambda what=what: run_one(lab, *what, repeat=1)["carried"], 10,
                         "the flow is not known")
            seen[way] = [time_one(lab, *what) for _ in range(repeat)]
    return {way: {**trial.spread([one["ns"] for one in runs]), "trials": runs,
                  **{yardstick: trial.spread([one[yardstick] for one in runs])["median"]
                     for yardstick in ("lookup", "least")},
                  "clock": trial.spread([one["additions_per_ns"] for one in runs])["median"]}
            for way, runs in seen.items()}


def measure_memory(build):
    """{number of flows: ns that one access to an entry of so many takes}, not foretold."""
    def walk(flows):
        return float(run(["taskset", "-c", str(TRAFFIC_CORE), build / "tests/bench/memwalk", flows]).stdout)
    return {flows: trial.spread([walk(flows) for _ in range(5)]) for flows in (1000, 100_000)}


def measure(build, directory, rows, repeat=7):
    """Returns {row: {way: figures}} and {row: what went wrong}."""
    done, failed = {}, {}
    for name in [name for name in ROWS if not rows or name in rows]:
        try:
            done[name] = measure_one(name, build, directory, repeat)
        except Failed as failure:
            failed[f"programs {name}"] = str(failure)
    return done, failed
