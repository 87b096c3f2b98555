#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make soak: what takes long. Prints figures; ends with a status other than 0 when one is bad.

    soak.py [failover] [transfer] [kill] [doctor] [fuzz] [start] [memory] [dialects] [many] [churn] [differ]
            [lanekill] [lanes] [matrix] [hostile]

All of them by default.

GRETEL_SOAK_MINUTES (10) is the length of the transfer, of each fuzz target, of the run of many
tunnels and of the churn in each lane, GRETEL_KILL_POINTS (500) the number of SIGKILLs,
GRETEL_SOAK_TUNNELS (10000) the many, GRETEL_LANE_RATE (40000) the datagrams a second while daemons
are killed.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import failover as ways
import figures
import lanes
import net
from churn import churn as churn_of
from dialects import Company, tunnels
from dialects import dialects as make_dialects
from flow import CHUNK, tcp_connect, tcp_listen
from gretel import ROOT, Site, both_up, ping, section, site_text
from many import Many, seconds_of_cpu
from peer import Peer
from scene import A, B, HOST, Scene

MINUTES = float(os.environ.get("GRETEL_SOAK_MINUTES", 10))
KILLS = int(os.environ.get("GRETEL_KILL_POINTS", 500))
TUNNELS = int(os.environ.get("GRETEL_SOAK_TUNNELS", 10000))
PACKETS = int(os.environ.get("GRETEL_DIFFER_PACKETS", 1000000))
KIB = 1 << 10


def say(good, text):
    print(f"{'ok    ' if good else 'FAILED'}  {text}", flush=True)
    return good


def receive_all(server, total):
    peer, _ = server.accept()
    with peer:
        while data := peer.recv(CHUNK):
            total[0] += len(data)


def transfer(directory):
    """Traffic at full speed for minutes: greteld's memory after the first one is its memory."""
    with Scene() as scene:
        sites = both_up(scene, directory, key=4242)
        ping(scene.host[A], HOST[4][B])
        server, total = tcp_listen(scene.host[B], 4, HOST[4][B], 7000), [0]
        thread = threading.Thread(target=receive_all, args=(server, total), daemon=True)
        thread.start()
        sock = tcp_connect(scene.host[A], 4, HOST[4][B], 7000)
        data, begun, samples = os.urandom(CHUNK), time.monotonic(), []
        while (now := time.monotonic() - begun) < MINUTES * 60:
            sock.sendall(data)
            if now >= (len(samples) + 1) * MINUTES * 6:
                samples.append({side: figures.resident(site.pid()) for side, site in sites.items()})
                print(f"        {now:5.0f} s  {total[0] / 1e9:7.1f} GB  A {samples[-1][A] // KIB} KiB, "
                      f"B {samples[-1][B] // KIB} KiB", flush=True)
        sock.close()
        growth = max(samples[-1][side] - samples[0][side] for side in (A, B))
        return say(growth < 256 * KIB, f"transfer: {total[0] / 1e9:.1f} GB in {MINUTES:.0f} min, "
                   f"{total[0] * 8 / 1e9 / (MINUTES * 60):.2f} Gbit/s, memory grew by {growth // KIB} KiB")


def kill(_):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "2", "--timeout", "3600",
         str(ROOT / "tests/netns/test_kill.py")], env={**os.environ, "GRETEL_KILL_POINTS": str(KILLS)})
    return say(done.returncode == 0, f"kill: {KILLS} SIGKILLs at random points of up, reload and down")


