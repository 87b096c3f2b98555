# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons come and go while the kernel lanes carry; others' programs stay; nothing is left behind."""
import contextlib
import json
import os
import pathlib
import re
import time

import lanes
import pytest
from dump import assert_same, dump
from gretel import NAME, Site, section, site_text
from net import run, wait_for
from scene import A, B, UNDERLAY
from test_kill import kill_daemons
from ticker import Flow

LANES = pytest.mark.parametrize("lane", lanes.LANES)
RATE = int(os.environ.get("GRETEL_LANE_RATE", 4000))  # datagrams a second
SIZE = 18  # octets of them: frames of 64
SECOND = section("tunnel", "second", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=77, address="10.99.0.1/30")


class Held:
    """The programs and maps of a daemon in the kernel."""

    def __init__(self, pid):
        text = "".join(self._read(path) for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
        self.ids = {kind: set(map(int, re.findall(rf"^{kind}_id:\s+(\d+)$", text, re.M)))
                    for kind in ("prog", "map", "link")}

    @staticmethod
    def _read(path):
        with contextlib.suppress(FileNotFoundError):
            return path.read_text()
        return ""

    def left(self):
        """Those that are still there."""
        return {(kind, one) for kind in ("prog", "map") for one in self.ids[kind]
                if run(["bpftool", kind, "show", "id", one], check=False).returncode == 0}


def qdiscs(router):
    return router.run(["tc", "qdisc", "show"]).stdout


def start(scene, directory, undo, lane, text=site_text, **keys):
    """Both routers up with pins, and a flow that the lane carries: the sites, the flow."""
    scene.take_frames()
    sites = {side: Site(scene.router[side], directory / side, text(side, lane=lane, **keys)) for side in (A, B)}
    for site in sites.values():
        lanes.pins(site, undo)
        site.up()
    undo.callback(lambda: [router.kill_all() for router in scene.router.values()])
    lanes.settle(scene, sites, lane)
    flow = Flow(scene, rate=RATE, size=SIZE)
    undo.callback(flow.close)
    for side in (A, B):
        lanes.wait_fast(lane, lanes.Eyes(scene.router[side], undo), flow, RATE)
    return sites, flow


def kill_and_start(site):
    pid = site.pid()
    kill_daemons(site.namespace)
    wait_for(lambda: site.pid() is None, 10)
    site.up()
    assert site.pid() not in (None, pid)


@LANES
def test_kill_loses_nothing(scene, tmp_path, undo, lane):
    """On either side, several times: kill -9 under load, and another daemon at once."""
    sites, flow = start(scene, tmp_path, undo, lane)
    for _ in range(4):
        for site in sites.values():
            kill_and_start(site)
            lanes.wait_lane(site, lane)
            flow.wait_answered(RATE)
    far, near, said = flow.lost()
    assert (far, near) == (0, 0), said


@LANES
def test_daemons_that_stand_still(scene, tmp_path, undo, lane):
    sites, flow = start(scene, tmp_path, undo, lane)
    for _ in range(3):
        with lanes.alone(sites):
            flow.wait_answered(RATE)
        flow.wait_answered(RATE)
    far, near, said = flow.lost()
    assert (far, near) == (0, 0), said


@LANES
def test_counters_go_on(scene, tmp_path, undo, lane):
    sites, flow = start(scene, tmp_path, undo, lane)
    before = {side: site.tunnel() for side, site in sites.items()}
    for site in sites.values():
        kill_and_start(site)
        lanes.wait_lane(site, lane)
    flow.wait_answered(RATE)
    flow.lost()
    for side, site in sites.items():
        after = site.tunnel()
        for way in ("rx", "tx"):
            # What the user lane itself had carried is forgotten: the first packets.
            assert after[way]["packets"] > before[side][way]["packets"] + RATE
            assert after[way]["packets"] >= flow.far.stats()["received"] - 200


@LANES
def test_reload_of_another_tunnel(scene, tmp_path, undo, lane):
    sites, flow = start(scene, tmp_path, undo, lane)
    whole = sites[A].file.read_text()
    for text in (whole + SECOND, whole + SECOND.replace("77", "78"), whole):
        sites[A].write(text)
        said = sites[A].reload().stdout
        assert "second" in said and NAME not in said
        flow.wait_answered(RATE)
    far, near, said = flow.lost()
    assert (far, near) == (0, 0), said


def pinned(directory):
    """What is kept there, but for the two files that the kernel itself puts into a new one, and for the folders
    that tc(8) makes in whatever BPF file system it finds."""
    return sorted(path.name for path in directory.iterdir()
                  if path.is_file() and not path.is_symlink() and not path.name.endswith(".debug"))


@LANES
def test_down_leaves_nothing(scene, tmp_path, undo, lane):
    router = scene.router[A]
    scene.take_frames()
    before, queues = dump(router), qdiscs(router)
    sites, flow = start(scene, tmp_path, undo, lane)
    router.nft("delete table inet eyes")
    held, pins = Held(sites[A].pid()), sites[A].run_directory / "bpf"
    assert held.ids["prog"] and len(pinned(pins)) > 5 and held.left()
    flow.stop()
    sites[A].down()
    assert pinned(pins) == []
    assert qdiscs(router) == queues
    assert "xdp" not in str(router.ip_json("-d link show"))
    wait_for(lambda: not held.left(), 10, held.left)
    assert_same(before, dump(router))


@LANES
def test_down_after_a_kill(scene, tmp_path, undo, lane):
    """With nobody running, `down` takes away what goes on in the kernel."""
    sites, flow = start(scene, tmp_path, undo, lane)
    router, pins = scene.router[A], sites[A].run_directory / "bpf"
    held = Held(sites[A].pid())
    kill_daemons(router)
    wait_for(lambda: not router.pids(), 5)
    flow.wait_answered(RATE // 4)
    assert held.left() and pinned(pins)
    flow.stop()
    sites[A].down()
    assert pinned(pins) == []
    assert "clsact" not in qdiscs(router) and "xdp" not in str(router.ip_json("-d link show"))
    wait_for(lambda: not held.left(), 10, held.left)


@LANES
@pytest.mark.parametrize("how", ("stands still", "killed"))
def test_keepalives_without_a_daemon(scene, tmp_path, undo, lane, how):
    """The peer's are sent back all the same, but for a moment in which nobody knows that it has gone."""
    scene.take_frames()
    keepalive = {A: "no", B: "200ms 3"}
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, lane=lane, keepalive=keepalive[side]))
             for side in (A, B)}
    for site in sites.values():
        lanes.pins(site, undo)
        site.up()
    undo.callback(lambda: [router.kill_all() for router in scene.router.values()])
    lanes.settle(scene, sites, lane)
    wait_for(lambda: sites[B].tunnel()["keepalive"]["state"] == "up", 10)
    if how == "killed":
        kill_daemons(scene.router[A])
        wait_for(lambda: sites[A].pid() is None, 10)
    with lanes.alone({A: sites[A]} if how != "killed" else {}):
        before = sites[B].tunnel()["keepalive"]["received"]
        wait_for(lambda: sites[B].tunnel()["keepalive"]["received"] >= before + 15, 10)
        assert sites[B].tunnel()["keepalive"]["state"] == "up"


