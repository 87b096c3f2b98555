# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes out of a tunnel, spread over CPUs by the XDP lane. All is sent by one CPU, which so is also the one
where it arrives at the routers; what another one carries was handed to it."""
import os
import signal

import lanes
import pytest
from flow import tcp_transfer
from gretel import ping
from net import wait_for
from scene import A, B, HOST
from ticker import Flow

# Each flow takes one of two CPUs by its ports: that all take the same happens once in 32,768 times. A busy machine
# has to carry them all on one CPU and lose none, so they are slow.
FLOWS = 16
RATE = 50
COUNT = 50
CPUS = os.sched_getaffinity(0)


@pytest.fixture
def one_cpu():
    """All that is started after the call begins at one CPU."""
    yield lambda: os.sched_setaffinity(0, {min(CPUS)})
    os.sched_setaffinity(0, CPUS)


def spread(site, word):
    """The file says so; returns what the status says then."""
    text = site.file.read_text(encoding="utf-8").split("[daemon]")[0]
    site.write(f"{text}[daemon]\nspread = {word}\n")
    site.reload()
    return site.status()["spread"]


def told(site):
    """What the status tells people of it."""
    return [line for line in site.gretel("status").stdout.splitlines() if "CPUs" in line]


def spread_all(sites):
    for site in sites.values():
        assert spread(site, "yes") == {"setting": "yes", "cpus": len(CPUS), "lost": 0, "reason": ""}
        assert told(site) == [f"XDP spreads received packets over {len(CPUS)} CPUs"]


def flows(scene, undo, family=4, count=FLOWS, rate=RATE):
    """From A to B and back."""
    made = []
    for i in range(count):
        made.append(Flow(scene, family=family, rate=rate, port=6000 + i))
        undo.callback(made[-1].close)
    return made


def wait_all(made, count=COUNT):
    wanted = {flow: flow.answered() + count for flow in made}
    wait_for(lambda: all(flow.answered() >= n for flow, n in wanted.items()), 30,
             lambda: [flow.near.stats() for flow in made])


def wait_fast(scene, undo, made):
    """Until XDP of both routers carries them."""
    eyes = [lanes.Eyes(scene.router[side], undo) for side in (A, B)]

    def fast():
        before = [eye.look() for eye in eyes]
        wait_all(made, 50)
        after = [eye.look() for eye in eyes]
        return all(a["forward"] - b["forward"] < 50 * len(made) / 5 for a, b in zip(after, before))
    wait_for(fast, lanes.LOAD, interval=0.1)


def busy(site, before):
    """The CPUs on which a router's programs have received since then; a timer elsewhere may send a few packets."""
    taken = {cpu: n - before[cpu] for cpu, n in lanes.received_by(site).items()}
    return {cpu for cpu, n in taken.items() if n * 10 > sum(taken.values())}


def takers(sites, made, side=B):
    """The CPUs on which a router receives the flows' packets."""
    before = lanes.received_by(sites[side])
    wait_all(made)
    return busy(sites[side], before)


def late(made):
    """Packets that came behind a later one of their flow."""
    return sum(end.stats()["late"] for flow in made for end in (flow.near, flow.far))


def nothing_lost(sites, made):
    lost = [flow.lost() for flow in made]
    assert not any(far or near for far, near, _ in lost), lost
    assert all(site.status()["spread"]["lost"] in (0, None) for site in sites.values())


@pytest.mark.parametrize("outer, inner", ((4, 4), (4, 6), (6, 4), (6, 6)))
def test_flows(scene, tmp_path, undo, one_cpu, outer, inner):
    """Carried by several CPUs, each in order, and by one again."""
    sites = lanes.up(scene, tmp_path, "xdp", families=(inner, ), outer=outer, key=7)
    spread_all(sites)
    one_cpu()
    made = flows(scene, undo, inner)
    wait_fast(scene, undo, made)
    behind = late(made)
    for side in (A, B):
        assert len(takers(sites, made, side)) > 1
    # On a busy machine the way of a tunnel is given up now and then, and some packets take the kernel's. Were
    # flows not kept together, nearly half of them would be late.
    assert late(made) - behind < FLOWS * COUNT / 20
    for site in sites.values():
        said = spread(site, "no")
        assert (said["cpus"], said["reason"]) == (0, "the file says spread = no") and not told(site)
    wait_all(made, 20)
    for side in (A, B):
        assert takers(sites, made, side) == {min(CPUS)}
    nothing_lost(sites, made)


def test_a_flow_keeps_its_cpu(scene, tmp_path, undo, one_cpu):
    """Also while it is learned, and its packets take the kernel's path: those of one flow are all on one CPU."""
    sites = lanes.up(scene, tmp_path, "xdp")
    spread_all(sites)
    one_cpu()
    for _ in range(4):
        before = lanes.received_by(sites[B])
        made = flows(scene, undo, count=1)
        wait_all(made)
        assert len(busy(sites[B], before)) == 1
        nothing_lost(sites, made)
        made[0].close()


def test_what_is_no_flow(scene, tmp_path, undo, one_cpu):
    """Fragments, TCP from its first packet to its last, and keepalives, beside flows."""
    sites = lanes.up(scene, tmp_path, "xdp", keepalive="300ms 4")
    spread_all(sites)
    one_cpu()
    made = flows(scene, undo)
    wait_fast(scene, undo, made)
    for side in (A, B):
        ping(scene.host[side], HOST[4][B if side == A else A], size=4000, count=10)
    for family in (4, 6):
        done = tcp_transfer(scene.host[A], scene.host[B], family, HOST[family][B], 1 << 20)
        assert done, str(done)
    answered = {side: site.tunnel()["keepalive"]["received"] for side, site in sites.items()}
    for side, site in sites.items():
        wait_for(lambda: site.tunnel()["keepalive"]["received"] >= answered[side] + 3, 10)
        assert site.tunnel()["state"] == "up" and not any(site.drops().values())
    assert len(takers(sites, made)) > 1
    nothing_lost(sites, made)


def test_next_process(scene, tmp_path, undo, one_cpu):
    """One that was killed leaves the spreading to the kernel, the next one takes it up."""
    sites = lanes.up(scene, tmp_path, "xdp")
    lanes.pins(sites[B], undo)  # where the second is found by the third
    spread_all(sites)
    one_cpu()
    made = flows(scene, undo)
    os.sched_setaffinity(0, CPUS)
    for _ in range(2):
        wait_fast(scene, undo, made)
        assert len(takers(sites, made)) > 1
        os.kill(sites[B].pid(), signal.SIGKILL)
        sites[B].up()
        lanes.wait_lane(sites[B], "xdp")
        wait_for(lambda: sites[B].status()["spread"]["cpus"] == len(CPUS), 5,
                 lambda: (sites[B].status()["spread"], lanes.lane_of(sites[B])))
    wait_fast(scene, undo, made)
    assert len(takers(sites, made)) > 1


def test_one_cpu(scene, tmp_path, one_cpu):
    """A process that may use one CPU spreads nothing, and says so."""
    one_cpu()
    sites = lanes.up(scene, tmp_path, "xdp")
    said = spread(sites[A], "yes")
    assert (said["cpus"], said["reason"]) == (0, "greteld may use one CPU")
    assert told(sites[A]) == ["XDP does not spread packets over CPUs: greteld may use one CPU"]
    ping(scene.host[A], HOST[4][B], count=5)


def test_other_lanes(scene, tmp_path):
    """It is XDP that spreads."""
    sites = lanes.up(scene, tmp_path, "tc")
    said = spread(sites[A], "yes")
    assert (said["cpus"], said["reason"]) == (0, "XDP is on no device")
