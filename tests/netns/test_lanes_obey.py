# SPDX-License-Identifier: GPL-2.0-or-later
"""A flow that a kernel lane carries is stopped, or led elsewhere, within a second by whatever would
stop or lead it in the kernel's own path; and it is carried again when that is gone."""
import os
import signal

import lanes
import pytest
from gretel import NAME, section
from net import wait_for
from scene import A, B, GATEWAY, HOST, LAN, TUNNEL, UNDERLAY, other
from ticker import Flow, last_after
from wire import Watch

DROP = """
#include <linux/bpf.h>
__attribute__((section("tc"))) int drop(struct __sk_buff *skb) { (void)skb; return 2 /* TC_ACT_SHOT */; }
"""
CROWD = 2400  # what is known of a way holds for 2.4 s then
ELSEWHERE = "02:00:00:00:00:77"
LANES = pytest.mark.parametrize("lane", lanes.LANES)


class Stage:
    """A scene with a flow that the lane carries, and what a change needs to know of it."""

    def __init__(self, scene, directory, undo, lane, side=A, **keys):
        self.scene, self.undo, self.lane = scene, undo, lane
        self.router = scene.router
        self.sites = lanes.up(scene, directory, lane, **keys)
        self.flow = Flow(scene, side)
        undo.callback(self.flow.close)
        self.eyes = {router: lanes.Eyes(scene.router[router], undo) for router in (A, B)}
        self.wait_fast()

    def wait_fast(self):
        for eyes in self.eyes.values():
            lanes.wait_fast(self.lane, eyes, self.flow)

    def ends_and_resumes(self, how, record_property):
        """No packet of the flow arrives a second after the change, and all do when it is undone."""
        stop, resume = STOPS[how]
        stop(self)
        record_property("late", last_after(self.flow.far.source))
        resume(self)
        self.flow.wait_answered(200)


def table(chain, rule):
    return f"table inet fw {{ chain c {{ type filter hook {chain}\n {rule}\n }}\n }}"


def rule(side, chain, words):
    """A rule of somebody else's."""
    return (lambda s: s.router[side].nft(table(chain, words)),
            lambda s: s.router[side].nft("delete table inet fw"))


def route(side, words):
    return (lambda s: s.router[side].ip(f"route add {words}"), lambda s: s.router[side].ip(f"route del {words}"))


def device_chain(side, words):
    return (lambda s: s.router[side].nft(f"table netdev fw {{ chain c {{ type filter hook {words}\n }}\n }}"),
            lambda s: s.router[side].nft("delete table netdev fw"))


def filters(side, device, hook):
    """A filter of TC on one of its devices that drops all."""
    def stop(stage):
        stage.router[side].run(["tc", "qdisc", "add", "dev", device, "clsact"])
        stage.router[side].run(["tc", "filter", "add", "dev", device, hook, "bpf", "da", "obj", stage.drop, "sec", "tc"])
    return stop, lambda s: s.router[side].run(["tc", "qdisc", "del", "dev", device, "clsact"])


# What somebody does on a router: (do, undo). It ends what arrives at the other host.
STOPS = {
    "forward": rule(A, "forward priority 0", "udp dport 6000 drop"),
    "forward there": rule(B, "forward priority 0", "udp dport 6000 drop"),
    "prerouting": rule(A, "prerouting priority -300", "udp dport 6000 drop"),
    "postrouting": rule(B, "postrouting priority 0", "udp dport 6000 drop"),
    "outer output": rule(A, "output priority 0", "meta l4proto 47 drop"),
    "outer input": rule(B, "input priority 0", "meta l4proto 47 drop"),
    "blackhole": route(A, f"blackhole {HOST[4][B]}"),
    "blackhole there": route(B, f"blackhole {HOST[4][B]}"),
    "outer blackhole": route(A, f"blackhole {UNDERLAY[4][B]}"),
    "LAN ingress": device_chain(A, "ingress device eth1 priority 0; udp dport 6000 drop"),
    "underlay ingress": device_chain(B, "ingress device bond0 priority 0; ip protocol gre drop"),
    "underlay egress": device_chain(A, "egress device bond0 priority 0; ip protocol gre drop"),
    "LAN egress": device_chain(B, "egress device eth1 priority 0; udp dport 6000 drop"),
    "LAN ingress filter": filters(A, "eth1", "ingress"),
    "underlay egress filter": filters(A, "bond0", "egress"),
    "underlay ingress filter": filters(B, "bond0", "ingress"),
    "LAN egress filter": filters(B, "eth1", "egress"),
    "neighbour": (lambda s: s.router[B].ip(f"neigh replace {HOST[4][B]} lladdr {ELSEWHERE} dev eth1 nud permanent"),
                  lambda s: s.router[B].ip(f"neigh del {HOST[4][B]} dev eth1")),
    "device": (lambda s: s.router[A].ip("link set dev bond0 down"), lambda s: s.router[A].ip("link set dev bond0 up")),
    "policy rule": (lambda s: s.router[A].ip(f"rule add to {HOST[4][B]} blackhole"),
                    lambda s: s.router[A].ip(f"rule del to {HOST[4][B]} blackhole")),
    "forwarding": (lambda s: s.router[B].sysctl(f"net/ipv4/conf/{NAME}/forwarding", 0),
                   lambda s: s.router[B].sysctl(f"net/ipv4/conf/{NAME}/forwarding", 1)),
}


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    return lanes.compile_program(tmp_path_factory.mktemp("program") / "drop.o", DROP)