COUNTER = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); }
	others SEC(".maps");
static __always_inline int count(int verdict)
{
	int zero = 0;
	long *n = bpf_map_lookup_elem(&others, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
	return verdict;
}
SEC("xdp") int x(struct xdp_md *ctx) { return count(XDP_PASS); }
SEC("tc") int t(struct __sk_buff *ctx) { return count(-1 /* the next one */); }
"""


class Others:
    """A program of somebody else's that counts what comes in on a device of a router."""

    def __init__(self, router, directory, kind, device):
        self.router, self.kind, self.device = router, kind, device
        program = lanes.compile_program(directory / "others.o", COUNTER)
        if kind == "xdp":
            router.run(["ip", "link", "set", "dev", device, "xdpdrv", "obj", program, "sec", "xdp"])
        else:
            router.run(["tc", "qdisc", "add", "dev", device, "clsact"])
            router.run(["tc", "filter", "add", "dev", device, "ingress", "bpf", "da", "obj", program, "sec", "tc"])

    def program(self):
        """Its number, or None when it is not there."""
        if self.kind == "xdp":
            link = self.router.ip_json(f"-d link show dev {self.device}")[0]
            return link.get("xdp", {}).get("prog", {}).get("id")
        text = self.router.run(["tc", "filter", "show", "dev", self.device, "ingress"]).stdout
        found = [line for line in text.splitlines() if "others.o" in line]
        return int(re.search(r" id (\d+)", found[0])[1]) if found else None

    def seen(self):
        shown = json.loads(run(["bpftool", "-j", "prog", "show", "id", self.program()]).stdout)
        value = json.loads(run(["bpftool", "-j", "map", "dump", "id", shown["map_ids"][0]]).stdout)[0]["value"]
        return int.from_bytes(bytes(int(octet, 16) for octet in value), "little")


WHY = {"tc": "bond0: XDP would pass by somebody else's TC filter",
       "xdp": "bond0: somebody else's XDP program is on it"}


@LANES
@pytest.mark.parametrize("device", ("eth1", "bond0"))
@pytest.mark.parametrize("kind", WHY)
def test_others_programs_stay(scene, tmp_path, undo, lane, kind, device):
    """They see every packet that comes in, first, and where XDP would be before them it is not used."""
    others = Others(scene.router[A], tmp_path, kind, device)
    number = others.program()
    assert number
    carries = "xdp" if lane == "xdp" and device == "eth1" else "tc"  # what the device of outer packets allows
    scene.take_frames()
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, lane=lane)) for side in (A, B)}
    for site in sites.values():
        site.up()
    lanes.settle(scene, {A: sites[A]}, carries)
    if lane == "xdp":
        assert lanes.lane_of(sites[A])[1] == ("" if carries == "xdp" else WHY[kind])
    flow = Flow(scene, rate=RATE)
    undo.callback(flow.close)
    flow.wait_answered(RATE)
    begun, carried = [(others.seen(), flow.near.stats()["sent"]), sites[A].tunnel()["tx"]["packets"]]
    flow.wait_answered(RATE)
    assert sites[A].tunnel()["tx"]["packets"] - carried > RATE * 0.9
    saw, passed = others.seen() - begun[0], flow.near.stats()["sent"] - begun[1]
    assert abs(saw - passed) < 0.1 * passed, (saw, passed)
    assert others.program() == number
    sites[A].down()
    assert others.program() == number and others.seen() > begun[0]
    flow.stop()