def doctor(_):
    """A hundred examinations where nothing is wrong, in each condition: no false alarm."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "3600",
         str(ROOT / "tests/netns/test_doctor_healthy.py")], env={**os.environ, "GRETEL_DOCTOR_RUNS": "100"})
    return say(done.returncode == 0, "doctor: 100 examinations each while hosts talk, under load, after reloads")


def fuzz(_):
    done = subprocess.run([sys.executable, ROOT / "tests/run_all.py", "--only", "build-fuzz,fuzz",
                           "--fuzz-seconds", str(int(MINUTES * 60))])
    return say(done.returncode == 0, f"fuzz: each target for {MINUTES:.0f} min")


def start(directory):
    seconds = []
    for turn in range(7):
        with Scene(wire="open") as scene:
            site = Site(scene.router[A], pathlib.Path(directory) / f"start{turn}", site_text(A))
            seconds.append(figures.start_to_first_packet(scene, Peer(scene, A), site))
    middle = statistics.median(seconds) * 1000
    return say(middle < 100, f"start: first packet {middle:.0f} ms after greteld was executed, median of "
               f"{len(seconds)} ({min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f}); allowed: 100")


def memory(directory):
    with Scene() as scene:
        one = figures.memory(scene.router[A], directory, 1)
        many = figures.memory(scene.router[A], directory, 1001)
    each = (many - one) / 1000
    good = one < 12 << 20 and each < 64 * KIB
    return say(good, f"memory: {one / (1 << 20):.1f} MiB with one tunnel (allowed: 12), "
               f"{each / KIB:.1f} KiB for each further one of 1000 (allowed: 64)")


def failover(directory):
    """The primary's path is cut in silence, twenty times, with TCP running through."""
    with Scene() as scene:
        ways.second_wire(scene)
        ways.both(scene, directory, {}, {"backup-of": "first"}, keepalive="100ms 3")
        numbers, line = ways.Numbers(scene), ways.Line(scene)
        cuts = [ways.cut_and_mend(scene, numbers, line) for _ in range(20)]
        numbers.close()
        line.finish()
    middle = [statistics.median(cut[kind] for cut in cuts) * 1000 for kind in (0, 1)]
    lost = sum(len(cut[2]) for cut in cuts)
    return say(middle[0] < 400 and not lost,
               f"failover: 20 silent cuts at 100ms 3: datagrams stand still {middle[0]:.0f} ms, median "
               f"({min(cut[0] for cut in cuts) * 1000:.0f} to {max(cut[0] for cut in cuts) * 1000:.0f}; "
               f"allowed: 400), TCP {middle[1]:.0f} ms; lost by the switch back: {lost}")


def dialects(directory):
    """A thousand intervals with a tenth of the answers lost: no verdict but "up" in any form. Then each
    peer stops, and is found out in time."""
    interval, retries, slack = 0.1, 5, 0.2
    with Scene(wire="open") as scene:
        peers = make_dialects()
        company = Company(scene, peers, loss=0.1, seed=3)
        site = Site(scene.router[A], directory, tunnels(peers, f"{interval * 1000:.0f}ms {retries}", section))
        site.up()

        def keepalives():
            return {one["name"].replace("_", "-"): one["keepalive"] for one in site.status()["tunnels"]}
        net.wait_for(lambda: {one["state"] for one in keepalives().values()} == {"up"}, 10, keepalives)
        log = watch_states(site)
        net.wait_for(lambda: min(company.answered.values()) >= 900, 300 * interval * 10, lambda: company.answered)
        alarms = log.stop()
        took = {}
        for name in peers:
            company.silent.add(name)
            begun = time.monotonic()
            net.wait_for(lambda: keepalives()[name]["state"] == "down", 10, interval=0.005)
            took[name] = time.monotonic() - begun
        company.close()
    worst, most = max(took, key=took.get), interval * retries * 1.1 + slack
    return say(not alarms, f"dialects: {len(alarms)} false alarms in 1,000 intervals of {len(peers)} forms, 10 % lost {alarms[:3]}") \
        & say(took[worst] < most, f"dialects: down after at most {took[worst]:.2f} s ({worst}); allowed: {most:.2f}")


class watch_states:
    """Reads `gretel monitor` for verdicts that are no "up"."""

    def __init__(self, site):
        self.process = site.popen("monitor", stdout=subprocess.PIPE)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event.get("event") == "keepalive" and event.get("state") != "up":
                self.lines.append((event.get("tunnel"), event.get("state")))

    def stop(self):
        self.process.terminate()
        self.thread.join(10)
        return list(self.lines)


def many(directory):
    """Ten thousand tunnels that ask once a second: what that costs, and that none is lost."""
    with Many(directory, TUNNELS, "1s 3") as scene:
        scene.wait_until_all_up(120)
        pid, log = scene.site.pid(), watch_states(scene.site)
        begun, cpu = time.monotonic(), seconds_of_cpu(pid)
        net.wait_for(lambda: time.monotonic() - begun > MINUTES * 60, MINUTES * 60 + 10, interval=1)
        share = (seconds_of_cpu(pid) - cpu) / (time.monotonic() - begun)
        alarms, found = log.stop(), scene.keepalives()
        lost = sum(one["state"] != "up" for one in found)
        worst = max(one["loss_permille"] for one in found)
        down = scene.down()
    return say(share < 0.15, f"many: {TUNNELS} tunnels at 1 s take {share * 100:.1f} % of a core; allowed: 15") \
        & say(not alarms and not lost, f"many: {len(alarms)} false alarms in {MINUTES:.0f} min, at most {worst / 10} % lost") \
        & say(scene.up_seconds < 20, f"many: gretel up {scene.up_seconds:.1f} s, down {down:.1f} s; allowed for up: 20")