@LANES
@pytest.mark.parametrize("how", STOPS)
def test_stops_within_a_second(scene, tmp_path, undo, lane, how, drop, record_property):
    stage = Stage(scene, tmp_path, undo, lane)
    stage.drop = drop
    stage.ends_and_resumes(how, record_property)
    stage.wait_fast()


def crowd(side):
    """Further tunnels, all of them in use."""
    ends = {"local": UNDERLAY[4][side], "remote": UNDERLAY[4][other(side)], "keepalive": "500ms 20"}
    return "".join(section("tunnel", f"crowd{n}", key=1000 + n, **ends) for n in range(CROWD))


def wait_past_rules(stage):
    """As Stage.wait_fast(), where the crowd's packets are on the devices, too."""
    def past(eyes):
        seen = lanes.carried(eyes, stage.flow, 0.5)
        return seen["flow"] > 400 and seen["forward"] * 10 < seen["flow"]
    for eyes in stage.eyes.values():
        wait_for(lambda eyes=eyes: past(eyes), 30)


@pytest.mark.parametrize("lane, how", (("tc", "outer output"), ("xdp", "outer input")))
def test_stops_among_many(scene, tmp_path, undo, lane, how, record_property):
    """What is known of a way holds for longer then, but not after a change."""
    stage = Stage(scene, tmp_path, undo, lane)
    for side, site in stage.sites.items():
        # For each interface with IPv6 the kernel goes through the routes of all.
        scene.router[side].sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        site.write(site.file.read_text() + crowd(side))
        site.gretel("reload", timeout=120)
    for site in stage.sites.values():
        wait_for(lambda site=site: lanes.dump_map(site, "control")[0]["value"]["lease_ns"] > 2e9, 20, None, 0.2)
    wait_past_rules(stage)
    stage.ends_and_resumes(how, record_property)
    wait_past_rules(stage)


@LANES
def test_filter_on_the_tunnel(scene, tmp_path, undo, lane, drop):
    """Somebody takes our place for filters away and makes one of his own."""
    stage = Stage(scene, tmp_path, undo, lane)
    stage.drop = drop
    stop, resume = filters(A, NAME, "egress")
    resume(stage)
    stop(stage)
    last_after(stage.flow.far.source)
    resume(stage)
    stage.flow.wait_answered(200)
    assert lanes.lane_of(stage.sites[A]) == ("user", "somebody took the place for filters from its interface")


@LANES
def test_element_of_a_set(scene, tmp_path, undo, lane):
    """The rule is there all the time; what it speaks of is changed."""
    stage = Stage(scene, tmp_path, undo, lane)
    scene.router[A].nft("table inet fw { set s { type ipv4_addr\n }\n chain c { type filter hook forward priority 0\n"
                        " ip daddr @s drop\n }\n }")
    stage.wait_fast()
    scene.router[A].nft(f"add element inet fw s {{ {HOST[4][B]} }}")
    last_after(stage.flow.far.source)
    scene.router[A].nft(f"delete element inet fw s {{ {HOST[4][B]} }}")
    stage.flow.wait_answered(200)
    stage.wait_fast()


@LANES
@pytest.mark.parametrize("how", ("forward", "blackhole", "blackhole there", "neighbour"))
def test_stops_without_the_daemons(scene, tmp_path, undo, lane, how, record_property):
    """Nobody is there who could hear of the change."""
    stage = Stage(scene, tmp_path, undo, lane)
    with lanes.alone(stage.sites):
        stage.wait_fast()
        STOPS[how][0](stage)
        record_property("late", last_after(stage.flow.far.source))


def leads(stage, watch, old, new):
    """Frames go to another station: none to the old one after a second, and to the new one by then."""
    last_after(lambda: watch.to(old))
    begun = watch.to(new)
    wait_for(lambda: watch.to(new)["count"] > begun["count"] + 100, 5, lambda: watch.seen)


# What leads outer packets of A to another station: (do, undo).
OUTER_WAYS = {
    "neighbour": (lambda s: s.router[A].ip(f"neigh replace {UNDERLAY[4][B]} lladdr {ELSEWHERE} dev bond0 nud permanent"),
                  lambda s: s.router[A].ip(f"neigh del {UNDERLAY[4][B]} dev bond0")),
    "route": (lambda s: s.router[A].ip(f"route add {UNDERLAY[4][B]} via {GATEWAY[4]}"),
              lambda s: s.router[A].ip(f"route del {UNDERLAY[4][B]}")),
}