@pytest.mark.parametrize("device", ("eth1", "bond0"))
def test_veth_that_takes_no_frames(scene, tmp_path, undo, device):
    """What XDP hands to a veth whose other end has neither GRO nor a program is lost, and nobody counts it: XDP
    is not used on such a device although the file asks for it, and packets pass by another lane."""
    scene.take_frames()
    if device == "eth1":
        scene.host[A].run(["ethtool", "-K", "eth0", "gro", "off"])
    else:
        scene.wire.run(["ethtool", "-K", "a", "gro", "off"])
    sites = {side: Site(scene.router[side], tmp_path / side, site_text(side, lane="xdp")) for side in (A, B)}
    for site in sites.values():
        site.up()
    lanes.settle(scene, {A: sites[A]}, "xdp" if device == "eth1" else "tc")
    if device == "bond0":
        assert lanes.lane_of(sites[A])[1] == \
            "bond0: the other end of this veth takes no frames of XDP (turn its GRO on)"
    assert "xdp" not in scene.router[A].link(device)
    flow = Flow(scene, rate=RATE)
    undo.callback(flow.close)
    flow.wait_answered(RATE)
    # What is sent while the status is asked for counts for it, at the beginning and at the end.
    carried, begun = sites[A].tunnel()["tx"]["packets"], flow.near.stats()["sent"]
    flow.wait_answered(RATE)
    sent = flow.near.stats()["sent"] - begun
    assert sites[A].tunnel()["tx"]["packets"] - carried > 0.9 * sent - 10
    flow.stop()


@LANES
def test_others_place_stays(scene, tmp_path, lane):
    """A clsact that somebody has made and has nothing in yet."""
    scene.router[A].run(["tc", "qdisc", "add", "dev", "eth1", "clsact"])
    before = qdiscs(scene.router[A])
    sites = lanes.up(scene, tmp_path, lane)
    sites[A].down()
    assert qdiscs(scene.router[A]) == before