def churn(directory):
    """Connections that come and go through the flow lanes."""
    good = True
    for lane in lanes.LANES:
        with contextlib.ExitStack() as undo, Scene() as scene:
            sites = lanes.up(scene, pathlib.Path(directory) / lane, lane)
            try:
                done, share = churn_of(scene, sites, undo, MINUTES * 60)
            except AssertionError as error:
                good &= say(False, f"churn: {lane}: {error}")
                continue
            good &= say(max(share.values()) < 0.5, f"churn: {lane}: {sum(done.values())} connections in "
                        f"{MINUTES:g} min, none failed or left in conntrack; the kernel's path saw "
                        f"{max(share.values()) * 100:.0f} % of the packets")
    return good


def lanekill(_):
    """SIGKILL and another daemon at once, under load in each kernel lane: nothing is lost."""
    rate = os.environ.get("GRETEL_LANE_RATE", "40000")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "3600",
         str(ROOT / "tests/netns/test_lanes_life.py"), "-k", "kill_loses_nothing"],
        env={**os.environ, "GRETEL_LANE_RATE": rate})
    return say(done.returncode == 0, f"lanekill: no datagram and no answer lost at {rate} a second and each way")


def all_lanes(_):
    """Every system test with the kernel lanes asked for, as make check does with four files."""
    good = True
    for lane in lanes.LANES:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "3", "--timeout", "300",
             str(ROOT / "tests/netns"), str(ROOT / "tests/conformance")], env={**os.environ, "GRETEL_LANE": lane})
        good &= say(done.returncode == 0, f"lanes: all system tests with lane = {lane}")
    return good


def differ(_):
    """The same packets through every lane."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "7200",
         str(ROOT / "tests/lanes/test_differ.py")], env={**os.environ, "GRETEL_DIFFER_PACKETS": str(PACKETS)})
    return say(done.returncode == 0, f"differ: {PACKETS} packets of each kind alike by every lane")


def matrix(_):
    """Every cell of docs/interoperability.md with as much of TCP as any other; prints what was found."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "3600",
         str(ROOT / "tests/interop/test_matrix.py"), str(ROOT / "tests/vm/test_kernel_gre.py")],
        env={**os.environ, "GRETEL_LOAD": "whole"})
    subprocess.run([sys.executable, ROOT / "tests/interop/table.py", "--json"], check=True)
    return say(done.returncode == 0, "matrix: 10 MB of TCP each way and 2,000 datagrams through each cell")


def hostile(_):
    """1 Gbit/s of garbage beside what a good tunnel carries, in each lane. Prints JSON; judges that all of the
    garbage is counted, memory, and a stream of datagrams. What TCP, which takes all there is, leaves to the
    garbage is a matter of how many cores there are: see siege.py."""
    good = True
    for lane in ("user", *lanes.LANES):
        done = subprocess.run([sys.executable, ROOT / "tests/netns/siege.py", lane], stdout=subprocess.PIPE, text=True,
                              start_new_session=True, check=True)
        print(done.stdout, end="", flush=True)
        found = json.loads(done.stdout)
        good &= say(found["share_stream"] >= 0.8 and found["growth"] < 1 << 20 and found["uncounted"] == 0,
                    f"hostile: {lane}: {found['gbit_per_second']:.2f} Gbit/s of garbage, {found['packets']} packets, "
                    f"{found['found'].get('kernel', 0)} found no room in the kernel, "
                    f"{found['uncounted']} are in no counter, memory grew by {found['growth'] // KIB} KiB; a "
                    f"stream of 40 Mbit/s each way kept {found['share_stream'] * 100:.1f} % of its rate (allowed: 80); "
                    f"TCP kept {found['share_tcp'] * 100:.0f} %, and {found['share_tcp_elsewhere'] * 100:.0f} % of what "
                    f"it has when the same flood is of a protocol that nobody takes")
    return good


PARTS = {"failover": failover, "start": start, "memory": memory, "transfer": transfer, "kill": kill,
         "doctor": doctor, "fuzz": fuzz, "dialects": dialects, "many": many,
         "churn": churn, "differ": differ, "lanekill": lanekill, "lanes": all_lanes, "matrix": matrix,
         "hostile": hostile}


def main():
    if os.geteuid() != 0:
        sys.exit("the long tests make network namespaces: sudo make soak")
    net.sweep()
    wanted = sys.argv[1:] or list(PARTS)
    good = True
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="gretel-soak-") as directory:
            good &= PARTS[name](directory)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