@LANES
@pytest.mark.parametrize("how", OUTER_WAYS)
def test_follows_the_outer_way(scene, tmp_path, undo, lane, how):
    stage = Stage(scene, tmp_path, undo, lane)
    watch = Watch(scene.wire, "a")
    undo.callback(watch.close)
    scene.router[A].ip(f"neigh replace {GATEWAY[4]} lladdr {ELSEWHERE} dev bond0 nud permanent")
    OUTER_WAYS[how][0](stage)
    leads(stage, watch, scene.router[B].mac("bond0"), ELSEWHERE)
    OUTER_WAYS[how][1](stage)
    stage.flow.wait_answered(200)
    stage.wait_fast()


@LANES
def test_follows_a_route_around_the_tunnel(scene, tmp_path, undo, lane):
    stage = Stage(scene, tmp_path, undo, lane)
    outer, bare = Watch(scene.wire, "a"), Watch(scene.wire, "a", 17)
    undo.callback(outer.close)
    undo.callback(bare.close)
    scene.router[A].ip(f"neigh replace {GATEWAY[4]} lladdr {ELSEWHERE} dev bond0 nud permanent")
    scene.router[A].ip(f"route add {HOST[4][B]} via {GATEWAY[4]}")
    last_after(lambda: outer.to(scene.router[B].mac("bond0")))
    assert bare.to(ELSEWHERE)["count"] > 300, bare.seen
    scene.router[A].ip(f"route del {HOST[4][B]}")
    stage.flow.wait_answered(200)
    stage.wait_fast()


@LANES
def test_follows_a_neighbour_in_the_lan(scene, tmp_path, undo, lane):
    stage = Stage(scene, tmp_path, undo, lane)
    watch = Watch(scene.host[B], "eth0", 17)
    undo.callback(watch.close)
    STOPS["neighbour"][0](stage)
    leads(stage, watch, scene.host[B].mac("eth0"), ELSEWHERE)


@pytest.mark.parametrize("lane", ("user", *lanes.LANES))
def test_masquerade_that_is_deleted(scene, tmp_path, undo, lane):
    """Without the line packets leave as they came, in every lane."""
    masquerade = f"masquerade = {LAN[4][A]} out {NAME}\n"
    sites = lanes.up(scene, tmp_path, lane)
    for side, line in ((A, masquerade), (B, f"allow = {TUNNEL[4][A]} <-> {LAN[4][B]}\n")):
        sites[side].edit("enable = yes\n", "enable = yes\n" + line)
        sites[side].reload()
    flow = Flow(scene)
    undo.callback(flow.close)
    eyes = {side: lanes.Eyes(scene.router[side], undo) for side in (A, B)}
    flow.wait_answered(200)
    if lane != "user":
        for one in eyes.values():
            lanes.wait_fast(lane, one, flow)
    assert flow.far.source()["address"] == TUNNEL[4][A]
    sites[A].edit(masquerade, "")
    sites[A].reload()
    last_after(lambda: flow.far.source(TUNNEL[4][A]))
    wait_for(lambda: flow.far.source(HOST[4][A])["count"] > 200, 5, flow.far.stats)


@pytest.mark.parametrize("lane", ("user", *lanes.LANES))
def test_allow_that_is_deleted(scene, tmp_path, undo, lane):
    """A connection that is there goes on, as our own rules say; no other begins, and it ends with its
    entry in conntrack."""
    sites = lanes.up(scene, tmp_path, lane)
    flow = Flow(scene)
    undo.callback(flow.close)
    eyes = lanes.Eyes(scene.router[A], undo)
    sites[A].edit(f"allow = {LAN[4][A]} <-> {LAN[4][B]}\n", "")
    sites[A].reload()
    flow.wait_answered(2000)
    if lane != "user":
        lanes.wait_fast(lane, eyes, flow)
    scene.router[A].run(["conntrack", "-D", "-p", "udp"])
    last_after(flow.far.source)
    sites[A].edit("enable = yes\n", f"enable = yes\nallow = {LAN[4][A]} <-> {LAN[4][B]}\n")
    sites[A].reload()
    flow.wait_answered(200)
    if lane != "user":
        lanes.wait_fast(lane, eyes, flow)


@LANES
@pytest.mark.parametrize("side", (A, B))
def test_connection_that_is_deleted(scene, tmp_path, undo, lane, side):
    """Only what is established may pass: it does not any more, when conntrack has forgotten it."""
    stage = Stage(scene, tmp_path, undo, lane)
    scene.router[side].nft(table("forward priority 0", "meta l4proto udp ct state new drop"))
    stage.wait_fast()
    scene.router[side].run(["conntrack", "-D", "-p", "udp"])
    last_after(stage.flow.far.source)


@LANES
@pytest.mark.parametrize("side", (A, B))
def test_tunnel_that_is_set_down(scene, tmp_path, undo, lane, side):
    """The daemon would set it up again, so it is stopped meanwhile."""
    stage = Stage(scene, tmp_path, undo, lane)
    pid = stage.sites[side].pid()
    os.kill(pid, signal.SIGSTOP)
    undo.callback(os.kill, pid, signal.SIGCONT)
    scene.router[side].ip(f"link set dev {NAME} down")
    last_after(stage.flow.far.source)
    os.kill(pid, signal.SIGCONT)
    stage.flow.wait_answered(200)
    stage.wait_fast()
