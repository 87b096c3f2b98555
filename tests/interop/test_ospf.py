# SPDX-License-Identifier: GPL-2.0-or-later
"""OSPF with authentication over the tunnel, by FRR and by BIRD; BFD; and routes that end with the carrier."""
import time

from frr import Bird, Frr, routes
from gretel import NAME, both_up, ping
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, other
from wire import Capture, tshark

SECRET = "a secret"[2:]
# Slower than any deadline below: what is withdrawn in time was not withdrawn by these.
HELLO, DEAD = 2, 8
FULL_WITHIN = 15
KEEPALIVE = "200ms 3"
LOST_WITHIN, MARGIN = 0.66, 1.0


# Nothing is held back: the routers of a test have no large network to spare.
QUICK = " timers throttle lsa all 0\n timers throttle spf 0 50 50\n timers lsa min-arrival 0\n"


def ospf(side, *lines):
    """One router's OSPF: the tunnel and, without neighbours, the LAN."""
    more = "\n".join(f" {line}" for line in lines)
    return f"""
interface {NAME}
 ip ospf area 0
 ip ospf authentication message-digest
 ip ospf message-digest-key 1 md5 {SECRET}
 ip ospf hello-interval {HELLO}
 ip ospf dead-interval {DEAD}
{more}
interface eth1
 ip ospf area 0
 ip ospf passive
router ospf
 ospf router-id {TUNNEL[4][side]}
{QUICK}"""


def up(scene, directory, **keys):
    """The tunnel without routes of its own."""
    return both_up(scene, directory, route=[], **keys)


def frr(scene, undo, side, *lines, config="", daemons=()):
    return Frr(scene.router[side], undo, config + ospf(side, *lines), "ospfd", *daemons)


def states(router):
    """Of the neighbours."""
    found = router.show("ip ospf neighbor").get("neighbors", {})
    return [one["nbrState"] for ones in found.values() for one in ones]


def exchanged(scene):
    """Both routers have the other's LAN by the tunnel."""
    return all([route["dev"] for route in routes(scene.router[side], LAN[4][other(side)])] == [NAME]
               for side in (A, B))


def gone(scene):
    return not any(routes(scene.router[side], LAN[4][other(side)]) for side in (A, B))


def since(begun, what, within, condition):
    wait_for(condition, within - (time.monotonic() - begun), what, interval=0.01)
    return time.monotonic() - begun


def test_full_and_withdrawn(relayed, tmp_path, undo):
    """Full and exchanged within 15 s, every packet authenticated; withdrawn when the keepalive fails, long
    before OSPF would notice; and there again."""
    scene, relay = relayed
    up(scene, tmp_path, keepalive=KEEPALIVE, **{"keepalive-hold": "no"})
    with Capture(scene.wire, "a", tmp_path / "wire.pcap", "proto 47"):
        begun = time.monotonic()
        routers = [frr(scene, undo, side) for side in (A, B)]
        since(begun, lambda: [states(router) for router in routers], FULL_WITHIN, lambda: exchanged(scene))
    assert all("Full" in state for router in routers for state in states(router))
    rows = tshark(tmp_path / "wire.pcap", ("ospf.auth.type", "ospf.msg", "ip.ttl", "ip.dst"), "ospf")
    assert {row["ospf.auth.type"][0] for row in rows} == {"2"} and {row["ip.ttl"][1] for row in rows} == {"1"}
    assert "224.0.0.5" in {row["ip.dst"][1] for row in rows}
    for side in (A, B):
        ping(scene.host[side], HOST[4][other(side)])
    for _ in range(2):
        relay.set(cut="both")
        since(time.monotonic(), "routes are left", LOST_WITHIN + MARGIN,
              lambda: gone(scene) and not any(map(states, routers)))
        relay.set(cut="none")
        since(time.monotonic(), lambda: [states(router) for router in routers], FULL_WITHIN, lambda: exchanged(scene))
    ping(scene.host[A], HOST[4][B])


def test_another_secret(relayed, tmp_path, undo):
    """Whoever does not know the secret is no neighbour."""
    scene, _ = relayed
    up(scene, tmp_path)
    routers = [frr(scene, undo, side, "ip ospf hello-interval 1", "ip ospf dead-interval 4") for side in (A, B)]
    wait_for(lambda: exchanged(scene), FULL_WITHIN, lambda: [states(router) for router in routers])
    routers[1].do("configure", f"interface {NAME}", "no ip ospf message-digest-key 1",
                  "ip ospf message-digest-key 1 md5 another")
    wait_for(lambda: gone(scene) and not states(routers[0]), 10, lambda: [states(router) for router in routers])


BFD = """
bfd
 profile fast
  detect-multiplier 3
  receive-interval 100
  transmit-interval 100
"""


def test_bfd(relayed, tmp_path, undo):
    """3 x 100 ms: withdrawn below one second after the cut, without a keepalive of the tunnel's."""
    scene, relay = relayed
    up(scene, tmp_path)
    routers = [frr(scene, undo, side, "ip ospf bfd", "ip ospf bfd profile fast", config=BFD, daemons=["bfdd"])
               for side in (A, B)]
    wait_for(lambda: exchanged(scene), FULL_WITHIN, lambda: [states(router) for router in routers])

    def peers():
        return [one for router in routers for one in router.show("bfd peers")]
    wait_for(lambda: [one["status"] for one in peers()] == ["up"] * 2, 10, peers)
    wait_for(lambda: all(one["receive-interval"] == one["remote-transmit-interval"] == 100 for one in peers()), 10, peers)
    relay.set(cut="both")
    took = since(time.monotonic(), peers, 1.0, lambda: gone(scene))
    assert took > 0.15, "the routes went for another reason"
    relay.set(cut="none")
    wait_for(lambda: exchanged(scene), FULL_WITHIN, lambda: [states(router) for router in routers])


def bird_config(side):
    return f"""
router id {TUNNEL[4][side]};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol ospf v2 {{
    ipv4 {{ import all; }};
    area 0 {{
        interface "{NAME}" {{
            type ptp; hello {HELLO}; dead count {DEAD // HELLO}; authentication cryptographic;
            password "{SECRET}" {{ id 1; algorithm keyed md5; }};
        }};
        interface "eth1" {{ stub yes; }};
    }};
}}
"""


def test_bird_with_frr(relayed, tmp_path, undo):
    """A second opinion about the same packets: BIRD at A, FRR at B."""
    scene, relay = relayed
    up(scene, tmp_path, keepalive=KEEPALIVE, **{"keepalive-hold": "no"})
    bird = Bird(scene.router[A], tmp_path / "bird", bird_config(A))
    router = frr(scene, undo, B)
    since(time.monotonic(), lambda: bird.do("show ospf neighbors") + str(states(router)), FULL_WITHIN,
          lambda: exchanged(scene))
    assert "Full/PtP" in bird.do("show ospf neighbors")
    ping(scene.host[A], HOST[4][B])
    relay.set(cut="both")
    since(time.monotonic(), "routes are left", LOST_WITHIN + MARGIN, lambda: gone(scene))


