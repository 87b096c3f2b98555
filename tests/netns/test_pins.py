# SPDX-License-Identifier: GPL-2.0-or-later
"""A tunnel that carries the default route: its peer keeps the way that it has outside."""
import pytest
from dump import assert_same, dump
from gretel import Site, ping, section, tunnel
from net import veth, wait_for
from scene import A, B, HOST, LAN, UNDERLAY

FAMILIES = pytest.mark.parametrize("family", (4, 6))
ALL = {4: "0.0.0.0/0", 6: "::/0"}
FAR = {4: "203.0.113.2", 6: "2001:db8:ff::2"}
FULL = {4: 32, 6: 128}


def far_peer(scene, family):
    """B's outer address is behind a gateway, which is B itself; A has a default route to it."""
    near = UNDERLAY[family][B]
    scene.router[B].ip(f"address add {FAR[family]}/{FULL[family]} dev lo")
    scene.router[A].ip(f"route add default via {near} dev bond0 metric 5000")
    ping(scene.router[A], FAR[family])


def text(side, family, **keys):
    """The tunnel between A's address and B's far one."""
    ends = [UNDERLAY[family][A], FAR[family]]
    local, remote = ends if side == A else reversed(ends)
    route = [ALL[f] for f in (4, 6)] if side == A else [LAN[f][A] for f in (4, 6)]
    whole = tunnel(side, family, route=keys.pop("route", route), **keys)
    lines = [f"local = {local}" if line.startswith("local") else
             f"remote = {remote}" if line.startswith("remote") else line for line in whole.splitlines()]
    return "\n".join(lines) + "\n" + section("forward", allow=[f"{LAN[f][A]} <-> {ALL[f]}" for f in (4, 6)])


def up(scene, tmp_path, family, **keys):
    far_peer(scene, family)
    sites = {side: Site(scene.router[side], tmp_path / side, text(side, family, **keys)) for side in (A, B)}
    for site in sites.values():
        site.up()
    return sites


def pins(router, family):
    """The host routes of ours: what each says of its way."""
    rows = router.ip_json(f"-{family} route show table main proto 71")
    return {row["dst"]: (row.get("gateway"), row["dev"]) if row.get("type", "unicast") == "unicast" else "unreachable"
            for row in rows if "/" not in row["dst"] and row["dst"] != "default" and row.get("dev") != "My_Tunnel"}


@FAMILIES
def test_default_route(scene, tmp_path, family):
    scene.router[A].sysctl(f"net.ipv{family}.conf.all.forwarding", 0)
    far_peer(scene, family)
    before = dump(scene.router[A])
    sites = {side: Site(scene.router[side], tmp_path / side, text(side, family)) for side in (A, B)}
    for site in sites.values():
        site.up()
    assert pins(scene.router[A], family) == {FAR[family]: (UNDERLAY[family][B], "bond0")}
    for inner in (4, 6):
        ping(scene.host[A], HOST[inner][B])
    assert not sites[A].tunnel()["drops"].get("tx-loop")
    for _ in range(2):
        assert sites[A].plan().returncode == 0, sites[A].plan().stdout
        sites[A].reload()
    sites[A].down()
    assert_same(before, dump(scene.router[A]))


@FAMILIES
def test_two_halves(scene, tmp_path, family):
    halves = {4: ["0.0.0.0/1", "128.0.0.0/1"], 6: ["::/1", "8000::/1"]}
    sites = up(scene, tmp_path, family)
    sites[A].write(text(A, family, route=halves[4] + halves[6]))
    sites[A].reload()
    assert pins(scene.router[A], family) == {FAR[family]: (UNDERLAY[family][B], "bond0")}
    ping(scene.host[A], HOST[family][B])


@FAMILIES
def test_pin_follows_the_underlay(scene, tmp_path, family):
    """Another gateway, another device, none at all, one again: the pin is what the default route is,
    and is gone while a longer prefix leads to the peer anyway."""
    sites, router = up(scene, tmp_path, family), scene.router[A]
    peer, near = FAR[family], UNDERLAY[family][B]
    other = {4: "172.19.7.2", 6: "2001:db8:7::2"}[family]
    veth(router, "bond7", scene.router[B], "bond7")
    length = {4: 24, 6: 64}[family]
    flag = " nodad" if family == 6 else ""
    router.ip(f"address add {other[:-1]}1/{length} dev bond7{flag}")
    scene.router[B].ip(f"address add {other}/{length} dev bond7{flag}")

    def follows(way):
        wanted = {peer: way} if way else {}
        wait_for(lambda: pins(router, family) == wanted, 5, lambda: f"{wanted}: {pins(router, family)}")
        wait_for(lambda: sites[A].plan().returncode == 0, 5, lambda: sites[A].plan().stdout)
    router.ip(f"route replace default via {other} dev bond7 metric 5000")
    follows((other, "bond7"))
    ping(scene.host[A], HOST[family][B])
    router.ip(f"route add default via {near} dev bond0 metric 4000")
    follows((near, "bond0"))
    router.ip(f"route add {peer}/{FULL[family] - 1} via {other} dev bond7 metric 9000")
    follows(None)
    ping(scene.host[A], HOST[family][B])
    router.ip(f"route del {peer}/{FULL[family] - 1}", "route del default metric 4000" if family == 4 else
              f"route del default via {near} dev bond0 metric 4000",
              f"route del default via {other} dev bond7 metric 5000")
    follows("unreachable")
    assert "no route" in sites[A].tunnel()["reason"]
    router.ip(f"route add default via {near} dev bond0 metric 5000")
    follows((near, "bond0"))
    ping(scene.host[A], HOST[family][B])
    router.ip(f"route del {peer}/{FULL[family]}")
    follows((near, "bond0"))
    router.ip("link del bond7")
    ping(scene.host[A], HOST[family][B])


def test_gateway_that_comes_later(scene, tmp_path):
    """The daemon may start before the network does."""
    router = scene.router[A]
    scene.router[B].ip(f"address add {FAR[4]}/32 dev lo")
    sites = {side: Site(scene.router[side], tmp_path / side, text(side, 4)) for side in (A, B)}
    sites[B].up()
    assert sites[A].gretel("up", check=False).returncode == 1
    assert pins(router, 4) == {FAR[4]: "unreachable"}
    router.ip(f"route add default via {UNDERLAY[4][B]} dev bond0 metric 5000")
    wait_for(lambda: sites[A].tunnel()["state"] == "up", 5)
    ping(scene.host[A], HOST[4][B])


def test_route_to_another_peer_is_refused(scene, tmp_path):
    """A network behind one tunnel that holds the peer of another: nested, or a mistake?"""
    site = Site(scene.router[A], tmp_path / A, text(A, 4) + tunnel(
        A, 4, name="other", address=[], route=["203.0.113.0/24"], key=7))
    far_peer(scene, 4)
    done = site.gretel("up", check=False)
    assert done.returncode == 3
    assert f"would lead the outer packets of My_Tunnel to {FAR[4]} into a tunnel" in done.stderr, done.stderr
    assert f"ip route add {FAR[4]} via {UNDERLAY[4][B]} dev bond0" in done.stderr


@FAMILIES
def test_pin_of_somebody_else(scene, tmp_path, family):
    """A host route that the user has put in the pin's place does what the pin did, and stays."""
    sites, router = up(scene, tmp_path, family), scene.router[A]
    pin = router.ip_json(f"-{family} route show {FAR[family]} proto 71")
    assert len(pin) == 1
    metric = f"metric {pin[0].get('metric', 0)}"
    router.ip(f"route replace {FAR[family]} via {UNDERLAY[family][B]} dev bond0 {metric} mtu 1300")

    def theirs():
        return [row for row in router.ip_json(f"-{family} route show {FAR[family]}") if "protocol" not in row]
    ping(scene.host[A], HOST[family][B])
    wait_for(lambda: sites[A].plan().returncode == 0, 5, lambda: sites[A].plan().stdout)
    sites[A].reload()
    assert len(theirs()) == 1 and not pins(router, family)
    sites[A].down()
    assert len(theirs()) == 1
